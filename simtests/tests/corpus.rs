//! Seeds that must be clean: a fixed corpus, and every seed that once was not.
use detcd_simtests::{
    report,
    story::{self, Options, Verdict},
};
use std::collections::BTreeMap;

/// Runs seeds on every core and gives what went wrong.
fn run_all(seeds: Vec<u64>) -> (Vec<String>, u64, u64, BTreeMap<&'static str, u64>) {
    let jobs = std::thread::available_parallelism().map_or(2, usize::from);
    let parts: Vec<Vec<u64>> =
        (0..jobs).map(|job| seeds.iter().copied().skip(job).step_by(jobs).collect()).collect();
    let threads: Vec<_> = parts
        .into_iter()
        .map(|part| {
            std::thread::spawn(move || {
                part.into_iter().map(|seed| story::run(seed, Options::default())).collect::<Vec<_>>()
            })
        })
        .collect();
    let (mut wrong, mut acked, mut vacuous, mut counts) = (Vec::new(), 0, 0, BTreeMap::new());
    for outcome in threads.into_iter().flat_map(|thread| thread.join().expect("a run does not panic")) {
        acked += outcome.acked;
        vacuous += u64::from(outcome.is_vacuous());
        for (what, n) in &outcome.counts {
            *counts.entry(*what).or_default() += n;
        }
        match outcome.verdict {
            // A search without an end is no violation; the checker says so instead of guessing.
            Verdict::Clean | Verdict::Unknown(_) => {}
            verdict => wrong.push(format!("seed {:#x}: {verdict:?}", outcome.seed)),
        }
    }
    (wrong, acked, vacuous, counts)
}

#[test]
fn the_corpus_is_clean_and_has_done_work() {
    let (wrong, acked, vacuous, counts) = run_all((0..1000).collect());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(acked > 100_000, "only {acked} requests were answered");
    assert!(vacuous < 100, "{vacuous} seeds did next to nothing");
    // A fault that never happens is a judge asleep.
    let never: Vec<&str> = report::never(&counts).collect();
    assert!(never.is_empty(), "never happened: {never:?}");
}

/// Each file in `regressions/` is one bug once found: comments (`#`) tell the story, other lines are seeds.
#[test]
fn no_bug_once_found_comes_back() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/regressions");
    let mut seeds = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder is part of the repository") {
        let path = entry.expect("a readable folder").path();
        let text = std::fs::read_to_string(&path).expect("a readable file");
        assert!(text.starts_with('#'), "{}: the story is missing", path.display());
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let hex = line.strip_prefix("0x").unwrap_or_else(|| panic!("{}: {line}", path.display()));
            seeds.push(u64::from_str_radix(hex, 16).unwrap_or_else(|_| panic!("{}: {line}", path.display())));
        }
    }
    assert!(!seeds.is_empty());
    let (wrong, ..) = run_all(seeds);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
