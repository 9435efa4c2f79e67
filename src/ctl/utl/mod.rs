//! `etcdutl`: the offline tool. It works on the files of a member that is not running, ours or a real etcd's.

mod defrag;
mod files;
mod hashkv;
mod import;
mod restore;
mod snapshot;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use detcd_runtime_tokio::clock;

use super::cli::{refuse, relax};
use super::exit::Exit;
use super::print::Format;
use super::unbuilt::Anything;
use super::version;

/// Works on the files of an etcd member that is not running
#[derive(Debug, Parser)]
#[command(name = "etcdutl", disable_version_flag = true)]
struct Utl {
    #[command(subcommand)]
    command: Option<Command>,
    /// Output format: simple, json, fields, table or protobuf
    #[arg(short = 'w', long, global = true, value_name = "FORMAT", default_value = "simple")]
    write_out: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    Version(version::VersionArgs),
    Defrag(defrag::DefragArgs),
    #[command(subcommand)]
    Snapshot(snapshot::SnapshotCommand),
    Hashkv(hashkv::HashKvArgs),
    Import(import::ImportArgs),
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
    let result = Format::parse(&utl.write_out).and_then(|format| match utl.command {
        Some(Command::Version(_)) => version::run("etcdutl"),
        Some(Command::Defrag(args)) => args.run(),
        Some(Command::Snapshot(command)) => command.run(format),
        Some(Command::Hashkv(args)) => args.run(format),
        Some(Command::Import(args)) => args.run(),
        Some(Command::Migrate(_)) => Err(Exit::not_built("etcdutl", "migrate")),
        Some(Command::Completion(_)) => Err(Exit::not_built("etcdutl", "completion")),
        None => super::print::write_out(line.clone().render_long_help().to_string().as_bytes()),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => exit.report(),
    }
}

/// A line of the tool's own log, on standard error.
fn log(level: &str, message: &str, fields: &serde_json::Value) {
    let at = clock::rfc3339(clock::wall_nanos(), 3);
    eprintln!("{at}\t{level}\tsnapshot\t{message}\t{fields}");
}
