//! The project's own tool: checks that only read, and generators that write. `cargo xtask help` lists them.
//!
//! It is Rust like the rest, so that whoever can build the project can also run every check of it.

#![forbid(unsafe_code)]

mod clients;
mod codegen;
mod purity;
mod simulator;
mod steps;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Checks and generators of this project", version)]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Check everything without changing a file: format, tidy, purity, generated code, core without std, clippy
    ///
    /// Every step runs even if an earlier one failed, so one call shows all there is to do. What a machine can
    /// repair, `cargo xtask fix` repairs.
    Verify {
        /// Also run `cargo test --workspace`
        #[arg(long)]
        tests: bool,
    },
    /// Repair what a machine can: generated code, clippy's safe suggestions, format
    Fix,
    /// What a push must pass: verify, every test, fresh simulator seeds, and bugs planted for it
    ///
    /// `.ci/run` calls this. It takes minutes; use `verify` and `cargo test -p CRATE` while working.
    Ci,
    /// House rules that no compiler knows
    #[command(after_help = tidy::rules_help())]
    Tidy,
    /// Who may import what, proved on the dependency graph
    ///
    /// Prints one row per crate: `ok`, or FAIL with the dependency that must not be there and how it got in.
    Purity,
    /// Generate Rust from proto/proto/*.proto
    ///
    /// Messages go to proto/src/generated, gRPC services to runtime-tokio/src/generated. Both are committed. Which
    /// proto2 fields are always written, and Rust names, are tables in xtask/src/codegen/tables.rs.
    Codegen {
        /// Write nothing; fail if a committed file is out of date
        #[arg(long)]
        check: bool,
    },
    /// Run programs that use etcd's official and well-known clients against our server, or against a released one
    #[command(after_help = clients::HELP)]
    Clients(clients::Options),
}

/// Why a task failed, ready to be shown.
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    pub fn new(text: impl Into<String>) -> Self {
        Failure(text.into())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure(error.to_string())
    }
}

fn main() -> ExitCode {
    let root = workspace_root();
    let result = match Args::parse().task {
        Task::Verify { tests } => steps::verify(&root, tests),
        Task::Fix => steps::fix(&root),
        Task::Ci => steps::ci(&root),
        Task::Tidy => tidy::run(&root),
        Task::Purity => purity::run(&root),
        Task::Codegen { check } => codegen::run(&root, check),
        Task::Clients(options) => clients::run(&root, &options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(text)) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_owned()
}
