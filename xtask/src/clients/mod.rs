//! Real clients against a real process: the programs in `tests/clients`, each of which uses one client as its
//! documentation shows. They are run against our server, or against any other etcd, to see that both please them.
//!
//! Every program gets a server of its own, without data, and prints one line per area; `report` makes a table of them,
//! `calls` one of the methods they used.

mod calls;
mod language;
mod process;
mod report;
mod server;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::Args;

use crate::Failure;
use crate::steps::cargo_command;
use language::{Language, Program};
use report::{Outcome, Report};
use server::Server;

/// How often each method was called.
type Calls = BTreeMap<String, u64>;

/// How long a language's build may take, with everything fetched on a slow line.
const PREPARE_MAX: Duration = Duration::from_secs(420);
/// How long one program may run; each takes seconds.
const RUN_MAX: Duration = Duration::from_secs(120);

pub const HELP: &str = "\
Builds our etcd, fetches and builds each program under target/clients, gives each a fresh server on free loopback \
ports, and prints a table of areas and clients.

  ok         every assertion of the area held
  not built  the server said `unimplemented: …`; counted apart, and strict as soon as it is built
  skip       the server is older than the call
  (empty)    that client does not offer it

Examples:
  cargo xtask clients                      all clients against ours
  cargo xtask clients --only go,python     two languages
  cargo xtask clients --real 3.5.1         all clients against a released etcd, which it fetches
  cargo xtask clients --etcd target/debug/etcd

tests/clients/README.md tells how to run one program by hand.

Needs per language: go | python3 with pip | node and npm | cargo | a JDK and mvn.
Exit code 1 if anything failed, could not be built, or is missing without --allow-missing.";

#[derive(Args)]
pub struct Options {
    /// Only these languages
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Language>,
    /// Ask this etcd instead of building ours
    #[arg(long, value_name = "PATH", conflicts_with = "real")]
    etcd: Option<PathBuf>,
    /// Ask a released etcd, fetched by scripts/real-etcd.sh; every call must be built there
    #[arg(long, value_name = "VERSION")]
    real: Option<String>,
    /// Leave out languages whose toolchain or packages cannot be had on this machine, instead of failing
    #[arg(long)]
    allow_missing: bool,
}

pub fn run(root: &Path, options: &Options) -> Result<(), Failure> {
    let target = target_dir(root);
    let etcd = match (&options.etcd, &options.real) {
        (Some(path), _) => path.clone(),
        (None, Some(version)) => released(root, version)?,
        (None, None) => ours(root, &target)?,
    };
    let scratch = target.join("clients");
    let mut report = Report::new(options.real.is_some());
    for language in Language::ALL.iter().filter(|it| options.only.is_empty() || options.only.contains(it)) {
        if let Some(tool) = language.missing_tool() {
            report.missing(*language, &format!("this machine has no {tool}"), options.allow_missing);
            continue;
        }
        let home = scratch.join(language.name());
        std::fs::create_dir_all(&home)?;
        println!("{}: building", language.name());
        match language.prepare(&root.join("tests/clients").join(language.name()), &home) {
            Ok(programs) => {
                for program in programs {
                    let client = program.client;
                    let (outcome, calls) = ask(program, &etcd, &scratch)?;
                    report.add(client, outcome);
                    report.called(client, calls);
                }
            }
            // A registry that does not answer says nothing about our server.
            Err(Failure(why)) if options.allow_missing => report.missing(*language, &why, true),
            Err(Failure(why)) => report.add(language.name(), Outcome::broken(why)),
        }
    }
    report.print()
}

/// Runs one program against a server of its own.
fn ask(mut program: Program, etcd: &Path, scratch: &Path) -> Result<(Outcome, Calls), Failure> {
    println!("{}: running", program.client);
    let server = Server::start(etcd, scratch)?;
    let log = scratch.join(format!("{}.log", program.client));
    let ended = process::run(program.command.env("ETCD_ENDPOINT", server.endpoint()), &log, RUN_MAX)?;
    // Of a server that has ended there is nothing more to ask.
    let calls = server.calls().unwrap_or_default();
    let alive = server.stop()?;
    let mut outcome = Outcome::parse(&std::fs::read_to_string(&log)?, &ended, &log);
    if !alive {
        outcome.fail("server", "it ended while the client was using it".to_owned());
    }
    Ok((outcome, calls))
}

fn ours(root: &Path, target: &Path) -> Result<PathBuf, Failure> {
    let build = ["build", "--locked", "--release", "--package", "detcd", "--bin", "etcd"];
    if !cargo_command(root).args(build).status()?.success() {
        return Err(Failure::new("our etcd does not build"));
    }
    Ok(target.join("release/etcd"))
}

fn released(root: &Path, version: &str) -> Result<PathBuf, Failure> {
    let mut script = Command::new(root.join("scripts/real-etcd.sh"));
    let output = script.arg(version).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(Failure::new(format!("no etcd {version} could be had, see above")));
    }
    Ok(Path::new(String::from_utf8_lossy(&output.stdout).trim()).join("etcd"))
}

/// Where cargo puts what it builds.
fn target_dir(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir))
}
