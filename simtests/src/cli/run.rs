//! `etcdsim run`: many seeds.
use super::{
    Stop,
    args::{self, Form, HowArgs, Seeds, Shard},
    exit_code,
    pool::{Done, Pool, Task, cpu_time},
};
use crate::{
    plan::Plan,
    profile::Profile,
    report::{Failure, How, Mode, Progress, Summary},
    shrink,
    story::{self, Choices, Options},
    token::Engine,
};
use clap::{Args, ValueEnum};
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Seeds that are run if nobody says how many.
const SEEDS: u64 = 100;
/// Files of failures that are kept for one fingerprint: more would not say more.
const FILES_PER_FINGERPRINT: u64 = 100;

/// Run seeds until one fails or all have run
#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Run {
    /// How many seeds from 0 on, or which: 1000, 5000..6000, 9c1f..+500 [default: 100, or no end with --time]
    #[arg(long, value_name = "N|A..B", value_parser = args::seeds)]
    seeds: Option<Seeds>,
    /// Only this seed; with --time or --until-failure, from this seed on. Decimal, 0x hexadecimal, or a commit's hash
    #[arg(long, value_name = "SEED", conflicts_with = "seeds", value_parser = args::seed)]
    seed: Option<u64>,
    /// Go on without end until a seed fails
    #[arg(long, conflicts_with_all = ["seeds", "keep_going"])]
    until_failure: bool,
    /// Begin no more seeds after this time: 90s, 10m, 1h30m
    #[arg(long, value_name = "TIME", value_parser = args::duration)]
    time: Option<Duration>,
    /// How many seeds at the same time [default: one per core]
    #[arg(long, value_name = "J")]
    jobs: Option<usize>,
    /// Go on after a failure
    #[arg(long)]
    keep_going: bool,
    /// Which stories: swarm, quick, disk, watch, lease
    #[arg(long, default_value = "swarm", value_parser = args::profile)]
    profile: Profile,
    /// Which simulation plays them
    #[arg(long, value_enum, default_value = "member")]
    sim: Engine,
    /// This process is the I-th of N that share the seeds
    #[arg(long, value_name = "I/N", value_parser = args::shard)]
    shard: Option<Shard>,
    /// Run this share of the seeds twice and compare
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = args::percent)]
    verify: u32,
    /// How the end is told on standard output
    #[arg(long, value_enum, default_value = "text")]
    summary: Form,
    /// Write summary.json, junit.xml and a file per failure here
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Make the first failure of each fingerprint small, for about this long, and keep it beside the others
    #[arg(long, value_name = "TIME", requires = "out", value_parser = args::duration)]
    shrink: Option<Duration>,
    #[arg(long, value_enum, default_value = "auto")]
    progress: Show,
    #[command(flatten)]
    how: HowArgs,
}

const EXAMPLES: &str = "\
Examples:
  cargo etcdsim run --seeds 1000                        seeds 0 to 999 on every core; stops at the first failure
  cargo etcdsim run --seeds 5000..6000 --jobs 1         these, on one
  cargo etcdsim run --seeds $(git rev-parse HEAD)..+300 three hundred that belong to this commit
  cargo etcdsim run --until-failure                     go to lunch
  cargo etcdsim run --time 10m --keep-going --out found ten minutes, and all that was found in files
  cargo etcdsim run --time 1h --shard 3/20 --out out    the third of twenty machines; see `etcdsim merge`
  cargo etcdsim run --seeds 1000 --verify 5             one seed in twenty is run twice and must be the same
  cargo etcdsim run --profile quick --seeds 10000       small and short stories
  cargo etcdsim run --sim replica --seeds 10000         the faster simulation
  cargo etcdsim run --time 1h --out out --shrink 60s    and each kind of failure made small
  cargo etcdsim-plants run --seeds 1000 --plant vote_no_sync
                                                        find a bug that was put there

Profiles:
  swarm  everything, each seed with its own subset      quick  at most three members and short storms
  disk   disks and power; the links are fine            watch  many watchers, deletes and compactions
  lease  many leases                                    auth   users with permissions that change
  members  members are added, removed and replaced

Failures are told as they are found, one line each, and at the end once per fingerprint: judge and place without what
differs from seed to seed. At most 100 files are kept for one fingerprint.

Exit codes: 0 clean, 1 a rule was broken, 2 no judge could tell or wrong usage, 3 the simulator itself is wrong, \
130 interrupted (the summary is still written).";

#[derive(Clone, Copy, ValueEnum)]
enum Show {
    /// A bar on a terminal, lines elsewhere
    Auto,
    /// A line every few seconds
    Plain,
    None,
}

impl Run {
    pub(super) fn run(&self) -> Result<u8, Stop> {
        let how = self.how.how();
        let options = args::options(&how, self.profile, self.sim)?;
        let seeds = self.which();
        let shard = self.shard.unwrap_or(Shard { index: 0, of: 1 });
        let ours = seeds.count.saturating_sub(shard.index).div_ceil(shard.of);
        let total = (seeds.count < u64::MAX).then_some(ours);

        let jobs = self.jobs.unwrap_or_else(args::cores).min(usize::try_from(ours).unwrap_or(usize::MAX));
        let mut pool = Pool::new(jobs)?;
        pool.keep_going = self.keep_going;
        pool.verify = self.verify;
        let began = Instant::now();
        pool.deadline = self.time.map(|time| began + time);
        let mut told = Told {
            summary: Summary::default(),
            progress: Progress::new(self.mode(), total, self.time),
            how: how.clone(),
            form: self.summary,
            out: self.out.as_deref().map(Out::new).transpose()?,
            shrink: self.shrink,
        };
        told.summary.jobs = pool.jobs as u64;
        told.summary.runs.insert(args::label(&how, self.profile, self.sim));

        let task = |number: u64| {
            let index = number.checked_mul(shard.of)?.checked_add(shard.index)?;
            (index < seeds.count).then(|| Task { seed: seeds.first.wrapping_add(index), options, run: None })
        };
        pool.run(task, |done| told.tell(&done))?;
        told.progress.clear();
        let mut summary = told.summary;
        summary.wall_ns = nanos(began.elapsed());
        summary.cpu_ns = nanos(cpu_time());
        summary.interrupted = pool.is_interrupted();
        if let Some(out) = &told.out {
            out.write("summary.json", &summary.to_json())?;
            out.write("junit.xml", &summary.to_junit())?;
        }
        println!("{}", self.summary.show(&summary));
        if let (Some(plant), Form::Text) = (&how.plant, self.summary) {
            let verdict = if summary.failed > 0 { "found" } else { "NOT found" };
            println!("planted bug {plant}: {verdict} within {} seeds", summary.seeds);
        }
        Ok(exit_code(&summary))
    }

    fn which(&self) -> Seeds {
        let endless = self.until_failure || self.time.is_some();
        let count = if endless { u64::MAX } else { SEEDS };
        match (self.seeds, self.seed) {
            (Some(seeds), _) => seeds,
            (None, Some(first)) => Seeds { first, count: if endless { u64::MAX } else { 1 } },
            (None, None) => Seeds { first: 0, count },
        }
    }

    fn mode(&self) -> Mode {
        match self.progress {
            Show::Auto => Mode::auto(),
            Show::Plain => Mode::Plain,
            Show::None => Mode::None,
        }
    }
}

pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Everything that is told while seeds run.
struct Told {
    summary: Summary,
    progress: Progress,
    how: How,
    form: Form,
    out: Option<Out>,
    shrink: Option<Duration>,
}

impl Told {
    fn tell(&mut self, done: &Done) -> Result<(), String> {
        let Done { options, outcome, again, .. } = done;
        self.summary.add(outcome);
        let mut failures: Vec<Failure> = Failure::of(outcome, *options, &self.how).into_iter().collect();
        if let Some(again) = again {
            self.summary.verified += 1;
            failures.extend(Failure::of_two(outcome, again, *options, &self.how));
        }
        for mut failure in failures {
            self.progress.clear();
            // What a tool reads on standard output has no lines in between.
            match self.form {
                Form::Text => println!("{failure}"),
                Form::Json | Form::Junit => eprintln!("{failure}"),
            }
            let of_its_kind = self.summary.add_failure(&failure);
            if let Some(out) = self.out.as_ref().filter(|_| of_its_kind <= FILES_PER_FINGERPRINT) {
                // Played once more to record its choices: nobody pays for them while all is well.
                let plan = story::plan(outcome.seed, *options);
                let played = story::play_with(plan.clone(), *options, Choices::Record);
                failure = failure.with_run(&plan, &played);
                out.keep(&failure)?;
                if let Some(budget) = self.shrink.filter(|_| of_its_kind == 1) {
                    out.keep_small(&plan, *options, &self.how, budget)?;
                }
            }
        }
        let summary = &self.summary;
        let wrong = summary.failed + summary.broken + summary.differing;
        self.progress.show(summary.seeds, || summary.faults(), wrong);
        Ok(())
    }
}

/// The folder for what is kept.
struct Out(PathBuf);

impl Out {
    fn new(folder: &Path) -> Result<Out, String> {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Out(folder.to_path_buf()))
    }

    fn write(&self, name: &str, text: &str) -> Result<(), String> {
        let path = self.0.join(name);
        fs::write(&path, format!("{}\n", text.trim_end()))
            .map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Keeps a small version of a failure.
    fn keep_small(&self, plan: &Plan, options: Options, how: &How, budget: Duration) -> Result<(), String> {
        let Some(shrunk) = shrink::shrink(plan, options, budget, |_, _| {}) else { return Ok(()) };
        let Some(small) = Failure::of(&shrunk.played.outcome, options, how) else { return Ok(()) };
        let small = small.with_run(&shrunk.plan, &shrunk.played);
        let text =
            serde_json::to_string_pretty(&small).map_err(|error| format!("{}: {error}", small.token))?;
        self.write(&format!("failures/{}-{}.small.json", small.token, small.fingerprint), &text)
    }

    fn keep(&self, failure: &Failure) -> Result<(), String> {
        let folder = self.0.join("failures");
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let text = serde_json::to_string(failure).map_err(|error| format!("{}: {error}", failure.token))?;
        self.write(&format!("failures/{}-{}.json", failure.token, failure.fingerprint), &text)
    }
}
