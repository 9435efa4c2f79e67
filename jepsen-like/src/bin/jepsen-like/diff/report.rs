//! What is told at the end, and when something differs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use super::duel::Clash;
use super::explained;
use super::plan::Step;
use super::round::Judged;

/// How many steps are told, the last ones.
const STEPS_MAX: usize = 40;

/// Calls to one method, by what became of them.
#[derive(Clone, Copy, Default)]
struct Row {
    same: u64,
    explained: u64,
    not_built: u64,
    different: u64,
}

/// Everything that was counted.
#[derive(Default)]
pub struct Summary {
    rows: BTreeMap<&'static str, Row>,
    explanations: BTreeMap<&'static str, u64>,
    calls: u64,
}

impl Summary {
    /// How many calls were made.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    pub fn add(&mut self, step: &Step, judged: &Judged) {
        if !step.is_call() {
            return;
        }
        self.calls += 1;
        let row = self.rows.entry(step.path()).or_default();
        match judged {
            Judged::Same => row.same += 1,
            Judged::NotBuilt => row.not_built += 1,
            Judged::Different => row.different += 1,
            Judged::Explained(names) => {
                row.explained += 1;
                for name in names.iter().copied().collect::<BTreeSet<_>>() {
                    *self.explanations.entry(name).or_default() += 1;
                }
            }
        }
    }

    pub fn text(&self, kinds: &BTreeMap<String, u64>, took: Duration) -> String {
        let mut text = String::new();
        let mut line = |words: std::fmt::Arguments<'_>| {
            writeln!(text, "{words}").expect("a String takes everything");
        };
        let mut all = Row::default();
        line(format_args!(
            "{:44} {:>9} {:>9} {:>9} {:>9}",
            "METHOD", "SAME", "EXPLAINED", "NOT BUILT", "DIFFERENT"
        ));
        let rows = self.rows.iter().map(|(path, row)| (path.trim_start_matches('/'), *row));
        for (path, row) in rows {
            line(format_args!(
                "{path:44} {:>9} {:>9} {:>9} {:>9}",
                row.same, row.explained, row.not_built, row.different
            ));
            all.same += row.same;
            all.explained += row.explained;
            all.not_built += row.not_built;
            all.different += row.different;
        }
        line(format_args!(""));
        for entry in explained::ALL {
            if let Some(count) = self.explanations.get(entry.name) {
                line(format_args!("explained {count} times: {}: {}", entry.name, entry.reason));
            }
        }
        let unused: Vec<&str> = explained::ALL
            .iter()
            .filter(|entry| !self.explanations.contains_key(entry.name))
            .map(|entry| entry.name)
            .collect();
        if !unused.is_empty() {
            line(format_args!("explained nothing this time: {}", unused.join(", ")));
        }
        for (kind, times) in kinds {
            line(format_args!("different in {times} rounds: {kind}"));
        }
        let rate = self.calls as f64 / took.as_secs_f64().max(0.001);
        line(format_args!(
            "{} calls in {:.0} s ({rate:.0} a second): {} the same, {} explained, {} not built, {} different",
            self.calls,
            took.as_secs_f64(),
            all.same,
            all.explained,
            all.not_built,
            all.different
        ));
        text
    }
}

/// A difference: where it was found, and the few steps that lead to it, each as it was said.
pub fn found(seed: u64, at: usize, said: &[String], clash: &Clash) -> String {
    let mut text = format!("DIFFERENT: seed {seed}, step {at}: {}\n", clash.fingerprint());
    let unsaid = said.len().saturating_sub(STEPS_MAX);
    if unsaid > 0 {
        writeln!(text, "  … {unsaid} steps before these; more time for --shrink makes them fewer")
            .expect("a String takes everything");
    }
    for (number, line) in said.iter().enumerate().skip(unsaid) {
        writeln!(text, "  {:2}. {line}", number + 1).expect("a String takes everything");
    }
    text + &clash_text(clash)
}

/// Both answers, and the fields that differ.
fn clash_text(clash: &Clash) -> String {
    let mut text = String::new();
    for (name, answer) in ["a", "b"].iter().zip(&clash.answers) {
        for line in answer.text().lines() {
            writeln!(text, "  {name}: {line}").expect("a String takes everything");
        }
    }
    let side = |value: &Option<String>| value.clone().unwrap_or_else(|| "(nothing)".to_owned());
    for difference in clash.differences.iter().take(20) {
        writeln!(text, "  ≠ {}: a {}, b {}", difference.path, side(&difference.a), side(&difference.b))
            .expect("a String takes everything");
    }
    for obituary in &clash.obituaries {
        writeln!(text, "  {obituary}").expect("a String takes everything");
    }
    text
}
