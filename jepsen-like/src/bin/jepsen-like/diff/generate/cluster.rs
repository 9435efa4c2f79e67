//! Maintenance, the member list, health, and calls that nobody serves. Nothing here may end a server or take its quorum.

use bytes::Bytes;
use detcd_proto::{etcdserverpb as pb, healthpb};
use pb::alarm_request::AlarmAction;
use pb::downgrade_request::DowngradeAction;
use pb::request_op::Request as Op;
use prost::Message as _;

use super::Dice;
use crate::diff::plan::{Action, Step, path};
use crate::diff::symbol::{compacted, now};

pub fn maintenance(dice: &mut Dice, calls: impl FnMut(&mut Dice) -> Vec<Step>) -> Vec<Step> {
    match dice.weighted(&[12, 10, 40, 4, 2, 6, 8, 3, 6]) {
        0 => vec![Step::unary(path::STATUS, &pb::StatusRequest {})],
        1 => vec![alarm(AlarmAction::Get, dice.pick(&[0, 0, 1, 2]), 0)],
        2 => {
            let near = now(-dice.within(1, 9));
            let far = dice.pick(&[now(1), -1, i64::MIN, i64::MAX, compacted(-1), compacted(1), 1]);
            let revision = if dice.percent(50) { 0 } else { dice.pick(&[far, now(0), near]) };
            vec![Step::unary(path::HASH_KV, &pb::HashKvRequest { revision })]
        }
        3 => vec![Step::unary("/etcdserverpb.Maintenance/Defragment", &pb::DefragmentRequest {})],
        4 => vec![Step::stream_one(path::SNAPSHOT, &pb::SnapshotRequest {})],
        5 => {
            let target_id = dice.pick(&[0, 1, u64::MAX]);
            vec![Step::unary("/etcdserverpb.Maintenance/MoveLeader", &pb::MoveLeaderRequest { target_id })]
        }
        6 => vec![downgrade(dice)],
        7 => vec![Step::unary(path::HASH, &pb::HashRequest {})],
        _ => alarmed(dice, calls),
    }
}

/// A few calls while there is an alarm.
fn alarmed(dice: &mut Dice, mut calls: impl FnMut(&mut Dice) -> Vec<Step>) -> Vec<Step> {
    let kind = dice.pick(&[0, 1, 1, 2]);
    // An alarm of no kind by nobody ends etcd 3.4.
    let member = if kind == 0 { 77 } else { dice.pick(&[0, 1, 77]) };
    // While nothing can be written, watches cannot be let catch up before a compaction.
    let mut steps = vec![Step::settle(), alarm(AlarmAction::Activate, kind, member)];
    for _ in 0..dice.below(6) {
        // Before 3.6 what a transaction inside another writes cost nothing, and so was done without space.
        steps.extend(calls(dice).into_iter().filter(|step| !nests(step)));
    }
    steps.push(Step::unary(path::STATUS, &pb::StatusRequest {}));
    steps.push(alarm(AlarmAction::Activate, kind, member));
    steps.push(alarm(AlarmAction::Deactivate, dice.pick(&[0, 1, 2]), 99));
    steps.push(alarm(AlarmAction::Deactivate, kind, member));
    steps.push(alarm(AlarmAction::Get, 0, 0));
    steps
}

/// Whether a transaction has another inside.
fn nests(step: &Step) -> bool {
    let Action::Unary { path: path::TXN, request } = &step.action else { return false };
    let ops = pb::TxnRequest::decode(request.clone()).unwrap_or_default();
    ops.success.iter().chain(&ops.failure).any(|op| matches!(op.request, Some(Op::RequestTxn(_))))
}

/// An unknown action is never asked for: etcd ends over it.
fn alarm(action: AlarmAction, alarm: i32, member_id: u64) -> Step {
    Step::unary(path::ALARM, &pb::AlarmRequest { action: action as i32, member_id, alarm })
}

/// Nothing that would begin a downgrade.
fn downgrade(dice: &mut Dice) -> Step {
    let (action, versions): (i32, &[&str]) = match dice.below(4) {
        0 | 1 => (
            DowngradeAction::Validate as i32,
            &[
                "",
                "x",
                "3",
                "3.4",
                "3.4.0",
                "3.5.0",
                "3.6",
                "3.6.0",
                "3.7.0",
                "4.0.0",
                "3.4.0-rc.1",
                "v3.4.0",
                " 3.4",
            ],
        ),
        2 => (DowngradeAction::Enable as i32, &["", "x", "1.0.0", "2.3", "9.9.9"]),
        _ => (dice.pick(&[DowngradeAction::Cancel as i32, 3, -1]), &["", "3.4.0"]),
    };
    let request = pb::DowngradeRequest { action, version: dice.pick(versions).to_owned() };
    Step::unary(path::DOWNGRADE, &request)
}

/// The member list, and changes that must be refused.
pub fn cluster(dice: &mut Dice) -> Vec<Step> {
    let id = dice.pick(&[0, 1, 77, u64::MAX]);
    vec![match dice.below(6) {
        0 | 1 => {
            let request = pb::MemberListRequest { linearizable: dice.percent(50) };
            Step::unary("/etcdserverpb.Cluster/MemberList", &request)
        }
        2 => {
            let urls: &[&str] = dice.pick(&[
                &[] as &[&str],
                &[""],
                &["x"],
                &["http://1.2.3.4"],
                &["http://1.2.3.4:1/path"],
                &["http://1.2.3.4:1/"],
                &["ftp://1.2.3.4:1"],
                &["1.2.3.4:1"],
                &["http://127.0.0.1:2380"],
                &["http://:1", "x"],
                &["http://h:port"],
                &["http://[::1"],
            ]);
            let peer_urls = urls.iter().map(|url| (*url).to_owned()).collect();
            let request = pb::MemberAddRequest { peer_urls, is_learner: dice.percent(50) };
            Step::unary("/etcdserverpb.Cluster/MemberAdd", &request)
        }
        3 => Step::unary("/etcdserverpb.Cluster/MemberRemove", &pb::MemberRemoveRequest { id }),
        4 => {
            let request = pb::MemberUpdateRequest {
                id,
                peer_urls: vec![dice.pick(&["http://1.2.3.4:1", "x", ""]).to_owned()],
            };
            Step::unary("/etcdserverpb.Cluster/MemberUpdate", &request)
        }
        _ => Step::unary("/etcdserverpb.Cluster/MemberPromote", &pb::MemberPromoteRequest { id }),
    }]
}

/// grpc health, and what nobody serves.
pub fn other(dice: &mut Dice) -> Vec<Step> {
    let service = dice.pick(&["", "etcdserverpb.KV", "nobody"]).to_owned();
    let unknown = |path| Step::new(Action::Unary { path, request: Bytes::from_static(b"\x0a\x01a") });
    vec![match dice.below(8) {
        0..=2 => Step::unary("/grpc.health.v1.Health/Check", &healthpb::HealthCheckRequest { service }),
        3 => {
            let request = crate::diff::plan::encoded(&healthpb::HealthCheckRequest { service });
            Step::stream("/grpc.health.v1.Health/Watch", vec![request], Some(1))
        }
        4 => Step::unary("/grpc.health.v1.Health/List", &healthpb::HealthListRequest {}),
        5 => unknown("/etcdserverpb.KV/Frobnicate"),
        6 => unknown("/etcdserverpb.Nothing/Range"),
        _ => unknown("/etcdserverpb.Maintenance/"),
    }]
}
