//! `member list`.

use std::ffi::OsString;

use clap::Args;
use detcd_proto::etcdserverpb::MemberListRequest;

use crate::ctl::cli::Context;
use crate::ctl::client::{Client, Patience};
use crate::ctl::exit::Exit;
use crate::ctl::get::parse_consistency;
use crate::ctl::print::Reply;

/// Lists all members
///
/// The simple format gives: ID, whether it ever started, name, peer URLs, client URLs, whether it is a learner.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// l: linearizable; s: serializable, whatever this member knows
    #[arg(long, default_value = "l")]
    consistency: String,
    #[arg(hide = true)]
    words: Vec<OsString>,
}

impl ListArgs {
    pub async fn run(self, context: &Context) -> Result<(), Exit> {
        let serializable = parse_consistency(&self.consistency)?;
        let settings = context.settle()?;
        let mut client = Client::open(&settings, Patience::Command).await?;
        let response = client.member_list(MemberListRequest { linearizable: !serializable }).await?;
        settings.printer.print(Reply::MemberList(&response))
    }
}
