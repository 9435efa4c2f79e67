//! `endpoint health`: whether a read through consensus works, and whether an alarm is on.

use std::ffi::OsString;

use clap::Args;
use detcd_proto::etcdserverpb::{AlarmRequest, AlarmType, RangeRequest};
use tokio::task::LocalSet;
use tokio::time::Instant;

use crate::ctl::client::fault::PERMISSION_DENIED;
use crate::ctl::client::{Client, Fault};
use crate::ctl::exit::Exit;
use crate::ctl::globals::Settings;
use crate::ctl::print::{Health, Reply};

/// Whether every endpoint answers a read that needs the cluster's agreement
#[derive(Args, Debug)]
pub struct HealthArgs {
    #[arg(hide = true)]
    words: Vec<OsString>,
}

/// Asks all endpoints at once and tells about them in their order.
pub async fn run(settings: &Settings, endpoints: Vec<String>) -> Result<(), Exit> {
    let local = LocalSet::new();
    let list = local
        .run_until(async {
            let ask = |endpoint: String| {
                let settings = settings.clone();
                tokio::task::spawn_local(async move { check(&settings, endpoint).await })
            };
            let asked: Vec<_> = endpoints.into_iter().map(ask).collect();
            let mut list = Vec::new();
            for answer in asked {
                list.push(answer.await.map_err(Exit::error)?);
            }
            Ok::<_, Exit>(list)
        })
        .await?;
    settings.printer.print(Reply::Health(&list))?;
    if list.iter().all(Health::is_well) { Ok(()) } else { Err(Exit::error("unhealthy cluster")) }
}

async fn check(settings: &Settings, endpoint: String) -> Health {
    let mut client = match super::open(settings, &endpoint).await {
        Ok(client) => client,
        Err(exit) => {
            let message = exit.message.unwrap_or_default();
            let error = message.strip_prefix("Error: ").unwrap_or(&message).to_owned();
            return Health { endpoint, took: None, error };
        }
    };
    let start = Instant::now();
    let read = client.range(RangeRequest { key: "health".into(), ..RangeRequest::default() }).await;
    let took = Some(start.elapsed());
    let error = match read {
        Ok(_) => alarms(&mut client).await,
        // Permissions are judged after consensus: the cluster works, it just does not like the question.
        Err(fault) if fault.is(PERMISSION_DENIED) => alarms(&mut client).await,
        Err(fault) => Err(fault.to_string()),
    };
    Health { endpoint, took, error: error.err().unwrap_or_default() }
}

/// Fails with a text if an alarm is on.
async fn alarms(client: &mut Client) -> Result<(), String> {
    let asked: Result<_, Fault> = client.alarm(AlarmRequest::default()).await;
    let Ok(response) = asked else { return Err("Unable to fetch the alarm list".to_owned()) };
    if response.alarms.is_empty() {
        return Ok(());
    }
    let name = |alarm: AlarmType| match alarm {
        AlarmType::Nospace => "NOSPACE ",
        AlarmType::Corrupt => "CORRUPT ",
        AlarmType::None => "UNKNOWN ",
    };
    Err(response.alarms.iter().fold("Active Alarm(s): ".to_owned(), |text, alarm| text + name(alarm.alarm())))
}
