//! `lock`: holds a lock, until it is interrupted or while a command runs.

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};

use clap::Args;
use detcd_proto::etcdserverpb::{DeleteRangeRequest, RangeRequest};
use detcd_proto::v3lockpb::LockRequest;

use super::cli::Context;
use super::exit::Exit;
use super::go;
use super::print::Reply;
use super::session::Session;

const AFTER_HELP: &str = "\
Shows the lock's key once it is held, and lets go when it is interrupted. A command is run while the lock is held, with \
ETCD_LOCK_KEY and ETCD_LOCK_REV in its environment; its exit code is then the answer.

Examples:
  etcdctl lock mylock
  etcdctl lock mylock -- sh -c 'echo $ETCD_LOCK_KEY'";

/// Holds a lock, maybe while a command runs
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl lock [options] <lockname> [--] [command [argument…]]", after_help = AFTER_HELP)]
pub struct LockArgs {
    /// The lock's name, and what to run
    #[arg(value_name = "NAME")]
    words: Vec<OsString>,
    /// How many seconds the lock outlives a command that stops without a word
    #[arg(long, default_value = "10", value_name = "SECONDS")]
    ttl: i64,
}

impl LockArgs {
    pub async fn run(self, context: &Context) -> Result<(), Exit> {
        let Some((name, command)) = self.words.split_first() else {
            return Err(Exit::bad_args("lock takes a lock name argument and an optional command to execute"));
        };
        let settings = context.settle()?;
        // As in etcdctl, what is not a time means the usual one.
        let ttl = if self.ttl > 0 { self.ttl } else { 60 };
        let mut session = Session::open(&settings, ttl, Exit::from).await?;
        let name = name.clone().into_vec();
        let locked = session
            .unless_interrupted(async |client, lease| {
                client.lock(LockRequest { name: name.into(), lease }).await
            })
            .await
            .map_err(Exit::error)?;
        let held = match command.split_first() {
            Some((program, arguments)) => {
                let revision = locked.header.map_or(0, |header| header.revision);
                run(program, arguments, &OsString::from_vec(locked.key.to_vec()), revision).await
            }
            None => {
                let request = RangeRequest { key: locked.key.clone(), ..Default::default() };
                let pair = session.client.range(request).await?;
                if pair.kvs.is_empty() {
                    return Err(Exit::error("lock lost on init"));
                }
                settings.printer.print(Reply::Get(&pair))?;
                if !session.hold().await {
                    return Err(Exit::error("session expired"));
                }
                Ok(())
            }
        };
        let unlock = DeleteRangeRequest { key: locked.key, ..Default::default() };
        let unlocked = session.client.delete_range(unlock).await;
        held?;
        unlocked?;
        Ok(())
    }
}

async fn run(program: &OsStr, arguments: &[OsString], key: &OsStr, revision: i64) -> Result<(), Exit> {
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).env("ETCD_LOCK_KEY", key).env("ETCD_LOCK_REV", revision.to_string());
    match command.stdin(Stdio::null()).status().await {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed(status)),
        Err(error) => {
            let program = go::quote(&program.to_os_string().into_vec());
            let why = match error.kind() {
                ErrorKind::NotFound => "executable file not found in $PATH".to_owned(),
                _ => error.to_string(),
            };
            Err(Exit::error(format!("exec: {program}: {why}")))
        }
    }
}

/// A command's end in Go's words, with its code. One that a signal ended has none.
fn failed(status: ExitStatus) -> Exit {
    match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(code) => Exit::like(code, format!("exit status {code}")),
        None => Exit::like(u8::MAX, format!("signal: {}", go::signal(status.signal().unwrap_or_default()))),
    }
}
