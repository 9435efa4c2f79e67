//! How long a peer takes to answer, and what else is counted of its links. Source: contract-metrics 3, contract-semantics 18.
use super::{Net, client::Connection, dial::SILENCE_MAX, peer::Peer};
use bytes::Bytes;
use detcd_core::Span;
use detcd_driver::meters::{Count, Histogram};
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// A second less than a stream may be silent; etcd's.
const EVERY: Duration = Duration::from_secs(4);
/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 4096;

/// What is counted of one peer.
#[derive(Debug)]
pub struct LinkMeters {
    pub sent_bytes: Count,
    pub received_bytes: Count,
    /// Messages that were dropped or not taken.
    pub sent_failures: Count,
    /// Streams of the peer that ended before we wished.
    pub received_failures: Count,
    /// So often no stream stood any more.
    pub disconnected: Count,
    pub round_trip: Histogram,
}

impl Default for LinkMeters {
    fn default() -> LinkMeters {
        LinkMeters {
            sent_bytes: Count::default(),
            received_bytes: Count::default(),
            sent_failures: Count::default(),
            received_failures: Count::default(),
            disconnected: Count::default(),
            round_trip: Histogram::new(Span(100_000), 16),
        }
    }
}

/// Asks a peer again and again whether it is there, for ever.
pub async fn probe(net: Net, peer: Arc<Peer>) {
    let mut kept = None;
    loop {
        sleep(EVERY).await;
        // A peer that does not answer has no round trip; its links tell of it.
        kept = ask(&net, &peer, kept).await;
    }
}

async fn ask(net: &Net, peer: &Peer, kept: Option<Connection>) -> Option<Connection> {
    let usable = match kept {
        Some(mut connection) => connection.is_usable().await.then_some(connection),
        None => None,
    };
    let mut connection = match usable {
        Some(connection) => connection,
        None => Connection::open(&peer.url()?, net.dial_patience()).await.ok()?,
    };
    let begun = Instant::now();
    let path = "/raft/probing";
    let answer =
        connection.ask(net.identity(), Method::GET, path, &[], Bytes::new(), SILENCE_MAX).await.ok()?;
    let took = begun.elapsed();
    if answer.status() != StatusCode::OK {
        return None;
    }
    let rest = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect();
    tokio::time::timeout(SILENCE_MAX, rest).await.ok()?.ok()?;
    peer.meters.round_trip.observe(Span(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)));
    Some(connection)
}
