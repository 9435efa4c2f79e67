//! Watchers on a few streams that stay open.

use bytes::Bytes;
use detcd_proto::etcdserverpb as pb;
use pb::watch_request::RequestUnion;

use super::Dice;
use crate::diff::plan::{Action, Step};
use crate::diff::symbol::{compacted, now};

const STREAMS: u64 = 4;
/// For a single watcher.
const ALONE: u8 = 101;

pub fn step(dice: &mut Dice) -> Vec<Step> {
    let stream = dice.below(STREAMS) as u8;
    let union = match dice.weighted(&[40, 20, 10, 2, 6, 20, 1]) {
        0 => Some(RequestUnion::CreateRequest(create(dice))),
        1 => Some(RequestUnion::CancelRequest(pb::WatchCancelRequest { watch_id: id(dice) })),
        2 => Some(RequestUnion::ProgressRequest(pb::WatchProgressRequest {})),
        3 => None,
        4 => return vec![Step::new(Action::Unwatch { stream })],
        5 => return vec![Step::settle()],
        _ => {
            // Before 3.6 such a watcher was made, and took an ID: this stream is closed at once.
            let start_revision = dice.pick(&[-1, i64::MIN]);
            let create = pb::WatchCreateRequest { start_revision, ..create(dice) };
            let union = Some(RequestUnion::CreateRequest(create));
            return vec![
                Step::watch(ALONE, &pb::WatchRequest { request_union: union }),
                Step::new(Action::Unwatch { stream: ALONE }),
            ];
        }
    };
    vec![Step::watch(stream, &pb::WatchRequest { request_union: union })]
}

/// IDs that are in use, about to be given, or neither. -1 is the one that etcd 3.5 forgets when another watcher is
/// refused.
fn id(dice: &mut Dice) -> i64 {
    dice.pick(&[0, 1, 2, 3, 4, 7, 1000, -2, -5, i64::MAX])
}

fn create(dice: &mut Dice) -> pb::WatchCreateRequest {
    let (key, range_end) = match dice.below(6) {
        0..=2 => (Bytes::from_static(b"\0"), Bytes::from_static(b"\0")),
        3 => (Bytes::from_static(b"k/"), Bytes::from_static(b"k0")),
        _ => dice.interval(),
    };
    // Nobody starts just at the compacted revision: servers before 3.5.16 keep less there.
    let start_revision = match dice.below(20) {
        0..=8 => 0,
        9..=12 => now(-dice.within(0, 30)),
        13 => now(1),
        14 => compacted(1),
        15 | 16 => compacted(-dice.within(1, 3)),
        17 => now(dice.within(1, 40)),
        18 => dice.pick(&[1, 2]),
        _ => now(dice.within(1, 5)),
    };
    let mut filters = Vec::new();
    if dice.percent(30) {
        filters = dice.pick(&[vec![0], vec![1], vec![0, 1], vec![7], vec![1, 1]]);
    }
    pb::WatchCreateRequest {
        key,
        range_end,
        start_revision,
        filters,
        prev_kv: dice.percent(50),
        watch_id: if dice.percent(20) { id(dice) } else { 0 },
        fragment: dice.percent(30),
        progress_notify: dice.percent(20),
    }
}
