//! What `ci` asks of the simulator: fresh seeds are clean, the same seeds tell the same stories however they are run, and
//! it still finds bugs that are planted for it.

use std::path::Path;

use crate::{Failure, steps::cargo_command};

/// New seeds for every commit, beside the fixed corpus of the tests.
const FRESH_SEEDS: u64 = 300;

/// Seeds that are run in several ways.
const SAME_SEEDS: &str = "0..40";

/// What hunting the planted bugs once took; `etcdsim museum --numbers` writes it.
const MUSEUM: &str = "simtests/museum/found.json";

/// The two simulations.
const SIMS: [&str; 2] = ["member", "replica"];

const ETCDSIM: &[&str] = &["run", "--locked", "--quiet", "--profile", "test", "--package", "detcd-simtests"];

/// Runs seeds that begin where the commit's hash says: new ones for each commit, the same ones for the same commit.
pub fn fresh_seeds(root: &Path) -> Result<(), Failure> {
    let first = commit_number(root)?;
    let seeds = format!("{}..{}", first, first + FRESH_SEEDS);
    for sim in SIMS {
        let run = ["--bin", "etcdsim", "--", "run", "--progress", "plain", "--keep-going", "--verify", "5"];
        let args = run.into_iter().chain(["--sim", sim, "--seeds", seeds.as_str()]);
        let status = cargo_command(root).args(ETCDSIM).args(args).status()?;
        match status.code() {
            // 2: a history was too tangled to be judged, and nothing was wrong with the others.
            Some(0 | 2) => {}
            _ => {
                return Err(Failure::new(format!(
                    "etcdsim found something in seeds {seeds} of the {sim} simulation, see above"
                )));
            }
        }
    }
    Ok(())
}

/// The same seeds on one thread and on two, with and without optimisation, must be the same stories.
pub fn same_transcript(root: &Path) -> Result<(), Failure> {
    for sim in SIMS {
        let mut transcripts = Vec::new();
        for (profile, jobs) in [("test", "1"), ("test", "2"), ("release", "2")] {
            let run = ["run", "--locked", "--quiet", "--profile", profile, "--package", "detcd-simtests"];
            let args = ["--bin", "etcdsim", "--", "run", "--progress", "none", "--keep-going"];
            let which = ["--sim", sim, "--seeds", SAME_SEEDS, "--jobs", jobs, "--verify", "10"];
            let output = cargo_command(root).args(run).args(args).args(which).output()?;
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let transcript = said.lines().last().filter(|line| line.starts_with("transcript "));
            let Some(transcript) = transcript.filter(|_| matches!(output.status.code(), Some(0..=2))) else {
                let errors = String::from_utf8_lossy(&output.stderr);
                return Err(Failure::new(format!("etcdsim did not run seeds {SAME_SEEDS}\n{said}{errors}")));
            };
            println!("{SAME_SEEDS} of {sim}, profile {profile}, {jobs} at a time: {transcript}");
            transcripts.push(transcript.to_owned());
        }
        if transcripts.windows(2).any(|two| two[0] != two[1]) {
            return Err(Failure::new(format!(
                "the number of threads or the compiler changes what happens in seeds {SAME_SEEDS}"
            )));
        }
    }
    Ok(())
}

/// The bugs that were quick to find still are; one that takes three times as many seeds fails.
pub fn planted_bugs(root: &Path) -> Result<(), Failure> {
    let args = ["--features", "plants", "--bin", "etcdsim", "--", "museum", "--check", MUSEUM];
    let status = cargo_command(root).args(ETCDSIM).args(args).status()?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::new("a planted bug is no longer found as soon as before, see above"))
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
