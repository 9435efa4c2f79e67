//! The streams we dial: a peer's messages to us.
use super::{
    Net,
    client::{Connection, Trouble},
    frame::{Decoder, Stream},
    headers::{CLUSTER_ID, RAFT_TO, SERVER_VERSION, hex},
    peer::Peer,
};
use bytes::Bytes;
use detcd_driver::{Arrival, Level};
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use std::{sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};

/// Wait before dialling again; etcd's rate.
const AGAIN: Duration = Duration::from_millis(100);
/// A stream that is silent for so long is dead: the other end says that it lives three times as often.
pub const SILENCE_MAX: Duration = Duration::from_secs(5);

/// Keeps one stream to a peer, for ever.
pub async fn keep_stream(net: Net, peer: Arc<Peer>, stream: Stream) {
    // A peer that is down says the same thing ten times a second.
    let mut told = String::new();
    loop {
        if let Some(url) = peer.url() {
            match follow(&net, &peer, stream, &url).await {
                Ok(()) => told.clear(),
                Err(why) => {
                    peer.try_another_url(&url);
                    if told != why {
                        net.log(
                            Level::Warn,
                            format_args!("lost {} of peer {} at {url}: {why}", stream.path(), peer.id),
                        );
                        told = why;
                    }
                }
            }
        }
        sleep(AGAIN).await;
    }
}

/// Counts a stream as standing for as long as it lives.
struct Standing<'a>(&'a Net, &'a Peer);

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        self.1.meters.received_failures.add(1);
        self.1.fell(self.0);
    }
}

/// Dials and reads until the stream ends. Ok if it stood for a while.
async fn follow(net: &Net, peer: &Peer, stream: Stream, url: &str) -> Result<(), String> {
    let us = net.identity();
    let why = |trouble: Trouble| trouble.to_string();
    let mut connection = Connection::open(url, net.dial_patience()).await.map_err(why)?;
    let path = format!("{}/{}", stream.path(), us.member);
    let to = [(RAFT_TO, hex(peer.id.0))];
    let answer = connection.ask(us, Method::GET, &path, &to, Bytes::new(), SILENCE_MAX).await.map_err(why)?;
    match answer.status() {
        StatusCode::OK => {}
        StatusCode::GONE => {
            net.arrive(Arrival::Expelled(peer.id));
            return Err("this member was removed from the cluster".to_string());
        }
        StatusCode::NOT_FOUND => return Err("the peer does not know this member".to_string()),
        other => {
            let said =
                |name| answer.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or("?").to_string();
            let (version, cluster) = (said(SERVER_VERSION), said(CLUSTER_ID));
            return Err(format!("answered {other}; its version is {version}, its cluster {cluster}"));
        }
    }
    peer.stands(net);
    let _standing = Standing(net, peer);
    net.log(Level::Info, format_args!("established {} of peer {} at {url}", stream.path(), peer.id));
    let mut body = answer.into_body();
    let mut decoder = Decoder::new(stream, peer.id, us.member);
    loop {
        let frame = match timeout(SILENCE_MAX, body.frame()).await {
            Err(_) => return Err("silent for too long".to_string()),
            Ok(None) => return Err("closed by the peer".to_string()),
            Ok(Some(frame)) => frame.map_err(|error| error.to_string())?,
        };
        let Some(data) = frame.data_ref() else { continue };
        peer.meters.received_bytes.add(data.len() as u64);
        decoder.feed(data);
        while let Some(message) = decoder.next().map_err(|damaged| damaged.to_string())? {
            if message.to == us.member.0 {
                // A full queue holds up this stream, which fills the peer's queue, which drops: as it should be.
                net.arrive_in_turn(Arrival::Message(message)).await;
            }
        }
    }
}
