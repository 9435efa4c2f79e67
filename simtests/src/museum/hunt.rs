//! Looks for planted bugs with random seeds: how many seeds and how much CPU until a judge says no, several times over
//! with other seeds, so that the mean means something.
use super::catalogue::Exhibit;
use crate::{
    shrink,
    story::{self, Options, Verdict},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// How hard to look.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// How often each bug is to be caught.
    pub catches: u64,
    /// Most seeds for one catch.
    pub seeds_max: u64,
    pub jobs: usize,
    /// How long to make the first failure small; none: not at all.
    pub shrink: Option<Duration>,
}

/// The seeds of each catch lie this far apart.
const STRIDE: u64 = 1_000_000;

/// One bug caught once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catch {
    /// The seed that showed it.
    pub seed: u64,
    /// How many were played, that one included.
    pub seeds: u64,
    pub cpu_ns: u64,
    pub judge: String,
}

/// What looking for one bug came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    pub catches: Vec<Catch>,
    /// Seeds played in vain, over all attempts that found nothing.
    pub missed_seeds: u64,
    /// How the smallest failing plan that was found reads, in one line, and how many faults it has.
    pub smallest: Option<(String, u64)>,
}

impl Found {
    /// Seeds to catch it, on average; none if some attempt failed.
    pub fn seeds_mean(&self) -> Option<f64> {
        let seeds: u64 = self.catches.iter().map(|catch| catch.seeds).sum();
        (self.missed_seeds == 0 && !self.catches.is_empty()).then(|| seeds as f64 / self.catches.len() as f64)
    }

    /// CPU seconds to catch it, on average.
    pub fn cpu_seconds_mean(&self) -> f64 {
        let ns: u64 = self.catches.iter().map(|catch| catch.cpu_ns).sum();
        ns as f64 / 1e9 / self.catches.len().max(1) as f64
    }

    /// Who said no, the most frequent first.
    pub fn judges(&self) -> Vec<(String, usize)> {
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for catch in &self.catches {
            *times.entry(&catch.judge).or_default() += 1;
        }
        let mut judges: Vec<(String, usize)> =
            times.into_iter().map(|(judge, times)| (judge.to_owned(), times)).collect();
        judges.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
        judges
    }
}

/// Everything that was looked for, by the plant's name.
pub type Finds = BTreeMap<String, Found>;

/// Looks for these bugs. `options` says how each is planted and played; `tell` is called after each catch or miss.
pub fn hunt(
    exhibits: &[&Exhibit],
    effort: Effort,
    options: impl Fn(&Exhibit) -> Options + Sync,
    stop: &AtomicBool,
    tell: impl Fn(&Exhibit, Result<&Catch, u64>) + Sync,
) -> Finds {
    let next = AtomicUsize::new(0);
    let finds: Mutex<Finds> = Mutex::default();
    let items = exhibits.len() * effort.catches as usize;
    std::thread::scope(|scope| {
        for _ in 0..effort.jobs.clamp(1, items.max(1)) {
            scope.spawn(|| {
                loop {
                    let item = next.fetch_add(1, Ordering::Relaxed);
                    if item >= items || stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let exhibit = exhibits[item / effort.catches as usize];
                    let attempt = (item % effort.catches as usize) as u64;
                    let options = options(exhibit);
                    let caught = catch(attempt * STRIDE, effort.seeds_max, options, stop);
                    tell(exhibit, caught.as_ref().map_err(|seeds| *seeds));
                    let smallest = match (&caught, effort.shrink) {
                        (Ok(catch), Some(budget)) if attempt == 0 => smallest(catch.seed, options, budget),
                        _ => None,
                    };
                    let mut finds = finds.lock().unwrap_or_else(PoisonError::into_inner);
                    let found = finds.entry(exhibit.plant.name().to_owned()).or_default();
                    match caught {
                        Ok(catch) => found.catches.push(catch),
                        Err(seeds) => found.missed_seeds += seeds,
                    }
                    found.smallest = found.smallest.take().or(smallest);
                }
            });
        }
    });
    let mut finds = finds.into_inner().unwrap_or_else(PoisonError::into_inner);
    for found in finds.values_mut() {
        found.catches.sort_by_key(|catch| catch.seed);
    }
    finds
}

/// Plays seeds until one fails. Err: how many were played in vain.
fn catch(from: u64, seeds_max: u64, options: Options, stop: &AtomicBool) -> Result<Catch, u64> {
    let mut cpu_ns = 0;
    for seed in from..from + seeds_max {
        if stop.load(Ordering::Relaxed) {
            return Err(seed - from);
        }
        let outcome = story::run(seed, options);
        cpu_ns += outcome.cpu_ns;
        if let Verdict::Fail { judge, .. } = outcome.verdict {
            return Ok(Catch { seed, seeds: seed - from + 1, cpu_ns, judge });
        }
    }
    Err(seeds_max)
}

fn smallest(seed: u64, options: Options, budget: Duration) -> Option<(String, u64)> {
    let plan = story::plan(seed, options);
    let shrunk = shrink::shrink(&plan, options, budget, |_, _| {})?;
    Some((shrink::in_one_line(&shrunk.plan), shrink::faults(&shrunk.plan)))
}
