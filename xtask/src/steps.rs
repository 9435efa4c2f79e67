//! The lists of steps behind `verify`, `fix` and `ci`, and how one step is run and timed.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::{Failure, codegen, purity, simulator, tidy};

/// A target without an operating system: whatever builds for it cannot be using std.
const BARE_TARGET: &str = "x86_64-unknown-none";

type Run = fn(&Path) -> Result<(), Failure>;

struct Step {
    name: &'static str,
    run: Run,
}

/// Cheap ones first. None of them writes to the source tree; `--locked` keeps cargo from repairing Cargo.lock.
const VERIFY: &[Step] = &[
    Step { name: "fmt", run: |root| cargo(root, &["fmt", "--all", "--check"]) },
    Step { name: "tidy", run: tidy::run },
    Step { name: "purity", run: purity::run },
    Step { name: "codegen", run: |root| codegen::run(root, true) },
    Step { name: "core without std", run: core_without_std },
    Step {
        name: "clippy",
        run: |root| {
            cargo(root, &["clippy", "--locked", "--workspace", "--all-targets", "--", "--deny", "warnings"])
        },
    },
    Step {
        name: "clippy of jepsen-like's binary",
        run: |root| {
            let rest = ["--all-targets", "--", "--deny", "warnings"];
            cargo(root, &[&["clippy"], JEPSEN_LIKE, &rest].concat())
        },
    },
];

const TESTS: &[Step] = &[
    Step { name: "tests", run: |root| cargo(root, &["test", "--locked", "--workspace"]) },
    Step {
        name: "tests of jepsen-like's binary",
        run: |root| cargo(root, &[&["test"], JEPSEN_LIKE, &["--bin", "jepsen-like"]].concat()),
    },
];

/// Its binary is behind a feature, so that nobody who uses the library links a network.
const JEPSEN_LIKE: &[&str] = &["--locked", "--package", "detcd-jepsen-like", "--features", "cli"];

/// What a push must pass beyond `verify` and the tests.
const SIMULATOR: &[Step] = &[
    Step { name: "fresh seeds", run: simulator::fresh_seeds },
    Step { name: "same transcript", run: simulator::same_transcript },
    Step { name: "planted bugs", run: simulator::planted_bugs },
];

const FIX: &[Step] = &[
    Step { name: "codegen", run: |root| codegen::run(root, false) },
    Step {
        name: "clippy --fix",
        run: |root| {
            cargo(
                root,
                &["clippy", "--fix", "--workspace", "--all-targets", "--allow-dirty", "--allow-staged"],
            )
        },
    },
    Step { name: "fmt", run: |root| cargo(root, &["fmt", "--all"]) },
];

pub fn verify(root: &Path, tests: bool) -> Result<(), Failure> {
    let mut steps: Vec<&Step> = VERIFY.iter().collect();
    if tests {
        steps.extend(TESTS);
    }
    run_all("verify", root, &steps)
}

pub fn fix(root: &Path) -> Result<(), Failure> {
    run_all("fix", root, &FIX.iter().collect::<Vec<_>>())
}

pub fn ci(root: &Path) -> Result<(), Failure> {
    run_all("ci", root, &VERIFY.iter().chain(TESTS).chain(SIMULATOR).collect::<Vec<_>>())
}

/// Runs every step even after a failure, then names the failed ones.
fn run_all(task: &str, root: &Path, steps: &[&Step]) -> Result<(), Failure> {
    let mut failed = Vec::new();
    for step in steps {
        println!("== {}", step.name);
        let start = Instant::now();
        let result = (step.run)(root);
        let seconds = start.elapsed().as_secs_f32();
        match result {
            Ok(()) => println!("== {}: ok ({seconds:.1} s)\n", step.name),
            Err(Failure(text)) => {
                println!("{text}\n== {}: FAIL ({seconds:.1} s)\n", step.name);
                failed.push(step.name);
            }
        }
    }
    if failed.is_empty() {
        println!("{task}: all {} steps passed", steps.len());
        Ok(())
    } else {
        Err(Failure::new(format!("{task}: FAILED: {}", failed.join(", "))))
    }
}

/// Type-checks core where there is no std to link. A machine that cannot have the target relies on `#![no_std]`
/// and tidy.
fn core_without_std(root: &Path) -> Result<(), Failure> {
    if !bare_target_installed() {
        // A failed download is reported below, by the target still not being there.
        let _ = Command::new("rustup")
            .args(["target", "add", BARE_TARGET])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
    if !bare_target_installed() {
        println!(
            "skipped: rustup cannot provide {BARE_TARGET}; `#![no_std]` and tidy still hold core to its promise"
        );
        return Ok(());
    }
    cargo(root, &["check", "--locked", "--package", "detcd-core", "--target", BARE_TARGET])
}

fn bare_target_installed() -> bool {
    let output = Command::new("rustup").args(["target", "list", "--installed"]).output();
    output.is_ok_and(|o| String::from_utf8_lossy(&o.stdout).lines().any(|line| line == BARE_TARGET))
}

/// Runs cargo with inherited output. An exported RUSTFLAGS would hide the flags of `.cargo/config.toml`, so it is
/// not passed on.
fn cargo(root: &Path, args: &[&str]) -> Result<(), Failure> {
    let status = cargo_command(root).args(args).status()?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("`cargo {}` failed", args.join(" ")))) }
}

/// A cargo that builds as `.cargo/config.toml` says.
pub fn cargo_command(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    command
}
