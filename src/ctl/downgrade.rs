//! `downgrade`: prepares a cluster for members of the version before.

use std::ffi::OsString;

use clap::{Args, Subcommand};
use detcd_proto::etcdserverpb::DowngradeRequest;
use detcd_proto::etcdserverpb::downgrade_request::DowngradeAction;

use super::cli::Context;
use super::client::{Client, Patience};
use super::exit::Exit;
use super::print::Reply;

/// Prepares a cluster for members of the version before
#[derive(Debug, Subcommand)]
pub enum DowngradeCommand {
    Validate(ValidateArgs),
    Enable(EnableArgs),
    Cancel(CancelArgs),
    #[command(external_subcommand)]
    #[expect(dead_code, reason = "clap wants a place for the words")]
    Unknown(Vec<OsString>),
}

/// Whether the cluster could be prepared for this version
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl downgrade validate [options] <version>")]
pub struct ValidateArgs {
    /// `major.minor`
    #[arg(value_name = "VERSION")]
    words: Vec<OsString>,
}

/// Prepares the cluster for this version
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl downgrade enable [options] <version>")]
pub struct EnableArgs {
    /// `major.minor`
    #[arg(value_name = "VERSION")]
    words: Vec<OsString>,
}

/// Goes back to the version that the members have
#[derive(Args, Debug)]
pub struct CancelArgs {
    #[arg(hide = true)]
    words: Vec<OsString>,
}

impl DowngradeCommand {
    pub async fn run(self, context: &Context) -> Result<(), Exit> {
        let (action, name, version) = match self {
            DowngradeCommand::Validate(args) => (DowngradeAction::Validate, "validate", target(&args.words)?),
            DowngradeCommand::Enable(args) => (DowngradeAction::Enable, "enable", target(&args.words)?),
            DowngradeCommand::Cancel(_) => (DowngradeAction::Cancel, "cancel", String::new()),
            DowngradeCommand::Unknown(_) => return context.show_help("downgrade"),
        };
        let settings = context.settle()?;
        let mut client = Client::open(&settings, Patience::Command).await?;
        let request = DowngradeRequest { action: action.into(), version };
        let response = client.downgrade(request).await?;
        settings.printer.print(Reply::Downgrade { action: name, response: &response })
    }
}

fn target(words: &[OsString]) -> Result<String, Exit> {
    match words {
        [] => Err(Exit::bad_args("TARGET_VERSION not provided")),
        [word] if word.is_empty() => Err(Exit::bad_args("target version not provided")),
        [word] => Ok(word.to_string_lossy().into_owned()),
        _ => Err(Exit::bad_args("too many arguments")),
    }
}
