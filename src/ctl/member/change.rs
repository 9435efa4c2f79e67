//! `member remove`, `update` and `promote`.

use std::ffi::OsString;

use clap::Args;
use detcd_proto::etcdserverpb::MemberUpdateRequest;

use super::{member_id, peer_urls};
use crate::ctl::cli::Context;
use crate::ctl::client::{Client, Patience};
use crate::ctl::exit::Exit;
use crate::ctl::print::{MemberChange, Reply};

/// Removes a member from the cluster, for good
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl member remove <member ID>")]
pub struct RemoveArgs {
    /// Its ID, in hexadecimal
    #[arg(value_name = "MEMBER ID")]
    words: Vec<OsString>,
}

/// Changes the URLs on which a member is reached by its peers
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl member update <member ID> [options]")]
pub struct UpdateArgs {
    /// The new URLs, with commas between
    #[arg(long = "peer-urls", default_value = "", hide_default_value = true)]
    peer_urls: String,
    /// Its ID, in hexadecimal
    #[arg(value_name = "MEMBER ID")]
    words: Vec<OsString>,
}

/// Makes a learner a voting member
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl member promote <member ID>")]
pub struct PromoteArgs {
    /// Its ID, in hexadecimal
    #[arg(value_name = "MEMBER ID")]
    words: Vec<OsString>,
}

impl RemoveArgs {
    pub async fn run(self, context: &Context) -> Result<(), Exit> {
        let id = member_id(&self.words)?;
        let settings = context.settle()?;
        let response = Client::open(&settings, Patience::Command).await?.member_remove(id).await?;
        let change = MemberChange::Removed;
        settings.printer.print(Reply::MemberChange { change, id, response: &response })
    }
}

impl UpdateArgs {
    pub async fn run(self, context: &Context) -> Result<(), Exit> {
        let id = member_id(&self.words)?;
        let request = MemberUpdateRequest { id, peer_urls: peer_urls(&self.peer_urls)? };
        let settings = context.settle()?;
        let response = Client::open(&settings, Patience::Command).await?.member_update(request).await?;
        let change = MemberChange::Updated;
        settings.printer.print(Reply::MemberChange { change, id, response: &response })
    }
}

impl PromoteArgs {
    pub async fn run(self, context: &Context) -> Result<(), Exit> {
        let id = member_id(&self.words)?;
        let settings = context.settle()?;
        let response = Client::open(&settings, Patience::Command).await?.member_promote(id).await?;
        let change = MemberChange::Promoted;
        settings.printer.print(Reply::MemberChange { change, id, response: &response })
    }
}
