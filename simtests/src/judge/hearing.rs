//! The end of every watch: what is left comes soon, and nothing else.
use super::{Chronicle, Watched};
use crate::{client::Recorder, cluster::Cluster};
use detcd_jepsen_like::history::Request;
use std::collections::BTreeSet;

/// What is wrong with what watchers heard: each must hear the rest soon, and all of it must be what was made.
pub async fn hear_out(
    cluster: &Cluster,
    chronicle: &Chronicle,
    recorder: &Recorder,
    watched: &[Watched],
) -> Option<String> {
    let stage = cluster.stage();
    let edition = cluster.living().first().and_then(|&slot| cluster.edition(slot))?;
    let revision = edition.view.keyspace.revision();
    let bounds: BTreeSet<i64> = recorder
        .snapshot()
        .ops()
        .iter()
        .filter_map(|op| match op.request {
            Request::Compact { revision } => Some(revision),
            _ => None,
        })
        .collect();
    let records = chronicle.records();
    let deadline = stage.now() + 3_000_000_000;
    for (i, watched) in watched.iter().enumerate() {
        while !watched.has_reached(revision, &records) {
            if stage.now() >= deadline || stage.enter(|world| !world.troubles().is_empty()) {
                let next = watched.next_revision();
                return Some(format!(
                    "watcher {} waits for revision {next}, and {revision} was made",
                    100 + i
                ));
            }
            stage.nap(20_000_000).await;
        }
        stage.enter(|world| world.count_many("client: event heard", watched.events()));
        if let Err(text) = watched.judge(&records, &bounds) {
            return Some(format!("watcher {}: {text}", 100 + i));
        }
    }
    None
}
