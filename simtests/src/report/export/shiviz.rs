//! A log for ShiViz: each event twice a line, the host and its vector clock on the second. The first line of the file is
//! the expression that reads the rest; the second would separate several runs.
//!
//! Hosts are members, clients, watchers and the nemesis. Clocks follow messages between members. What passes between a
//! client and a member is no event of a transcript, so clients stand beside the members without arrows.
use crate::report::{derive, recording::Recording};
use detcd_runtime_sim::Event;
use std::{collections::BTreeMap, fmt::Write};

const EXPRESSION: &str = r"(?<time>\S*) (?<event>.*)\n(?<host>\S*) (?<clock>\{.*\})";

type Clock = BTreeMap<String, u64>;

pub fn shiviz(recording: &Recording) -> String {
    let mut clocks: BTreeMap<String, Clock> = BTreeMap::new();
    let mut carried: BTreeMap<usize, Clock> = BTreeMap::new();
    let flights = derive::flights(&recording.events);
    let carries: BTreeMap<usize, usize> =
        flights.iter().filter_map(|flight| Some((flight.deliver_event?, flight.send_event))).collect();
    let mut text = format!("{EXPRESSION}\n\n");
    for (i, kept) in recording.events.iter().enumerate() {
        let host = host(recording, &kept.event);
        let clock = clocks.entry(host.clone()).or_default();
        if let Some(sent) = carries.get(&i).and_then(|send| carried.get(send)) {
            for (other, &at) in sent {
                let known = clock.entry(other.clone()).or_default();
                *known = at.max(*known);
            }
        }
        *clock.entry(host.clone()).or_default() += 1;
        if matches!(kept.event, Event::Send { .. }) {
            carried.insert(i, clock.clone());
        }
        let clock = serde_json::to_string(clock).expect("names and numbers");
        let (seconds, nanos) = (kept.at / 1_000_000_000, kept.at % 1_000_000_000);
        writeln!(text, "{seconds}.{nanos:09} {}\n{host} {clock}", one_line(&kept.event.to_string()))
            .expect("a String takes everything");
    }
    text
}

/// Who an event happens to.
fn host(recording: &Recording, event: &Event<String>) -> String {
    match event {
        Event::Boot { member, .. }
        | Event::Died { member, .. }
        | Event::PowerLoss { member, .. }
        | Event::Halted { member, .. }
        | Event::Panicked { member, .. }
        | Event::Paused { member }
        | Event::Resumed { member }
        | Event::Append { member, .. }
        | Event::Sync { member, .. }
        | Event::Disk { member, .. }
        | Event::Note { member, .. }
        | Event::Send { from: member, .. }
        | Event::Drop { from: member, .. }
        | Event::Link { from: member, .. }
        | Event::Deliver { to: member, .. } => format!("m{}", member + 1),
        Event::Client { client, .. } => {
            let watches = recording.watchers.iter().any(|watcher| watcher.number == *client);
            format!("{}{client}", if watches { "w" } else { "c" })
        }
        Event::Story { .. } => "nemesis".to_owned(),
    }
}

fn one_line(text: &str) -> String {
    text.replace('\n', "\\n").replace('\r', "\\r")
}
