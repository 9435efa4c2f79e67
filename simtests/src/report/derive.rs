//! What the events of a run amount to: which message arrived where, when a member was what, what was on its disk, and
//! what was made to go wrong. Everything here is read off the events, so it holds for any recording.
use super::recording::{Fault, Recording};
use detcd_proto::raftpb::MessageType;
use detcd_runtime_sim::{Event, Recorded, Slot};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// A message on its way. A repeated one arrives twice and is listed twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flight {
    pub from: Slot,
    pub to: Slot,
    pub sent: u64,
    /// None: nobody got it.
    pub arrived: Option<u64>,
    pub send_event: usize,
    pub deliver_event: Option<usize>,
    pub kind: i32,
}

/// Finds for each message that arrived the one that was sent: the oldest of the same content that is still under way.
/// Of messages with the same content nobody can tell which is which.
pub fn flights(events: &[Recorded]) -> Vec<Flight> {
    type Name = (Slot, Slot, i32, u64);
    let mut flights: Vec<Flight> = Vec::new();
    let mut under_way: BTreeMap<Name, VecDeque<usize>> = BTreeMap::new();
    let mut newest: BTreeMap<Name, usize> = BTreeMap::new();
    let mut just_sent = None;
    for (i, kept) in events.iter().enumerate() {
        match kept.event {
            Event::Send { from, to, kind, sum, .. } => {
                let name = (from, to, kind, sum);
                just_sent = Some((name, flights.len()));
                newest.insert(name, flights.len());
                under_way.entry(name).or_default().push_back(flights.len());
                let sent = kept.at;
                flights.push(Flight {
                    from,
                    to,
                    sent,
                    arrived: None,
                    send_event: i,
                    deliver_event: None,
                    kind,
                });
                continue;
            }
            // A message that is lost at once says so at once.
            Event::Drop { from, to, ref why } if why == "cut" || why == "lost" => {
                if let Some((name, flight)) = just_sent.filter(|(name, _)| (name.0, name.1) == (from, to)) {
                    under_way.entry(name).or_default().retain(|&other| other != flight);
                    newest.remove(&name);
                }
            }
            Event::Deliver { from, to, kind, sum } => {
                let name = (from, to, kind, sum);
                let waiting = under_way.entry(name).or_default();
                // What was cut off in flight leaves no name; it must not be taken for a later one of its kind.
                while waiting.len() > 1 && kept.at - flights[waiting[0]].sent > LONG_NS {
                    waiting.pop_front();
                }
                let arrived = |flight: &mut Flight| {
                    flight.arrived = Some(kept.at);
                    flight.deliver_event = Some(i);
                };
                if let Some(flight) = waiting.pop_front() {
                    arrived(&mut flights[flight]);
                } else if let Some(&first) = newest.get(&name) {
                    let mut again = flights[first];
                    arrived(&mut again);
                    flights.push(again);
                }
            }
            _ => {}
        }
        just_sent = None;
    }
    flights
}

/// Longer than messages are under way, save in very bad weather.
const LONG_NS: u64 = 25_000_000;

pub fn leads(kind: i32) -> bool {
    matches!(
        MessageType::try_from(kind),
        Ok(MessageType::MsgApp
            | MessageType::MsgHeartbeat
            | MessageType::MsgSnap
            | MessageType::MsgTimeoutNow)
    )
}

pub fn is_pre_vote(kind: i32) -> bool {
    matches!(MessageType::try_from(kind), Ok(MessageType::MsgPreVote | MessageType::MsgPreVoteResp))
}

/// A stretch of a member's time in which it was one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span<K> {
    pub from: u64,
    pub upto: u64,
    pub is: K,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Down,
    /// It reads its log back.
    Booting,
    Follower,
    PreCandidate,
    Candidate,
    Leader,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Surface {
    /// Something was written and not synced.
    Unsynced,
    /// A sync failed, and what it covered is gone.
    Failed,
}

/// One member's time, told in spans. Times between spans of a list: up, synced, running.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Track {
    pub roles: Vec<Span<Role>>,
    pub disk: Vec<Span<Surface>>,
    /// When its process stood still.
    pub paused: Vec<Span<()>>,
}

/// Puts spans of one list one behind the other.
struct Pen<K> {
    spans: Vec<Span<K>>,
    open: Option<(u64, K)>,
}

impl<K: Copy + PartialEq> Pen<K> {
    fn new() -> Pen<K> {
        Pen { spans: Vec::new(), open: None }
    }

    fn set(&mut self, at: u64, is: Option<K>) {
        if self.open.map(|(_, is)| is) == is {
            return;
        }
        if let Some((from, is)) = self.open.take().filter(|&(from, _)| from < at) {
            self.spans.push(Span { from, upto: at, is });
        }
        self.open = is.map(|is| (at, is));
    }

    fn end(mut self, at: u64) -> Vec<Span<K>> {
        self.set(at, None);
        self.spans
    }
}

/// Every member's time.
pub fn tracks(recording: &Recording) -> Vec<Track> {
    let member = |member| track(&recording.events, member, recording.simulated_ns);
    (0..recording.members).map(member).collect()
}

fn track(events: &[Recorded], of: Slot, end: u64) -> Track {
    let (mut roles, mut disk, mut paused) = (Pen::new(), Pen::new(), Pen::new());
    roles.set(0, Some(Role::Down));
    let mut dirty: Vec<usize> = Vec::new();
    for Recorded { at, event } in events {
        match event {
            Event::Boot { member, .. } if *member == of => {
                roles.set(*at, Some(Role::Booting));
                disk.set(*at, None);
            }
            Event::Died { member, power } if *member == of => {
                roles.set(*at, Some(Role::Down));
                paused.set(*at, None);
                if *power {
                    dirty.clear();
                    disk.set(*at, None);
                }
            }
            Event::Note { member, line } if *member == of => {
                if let Some(role) = role_of(line) {
                    roles.set(*at, Some(role));
                }
            }
            Event::Paused { member } if *member == of => paused.set(*at, Some(())),
            Event::Resumed { member } if *member == of => paused.set(*at, None),
            Event::Append { member, file, .. } if *member == of => {
                if !dirty.contains(file) {
                    dirty.push(*file);
                }
                disk.set(*at, Some(Surface::Unsynced));
            }
            Event::Sync { member, file, ok } if *member == of => {
                dirty.retain(|other| other != file);
                let left = (!dirty.is_empty()).then_some(Surface::Unsynced);
                disk.set(*at, if *ok { left } else { Some(Surface::Failed) });
            }
            _ => {}
        }
    }
    Track { roles: roles.end(end), disk: disk.end(end), paused: paused.end(end) }
}

/// What a member says it became, in the words of the core's notes behind their level.
fn role_of(line: &str) -> Option<Role> {
    let (_, note) = line.split_once(' ')?;
    if note.starts_with("booted ") {
        // Whoever has read its log back follows, and says no more of it.
        return Some(Role::Follower);
    }
    match note.strip_prefix("became ")?.split(' ').next()? {
        "follower" => Some(Role::Follower),
        "pre-candidate" => Some(Role::PreCandidate),
        "candidate" => Some(Role::Candidate),
        "leader" => Some(Role::Leader),
        _ => None,
    }
}

/// The events of one request.
pub struct Asked {
    pub event: usize,
    pub member: Slot,
    pub answer_event: Option<usize>,
}

/// By the number of the request: which events tell of it.
pub fn asked(events: &[Recorded]) -> BTreeMap<usize, Asked> {
    let mut asked: BTreeMap<usize, Asked> = BTreeMap::new();
    for (i, kept) in events.iter().enumerate() {
        let Event::Client { line, .. } = &kept.event else { continue };
        let Some((id, rest)) = line.strip_prefix('#').and_then(|line| line.split_once(' ')) else { continue };
        let Ok(id) = id.parse::<usize>() else { continue };
        if let Some(member) = rest.strip_prefix("> ").and_then(|rest| mentioned(rest).next()) {
            asked.insert(id, Asked { event: i, member, answer_event: None });
        } else if let Some(asked) = asked.get_mut(&id).filter(|_| rest.starts_with("< ")) {
            asked.answer_event = Some(i);
        }
    }
    asked
}

/// The members that a text names, as m1, m2.
fn mentioned(text: &str) -> impl Iterator<Item = Slot> + '_ {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter_map(|word| word.strip_prefix('m')?.parse::<usize>().ok()?.checked_sub(1))
}

/// What the nemesis did, from what it says when it strikes:
/// `crash for 20 ms: m1` and later `end of crash: m1`; `trap: m2 at Voting`, then `Crash of m2 for 300 us`.
pub fn faults(events: &[Recorded]) -> Vec<Fault> {
    let mut faults: Vec<Fault> = Vec::new();
    // Strikes whose end has not come, and traps that have not snapped.
    let mut open: Vec<usize> = Vec::new();
    let mut sprung: Vec<(Slot, usize)> = Vec::new();
    for (event, Recorded { at, event: what }) in events.iter().enumerate() {
        let Event::Story { line } = what else { continue };
        let at = *at;
        if line == "everything heals" {
            for fault in &mut faults {
                fault.upto = fault.upto.min(at);
            }
            open.clear();
            sprung.clear();
        } else if let Some(text) = line.strip_prefix("end of ") {
            if let Some(i) = open.iter().position(|&fault| faults[fault].text == text) {
                faults[open.remove(i)].upto = at;
            }
        } else if let Some(text) = line.strip_prefix("trap: ") {
            let mut members: Vec<Slot> = mentioned(text).collect();
            members.dedup();
            sprung.extend(members.first().map(|&member| (member, faults.len())));
            faults.push(Fault { from: at, upto: at, text: line.clone(), members, event });
        } else if let Some((text, lasting_ns)) = lasting(line) {
            let mut members: Vec<Slot> = mentioned(&text).collect();
            members.sort_unstable();
            members.dedup();
            let snapped = sprung.iter().position(|&(member, _)| members == [member] && line.ends_with(" us"));
            if let Some(i) = snapped {
                let fault = &mut faults[sprung.remove(i).1];
                fault.text = format!("{text} ({})", fault.text);
                (fault.from, fault.upto, fault.event) = (at, at + lasting_ns, event);
            } else {
                open.push(faults.len());
                faults.push(Fault { from: at, upto: at + lasting_ns, text, members, event });
            }
        }
    }
    let end = events.last().map_or(0, |kept| kept.at);
    for fault in &mut faults {
        fault.upto = fault.upto.min(end);
    }
    faults
}

/// `X for 12 ms: rest` is `X: rest` for so long, `X of m1 for 12 us` is `X of m1`. What a judge says has a colon first.
fn lasting(line: &str) -> Option<(String, u64)> {
    line.match_indices(" for ").find_map(|(at, word)| {
        let (what, rest) = (&line[..at], &line[at + word.len()..]);
        let (number, rest) = rest.split_once(' ')?;
        let number: u64 = number.parse().ok()?;
        if what.contains(':') {
            return None;
        }
        match rest {
            "us" => Some((what.to_owned(), number * 1_000)),
            _ => Some((format!("{what}: {}", rest.strip_prefix("ms: ")?), number * 1_000_000)),
        }
    })
}

#[cfg(test)]
#[path = "derive_tests.rs"]
mod tests;
