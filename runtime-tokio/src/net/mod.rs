//! Links between members: etcd's peer protocol over HTTP/1.1. Source: contract-semantics 18.
//!
//! | what | who dials | carries |
//! |---|---|---|
//! | `GET /raft/stream/msgapp/<dialer>` | everybody to everybody | appends, from the answering member to the dialer |
//! | `GET /raft/stream/message/<dialer>` | everybody to everybody | all else, likewise |
//! | `POST /raft` | the sender | one message, while the peer has not dialled us |
//! | `POST /raft/snapshot` | the sender | a message and a whole database behind it |
//! | `GET /version`, `POST /leases`, `/leases/internal`, `/members/promote/<id>` | the asker | questions that are no Raft message |
//! | `GET /members` | who wants to join | who is in the cluster |
//!
//! Messages may be lost, repeated or overtake each other; nothing in here cares.
pub mod client;
mod dial;
pub mod frame;
pub mod headers;
mod members;
mod peer;
mod post;
mod probe;
mod remote;
mod serve;
mod stream;

pub use headers::Identity;
pub use post::VersionJson;
pub use probe::LinkMeters;
pub use remote::{Remote, cluster_at, cluster_versions};
pub use serve::{PeerFront, serve};

use detcd_core::{ClusterId, Member, MemberId};
use detcd_driver::{Arrival, CallFailed, Inbound, Level, PeerAnswer, PeerCall, StreamFailed, pipe::PipeOut};
use detcd_proto::raftpb;
use peer::Peer;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    future::Future,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
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
    book: RwLock<Book>,
    arrivals: mpsc::Sender<Arrival>,
    /// News of links are few and must not be lost, so they do not stand in the bounded queue's way.
    news: mpsc::UnboundedSender<Arrival>,
    inbox: Mutex<(mpsc::Receiver<Arrival>, mpsc::UnboundedReceiver<Arrival>)>,
    /// Streams that peers have begun.
    inbound: mpsc::Sender<Inbound>,
    begun: Mutex<mpsc::Receiver<Inbound>>,
}

/// Whom we know.
#[derive(Default)]
struct Book {
    peers: BTreeMap<MemberId, Arc<Peer>>,
    /// The peers that the driver named; the others came by themselves.
    named: BTreeSet<MemberId>,
    /// Named once, and not any more.
    gone: BTreeSet<MemberId>,
    removed: BTreeSet<MemberId>,
}

/// Most peers that came by themselves.
const MET_MAX: usize = 64;

impl Book {
    fn may_meet(&self, id: MemberId) -> bool {
        !self.peers.contains_key(&id) && !self.gone.contains(&id) && !self.removed.contains(&id)
    }
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
            book: RwLock::default(),
            arrivals,
            news,
            inbox: Mutex::new((messages, told)),
            inbound,
            begun: Mutex::new(begun),
        }))
    }

    /// What is counted of each peer, ascending by id, and whether a link stands.
    pub fn links(&self) -> Vec<(MemberId, Arc<LinkMeters>, bool)> {
        let book = self.read();
        book.peers.iter().map(|(id, peer)| (*id, peer.meters.clone(), peer.is_linked())).collect()
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
        let peers = std::mem::take(&mut self.0.book.write().unwrap_or_else(PoisonError::into_inner).peers);
        for peer in peers.into_values() {
            peer.close(self);
        }
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
        self.read().peers.get(&id).cloned()
    }

    fn read(&self) -> RwLockReadGuard<'_, Book> {
        self.0.book.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_removed(&self, id: MemberId) -> bool {
        self.read().removed.contains(&id)
    }

    /// Somebody of this cluster asks us for something. If it is none of the peers, it may be one of whom our log has
    /// not told us yet, and we have to answer it.
    fn meet(&self, id: MemberId, urls: &[String]) {
        if urls.is_empty() || id == self.member() || self.peer(id).is_some() {
            return;
        }
        let mut book = self.0.book.write().unwrap_or_else(PoisonError::into_inner);
        let met = book.peers.len() - book.named.len().min(book.peers.len());
        if book.may_meet(id) && met < MET_MAX {
            self.log(Level::Info, format_args!("added remote peer {id} at {}", urls.join(",")));
            let peer = Peer::open(self, id, urls.to_vec());
            book.peers.insert(id, peer);
        }
    }

    fn arrive(&self, news: Arrival) {
        // Nobody listens any more only when everything ends.
        self.0.news.send(news).ok();
    }

    /// Hands a stream to the driver; false if too many wait already.
    fn begin_inbound(&self, inbound: Inbound) -> bool {
        self.0.inbound.try_send(inbound).is_ok()
    }

    async fn arrive_in_turn(&self, arrival: Arrival) {
        self.0.arrivals.send(arrival).await.ok();
    }
}

impl detcd_driver::Net for Net {
    fn set_peers(&self, members: &[Member], removed: &[MemberId]) {
        let mut closed = Vec::new();
        {
            let mut book = self.0.book.write().unwrap_or_else(PoisonError::into_inner);
            let named: BTreeSet<MemberId> =
                members.iter().map(|member| member.id).filter(|id| *id != self.member()).collect();
            let Book { gone, removed: expelled, .. } = &mut *book;
            expelled.extend(removed);
            gone.retain(|id| !named.contains(id));
            let before = std::mem::replace(&mut book.named, named);
            for id in before {
                if !book.named.contains(&id) {
                    book.gone.insert(id);
                }
            }
            let Book { peers, gone, removed, .. } = &mut *book;
            peers.retain(|id, peer| {
                let stays = !gone.contains(id) && !removed.contains(id);
                if !stays {
                    closed.push(peer.clone());
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
        for peer in closed {
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
