//! The command line of etcdctl: which commands there are, and what happens when the words make no sense.
//!
//! Words are read as etcdctl reads them: flags anywhere, the last of a repeated flag counts, truth values only after
//! `=`, unique beginnings of command names are enough, `--` ends the flags.

use std::any::TypeId;
use std::error::Error as _;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use super::exit::Exit;
use super::globals::{self, GlobalArgs, Settings};
use super::{
    alarm, auth, compaction, defrag, del, downgrade, elect, endpoint, get, go, lease, lock, member,
    move_leader, put, role, snapshot, txn, unbuilt, user, version, watch,
};

const AFTER_HELP: &str = "\
Every global option can come from the environment: ETCDCTL_ENDPOINTS, ETCDCTL_WRITE_OUT, ETCDCTL_USER and so on.
Giving an option and its variable together is an error.

Commands and subcommands may be shortened as long as they stay unique: `etcdctl compact 5`, `etcdctl mem li`.

Exit codes: 0 fine, 1 an error of the server or the command line, 2 no connection, 3 input that makes no sense,
4 an unsupported value, 5 ended by the server, 6 input or output failed, 128 wrong arguments.

A first session:
  etcdctl put greeting hello
  etcdctl get greeting
  etcdctl get --prefix \"\" --keys-only
  etcdctl watch --prefix greet --rev 1
  etcdctl del greeting";

/// Reads, writes and watches the keys of an etcd cluster, and looks after the cluster
#[derive(Debug, Parser)]
#[command(name = "etcdctl", disable_version_flag = true, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    globals: GlobalArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    Get(get::GetArgs),
    Put(put::PutArgs),
    Del(del::DelArgs),
    Txn(txn::TxnArgs),
    Watch(watch::WatchArgs),
    Compaction(compaction::CompactionArgs),
    #[command(subcommand)]
    Lease(lease::LeaseCommand),
    #[command(flatten_help = true)]
    Endpoint(endpoint::EndpointArgs),
    #[command(subcommand)]
    Member(member::MemberCommand),
    #[command(subcommand)]
    Alarm(alarm::AlarmCommand),
    #[command(subcommand)]
    Snapshot(snapshot::SnapshotCommand),
    Defrag(defrag::DefragArgs),
    MoveLeader(move_leader::MoveLeaderArgs),
    #[command(subcommand)]
    Downgrade(downgrade::DowngradeCommand),
    #[command(subcommand)]
    Auth(auth::AuthCommand),
    #[command(subcommand)]
    User(user::UserCommand),
    #[command(subcommand)]
    Role(role::RoleCommand),
    Lock(lock::LockArgs),
    Elect(elect::ElectArgs),
    Version(version::VersionArgs),
    #[command(flatten)]
    Unbuilt(unbuilt::UnbuiltCommand),
}

/// What every command gets besides its own arguments.
pub struct Context {
    globals: GlobalArgs,
    /// The words after the program's name, as they were typed.
    pub words: Vec<OsString>,
}

impl Context {
    /// The global flags, settled with the environment. Commands call this after they have read their own arguments,
    /// so that the first complaint is about those.
    pub fn settle(&self) -> Result<Settings, Exit> {
        let settings = self.globals.settle(&|name| std::env::var_os(name))?;
        let watching = self.words.iter().any(|word| word == "watch");
        globals::warn_unknown_variables(std::env::vars_os().map(|(name, _)| name), watching);
        Ok(settings)
    }

    /// Shows a command's help, as etcdctl does when a command with subcommands is given none that it knows.
    pub fn show_help(&self, command: &str) -> Result<(), Exit> {
        let mut root = command_line();
        root.build();
        match root.find_subcommand_mut(command) {
            Some(command) => super::print::write_out(command.render_long_help().to_string().as_bytes()),
            None => Ok(()),
        }
    }
}

/// Runs etcdctl with the process's arguments, the program's name first.
pub fn etcdctl(args: Vec<OsString>) -> ExitCode {
    let cli = command_line().try_get_matches_from(&args).and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match cli {
        Ok(cli) => cli,
        Err(error) => return refuse("etcdctl", &error),
    };
    let context = Context { globals: cli.globals, words: args.into_iter().skip(1).collect() };
    let Some(command) = cli.command else {
        return finish(super::print::write_out(command_line().render_long_help().to_string().as_bytes()));
    };
    // One thread is plenty for a call or two, and starts fastest.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Exit::from(error).report(),
    };
    let result = runtime.block_on(run(command, &context));
    // A read of standard input may still wait for a key nobody presses.
    runtime.shutdown_background();
    finish(result)
}

async fn run(command: Command, context: &Context) -> Result<(), Exit> {
    match command {
        Command::Get(args) => args.run(context).await,
        Command::Put(args) => args.run(context).await,
        Command::Del(args) => args.run(context).await,
        Command::Txn(args) => args.run(context).await,
        Command::Watch(args) => args.run(context).await,
        Command::Compaction(args) => args.run(context).await,
        Command::Lease(command) => command.run(context).await,
        Command::Endpoint(args) => args.run(context).await,
        Command::Member(command) => command.run(context).await,
        Command::Alarm(command) => command.run(context).await,
        Command::Snapshot(command) => command.run(context).await,
        Command::Defrag(args) => args.run(context).await,
        Command::MoveLeader(args) => args.run(context).await,
        Command::Downgrade(command) => command.run(context).await,
        Command::Auth(command) => command.run(context).await,
        Command::User(command) => command.run(context).await,
        Command::Role(command) => command.run(context).await,
        Command::Lock(args) => args.run(context).await,
        Command::Elect(args) => args.run(context).await,
        Command::Version(_) => version::run("etcdctl"),
        Command::Unbuilt(command) => Err(command.refuse()),
    }
}

fn command_line() -> clap::Command {
    relax(Cli::command())
}

/// Gives a command and all below it etcdctl's habits.
pub fn relax(command: clap::Command) -> clap::Command {
    command.args_override_self(true).infer_subcommands(true).mut_args(relax_arg).mut_subcommands(relax)
}

/// Numbers and truth values as Go reads them; a truth value may be given, but only after `=`; any other value may
/// begin with a dash.
fn relax_arg(arg: Arg) -> Arg {
    if arg.is_positional() {
        return arg;
    }
    let value = arg.get_value_parser().type_id();
    if value == TypeId::of::<bool>() {
        let is_plain = matches!(arg.get_action(), ArgAction::SetTrue);
        let arg =
            arg.action(ArgAction::Set).num_args(0..=1).require_equals(true).default_missing_value("true");
        let arg = arg.value_parser(go::parse_bool).value_name("BOOL").hide_default_value(true);
        return if is_plain { arg.default_value("false") } else { arg };
    }
    if value == TypeId::of::<i64>() {
        return arg.value_parser(globals::parse_flag_int).allow_hyphen_values(true);
    }
    if matches!(arg.get_action(), ArgAction::Set | ArgAction::Append) {
        return arg.allow_hyphen_values(true);
    }
    arg
}

fn finish(result: Result<(), Exit>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => exit.report(),
    }
}

/// Ends the program over words that clap did not take: help on standard output with code 0, all else is an error.
pub fn refuse(program: &str, error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            finish(super::print::write_out(error.render().to_string().as_bytes()))
        }
        _ => {
            Exit::error(format!("{}\nRun '{program} --help' for usage.", complaint(program, error))).report()
        }
    }
}

/// etcdctl's words for what is wrong with the command line.
pub fn complaint(program: &str, error: &clap::Error) -> String {
    let part = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    // clap names a flag together with its value: `--limit <N>`.
    let flag = part(ContextKind::InvalidArg);
    let flag = flag.split([' ', '=', '[']).next().unwrap_or_default();
    match error.kind() {
        ErrorKind::UnknownArgument if flag.starts_with("--") => format!("unknown flag: {flag}"),
        ErrorKind::UnknownArgument => {
            format!("unknown shorthand flag: '{}' in {flag}", flag.chars().nth(1).unwrap_or('-'))
        }
        ErrorKind::InvalidSubcommand => {
            let hint = match error.get(ContextKind::SuggestedSubcommand) {
                Some(ContextValue::Strings(names)) => {
                    format!("\n\nDid you mean this?\n\t{}\n", names.join("\n\t"))
                }
                _ => String::new(),
            };
            format!("unknown command \"{}\" for \"{program}\"{hint}", part(ContextKind::InvalidSubcommand))
        }
        ErrorKind::ValueValidation => {
            let why = error.source().map(ToString::to_string).unwrap_or_default();
            format!("invalid argument \"{}\" for \"{flag}\" flag: {why}", part(ContextKind::InvalidValue))
        }
        ErrorKind::InvalidValue => format!("flag needs an argument: {flag}"),
        _ => error.render().to_string(),
    }
}

#[cfg(test)]
#[path = "cli_tests.rs"]
mod tests;
