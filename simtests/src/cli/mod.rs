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
  cargo etcdsim replay 9c1f-swarm-m1             one of them: its plan and its verdict
  cargo etcdsim replay 0x9c1f --trace            and every event, one per line
  cargo etcdsim coverage found                   which faults happened how often, and which never
  cargo etcdsim corpus run                       every seed that once found a bug
  cargo etcdsim-plants run --seeds 1000 --plant vote_no_sync
                                                 can the simulator find this bug?
                                                 stops at the first seed that does

A failure is one line, and what stands behind `replay:` is the command that shows it again:
  FAIL linearizability seed=0x9c1f event=48211 (…)  replay: cargo etcdsim replay 9c1f-swarm-m1

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
