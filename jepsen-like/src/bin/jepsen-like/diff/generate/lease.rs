//! Leases. Those that stay live for longer than any round; a short one is gone again before it could run out, or its
//! end is waited for.

use bytes::Bytes;
use detcd_proto::etcdserverpb as pb;

use super::Dice;
use crate::diff::plan::{Action, Step, encoded, path};

/// The leases of a workload. What a server picks itself is far away from these.
pub const LEASES: [i64; 6] = [1, 2, 3, 4, 5, -7];
const SHORT: i64 = 50;
const UNKNOWN: [i64; 4] = [404, -404, i64::MAX, i64::MIN];

pub fn step(dice: &mut Dice) -> Vec<Step> {
    match dice.weighted(&[30, 14, 20, 20, 8, 6, 1]) {
        0 => {
            let ttl = dice.pick(&[600, 3600, 100_000, 9_000_000_000, 9_000_000_001, i64::MAX]);
            vec![grant(ttl, if dice.percent(10) { 0 } else { dice.pick(&LEASES) })]
        }
        1 => vec![revoke(any(dice))],
        2 => {
            let request = pb::LeaseTimeToLiveRequest { id: any(dice), keys: dice.percent(60) };
            vec![Step::unary(path::LEASE_TIME_TO_LIVE, &request)]
        }
        3 => {
            let ask = |id| encoded(&pb::LeaseKeepAliveRequest { id });
            let requests: Vec<Bytes> = (0..dice.below(4)).map(|_| ask(any(dice))).collect();
            vec![Step::stream("/etcdserverpb.Lease/LeaseKeepAlive", requests, None)]
        }
        4 => vec![Step::unary(path::LEASE_LEASES, &pb::LeaseLeasesRequest {})],
        5 => {
            let mut steps = vec![grant(dice.pick(&[0, 1, -1, i64::MIN]), SHORT)];
            if dice.percent(50) {
                steps.push(attach(dice.key(), SHORT));
            }
            steps.push(revoke(SHORT));
            steps
        }
        _ => vec![
            grant(1, SHORT),
            attach(Bytes::from_static(b"short"), SHORT),
            attach(dice.key(), SHORT),
            Step::new(Action::Expire { lease: SHORT }),
            Step::unary(path::RANGE, &pb::RangeRequest { key: "short".into(), ..Default::default() }),
        ],
    }
}

fn any(dice: &mut Dice) -> i64 {
    if dice.percent(85) { dice.pick(&LEASES) } else { dice.pick(&UNKNOWN) }
}

pub fn grant(ttl: i64, id: i64) -> Step {
    Step::unary(path::LEASE_GRANT, &pb::LeaseGrantRequest { ttl, id })
}

fn revoke(id: i64) -> Step {
    Step::unary("/etcdserverpb.Lease/LeaseRevoke", &pb::LeaseRevokeRequest { id })
}

fn attach(key: Bytes, lease: i64) -> Step {
    Step::unary(path::PUT, &pb::PutRequest { key, value: "leased".into(), lease, ..Default::default() })
}
