//! A summary to be read.
use super::{
    never,
    summary::{Summary, is_fault},
};
use std::fmt;

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.what_happened(f)?;
        self.what_failed(f)?;
        self.how_fast(f)?;
        writeln!(
            f,
            "{} clean, {} failed, {} unknown, {} broken",
            self.clean(),
            self.failed,
            self.unknown,
            self.broken
        )?;
        write!(f, "transcript {}", self.digest)
    }
}

impl Summary {
    fn what_happened(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (title, faults) in [("what went wrong", true), ("what was done", false)] {
            writeln!(f, "{title:<34} {:>12} {:>12}", "times", "in seeds")?;
            for (what, count) in self.counts.iter().filter(|(what, _)| is_fault(what) == faults) {
                writeln!(f, "  {what:<32} {:>12} {:>12}", count.times, count.seeds)?;
            }
        }
        let per_seed = |n: u64| n as f64 / self.seeds.max(1) as f64;
        for (what, n) in [("requests answered", self.acked), ("answers judged", self.checked)] {
            writeln!(f, "  {what:<32} {n:>12} {:>12.1} per seed", per_seed(n))?;
        }
        writeln!(f, "  {:<32} {:>12}", "writes of unknown fate", self.unknown_fate)?;
        writeln!(f, "  {:<32} {:>12} {:>12.0} per seed", "events", self.events, per_seed(self.events))?;
        writeln!(f, "  {:<32} {:>12}", "seeds that did next to nothing", self.vacuous)?;
        if self.verified > 0 {
            writeln!(f, "  {:<32} {:>12} {:>12} differed", "seeds run twice", self.verified, self.differing)?;
        }
        let never: Vec<&str> = never(&self.counts).collect();
        if !never.is_empty() {
            writeln!(f, "never happened: {}", never.join(", "))?;
        }
        Ok(())
    }

    fn what_failed(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.failures.is_empty() {
            return Ok(());
        }
        writeln!(f, "{:<34} {:>12}   first seed", "what was found, by fingerprint", "seeds")?;
        for (fingerprint, group) in &self.failures {
            let name = format!("{fingerprint} {} {}", group.kind, group.judge);
            writeln!(f, "  {name:<32} {:>12}   {:#x}", group.seeds, group.first_seed)?;
            writeln!(f, "    {}", group.shape)?;
        }
        Ok(())
    }

    fn how_fast(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |ns: u64| (ns as f64 / 1e9).max(0.001);
        let (wall, cpu) = (seconds(self.wall_ns), seconds(self.cpu_ns));
        let simulated = self.simulated_ns as f64 / 1e9;
        let runs: Vec<&str> = self.runs.iter().map(String::as_str).collect();
        writeln!(
            f,
            "{} seeds of {} in {wall:.1} s on {} thread{}: {:.1} seeds per second, {simulated:.0} simulated seconds, \
             {:.0} per wall second",
            self.seeds,
            if runs.is_empty() { "nothing".to_string() } else { runs.join(", ") },
            self.jobs,
            if self.jobs == 1 { "" } else { "s" },
            self.seeds as f64 / wall,
            simulated / wall,
        )?;
        if self.cpu_ns > 0 {
            writeln!(
                f,
                "{cpu:.1} CPU seconds: {:.1} seeds per CPU second, {:.0} simulated seconds per CPU second",
                self.seeds as f64 / cpu,
                simulated / cpu
            )?;
        }
        Ok(())
    }
}
