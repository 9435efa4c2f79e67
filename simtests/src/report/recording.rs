//! One run as a value: all that a person, a page or another tool needs to see what happened, and nothing that needs
//! the simulator to be read.
//!
//! A run is recorded only on request ([`crate::story::Options::record`]); recording looks on and changes nothing, so
//! the digest of a recorded run is the digest of the run.
use super::{
    derive,
    points::{self, Point},
};
use crate::{
    client::{Short, ShortOutcome},
    invariants::{FOLDER, Record, records},
    judge::{self, Made, Stream, Watched},
    story::{Outcome, Verdict},
};
use detcd_jepsen_like::history::{self, History, KeyValue, Operation};
use detcd_proto::{etcdserverpb::WatchResponse, mvccpb};
use detcd_runtime_sim::{Event, Happening, Observer, Recorded, Slot, Stage, World};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// The version of the format; a reader refuses any other.
pub const FORMAT: u32 = 1;

/// Times are simulated nanoseconds since the beginning; members are slots from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    pub format: u32,
    pub title: String,
    pub seed: String,
    pub verdict: Ruling,
    /// The command that plays it again.
    pub replay: String,
    pub configuration: Vec<Line>,
    /// What was made to go wrong, as it fell.
    pub faults: Vec<Fault>,
    pub members: usize,
    pub simulated_ns: u64,
    /// The transcript's digest.
    pub digest: String,
    pub events: Vec<Recorded>,
    pub calls: Vec<Call>,
    pub watchers: Vec<Watcher>,
    /// What each member's log and messages showed of it, whenever that changed.
    pub standings: Vec<Standing>,
    pub counts: BTreeMap<String, u64>,
    /// What a power loss at the end would have left of the members' logs. Not part of the JSON.
    #[serde(skip)]
    pub files: Vec<MemberFile>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberFile {
    pub member: Slot,
    pub name: String,
    pub content: Vec<u8>,
}

/// What the judges said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ruling {
    /// CLEAN, FAIL, UNKNOWN or BROKEN.
    pub word: String,
    pub judge: String,
    pub text: String,
    pub at: u64,
    /// The event by which the judge spoke, if it spoke during the run.
    pub event: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub label: String,
    pub text: String,
}

/// Trouble that fell. `from` equals `upto`: it was over at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    pub from: u64,
    pub upto: u64,
    pub text: String,
    pub members: Vec<Slot>,
    /// The event that announces it.
    pub event: usize,
}

/// One request of one client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Its place in the history, as judges name it.
    pub id: usize,
    pub client: u32,
    pub member: Option<Slot>,
    pub call: u64,
    pub ret: Option<u64>,
    pub request: String,
    pub response: String,
    pub fate: Fate,
    /// Where it took effect, as far as revisions tell.
    pub point: Option<Point>,
    /// The judge of linearizability named it: no place is left for it, or it shows why.
    pub accused: Accused,
    pub call_event: Option<usize>,
    pub ret_event: Option<usize>,
    /// In full.
    pub operation: Operation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    Ok,
    Refused,
    Unknown,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Accused {
    #[default]
    No,
    Witness,
    Impossible,
}

/// A client that watches, with every stream it had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watcher {
    pub number: usize,
    pub key: String,
    pub range_end: String,
    pub prev_kv: bool,
    pub no_puts: bool,
    pub no_deletes: bool,
    pub streams: Vec<WatchStream>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchStream {
    pub at: u64,
    pub member: Slot,
    /// 0: from now on.
    pub start_revision: i64,
    pub replies: Vec<Reply>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    pub at: u64,
    pub revision: i64,
    pub created: bool,
    pub cancelled: bool,
    pub compact_revision: i64,
    pub events: Vec<Change>,
}

/// One change that a watcher heard of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub is_delete: bool,
    pub kv: KeyValue,
    pub prev_kv: Option<KeyValue>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    pub at: u64,
    pub member: Slot,
    pub term: u64,
    pub commit: u64,
    pub last_index: u64,
}

impl Recording {
    /// The transcript's text.
    pub fn text(&self) -> String {
        self.events.iter().map(|kept| self.line(kept) + "\n").collect()
    }

    fn line(&self, kept: &Recorded) -> String {
        detcd_runtime_sim::transcript::line(kept.at, &kept.event)
    }

    /// Reads what serde has written, and refuses other formats.
    pub fn parse(json: &str) -> Result<Recording, String> {
        let recording: Recording =
            serde_json::from_str(json).map_err(|error| format!("not a recording: {error}"))?;
        if recording.format == FORMAT {
            Ok(recording)
        } else {
            Err(format!("a recording of format {}, and only {FORMAT} is known", recording.format))
        }
    }

    /// Enters what became of the run.
    pub fn rule(&mut self, outcome: &Outcome) {
        self.digest = outcome.digest.to_string();
        let (word, judge, text) = match &outcome.verdict {
            Verdict::Clean => ("CLEAN", "", ""),
            Verdict::Fail { judge, text } => ("FAIL", judge.as_str(), text.as_str()),
            Verdict::Unknown(text) => ("UNKNOWN", "linearizability", text.as_str()),
            Verdict::Broken(text) => ("BROKEN", "simulator", text.as_str()),
        };
        let spoken = format!("{judge}: {text}");
        let event = self.events.iter().position(
            |kept| matches!(&kept.event, Event::Story { line } if !judge.is_empty() && *line == spoken),
        );
        let mut at = event.map_or(self.simulated_ns, |event| self.events[event].at);
        if judge == "linearizability" {
            let impossible = self.calls.iter().find(|call| call.accused == Accused::Impossible);
            at = impossible.and_then(|call| call.ret).unwrap_or(at);
        }
        self.verdict = Ruling { word: word.into(), judge: judge.into(), text: text.into(), at, event };
    }
}

/// A recording while its run lasts.
pub struct Draft {
    plan: String,
    standings: Arc<Mutex<Vec<Standing>>>,
}

impl Draft {
    /// Looks on from now. The world must keep its events.
    pub fn begin(stage: &Stage, plan: String) -> Draft {
        let standings = Arc::<Mutex<Vec<Standing>>>::default();
        let clerk = Clerk { last: Vec::new(), standings: standings.clone() };
        stage.enter(|world| world.add_observer(clerk));
        Draft { plan, standings }
    }

    /// Everything but the verdict. `times`: see [`crate::client::Recorder::times`].
    pub fn finish(
        self,
        seed: u64,
        world: &mut World,
        (history, made): (&History, &Made),
        times: &[u64],
        watched: &[Watched],
    ) -> Recording {
        let events = world.take_events().unwrap_or_default();
        let standings = std::mem::take(&mut *self.standings.lock().unwrap_or_else(PoisonError::into_inner));
        let watchers = watched.iter().enumerate().map(|(i, watched)| watcher(100 + i, watched));
        Recording {
            format: FORMAT,
            title: format!("etcdsim seed {seed:#x}"),
            seed: format!("{seed:#x}"),
            configuration: self.plan.lines().map(labelled).collect(),
            faults: derive::faults(&events),
            members: world.len(),
            simulated_ns: world.now(),
            calls: calls((history, made), times, &events),
            watchers: watchers.collect(),
            standings,
            counts: world.counts().iter().map(|(&what, &n)| (what.to_owned(), n)).collect(),
            files: files(world),
            events,
            ..Recording::default()
        }
    }
}

fn files(world: &World) -> Vec<MemberFile> {
    let of = |member: Slot| {
        let file = move |(name, content): (&str, &[u8])| MemberFile {
            member,
            name: name.to_owned(),
            content: content.to_vec(),
        };
        world.disk(member).durable(FOLDER).map(file)
    };
    (0..world.len()).flat_map(of).collect()
}

fn printable(text: &str) -> String {
    let shown = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(shown).collect()
}

fn labelled(line: &str) -> Line {
    let (label, text) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    Line { label: label.into(), text: text.trim_start().into() }
}

fn calls((history, made): (&History, &Made), times: &[u64], events: &[Recorded]) -> Vec<Call> {
    let asked = derive::asked(events);
    let accused = judge::impossible(history, made);
    let points = points::points(history, times, accused.first().copied());
    let time = |clock: u64| times.get((clock as usize).wrapping_sub(1)).copied().unwrap_or(0);
    let call = |(id, operation): (usize, &Operation)| {
        let asked = asked.get(&id);
        Call {
            id,
            client: operation.client,
            member: asked.map(|asked| asked.member),
            call: time(operation.call),
            ret: operation.ret.map(time),
            request: printable(&Short(&operation.request).to_string()),
            response: printable(&ShortOutcome(&operation.outcome).to_string()),
            fate: match &operation.outcome {
                history::Outcome::Ok(_) => Fate::Ok,
                history::Outcome::Failed(_) => Fate::Refused,
                history::Outcome::Unknown(_) => Fate::Unknown,
            },
            point: points[id],
            accused: match accused.iter().position(|&named| named == id) {
                None => Accused::No,
                Some(0) => Accused::Impossible,
                Some(_) => Accused::Witness,
            },
            call_event: asked.map(|asked| asked.event),
            ret_event: asked.and_then(|asked| asked.answer_event),
            operation: operation.clone(),
        }
    };
    history.ops().iter().enumerate().map(call).collect()
}

fn watcher(number: usize, watched: &Watched) -> Watcher {
    let wish = watched.wish();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Watcher {
        number,
        key: text(&wish.key),
        range_end: text(&wish.range_end),
        prev_kv: wish.prev_kv,
        no_puts: wish.no_puts,
        no_deletes: wish.no_deletes,
        streams: watched.take_streams().into_iter().map(stream).collect(),
    }
}

fn stream(stream: Stream) -> WatchStream {
    WatchStream {
        at: stream.at_ns,
        member: stream.member,
        start_revision: stream.start_revision,
        replies: stream.replies.iter().map(|(at, reply)| heard(*at, reply)).collect(),
    }
}

fn heard(at: u64, reply: &WatchResponse) -> Reply {
    let change = |event: &mvccpb::Event| Change {
        is_delete: event.r#type != 0,
        kv: event.kv.as_ref().map(key_value).unwrap_or_default(),
        prev_kv: event.prev_kv.as_ref().map(key_value),
    };
    Reply {
        at,
        revision: reply.header.as_ref().map_or(0, |header| header.revision),
        created: reply.created,
        cancelled: reply.canceled,
        compact_revision: reply.compact_revision,
        events: reply.events.iter().map(change).collect(),
    }
}

fn key_value(kv: &mvccpb::KeyValue) -> KeyValue {
    KeyValue {
        key: kv.key.to_vec(),
        value: kv.value.to_vec(),
        create_revision: kv.create_revision,
        mod_revision: kv.mod_revision,
        version: kv.version,
        lease: kv.lease,
    }
}

/// Notes what members show of themselves: their hard state and entries on the way to the disk, and the commit index
/// that a leader tells its followers.
struct Clerk {
    last: Vec<Standing>,
    standings: Arc<Mutex<Vec<Standing>>>,
}

impl Clerk {
    fn note(&mut self, world: &World, member: Slot, change: impl FnOnce(&mut Standing)) {
        if self.last.len() <= member {
            self.last.resize_with(world.len().max(member + 1), Standing::default);
        }
        let before = self.last[member];
        let mut after = Standing { member, ..before };
        change(&mut after);
        if after != before {
            after.at = world.now();
            self.last[member] = after;
            self.standings.lock().unwrap_or_else(PoisonError::into_inner).push(after);
        }
    }
}

impl Observer for Clerk {
    fn happened(&mut self, what: &Happening<'_>, world: &mut World) {
        match *what {
            Happening::Appending { member, name, bytes } if name.starts_with(FOLDER) => {
                let records = records(bytes);
                self.note(world, member, |standing| {
                    for record in records {
                        match record {
                            Record::Entry { index, .. } => standing.last_index = index,
                            Record::State(state) => {
                                standing.term = state.term;
                                standing.commit = standing.commit.max(state.commit);
                            }
                            Record::Checkpoint { .. } => {}
                        }
                    }
                });
            }
            Happening::Sending { from, message, .. } => {
                let (term, commit) = (message.term, message.commit);
                self.note(world, from, |standing| {
                    // A pre-vote asks about the next term without entering it.
                    if !derive::is_pre_vote(message.r#type) {
                        standing.term = standing.term.max(term);
                    }
                    if derive::leads(message.r#type) {
                        standing.commit = standing.commit.max(commit);
                    }
                });
            }
            _ => {}
        }
    }
}
