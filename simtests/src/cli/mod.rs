//! The simulator's command line: one file per command, and the exit codes that all of them share.
mod args;
mod corpus;
mod coverage;
mod explain;
mod merge;
mod museum;
mod pool;
mod replay;
mod run;
mod shrink;
mod subject;

use crate::report::Summary;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Nothing is wrong.
pub const CLEAN: u8 = 0;
/// A rule was broken, or something that must happen never did.
pub const VIOLATION: u8 = 1;
/// No judge could tell, or the command was wrong.
pub const UNKNOWN: u8 = 2;
/// The simulator itself is wrong, or a replay is not what it should repeat.
pub const BROKEN: u8 = 3;
/// As shells have it for a process that ends by Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// Whole etcd clusters in a simulated world, with faults, from seeds.
///
/// One seed is one story: a cluster of 1, 3 or 5 real members (the code that ships), clients that read and write, and
/// trouble: members crash, machines lose power, disks forget what was not synced, links lose, repeat, delay and cut.
/// Then everything heals, every member must answer soon, all must be equal, nothing acknowledged may be lost, and what
/// the clients saw must be linearizable. The same seed tells the same story on every machine.
#[derive(Parser)]
#[command(name = "etcdsim", version, after_long_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  cargo etcdsim run --seeds 1000                 the first thousand seeds on every core
  cargo etcdsim run --time 10m --out found       as many as ten minutes allow, and files of what was found
  cargo etcdsim replay 9c1f-swarm-m3             one of them: its plan and its verdict
  cargo etcdsim replay 0x9c1f --trace            and every event, one per line
  cargo etcdsim coverage found                   which faults happened how often, and which never
  cargo etcdsim corpus run                       every seed that once found a bug
  cargo etcdsim-plants run --seeds 1000 --plant vote_no_sync
                                                 can the simulator find this bug?
                                                 stops at the first seed that does

A failure is one line, and what stands behind `replay:` is the command that shows it again:
  FAIL linearizability seed=0x9c1f event=48211 (…)  replay: cargo etcdsim replay 9c1f-swarm-m3

Exit codes: 0 clean, 1 a rule was broken, 2 no judge could tell or wrong usage, 3 the simulator itself is wrong or a \
replay differs, 130 interrupted (the summary is still printed).";

#[derive(Subcommand)]
enum Command {
    /// Run seeds until one fails or all have run
    Run(run::Run),
    /// Run one seed again and show what happened
    Replay(replay::Replay),
    /// Show which faults and moments summaries saw, and which they never saw
    Coverage(coverage::Coverage),
    Shrink(shrink::Shrink),
    Explain(explain::Explain),
    Museum(museum::Museum),
    /// Make one summary of the summaries of several machines
    Merge(merge::Merge),
    /// Keep seeds that once found something, each with its story, and run them again
    Corpus(corpus::Corpus),
}

/// Why a command ends before its work, and how the process exits then.
#[derive(Debug)]
pub(crate) struct Stop {
    code: u8,
    text: String,
}

impl Stop {
    /// The simulator cannot do what it was made for.
    fn broken(text: impl Into<String>) -> Stop {
        Stop { code: BROKEN, text: text.into() }
    }
}

/// Wrong usage, unless it is said otherwise.
impl From<String> for Stop {
    fn from(text: String) -> Stop {
        Stop { code: UNKNOWN, text }
    }
}

pub fn main() -> ExitCode {
    // A member's panic is a finding and is reported as such; what std would print about it comes in between.
    detcd_runtime_sim::note_panics();
    let code = match &Cli::parse().command {
        Command::Run(run) => run.run(),
        Command::Replay(replay) => replay.run(),
        Command::Coverage(coverage) => coverage.run(),
        Command::Shrink(shrink) => shrink.run(),
        Command::Explain(explain) => explain.run(),
        Command::Museum(museum) => museum.run(),
        Command::Merge(merge) => merge.run(),
        Command::Corpus(corpus) => corpus.run(),
    };
    ExitCode::from(code.unwrap_or_else(|Stop { code, text }| {
        eprintln!("error: {text}");
        code
    }))
}

/// How a run that came to this ends.
fn exit_code(summary: &Summary) -> u8 {
    if summary.interrupted {
        INTERRUPTED
    } else if summary.broken + summary.differing > 0 {
        BROKEN
    } else if summary.failed > 0 {
        VIOLATION
    } else if summary.unknown > 0 {
        UNKNOWN
    } else {
        CLEAN
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        report::{Failure, How},
        story::{Options, Outcome, Verdict},
    };
    use detcd_runtime_sim::Digest;

    fn outcome(verdict: Verdict, digest: u128) -> Outcome {
        Outcome {
            seed: 7,
            verdict,
            digest: Digest(digest),
            events: 10,
            event: 4,
            simulated_ns: 1,
            counts: [("crash", 2)].into(),
            stats: Default::default(),
            work: Default::default(),
            expected: Default::default(),
            acked: 1,
            cpu_ns: 0,
            failed_ns: None,
            text: None,
            recording: None,
        }
    }

    #[test]
    fn the_worst_that_was_found_decides_how_a_run_ends() {
        let fail = Verdict::Fail { judge: "log".into(), text: "m1 lost 3".into() };
        let (unknown, broken) = (Verdict::Unknown("tangled".into()), Verdict::Broken("oops".into()));
        let mut summary = Summary::default();
        for (verdict, code) in [(Verdict::Clean, 0), (unknown, 2), (fail, 1), (broken, 3)] {
            let outcome = outcome(verdict, 1);
            summary.add(&outcome);
            if let Some(failure) = Failure::of(&outcome, Options::default(), &How::default()) {
                summary.add_failure(&failure);
            }
            assert_eq!(exit_code(&summary), code);
        }
        assert_eq!((summary.clean(), summary.failures.len()), (1, 3));
        summary.interrupted = true;
        assert_eq!(exit_code(&summary), INTERRUPTED);
    }

    #[test]
    fn a_seed_that_is_not_the_same_twice_is_the_simulators_fault() {
        let of_two =
            |one: &Outcome, two: &Outcome| Failure::of_two(one, two, Options::default(), &How::default());
        let one = outcome(Verdict::Clean, 1);
        assert_eq!(of_two(&one, &one), None);
        let mut others = vec![outcome(Verdict::Clean, 2), outcome(Verdict::Unknown(String::new()), 1)];
        for counts in [vec![("crash", 3)], vec![("crash", 2), ("pause", 1)], vec![]] {
            others.push(Outcome { counts: counts.into_iter().collect(), ..one.clone() });
        }
        others.push(Outcome { events: 11, ..one.clone() });
        for other in others {
            let failure = of_two(&one, &other).expect("it differs");
            let line = failure.to_string();
            assert!(line.starts_with("DIFFERS determinism seed=0x7 event=4 ("), "{line}");
            let mut summary = Summary::default();
            summary.add(&one);
            summary.add_failure(&failure);
            assert_eq!((summary.differing, exit_code(&summary)), (1, BROKEN));
        }
    }
}
