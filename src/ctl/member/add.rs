//! `member add`.

use std::ffi::OsString;

use clap::Args;
use detcd_proto::etcdserverpb::{Member, MemberAddRequest};

use super::peer_urls;
use crate::ctl::cli::Context;
use crate::ctl::client::{Client, Patience};
use crate::ctl::exit::Exit;
use crate::ctl::go;
use crate::ctl::print::{Format, Reply, write_out};

/// Adds a member to the cluster
///
/// The lines that follow in the simple format are the settings to start it with.
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl member add <member name> [options]")]
pub struct AddArgs {
    /// URLs on which its peers reach it, with commas between
    #[arg(long = "peer-urls", default_value = "", hide_default_value = true)]
    peer_urls: String,
    /// It gets the log and does not vote
    #[arg(long)]
    learner: bool,
    #[arg(value_name = "MEMBER NAME")]
    words: Vec<OsString>,
}

impl AddArgs {
    pub async fn run(self, context: &Context) -> Result<(), Exit> {
        let name = match self.words.as_slice() {
            [] => return Err(Exit::bad_args("member name not provided")),
            [name] => name.to_string_lossy().into_owned(),
            words => return Err(Exit::bad_args(too_many(words))),
        };
        let urls = peer_urls(&self.peer_urls)?;
        let settings = context.settle()?;
        let mut client = Client::open(&settings, Patience::Command).await?;
        let request = MemberAddRequest { peer_urls: urls, is_learner: self.learner };
        let response = client.member_add(request).await?;
        settings.printer.print(Reply::MemberAdd(&response))?;
        if settings.printer.format == Format::Simple {
            let id = response.member.map_or(0, |member| member.id);
            write_out(start_lines(&name, id, &self.peer_urls, &response.members).as_bytes())?;
        }
        Ok(())
    }
}

fn too_many(words: &[OsString]) -> String {
    let mut text = "too many arguments".to_owned();
    for word in words {
        let word = word.to_string_lossy();
        if word.to_lowercase().starts_with("http") {
            text += &format!(", did you mean --peer-urls={word}");
        }
    }
    text
}

/// What a new member is to be started with, as lines of a shell.
pub fn start_lines(name: &str, id: u64, urls: &str, members: &[Member]) -> String {
    let mut cluster = Vec::new();
    for member in members {
        let known = if member.id == id { name } else { &member.name };
        cluster.extend(member.peer_urls.iter().map(|url| format!("{known}={url}")));
    }
    let quote = |text: &str| go::quote(text.as_bytes());
    format!(
        "\nETCD_NAME={}\nETCD_INITIAL_CLUSTER={}\nETCD_INITIAL_ADVERTISE_PEER_URLS={}\n\
         ETCD_INITIAL_CLUSTER_STATE=\"existing\"\n",
        quote(name),
        quote(&cluster.join(",")),
        quote(urls),
    )
}
