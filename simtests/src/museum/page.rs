//! The museum's page: what was planted, how soon it was found, by whom, and the smallest course of events that shows it.
use super::{
    catalogue::{EXHIBITS, Exhibit, WAITING},
    hunt::{Finds, Found},
};
use std::fmt::Write;

/// How the figures came about, in words.
pub struct Made {
    pub command: String,
    pub engine: &'static str,
    /// Most seeds that were played for one catch.
    pub seeds_max: u64,
}

/// The page in Markdown. `aimed` and `unaimed`: what was found by consequences alone with aiming and without, for the bugs
/// for which somebody looked.
pub fn page(made: &Made, finds: &Finds, aimed: &Finds, unaimed: &Finds) -> String {
    let mut page = String::new();
    let mut put = |line: &str| {
        page.push_str(line);
        page.push('\n');
    };
    let catches = finds.values().map(|found| found.catches.len()).max().unwrap_or(0);
    let caught = finds.values().filter(|found| found.seeds_mean().is_some()).count();
    put("# The museum of bugs");
    put("");
    put(&format!(
        "{caught} of {} planted bugs were caught from random seeds. Each is a switch that is compiled in only on request \
         (`--features plants`); most are bugs that a real system had. Seeds and CPU seconds are means of {catches} catches with \
         different seeds, in the {} simulation, all judges on; at most {} seeds were played for one catch.",
        EXHIBITS.len(),
        made.engine,
        made.seeds_max,
    ));
    put("");
    put("This page is written by the simulator:");
    put("");
    put(&format!("    {}", made.command));
    put("");
    put(
        "| | bug | what goes wrong | seen in | seeds | CPU s | caught by | faults | the smallest course found |",
    );
    put("|---|---|---|---|---:|---:|---|---:|---|");
    for exhibit in EXHIBITS {
        if let Some(found) = finds.get(exhibit.plant.name()) {
            put(&row(exhibit, found));
        }
    }
    if !unaimed.is_empty() {
        put("");
        put("## What aiming gives");
        put("");
        put(
            "The same plans without traps, with as many faults at random times instead; both judged by consequences only, \
             not by what a member says before its disk is done.",
        );
        put("");
        put("| bug | seeds, aimed | seeds, not aimed | gain |");
        put("|---|---:|---:|---:|");
        for (name, without) in unaimed {
            let Some(with) = aimed.get(name) else { continue };
            put(&format!("| `{name}` | {} | {} | {} |", seeds(with), seeds(without), gain(with, without)));
        }
    }
    put("");
    put("## Waiting");
    put("");
    put("These live in what is not built yet.");
    put("");
    put("| | bug | what goes wrong | waits for |");
    put("|---|---|---|---|");
    for waiting in WAITING {
        put(&format!(
            "| {} | `{}` | {} | {} |",
            waiting.number, waiting.name, waiting.what, waiting.waits_for
        ));
    }
    page
}

fn seeds(found: &Found) -> String {
    match found.seeds_mean() {
        Some(mean) => format!("{mean:.1}"),
        None if found.catches.is_empty() => format!("> {}", found.missed_seeds),
        None => {
            // Some attempts found nothing: all seeds together over the catches is the honest estimate.
            let played: u64 = found.catches.iter().map(|catch| catch.seeds).sum::<u64>() + found.missed_seeds;
            format!("about {}", played / found.catches.len() as u64)
        }
    }
}

fn gain(with: &Found, without: &Found) -> String {
    match (with.seeds_mean(), without.seeds_mean()) {
        (Some(with), Some(without)) => format!("{:.1} times", without / with),
        (Some(with), None) => format!("more than {:.0} times", without.missed_seeds as f64 / with),
        _ => "not known".to_owned(),
    }
}

fn row(exhibit: &Exhibit, found: &Found) -> String {
    let mut judges = String::new();
    for (judge, times) in found.judges() {
        write!(judges, "{}{judge} {times}", if judges.is_empty() { "" } else { ", " })
            .expect("a String takes everything");
    }
    let (course, faults) = match &found.smallest {
        Some((course, faults)) => (course.as_str(), faults.to_string()),
        None => ("", String::new()),
    };
    format!(
        "| {} | `{}` | {} | {} | {} | {:.2} | {judges} | {faults} | {course} |",
        exhibit.number,
        exhibit.plant.name(),
        exhibit.what,
        exhibit.seen_in,
        seeds(found),
        found.cpu_seconds_mean(),
    )
}
