//! `etcdsim explain`: a failure in words. What was set up, what went wrong, what the members and clients did about it,
//! and what the judge says.
use super::{BROKEN, CLEAN, Stop, UNKNOWN, VIOLATION, subject::Subject};
use crate::story::{self, Options, Verdict};
use clap::Args;
use std::collections::VecDeque;

/// Tell a failure in words: its plan, the faults, the turns of events, and the verdict
#[derive(Args)]
pub struct Explain {
    #[command(flatten)]
    subject: Subject,
    /// How many lines of events to tell before the verdict
    #[arg(long, value_name = "N", default_value = "60")]
    last: usize,
}

/// What a reader wants to know first; the rest is for `replay --trace`.
const TELLING: [&str; 12] = [
    "-- ",
    "boots",
    "dies",
    "lost unsynced",
    "halts",
    "panics",
    "stands still",
    "goes on",
    "became leader",
    "became candidate",
    "stepping down",
    "truncate",
];

impl Explain {
    pub(super) fn run(&self) -> Result<u8, Stop> {
        let case = self.subject.case()?;
        println!("{}", case.plan);
        let options = Options { trace: true, ..case.options };
        let played = story::play_with(case.plan, options, case.choices);
        let outcome = played.outcome;
        let text = outcome.text.as_deref().unwrap_or_default();
        let mut told: VecDeque<&str> = VecDeque::new();
        let mut left_out = 0;
        for line in text.lines().filter(|line| is_telling(line)) {
            told.push_back(line);
            if told.len() > self.last {
                told.pop_front();
                left_out += 1;
            }
        }
        println!("What happened (seconds; messages, disk and most notes left out)");
        if left_out > 0 {
            println!("      … {left_out} lines before");
        }
        for line in told {
            println!("  {line}");
        }
        if let Some(strayed) = played.strayed {
            println!("\nIt does not play as it was saved: {strayed}");
        }
        println!();
        match &outcome.verdict {
            Verdict::Fail { judge, text } => println!("The judge of {judge} says no:\n{text}"),
            Verdict::Clean => println!("No judge says no."),
            Verdict::Unknown(why) => println!("No judge could tell: {why}"),
            Verdict::Broken(why) => println!("The simulator broke: {why}"),
        }
        Ok(match outcome.verdict {
            Verdict::Clean => CLEAN,
            Verdict::Fail { .. } => VIOLATION,
            Verdict::Unknown(_) => UNKNOWN,
            Verdict::Broken(_) => BROKEN,
        })
    }
}

fn is_telling(line: &str) -> bool {
    // Behind the time.
    let event = line.trim_start().split_once(' ').map_or(line, |(_, event)| event);
    event.starts_with('c') || TELLING.iter().any(|word| event.contains(word))
}
