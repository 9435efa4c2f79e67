//! `member`: who is in the cluster, and changes of that.

mod add;
mod change;
mod list;
mod replace;

use std::ffi::OsString;

use clap::Subcommand;

use super::cli::Context;
use super::exit::Exit;
use super::go;

/// Shows and changes the members of the cluster
#[derive(Debug, Subcommand)]
pub enum MemberCommand {
    List(list::ListArgs),
    Add(add::AddArgs),
    Remove(change::RemoveArgs),
    Update(change::UpdateArgs),
    Promote(change::PromoteArgs),
    Replace(replace::ReplaceArgs),
    #[command(external_subcommand)]
    #[expect(dead_code, reason = "clap wants a place for the words")]
    Unknown(Vec<OsString>),
}

impl MemberCommand {
    pub async fn run(self, context: &Context) -> Result<(), Exit> {
        match self {
            MemberCommand::List(args) => args.run(context).await,
            MemberCommand::Add(args) => args.run(context).await,
            MemberCommand::Remove(args) => args.run(context).await,
            MemberCommand::Update(args) => args.run(context).await,
            MemberCommand::Promote(args) => args.run(context).await,
            MemberCommand::Replace(args) => args.run(context).await,
            MemberCommand::Unknown(_) => context.show_help("member"),
        }
    }
}

/// The only word, a member's ID in hexadecimal.
fn member_id(words: &[OsString]) -> Result<u64, Exit> {
    let [word] = words else { return Err(Exit::bad_args("member ID is not provided")) };
    parse_id(word)
}

fn parse_id(word: &OsString) -> Result<u64, Exit> {
    let word = word.to_string_lossy();
    go::parse_uint(&word, 16)
        .map_err(|why| Exit::bad_args(format!("bad member ID arg ({why}), expecting ID in Hex")))
}

/// What stands behind `--peer-urls`.
fn peer_urls(given: &str) -> Result<Vec<String>, Exit> {
    if given.is_empty() {
        return Err(Exit::bad_args("member peer urls not provided"));
    }
    Ok(given.split(',').map(str::to_owned).collect())
}
