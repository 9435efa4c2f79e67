//! `etcdutl`: the offline tool. So far it only knows its version; the commands that read data directories and
//! snapshots say that they are not there yet.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use super::cli::{refuse, relax};
use super::exit::Exit;
use super::unbuilt::Anything;
use super::version;

/// Works on the files of an etcd member that is not running
#[derive(Debug, Parser)]
#[command(name = "etcdutl", disable_version_flag = true)]
struct Utl {
    #[command(subcommand)]
    command: Option<Command>,
    /// Output format: simple, json, fields, table or protobuf [default: simple]
    #[arg(short = 'w', long, global = true, value_name = "FORMAT")]
    write_out: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Version(version::VersionArgs),
    /// (not built yet) Gives freed space in a data directory back
    Defrag(Anything),
    /// (not built yet) Looks at a snapshot or makes a data directory from it
    Snapshot(Anything),
    /// (not built yet) Prints the hash of a data directory's keyspace
    Hashkv(Anything),
    /// (not built yet) Changes the version of a data directory
    Migrate(Anything),
    /// (not built yet) Prints completions for a shell
    Completion(Anything),
}

/// Runs etcdutl with the process's arguments, the program's name first.
pub fn etcdutl(args: Vec<OsString>) -> ExitCode {
    let line = relax(Utl::command());
    let utl =
        match line.clone().try_get_matches_from(&args).and_then(|matches| Utl::from_arg_matches(&matches)) {
            Ok(utl) => utl,
            Err(error) => return refuse("etcdutl", &error),
        };
    let result = match utl.command {
        Some(Command::Version(_)) => version::run("etcdutl"),
        Some(Command::Defrag(_)) => Err(Exit::not_built("etcdutl", "defrag")),
        Some(Command::Snapshot(_)) => Err(Exit::not_built("etcdutl", "snapshot")),
        Some(Command::Hashkv(_)) => Err(Exit::not_built("etcdutl", "hashkv")),
        Some(Command::Migrate(_)) => Err(Exit::not_built("etcdutl", "migrate")),
        Some(Command::Completion(_)) => Err(Exit::not_built("etcdutl", "completion")),
        None => super::print::write_out(line.clone().render_long_help().to_string().as_bytes()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => exit.report(),
    }
}
