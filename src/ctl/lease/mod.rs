//! `lease`: time-limited ownership of keys. A key attached to a lease goes when the lease does.

mod grant;
mod keep_alive;
mod list;
mod revoke;
mod time_to_live;

pub use keep_alive::{PAUSE, keep};

use std::ffi::OsString;

use clap::Subcommand;

use super::cli::Context;
use super::exit::Exit;
use super::go;

/// Grants, prolongs, shows and revokes leases
#[derive(Debug, Subcommand)]
pub enum LeaseCommand {
    Grant(grant::GrantArgs),
    Revoke(revoke::RevokeArgs),
    Timetolive(time_to_live::TimeToLiveArgs),
    List(list::ListArgs),
    KeepAlive(keep_alive::KeepAliveArgs),
    #[command(external_subcommand)]
    #[expect(dead_code, reason = "clap wants a place for the words")]
    Unknown(Vec<OsString>),
}

impl LeaseCommand {
    pub async fn run(self, context: &Context) -> Result<(), Exit> {
        match self {
            LeaseCommand::Grant(args) => args.run(context).await,
            LeaseCommand::Revoke(args) => args.run(context).await,
            LeaseCommand::Timetolive(args) => args.run(context).await,
            LeaseCommand::List(_) => list::run(context).await,
            LeaseCommand::KeepAlive(args) => args.run(context).await,
            LeaseCommand::Unknown(_) => context.show_help("lease"),
        }
    }
}

/// Reads a lease ID as it is printed everywhere: in hexadecimal.
fn parse_id(word: &std::ffi::OsStr) -> Result<i64, Exit> {
    go::parse_int(&word.to_string_lossy(), 16)
        .map_err(|error| Exit::bad_args(format!("bad lease ID arg ({error}), expecting ID in Hex")))
}
