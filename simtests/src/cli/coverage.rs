//! `etcdsim coverage`: what happened, and what never did. A fault that never happens tests nothing.
use super::{CLEAN, Stop, VIOLATION, merge};
use crate::{
    profile::Profile,
    report::{Summary, is_fault, never},
};
use clap::Args;
use std::path::PathBuf;

/// With so many seeds, everything that is expected must have happened.
const SEEDS_ENOUGH: u64 = 1_000;

/// Show which faults and moments summaries saw, and which they never saw
#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Coverage {
    /// Files that `run --out` or `run --summary json` wrote, or folders with such files in them
    #[arg(value_name = "FILE|DIR", required = true)]
    files: Vec<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  cargo etcdsim run --seeds 1000 --out out && cargo etcdsim coverage out
  cargo etcdsim coverage night/*/summary.json

Exit codes: 0 all is well, or fewer than 1,000 seeds of the profile swarm were run; 1 something that is expected \
never happened in 1,000 seeds or more; 2 wrong usage.";

impl Coverage {
    pub(super) fn run(&self) -> Result<u8, Stop> {
        let summary = merge::read(&self.files)?;
        for (title, faults) in [("faults", true), ("moments and work", false)] {
            println!("{title:<34} {:>12} {:>12} {:>16}", "times", "in seeds", "per 1,000 seeds");
            for (what, count) in summary.counts.iter().filter(|(what, _)| is_fault(what) == faults) {
                let per_1000 = count.seeds as f64 * 1000.0 / summary.seeds.max(1) as f64;
                println!("  {what:<32} {:>12} {:>12} {per_1000:>16.1}", count.times, count.seeds);
            }
            println!();
        }
        println!("{} answers judged, {} requests answered", summary.checked, summary.acked);
        println!("{} of {} seeds did next to nothing", summary.vacuous, summary.seeds);
        Ok(verdict(&summary))
    }
}

fn verdict(summary: &Summary) -> u8 {
    let missing: Vec<&str> = never(&summary.counts).collect();
    if missing.is_empty() {
        println!("everything that is expected has happened");
        return CLEAN;
    }
    println!("never happened: {}", missing.join(", "));
    let swarm = summary.runs.iter().any(|run| run.starts_with(Profile::Swarm.name()));
    if !swarm {
        println!("only the profile swarm promises everything, and it was not run");
        return CLEAN;
    }
    if summary.seeds < SEEDS_ENOUGH {
        println!("{} seeds are too few to expect everything; {SEEDS_ENOUGH} are enough", summary.seeds);
        return CLEAN;
    }
    println!(
        "{} of what is expected did not happen in {} seeds: the simulator is weaker than it should be",
        missing.len(),
        summary.seeds
    );
    VIOLATION
}
