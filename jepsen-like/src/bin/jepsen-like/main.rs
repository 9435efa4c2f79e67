//! `jepsen-like`: judges of an etcd, from the outside. It talks to servers as any client does and knows nothing of how
//! one of them is built.

mod diff;
mod fetch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Judges of an etcd, from the outside
#[derive(Parser)]
#[command(name = "jepsen-like")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Diff(diff::DiffArgs),
    FetchEtcd(fetch::FetchArgs),
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    // One thread: while one call is on its way there is nothing else to do.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(async {
            match command {
                Command::Diff(args) => diff::run(&args).await,
                Command::FetchEtcd(args) => fetch::run(&args),
            }
        }),
        Err(error) => {
            eprintln!("jepsen-like: {error}");
            ExitCode::from(diff::COULD_NOT_RUN)
        }
    }
}
