//! A member that lags behind the leader's log gets the leader's state: members with their disks and links played by hand.
use detcd_core::{
    ClusterId, Config, Effect, Effects, Input, Member, MemberId, Moment, Outcome, Refusal, Replica, Shipment,
    Span, Ticket, View,
    checkpoint::Stand,
    replica::{Recovered, Restored},
    wal::{Reader, SegmentName, Start},
};
use detcd_proto::{
    etcdserverpb as pb,
    raftpb::{Message, SnapshotMetadata},
};
use std::collections::BTreeMap;

/// One of three members, and what came out of it.
struct Actor {
    config: Config,
    replica: Replica,
    /// The bytes of its log, in one segment.
    log: Vec<u8>,
    unsynced: Option<(u64, Vec<u8>)>,
    /// Checkpoints that are good, by index.
    kept: BTreeMap<u64, (View, Stand)>,
    holds_disk: bool,
    outbox: Vec<Message>,
    parcels: Vec<Message>,
    /// What is to be done with a draft.
    wanted: Vec<(u64, SnapshotMetadata)>,
    dropped: Vec<u64>,
    notes: Vec<String>,
    outcomes: Vec<(Ticket, Outcome)>,
    jumps: u64,
    forgotten: Vec<(u64, u64)>,
}

struct Trio {
    now: Moment,
    actors: Vec<Actor>,
    is_cut: bool,
    tickets: u64,
    drafts: u64,
}

fn member(id: u64) -> Member {
    Member {
        id: MemberId(id),
        name: format!("m{id}"),
        peer_urls: vec![format!("http://m{id}:2380")],
        client_urls: vec![format!("http://m{id}:2379")],
        is_learner: false,
    }
}

impl Trio {
    fn new() -> Trio {
        let members: Vec<Member> = (1..=3).map(member).collect();
        let cluster = ClusterId::of_members(members.iter().map(|member| member.id));
        let actors = members[..3].iter().map(|me| {
            let config = Config {
                snapshot_count: 10,
                snapshot_catchup_entries: 2,
                ..Config::new(me.clone(), cluster, members.clone())
            };
            let mut effects = Effects::default();
            let replica = Replica::boot(config.clone(), None, me.id.0, Moment(1), &mut effects);
            let mut actor = Actor {
                config,
                replica,
                log: Vec::new(),
                unsynced: None,
                kept: BTreeMap::new(),
                holds_disk: false,
                outbox: Vec::new(),
                parcels: Vec::new(),
                wanted: Vec::new(),
                dropped: Vec::new(),
                notes: Vec::new(),
                outcomes: Vec::new(),
                jumps: 0,
                forgotten: Vec::new(),
            };
            actor.perform(Moment(1), effects);
            actor
        });
        let mut trio =
            Trio { now: Moment(1), actors: actors.collect(), is_cut: false, tickets: 0, drafts: 0 };
        trio.rest(Span::secs(5));
        trio
    }

    fn leader(&mut self) -> usize {
        let leads = |actor: &Actor| {
            let standing = actor.replica.edition().standing;
            standing.leader == Some(actor.config.me.id)
        };
        self.actors.iter().position(leads).expect("somebody leads")
    }

    fn turn(&mut self, who: usize, input: Input) {
        let now = self.now;
        self.actors[who].turn(now, vec![input]);
    }

    /// Time passes; messages arrive at once, but for those of the one that is cut off.
    fn rest(&mut self, span: Span) {
        let end = self.now + span;
        while self.now < end {
            for who in 0..self.actors.len() {
                self.actors[who].turn(self.now, Vec::new());
            }
            self.deliver();
            self.now = self.now + Span::millis(10);
        }
    }

    fn deliver(&mut self) {
        for _ in 0..1000 {
            let mut messages = Vec::new();
            self.actors.iter_mut().for_each(|actor| messages.append(&mut actor.outbox));
            if messages.is_empty() {
                return;
            }
            for message in messages {
                let (from, to) = (message.from as usize - 1, message.to as usize - 1);
                if self.is_cut && (from == 2 || to == 2) {
                    continue;
                }
                self.turn(to, Input::Receive { from: MemberId(message.from), message: Box::new(message) });
            }
        }
    }

    fn put(&mut self, times: u64) {
        let leader = self.leader();
        for _ in 0..times {
            self.tickets += 1;
            let key = format!("k{}", self.tickets % 5);
            let put = pb::PutRequest { key: key.into(), value: "v".into(), ..Default::default() };
            let request = Box::new(pb::InternalRaftRequest { put: Some(put), ..Default::default() });
            self.turn(leader, Input::Propose { ticket: Ticket(self.tickets), request });
            self.rest(Span::millis(30));
        }
    }

    /// The third member misses what makes the others forget.
    fn leave_behind(&mut self) -> usize {
        if self.leader() == 2 {
            let order = detcd_core::Order::TransferLeadership { to: Some(MemberId(1)) };
            self.turn(2, Input::Admin { ticket: Ticket(9_999), order });
            self.rest(Span::secs(3));
        }
        self.is_cut = true;
        self.put(30);
        self.is_cut = false;
        self.rest(Span::millis(500));
        self.leader()
    }

    /// The checkpoint that the leader sends, as a draft at the third member.
    fn ship(&mut self) -> (u64, Message) {
        let leader = self.leader();
        let message = self.actors[leader].parcels.pop().expect("a checkpoint is to be sent");
        assert_eq!(message.to, 3);
        self.drafts += 1;
        let (draft, from) = (self.drafts, MemberId(message.from));
        self.turn(2, Input::CheckpointArrived { from, message: Box::new(message.clone()), draft });
        (draft, message)
    }

    fn stage(&mut self, draft: u64) {
        let (asked, snapshot) = self.actors[2].wanted.pop().expect("it is wanted");
        assert_eq!(asked, draft);
        let leader = self.leader();
        let (view, stand) = self.actors[leader].kept[&snapshot.index].clone();
        self.actors[2].kept.insert(snapshot.index, (view.clone(), stand.clone()));
        let restored = Some(Box::new(Restored { view, stand, bytes: 4096 }));
        self.turn(2, Input::CheckpointStaged { draft, restored });
    }
}

impl Actor {
    fn turn(&mut self, now: Moment, inputs: Vec<Input>) {
        let mut effects = Effects::default();
        self.replica.turn(now, inputs.into_iter(), &mut effects);
        self.perform(now, effects);
    }

    fn perform(&mut self, now: Moment, mut effects: Effects) {
        let mut done = Vec::new();
        for effect in effects.drain() {
            match effect {
                Effect::Persist { upto, bytes, .. } if self.holds_disk => {
                    self.unsynced = Some((upto, bytes.to_vec()));
                }
                Effect::Persist { upto, bytes, .. } => {
                    self.log.extend_from_slice(&bytes);
                    done.push(Input::Persisted { upto });
                }
                Effect::WriteCheckpoint { view, stand } => {
                    let index = stand.index;
                    self.kept.insert(index, (*view, *stand));
                    done.push(Input::CheckpointDone { index, bytes: 4096 });
                }
                Effect::Forget { checkpoints_below, log_upto } => {
                    self.forgotten.push((checkpoints_below, log_upto));
                }
                Effect::Send { message, .. } => self.outbox.push(*message),
                Effect::SendCheckpoint { message, .. } => self.parcels.push(*message),
                Effect::StageCheckpoint { draft, snapshot } => self.wanted.push((draft, *snapshot)),
                Effect::DropCheckpoint { draft } => self.dropped.push(draft),
                Effect::Publish(edition) => self.jumps += u64::from(edition.is_jump),
                Effect::Reply { ticket, outcome } => self.outcomes.push((ticket, outcome)),
                Effect::Note(note) => self.notes.push(note.to_string()),
                Effect::Tokens(_) | Effect::Peers { .. } | Effect::Expelled => {}
            }
        }
        if !done.is_empty() {
            self.turn(now, done);
        }
    }

    fn sync(&mut self, now: Moment) {
        self.holds_disk = false;
        let (upto, bytes) = self.unsynced.take().expect("a write is under way");
        self.log.extend_from_slice(&bytes);
        self.turn(now, vec![Input::Persisted { upto }]);
    }

    fn applied(&self) -> u64 {
        self.replica.edition().standing.applied
    }

    /// The process dies; what was not synced is gone.
    fn restart(&mut self, now: Moment) {
        let mut reader = Reader::new(detcd_core::Plants::NONE);
        reader.segment(SegmentName::default(), &self.log, true).expect("the log is sound");
        let log = reader.finish().expect("the log is sound");
        let marks: Vec<Start> = log.starts().filter(|start| start.index > 0).collect();
        let newest = marks.iter().max_by_key(|start| start.index);
        let checkpoint = newest.map(|start| {
            log.check(*start).expect("the log goes on behind the newest mark");
            let (view, stand) = self.kept[&start.index].clone();
            Restored { view, stand, bytes: 4096 }
        });
        let recovered = Some(Recovered { checkpoint, log });
        let mut effects = Effects::default();
        self.replica = Replica::boot(self.config.clone(), recovered, 77, now, &mut effects);
        (self.unsynced, self.holds_disk) = (None, false);
        self.perform(now, effects);
    }
}

fn same_state(trio: &Trio) -> bool {
    let of = |who: usize| {
        let edition = trio.actors[who].replica.edition();
        let keyspace = &edition.view.keyspace;
        (edition.standing.applied, keyspace.revision(), edition.view.members.clone())
    };
    of(0) == of(1) && of(1) == of(2)
}

#[test]
fn a_member_that_lags_behind_the_log_jumps_to_the_leaders_state() {
    let mut trio = Trio::new();
    let leader = trio.leave_behind();
    let before = trio.actors[2].applied();
    let (draft, message) = trio.ship();
    let index = message.snapshot.as_ref().expect("a snapshot").metadata.index;
    assert!(trio.actors[leader].parcels.is_empty(), "one at a time");
    trio.actors[2].holds_disk = true;
    trio.stage(draft);
    assert_eq!((trio.actors[2].applied(), trio.actors[2].jumps), (before, 0), "the log does not say so yet");
    let now = trio.now;
    trio.actors[2].sync(now);
    assert_eq!((trio.actors[2].applied(), trio.actors[2].jumps), (index, 1));
    assert_eq!(trio.actors[2].forgotten.last(), Some(&(index, index)), "what was before leads nowhere");
    trio.turn(leader, Input::CheckpointSent { to: MemberId(3), index, shipment: Shipment::Complete });
    trio.rest(Span::secs(2));
    assert!(same_state(&trio));
    trio.put(5);
    trio.actors[2].restart(trio.now);
    trio.rest(Span::secs(3));
    assert!(same_state(&trio), "what it jumped to is on its disk");
}

#[test]
fn power_that_fails_before_the_mark_brings_the_old_state_back() {
    let mut trio = Trio::new();
    let leader = trio.leave_behind();
    let before = trio.actors[2].applied();
    let (draft, message) = trio.ship();
    trio.actors[2].holds_disk = true;
    trio.stage(draft);
    let now = trio.now;
    trio.actors[2].restart(now);
    assert!(trio.actors[2].applied() <= before);
    let index = message.snapshot.as_ref().expect("a snapshot").metadata.index;
    trio.turn(leader, Input::CheckpointSent { to: MemberId(3), index, shipment: Shipment::Failed });
    trio.rest(Span::secs(1));
    let (draft, _) = trio.ship();
    trio.stage(draft);
    trio.rest(Span::secs(2));
    assert!(trio.actors[2].applied() >= index);
}

/// The second waits for the first; the leader sends it again if it is still needed.
#[test]
fn of_two_in_quick_succession_the_second_is_dropped() {
    let mut trio = Trio::new();
    trio.leave_behind();
    let (first, message) = trio.ship();
    let from = MemberId(message.from);
    trio.turn(2, Input::CheckpointArrived { from, message: Box::new(message), draft: 77 });
    assert_eq!(trio.actors[2].dropped, [77]);
    trio.stage(first);
    trio.rest(Span::secs(2));
    assert_eq!(trio.actors[2].jumps, 1);
}

#[test]
fn one_that_is_not_needed_any_more_changes_nothing() {
    let mut trio = Trio::new();
    let leader = trio.leave_behind();
    let (draft, message) = trio.ship();
    trio.stage(draft);
    trio.rest(Span::secs(1));
    let index = message.snapshot.as_ref().expect("a snapshot").metadata.index;
    trio.turn(leader, Input::CheckpointSent { to: MemberId(3), index, shipment: Shipment::Complete });
    trio.rest(Span::secs(2));
    let from = MemberId(message.from);
    trio.turn(2, Input::CheckpointArrived { from, message: Box::new(message), draft: 78 });
    assert_eq!((trio.actors[2].dropped.clone(), trio.actors[2].jumps), (vec![78], 1));
    assert!(same_state(&trio));
}

/// A draft that turns out to be damaged is no checkpoint, and the next one is.
#[test]
fn a_draft_that_cannot_be_read_leaves_all_as_it_was() {
    let mut trio = Trio::new();
    let leader = trio.leave_behind();
    let before = trio.actors[2].applied();
    let (draft, message) = trio.ship();
    trio.actors[2].wanted.clear();
    trio.turn(2, Input::CheckpointStaged { draft, restored: None });
    let index = message.snapshot.as_ref().expect("a snapshot").metadata.index;
    trio.turn(leader, Input::CheckpointSent { to: MemberId(3), index, shipment: Shipment::Failed });
    trio.rest(Span::secs(1));
    assert_eq!(trio.actors[2].applied(), before);
    let (draft, _) = trio.ship();
    trio.stage(draft);
    trio.rest(Span::secs(1));
    assert_eq!(trio.actors[2].jumps, 1);
}

/// If the file is lost, another one is written, and that is sent.
#[test]
fn a_checkpoint_that_cannot_be_sent_is_written_anew() {
    let mut trio = Trio::new();
    let leader = trio.leave_behind();
    let message = trio.actors[leader].parcels.pop().expect("a checkpoint is to be sent");
    let index = message.snapshot.as_ref().expect("a snapshot").metadata.index;
    trio.turn(leader, Input::CheckpointSent { to: MemberId(3), index, shipment: Shipment::Unreadable });
    trio.rest(Span::secs(1));
    let (draft, message) = trio.ship();
    assert!(message.snapshot.as_ref().expect("a snapshot").metadata.index > index);
    trio.stage(draft);
    trio.rest(Span::secs(1));
    assert_eq!(trio.actors[2].jumps, 1);
}

/// What a member was asked before it jumped is answered from the state it jumped to, or runs out; never wrongly.
#[test]
fn who_waits_while_the_state_jumps_is_answered_or_times_out() {
    let mut trio = Trio::new();
    trio.leave_behind();
    let put = pb::PutRequest { key: "waits".into(), value: "v".into(), ..Default::default() };
    let request = Box::new(pb::InternalRaftRequest { put: Some(put), ..Default::default() });
    trio.turn(2, Input::Propose { ticket: Ticket(501), request });
    trio.turn(2, Input::ReadPoint { ticket: Ticket(502) });
    trio.rest(Span::millis(100));
    let outcomes = |trio: &Trio| trio.actors[2].outcomes.clone();
    assert!(outcomes(&trio).iter().all(|(ticket, _)| ticket.0 < 501), "it is behind");
    let (draft, message) = trio.ship();
    trio.stage(draft);
    let leader = trio.leader();
    let index = message.snapshot.as_ref().expect("a snapshot").metadata.index;
    trio.turn(leader, Input::CheckpointSent { to: MemberId(3), index, shipment: Shipment::Complete });
    trio.rest(Span::secs(10));
    let outcomes = outcomes(&trio);
    let of = |ticket: u64| {
        let mut all = outcomes.iter().filter(|(known, _)| known.0 == ticket).map(|(_, outcome)| outcome);
        (all.next(), all.next())
    };
    assert!(matches!(of(501), (Some(Ok(_) | Err(Refusal::Timeout)), None)), "{:?}", of(501));
    assert!(matches!(of(502), (Some(Ok(_)), None)), "{:?}", of(502));
}
