//! `auth`: whether callers have to say who they are.

use std::ffi::OsString;

use clap::{Args, Subcommand};

use super::cli::Context;
use super::client::fault::ROOT_ROLE_MISSING;
use super::client::{Client, Fault, Patience};
use super::exit::Exit;
use super::globals::Settings;
use super::print::{self, AuthReply, Reply};

/// Switches authentication on and off
#[derive(Debug, Subcommand)]
pub enum AuthCommand {
    /// Switches it on; the user root must be there, and gets the role root if it lacks it
    Enable(NoWords),
    /// Switches it off
    Disable(NoWords),
    /// Shows whether it is on, and the revision of users and roles
    Status(NoWords),
    #[command(external_subcommand)]
    #[expect(dead_code, reason = "clap wants a place for the words")]
    Unknown(Vec<OsString>),
}

#[derive(Args, Debug)]
pub struct NoWords {
    #[arg(hide = true)]
    words: Vec<OsString>,
}

impl AuthCommand {
    pub async fn run(self, context: &Context) -> Result<(), Exit> {
        match self {
            AuthCommand::Enable(args) => {
                let (_, mut client) = open(context, "enable", &args).await?;
                enable(&mut client).await?;
                print::write_out(b"Authentication Enabled\n")
            }
            AuthCommand::Disable(args) => {
                let (_, mut client) = open(context, "disable", &args).await?;
                client.auth_disable().await?;
                print::write_out(b"Authentication Disabled\n")
            }
            AuthCommand::Status(args) => {
                let (settings, mut client) = open(context, "status", &args).await?;
                let response = client.auth_status().await?;
                settings.printer.print(Reply::Auth(AuthReply::Status(&response)))
            }
            AuthCommand::Unknown(_) => context.show_help("auth"),
        }
    }
}

async fn open(context: &Context, command: &str, args: &NoWords) -> Result<(Settings, Client), Exit> {
    if !args.words.is_empty() {
        return Err(Exit::bad_args(format!("auth {command} command does not accept any arguments")));
    }
    let settings = context.settle()?;
    let client = Client::open(&settings, Patience::Command).await?;
    Ok((settings, client))
}

async fn enable(client: &mut Client) -> Result<(), Fault> {
    loop {
        match client.auth_enable().await {
            Ok(_) => return Ok(()),
            Err(fault) if fault.is(ROOT_ROLE_MISSING) => {
                client.role_add("root").await?;
                client.user_grant_role("root", "root").await?;
            }
            Err(fault) => return Err(fault),
        }
    }
}
