//! What `ci` asks of the simulator: fresh seeds are clean, the same seeds tell the same stories however they are run, and
//! it still finds bugs that are planted for it.

use std::path::Path;

use crate::{Failure, steps::cargo_command};

/// New seeds for every commit, beside the fixed corpus of the tests.
const FRESH_SEEDS: u64 = 300;

/// Seeds that are run in several ways.
const SAME_SEEDS: &str = "0..40";

/// Planted bugs, and within how many seeds each must be found: a few times what it took when this was written.
const PLANTS: &[(&str, u64)] = &[
    ("leader_ack_before_sync", 20),
    ("ack_before_sync", 20),
    ("commit_without_majority", 20),
    ("vote_no_sync", 20),
    ("wal_tail_not_zeroed", 100),
    ("conflicting_tail_kept", 50),
    ("read_without_read_index", 50),
];

const ETCDSIM: &[&str] = &["run", "--locked", "--quiet", "--profile", "test", "--package", "detcd-simtests"];

/// Runs seeds that begin where the commit's hash says: new ones for each commit, the same ones for the same commit.
pub fn fresh_seeds(root: &Path) -> Result<(), Failure> {
    let first = commit_number(root)?;
    let seeds = format!("{}..{}", first, first + FRESH_SEEDS);
    let run = ["--bin", "etcdsim", "--", "run", "--progress", "plain", "--keep-going", "--verify", "5"];
    let args = run.into_iter().chain(["--seeds", seeds.as_str()]);
    let status = cargo_command(root).args(ETCDSIM).args(args).status()?;
    match status.code() {
        // 2: a history was too tangled to be judged, and nothing was wrong with the others.
        Some(0 | 2) => Ok(()),
        _ => Err(Failure::new(format!("etcdsim found something in seeds {seeds}, see above"))),
    }
}

/// The same seeds on one thread and on two must be the same stories, whatever their order.
pub fn same_transcript(root: &Path) -> Result<(), Failure> {
    let mut transcripts = Vec::new();
    for jobs in ["1", "2"] {
        let args =
            ["--bin", "etcdsim", "--", "run", "--progress", "none", "--seeds", SAME_SEEDS, "--keep-going"];
        let output =
            cargo_command(root).args(ETCDSIM).args(args).args(["--jobs", jobs, "--verify", "10"]).output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let transcript = said.lines().last().filter(|line| line.starts_with("transcript "));
        let Some(transcript) = transcript.filter(|_| matches!(output.status.code(), Some(0..=2))) else {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(Failure::new(format!("etcdsim did not run seeds {SAME_SEEDS}\n{said}{errors}")));
        };
        println!("{SAME_SEEDS} on {jobs}: {transcript}");
        transcripts.push(transcript.to_owned());
    }
    if transcripts.windows(2).all(|two| two[0] == two[1]) {
        Ok(())
    } else {
        Err(Failure::new(format!("the number of threads changes what happens in seeds {SAME_SEEDS}")))
    }
}

pub fn planted_bugs(root: &Path) -> Result<(), Failure> {
    let mut missed = Vec::new();
    for (plant, within) in PLANTS {
        let within = within.to_string();
        let args = ["--features", "plants", "--bin", "etcdsim", "--", "run", "--progress", "none"];
        let run = ["--seeds", &within, "--plant", plant];
        let output = cargo_command(root).args(ETCDSIM).args(args).args(run).output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        let found = said.lines().find(|line| line.starts_with("FAIL"));
        match (output.status.code(), found) {
            (Some(1), Some(found)) => println!("{plant}: {found}"),
            _ => {
                println!(
                    "{plant}: not found within {within} seeds\n{said}{}",
                    String::from_utf8_lossy(&output.stderr)
                );
                missed.push(*plant);
            }
        }
    }
    if missed.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(format!("planted and not found: {}", missed.join(", "))))
    }
}

/// A number from the commit's hash, far above the corpus; without git, a fixed one.
fn commit_number(root: &Path) -> Result<u64, Failure> {
    let output = std::process::Command::new("git").current_dir(root).args(["rev-parse", "HEAD"]).output();
    let hash = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let hex = hash.get(..8).unwrap_or("00000001");
    let number = u64::from_str_radix(hex, 16).map_err(|error| Failure::new(format!("{hex}: {error}")))?;
    Ok(1_000_000 + number)
}
