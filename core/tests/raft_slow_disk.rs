//! A disk that takes longer than an election timeout: slow is not dead.
use detcd_core::raft::{Raft, Setup};
use detcd_core::{MemberId, Moment, Plants, Rng, Span};
use detcd_proto::Message as _;
use detcd_proto::raftpb::{ConfChange, ConfState, Entry, EntryType, HardState, Message, MessageType};

const TIMEOUT: Span = Span::millis(1000);

fn raft(voters: &[u64], hard_state: HardState, entries: Vec<Entry>) -> Raft {
    let setup = Setup {
        id: MemberId(1),
        conf_state: ConfState { voters: voters.to_vec(), ..ConfState::default() },
        hard_state,
        entries,
        base: (0, 0),
        applied: 0,
        heartbeat_interval: Span::millis(100),
        election_timeout: TIMEOUT,
        pre_vote: true,
        max_message_bytes: 1000,
        max_inflight_messages: 4,
        max_uncommitted_bytes: 10_000,
        plants: Plants::NONE,
        rng: Rng::from_seed(1),
    };
    Raft::new(setup, Moment(0))
}

fn turn(raft: &mut Raft, now: Moment) -> Vec<Message> {
    if raft.deadline() <= now {
        raft.tick(now);
    }
    raft.settle(now);
    raft.take_committed(1000);
    raft.take_messages().into_iter().map(|(_, m)| m).collect()
}

/// Each campaign needs a write of its own, so one that does not wait for the write before would never win.
#[test]
fn a_voter_whose_writes_take_five_seconds_is_elected() {
    // The log proves a term that the hard state has lost: even the first ballot must be written first.
    for entries in [Vec::new(), vec![Entry { index: 1, term: 1, ..Entry::default() }]] {
        let mut raft = raft(&[1], HardState::default(), entries);
        let mut writing = None;
        for step in 0..200 {
            let now = Moment(0) + Span::millis(100).times(step);
            if let Some((number, _)) = writing.take_if(|(_, done)| *done <= now) {
                raft.persisted(now, number);
            }
            turn(&mut raft, now);
            if writing.is_none() {
                writing = raft.take_write().map(|write| (write.number, now + Span::secs(5)));
            }
            assert!(raft.deadline() > now, "it spins while it waits for the disk: {:?}", raft.status());
        }
        assert!(raft.is_leader(), "{:?}", raft.status());
    }
}

/// A member that may not campaign yet has not heard its leader for that: it answers those who may.
#[test]
fn putting_off_a_campaign_is_not_hearing_a_leader() {
    let hard_state = HardState { term: 1, ..HardState::default() };
    let mut raft = raft(&[1, 2, 3], hard_state, Vec::new());
    let change = ConfChange { r#type: 0, node_id: 4, ..ConfChange::default() };
    let data = Some(change.encode_to_vec().into());
    let append = Message {
        r#type: MessageType::MsgApp as i32,
        from: 2,
        to: 1,
        term: 1,
        entries: vec![Entry { index: 1, term: 1, r#type: 1, data }],
        commit: 1,
        ..Message::default()
    };
    raft.step(Moment(0), MemberId(2), append);
    turn(&mut raft, Moment(0));
    // Committed, and not durable here, so it is not applied.
    let mut now = Moment(0);
    while now < Moment(0) + TIMEOUT.times(2) {
        now = now + Span::millis(50);
        turn(&mut raft, now);
    }
    let question = Message {
        r#type: MessageType::MsgPreVote as i32,
        from: 3,
        to: 1,
        term: 2,
        index: 1,
        log_term: 1,
        ..Message::default()
    };
    raft.step(now, MemberId(3), question);
    let answers = turn(&mut raft, now);
    assert_eq!(answers.len(), 1, "{:?}", raft.status());
}

fn answer(kind: MessageType, from: u64, term: u64) -> Message {
    Message { r#type: kind as i32, from, to: 1, term, ..Message::default() }
}

/// A leader that gives up asks somebody whom it has heard lately, though the one it has not heard held as much.
#[test]
fn a_leader_with_a_stuck_disk_asks_somebody_alive() {
    let mut raft = raft(&[1, 2, 3, 4, 5], HardState::default(), Vec::new());
    let mut now = Moment(0) + TIMEOUT.times(3);
    for kind in [MessageType::MsgPreVoteResp, MessageType::MsgVoteResp, MessageType::MsgAppResp] {
        turn(&mut raft, now);
        while let Some(write) = raft.take_write() {
            raft.persisted(now, write.number);
            turn(&mut raft, now);
        }
        for peer in 2..=5 {
            let index = u64::from(kind == MessageType::MsgAppResp);
            raft.step(now, MemberId(peer), Message { index, ..answer(kind, peer, 1) });
        }
    }
    assert!(raft.is_leader(), "{:?}", raft.status());
    raft.propose(now, EntryType::EntryNormal, "x".into()).expect("it leads");
    turn(&mut raft, now);
    assert!(raft.take_write().is_some());
    let mut asked = Vec::new();
    while raft.is_leader() {
        now = now + Span::millis(100);
        assert!(now < Moment(0) + TIMEOUT.times(20), "it leads on without a disk");
        for peer in 3..=5 {
            raft.step(now, MemberId(peer), answer(MessageType::MsgHeartbeatResp, peer, 1));
        }
        let sent = turn(&mut raft, now);
        asked.extend(sent.iter().filter(|m| m.r#type() == MessageType::MsgTimeoutNow).map(|m| m.to));
    }
    assert_eq!(asked, [3]);
}
