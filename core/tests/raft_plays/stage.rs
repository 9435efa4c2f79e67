//! The stage: members with a disk and a clock each, and messages that wait until the script moves them.
//!
//! | command | |
//! |---|---|
//! | `cluster n=3 [spare=1] [disk=manual] [prevote=off] [bytes=N] [inflight=N] [uncommitted=N]` | members 1 to n vote; spare ones belong to nothing yet. By default a write is durable at once |
//! | `node 2 terms=1,1,2 [term=2] [vote=1] [commit=1] [base=I/T]` | member 2 starts anew with such a log |
//! | `campaign 1` | its election timer ends |
//! | `elect 1` | the same, then `settle`, all in silence |
//! | `settle` | delivers and persists until nothing is left to |
//! | `tick 1 300ms` | its clock moves, each timer fires in its turn |
//! | `propose 1 a b` | entries in one turn |
//! | `read 1 ctx=7` | asks for the read index |
//! | `transfer 1 [to=2]` | hands the lead over |
//! | `conf-change 1 v4 l5 r1 [explicit]`, `conf-change 1 leave` | add voter or learner, remove |
//! | `deliver all`, `deliver 1->2 [first=N]`, `deliver 1->2,3` | in the order they were sent, one turn per link for the latter two |
//! | `drop all`, `drop 1->2 [first=N]`, `repeat 1->2`, `queue` | lose, double, show messages |
//! | `append 1->2 term=3 prev=2/1 [terms=1,1] [commit=5]` | an append that 1 may have sent once, delivered at once |
//! | `snap 1->2 term=3 at=2/1 [voters=1,2] [learners=] [outgoing=]` | likewise, a snapshot |
//! | `cut 3`, `heal 3` | messages from and to it are lost when they are sent |
//! | `persist 2` | its write under way is durable (`disk=manual`) |
//! | `crash 2 [kept]`, `crash 2 torn`, `restart 2` | the write under way is lost, or kept, or loses only its end: the hard state |
//! | `lost 1 2` | 1 hears that its link to 2 broke |
//! | `checkpoint 1 [keep=N]` | what is applied is durable as a snapshot, and of the log all but the last N applied entries is forgotten |
//! | `restore 3` | what belongs to the snapshot that 3 wants is durable there |
//! | `shipped 1->3 at=5 [failed]` | 1 hears what became of its snapshot |
//! | `status [1]` | |
//! | `quietly COMMAND` | nothing is shown |
use crate::show;
use bytes::Bytes;
use detcd_core::raft::{Raft, Setup, Write};
use detcd_core::{MemberId, Moment, Plants, Rng, Span};
use detcd_proto::Message as _;
use detcd_proto::raftpb::{
    ConfChangeSingle, ConfChangeTransition, ConfChangeType, ConfChangeV2, ConfState, Entry, EntryType,
    HardState, Message, MessageType, Snapshot, SnapshotMetadata,
};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub struct Stage {
    /// What every member does wrong.
    plants: Plants,
    nodes: BTreeMap<u64, Node>,
    first: ConfState,
    queue: Vec<Message>,
    cut: BTreeSet<u64>,
    options: BTreeMap<String, String>,
    out: String,
}

struct Node {
    raft: Option<Raft>,
    now: Moment,
    base: (u64, u64),
    disk: Vec<Entry>,
    hard_state: HardState,
    writing: Option<Write>,
    commit: u64,
    /// The newest on its disk.
    snapshot: Option<SnapshotMetadata>,
    /// It was offered and is not restored yet.
    wanted: Option<SnapshotMetadata>,
}

/// The words of a command: plain ones in order, and `name=value` ones.
struct Words<'a> {
    plain: Vec<&'a str>,
    named: BTreeMap<&'a str, &'a str>,
}

impl<'a> Words<'a> {
    fn of(line: &'a str) -> Words<'a> {
        let (named, plain): (Vec<&str>, Vec<&str>) =
            line.split_whitespace().partition(|word| word.contains('='));
        Words { plain, named: named.into_iter().filter_map(|word| word.split_once('=')).collect() }
    }

    fn member(&self, at: usize) -> u64 {
        self.plain[at].parse().expect("a member's number")
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.named.get(name).map(|value| value.parse().expect("a number"))
    }

    /// `index/term`.
    fn place(&self, name: &str) -> (u64, u64) {
        let Some(text) = self.named.get(name) else { return (0, 0) };
        let (index, term) = text.split_once('/').expect("index/term");
        (index.parse().expect("an index"), term.parse().expect("a term"))
    }

    /// Entries of these terms behind this index.
    fn entries(&self, after: u64) -> Vec<Entry> {
        let terms = self.named.get("terms").copied().unwrap_or_default().split(',');
        let entry = |(term, index): (&str, u64)| Entry {
            term: term.parse().expect("a term"),
            index,
            data: Some(Bytes::from(format!("{index}.{term}"))),
            ..Entry::default()
        };
        terms.filter(|term| !term.is_empty()).zip(after + 1..).map(entry).collect()
    }
}

impl Stage {
    pub fn new(plants: Plants) -> Stage {
        Stage { plants, ..Stage::default() }
    }

    /// Does it and tells what came of it.
    pub fn command(&mut self, line: &str) -> String {
        self.out.clear();
        self.perform(line);
        std::mem::take(&mut self.out)
    }

    fn perform(&mut self, line: &str) {
        let words = Words::of(line);
        let rest = &words.plain[1..];
        match words.plain[0] {
            "quietly" => {
                self.perform(line.split_once(' ').expect("a command").1);
                self.out.clear();
            }
            "cluster" => self.cluster(&words),
            "node" => self.place_node(&words),
            "campaign" => self.campaign(words.member(1)),
            "elect" => {
                self.campaign(words.member(1));
                self.settle();
                self.out.clear();
            }
            "settle" => self.settle(),
            "tick" => {
                let millis = rest[1].trim_end_matches("ms").parse().expect("milliseconds");
                self.tick(words.member(1), Span::millis(millis));
            }
            "propose" => {
                let data: Vec<Bytes> = rest[1..].iter().map(|word| Bytes::from(word.to_string())).collect();
                self.turn(words.member(1), |raft, now| {
                    let answers =
                        data.into_iter().map(|data| raft.propose(now, EntryType::EntryNormal, data));
                    answers.filter_map(Result::err).map(|refusal| refusal.to_string()).collect()
                });
            }
            "read" => {
                let ctx = words.number("ctx").expect("ctx=");
                self.turn(words.member(1), |raft, now| refusal(raft.read_index(now, ctx)));
            }
            "transfer" => {
                let to = words.number("to").map(MemberId);
                self.turn(words.member(1), |raft, now| refusal(raft.transfer(now, to).map(|_| ())));
            }
            "conf-change" => {
                let (kind, data) = (EntryType::EntryConfChangeV2, conf_change(&rest[1..]).encode_to_vec());
                self.turn(words.member(1), |raft, now| refusal(raft.propose(now, kind, Bytes::from(data))));
            }
            "deliver" if rest == ["all"] => self.deliver_all(),
            "deliver" => {
                for (from, to) in links(rest[0]) {
                    let messages = self.take(from, to, words.number("first"));
                    self.hand_over(to, messages);
                }
            }
            "drop" if rest == ["all"] => self.queue.clear(),
            "drop" => {
                for (from, to) in links(rest[0]) {
                    self.take(from, to, words.number("first"));
                }
            }
            "repeat" => {
                for (from, to) in links(rest[0]) {
                    let again: Vec<Message> = self.on_link(from, to).cloned().collect();
                    self.queue.extend(again);
                }
            }
            "queue" => {
                for message in &self.queue {
                    self.out.push_str(&format!("{}\n", show::message(message)));
                }
            }
            "append" => self.append(rest[0], &words),
            "snap" => self.snap(rest[0], &words),
            "cut" => self.cut.extend([words.member(1)]),
            "heal" => {
                self.cut.remove(&words.member(1));
            }
            "persist" => self.persist(words.member(1)),
            "crash" => {
                let (kept, torn) = (rest.contains(&"kept"), rest.contains(&"torn"));
                let node = self.node(words.member(1));
                node.raft = None;
                if let Some(mut write) = node.writing.take().filter(|_| kept || torn) {
                    write.hard_state = write.hard_state.filter(|_| kept);
                    write.restored = write.restored.filter(|_| kept);
                    node.store(write);
                }
            }
            "restart" => self.start(words.member(1)),
            "lost" => {
                let peer = MemberId(words.member(2));
                self.turn(words.member(1), |raft, _| {
                    raft.unreachable(peer);
                    Vec::new()
                });
            }
            "checkpoint" => self.checkpoint(words.member(1), words.number("keep").unwrap_or(0)),
            "restore" => {
                let Some(snapshot) = self.node(words.member(1)).wanted.take() else {
                    return self.out.push_str("nothing to restore\n");
                };
                self.turn(words.member(1), |raft, now| {
                    let is_done = raft.restore(now, &snapshot);
                    (!is_done).then(|| "it is not needed any more".to_string()).into_iter().collect()
                });
            }
            "shipped" => {
                let (index, complete) = (words.number("at").expect("at="), !rest.contains(&"failed"));
                for (from, to) in links(rest[0]) {
                    self.turn(from, |raft, _| {
                        raft.snapshot_sent(MemberId(to), index, complete);
                        Vec::new()
                    });
                }
            }
            "status" => {
                let one = rest.first().map(|_| words.member(1));
                self.status(one);
            }
            other => panic!("no such command: {other}"),
        }
    }

    fn cluster(&mut self, words: &Words<'_>) {
        *self = Stage { out: std::mem::take(&mut self.out), ..Stage::new(self.plants) };
        let own = |(name, value): (&&str, &&str)| (name.to_string(), value.to_string());
        self.options = words.named.iter().map(own).collect();
        let n = words.number("n").expect("n=");
        self.first.voters = (1..=n).collect();
        for member in 1..=n + words.number("spare").unwrap_or(0) {
            self.place(member, Vec::new(), HardState::default(), (0, 0));
        }
    }

    fn place_node(&mut self, words: &Words<'_>) {
        let base = words.place("base");
        let entries = words.entries(base.0);
        let last_term = entries.last().map_or(base.1, |entry| entry.term);
        let hard_state = HardState {
            term: words.number("term").unwrap_or(last_term),
            vote: words.number("vote").unwrap_or(0),
            commit: words.number("commit").unwrap_or(0),
        };
        self.place(words.member(1), entries, hard_state, base);
    }

    fn place(&mut self, member: u64, disk: Vec<Entry>, hard_state: HardState, base: (u64, u64)) {
        let now = Moment(0) + Span::secs(1);
        let node = Node {
            raft: None,
            now,
            base,
            disk,
            hard_state,
            writing: None,
            commit: 0,
            snapshot: None,
            wanted: None,
        };
        self.nodes.insert(member, node);
        self.start(member);
    }

    fn start(&mut self, member: u64) {
        let option = |name: &str| self.options.get(name).map(|value| value.parse::<u64>().expect("a number"));
        let max_message_bytes = option("bytes").unwrap_or(1 << 20) as usize;
        let max_inflight_messages = option("inflight").unwrap_or(16) as usize;
        let max_uncommitted_bytes = option("uncommitted").unwrap_or(1 << 20);
        let pre_vote = self.options.get("prevote").map(String::as_str) != Some("off");
        let (first, plants) = (self.first.clone(), self.plants);
        let node = self.node(member);
        let snapshot = node.snapshot.clone();
        let conf_state = snapshot.as_ref().map_or(first, |snapshot| snapshot.conf_state.clone());
        let setup = Setup {
            id: MemberId(member),
            conf_state,
            hard_state: node.hard_state,
            entries: node.disk.clone(),
            base: node.base,
            applied: snapshot.as_ref().map_or(node.base.0, |snapshot| snapshot.index),
            heartbeat_interval: Span::millis(100),
            election_timeout: Span::millis(1000),
            pre_vote,
            max_message_bytes,
            max_inflight_messages,
            max_uncommitted_bytes,
            plants,
            rng: Rng::from_seed(member),
        };
        node.raft = Some(Raft::new(setup, node.now));
        (node.commit, node.wanted) = (0, None);
        self.turn(member, |raft, _| {
            snapshot.into_iter().for_each(|snapshot| raft.has_snapshot(snapshot));
            Vec::new()
        });
    }

    fn checkpoint(&mut self, member: u64, keep: u64) {
        let node = self.node(member);
        let raft = node.raft.as_ref().expect("it runs");
        let index = raft.status().applied;
        let term = raft.entry_term(index).expect("what was applied last is held");
        let snapshot = SnapshotMetadata { conf_state: raft.conf_state(), index, term };
        node.snapshot = Some(snapshot.clone());
        node.hard_state.commit = node.hard_state.commit.max(index);
        self.turn(member, |raft, _| {
            raft.has_snapshot(snapshot);
            raft.forget(index.saturating_sub(keep));
            Vec::new()
        });
        let base = self.node(member).raft.as_ref().expect("it runs").base();
        let node = self.node(member);
        node.disk.drain(..(base.0 - node.base.0) as usize);
        node.base = base;
    }

    fn node(&mut self, member: u64) -> &mut Node {
        self.nodes.get_mut(&member).expect("a member on this stage")
    }

    fn campaign(&mut self, member: u64) {
        let node = self.node(member);
        let due = node.raft.as_ref().expect("it runs").deadline();
        assert_ne!(due, Moment(u64::MAX), "it never campaigns");
        node.now = node.now.max(due);
        self.turn(member, |raft, now| {
            raft.tick(now);
            Vec::new()
        });
    }

    fn tick(&mut self, member: u64, span: Span) {
        let end = self.node(member).now + span;
        loop {
            let node = self.node(member);
            let due = node.raft.as_ref().expect("it runs").deadline();
            if due > end {
                node.now = end;
                return;
            }
            node.now = node.now.max(due);
            self.turn(member, |raft, now| {
                raft.tick(now);
                Vec::new()
            });
        }
    }

    /// One turn without timers: input, settle, and everything that comes of it.
    fn turn(&mut self, member: u64, input: impl FnOnce(&mut Raft, Moment) -> Vec<String>) {
        let now = self.node(member).now;
        let Some(mut raft) = self.node(member).raft.take() else {
            self.out.push_str(&format!("{member}: is down\n"));
            return;
        };
        for refusal in input(&mut raft, now) {
            self.out.push_str(&format!("{member}: refuses: {refusal}\n"));
        }
        loop {
            raft.settle(now);
            for note in raft.take_notes() {
                self.out.push_str(&format!("{member}: {note}\n"));
            }
            for (_, message) in raft.take_messages() {
                self.send(message);
            }
            if let Some(snapshot) = raft.take_offer() {
                self.out.push_str(&format!("{member}: wants {}\n", show::snapshot(&snapshot)));
                self.node(member).wanted = Some(snapshot);
            }
            let mut again = false;
            if let Some(write) = raft.take_write() {
                self.out.push_str(&format!("{member}: {}\n", show::write(&write)));
                if self.options.get("disk").map(String::as_str) == Some("manual") {
                    self.node(member).writing = Some(write);
                } else {
                    let number = write.number;
                    self.node(member).store(write);
                    raft.persisted(now, number);
                    again = true;
                }
            }
            if raft.commit() > self.node(member).commit {
                self.node(member).commit = raft.commit();
                self.out.push_str(&format!("{member}: commit {}\n", raft.commit()));
            }
            if let Some(index) = raft.take_restored() {
                self.out.push_str(&format!("{member}: jumps to {index}\n"));
            }
            self.apply(member, &mut raft, now);
            for (ctx, index) in raft.take_reads() {
                self.out.push_str(&format!("{member}: may read ctx={ctx} at {index}\n"));
            }
            if !again && raft.deadline() > Moment(0) {
                break;
            }
            raft.tick(now);
        }
        self.node(member).raft = Some(raft);
    }

    fn apply(&mut self, member: u64, raft: &mut Raft, now: Moment) {
        loop {
            let batch = raft.take_committed(1 << 20);
            if batch.is_empty() {
                return;
            }
            for entry in batch {
                self.out.push_str(&format!("{member}: applies {}\n", show::entry(&entry)));
                if entry.r#type == EntryType::EntryConfChangeV2 as i32 {
                    let change = ConfChangeV2::decode(entry.data.unwrap_or_default()).expect("a change");
                    raft.apply_conf_change(now, &change);
                }
            }
        }
    }

    fn send(&mut self, message: Message) {
        let lost = self.cut.contains(&message.from) || self.cut.contains(&message.to);
        self.out.push_str(&format!("{}{}\n", show::message(&message), if lost { " (lost)" } else { "" }));
        if !lost {
            self.queue.push(message);
        }
    }

    fn deliver_all(&mut self) {
        for _ in 0..1000 {
            if self.queue.is_empty() {
                return;
            }
            let message = self.queue.remove(0);
            self.hand_over(message.to, vec![message]);
        }
        panic!("the messages never end");
    }

    fn append(&mut self, link: &str, words: &Words<'_>) {
        let (index, log_term) = words.place("prev");
        for (from, to) in links(link) {
            let message = Message {
                r#type: MessageType::MsgApp as i32,
                from,
                to,
                term: words.number("term").expect("term="),
                index,
                log_term,
                entries: words.entries(index),
                commit: words.number("commit").unwrap_or(0),
                ..Message::default()
            };
            self.hand_over(to, vec![message]);
        }
    }

    fn snap(&mut self, link: &str, words: &Words<'_>) {
        let (index, term) = words.place("at");
        let ids = |name| {
            let list = words.named.get(name).copied().unwrap_or_default();
            let ids = list.split(',').filter(|id| !id.is_empty());
            ids.map(|id| id.parse().expect("a member's number")).collect()
        };
        let conf_state = ConfState {
            voters: ids("voters"),
            learners: ids("learners"),
            voters_outgoing: ids("outgoing"),
            ..ConfState::default()
        };
        for (from, to) in links(link) {
            let metadata = SnapshotMetadata { conf_state: conf_state.clone(), index, term };
            let message = Message {
                r#type: MessageType::MsgSnap as i32,
                from,
                to,
                term: words.number("term").expect("term="),
                snapshot: Some(Snapshot { data: None, metadata }),
                ..Message::default()
            };
            self.hand_over(to, vec![message]);
        }
    }

    fn settle(&mut self) {
        loop {
            self.deliver_all();
            let writing = self.nodes.iter().find(|(_, node)| node.writing.is_some());
            let Some(member) = writing.map(|(member, _)| *member) else { return };
            self.persist(member);
        }
    }

    fn hand_over(&mut self, to: u64, messages: Vec<Message>) {
        if messages.is_empty() {
            return self.out.push_str("nothing to deliver\n");
        }
        self.turn(to, |raft, now| {
            for message in messages {
                raft.step(now, MemberId(message.from), message);
            }
            Vec::new()
        });
    }

    fn on_link(&self, from: u64, to: u64) -> impl Iterator<Item = &Message> {
        self.queue.iter().filter(move |message| (message.from, message.to) == (from, to))
    }

    fn take(&mut self, from: u64, to: u64, first: Option<u64>) -> Vec<Message> {
        let mut left = first.unwrap_or(u64::MAX);
        let mut taken = Vec::new();
        self.queue.retain(|message| {
            let matches = (message.from, message.to) == (from, to) && left > 0;
            if matches {
                left -= 1;
                taken.push(message.clone());
            }
            !matches
        });
        taken
    }

    fn persist(&mut self, member: u64) {
        let Some(write) = self.node(member).writing.take() else {
            return self.out.push_str("nothing to persist\n");
        };
        let number = write.number;
        self.node(member).store(write);
        self.turn(member, |raft, now| {
            raft.persisted(now, number);
            Vec::new()
        });
    }

    fn status(&mut self, one: Option<u64>) {
        for (member, node) in &self.nodes {
            if one.is_some_and(|one| one != *member) {
                continue;
            }
            let Some(raft) = &node.raft else {
                self.out.push_str(&format!("{member}: is down\n"));
                continue;
            };
            let terms: Vec<u64> = (raft.base().0 + 1..=raft.last_index())
                .map(|index| raft.entry_term(index).expect("it holds it"))
                .collect();
            self.out.push_str(&show::status(&raft.status(), &terms));
        }
    }
}

impl Node {
    fn store(&mut self, write: Write) {
        if let Some(snapshot) = write.restored {
            self.base = (snapshot.index, snapshot.term);
            self.snapshot = Some(snapshot);
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

fn refusal<E: std::fmt::Display>(result: Result<(), E>) -> Vec<String> {
    result.err().map(|refusal| refusal.to_string()).into_iter().collect()
}

/// `1->2`, or `1->2,3`.
fn links(text: &str) -> Vec<(u64, u64)> {
    let (from, to) = text.split_once("->").expect("1->2");
    let from = from.parse().expect("a sender");
    to.split(',').map(|to| (from, to.parse().expect("a receiver"))).collect()
}

fn conf_change(words: &[&str]) -> ConfChangeV2 {
    let mut change = ConfChangeV2::default();
    for word in words {
        let kind = match &word[..1] {
            _ if *word == "explicit" => {
                change.transition = ConfChangeTransition::JointExplicit as i32;
                continue;
            }
            _ if *word == "leave" => continue,
            "v" => ConfChangeType::ConfChangeAddNode,
            "l" => ConfChangeType::ConfChangeAddLearnerNode,
            "r" => ConfChangeType::ConfChangeRemoveNode,
            other => panic!("no such change: {other}"),
        };
        let node_id = word[1..].parse().expect("a member");
        change.changes.push(ConfChangeSingle { r#type: kind as i32, node_id });
    }
    change
}
