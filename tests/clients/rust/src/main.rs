//! The crate etcd-client, used the way its documentation shows: one function per area, each a small example to copy.
//!
//! It expects an etcd of its own, without data, at ETCD_ENDPOINT (127.0.0.1:2379 by default). Every area prints one
//! line: `ok kv`, `FAIL lease: why`, or `not built lock: what the server said`; the exit code is 1 if one failed.

mod auth;
mod concurrency;
mod kv;
mod lease;
mod maintenance;
mod watch;

use std::process::ExitCode;
use std::time::Duration;

use etcd_client::{Client, ConnectOptions, Error};

/// How long one area may take.
const PATIENCE: Duration = Duration::from_secs(30);

type Result = std::result::Result<(), Error>;

#[tokio::main]
async fn main() -> ExitCode {
    let client = match connect(None).await {
        Ok(client) => client,
        Err(error) => {
            println!("FAIL connect: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut failed = false;
    // Each area runs as a task of its own, so that an assertion that does not hold ends only that area.
    macro_rules! areas {
        ($($name:literal: $area:path,)*) => {
            $(failed |= !report($name, tokio::spawn(tokio::time::timeout(PATIENCE, $area(client.clone()))).await);)*
        };
    }
    areas! {
        "kv": kv::kv,
        "range": kv::range,
        "txn": kv::txn,
        "delete": kv::delete,
        "stream": kv::stream,
        "watch": watch::watch,
        "progress": watch::progress,
        "lease": lease::lease,
        "lock": concurrency::lock,
        "election": concurrency::election,
        "namespace": kv::namespace,
        "members": maintenance::members,
        "status": maintenance::status,
        "alarms": maintenance::alarms,
        "hash": maintenance::hash,
        "hash of everything": maintenance::hash_all,
        "defragment": maintenance::defragment,
        "snapshot": maintenance::snapshot,
        "compaction": kv::compaction,
        // Last: for a while nobody else may do anything.
        "auth": auth::auth,
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// A client for the server under test, as `user` (name and password) or as nobody.
async fn connect(user: Option<(&str, &str)>) -> std::result::Result<Client, Error> {
    let endpoint = std::env::var("ETCD_ENDPOINT").unwrap_or_else(|_| "127.0.0.1:2379".to_owned());
    let options = user.map(|(name, password)| ConnectOptions::new().with_user(name, password));
    Client::connect([endpoint], options).await
}

type Ended =
    std::result::Result<std::result::Result<Result, tokio::time::error::Elapsed>, tokio::task::JoinError>;

/// Prints the line of one area; false if it failed.
fn report(name: &str, ended: Ended) -> bool {
    match ended {
        Ok(Ok(Ok(()))) => println!("ok {name}"),
        Ok(Ok(Err(Error::GRpcStatus(status)))) if is_not_built(&status) => {
            println!("not built {name}: {}", status.message());
        }
        Ok(Ok(Err(Error::GRpcStatus(status)))) if is_unknown(&status) => {
            println!("skip {name}: the server is older than the call");
        }
        Ok(Ok(Err(error))) => {
            println!("FAIL {name}: {error}");
            return false;
        }
        Ok(Err(_)) => {
            println!("FAIL {name}: not done after {} s", PATIENCE.as_secs());
            return false;
        }
        // The assertion has told where and why on standard error.
        Err(error) => {
            println!("FAIL {name}: {error}");
            return false;
        }
    }
    true
}

fn is_not_built(status: &tonic::Status) -> bool {
    status.code() == tonic::Code::Unimplemented && status.message().starts_with("unimplemented:")
}

/// How a gRPC server refuses a method that its version does not have; only `stream` may meet it.
fn is_unknown(status: &tonic::Status) -> bool {
    status.code() == tonic::Code::Unimplemented && status.message().starts_with("unknown method RangeStream")
}

/// Takes the error of a call that must have been refused with `words`; one that is not built is passed on.
fn refused<T: std::fmt::Debug>(result: std::result::Result<T, Error>, words: &str) -> Result {
    match result {
        Err(Error::GRpcStatus(status)) if is_not_built(&status) => Err(Error::GRpcStatus(status)),
        Err(Error::GRpcStatus(status)) if status.message() == words => Ok(()),
        other => panic!("wanted the refusal {words:?}, got {other:?}"),
    }
}
