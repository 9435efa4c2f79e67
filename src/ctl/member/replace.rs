//! `member replace`: another machine takes a member's place. Not in etcdctl.
//!
//! A learner is added, it catches up, it is promoted, and only then the old member goes: the cluster never has a voter
//! less. What was done is found again in the list of members, so a replacement that was interrupted is finished by the
//! same command.

use std::ffi::OsString;
use std::time::Duration;

use clap::Args;
use detcd_proto::etcdserverpb::{Member, MemberAddRequest, MemberListRequest};
use tokio::time::{Instant, sleep};

use super::{add, parse_id, peer_urls};
use crate::ctl::cli::Context;
use crate::ctl::client::{Client, Fault, Patience};
use crate::ctl::exit::Exit;
use crate::ctl::globals::Settings;
use crate::ctl::go;
use crate::ctl::print::write_out;

const AFTER_HELP: &str = "\
Start the new member when this command prints its settings. A replacement that was interrupted is finished by the
same command.

Example:
  etcdctl member replace 8211f1d0f64f3269 http://10.0.0.9:2380 --name m4";

/// How often the new member is looked at.
const AGAIN: Duration = Duration::from_millis(500);

/// Lets a new member take the place of an old one
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP, override_usage = "etcdctl member replace <member ID> <peer URLs> [options]")]
pub struct ReplaceArgs {
    /// The new member's name, for the settings that are printed
    #[arg(long, default_value = "")]
    name: String,
    /// How long it may take until the new member has caught up; 0s means for ever
    #[arg(long = "wait", default_value = "0s")]
    wait: String,
    /// Remove the old member first: for one that is down, when too few are up to add another
    #[arg(long = "remove-first")]
    remove_first: bool,
    /// The old member's ID, in hexadecimal, and the new one's peer URLs
    #[arg(value_name = "MEMBER ID, PEER URLS")]
    words: Vec<OsString>,
}

const NOT_FOUND: &str = "etcdserver: member not found";
const NOT_LEARNER: &str = "etcdserver: can only promote a learner member";
/// What passes: the learner reads on, links grow old enough to count, somebody is elected.
const PASSING: [&str; 6] = [
    "etcdserver: can only promote a learner member which is in sync with leader",
    "etcdserver: unhealthy cluster",
    "etcdserver: request timed out",
    "etcdserver: no leader",
    "etcdserver: leader changed",
    "etcdserver: re-configuration failed due to not enough started members",
];

impl ReplaceArgs {
    pub async fn run(self, context: &Context) -> Result<(), Exit> {
        let [old, urls] = self.words.as_slice() else {
            return Err(Exit::bad_args("member replace needs a member ID and the new member's peer URLs"));
        };
        let (old, given) = (parse_id(old)?, urls.to_string_lossy().into_owned());
        let urls = peer_urls(&given)?;
        let wait = go::parse_duration(&self.wait).map_err(Exit::bad_args)?;
        let deadline = (!wait.is_zero()).then(|| Instant::now() + wait);
        let settings = context.settle()?;
        let replacement = Replacement { settings, old, urls, given, name: self.name, deadline };
        replacement.carry_out(self.remove_first).await
    }
}

struct Replacement {
    settings: Settings,
    old: u64,
    urls: Vec<String>,
    given: String,
    name: String,
    deadline: Option<Instant>,
}

impl Replacement {
    async fn carry_out(&self, remove_first: bool) -> Result<(), Exit> {
        let members = self.members().await?;
        let owner = members.iter().find(|member| member.peer_urls.iter().any(|url| self.urls.contains(url)));
        if owner.is_some_and(|owner| owner.id == self.old) {
            return Err(Exit::bad_args(format!("{} is where the old member is", self.given)));
        }
        if owner.is_none() && members.iter().all(|member| member.id != self.old) {
            return Err(Exit::error(NOT_FOUND));
        }
        if remove_first {
            self.remove_old().await?;
        }
        let (new, is_learner) = match owner {
            Some(owner) => (owner.id, owner.is_learner),
            None => (self.add().await?, true),
        };
        if is_learner {
            self.promote(new).await?;
        }
        self.remove_old().await?;
        tell(format_args!("Member {:16x} replaced by {new:16x}", self.old))
    }

    /// Every step has the time of a command of its own.
    async fn client(&self) -> Result<Client, Exit> {
        Client::open(&self.settings, Patience::Command).await
    }

    async fn members(&self) -> Result<Vec<Member>, Exit> {
        let request = MemberListRequest { linearizable: true };
        Ok(self.client().await?.member_list(request).await?.members)
    }

    async fn add(&self) -> Result<u64, Exit> {
        loop {
            let request = MemberAddRequest { peer_urls: self.urls.clone(), is_learner: true };
            match self.client().await?.member_add(request).await {
                Ok(response) => {
                    let id = response.member.map_or(0, |member| member.id);
                    tell(format_args!("Member {id:16x} added as learner; start it with:"))?;
                    let lines = add::start_lines(&self.name, id, &self.given, &response.members);
                    write_out(lines.as_bytes())?;
                    return Ok(id);
                }
                // It may have been done all the same.
                Err(fault) if passes(&fault) => match self.found().await? {
                    Some(id) => return Ok(id),
                    None => self.pause(&fault).await?,
                },
                Err(fault) => return Err(fault.into()),
            }
        }
    }

    /// The new member, if it is in the list.
    async fn found(&self) -> Result<Option<u64>, Exit> {
        let members = self.members().await?;
        let new = members.iter().find(|member| member.peer_urls.iter().any(|url| self.urls.contains(url)));
        Ok(new.map(|member| member.id))
    }

    async fn promote(&self, new: u64) -> Result<(), Exit> {
        loop {
            match self.client().await?.member_promote(new).await {
                Ok(_) => return tell(format_args!("Member {new:16x} promoted")),
                // Some other hand did it.
                Err(fault) if fault.to_string() == NOT_LEARNER => return Ok(()),
                Err(fault) if passes(&fault) => self.pause(&fault).await?,
                Err(fault) => return Err(fault.into()),
            }
        }
    }

    async fn remove_old(&self) -> Result<(), Exit> {
        loop {
            match self.client().await?.member_remove(self.old).await {
                Ok(_) => return tell(format_args!("Member {:16x} removed", self.old)),
                Err(fault) if fault.to_string() == NOT_FOUND => return Ok(()),
                Err(fault) if passes(&fault) => self.pause(&fault).await?,
                Err(fault) => return Err(fault.into()),
            }
        }
    }

    async fn pause(&self, fault: &Fault) -> Result<(), Exit> {
        if self.deadline.is_some_and(|deadline| Instant::now() + AGAIN > deadline) {
            return Err(fault.clone().into());
        }
        sleep(AGAIN).await;
        Ok(())
    }
}

fn passes(fault: &Fault) -> bool {
    let text = fault.to_string();
    matches!(fault, Fault::DeadlineExceeded) || PASSING.iter().any(|passing| text.starts_with(passing))
}

fn tell(line: std::fmt::Arguments<'_>) -> Result<(), Exit> {
    write_out(format!("{line}\n").as_bytes())
}
