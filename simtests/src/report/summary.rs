//! What many runs came to.
use super::never;
use crate::story::{Outcome, Verdict};
use detcd_runtime_sim::Digest;
use std::{collections::BTreeMap, fmt, time::Duration};

/// The command that plays a seed again.
pub fn replay_command(seed: u64, plant: Option<&str>) -> String {
    match plant {
        None => format!("cargo etcdsim replay {seed:#x}"),
        Some(plant) => format!("cargo etcdsim-plants replay {seed:#x} --plant {plant}"),
    }
}

/// One line that can be pasted into a shell from `replay:` on.
pub fn failure_line(outcome: &Outcome, plant: Option<&str>) -> Option<String> {
    let (word, judge, text) = match &outcome.verdict {
        Verdict::Clean => return None,
        Verdict::Fail { judge, text } => ("FAIL", judge.as_str(), text.as_str()),
        Verdict::Unknown(text) => ("UNKNOWN", "linearizability", text.as_str()),
        Verdict::Broken(text) => ("BROKEN", "simulator", text.as_str()),
    };
    let first = text.lines().next().unwrap_or_default();
    let replay = replay_command(outcome.seed, plant);
    Some(format!("{word} {judge} seed={:#x} ({first})  replay: {replay}", outcome.seed))
}

#[derive(Clone, Debug, Default)]
pub struct Summary {
    pub seeds: u64,
    pub failed: u64,
    pub unknown: u64,
    pub broken: u64,
    pub vacuous: u64,
    /// Every seed's digest, joined so that the order of running does not matter.
    pub digest: Digest,
    simulated_ns: u64,
    events: u64,
    acked: u64,
    checked: u64,
    unknown_fate: u64,
    counts: BTreeMap<&'static str, (u64, u64)>,
    /// How often each judge said no, and the first seed.
    judges: BTreeMap<String, (u64, u64)>,
    pub wall: Duration,
    pub jobs: usize,
}

impl Summary {
    pub fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        self.digest = self.digest.join(outcome.seed, outcome.digest);
        self.simulated_ns += outcome.simulated_ns;
        self.events += outcome.events;
        self.acked += outcome.acked;
        self.checked += outcome.stats.checked;
        self.unknown_fate += outcome.stats.unknown_fate;
        self.vacuous += u64::from(outcome.is_vacuous());
        for (&what, &n) in &outcome.counts {
            let (total, seeds) = self.counts.entry(what).or_default();
            *total += n;
            *seeds += 1;
        }
        match &outcome.verdict {
            Verdict::Clean => {}
            Verdict::Fail { judge, .. } => {
                self.failed += 1;
                let (times, first) = self.judges.entry(judge.clone()).or_insert((0, outcome.seed));
                *times += 1;
                *first = (*first).min(outcome.seed);
            }
            Verdict::Unknown(_) => self.unknown += 1,
            Verdict::Broken(_) => self.broken += 1,
        }
    }

    /// Everything that was made to go wrong so far.
    pub fn faults(&self) -> u64 {
        self.counts.iter().filter(|(what, _)| is_fault(what)).map(|(_, (n, _))| n).sum()
    }
}

/// Whether a count is of something that went wrong, and not of work.
fn is_fault(what: &str) -> bool {
    !matches!(
        what,
        "net: message delivered"
            | "net: peer call"
            | "raft: leader elected"
            | "member: stopped in good order"
    ) && !what.starts_with("client: ")
        && !what.starts_with("seen: ")
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let section = |f: &mut fmt::Formatter<'_>, title: &str, faults: bool| {
            writeln!(f, "{title:<34} {:>12} {:>12}", "times", "in seeds")?;
            for (what, (n, seeds)) in self.counts.iter().filter(|(what, _)| is_fault(what) == faults) {
                writeln!(f, "  {what:<32} {n:>12} {seeds:>12}")?;
            }
            Ok(())
        };
        section(f, "what went wrong", true)?;
        section(f, "what was done", false)?;
        let per_seed = |n: u64| n as f64 / self.seeds.max(1) as f64;
        writeln!(
            f,
            "  {:<32} {:>12} {:>12.1} per seed",
            "requests answered",
            self.acked,
            per_seed(self.acked)
        )?;
        writeln!(f, "  {:<32} {:>12}", "answers judged", self.checked)?;
        writeln!(f, "  {:<32} {:>12}", "writes of unknown fate", self.unknown_fate)?;
        writeln!(f, "  {:<32} {:>12} {:>12.0} per seed", "events", self.events, per_seed(self.events))?;
        writeln!(f, "  {:<32} {:>12}", "seeds that did next to nothing", self.vacuous)?;
        let never: Vec<&str> = never(&self.counts).collect();
        if !never.is_empty() {
            writeln!(f, "never happened: {}", never.join(", "))?;
        }
        if !self.judges.is_empty() {
            writeln!(f, "{:<34} {:>12}   first seed", "which judges said no", "seeds")?;
            for (judge, (times, first)) in &self.judges {
                writeln!(f, "  {judge:<32} {times:>12}   {first:#x}")?;
            }
        }
        let wall = self.wall.as_secs_f64().max(0.001);
        let simulated = self.simulated_ns as f64 / 1e9;
        writeln!(
            f,
            "{} seeds in {wall:.1} s on {} thread{}: {:.1} seeds per second, {simulated:.0} simulated seconds, {:.0} \
             per wall second",
            self.seeds,
            self.jobs,
            if self.jobs == 1 { "" } else { "s" },
            self.seeds as f64 / wall,
            simulated / wall,
        )?;
        writeln!(
            f,
            "{} clean, {} failed, {} unknown, {} broken",
            self.seeds - self.failed - self.unknown - self.broken,
            self.failed,
            self.unknown,
            self.broken
        )?;
        write!(f, "transcript {}", self.digest)
    }
}
