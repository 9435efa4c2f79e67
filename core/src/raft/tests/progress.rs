use crate::raft::log::Log;
use crate::raft::progress::{Limits, Mode, Progress};
use crate::{MemberId, Plants};
use alloc::{string::String, vec::Vec};
use bytes::Bytes;
use detcd_proto::raftpb::Entry;

const PEER: MemberId = MemberId(2);

struct Scene {
    log: Log,
    peer: Progress,
    commit: u64,
    limits: Limits,
}

fn scene(entries: u64) -> Scene {
    let entry =
        |index| Entry { index, term: 1, data: Some(Bytes::from_static(b"12345678")), ..Entry::default() };
    Scene {
        log: Log::new((0, 0), (1..=entries).map(entry).collect()),
        peer: Progress::new(entries, false),
        commit: 0,
        limits: Limits { message_bytes: 100, inflight_messages: 2, plants: Plants::NONE },
    }
}

impl Scene {
    /// Everything that is sent now: previous index, entries, commit.
    fn feed(&mut self) -> String {
        let mut sent = Vec::new();
        while let Some(m) = self.peer.feed(PEER, &self.log, self.commit, self.limits).unwrap() {
            sent.push(alloc::format!("{}+{} c{}", m.index, m.entries.len(), m.commit));
        }
        sent.join(", ")
    }

    fn acknowledged(&mut self, index: u64) {
        self.peer.acknowledged(index, self.log.base_index());
    }

    fn append(&mut self, count: u64) {
        for _ in 0..count {
            let index = self.log.last_index() + 1;
            self.log.append(Entry {
                index,
                term: 1,
                data: Some(Bytes::from_static(b"12345678")),
                ..Entry::default()
            });
        }
    }
}

#[test]
fn a_probe_goes_alone_until_it_is_answered() {
    let mut scene = scene(3);
    assert_eq!(scene.feed(), "3+0 c0");
    scene.append(1);
    assert_eq!(scene.feed(), "", "one probe at a time");
    scene.acknowledged(3);
    assert_eq!(scene.peer.mode, Mode::Replicate);
    assert_eq!(scene.feed(), "3+1 c0");
}

#[test]
fn a_lost_probe_is_sent_again_after_a_heartbeat_answer() {
    let mut scene = scene(3);
    assert_eq!(scene.feed(), "3+0 c0");
    scene.peer.answered_heartbeat(3, Plants::NONE);
    assert_eq!(scene.feed(), "3+0 c0");
    scene.acknowledged(3);
    scene.peer.answered_heartbeat(3, Plants::NONE);
    assert_eq!(scene.feed(), "", "nothing is missing");
}

#[test]
fn replication_runs_ahead_up_to_the_window() {
    let mut scene = scene(0);
    scene.feed();
    scene.acknowledged(0);
    scene.append(6);
    assert_eq!(scene.feed(), "0+2 c0, 2+2 c0", "two messages of two entries");
    scene.acknowledged(2);
    assert_eq!(scene.feed(), "4+2 c0");
    scene.acknowledged(6);
    scene.commit = 6;
    assert_eq!(scene.feed(), "6+0 c6", "the news of the commit");
    assert_eq!(scene.feed(), "");
}

#[test]
fn a_full_window_whose_messages_were_lost_is_found_out() {
    let mut scene = scene(0);
    scene.feed();
    scene.acknowledged(0);
    scene.append(8);
    assert_eq!(scene.feed(), "0+2 c0, 2+2 c0");
    scene.peer.answered_heartbeat(8, Plants::NONE);
    assert_eq!(scene.feed(), "4+0 c0", "an empty append asks");
    scene.peer.rejected(4, 0);
    assert_eq!(scene.feed(), "0+2 c0");
    assert_eq!(scene.peer.mode, Mode::Probe { waiting: true });
}

#[test]
fn late_answers_change_nothing() {
    let mut scene = scene(9);
    scene.feed();
    scene.peer.rejected(9, 5);
    assert_eq!(scene.feed(), "5+2 c0");
    scene.peer.rejected(9, 3);
    assert_eq!(scene.feed(), "", "this refusal was answered already");
    scene.acknowledged(7);
    scene.peer.rejected(5, 2);
    assert_eq!((scene.peer.mode, scene.peer.matched), (Mode::Replicate, 7));
    scene.acknowledged(6);
    assert_eq!((scene.peer.matched, scene.peer.next), (7, 8));
}

#[test]
fn a_hint_never_leads_below_what_is_known_to_match() {
    let mut scene = scene(9);
    scene.feed();
    scene.peer.rejected(9, 2);
    assert_eq!(scene.feed(), "2+2 c0");
    scene.acknowledged(4);
    scene.feed();
    scene.peer.lost();
    assert_eq!(scene.feed(), "4+2 c0");
    scene.peer.rejected(3, 0);
    assert_eq!(scene.peer.next, 5);
}

#[test]
fn who_refuses_what_it_acknowledged_is_known_to_hold_nothing() {
    let mut scene = scene(9);
    scene.feed();
    scene.acknowledged(9);
    scene.peer.lost();
    assert_eq!(scene.feed(), "9+0 c0");
    scene.peer.rejected(9, 4);
    assert_eq!((scene.peer.matched, scene.peer.acked, scene.peer.next), (0, 9, 5));
    assert_eq!(scene.feed(), "4+2 c0");
    scene.acknowledged(6);
    assert_eq!((scene.peer.matched, scene.peer.mode), (6, Mode::Replicate));
}

/// A member that lacks entries up to 5, which are gone.
fn behind() -> Scene {
    let mut scene = scene(0);
    scene.log = Log::new((5, 1), Vec::new());
    scene.peer = Progress::new(5, true);
    assert_eq!(scene.feed(), "5+0 c0");
    scene.peer.rejected(5, 2);
    assert_eq!(scene.peer.feed(PEER, &scene.log, 5, scene.limits), Err(3));
    scene
}

#[test]
fn nothing_is_sent_beside_a_snapshot_and_what_follows_it_behind() {
    let mut scene = behind();
    scene.peer.snapshot_begun(7);
    scene.append(4);
    scene.peer.rejected(5, 2);
    scene.peer.answered_heartbeat(9, Plants::NONE);
    assert_eq!((scene.feed().as_str(), scene.peer.pending()), ("", Some(7)));
    scene.peer.snapshot_sent(6, true);
    assert_eq!(scene.peer.pending(), Some(7), "that was another one");
    scene.peer.snapshot_sent(7, true);
    assert_eq!(scene.feed(), "", "it may not have gone on from there yet");
    scene.peer.answered_heartbeat(9, Plants::NONE);
    assert_eq!(scene.feed(), "7+2 c0");
    scene.acknowledged(7);
    assert_eq!(scene.peer.mode, Mode::Probe { waiting: true }, "the probe went up to 9");
    scene.acknowledged(9);
    assert_eq!((scene.peer.mode, scene.peer.next), (Mode::Replicate, 10));
}

#[test]
fn who_acknowledges_the_snapshot_needs_no_probe() {
    let mut scene = behind();
    scene.peer.snapshot_begun(7);
    scene.append(4);
    scene.peer.snapshot_sent(7, true);
    scene.acknowledged(2);
    assert_eq!(scene.peer.mode, Mode::Probe { waiting: true }, "late news");
    scene.acknowledged(7);
    assert_eq!((scene.peer.mode, scene.feed().as_str()), (Mode::Replicate, "7+2 c0"));
}

#[test]
fn a_snapshot_that_failed_is_needed_again_once_the_member_is_heard() {
    let mut scene = behind();
    scene.peer.snapshot_begun(5);
    scene.peer.snapshot_sent(5, false);
    assert_eq!((scene.feed().as_str(), scene.peer.next), ("", 1));
    scene.peer.answered_heartbeat(5, Plants::NONE);
    assert_eq!(scene.peer.feed(PEER, &scene.log, 5, scene.limits), Err(1));
    assert!(scene.peer.snapshot_missing(), "that there is none is news");
    assert_eq!(scene.feed(), "");
    scene.peer.answered_heartbeat(5, Plants::NONE);
    assert_eq!(scene.peer.feed(PEER, &scene.log, 5, scene.limits), Err(1));
    assert!(!scene.peer.snapshot_missing(), "and told once");
}

#[test]
fn who_was_brought_up_by_somebody_else_needs_no_snapshot() {
    let mut scene = behind();
    scene.peer.snapshot_begun(9);
    scene.acknowledged(4);
    assert_eq!(scene.peer.pending(), Some(9));
    scene.acknowledged(5);
    assert_eq!(scene.peer.mode, Mode::Replicate);
    scene.peer.snapshot_sent(9, true);
    assert_eq!(scene.peer.mode, Mode::Replicate, "late news");
}

#[test]
fn only_the_answer_to_the_probe_ends_probing() {
    let mut scene = scene(9);
    scene.feed();
    scene.peer.rejected(9, 2);
    assert_eq!(scene.feed(), "2+2 c0");
    scene.acknowledged(2);
    assert_eq!(scene.peer.mode, Mode::Probe { waiting: true }, "this answers something older");
    scene.acknowledged(4);
    assert_eq!(scene.peer.mode, Mode::Replicate);
}
