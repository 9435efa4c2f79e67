//! A trace in Chrome's JSON format, which Perfetto reads: roles, disks and requests as slices, messages as flows,
//! commit indexes as counters, faults as slices of their own.
//!
//! Times are microseconds there; simulated nanoseconds are kept behind the point.
use crate::report::{
    derive::{self, Role, Surface},
    recording::Recording,
};
use detcd_runtime_sim::{Event, event::kind_name};
use serde_json::{Value, json};

/// The processes of the trace.
const MEMBERS: u64 = 1;
const CLIENTS: u64 = 2;
const WATCHERS: u64 = 3;
const FAULTS: u64 = 4;

/// A member's threads, beginning at ten times its number.
const ROLE: u64 = 0;
const MESSAGES: u64 = 1;
const DISK: u64 = 2;

pub fn perfetto(recording: &Recording) -> String {
    let mut trace = Trace::default();
    for (pid, name) in
        [(MEMBERS, "members"), (CLIENTS, "clients"), (WATCHERS, "watchers"), (FAULTS, "faults")]
    {
        trace.meta("process_name", pid, 0, name);
    }
    members(recording, &mut trace);
    messages(recording, &mut trace);
    clients(recording, &mut trace);
    for (id, fault) in recording.faults.iter().enumerate() {
        // Faults overlap, which slices of one thread may not.
        for (phase, at) in [("b", fault.from), ("e", fault.upto)] {
            trace.0.push(
                json!({"ph": phase, "cat": "fault", "name": fault.text, "id": id, "pid": FAULTS, "tid": 0,
                "ts": micros(at)}),
            );
        }
    }
    let verdict = &recording.verdict;
    if !verdict.judge.is_empty() {
        trace.0.push(json!({"ph": "i", "s": "g", "name": format!("{}: {}", verdict.judge, verdict.text),
            "cat": "verdict", "pid": FAULTS, "tid": 0, "ts": micros(verdict.at)}));
    }
    let all = json!({"displayTimeUnit": "ns", "otherData": {"title": recording.title, "replay": recording.replay},
        "traceEvents": trace.0});
    all.to_string()
}

#[derive(Default)]
struct Trace(Vec<Value>);

impl Trace {
    fn meta(&mut self, what: &str, pid: u64, tid: u64, name: &str) {
        self.0.push(json!({"ph": "M", "name": what, "pid": pid, "tid": tid, "args": {"name": name}}));
    }

    fn slice(&mut self, (pid, tid): (u64, u64), name: &str, from: u64, upto: u64, args: Value) {
        self.0
            .push(json!({"ph": "X", "name": name, "cat": "run", "pid": pid, "tid": tid, "ts": micros(from),
            "dur": micros(upto.saturating_sub(from)), "args": args}));
    }
}

fn micros(ns: u64) -> f64 {
    ns as f64 / 1e3
}

fn thread(member: usize, which: u64) -> (u64, u64) {
    (MEMBERS, (member as u64 + 1) * 10 + which)
}

fn members(recording: &Recording, trace: &mut Trace) {
    for (member, track) in derive::tracks(recording).into_iter().enumerate() {
        for (which, name) in [(ROLE, ""), (MESSAGES, " messages"), (DISK, " disk")] {
            let (pid, tid) = thread(member, which);
            trace.meta("thread_name", pid, tid, &format!("m{}{name}", member + 1));
        }
        for span in track.roles {
            let name = match span.is {
                Role::Down => "down",
                Role::Booting => "booting",
                Role::Follower => "follower",
                Role::PreCandidate => "pre-candidate",
                Role::Candidate => "candidate",
                Role::Leader => "leader",
            };
            trace.slice(thread(member, ROLE), name, span.from, span.upto, json!({}));
        }
        for span in track.disk {
            let name = match span.is {
                Surface::Unsynced => "unsynced",
                Surface::Failed => "sync failed",
            };
            trace.slice(thread(member, DISK), name, span.from, span.upto, json!({}));
        }
        for (id, span) in track.paused.iter().enumerate() {
            for (phase, at) in [("b", span.from), ("e", span.upto)] {
                trace.0.push(
                    json!({"ph": phase, "cat": "paused", "name": format!("m{} stands still", member + 1),
                    "id": format!("p{member}.{id}"), "pid": FAULTS, "tid": 0, "ts": micros(at)}),
                );
            }
        }
    }
    for standing in &recording.standings {
        let name = format!("m{} commit", standing.member + 1);
        trace.0.push(json!({"ph": "C", "name": name, "pid": MEMBERS, "tid": 0, "ts": micros(standing.at),
            "args": {"commit": standing.commit, "last": standing.last_index, "term": standing.term}}));
    }
    for kept in &recording.events {
        if let Event::Note { member, line } = &kept.event {
            let (pid, tid) = thread(*member, ROLE);
            trace.0.push(json!({"ph": "i", "s": "t", "cat": "note", "name": line, "pid": pid, "tid": tid,
                "ts": micros(kept.at)}));
        }
    }
}

/// Each end of a message is a slice of one nanosecond, since a flow leads from slice to slice.
fn messages(recording: &Recording, trace: &mut Trace) {
    for (id, flight) in derive::flights(&recording.events).into_iter().enumerate() {
        let name = kind_name(flight.kind);
        let what = recording.events[flight.send_event].event.to_string();
        let ends = [
            ("s", thread(flight.from, MESSAGES), Some(flight.sent)),
            ("f", thread(flight.to, MESSAGES), flight.arrived),
        ];
        for (phase, (pid, tid), at) in ends {
            let Some(at) = at else { continue };
            trace.slice((pid, tid), name, at, at + 1, json!({"message": what}));
            if flight.arrived.is_some() {
                trace.0.push(
                    json!({"ph": phase, "bp": "e", "cat": "message", "name": name, "id": id, "pid": pid,
                    "tid": tid, "ts": micros(at)}),
                );
            }
        }
    }
}

fn clients(recording: &Recording, trace: &mut Trace) {
    let mut named = Vec::new();
    for call in &recording.calls {
        let tid = u64::from(call.client) + 1;
        if !named.contains(&tid) {
            named.push(tid);
            trace.meta("thread_name", CLIENTS, tid, &format!("c{}", call.client));
        }
        let args = json!({"id": call.id, "answer": call.response, "fate": call.fate, "point": call.point,
            "accused": call.accused, "member": call.member.map(|member| format!("m{}", member + 1))});
        let end = call.ret.unwrap_or(recording.simulated_ns);
        trace.slice((CLIENTS, tid), &call.request, call.call, end, args);
    }
    for watcher in &recording.watchers {
        let tid = watcher.number as u64;
        trace.meta("thread_name", WATCHERS, tid, &format!("w{tid}"));
        for stream in &watcher.streams {
            let end = stream.replies.last().map_or(stream.at, |reply| reply.at);
            let name = format!("stream to m{}", stream.member + 1);
            trace.slice((WATCHERS, tid), &name, stream.at, end, json!({"from": stream.start_revision}));
            for reply in &stream.replies {
                let revisions: Vec<i64> = reply.events.iter().map(|change| change.kv.mod_revision).collect();
                trace.0.push(json!({"ph": "i", "s": "t", "cat": "watch", "name": format!("revision {}", reply.revision),
                    "pid": WATCHERS, "tid": tid, "ts": micros(reply.at), "args": {"events": revisions,
                    "cancelled": reply.cancelled}}));
            }
        }
    }
}
