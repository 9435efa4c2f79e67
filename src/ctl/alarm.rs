//! `alarm`: conditions that stop a member from taking writes, and how to end them.

use std::ffi::OsString;

use clap::{Args, Subcommand};
use detcd_proto::etcdserverpb::alarm_request::AlarmAction;
use detcd_proto::etcdserverpb::{AlarmRequest, AlarmResponse};

use super::cli::Context;
use super::client::{Client, Patience};
use super::exit::Exit;
use super::print::Reply;

/// Shows and ends alarms
#[derive(Debug, Subcommand)]
pub enum AlarmCommand {
    List(ListArgs),
    Disarm(DisarmArgs),
    #[command(external_subcommand)]
    #[expect(dead_code, reason = "clap wants a place for the words")]
    Unknown(Vec<OsString>),
}

/// Lists all alarms that are on
#[derive(Args, Debug)]
pub struct ListArgs {
    #[arg(hide = true)]
    words: Vec<OsString>,
}

/// Ends all alarms
#[derive(Args, Debug)]
pub struct DisarmArgs {
    #[arg(hide = true)]
    words: Vec<OsString>,
}

impl AlarmCommand {
    pub async fn run(self, context: &Context) -> Result<(), Exit> {
        match self {
            AlarmCommand::List(args) => {
                refuse_words("list", &args.words)?;
                let settings = context.settle()?;
                let mut client = Client::open(&settings, Patience::Command).await?;
                let response = client.alarm(AlarmRequest::default()).await?;
                settings.printer.print(Reply::Alarm(&response))
            }
            AlarmCommand::Disarm(args) => {
                refuse_words("disarm", &args.words)?;
                let settings = context.settle()?;
                let mut client = Client::open(&settings, Patience::Command).await?;
                let response = disarm_all(&mut client).await?;
                settings.printer.print(Reply::Alarm(&response))
            }
            AlarmCommand::Unknown(_) => context.show_help("alarm"),
        }
    }
}

/// Ends the alarms one by one: the server wants to hear which. The answer has no header, as with etcd's client.
async fn disarm_all(client: &mut Client) -> Result<AlarmResponse, Exit> {
    let mut ended = AlarmResponse::default();
    for alarm in client.alarm(AlarmRequest::default()).await?.alarms {
        let action = AlarmAction::Deactivate.into();
        let request = AlarmRequest { action, member_id: alarm.member_id, alarm: alarm.alarm };
        ended.alarms.extend(client.alarm(request).await?.alarms);
    }
    Ok(ended)
}

fn refuse_words(command: &str, words: &[OsString]) -> Result<(), Exit> {
    if words.is_empty() {
        return Ok(());
    }
    Err(Exit::bad_args(format!("alarm {command} command accepts no arguments")))
}
