//! What a leader counts for the leases, through the one door of the replica.
use detcd_core::{
    ClusterId, Config, Effect, Effects, Input, Member, MemberId, Moment, Plants, Refusal, Replica, Reply,
    Span, Ticket, replica::Recovered, wal,
};
use detcd_proto::Message as _;
use detcd_proto::etcdserverpb::{InternalRaftRequest, LeaseGrantRequest};
use detcd_proto::raftpb::{Entry, Message, MessageType};

/// Member 1, alone or with two others who agree to everything it says.
struct Alone {
    config: Config,
    replica: Replica,
    now: Moment,
    replies: Vec<Reply>,
    refusals: Vec<Refusal>,
    /// All it has written, in one segment.
    log: Vec<u8>,
    /// The disk takes its time: what it has finished, and nobody has heard of.
    waits: Option<Vec<u64>>,
    /// What the others were asked to propose.
    forwarded: Vec<InternalRaftRequest>,
}

impl Alone {
    fn boot() -> Alone {
        Alone::boot_with(1, Plants::NONE)
    }

    fn boot_with(members: u64, plants: Plants) -> Alone {
        let member = |id: u64| Member {
            id: MemberId(id),
            name: "one".to_string(),
            peer_urls: vec![format!("http://127.0.0.{id}:2380")],
            client_urls: Vec::new(),
            is_learner: false,
        };
        let founders = (1..=members).map(member).collect();
        let config = Config { plants, ..Config::new(member(1), ClusterId(1), founders) };
        Alone::start(config, Vec::new())
    }

    fn start(config: Config, log: Vec<u8>) -> Alone {
        let recovered = (!log.is_empty()).then(|| {
            let mut reader = wal::Reader::new(detcd_core::Plants::NONE);
            reader.segment(wal::SegmentName::default(), &log, true).expect("it is whole");
            Recovered { checkpoint: None, log: reader.finish().expect("it is whole") }
        });
        let mut effects = Effects::default();
        let replica = Replica::boot(config.clone(), recovered, 1, Moment(1), &mut effects);
        let mut alone = Alone {
            config,
            replica,
            now: Moment(1),
            replies: Vec::new(),
            refusals: Vec::new(),
            log,
            waits: None,
            forwarded: Vec::new(),
        };
        alone.carry_out(effects);
        for _ in 0..40 {
            alone.turn(Vec::new());
            alone.now = alone.now + Span::millis(100);
        }
        alone
    }

    fn boot_again(self) -> Alone {
        Alone::start(self.config, self.log)
    }

    /// A turn and all that follow from it, with a disk that takes no time.
    fn turn(&mut self, inputs: Vec<Input>) {
        let mut effects = Effects::default();
        self.replica.turn(self.now, inputs.into_iter(), &mut effects);
        self.carry_out(effects);
    }

    fn carry_out(&mut self, mut effects: Effects) {
        let mut heard = Vec::new();
        for effect in effects.drain() {
            match effect {
                Effect::Persist { upto, bytes, .. } => {
                    self.log.extend_from_slice(&bytes);
                    match &mut self.waits {
                        Some(waits) => waits.push(upto),
                        None => heard.push(Input::Persisted { upto }),
                    }
                }
                Effect::Reply { outcome, .. } => match outcome {
                    Ok(reply) => self.replies.push(reply),
                    Err(refusal) => self.refusals.push(refusal),
                },
                Effect::Send { message, .. } => heard.extend(self.answered(&message)),
                Effect::Publish(_)
                | Effect::Tokens(_)
                | Effect::Peers(_)
                | Effect::WriteCheckpoint { .. }
                | Effect::SendCheckpoint { .. }
                | Effect::StageCheckpoint { .. }
                | Effect::DropCheckpoint { .. }
                | Effect::Forget { .. }
                | Effect::Note(_) => {}
            }
        }
        if !heard.is_empty() {
            self.turn(heard);
        }
    }

    /// What the others say to a message.
    fn answered(&mut self, message: &Message) -> Option<Input> {
        let answer = |kind: MessageType| Message {
            r#type: kind as i32,
            from: message.to,
            to: message.from,
            term: message.term,
            index: message.index + message.entries.len() as u64,
            ..Message::default()
        };
        let answer = match message.r#type() {
            MessageType::MsgPreVote => answer(MessageType::MsgPreVoteResp),
            MessageType::MsgVote => answer(MessageType::MsgVoteResp),
            MessageType::MsgApp => answer(MessageType::MsgAppResp),
            MessageType::MsgHeartbeat => answer(MessageType::MsgHeartbeatResp),
            MessageType::MsgProp => {
                let data = message.entries.iter().filter_map(|entry| entry.data.clone());
                self.forwarded.extend(data.map(|data| InternalRaftRequest::decode(data).expect("a request")));
                return None;
            }
            _ => return None,
        };
        Some(Input::Receive { from: MemberId(message.to), message: Box::new(answer) })
    }

    /// From here on the disk takes its time.
    fn slow_disk(&mut self) {
        self.waits = Some(Vec::new());
    }

    fn finish_writes(&mut self) {
        let inputs = self.waits.take().into_iter().flatten().map(|upto| Input::Persisted { upto }).collect();
        self.turn(inputs);
    }

    fn renew(&mut self, lease: i64) {
        self.turn(vec![Input::KeepAlive { ticket: Ticket(4), lease }]);
    }

    /// How long the renewals answered so far said the lease has.
    fn renewed(&self) -> Vec<i64> {
        let ttl = |reply: &Reply| match reply {
            Reply::KeepAlive(response) => Some(response.ttl),
            _ => None,
        };
        self.replies.iter().filter_map(ttl).collect()
    }

    fn ask_for(&mut self, id: i64, ttl: i64) {
        let lease_grant = Some(LeaseGrantRequest { id, ttl });
        let request = Box::new(InternalRaftRequest { lease_grant, ..Default::default() });
        self.turn(vec![Input::Propose { ticket: Ticket(1), request }]);
    }

    fn grant(&mut self, id: i64, ttl: i64) {
        self.ask_for(id, ttl);
        assert!(matches!(self.replies.pop(), Some(Reply::LeaseGrant(_))));
    }

    fn leases(&mut self) -> Vec<i64> {
        self.turn(vec![Input::Leases { ticket: Ticket(3) }]);
        match self.replies.pop() {
            Some(Reply::Leases(ids)) => ids,
            other => panic!("{other:?}"),
        }
    }

    fn ttl(&mut self, lease: i64) -> i64 {
        self.turn(vec![Input::TimeToLive { ticket: Ticket(2), lease, keys: false }]);
        match self.replies.pop() {
            Some(Reply::TimeToLive(response)) => response.ttl,
            other => panic!("{other:?}"),
        }
    }
}

/// A refused membership change leaves an empty entry behind, just like the one that a leader begins with.
#[test]
fn an_empty_entry_in_the_middle_of_a_term_renews_no_lease() {
    let mut one = Alone::boot();
    one.grant(5, 10);
    one.now = one.now + Span::secs(7);
    assert_eq!(one.ttl(5), 3);
    let message = Box::new(Message {
        r#type: MessageType::MsgProp as i32,
        from: 2,
        to: 1,
        entries: vec![Entry::default()],
        ..Message::default()
    });
    one.turn(vec![Input::Receive { from: MemberId(2), message }]);
    assert_eq!(one.ttl(5), 3);
}

#[test]
fn leases_are_listed_in_the_order_in_which_they_end() {
    let mut one = Alone::boot();
    for (id, ttl) in [(1, 30), (2, 10), (3, 20)] {
        one.grant(id, ttl);
    }
    assert_eq!(one.leases(), [2, 3, 1]);
    one.now = one.now + Span::secs(5);
    one.turn(vec![Input::KeepAlive { ticket: Ticket(2), lease: 3 }]);
    one.now = one.now + Span::secs(6);
    one.turn(Vec::new());
    assert_eq!(one.leases(), [3, 1], "what has run out is gone");
}

fn after_a_restart(plants: Plants) -> Vec<i64> {
    let mut one = Alone::boot_with(1, plants);
    for (id, ttl) in [(i64::MIN, 10), (-5, 20), (5, 30), (i64::MAX, 40)] {
        one.grant(id, ttl);
    }
    one.boot_again().leases()
}

#[test]
fn leases_below_zero_are_there_after_a_restart() {
    assert_eq!(after_a_restart(Plants::NONE), [i64::MIN, -5, 5, i64::MAX]);
}

#[cfg(feature = "plants")]
#[test]
fn lease_id_order_forgets_those_below_zero() {
    assert_eq!(after_a_restart(Plants::only(detcd_core::Plant::LeaseIdOrder)), [5, i64::MAX]);
}

/// A leader granted a lease and was deposed. What does it ask of the new leader once the lease's time is over?
fn deposed(plants: Plants) -> Vec<i64> {
    let mut one = Alone::boot_with(3, plants);
    one.grant(5, 10);
    let heartbeat = || {
        let kind = MessageType::MsgHeartbeat as i32;
        let message = Message { r#type: kind, from: 3, to: 1, term: 9, ..Message::default() };
        Input::Receive { from: MemberId(3), message: Box::new(message) }
    };
    for _ in 0..30 {
        one.turn(vec![heartbeat()]);
        one.now = one.now + Span::millis(500);
    }
    one.forwarded.iter().filter_map(|request| request.lease_revoke.as_ref()).map(|revoke| revoke.id).collect()
}

#[test]
fn a_leader_that_was_deposed_revokes_nothing() {
    assert_eq!(deposed(Plants::NONE), [0; 0]);
}

#[cfg(feature = "plants")]
#[test]
fn old_leader_revokes_by_way_of_the_new_one() {
    assert_eq!(deposed(Plants::only(detcd_core::Plant::OldLeaderRevokes)), [5]);
}

/// A renewal comes while the revocation of an expired lease is on its way to the disk.
fn renewed_too_late(plants: Plants) -> Alone {
    let mut one = Alone::boot_with(1, plants);
    one.grant(5, 10);
    one.slow_disk();
    one.now = one.now + Span::secs(11);
    one.turn(Vec::new());
    one.renew(5);
    one
}

#[test]
fn a_renewal_that_comes_too_late_waits_to_hear_that_the_lease_is_gone() {
    let mut one = renewed_too_late(Plants::NONE);
    assert_eq!(one.renewed(), [0; 0]);
    one.finish_writes();
    assert_eq!(one.renewed(), [0]);
}

#[cfg(feature = "plants")]
#[test]
fn keepalive_lies_about_a_lease_that_is_going() {
    let mut one = renewed_too_late(Plants::only(detcd_core::Plant::KeepaliveLies));
    assert_eq!(one.renewed(), [10]);
    one.finish_writes();
    assert_eq!(one.leases(), [0; 0]);
}

/// A renewal comes while the grant is on its way to the disk.
fn renewed_too_early(plants: Plants) -> Alone {
    let mut one = Alone::boot_with(1, plants);
    one.slow_disk();
    one.ask_for(5, 10);
    one.renew(5);
    one
}

#[test]
fn a_renewal_that_comes_too_early_knows_of_no_lease() {
    let mut one = renewed_too_early(Plants::NONE);
    assert_eq!(one.renewed(), [0]);
    one.finish_writes();
    assert_eq!(one.ttl(5), 10);
}

#[cfg(feature = "plants")]
#[test]
#[should_panic(expected = "counted and not granted")]
fn grant_keepalive_race_brings_the_leader_down() {
    renewed_too_early(Plants::only(detcd_core::Plant::GrantKeepaliveRace));
}

/// The client hears that there is no space, and the lease is there: somebody must end it.
#[test]
fn a_lease_that_was_granted_without_space_runs_out_too() {
    let config = Config { quota_backend_bytes: 1, ..Alone::boot().config };
    let mut one = Alone::start(config, Vec::new());
    one.ask_for(5, 10);
    assert_eq!(one.refusals, [Refusal::NoSpace]);
    assert_eq!(one.leases(), [5]);
    one.now = one.now + Span::secs(11);
    one.turn(Vec::new());
    assert_eq!(one.leases(), [0; 0]);
}

/// A lease of 1000 s after 700 of them: what is left of it once another leads, who was not there.
fn left_to_the_next(plants: Plants) -> i64 {
    let mut one = Alone::boot_with(1, plants);
    one.grant(5, 1000);
    for _ in 0..7 {
        one.now = one.now + Span::secs(100);
        one.turn(Vec::new());
    }
    one.boot_again().ttl(5)
}

#[test]
fn a_new_leader_goes_on_from_the_last_checkpoint() {
    let left = left_to_the_next(Plants::NONE);
    assert!((390..=401).contains(&left), "{left}: noted after 600 s, and an election on top");
}

#[cfg(feature = "plants")]
#[test]
fn ttl_reset_on_leader_change_begins_anew() {
    assert!(left_to_the_next(Plants::only(detcd_core::Plant::TtlResetOnLeaderChange)) > 990);
}

/// Else the next leader would end the lease before its promised time.
#[test]
fn a_renewal_is_promised_when_the_checkpoint_is_forgotten() {
    let mut one = Alone::boot();
    one.grant(5, 1000);
    one.now = one.now + Span::secs(300);
    one.turn(Vec::new());
    one.slow_disk();
    one.renew(5);
    assert_eq!(one.renewed(), [0; 0]);
    one.finish_writes();
    // The leader is confirmed anew.
    one.turn(Vec::new());
    assert_eq!(one.renewed(), [1000]);
    one.renew(5);
    assert_eq!(one.renewed(), [1000, 1000], "once is enough");
    assert!(one.boot_again().ttl(5) > 990);
}

#[test]
fn a_renewal_goes_behind_a_checkpoint_that_is_on_its_way() {
    let mut one = Alone::boot();
    one.grant(5, 1000);
    one.slow_disk();
    one.now = one.now + Span::secs(300);
    one.turn(Vec::new());
    one.renew(5);
    assert_eq!(one.renewed(), [0; 0]);
    one.finish_writes();
    // The leader is confirmed anew.
    one.turn(Vec::new());
    assert_eq!(one.renewed(), [1000]);
    assert!(one.boot_again().ttl(5) > 990);
}
