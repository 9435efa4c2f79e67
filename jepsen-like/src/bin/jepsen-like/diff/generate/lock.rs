//! Locks and elections: taken, taken twice, waited for, given back. Keys are names and lease IDs, so they are known
//! before they are there; revisions of leaders are counted from the newest one.

use bytes::Bytes;
use detcd_proto::{etcdserverpb as pb, v3electionpb as election, v3lockpb as lock};

use super::{Dice, lease};
use crate::diff::plan::{Action, Step, encoded, path};
use crate::diff::symbol::now;

const LOCK: &str = "/v3lockpb.Lock/Lock";
const UNLOCK: &str = "/v3lockpb.Lock/Unlock";
const CAMPAIGN: &str = "/v3electionpb.Election/Campaign";
const PROCLAIM: &str = "/v3electionpb.Election/Proclaim";
const LEADER: &str = "/v3electionpb.Election/Leader";
const OBSERVE: &str = "/v3electionpb.Election/Observe";
const RESIGN: &str = "/v3electionpb.Election/Resign";

/// No other key may begin with one of them: it would stand in the queue.
const NAMES: [&str; 4] = ["lock", "x", "a/b", ""];
const VALUES: [&str; 4] = ["", "v", "w", "a longer value"];
const FIRST: i64 = 201;
const SECOND: i64 = 202;
const UNKNOWN: i64 = 404;

pub fn step(dice: &mut Dice) -> Vec<Step> {
    let name = dice.pick(&NAMES);
    let mut steps = vec![lease::grant(600, FIRST), lease::grant(600, SECOND)];
    steps.extend(if dice.percent(50) { locks(dice, name) } else { elections(dice, name) });
    for id in [FIRST, SECOND] {
        steps.push(Step::unary("/etcdserverpb.Lease/LeaseRevoke", &pb::LeaseRevokeRequest { id }));
    }
    if dice.percent(50) {
        steps.push(leader(name));
    }
    steps
}

/// Where the owner of a lease stands in the queue of a name.
fn key(name: &str, lease: i64) -> Bytes {
    format!("{name}/{lease:x}").into()
}

fn queue(name: &str) -> Step {
    let (key, range_end) = (format!("{name}/").into(), format!("{name}0").into());
    Step::unary(path::RANGE, &pb::RangeRequest { key, range_end, ..Default::default() })
}

fn locks(dice: &mut Dice, name: &'static str) -> Vec<Step> {
    let request = |lease| lock::LockRequest { name: name.into(), lease };
    let unlock = |key| Step::unary(UNLOCK, &lock::UnlockRequest { key });
    let mut steps = vec![Step::unary(LOCK, &request(FIRST))];
    if dice.percent(40) {
        steps.push(Step::unary(LOCK, &request(FIRST)));
    }
    if dice.percent(40) {
        steps.push(Step::unary(LOCK, &request(UNKNOWN)));
    }
    if dice.percent(60) {
        let waits = Action::Begin { path: LOCK, request: encoded(&request(SECOND)), key: key(name, SECOND) };
        steps.push(Step::new(waits));
        steps.push(queue(name));
        steps.push(match dice.below(3) {
            0 => Step::unary("/etcdserverpb.Lease/LeaseRevoke", &pb::LeaseRevokeRequest { id: FIRST }),
            1 => Step::unary(
                path::DELETE_RANGE,
                &pb::DeleteRangeRequest { key: key(name, FIRST), ..Default::default() },
            ),
            _ => unlock(key(name, FIRST)),
        });
        steps.push(Step::new(Action::Finish { path: LOCK }));
        steps.push(unlock(key(name, SECOND)));
    } else {
        steps.push(unlock(key(name, FIRST)));
    }
    if dice.percent(40) {
        steps.push(unlock(dice.pick(&[key(name, FIRST), Bytes::new(), Bytes::from_static(b"nothing")])));
    }
    steps
}

fn elections(dice: &mut Dice, name: &'static str) -> Vec<Step> {
    let campaign = |lease, value: &'static str| election::CampaignRequest {
        name: name.into(),
        lease,
        value: value.into(),
    };
    // Every proclamation makes one revision, and the leader is known by that of its campaign.
    let mut since = 0;
    let leader_key = |since: i64| {
        Some(election::LeaderKey { name: name.into(), key: key(name, FIRST), rev: now(-since), lease: FIRST })
    };
    let mut steps = vec![Step::unary(CAMPAIGN, &campaign(FIRST, dice.pick(&VALUES)))];
    for _ in 0..dice.below(4) {
        let value = dice.pick(&VALUES).into();
        steps.push(match dice.below(6) {
            0 | 1 => {
                since += 1;
                Step::unary(PROCLAIM, &election::ProclaimRequest { leader: leader_key(since - 1), value })
            }
            2 => Step::unary(PROCLAIM, &election::ProclaimRequest { leader: leader_key(since + 3), value }),
            3 => Step::unary(PROCLAIM, &election::ProclaimRequest { leader: None, value }),
            4 => leader(name),
            _ => {
                let request = encoded(&election::LeaderRequest { name: name.into() });
                Step::stream(OBSERVE, vec![request], Some(1))
            }
        });
    }
    if dice.percent(30) {
        steps.push(Step::unary(CAMPAIGN, &campaign(UNKNOWN, "")));
        steps.push(Step::unary(RESIGN, &election::ResignRequest { leader: None }));
    }
    if dice.percent(60) {
        let request = encoded(&campaign(SECOND, dice.pick(&VALUES)));
        steps.push(Step::new(Action::Begin { path: CAMPAIGN, request, key: key(name, SECOND) }));
        steps.push(Step::unary(RESIGN, &election::ResignRequest { leader: leader_key(since) }));
        // Whoever still leads does so no longer without its lease.
        steps.push(Step::unary("/etcdserverpb.Lease/LeaseRevoke", &pb::LeaseRevokeRequest { id: FIRST }));
        steps.push(Step::new(Action::Finish { path: CAMPAIGN }));
        steps.push(leader(name));
    } else {
        steps.push(Step::unary(RESIGN, &election::ResignRequest { leader: leader_key(since) }));
    }
    steps
}

fn leader(name: &'static str) -> Step {
    Step::unary(LEADER, &election::LeaderRequest { name: name.into() })
}
