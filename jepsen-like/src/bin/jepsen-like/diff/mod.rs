//! The differential judge: the same calls to two servers, every answer compared.

mod answer;
mod duel;
mod expiring;
mod explained;
mod gateway;
mod generate;
mod normal;
mod plan;
mod report;
mod round;
mod schema;
mod server;
mod shrink;
mod symbol;
mod waiting;
mod watching;
mod wire;

use std::cell::{Cell, RefCell};
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::task::Poll;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum as _};

use self::generate::{Area, Dice, Workload};
use self::plan::Step;
use self::report::Summary;
use self::round::{Arena, Findings};
use self::server::Source;
use self::shrink::Found;
use crate::fetch;

pub const DIFFERENT: u8 = 1;
pub const COULD_NOT_RUN: u8 = 2;

/// How often the line with the progress is written.
const PROGRESS: Duration = Duration::from_millis(500);

/// Makes the same calls to two servers and compares every answer
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct DiffArgs {
    /// The server under test: a program, or http://HOST:PORT of a fresh server
    #[arg(long, value_name = "SERVER")]
    a: String,
    /// The server to compare with: likewise, or 3.5.1 or 3.4.23 to fetch a real etcd
    #[arg(long, value_name = "SERVER", default_value = "3.5.1")]
    b: String,
    /// Where the first round's workload comes from; every round takes the next seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many calls to make in all; a round that was begun is played to its end
    #[arg(long, default_value_t = 20_000)]
    calls: u64,
    /// How many of them in one round, on servers that start empty
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..))]
    round: u64,
    /// Only these parts of the API
    #[arg(long, value_delimiter = ',', value_name = "AREA")]
    only: Vec<Area>,
    /// Make a third of the calls through the JSON gateway, where there is a path for them
    #[arg(long)]
    gateway: bool,
    /// Go on after a difference, until this many kinds of them were found
    #[arg(long, default_value_t = 1, value_name = "COUNT")]
    max_differences: usize,
    /// How many pairs of servers to keep busy at the same time; the rounds are the same, their order is not
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    jobs: u64,
    /// How long to spend on making one difference small, in seconds; 0: tell it as it is
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    shrink: u64,
    /// Where servers keep their data for the time of a round
    #[arg(long, value_name = "DIR", default_value_os_t = fast_folder())]
    dir: PathBuf,
    /// Leave the servers' data and logs where they are
    #[arg(long)]
    keep: bool,
}

const EXAMPLES: &str = "\
Examples:
  cargo jepsen-like diff --a target/release/etcd                   against etcd 3.5.1, which it fetches
  cargo jepsen-like diff --a target/release/etcd --b 3.4.23
  cargo jepsen-like diff --a target/release/etcd --only kv,watch --calls 200000
  cargo jepsen-like diff --a target/release/etcd --gateway         some of it as JSON over HTTP
  cargo jepsen-like diff --a target/release/etcd --seed 17 --calls 2000
                                                                   one round again
  cargo jepsen-like diff --a http://127.0.0.1:2379 --b http://127.0.0.1:12379 --calls 500 --round 500

Exit codes: 0 the same, 1 different, 2 could not be run.";

pub async fn run(args: &DiffArgs) -> ExitCode {
    match judge(args).await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(DIFFERENT),
        Err(error) => {
            eprintln!("jepsen-like: {error}");
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

/// How many kinds of differences there are.
async fn judge(args: &DiffArgs) -> Result<usize, String> {
    let sources = [source(&args.a)?, source(&args.b)?];
    let areas = if args.only.is_empty() { Area::value_variants().to_vec() } else { args.only.clone() };
    let findings = RefCell::new(Findings::default());
    let progress = RefCell::new(Progress::new(args.calls));
    let next = Cell::new(args.seed);
    // While one pair of servers waits for a clock or a disk, another can work.
    let worker = async |number: u64| {
        let folder = args.dir.join(format!("jepsen-like-{}-{number}", std::process::id()));
        let mut arena = Arena::new(sources.clone(), folder, args.keep);
        let goes_on = || {
            let findings = findings.borrow();
            findings.summary.calls() < args.calls && findings.kinds.len() < args.max_differences
        };
        while goes_on() {
            let seed = next.replace(next.get() + 1);
            let mut steps = round_of(seed, &areas, args.round.min(args.calls));
            if args.gateway {
                let mut dice = Dice::new(!seed);
                steps.iter_mut().for_each(|step| step.caller.gateway = dice.percent(33));
            }
            let found = arena.play(&steps, |_, step, judged| {
                findings.borrow_mut().summary.add(step, judged);
                progress.borrow_mut().tell(&findings.borrow().summary);
            });
            if let Some((at, clash)) = found.await? {
                let times = findings.borrow().kinds.get(&clash.fingerprint()).copied().unwrap_or(0);
                findings.borrow_mut().kinds.insert(clash.fingerprint(), times + 1);
                if times == 0 {
                    let text = small(args, &mut arena, seed, (at, clash), &steps[..=at]).await?;
                    progress.borrow().clear();
                    println!("{text}");
                }
            }
        }
        Ok(())
    };
    let workers = (0..args.jobs.min(args.calls.div_ceil(args.round))).map(worker);
    all(workers.collect()).await?;
    let progress = progress.into_inner();
    progress.clear();
    let Findings { summary, kinds } = findings.into_inner();
    println!("{}", summary.text(&kinds, progress.begin.elapsed()));
    Ok(kinds.len())
}

fn source(text: &str) -> Result<Source, String> {
    match fetch::Version::from_str(text, false) {
        Ok(version) => Ok(Source::Program(fetch::fetch(version, &fetch::default_folder())?.join("etcd"))),
        Err(_) => Ok(Source::parse(text)),
    }
}

/// Makes a difference small, if its servers can be had again, and tells it.
async fn small(
    args: &DiffArgs,
    arena: &mut Arena,
    seed: u64,
    (at, clash): Found,
    steps: &[Step],
) -> Result<String, String> {
    if !arena.is_fresh_each_time() || args.shrink == 0 {
        return Ok(report::found(seed, at, &[], &clash));
    }
    let schema = arena.schema.clone();
    let budget = Duration::from_secs(args.shrink);
    let attempt = async |steps: &[Step]| arena.play(steps, |_, _, _| {}).await;
    let small = shrink::shrink(&schema, steps.to_vec(), clash, budget, attempt).await?;
    // Once more, to hear it in words.
    let mut said = Vec::new();
    let again = arena.play(&small.steps, |duel, step, _| said.push(duel.words(step))).await?;
    let clash = again.map_or(small.clash, |(_, clash)| clash);
    Ok(report::found(seed, at, &said, &clash))
}

/// Lets all of them run until the end, or until one fails.
async fn all<F: Future<Output = Result<(), String>>>(futures: Vec<F>) -> Result<(), String> {
    let mut running: Vec<_> = futures.into_iter().map(Box::pin).collect();
    std::future::poll_fn(move |context| {
        let mut failed = None;
        running.retain_mut(|future| match future.as_mut().poll(context) {
            Poll::Ready(Ok(())) => false,
            Poll::Ready(Err(error)) => {
                failed = Some(error);
                false
            }
            Poll::Pending => true,
        });
        match failed {
            Some(error) => Poll::Ready(Err(error)),
            None if running.is_empty() => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    })
    .await
}

/// The steps of one round: so many calls, and what belongs to them.
fn round_of(seed: u64, areas: &[Area], calls: u64) -> Vec<Step> {
    let mut left = calls;
    let mut steps: Vec<Step> = Workload::new(seed, areas)
        .take_while(|step| {
            let more = left > 0;
            left = left.saturating_sub(u64::from(step.is_call()));
            more
        })
        .collect();
    steps.push(Step::settle());
    steps
}

/// Memory, where there is such a folder: real servers wait for disks after every call.
fn fast_folder() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

/// A line on a terminal that says how far it is.
struct Progress {
    calls: u64,
    begin: Instant,
    told: Instant,
    shown: bool,
}

impl Progress {
    fn new(calls: u64) -> Progress {
        let now = Instant::now();
        Progress { calls, begin: now, told: now, shown: std::io::stderr().is_terminal() }
    }

    fn tell(&mut self, summary: &Summary) {
        if !self.shown || self.told.elapsed() < PROGRESS {
            return;
        }
        self.told = Instant::now();
        let done = summary.calls();
        let rate = done as f64 / self.begin.elapsed().as_secs_f64();
        let bar = "#".repeat((done * 30 / self.calls.max(1)).min(30) as usize);
        self.write(&format!("[{bar:30}] {done} of {} calls, {rate:.0} a second", self.calls));
    }

    fn clear(&self) {
        if self.shown {
            self.write("");
        }
    }

    fn write(&self, text: &str) {
        // A terminal that is gone is no reason to stop.
        let _ = write!(std::io::stderr(), "\r\x1b[K{text}");
    }
}

#[cfg(test)]
mod tests;
