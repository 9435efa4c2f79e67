//! `move-leader`: makes another member the leader.

use std::ffi::OsString;

use clap::Args;

use super::cli::Context;
use super::client::Client;
use super::endpoint;
use super::exit::Exit;
use super::go;
use super::print::Reply;

const AFTER_HELP: &str = "\
The leader's endpoint must be among those of --endpoints.

Example:
  etcdctl --endpoints=a:2379,b:2379,c:2379 move-leader c89feb932daef420";

/// Makes another member the leader
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP, override_usage = "etcdctl move-leader [options] <member ID>")]
pub struct MoveLeaderArgs {
    /// The new leader's ID, in hexadecimal
    #[arg(value_name = "MEMBER ID")]
    words: Vec<OsString>,
}

impl MoveLeaderArgs {
    pub async fn run(self, context: &Context) -> Result<(), Exit> {
        let [word] = self.words.as_slice() else {
            return Err(Exit::bad_args("move-leader command needs 1 argument"));
        };
        let target = go::parse_uint(&word.to_string_lossy(), 16).map_err(Exit::bad_args)?;
        let settings = context.settle()?;
        let mut found: Option<(Client, u64)> = None;
        for endpoint in &settings.endpoints {
            let mut client = endpoint::open(&settings, endpoint).await?;
            let status = client.status().await?;
            if status.header.is_some_and(|header| header.member_id == status.leader) {
                found = Some((client, status.leader));
                break;
            }
        }
        let Some((mut client, leader)) = found else {
            let endpoints = settings.endpoints.join(" ");
            return Err(Exit::bad_args(format!("no leader endpoint given at [{endpoints}]")));
        };
        let response = client.move_leader(target).await?;
        settings.printer.print(Reply::MoveLeader { leader, target, response: &response })
    }
}
