//! The simulator's command line: runs seeds, replays one.
use clap::{Args, Parser, Subcommand, ValueEnum};
use detcd_core::{Plant, Plants};
use detcd_simtests::{
    report::{Mode, Progress, Summary, failure_line},
    story::{self, Options, Outcome, Verdict},
};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};
use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    time::Instant,
};

const CLEAN: u8 = 0;
const VIOLATION: u8 = 1;
const UNKNOWN: u8 = 2;
const BROKEN: u8 = 3;
const INTERRUPTED: u8 = 130;

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
  cargo etcdsim run --seeds 5000..6000 --jobs 1  these, on one
  cargo etcdsim run --seed 0x9c1f                one seed
  cargo etcdsim replay 0x9c1f                    its plan and its verdict
  cargo etcdsim replay 0x9c1f --trace            and every event, one per line
  cargo etcdsim-plants run --seeds 1000 --plant vote_no_sync
                                                 can the simulator find this bug?
                                                 stops at the first seed that does

A failure is one line, and what stands behind `replay:` is the command that shows it again:
  FAIL linearizability seed=0x9c1f (…)  replay: cargo etcdsim replay 0x9c1f

Exit codes: 0 clean, 1 a rule was broken, 2 no judge could tell or wrong usage, 3 the simulator itself is wrong, \
130 interrupted (the summary is still printed).";

#[derive(Subcommand)]
enum Command {
    /// Run seeds until one fails or all have run
    Run(Run),
    /// Run one seed again and show what happened
    Replay(Replay),
}

#[derive(Args)]
struct Run {
    /// How many seeds from 0 on, or which: 1000, 5000..6000
    #[arg(long, value_name = "N|A..B", default_value = "100", value_parser = seeds)]
    seeds: (u64, u64),
    /// Only this seed (decimal or 0x hexadecimal)
    #[arg(long, value_name = "SEED", conflicts_with = "seeds", value_parser = seed)]
    seed: Option<u64>,
    /// How many seeds at the same time [default: one per core]
    #[arg(long, value_name = "J")]
    jobs: Option<usize>,
    /// Go on after a failure
    #[arg(long)]
    keep_going: bool,
    #[arg(long, value_enum, default_value = "auto")]
    progress: Show,
    #[command(flatten)]
    how: How,
}

#[derive(Args)]
struct Replay {
    /// Decimal or 0x hexadecimal
    #[arg(value_parser = seed)]
    seed: u64,
    /// Print every event
    #[arg(long)]
    trace: bool,
    #[command(flatten)]
    how: How,
}

#[derive(Args)]
struct How {
    /// Plant a bug in every member; the simulator must find it
    #[arg(long, value_name = "BUG", value_parser = Plant::ALL.map(Plant::name))]
    plant: Option<String>,
    /// Judge by consequences only: not whether a member spoke before its disk was done, but whether harm came of it
    #[arg(long)]
    consequences_only: bool,
    /// Let no trouble wait for the worst moment; as much of it falls at random times instead
    #[arg(long)]
    no_aim: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Show {
    /// A bar on a terminal, lines elsewhere
    Auto,
    /// A line every few seconds
    Plain,
    None,
}

fn seed(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| "a seed is a number, decimal or hexadecimal with 0x, below 2^64".to_string())
}

fn seeds(text: &str) -> Result<(u64, u64), String> {
    let (from, to) = match text.split_once("..") {
        Some((from, to)) => (seed(from)?, seed(to)?),
        None => (0, seed(text)?),
    };
    if from < to { Ok((from, to)) } else { Err("there are no seeds in this range".to_string()) }
}

impl How {
    fn options(&self, trace: bool) -> Result<Options, String> {
        let plants = match &self.plant {
            None => Plants::NONE,
            Some(name) => planted(name)?,
        };
        Ok(Options { plants, trace, causes: !self.consequences_only, aim: !self.no_aim })
    }
}

#[cfg(feature = "plants")]
fn planted(name: &str) -> Result<Plants, String> {
    let plant = Plant::ALL.into_iter().find(|plant| plant.name() == name);
    plant.map(Plants::only).ok_or_else(|| format!("there is no planted bug {name}"))
}

#[cfg(not(feature = "plants"))]
fn planted(_: &str) -> Result<Plants, String> {
    Err("this etcdsim was built without planted bugs. With them: cargo etcdsim-plants …, which is\n  \
         cargo run --release -p detcd-simtests --features plants --bin etcdsim -- …"
        .to_string())
}

fn main() -> ExitCode {
    // A member's panic is a finding and is reported as such; what std would print about it comes in between.
    std::panic::set_hook(Box::new(|_| {}));
    let cli = Cli::parse();
    let code = match &cli.command {
        Command::Run(run) => run_seeds(run),
        Command::Replay(replay) => replay_seed(replay),
    };
    ExitCode::from(code.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        UNKNOWN
    }))
}

fn run_seeds(run: &Run) -> Result<u8, String> {
    let options = run.how.options(false)?;
    let plant = run.how.plant.as_deref();
    let (from, to) = run.seed.map_or(run.seeds, |seed| (seed, seed.saturating_add(1)));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = run.jobs.unwrap_or(cores).clamp(1, (to - from).min(1024) as usize);
    let mode = match run.progress {
        Show::Auto => Mode::auto(),
        Show::Plain => Mode::Plain,
        Show::None => Mode::None,
    };

    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The second one does not wait for the seeds that are under way.
        flag::register_conditional_shutdown(signal, i32::from(INTERRUPTED), interrupted.clone())
            .and_then(|_| flag::register(signal, interrupted.clone()))
            .map_err(|error| format!("no handler for signal {signal}: {error}"))?;
    }

    let began = Instant::now();
    let mut summary = Summary::default();
    summary.jobs = jobs;
    let mut progress = Progress::new(mode, to - from);
    let next = AtomicU64::new(from);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (done, outcomes) = mpsc::channel::<Outcome>();
        for _ in 0..jobs {
            let (done, next, stop, interrupted) = (done.clone(), &next, &stop, interrupted.clone());
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) && !interrupted.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= to {
                        return;
                    }
                    let outcome = story::run(seed, options);
                    if outcome.verdict != Verdict::Clean && !run.keep_going {
                        stop.store(true, Ordering::Relaxed);
                    }
                    if done.send(outcome).is_err() {
                        return;
                    }
                }
            });
        }
        drop(done);
        for outcome in outcomes {
            summary.add(&outcome);
            if let Some(line) = failure_line(&outcome, plant) {
                progress.clear();
                println!("{line}");
            }
            progress.show(summary.seeds, summary.faults(), summary.failed);
        }
    });
    progress.clear();
    summary.wall = began.elapsed();
    println!("{summary}");
    if let Some(plant) = plant {
        let verdict = if summary.failed > 0 { "found" } else { "NOT found" };
        println!("planted bug {plant}: {verdict} within {} seeds", summary.seeds);
    }
    Ok(if interrupted.load(Ordering::Relaxed) {
        INTERRUPTED
    } else if summary.broken > 0 {
        BROKEN
    } else if summary.failed > 0 {
        VIOLATION
    } else if summary.unknown > 0 {
        UNKNOWN
    } else {
        CLEAN
    })
}

fn replay_seed(replay: &Replay) -> Result<u8, String> {
    let options = replay.how.options(replay.trace)?;
    println!("{}", story::plan(replay.seed, &options));
    let outcome = story::run(replay.seed, options);
    if let Some(text) = &outcome.text {
        print!("{text}");
    }
    for (what, n) in &outcome.counts {
        println!("{what:<34} {n:>8}");
    }
    println!(
        "{} events, {} requests answered, {:.1} simulated seconds",
        outcome.events,
        outcome.acked,
        outcome.simulated_ns as f64 / 1e9
    );
    if let Verdict::Fail { text, .. } = &outcome.verdict {
        println!("{text}");
    }
    match failure_line(&outcome, replay.how.plant.as_deref()) {
        Some(line) => println!("{line}"),
        None => println!("CLEAN seed={:#x}", outcome.seed),
    }
    println!("transcript {}", outcome.digest);
    Ok(match outcome.verdict {
        Verdict::Clean => CLEAN,
        Verdict::Fail { .. } => VIOLATION,
        Verdict::Unknown(_) => UNKNOWN,
        Verdict::Broken(_) => BROKEN,
    })
}
