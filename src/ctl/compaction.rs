//! `compaction`: forgets old versions of keys.

use std::ffi::OsString;

use clap::Args;
use detcd_proto::etcdserverpb::CompactionRequest;

use super::cli::Context;
use super::client::{Client, Patience};
use super::exit::Exit;
use super::{go, print};

const AFTER_HELP: &str = "\
Keys keep what they are at the revision; what they were before can no longer be read or watched.

Examples:
  etcdctl compact 1000
  etcdctl compaction --physical 1000   answers when the space is free";

/// Forgets all versions of keys before a revision
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP, override_usage = "etcdctl compaction [options] <revision>")]
pub struct CompactionArgs {
    /// The oldest revision to keep
    #[arg(value_name = "REVISION")]
    words: Vec<OsString>,
    /// Answer only when the old versions are gone from the store
    #[arg(long)]
    physical: bool,
}

impl CompactionArgs {
    pub async fn run(self, context: &Context) -> Result<(), Exit> {
        let [word] = self.words.as_slice() else {
            return Err(Exit::bad_args("compaction command needs 1 argument"));
        };
        let revision = go::parse_int(&word.to_string_lossy(), 10).map_err(Exit::error)?;
        let settings = context.settle()?;
        let mut client = Client::open(&settings, Patience::Command).await?;
        client.compact(CompactionRequest { revision, physical: self.physical }).await?;
        print::write_out(format!("compacted revision {revision}\n").as_bytes())
    }
}
