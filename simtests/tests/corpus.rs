//! Seeds that must be clean: a fixed corpus, and every seed that once was not.
use detcd_simtests::{
    corpus, report,
    story::{self, Options, Verdict},
};
use std::collections::BTreeMap;

/// Runs seeds on every core and gives what went wrong.
fn run_all(runs: Vec<(u64, Options)>) -> (Vec<String>, u64, u64, BTreeMap<&'static str, u64>) {
    let jobs = std::thread::available_parallelism().map_or(2, usize::from);
    let parts: Vec<Vec<(u64, Options)>> =
        (0..jobs).map(|job| runs.iter().copied().skip(job).step_by(jobs).collect()).collect();
    let threads: Vec<_> = parts
        .into_iter()
        .map(|part| {
            std::thread::spawn(move || {
                part.into_iter().map(|(seed, options)| story::run(seed, options)).collect::<Vec<_>>()
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
    let (wrong, acked, vacuous, counts) = run_all((0..1000).map(|seed| (seed, Options::default())).collect());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(acked > 100_000, "only {acked} requests were answered");
    assert!(vacuous < 100, "{vacuous} seeds did next to nothing");
    // A fault that never happens is a judge asleep.
    let never: Vec<&str> = report::never(&counts).collect();
    assert!(never.is_empty(), "never happened: {never:?}");
}

/// Each file in `regressions/` is one bug once found: comments (`#`) tell the story, other lines are runs.
#[test]
fn no_bug_once_found_comes_back() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/regressions");
    let entries = corpus::read(folder.as_ref()).expect("a corpus that can be read");
    // What this version cannot tell any more guards nothing, and `etcdsim corpus prune` lists it.
    let runs = entries.into_iter().filter(|entry| entry.token.outdated().is_none());
    let runs = runs.map(|entry| {
        assert_eq!(entry.how.plant, None, "{}: a planted bug guards nothing", entry.place());
        let causes = !entry.how.consequences_only;
        (entry.token.seed, Options { profile: entry.token.profile, causes, ..Options::default() })
    });
    let runs: Vec<(u64, Options)> = runs.collect();
    assert!(runs.len() >= 6, "the corpus has lost its seeds");
    let (wrong, ..) = run_all(runs);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
