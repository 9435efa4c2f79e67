//! The ports: verbs of the world. Small, dumb, and all that a new runtime has to supply. `conformance` (a feature) holds
//! a runtime to them.
use crate::pipe::{PipeOut, Verdict};
use bytes::Bytes;
use detcd_core::{Member, MemberId, Moment};
use detcd_proto::{etcdserverpb as pb, leasepb, raftpb};
use std::{future::Future, io};

/// Clock, disk, network, tasks and seeds. Holds no decision.
pub trait Runtime: Clone + Send + Sync + 'static {
    type Disk: Disk;
    type Net: Net;

    /// Monotonic; the origin is arbitrary.
    fn now(&self) -> Moment;
    /// Nanoseconds since 1970 by this machine's wall clock, for logs and tokens; never for order.
    fn wall_nanos(&self) -> u64;
    /// A seed. Asked at boot and never after.
    fn entropy(&self) -> u64;
    /// What nobody can guess: tokens are made of it.
    fn secret(&self) -> [u8; 32];
    /// The bcrypt hash of a password of at most 72 bytes, in its text form (`$2a$…`). This takes its time by intent, and
    /// nobody but the caller waits for it. `cost`: 4 to 31.
    fn hash_password(&self, password: String, cost: u32) -> impl Future<Output = String> + Send;
    /// Whether this is the hash of the password; what is no bcrypt hash is the hash of none. As slow as making it.
    fn check_password(&self, password: String, hash: Bytes) -> impl Future<Output = bool> + Send;
    /// Never early. A moment that has passed is no wait.
    fn sleep_until(&self, at: Moment) -> impl Future<Output = ()> + Send;
    fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static);
    /// As `spawn`, on a thread of its own where there are threads: this task may block on the disk.
    fn spawn_pinned(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static);
    fn disk(&self) -> &Self::Disk;
    fn net(&self) -> &Self::Net;
    /// One line for the operator's log.
    fn log(&self, level: Level, line: std::fmt::Arguments<'_>);
    /// The member can no longer be trusted to go on (say, a failed sync): the process ends. Never returns.
    fn halt(&self, why: Fault) -> impl Future<Output = ()> + Send;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

/// Trouble with the world, told to the operator in one line.
#[derive(Debug)]
pub struct Fault(pub String);

/// Files of one member. Names are relative to its data directory, `/` between folders.
///
/// An operation may block the calling thread; call from pinned tasks and at boot only.
pub trait Disk: Send + Sync + 'static {
    type File: File;
    /// Opens for reading and appending, creating the file (and its folders) if it is not there.
    fn open(&self, name: &str) -> impl Future<Output = io::Result<Self::File>> + Send;
    /// File names in a folder, without the folder, ascending; a missing folder is empty.
    fn list(&self, folder: &str) -> impl Future<Output = io::Result<Vec<String>>> + Send;
    /// Replaces `to` if it exists; its folder must. Survives power loss only after `sync_dir`.
    fn rename(&self, from: &str, to: &str) -> impl Future<Output = io::Result<()>> + Send;
    /// What is not there is `NotFound`.
    fn remove(&self, name: &str) -> impl Future<Output = io::Result<()>> + Send;
    /// When this answers Ok, the names in this folder survive power loss. A missing folder is `NotFound`.
    fn sync_dir(&self, folder: &str) -> impl Future<Output = io::Result<()>> + Send;
}

#[expect(clippy::len_without_is_empty, reason = "nobody asks the disk whether a file is empty")]
pub trait File: Send + 'static {
    fn len(&mut self) -> impl Future<Output = io::Result<u64>> + Send;
    /// Up to `len` bytes from `offset`; fewer only at the end of the file.
    fn read_at(&mut self, offset: u64, len: usize) -> impl Future<Output = io::Result<Bytes>> + Send;
    /// Writes behind the last byte.
    fn append(&mut self, bytes: Bytes) -> impl Future<Output = io::Result<()>> + Send;
    /// Shortens the file; a length at its end or beyond changes nothing.
    fn truncate(&mut self, len: u64) -> impl Future<Output = io::Result<()>> + Send;
    /// When this answers Ok, everything appended or truncated before survives power loss. The only durability word.
    fn sync(&mut self) -> impl Future<Output = io::Result<()>> + Send;
}

/// Links to peers. Messages may be lost, repeated or overtaken; never altered. Only a forwarded proposal (`MsgProp`) is
/// never repeated: it would be proposed twice.
pub trait Net: Send + Sync + 'static {
    /// Who the peers are from now on: opens links to the new ones and closes those to the gone. Those who were removed for
    /// good are told so when they knock, and heard no more. Somebody else who knocks becomes a peer on the way, until
    /// it is named here as gone: a member that reads old log does not know yet who leads.
    fn set_peers(&self, peers: &[Member], removed: &[MemberId]);
    /// Starts sending; sender and receiver stand in the message. Never waits: what cannot be sent is lost, and so is
    /// what is for nobody among the peers.
    fn send(&self, message: raftpb::Message);
    /// What happened next on the links.
    fn recv(&self) -> impl Future<Output = Arrival> + Send;
    /// One question to a peer that is no Raft message (etcd's other paths of the peer protocol).
    fn call(
        &self,
        to: MemberId,
        call: PeerCall,
    ) -> impl Future<Output = Result<PeerAnswer, CallFailed>> + Send;
    /// A long stream to the peer whom the message is for: the message, then what the pipe brings. Answers what the peer
    /// made of it, which may take it as long as it likes once the pipe has ended; dropped, or when the pipe breaks, the
    /// stream breaks. Streams are never altered or cut short without a break.
    fn stream_to(
        &self,
        message: raftpb::Message,
        body: PipeOut,
    ) -> impl Future<Output = Result<(), StreamFailed>> + Send;
    /// The next stream that a peer has begun.
    fn next_stream(&self) -> impl Future<Output = Inbound> + Send;
}

/// A stream from a peer.
pub struct Inbound {
    pub message: raftpb::Message,
    pub body: PipeOut,
    /// Owed to the peer. Until it is told, the peer waits.
    pub verdict: Verdict,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamFailed {
    /// The peer said why it did not take it.
    Refused(String),
    /// It may have arrived or not.
    Broken,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every arrival is a message; a box would cost each one")]
pub enum Arrival {
    Message(raftpb::Message),
    Linked(MemberId),
    Lost(MemberId),
    /// This peer does not talk to us, because we were removed from the cluster.
    Expelled(MemberId),
}

/// Served by the peer through `front::peer`.
#[derive(Clone, Debug, PartialEq)]
pub enum PeerCall {
    /// `POST /leases`
    KeepAlive(pb::LeaseKeepAliveRequest),
    /// `POST /leases/internal`
    TimeToLive(leasepb::LeaseInternalRequest),
    /// `GET /version`
    Version,
    /// `POST /members/promote/<id>`, in the name of whoever has this token.
    Promote { id: MemberId, token: Option<String> },
}

#[derive(Clone, Debug, PartialEq)]
pub enum PeerAnswer {
    /// The members after it, ascending by id.
    Promoted(Vec<Member>),
    KeepAlive(pb::LeaseKeepAliveResponse),
    TimeToLive(leasepb::LeaseInternalResponse),
    Version(Versions),
}

/// What `GET /version` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versions {
    pub server: String,
    pub cluster: String,
    pub storage: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallFailed {
    /// The lease or the member is unknown (404).
    NotFound,
    /// The member to be promoted is no learner, or has not caught up (412).
    NotLearner,
    NotReady,
    /// The peer did not catch up in time (408).
    TimedOut,
    /// The peer answered that it does not lead, or answered nonsense.
    Refused,
    /// No answer: the call may or may not have been carried out.
    Unreachable,
}
