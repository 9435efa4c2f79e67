//! `member`: who is in the cluster. Changing it is not there yet.

use std::ffi::OsString;

use clap::{Args, Subcommand};
use detcd_proto::etcdserverpb::MemberListRequest;

use super::cli::Context;
use super::client::{Client, Patience};
use super::exit::Exit;
use super::get::parse_consistency;
use super::print::Reply;
use super::unbuilt::Anything;

/// Shows the members of the cluster
#[derive(Debug, Subcommand)]
pub enum MemberCommand {
    List(ListArgs),
    /// (not built yet) Adds a member
    Add(Anything),
    /// (not built yet) Removes a member
    Remove(Anything),
    /// (not built yet) Changes the peer URLs of a member
    Update(Anything),
    /// (not built yet) Makes a learner a voting member
    Promote(Anything),
    #[command(external_subcommand)]
    #[expect(dead_code, reason = "clap wants a place for the words")]
    Unknown(Vec<OsString>),
}

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

impl MemberCommand {
    pub async fn run(self, context: &Context) -> Result<(), Exit> {
        match self {
            MemberCommand::List(args) => list(args, context).await,
            MemberCommand::Add(_) => Err(Exit::not_built("etcdctl", "member add")),
            MemberCommand::Remove(_) => Err(Exit::not_built("etcdctl", "member remove")),
            MemberCommand::Update(_) => Err(Exit::not_built("etcdctl", "member update")),
            MemberCommand::Promote(_) => Err(Exit::not_built("etcdctl", "member promote")),
            MemberCommand::Unknown(_) => context.show_help("member"),
        }
    }
}

async fn list(args: ListArgs, context: &Context) -> Result<(), Exit> {
    let serializable = parse_consistency(&args.consistency)?;
    let settings = context.settle()?;
    let mut client = Client::open(&settings, Patience::Command).await?;
    let response = client.member_list(MemberListRequest { linearizable: !serializable }).await?;
    settings.printer.print(Reply::MemberList(&response))
}
