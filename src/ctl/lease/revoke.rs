//! `lease revoke`: ends a lease and removes its keys.

use std::ffi::OsString;

use clap::Args;

use crate::ctl::cli::Context;
use crate::ctl::client::{Client, Patience};
use crate::ctl::exit::Exit;
use crate::ctl::print::Reply;

/// Ends a lease; the keys attached to it are removed
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl lease revoke <lease id>")]
pub struct RevokeArgs {
    /// The lease's ID in hexadecimal
    #[arg(value_name = "ID")]
    words: Vec<OsString>,
}

impl RevokeArgs {
    pub async fn run(self, context: &Context) -> Result<(), Exit> {
        let [word] = self.words.as_slice() else {
            return Err(Exit::bad_args("lease revoke command needs 1 argument"));
        };
        let id = super::parse_id(word)?;
        let settings = context.settle()?;
        let mut client = Client::open(&settings, Patience::Command).await?;
        let revoked = client.lease_revoke(id).await;
        let response = revoked.map_err(|fault| Exit::error(format!("failed to revoke lease ({fault})")))?;
        settings.printer.print(Reply::Revoke { id, response: &response })
    }
}
