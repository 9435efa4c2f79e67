//! `lease grant`: makes a lease.

use std::ffi::OsString;

use clap::Args;

use crate::ctl::cli::Context;
use crate::ctl::client::{Client, Patience};
use crate::ctl::exit::Exit;
use crate::ctl::go;
use crate::ctl::print::Reply;

/// Makes a lease that lasts so many seconds unless it is kept alive
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl lease grant <ttl>", after_help = "Example:\n  etcdctl lease grant 60")]
pub struct GrantArgs {
    /// Seconds
    #[arg(value_name = "TTL")]
    words: Vec<OsString>,
}

impl GrantArgs {
    pub async fn run(self, context: &Context) -> Result<(), Exit> {
        let [word] = self.words.as_slice() else {
            return Err(Exit::bad_args("lease grant command needs TTL argument"));
        };
        let ttl = go::parse_int(&word.to_string_lossy(), 10)
            .map_err(|error| Exit::bad_args(format!("bad TTL ({error})")))?;
        let settings = context.settle()?;
        let mut client = Client::open(&settings, Patience::Command).await?;
        let granted = client.lease_grant(ttl).await;
        let response = granted.map_err(|fault| Exit::error(format!("failed to grant lease ({fault})")))?;
        settings.printer.print(Reply::Grant(&response))
    }
}
