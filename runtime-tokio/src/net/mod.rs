//! Links between members: etcd's peer protocol over HTTP/1.1. Source: contract-semantics 18.
//!
//! | what | who dials | carries |
//! |---|---|---|
//! | `GET /raft/stream/msgapp/<dialer>` | everybody to everybody | appends, from the answering member to the dialer |
//! | `GET /raft/stream/message/<dialer>` | everybody to everybody | all else, likewise |
//! | `POST /raft` | the sender | one message, while the peer has not dialled us |
//! | `POST /raft/snapshot` | the sender | a message and a whole database behind it |
//! | `GET /version`, `POST /leases`, `/leases/internal` | the asker | questions that are no Raft message |
//!
//! Messages may be lost, repeated or overtake each other; nothing in here cares.
pub mod client;
mod dial;
pub mod frame;
pub mod headers;
mod peer;
mod post;
mod probe;
mod serve;
mod stream;

pub use headers::Identity;
pub use post::VersionJson;
pub use probe::LinkMeters;
pub use serve::{PeerFront, serve};

use detcd_core::{ClusterId, Member, MemberId};
use detcd_driver::{Arrival, CallFailed, Inbound, Level, PeerAnswer, PeerCall, StreamFailed, pipe::PipeOut};
use detcd_proto::raftpb;
use peer::Peer;
use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio::{
    runtime::Handle,
    sync::{Mutex, mpsc},
    task::AbortHandle,
};

/// Arrivals that wait for the driver.
const ARRIVALS: usize = 4096;

/// All links of this member. Cheap to clone; `shutdown` ends them.
#[derive(Clone)]
pub struct Net(Arc<Shared>);

struct Shared {
    identity: Identity,
    dial_patience: Duration,
    reactor: Handle,
    peers: RwLock<BTreeMap<MemberId, Arc<Peer>>>,
    arrivals: mpsc::Sender<Arrival>,
    /// News of links are few and must not be lost, so they do not stand in the bounded queue's way.
    news: mpsc::UnboundedSender<Arrival>,
    inbox: Mutex<(mpsc::Receiver<Arrival>, mpsc::UnboundedReceiver<Arrival>)>,
    /// Streams that peers have begun.
    inbound: mpsc::Sender<Inbound>,
    begun: Mutex<mpsc::Receiver<Inbound>>,
}

impl Net {
    /// `dial_patience`: how long a peer may take to accept a connection (etcd: one second and an election timeout).
    pub fn new(identity: Identity, dial_patience: Duration, reactor: Handle) -> Net {
        let (arrivals, messages) = mpsc::channel(ARRIVALS);
        let (news, told) = mpsc::unbounded_channel();
        let (inbound, begun) = mpsc::channel(stream::WAITING_MAX);
        Net(Arc::new(Shared {
            identity,
            dial_patience,
            reactor,
            peers: RwLock::default(),
            arrivals,
            news,
            inbox: Mutex::new((messages, told)),
            inbound,
            begun: Mutex::new(begun),
        }))
    }

    /// What is counted of each peer, ascending by id, and whether a link stands.
    pub fn links(&self) -> Vec<(MemberId, Arc<LinkMeters>, bool)> {
        let peers = self.0.peers.read().unwrap_or_else(PoisonError::into_inner);
        peers.iter().map(|(id, peer)| (*id, peer.meters.clone(), peer.is_linked())).collect()
    }

    pub fn identity(&self) -> &Identity {
        &self.0.identity
    }

    pub fn member(&self) -> MemberId {
        self.0.identity.member
    }

    pub fn cluster(&self) -> ClusterId {
        self.0.identity.cluster
    }

    /// Ends all links.
    pub fn shutdown(&self) {
        detcd_driver::Net::set_peers(self, &[]);
    }

    fn dial_patience(&self) -> Duration {
        self.0.dial_patience
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        self.0.reactor.spawn(task).abort_handle()
    }

    fn log(&self, level: Level, line: fmt::Arguments<'_>) {
        crate::runtime::log(level, line);
    }

    fn peer(&self, id: MemberId) -> Option<Arc<Peer>> {
        self.0.peers.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    fn arrive(&self, news: Arrival) {
        // Nobody listens any more only when everything ends.
        self.0.news.send(news).ok();
    }

    /// Hands a stream to the driver. False: too many wait already.
    fn begin_inbound(&self, inbound: Inbound) -> bool {
        self.0.inbound.try_send(inbound).is_ok()
    }

    async fn arrive_in_turn(&self, arrival: Arrival) {
        self.0.arrivals.send(arrival).await.ok();
    }
}

impl detcd_driver::Net for Net {
    fn set_peers(&self, members: &[Member]) {
        let mut gone = Vec::new();
        {
            let mut peers = self.0.peers.write().unwrap_or_else(PoisonError::into_inner);
            peers.retain(|id, peer| {
                let stays = members.iter().any(|member| member.id == *id);
                if !stays {
                    gone.push(peer.clone());
                }
                stays
            });
            for member in members.iter().filter(|member| member.id != self.member()) {
                match peers.get(&member.id) {
                    Some(peer) => peer.set_urls(&member.peer_urls),
                    None => {
                        peers.insert(member.id, Peer::open(self, member.id, member.peer_urls.clone()));
                    }
                }
            }
        }
        for peer in gone {
            peer.close(self);
        }
    }

    fn send(&self, message: raftpb::Message) {
        if let Some(peer) = self.peer(MemberId(message.to)) {
            peer.send(self, message);
        }
    }

    async fn recv(&self) -> Arrival {
        let mut inbox = self.0.inbox.lock().await;
        let (messages, news) = &mut *inbox;
        tokio::select! {
            biased;
            Some(told) = news.recv() => told,
            Some(arrival) = messages.recv() => arrival,
            // Both senders live as long as this does.
            else => std::future::pending().await,
        }
    }

    async fn call(&self, to: MemberId, call: PeerCall) -> Result<PeerAnswer, CallFailed> {
        let peer = self.peer(to).ok_or(CallFailed::Unreachable)?;
        let net = self.clone();
        // On a reactor: the caller's thread may have no sockets.
        let answer = self.0.reactor.spawn(async move { post::call(&net, &peer, call).await });
        answer.await.unwrap_or(Err(CallFailed::Unreachable))
    }

    async fn stream_to(&self, message: raftpb::Message, body: PipeOut) -> Result<(), StreamFailed> {
        let peer = self.peer(MemberId(message.to)).ok_or(StreamFailed::Broken)?;
        let mut sending = self.0.reactor.spawn(stream::send(self.clone(), peer, message, body));
        // Whoever waits no longer wants nothing more to be sent.
        let _ends_with_this = Cut(sending.abort_handle());
        (&mut sending).await.unwrap_or(Err(StreamFailed::Broken))
    }

    async fn next_stream(&self) -> Inbound {
        match self.0.begun.lock().await.recv().await {
            Some(inbound) => inbound,
            // The sender lives as long as this does.
            None => std::future::pending().await,
        }
    }
}

struct Cut(AbortHandle);

impl Drop for Cut {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests;
