//! `etcdsim museum`: does the simulator find bugs? Plants each in turn, counts the seeds, and writes the page.
use super::{
    Stop,
    args::{self, planted},
};
use crate::{
    museum::{
        catalogue::{EXHIBITS, Exhibit},
        hunt::{Effort, Finds, hunt},
        page::{Made, page},
    },
    story::Options,
    token::Engine,
};
use clap::Args;
use detcd_core::{Plant, Plants};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
    time::Duration,
};

/// Plant every bug of the museum in turn and count the seeds until it is caught
#[derive(Args)]
#[command(after_help = "\
Examples:
  cargo etcdsim-plants museum --only commit_old_term --catches 3
  cargo etcdsim-plants museum --shrink 20s --out docs/museum.md --numbers simtests/museum/found.json
  cargo etcdsim-plants museum --check simtests/museum/found.json
                              hunts the quick ones again; fails if one takes three times as many seeds")]
pub struct Museum {
    /// Only these bugs
    #[arg(long, value_name = "BUG", value_delimiter = ',', value_parser = Plant::ALL.map(Plant::name))]
    only: Vec<String>,
    /// How often each is to be caught
    #[arg(long, default_value = "5")]
    catches: u64,
    /// Most seeds for one catch
    #[arg(long, value_name = "SEEDS", default_value = "100000")]
    budget: u64,
    /// Which simulation plays them
    #[arg(long, value_enum, default_value = "replica")]
    sim: Engine,
    #[arg(long, value_name = "J")]
    jobs: Option<usize>,
    /// How long to make the first failure of each bug small
    #[arg(long, value_name = "TIME", value_parser = args::duration)]
    shrink: Option<Duration>,
    /// Also hunt these by consequences only, with aiming and without, to show what aiming gives
    #[arg(long, value_name = "BUG", value_delimiter = ',', value_parser = Plant::ALL.map(Plant::name))]
    unaimed: Vec<String>,
    /// Most seeds for one catch without aiming [default: as with it]
    #[arg(long, value_name = "SEEDS")]
    unaimed_budget: Option<u64>,
    /// Show the figures of an earlier hunt too, for what is not hunted now
    #[arg(long, value_name = "FILE")]
    with: Option<PathBuf>,
    /// Write the page
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write the figures, for `--check`
    #[arg(long, value_name = "FILE")]
    numbers: Option<PathBuf>,
    /// Hunt those that these figures call quick, and fail if one takes three times as many seeds
    #[arg(long, value_name = "FILE", conflicts_with_all = ["out", "numbers", "only"])]
    check: Option<PathBuf>,
}

/// A bug is quick if it takes no more seeds than this, on average.
const QUICK_SEEDS: f64 = 60.0;

/// So many times as many seeds are a regression.
const WORSE: f64 = 3.0;

/// Luck must not fail a check: a few seeds more are always allowed.
const SLACK: f64 = 5.0;

impl Museum {
    /// Clean if everything was caught, a violation if something was not.
    pub(super) fn run(&self) -> Result<u8, Stop> {
        // Fails early where the bugs are not compiled in.
        planted(Plant::ALL[0].name())?;
        match &self.check {
            None => Ok(show(self)?),
            Some(file) => Ok(check(self, &read(file)?)?),
        }
    }
}

fn read(file: &Path) -> Result<Finds, String> {
    let json = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    serde_json::from_str(&json).map_err(|error| format!("{}: {error}", file.display()))
}

fn options(args: &Museum, exhibit: &Exhibit) -> Options {
    // `run` has seen to it that this build has them.
    let plants = planted(exhibit.plant.name()).unwrap_or(Plants::NONE);
    Options { engine: args.sim, profile: exhibit.profile(), plants, ..Options::default() }
}

fn effort(museum: &Museum, seeds_max: u64, shrink: Option<Duration>) -> Effort {
    let jobs = museum.jobs.unwrap_or_else(args::cores);
    Effort { catches: museum.catches.max(1), seeds_max, jobs, shrink }
}

fn search(
    args: &Museum,
    exhibits: &[&Exhibit],
    effort: Effort,
    how: impl Fn(Options) -> Options + Sync,
) -> Finds {
    let stop = AtomicBool::new(false);
    let each = |exhibit: &Exhibit| how(options(args, exhibit));
    hunt(exhibits, effort, each, &stop, |exhibit, caught| match caught {
        Ok(catch) => eprintln!(
            "{:<28} {:>6} seeds {:>8.2} CPU s  {} (seed {:#x})",
            exhibit.plant.name(),
            catch.seeds,
            catch.cpu_ns as f64 / 1e9,
            catch.judge,
            catch.seed
        ),
        Err(seeds) => eprintln!("{:<28} not found within {seeds} seeds", exhibit.plant.name()),
    })
}

fn show(args: &Museum) -> Result<u8, String> {
    let named = |names: &[String]| -> Vec<&Exhibit> {
        EXHIBITS.iter().filter(|exhibit| names.iter().any(|name| name == exhibit.plant.name())).collect()
    };
    let exhibits = if args.only.is_empty() { EXHIBITS.iter().collect() } else { named(&args.only) };
    let mut finds = search(args, &exhibits, effort(args, args.budget, args.shrink), |options| options);
    for (name, found) in args.with.as_deref().map_or(Ok(Finds::new()), read)? {
        finds.entry(name).or_insert(found);
    }
    let compared = named(&args.unaimed);
    let by_harm = |options| Options { causes: false, ..options };
    let aimed = search(args, &compared, effort(args, args.budget, None), by_harm);
    let budget = args.unaimed_budget.unwrap_or(args.budget);
    let without = |options| Options { aims: false, ..by_harm(options) };
    let unaimed = search(args, &compared, effort(args, budget, None), without);
    let made = Made { command: command(), engine: args.sim.name(), seeds_max: args.budget };
    let text = page(&made, &finds, &aimed, &unaimed);
    match &args.out {
        Some(path) => fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?,
        None => print!("{text}"),
    }
    if let Some(path) = &args.numbers {
        let json = serde_json::to_string_pretty(&finds).map_err(|error| error.to_string())?;
        fs::write(path, json + "\n").map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let missed: Vec<&str> =
        finds.iter().filter(|(_, found)| found.missed_seeds > 0).map(|(name, _)| name.as_str()).collect();
    if missed.is_empty() {
        return Ok(0);
    }
    println!("not always caught: {}", missed.join(", "));
    Ok(1)
}

fn check(args: &Museum, before: &Finds) -> Result<u8, String> {
    let quick: Vec<&Exhibit> = EXHIBITS
        .iter()
        .filter(|exhibit| {
            let mean = before.get(exhibit.plant.name()).and_then(|found| found.seeds_mean());
            mean.is_some_and(|mean| mean <= QUICK_SEEDS)
        })
        .collect();
    let seeds_max = (QUICK_SEEDS * WORSE + SLACK) as u64 * args.catches.max(1);
    let finds = search(args, &quick, effort(args, seeds_max, None), |options| options);
    let mut worse = Vec::new();
    for exhibit in &quick {
        let name = exhibit.plant.name();
        let (was, is) = (
            before.get(name).and_then(|found| found.seeds_mean()).unwrap_or_default(),
            finds.get(name).and_then(|found| found.seeds_mean()),
        );
        if is.is_none_or(|is| is > was * WORSE + SLACK) {
            let is = is.map_or_else(|| "not found".to_owned(), |is| format!("{is:.1} seeds"));
            worse.push(format!("{name}: {was:.1} seeds before, {is} now"));
        }
    }
    println!("{} quick bugs hunted, {} caught as soon as before", quick.len(), quick.len() - worse.len());
    for line in &worse {
        println!("WORSE {line}");
    }
    Ok(u8::from(!worse.is_empty()))
}

/// What was typed, as it can be typed again.
fn command() -> String {
    let args: Vec<String> = std::env::args().skip(1).collect();
    format!("cargo etcdsim-plants {}", args.join(" "))
}
