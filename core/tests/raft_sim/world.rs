//! A cluster in one event queue: members with a disk each, links that lose, repeat and reorder, and a hand that cuts,
//! crashes and asks.
mod hand;
mod snapshots;

use crate::judge::{DiskLog, Judge};
use detcd_core::raft::{Raft, Setup, Write};
use detcd_core::{MemberId, Moment, Note, Plants, Rng, Span};
use detcd_proto::Message as _;
use detcd_proto::raftpb::{
    ConfChangeV2, ConfState, Entry, EntryType, HardState, Message, MessageType, SnapshotMetadata,
};
use snapshots::{Habits, is_snapshot};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Three or five members for good.
    Fixed,
    /// Members come, go, learn and vote, one by one and several at a time.
    Changing,
}

/// What happened in a run, to see that the judges had something to judge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deeds {
    pub turns: u64,
    pub elections: u64,
    pub committed: u64,
    pub reads: u64,
    pub crashes: u64,
    pub torn_writes: u64,
    pub cuts: u64,
    pub lost: u64,
    pub repeated: u64,
    pub astray: u64,
    pub transfers: u64,
    pub conf_changes: u64,
    pub rejections: u64,
    pub forgotten: u64,
    pub snapshots: u64,
    pub snapshots_lost: u64,
    pub restored: u64,
    /// Of every message delivered.
    pub hash: u64,
}

impl Deeds {
    pub fn add(&mut self, other: &Deeds) {
        self.turns += other.turns;
        self.elections += other.elections;
        self.committed += other.committed;
        self.reads += other.reads;
        self.crashes += other.crashes;
        self.torn_writes += other.torn_writes;
        self.cuts += other.cuts;
        self.lost += other.lost;
        self.repeated += other.repeated;
        self.astray += other.astray;
        self.transfers += other.transfers;
        self.conf_changes += other.conf_changes;
        self.rejections += other.rejections;
        self.forgotten += other.forgotten;
        self.snapshots += other.snapshots;
        self.snapshots_lost += other.snapshots_lost;
        self.restored += other.restored;
        self.hash ^= other.hash;
    }

    pub fn assert_awake(&self, profile: Profile) {
        let Deeds { elections, committed, reads, crashes, torn_writes, cuts, lost, repeated, .. } = *self;
        let mut all = vec![elections, committed, reads, crashes, torn_writes, cuts, lost, repeated];
        all.extend([self.transfers, self.rejections, self.astray]);
        all.extend([self.forgotten, self.snapshots, self.snapshots_lost, self.restored]);
        if profile == Profile::Changing {
            all.push(self.conf_changes);
        }
        assert!(all.iter().all(|count| *count > 0), "something never happened: {self:?}");
    }
}

enum Event {
    Deliver {
        from: u64,
        to: u64,
        message: Box<Message>,
    },
    Synced {
        member: u64,
        life: u64,
        number: u64,
    },
    Wake {
        member: u64,
        life: u64,
    },
    Start {
        member: u64,
    },
    /// A checkpoint of its state is durable.
    Checkpointed {
        member: u64,
        life: u64,
        snapshot: SnapshotMetadata,
    },
    /// What became of a snapshot is known where it came from.
    Shipped {
        from: u64,
        to: u64,
        index: u64,
        complete: bool,
    },
    /// What a snapshot holds is durable where it was sent.
    Staged {
        member: u64,
        life: u64,
        snapshot: SnapshotMetadata,
    },
    Propose,
    Read,
    Fault,
    Mend {
        cuts: Vec<(u64, u64)>,
    },
    /// The last fault is over: everything works from now on.
    Heal,
    /// Something to agree on, long after the faults.
    Last,
    /// By then all must be equal, or at least more must be written and applied than the time before.
    End {
        moved: u64,
    },
}

struct Node {
    /// Everything up to here is on the disk by way of a snapshot at least.
    base: (u64, u64),
    snapshot: SnapshotMetadata,
    disk: Vec<Entry>,
    hard_state: HardState,
    writing: Option<Write>,
    raft: Option<Raft>,
    life: u64,
    applied: u64,
    applied_term: u64,
    /// A checkpoint is being written, or a snapshot staged.
    is_busy: bool,
    /// The one alarm that counts.
    wake: Moment,
    /// Until then nothing is applied.
    lazy: Moment,
}

struct Rates {
    election_timeout: Span,
    pre_vote: bool,
    loss_permille: u64,
    repeat_permille: u64,
    delay_max: Span,
    sync_max: Span,
    fault_gap: Span,
    propose_gap: Span,
    aimed_permille: u64,
    lazy_permille: u64,
    message_bytes: usize,
    inflight: usize,
    uncommitted_bytes: u64,
    astray_permille: u64,
}

pub struct World {
    rng: Rng,
    profile: Profile,
    plants: Plants,
    now: Moment,
    queue: BTreeMap<(Moment, u64), Event>,
    scheduled: u64,
    nodes: BTreeMap<u64, Node>,
    cuts: BTreeSet<(u64, u64)>,
    rates: Rates,
    habits: Habits,
    healed: bool,
    /// Crashed for good, or deaf for good, when everything else healed.
    gone: BTreeSet<u64>,
    /// Long after the last fault; nothing but the end is to come.
    is_calm: bool,
    payloads: u64,
    contexts: u64,
    judge: Judge,
    deeds: Deeds,
}

const FAULTS_END: Moment = Moment(Span::secs(12).as_nanos());

impl World {
    pub fn new(seed: u64, profile: Profile, plants: Plants) -> World {
        let mut rng = Rng::from_seed(seed);
        let voters = [1, 3, 3, 3, 5, 5][rng.below(6) as usize];
        let members = if profile == Profile::Changing { 5.max(voters) } else { voters };
        let rates = Rates {
            election_timeout: Span::millis(100 + rng.below(500)),
            pre_vote: rng.below(4) > 0,
            loss_permille: [0, 10, 50, 200][rng.below(4) as usize],
            repeat_permille: [0, 10, 100][rng.below(3) as usize],
            delay_max: Span::millis([2, 10, 50, 200][rng.below(4) as usize]),
            sync_max: Span::millis([1, 10, 50, 300][rng.below(4) as usize]),
            fault_gap: Span::millis(100 + rng.below(1500)),
            propose_gap: Span::millis(1 + rng.below(60)),
            aimed_permille: [0, 20, 200, 500][rng.below(4) as usize],
            lazy_permille: [0, 0, 5, 50][rng.below(4) as usize],
            message_bytes: [1, 100, 1000, 100_000][rng.below(4) as usize],
            inflight: 1 + rng.below(8) as usize,
            uncommitted_bytes: [2_000, 20_000, 100_000][rng.below(3) as usize],
            astray_permille: [0, 0, 5, 50][rng.below(4) as usize],
        };
        let conf_state = ConfState { voters: (1..=voters).collect(), ..ConfState::default() };
        let node = |_| Node {
            base: (0, 0),
            snapshot: SnapshotMetadata { conf_state: conf_state.clone(), index: 0, term: 0 },
            disk: Vec::new(),
            hard_state: HardState::default(),
            writing: None,
            raft: None,
            life: 0,
            applied: 0,
            applied_term: 0,
            is_busy: false,
            wake: Moment(0),
            lazy: Moment(0),
        };
        World {
            rng,
            profile,
            plants,
            now: Moment(1),
            queue: BTreeMap::new(),
            scheduled: 0,
            nodes: (1..=members).map(|member| (member, node(member))).collect(),
            cuts: BTreeSet::new(),
            rates,
            habits: Habits::draw(seed),
            healed: false,
            gone: BTreeSet::new(),
            is_calm: false,
            payloads: 0,
            contexts: 0,
            judge: Judge::default(),
            deeds: Deeds::default(),
        }
    }

    pub fn run(mut self) -> Result<Deeds, String> {
        for member in self.nodes.keys().copied().collect::<Vec<_>>() {
            self.after(Span::ZERO, Event::Start { member });
        }
        self.after(Span::millis(1), Event::Propose);
        self.after(Span::millis(1), Event::Read);
        self.after(self.rates.fault_gap, Event::Fault);
        self.queue.insert((FAULTS_END, u64::MAX), Event::Heal);
        while let Some(((at, _), event)) = self.queue.pop_first() {
            self.now = self.now.max(at);
            if let Event::End { moved: before } = event {
                let verdict = self.check_end();
                let moved = |node: &Node| node.applied + node.base.0 + node.disk.len() as u64;
                let now = self.nodes.values().map(moved).sum();
                if verdict.is_err() && now > before {
                    // A narrow window takes its time; it is enough that it moves.
                    self.after(self.rates.election_timeout, Event::End { moved: now });
                    continue;
                }
                verdict?;
                self.deeds.committed = self.judge.max_commit();
                self.deeds.reads = self.judge.reads_answered;
                return Ok(self.deeds);
            }
            self.happen(event)?;
            if self.deeds.turns > 2_000_000 {
                return Err("too many turns: a storm".to_string());
            }
        }
        Err("nothing more to happen".to_string())
    }

    fn happen(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Deliver { from, to, message } => {
                let arrives = !self.cuts.contains(&(from, to)) && self.nodes[&to].raft.is_some();
                if is_snapshot(&message) {
                    self.report(from, to, &message, arrives);
                }
                if arrives {
                    self.note_message(&message);
                    self.turn(to, |raft, now| raft.step(now, MemberId(from), *message))?;
                }
            }
            Event::Synced { member, life, number } => {
                let node = self.node(member);
                if node.life == life && node.raft.is_some() {
                    let write = node.writing.take().expect("a write was under way");
                    node.store(write);
                    self.turn(member, |raft, now| raft.persisted(now, number))?;
                }
            }
            Event::Wake { member, life } => {
                let node = &self.nodes[&member];
                if node.life == life && node.raft.is_some() && node.wake == self.now {
                    self.turn(member, |_, _| {})?;
                }
            }
            Event::Start { member } => self.start(member)?,
            Event::Checkpointed { member, life, snapshot } => self.checkpointed(member, life, snapshot)?,
            Event::Shipped { from, to, index, complete } => self.shipped(from, to, index, complete)?,
            Event::Staged { member, life, snapshot } => self.staged(member, life, &snapshot)?,
            Event::Propose => {
                self.propose()?;
                if !self.healed {
                    let gap = self.span(self.rates.propose_gap.times(2));
                    self.after(gap, Event::Propose);
                }
            }
            Event::Read => {
                if let Some(member) = self.someone_alive() {
                    self.contexts += 1;
                    let ctx = self.contexts;
                    self.judge.asked(ctx);
                    self.turn(member, |raft, now| {
                        // Nobody to ask is an answer too.
                        let _ = raft.read_index(now, ctx);
                    })?;
                }
                if !self.healed {
                    let gap = self.span(Span::millis(60));
                    self.after(gap, Event::Read);
                }
            }
            Event::Fault => {
                if !self.healed {
                    self.fault()?;
                    let gap = self.span(self.rates.fault_gap.times(2));
                    self.after(gap, Event::Fault);
                }
            }
            // Once everything has healed, the only cuts are those that stay.
            Event::Mend { .. } if self.healed => {}
            Event::Mend { cuts } => self.cuts.retain(|cut| !cuts.contains(cut)),
            Event::Heal => self.heal(),
            Event::Last => {
                if self.leader().is_none() {
                    let all = self.nodes.values().filter_map(|node| node.raft.as_ref()).map(Raft::status);
                    let all: Vec<_> = all.map(|status| format!("\n  {status:?}")).collect();
                    return Err(format!("liveness: no leader long after the last fault:{}", all.concat()));
                }
                self.is_calm = true;
                if !self.propose()? {
                    return Err(
                        "liveness: the leader takes no proposal long after the last fault".to_string()
                    );
                }
                self.after(self.rates.election_timeout.times(4), Event::End { moved: 0 });
            }
            Event::End { .. } => {}
        }
        Ok(())
    }

    fn heal(&mut self) {
        self.healed = true;
        self.cuts.clear();
        self.rates.loss_permille = 0;
        self.rates.repeat_permille = 0;
        self.rates.astray_permille = 0;
        self.rates.aimed_permille = 0;
        self.rates.lazy_permille = 0;
        self.rates.delay_max = Span::millis(2);
        self.rates.sync_max = Span::millis(2);
        self.lose_a_minority();
        for member in self.nodes.keys().copied().collect::<Vec<_>>() {
            if self.nodes[&member].raft.is_none() {
                self.after(Span::ZERO, Event::Start { member });
            }
        }
        // Without PreVote members that cannot win disturb the one that can, and only chance ends it.
        let patience = if self.rates.pre_vote { 10 } else { 50 };
        // The slowest write and the slowest message are still under way.
        self.after(Span::secs(3) + self.rates.election_timeout.times(patience), Event::Last);
    }

    /// A majority must do, without those who will never run again, and with one that speaks and hears nothing.
    fn lose_a_minority(&mut self) {
        let members = self.nodes.len() as u64;
        let spare = (members - 1) / 2;
        if self.profile == Profile::Changing || spare == 0 {
            return;
        }
        let one = 1 + self.rng.below(members);
        match self.rng.below(4) {
            0 => {}
            1 => {
                self.gone.insert(one);
                self.cuts.extend((1..=members).map(|other| (other, one)));
            }
            // Those at the front of the log, or one by chance.
            _ => {
                let first = if self.rng.below(2) == 0 { self.leader().unwrap_or(one) } else { one };
                for member in (first..first + 1 + self.rng.below(spare)).map(|at| 1 + (at - 1) % members) {
                    self.crash(member);
                    self.gone.insert(member);
                }
            }
        }
    }

    fn leader(&self) -> Option<u64> {
        self.nodes.keys().copied().find(|member| self.leads(*member))
    }

    /// Everybody in the membership has applied the same, and the last proposal got through.
    fn check_end(&self) -> Result<(), String> {
        let Some(leader) = self.leader() else { return Err("liveness: no leader at the end".to_string()) };
        let status = self.nodes[&leader].raft.as_ref().expect("it leads").status();
        if status.commit != status.last_index {
            return Err(format!("liveness: the leader waits for a quorum: {status:?}"));
        }
        let state = &status.conf_state;
        for member in state.voters.iter().chain(&state.learners).chain(&state.voters_outgoing) {
            let node = &self.nodes[member];
            if self.gone.contains(member) {
                continue;
            }
            if node.applied != status.commit {
                let theirs = node.raft.as_ref().map(Raft::status);
                return Err(format!("liveness: {member} lags at {}: {theirs:?} {status:?}", node.applied));
            }
        }
        if state.auto_leave {
            return Err("liveness: nobody left the joint configuration".to_string());
        }
        Ok(())
    }

    fn leads(&self, member: u64) -> bool {
        self.nodes[&member].raft.as_ref().is_some_and(|raft| {
            raft.is_leader() && {
                let status = raft.status();
                status.conf_state.voters.contains(&member)
                    || status.conf_state.voters_outgoing.contains(&member)
            }
        })
    }

    // ---- the members ----

    fn node(&mut self, member: u64) -> &mut Node {
        self.nodes.get_mut(&member).expect("a member of this world")
    }

    fn start(&mut self, member: u64) -> Result<(), String> {
        let is_dead = self.healed && self.gone.contains(&member);
        if self.nodes[&member].raft.is_some() || is_dead {
            return Ok(());
        }
        let (seed, now) = (self.rng.u64(), self.now);
        let (rates, plants) = (&self.rates, self.plants);
        let (election_timeout, pre_vote) = (rates.election_timeout, rates.pre_vote);
        let (max_message_bytes, max_inflight_messages) = (rates.message_bytes, rates.inflight);
        let max_uncommitted_bytes = rates.uncommitted_bytes;
        let node = self.node(member);
        node.life += 1;
        let snapshot = node.snapshot.clone();
        (node.applied, node.applied_term) = (snapshot.index, snapshot.term);
        node.is_busy = false;
        node.wake = Moment(0);
        let setup = Setup {
            id: MemberId(member),
            conf_state: snapshot.conf_state.clone(),
            hard_state: node.hard_state,
            entries: node.disk.clone(),
            base: node.base,
            applied: snapshot.index,
            heartbeat_interval: Span::nanos(election_timeout.as_nanos() / 10),
            election_timeout,
            pre_vote,
            max_message_bytes,
            max_inflight_messages,
            max_uncommitted_bytes,
            plants,
            rng: Rng::from_seed(seed),
        };
        node.raft = Some(Raft::new(setup, now));
        self.turn(member, |raft, _| {
            if snapshot.index > 0 {
                raft.has_snapshot(snapshot);
            }
        })
    }

    /// Takes the power away. Of the write under way nothing is left, or all of it, or its first entries.
    fn crash(&mut self, member: u64) {
        let fate = self.rng.below(3);
        let part = self.rng.u64();
        let node = self.node(member);
        if node.raft.take().is_none() {
            return;
        }
        if let Some(mut write) = node.writing.take() {
            match fate {
                0 => {}
                1 => node.store(write),
                _ => {
                    write.entries.truncate((part % (write.entries.len() as u64 + 1)) as usize);
                    (write.restored, write.hard_state) = (None, None);
                    node.store(write);
                    self.deeds.torn_writes += 1;
                }
            }
        }
        self.deeds.crashes += 1;
    }

    /// One turn of one member, as a replica would do it, judged on the way.
    fn turn(&mut self, member: u64, input: impl FnOnce(&mut Raft, Moment)) -> Result<(), String> {
        self.deeds.turns += 1;
        let now = self.now;
        let mut raft = self.node(member).raft.take().expect("alive");
        let result = self.turn_of(member, &mut raft, now, input);
        let (life, wake) = (self.nodes[&member].life, raft.deadline());
        self.node(member).raft = Some(raft);
        let aims = result?;
        // Who applies nothing now comes back to it.
        let lazy = self.nodes[&member].lazy;
        let wake = if lazy > now { wake.min(lazy) } else { wake }.max(Moment(now.0 + 1));
        if wake < Moment(u64::MAX) && wake != self.nodes[&member].wake {
            self.node(member).wake = wake;
            self.schedule(wake, Event::Wake { member, life });
        }
        if aims && !self.healed && self.rng.below(1000) < self.rates.aimed_permille {
            self.crash(member);
            let pause = if self.rng.below(2) == 0 { Span::millis(2) } else { Span::millis(2000) };
            let pause = self.span(pause);
            self.after(pause, Event::Start { member });
        }
        Ok(())
    }

    /// Answers whether this is a moment at which a crash would be most interesting.
    fn turn_of(
        &mut self,
        member: u64,
        raft: &mut Raft,
        now: Moment,
        input: impl FnOnce(&mut Raft, Moment),
    ) -> Result<bool, String> {
        let mut aims = false;
        input(raft, now);
        raft.tick(now);
        for _ in 0..100 {
            raft.settle(now);
            let disks: BTreeMap<u64, DiskLog<'_>> =
                self.nodes.iter().map(|(member, node)| (*member, (node.base.0, &node.disk[..]))).collect();
            self.judge.committed(raft, &disks)?;
            for note in raft.take_notes() {
                match note {
                    Note::BecameLeader { .. } => {
                        self.deeds.elections += 1;
                        let life = self.nodes[&member].life;
                        self.judge.became_leader(raft, life)?;
                        aims = true;
                    }
                    Note::QuorumLost { .. } if self.is_calm => {
                        return Err("liveness: a leader that everybody hears steps down".to_string());
                    }
                    Note::LogTailLost { .. } => return Err("a healthy disk lost its tail".to_string()),
                    _ => {}
                }
            }
            for (to, message) in raft.take_messages() {
                aims |= message.r#type == MessageType::MsgVoteResp as i32 && !message.reject;
                let mut before = message.log_term;
                for entry in &message.entries {
                    if message.r#type == MessageType::MsgApp as i32 {
                        self.judge.saw(entry, before)?;
                        before = entry.term;
                    }
                }
                if is_snapshot(&message) {
                    self.ship(member, to.0, message);
                } else {
                    self.send(member, to.0, message);
                }
            }
            if let Some(snapshot) = raft.take_offer() {
                self.stage(member, snapshot);
            }
            if let Some(write) = raft.take_write() {
                if write.restored.is_some() && !write.entries.is_empty() {
                    return Err("entries beside a snapshot: torn, they would have a gap before them".into());
                }
                if let Some(first) = write.entries.first() {
                    let mut before =
                        raft.entry_term(first.index - 1).ok_or("a write with a gap before it")?;
                    for entry in &write.entries {
                        self.judge.saw(entry, before)?;
                        before = entry.term;
                    }
                }
                let life = self.nodes[&member].life;
                let number = write.number;
                self.node(member).writing = Some(write);
                let time = self.tail(self.rates.sync_max);
                self.after(time, Event::Synced { member, life, number });
            }
            if self.rng.below(1000) < self.rates.lazy_permille {
                self.node(member).lazy = now + self.span(Span::millis(1000));
            }
            if let Some(index) = raft.take_restored() {
                self.jump(member, index)?;
            }
            while self.nodes[&member].lazy <= now {
                let batch = raft.take_committed(200);
                if batch.is_empty() {
                    break;
                }
                for entry in batch {
                    self.judge.applied(member, &entry)?;
                    let node = self.node(member);
                    (node.applied, node.applied_term) = (entry.index, entry.term);
                    if entry.r#type == EntryType::EntryConfChangeV2 as i32 {
                        let change = ConfChangeV2::decode(entry.data.clone().unwrap_or_default());
                        raft.apply_conf_change(now, &change.map_err(|error| error.to_string())?);
                        self.deeds.conf_changes += 1;
                    }
                    self.judge.membership(member, entry.index, raft.conf_state())?;
                }
                self.checkpoint(member, raft);
            }
            if raft.lacks_snapshot() {
                self.checkpoint(member, raft);
            }
            for (ctx, index) in raft.take_reads() {
                self.judge.answered(member, ctx, index)?;
            }
            if raft.deadline() > now {
                return Ok(aims);
            }
            raft.tick(now);
        }
        Err(format!("{member} never settles: {:?}", raft.status()))
    }

    // ---- the links ----

    fn send(&mut self, from: u64, to: u64, message: Message) {
        let message = Box::new(message);
        if self.rng.below(1000) < self.rates.loss_permille || self.cuts.contains(&(from, to)) {
            self.deeds.lost += 1;
            return;
        }
        if self.rng.below(1000) < self.rates.repeat_permille {
            self.deeds.repeated += 1;
            let delay = self.span(self.rates.delay_max.times(4));
            self.after(delay, Event::Deliver { from, to, message: message.clone() });
        }
        let delay = self.tail(self.rates.delay_max);
        // Somebody else lives at the address now.
        let astray = self.rng.below(1000) < self.rates.astray_permille;
        let to = if astray { 1 + self.rng.below(self.nodes.len() as u64) } else { to };
        self.deeds.astray += u64::from(astray);
        self.after(delay, Event::Deliver { from, to, message });
    }

    fn note_message(&mut self, message: &Message) {
        if message.r#type == MessageType::MsgAppResp as i32 && message.reject {
            self.deeds.rejections += 1;
        }
        for byte in message.encode_to_vec() {
            self.deeds.hash = (self.deeds.hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    fn span(&mut self, below: Span) -> Span {
        Span::nanos(self.rng.below(below.as_nanos()))
    }

    /// Mostly shorter than `usual`, now and then far longer.
    fn tail(&mut self, usual: Span) -> Span {
        let rare = !self.healed && self.rng.below(200) == 0;
        self.span(if rare { Span::secs(3) } else { usual })
    }

    fn after(&mut self, span: Span, event: Event) {
        self.schedule(self.now + span, event);
    }

    fn schedule(&mut self, at: Moment, event: Event) {
        self.scheduled += 1;
        self.queue.insert((at, self.scheduled), event);
    }
}

impl Node {
    /// What a replay of the log would find after these records.
    fn store(&mut self, write: Write) {
        if let Some(snapshot) = write.restored {
            self.base = (snapshot.index, snapshot.term);
            self.snapshot = snapshot;
            self.disk.clear();
        }
        for entry in write.entries {
            self.disk.truncate((entry.index - self.base.0 - 1) as usize);
            self.disk.push(entry);
        }
        if let Some(state) = write.hard_state {
            self.hard_state = state;
        }
    }
}
