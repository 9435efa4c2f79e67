//! What is made of a real run can be read by what it is made for.
#![allow(clippy::unwrap_used)]

use detcd_jepsen_like::history::{self, Response};
use detcd_simtests::{
    report::{
        derive::{self, Role},
        diff,
        export::{self, Format, Piece},
        page::page,
        recording::{Fate, Recording},
    },
    story::{self, Options, Outcome, run},
};
use std::{collections::BTreeSet, iter::Peekable, str::Chars};

/// Seeds with three and five members, watchers, strikes and traps that snap.
const SEEDS: [u64; 4] = [3, 7, 8, 20];

fn recorded(seed: u64) -> (Outcome, Box<Recording>) {
    let mut outcome = run(seed, Options { record: true, ..Options::default() });
    let recording = outcome.recording.take().unwrap();
    (outcome, recording)
}

#[test]
fn recording_changes_nothing_and_tells_the_same() {
    for seed in SEEDS {
        let (outcome, recording) = recorded(seed);
        let plain = run(seed, Options { trace: true, ..Options::default() });
        assert_eq!((outcome.digest, outcome.verdict), (plain.digest, plain.verdict));
        assert_eq!(recording.text(), plain.text.unwrap());
        assert_eq!(recording.digest, outcome.digest.to_string());
    }
}

#[test]
fn what_the_nemesis_counted_is_in_the_schedule() {
    let mut fell = 0;
    for seed in 0..12 {
        let (outcome, recording) = recorded(seed);
        let plan = story::plan(seed, Options::default());
        let strikes: BTreeSet<&str> = plan.strikes.iter().map(|strike| strike.trouble.name()).collect();
        let is_fault = |what: &str| what.starts_with("aimed: ") || strikes.contains(what);
        let counted: u64 = outcome.counts.iter().filter(|(what, _)| is_fault(what)).map(|(_, n)| n).sum();
        assert_eq!(recording.faults.len() as u64, counted, "seed {seed}: {:#?}", recording.faults);
        fell += counted;
    }
    assert!(fell > 10);
}

#[test]
fn what_is_derived_agrees_with_what_was_counted() {
    for seed in SEEDS {
        let (outcome, recording) = recorded(seed);
        let flights = derive::flights(&recording.events);
        let arrived = flights.iter().filter(|flight| flight.arrived.is_some()).count() as u64;
        // What was repeated later, or reached somebody else by mistake, belongs to no flight.
        let delivered = outcome.counts["net: message delivered"];
        assert!(arrived <= delivered && arrived * 10 >= delivered * 8, "{arrived} of {delivered}");
        assert!(flights.iter().all(|flight| flight.arrived.is_none_or(|at| at >= flight.sent)));
        let tracks = derive::tracks(&recording);
        assert_eq!(tracks.len(), recording.members);
        assert!(tracks.iter().any(|track| track.roles.iter().any(|span| span.is == Role::Leader)));
        for track in tracks {
            // Of each member's time every moment is told.
            assert_eq!(track.roles.first().map(|span| span.from), Some(0));
            assert!(track.roles.windows(2).all(|pair| pair[0].upto == pair[1].from));
            assert_eq!(track.roles.last().map(|span| span.upto), Some(recording.simulated_ns));
        }
        let asked: Vec<_> = recording.calls.iter().filter(|call| call.client < 1_000).collect();
        assert!(asked.iter().all(|call| call.member.is_some() && call.call_event.is_some()));
        for call in &asked {
            let (Some(ret), Some(point)) = (call.ret, call.point) else { continue };
            assert!(call.call <= point.at && (point.at <= ret || call.fate == Fate::Unknown), "{call:?}");
        }
        // In a clean run whatever was answered has its place.
        let placed = |call: &&&detcd_simtests::report::recording::Call| {
            // A transaction that changed nothing comes behind a lease that ended later at its revision: its answer does not
            // say whether it took a key along.
            let history::Outcome::Ok(response) = &call.operation.outcome else { return false };
            let idle = matches!(response, Response::Txn(txn) if txn.responses.is_empty());
            call.fate == Fate::Ok && call.operation.request.can_write() && !idle
        };
        let lost = asked.iter().filter(placed).find(|call| call.point.is_none());
        assert!(lost.is_none(), "{lost:?}");
    }
}

#[test]
fn every_export_of_a_real_run_can_be_read() {
    assert!(SEEDS.iter().any(|&seed| !recorded(seed).1.watchers.is_empty()));
    for seed in SEEDS {
        let (_, recording) = recorded(seed);
        let one = |format| {
            let (mut pieces, _) = export::pieces(&recording, format);
            assert_eq!(pieces.len(), 1);
            String::from_utf8(pieces.remove(0).content).unwrap()
        };
        let trace: serde_json::Value = serde_json::from_str(&one(Format::Perfetto)).unwrap();
        assert!(trace["traceEvents"].as_array().unwrap().len() > recording.calls.len());

        assert_eq!(Recording::parse(&one(Format::Recording)).unwrap().events, recording.events);

        let shiviz = one(Format::Shiviz);
        let lines: Vec<&str> = shiviz.lines().skip(2).collect();
        assert_eq!(lines.len(), 2 * recording.events.len());
        for pair in lines.chunks(2) {
            let (host, clock) = pair[1].split_once(' ').unwrap();
            let clock: std::collections::BTreeMap<String, u64> = serde_json::from_str(clock).unwrap();
            assert!(clock[host] > 0);
        }

        let edn = one(Format::Edn);
        let answered = recording.calls.iter().filter(|call| call.ret.is_some()).count();
        assert_eq!(edn.lines().count(), recording.calls.len() + answered);
        for line in edn.lines() {
            let mut chars = line.chars().peekable();
            read_edn(&mut chars);
            assert_eq!(chars.next(), None, "{line}");
        }

        let (pieces, _) = export::pieces(&recording, Format::Robustness);
        let named =
            |name: &str| pieces.iter().filter(|piece| piece.path.ends_with(name)).collect::<Vec<&Piece>>();
        assert!(!named("operations.json").is_empty());
        let watchers = recording.watchers.iter().filter(|watcher| !watcher.no_puts && !watcher.no_deletes);
        assert_eq!(named("watch.json").len(), watchers.filter(|watcher| !watcher.streams.is_empty()).count());
        for piece in pieces.iter().filter(|piece| piece.path.extension().is_some_and(|ext| ext == "json")) {
            for line in std::str::from_utf8(&piece.content).unwrap().lines() {
                serde_json::from_str::<serde_json::Value>(line).unwrap();
            }
        }
        for member in 1..=recording.members {
            let folder = format!("server-m{member}/member/wal");
            assert!(pieces.iter().any(|piece| piece.path.starts_with(&folder) && !piece.content.is_empty()));
        }
    }
}

#[test]
fn a_page_holds_its_run_and_two_runs_part_somewhere() {
    let ((_, one), (_, other)) = (recorded(3), recorded(7));
    let page = page(&one);
    assert_eq!(diff::lines_of_file(&page).unwrap(), diff::lines(&one));
    assert_eq!(diff::diverge(&diff::lines(&one), &diff::lines(&one)), None);
    let parted = diff::diverge(&diff::lines(&one), &diff::lines(&other)).unwrap();
    assert_ne!(parted.left.first(), parted.right.first());
}

/// Reads one value of EDN, as far as a history needs it.
fn read_edn(chars: &mut Peekable<Chars<'_>>) {
    while chars.peek().is_some_and(|c| c.is_whitespace() || *c == ',') {
        chars.next();
    }
    match chars.next().unwrap() {
        '{' => read_until(chars, '}'),
        '[' => read_until(chars, ']'),
        '"' => loop {
            match chars.next().unwrap() {
                '"' => return,
                '\\' => assert!("\"\\nrtu".contains(chars.next().unwrap())),
                c => assert!(!c.is_control()),
            }
        },
        c => {
            assert!(c.is_alphanumeric() || ":-".contains(c), "{c} begins nothing");
            while chars.peek().is_some_and(|c| c.is_alphanumeric() || "-.".contains(*c)) {
                chars.next();
            }
        }
    }
}

fn read_until(chars: &mut Peekable<Chars<'_>>, end: char) {
    loop {
        while chars.peek().is_some_and(|c| c.is_whitespace() || *c == ',') {
            chars.next();
        }
        if chars.peek() == Some(&end) {
            chars.next();
            return;
        }
        read_edn(chars);
    }
}
