//! `elect`: stands for election and leads until it is interrupted, or shows who leads.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use bytes::Bytes;
use clap::Args;
use detcd_proto::etcdserverpb::{RangeRequest, RangeResponse};
use detcd_proto::v3electionpb::{CampaignRequest, LeaderRequest, ResignRequest};

use super::cli::Context;
use super::client::{Client, Fault, Patience};
use super::exit::Exit;
use super::globals::Settings;
use super::print::{Printer, Reply};
use super::session::Session;

/// Seconds, as etcd's tools have it.
const TTL: i64 = 60;

/// Takes part in an election, or shows who leads
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl elect [options] <election-name> [proposal]")]
pub struct ElectArgs {
    /// The election's name, and what to say as its leader
    #[arg(value_name = "NAME")]
    words: Vec<OsString>,
    /// Only show who leads
    #[arg(short, long)]
    listen: bool,
}

impl ElectArgs {
    pub async fn run(self, context: &Context) -> Result<(), Exit> {
        let mut words = self.words.into_iter().map(|word| Bytes::from(word.into_vec()));
        let (name, proposal) = match (words.next(), words.next(), words.next()) {
            (Some(name), proposal, None) => (name, proposal),
            _ => {
                return Err(Exit::bad_args(
                    "elect takes one election name argument and an optional proposal argument",
                ));
            }
        };
        match (self.listen, proposal) {
            (true, Some(_)) => Err(Exit::bad_args("proposal given but -l is set")),
            (false, None) => Err(Exit::bad_args("no proposal argument but -l not set")),
            (true, None) => observe(name, &context.settle()?).await,
            (false, Some(proposal)) => campaign(name, proposal, &context.settle()?).await,
        }
    }
}

async fn observe(name: Bytes, settings: &Settings) -> Result<(), Exit> {
    let mut session = Session::open(settings, TTL, Exit::interrupted).await?;
    let mut client = Client::open(settings, Patience::Forever).await?;
    tokio::select! {
        lost = tell(&mut client, name, &settings.printer) => Err(lost),
        held = session.hold() => if held { Ok(()) } else { Err(Exit::interrupted("elect: observer lost")) },
    }
}

/// Shows every leader, over as many streams as it takes.
async fn tell(client: &mut Client, name: Bytes, printer: &Printer) -> Exit {
    loop {
        let lost = match client.observe(LeaderRequest { name: name.clone() }).await {
            Ok(mut leaders) => loop {
                match leaders.message().await {
                    Ok(Some(leader)) => {
                        let pair = RangeResponse {
                            header: leader.header,
                            kvs: leader.kv.into_iter().collect(),
                            ..Default::default()
                        };
                        if let Err(exit) = printer.print(Reply::Get(&pair)) {
                            return exit;
                        }
                    }
                    Ok(None) => break Fault::stream_over(),
                    Err(status) => break Fault::from_status(&status),
                }
            },
            Err(fault) => fault,
        };
        if lost.ends_stream() {
            return Exit::interrupted("elect: observer lost");
        }
        tokio::time::sleep(super::lease::PAUSE).await;
    }
}

async fn campaign(name: Bytes, proposal: Bytes, settings: &Settings) -> Result<(), Exit> {
    let mut session = Session::open(settings, TTL, Exit::interrupted).await?;
    let elected = session
        .unless_interrupted(async |client, lease| {
            client.campaign(CampaignRequest { name, lease, value: proposal }).await
        })
        .await
        .map_err(Exit::interrupted)?;
    let leader = elected.leader.unwrap_or_default();
    let request = RangeRequest { key: leader.key.clone(), ..Default::default() };
    let pair = session.client.range(request).await.map_err(Exit::interrupted)?;
    settings.printer.print(Reply::Get(&pair))?;
    if !session.hold().await {
        return Err(Exit::interrupted("elect: session expired"));
    }
    let resign = ResignRequest { leader: Some(leader) };
    session.client.resign(resign).await.map_err(Exit::interrupted)?;
    Ok(())
}
