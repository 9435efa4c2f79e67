//! `lease keep-alive`: prolongs a lease, once or for as long as the command runs.

use std::ffi::OsString;
use std::time::Duration;

use clap::Args;
use detcd_proto::etcdserverpb::{LeaseKeepAliveRequest, LeaseKeepAliveResponse};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tonic::Streaming;

use crate::ctl::cli::Context;
use crate::ctl::client::{Client, Fault, Patience, fault};
use crate::ctl::exit::Exit;
use crate::ctl::globals::Settings;
use crate::ctl::print::{Format, Reply, write_out};

/// How long to wait after a broken stream.
pub const PAUSE: Duration = Duration::from_millis(500);

/// Prolongs a lease for as long as the command runs
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl lease keep-alive [options] <lease id>")]
pub struct KeepAliveArgs {
    /// The lease's ID in hexadecimal
    #[arg(value_name = "ID")]
    words: Vec<OsString>,
    /// Prolong it once and end
    #[arg(long)]
    once: bool,
}

impl KeepAliveArgs {
    pub async fn run(self, context: &Context) -> Result<(), Exit> {
        let [word] = self.words.as_slice() else {
            return Err(Exit::bad_args("lease keep-alive command needs lease ID as argument"));
        };
        let id = super::parse_id(word)?;
        let settings = context.settle()?;
        let client = Client::open(&settings, Patience::Forever).await?;
        if self.once { once(client, id, &settings).await } else { forever(client, id, &settings).await }
    }
}

async fn once(mut client: Client, id: i64, settings: &Settings) -> Result<(), Exit> {
    let response = loop {
        match ask_once(&mut client, id).await {
            Ok(response) => break response,
            Err(fault) if fault.ends_stream() => return Err(Exit::bad_connection(fault)),
            Err(_) => sleep(PAUSE).await,
        }
    };
    if response.ttl <= 0 {
        return Err(Exit::bad_connection(fault::LEASE_NOT_FOUND));
    }
    settings.printer.print(Reply::KeepAlive(&response))
}

async fn ask_once(client: &mut Client, id: i64) -> Result<LeaseKeepAliveResponse, Fault> {
    let (_, mut stream) = open(client, id).await?;
    receive(&mut stream).await
}

async fn forever(client: Client, id: i64, settings: &Settings) -> Result<(), Exit> {
    keep(client, id, settings.dial_timeout, |response| settings.printer.print(Reply::KeepAlive(response)))
        .await?;
    farewell(id, settings)
}

/// Prolongs the lease whenever a third of its time is over, through as many streams as it takes, and tells of it. Ends
/// when the server says the lease is gone, or when its time ran out without an answer.
pub async fn keep(
    mut client: Client,
    id: i64,
    dial_timeout: Duration,
    tell: impl Fn(&LeaseKeepAliveResponse) -> Result<(), Exit>,
) -> Result<(), Exit> {
    // Before the first answer nobody knows how long the lease lasts.
    let mut deadline = Instant::now() + dial_timeout + Duration::from_secs(1);
    loop {
        let opened = timeout_at(deadline, open(&mut client, id)).await;
        if let Ok(Ok((requests, mut stream))) = opened {
            while let Ok(Ok(response)) = timeout_at(deadline, receive(&mut stream)).await {
                let Some(ttl) = u64::try_from(response.ttl).ok().filter(|ttl| *ttl > 0) else {
                    return Ok(());
                };
                tell(&response)?;
                let now = Instant::now();
                deadline = now + Duration::from_secs(ttl);
                sleep_until(now + Duration::from_secs(ttl) / 3).await;
                requests.send(LeaseKeepAliveRequest { id }).ok();
            }
        }
        if Instant::now() >= deadline {
            return Ok(());
        }
        sleep(PAUSE).await;
    }
}

fn farewell(id: i64, settings: &Settings) -> Result<(), Exit> {
    match settings.printer.format {
        Format::Simple => write_out(format!("lease {id:016x} expired or revoked.\n").as_bytes()),
        Format::Json | Format::Fields | Format::Table | Format::Protobuf => Ok(()),
    }
}

/// A stream on which the first request is under way.
async fn open(
    client: &mut Client,
    id: i64,
) -> Result<(UnboundedSender<LeaseKeepAliveRequest>, Streaming<LeaseKeepAliveResponse>), Fault> {
    let (requests, outgoing) = unbounded_channel();
    requests.send(LeaseKeepAliveRequest { id }).ok();
    let stream = client.lease_keep_alive(outgoing).await?;
    Ok((requests, stream))
}

async fn receive(stream: &mut Streaming<LeaseKeepAliveResponse>) -> Result<LeaseKeepAliveResponse, Fault> {
    match stream.message().await {
        Ok(Some(response)) => Ok(response),
        Ok(None) => Err(Fault::stream_over()),
        Err(status) => Err(Fault::from_status(&status)),
    }
}
