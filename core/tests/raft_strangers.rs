//! Nothing that a peer may say brings a member down: messages of every kind with numbers nobody would send, at every
//! role and at every moment. What it believes may be wrong afterwards, since it trusts its peers; it must live on.
use bytes::Bytes;
use detcd_core::raft::{Raft, Setup};
use detcd_core::{MemberId, Moment, Plants, Rng, Span};
use detcd_proto::Message as _;
use detcd_proto::raftpb::{
    ConfChange, ConfChangeV2, ConfState, Entry, EntryType, HardState, Message, MessageType,
};

const TIMEOUT: Span = Span::millis(1000);

struct Member {
    raft: Raft,
    now: Moment,
    sent: Vec<Message>,
    /// The disk takes its time: writes end only when told to.
    is_slow: bool,
    writing: Option<u64>,
}

fn member(id: u64, voters: &[u64], hard_state: HardState, entries: Vec<Entry>) -> Member {
    let now = Moment(1);
    let setup = Setup {
        id: MemberId(id),
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
        rng: Rng::from_seed(id),
    };
    Member { raft: Raft::new(setup, now), now, sent: Vec::new(), is_slow: false, writing: None }
}

impl Member {
    /// Hears a message; its sender is the one it names.
    fn hear(&mut self, m: Message) {
        self.raft.step(self.now, MemberId(m.from), m);
    }

    fn wait(&mut self, span: Span) {
        self.now = self.now + span;
    }

    fn persist(&mut self) {
        if let Some(number) = self.writing.take() {
            self.raft.persisted(self.now, number);
        }
    }

    /// The end of a turn.
    fn settle(&mut self) {
        for _ in 0..20 {
            if self.raft.deadline() <= self.now {
                self.raft.tick(self.now);
            }
            self.raft.settle(self.now);
            loop {
                let batch = self.raft.take_committed(500);
                if batch.is_empty() {
                    break;
                }
                for entry in batch {
                    self.apply(&entry);
                }
            }
            self.sent.extend(self.raft.take_messages().into_iter().map(|(_, m)| m));
            self.raft.take_reads();
            self.raft.take_notes();
            match self.raft.take_write() {
                Some(write) => self.writing = Some(write.number),
                None => return,
            }
            if self.is_slow {
                return;
            }
            self.persist();
        }
        panic!("it never settles: {:?}", self.raft.status());
    }

    fn apply(&mut self, entry: &Entry) {
        let data = entry.data.clone().unwrap_or_default();
        if entry.r#type == EntryType::EntryConfChangeV2 as i32 {
            self.raft.apply_conf_change(self.now, &ConfChangeV2::decode(data).unwrap_or_default());
        } else if entry.r#type == EntryType::EntryConfChange as i32 {
            self.raft.apply_conf_change_v1(self.now, &ConfChange::decode(data).unwrap_or_default());
        }
    }
}

fn to_us(kind: MessageType, from: u64, term: u64) -> Message {
    Message { r#type: kind as i32, from, to: 1, term, ..Message::default() }
}

/// One of three voters that leads, its first entry committed.
fn leader() -> Member {
    let mut one = member(1, &[1, 2, 3], HardState::default(), Vec::new());
    one.wait(TIMEOUT.times(3));
    one.settle();
    one.hear(to_us(MessageType::MsgPreVoteResp, 2, 1));
    one.settle();
    one.hear(to_us(MessageType::MsgVoteResp, 2, 1));
    one.settle();
    one.hear(Message { index: 1, ..to_us(MessageType::MsgAppResp, 2, 1) });
    one.settle();
    assert!(one.raft.is_leader() && one.raft.commit() == 1, "{:?}", one.raft.status());
    one
}

#[test]
fn a_refusal_at_the_end_of_all_numbers() {
    for (index, hint, hint_term) in
        [(u64::MAX, u64::MAX, 0), (1, u64::MAX, 0), (u64::MAX, u64::MAX, u64::MAX), (0, 0, 0)]
    {
        let mut one = leader();
        for peer in [2, 3] {
            one.hear(Message {
                index,
                reject: true,
                reject_hint: hint,
                log_term: hint_term,
                ..to_us(MessageType::MsgAppResp, peer, 1)
            });
        }
        one.settle();
        assert!(one.raft.is_leader());
    }
}

/// A term that cannot be followed by another would end all elections.
#[test]
fn the_last_of_all_terms_is_not_entered() {
    for kind in
        [MessageType::MsgApp, MessageType::MsgHeartbeatResp, MessageType::MsgVote, MessageType::MsgPreVote]
    {
        for term in [u64::MAX, u64::MAX - 1] {
            let mut one = member(1, &[1, 2, 3], HardState::default(), Vec::new());
            one.hear(to_us(kind, 2, term));
            one.settle();
            for _ in 0..4 {
                one.wait(TIMEOUT.times(3));
                one.settle();
                let term = one.raft.term();
                one.hear(to_us(MessageType::MsgPreVoteResp, 2, term + 1));
                one.settle();
            }
            assert!(one.raft.term() < u64::MAX / 2, "{kind:?} {term}");
        }
    }
}

/// Term 0 is what etcd marks a member's messages to itself with; nobody leads or votes in it.
#[test]
fn nobody_leads_or_votes_in_term_zero() {
    let mut one = member(1, &[1, 2, 3], HardState::default(), Vec::new());
    for kind in
        [MessageType::MsgApp, MessageType::MsgHeartbeat, MessageType::MsgVote, MessageType::MsgTimeoutNow]
    {
        one.hear(to_us(kind, 2, 0));
        one.settle();
        assert_eq!((one.raft.leader(), one.raft.status().vote), (None, None), "{kind:?}");
        assert_eq!(one.sent, [], "{kind:?}");
    }
}

/// A kind of message that no peer sends does not even tell what term it is.
#[test]
fn a_message_that_is_not_for_peers_moves_nobody() {
    for kind in [MessageType::MsgHup, MessageType::MsgCheckQuorum, MessageType::MsgStorageAppendResp] {
        let mut one = leader();
        one.hear(to_us(kind, 2, 9));
        one.settle();
        assert!(one.raft.is_leader(), "{kind:?}");
    }
}

fn number(rng: &mut Rng, near: u64) -> u64 {
    match rng.below(12) {
        0 => 0,
        1 => u64::MAX,
        2 => u64::MAX - 1,
        3 => 1 << 63,
        4 => rng.u64(),
        5 => rng.below(4),
        6 => near.saturating_sub(1 + rng.below(3)),
        7 => near.saturating_add(1 + rng.below(3)),
        _ => near,
    }
}

fn bytes(rng: &mut Rng) -> Option<Bytes> {
    let length = [0, 1, 8, 16, 40][rng.below(5) as usize];
    match rng.below(4) {
        0 => None,
        1 => Some(Bytes::from_static(b"CampaignTransfer")),
        2 => {
            // A round of reads, perhaps one that was opened.
            let mut name = [0; 16];
            name[7] = rng.below(4) as u8;
            name[15] = rng.below(4) as u8;
            Some(Bytes::copy_from_slice(&name))
        }
        _ => Some((0..length).map(|_| rng.u64() as u8).collect()),
    }
}

fn some_entries(rng: &mut Rng, index: u64, term: u64) -> Vec<Entry> {
    let mut at = index;
    let entries = (0..rng.below(5)).map(|_| {
        at = if rng.below(10) == 0 { number(rng, at) } else { at.wrapping_add(1) };
        let term = if rng.below(6) == 0 { number(rng, term) } else { term };
        let kind = [0, 0, 0, 0, 1, 2, 3, -1][rng.below(8) as usize];
        let data = if kind > 0 && rng.below(4) > 0 { Some(some_change(rng)) } else { bytes(rng) };
        Entry { index: at, term, r#type: kind, data }
    });
    entries.collect()
}

/// Of the older form; read as one of the newer it is something else, or nothing.
fn some_change(rng: &mut Rng) -> Bytes {
    let change = ConfChange { id: 0, r#type: rng.below(5) as i32, node_id: rng.below(5), context: None };
    change.encode_to_vec().into()
}

fn some_message(rng: &mut Rng, raft: &Raft) -> Message {
    let status = raft.status();
    let near = if rng.below(2) == 0 { status.last_index } else { status.commit };
    let index = number(rng, near);
    let term = number(rng, status.term);
    let log_term = number(rng, status.last_term);
    Message {
        r#type: if rng.below(30) == 0 { rng.u64() as i32 } else { rng.below(24) as i32 },
        to: if rng.below(30) == 0 { number(rng, 1) } else { 1 },
        from: if rng.below(10) == 0 { number(rng, 2) } else { 2 + rng.below(3) },
        term,
        log_term,
        index,
        entries: some_entries(rng, index, term.min(status.term)),
        commit: number(rng, status.commit),
        snapshot: None,
        reject: rng.below(3) == 0,
        reject_hint: number(rng, status.last_index),
        context: bytes(rng),
        ..Message::default()
    }
}

#[test]
fn anything_at_all_may_be_said() {
    let mut deeds = [0_u64; 4];
    for seed in 0..4000 {
        let mut rng = Rng::from_seed(seed);
        let mut one = if rng.below(2) == 0 {
            leader()
        } else {
            member(1, &[1, 2, 3], HardState::default(), Vec::new())
        };
        one.is_slow = rng.below(2) == 0;
        for ctx in 0..60 {
            if rng.below(3) == 0 {
                one.persist();
            }
            match rng.below(12) {
                0 => one.wait(Span::millis(rng.below(3000))),
                1 => {
                    let data = bytes(&mut rng).unwrap_or_default();
                    // Whether it is taken does not matter here.
                    one.raft.propose(one.now, EntryType::EntryNormal, data).ok();
                }
                2 => {
                    one.raft.transfer(one.now, None).ok();
                }
                3 => {
                    one.raft.read_index(one.now, ctx).ok();
                }
                _ => {
                    let m = some_message(&mut rng, &one.raft);
                    let from = if rng.below(10) == 0 { number(&mut rng, 2) } else { m.from };
                    one.raft.step(one.now, MemberId(from), m);
                }
            }
            if rng.below(3) > 0 {
                one.settle();
            }
            deeds[0] += u64::from(one.raft.is_leader());
            deeds[1] += u64::from(one.raft.leader().is_some_and(|leader| leader.0 != 1));
            deeds[2] += u64::from(one.raft.commit() > 3);
            deeds[3] += u64::from(!one.raft.status().conf_state.voters.contains(&1));
        }
    }
    assert!(deeds.iter().all(|times| *times > 0), "something never happened: {deeds:?}");
}

/// Two voters, one of them removed by an entry that the other holds without knowing that it is committed. The removed
/// one has a longer log and refuses, and since a pre-vote moves nobody's term, it refuses in a term of long ago.
#[test]
fn a_refusal_from_an_old_term_still_tells_what_is_committed() {
    let remove = ConfChange { id: 0, r#type: 1, node_id: 2, context: None };
    let entry = |index, change: Option<&ConfChange>| Entry {
        index,
        term: 1,
        r#type: i32::from(change.is_some()),
        data: change.map(|change| change.encode_to_vec().into()),
    };
    let log = vec![entry(1, None), entry(2, Some(&remove)), entry(3, None)];
    let hard_state = HardState { term: 3, vote: 0, commit: 1 };
    let mut one = member(1, &[1, 2], hard_state, log);
    one.wait(TIMEOUT.times(2));
    one.settle();
    assert!(!one.raft.is_leader());
    let refusal = to_us(MessageType::MsgPreVoteResp, 2, 1);
    one.hear(Message { reject: true, commit: 2, log_term: 1, ..refusal });
    one.settle();
    assert_eq!(one.raft.status().conf_state.voters, [1]);
    one.wait(TIMEOUT.times(2));
    one.settle();
    assert!(one.raft.is_leader(), "{:?}", one.raft.status());
}

/// Without the question before the vote, two members that campaign in turn and of which only one asks the other could
/// miss each other for ever: the one with the lower term must learn of the higher. Raft 5.1.
#[test]
fn a_candidate_of_the_past_is_told_the_term() {
    let mut one = member(1, &[1, 2, 3], HardState { term: 5, ..HardState::default() }, Vec::new());
    one.hear(to_us(MessageType::MsgVote, 2, 3));
    one.hear(to_us(MessageType::MsgPreVote, 2, 3));
    one.settle();
    let told: Vec<_> = one.sent.iter().map(|m| (m.r#type(), m.to, m.term, m.reject)).collect();
    assert_eq!(told, [(MessageType::MsgVoteResp, 2, 5, true), (MessageType::MsgPreVoteResp, 2, 5, true)]);
}

/// Votes that were not asked for yet, say by a life of which the disk lost everything: they wait until the ballot that
/// they are for is on disk.
#[test]
fn an_election_won_too_early_waits_for_the_disk() {
    let mut one = member(1, &[1, 2, 3], HardState::default(), Vec::new());
    one.is_slow = true;
    one.wait(TIMEOUT.times(3));
    one.settle();
    one.hear(to_us(MessageType::MsgPreVoteResp, 2, 1));
    one.settle();
    for peer in [2, 3] {
        one.hear(to_us(MessageType::MsgVoteResp, peer, 1));
        one.settle();
    }
    assert!(!one.raft.is_leader());
    one.persist();
    one.settle();
    assert!(one.raft.is_leader() && one.raft.term() == 1, "{:?}", one.raft.status());
}

/// Right after a check of the quorum nobody has been heard yet since; who was heard before is still the better heir.
#[test]
fn leadership_goes_to_somebody_who_was_heard() {
    let mut one = leader();
    one.hear(Message { index: 1, ..to_us(MessageType::MsgAppResp, 3, 1) });
    one.settle();
    for _ in 0..3 {
        for _ in 0..10 {
            one.wait(Span::millis(100));
            one.settle();
            one.hear(to_us(MessageType::MsgHeartbeatResp, 3, 1));
        }
    }
    let checked = |one: &Member| one.raft.status().peers.iter().all(|peer| !peer.active);
    while !checked(&one) {
        one.wait(Span::millis(100));
        one.settle();
    }
    assert_eq!(one.raft.transfer(one.now, None), Ok(MemberId(3)));
}
