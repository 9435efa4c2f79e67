//! Everything that may come in: what clients want, what peers said, what the world has finished.
use crate::{MemberId, Ticket, replica::Restored};
use alloc::{boxed::Box, string::String, vec::Vec};
use detcd_proto::{etcdserverpb::InternalRaftRequest, raftpb};

#[derive(Debug)]
pub enum Input {
    /// A client wants this in the log. Exactly one arm of the request is set; the core fills in the header's id.
    Propose { ticket: Ticket, request: Box<InternalRaftRequest> },
    /// A client wants to know a state that is at least as new as everything acknowledged before now.
    ReadPoint { ticket: Ticket },
    /// A client wants a lease renewed. Only a leader can.
    KeepAlive { ticket: Ticket, lease: i64 },
    /// A client asks how long a lease has left. Only a leader knows.
    TimeToLive { ticket: Ticket, lease: i64, keys: bool },
    /// A client asks which leases there are. Only a leader knows which one ends first.
    Leases { ticket: Ticket },
    /// The operator or the process itself wants something of this member.
    Admin { ticket: Ticket, order: Order },
    /// A peer said this.
    Receive { from: MemberId, message: Box<raftpb::Message> },
    /// A link to this peer stands.
    Linked { peer: MemberId },
    /// No link to this peer stands any more; what was on its way may be lost.
    Lost { peer: MemberId },
    /// A peer refuses this member because it was removed from the cluster.
    Expelled { by: MemberId },
    /// Everything up to and including this write of ours survives power loss.
    Persisted { upto: u64 },
    /// The checkpoint that was asked for survives power loss, under the names by which a start will look for it; `bytes`
    /// is the size of its image.
    CheckpointDone { index: u64, bytes: u64 },
    /// The checkpoint that was asked for could not be written; what there was of it is removed.
    CheckpointFailed { index: u64 },
    /// What became of the checkpoint that was to be sent.
    CheckpointSent { to: MemberId, index: u64, shipment: Shipment },
    /// A peer's checkpoint is here as a draft, whole as far as can be seen from outside; `Effect::StageCheckpoint` or
    /// `Effect::DropCheckpoint` answers.
    CheckpointArrived { from: MemberId, message: Box<raftpb::Message>, draft: u64 },
    /// The draft is a checkpoint now that survives power loss, and this is what it holds; nothing: it is none, and gone.
    CheckpointStaged { draft: u64, restored: Option<Box<Restored>> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shipment {
    /// The peer has taken it, or did not need it.
    Complete,
    Failed,
    /// It is not there to be sent, or damaged.
    Unreadable,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Hand the lead to this member, or to the one best suited if none is named.
    TransferLeadership {
        to: Option<MemberId>,
    },
    ChangeMembers(MemberChange),
}

/// What somebody wants of the members of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberChange {
    /// URLs are such that [`urls::check`](crate::urls::check) passes, and the id is made of them and of the time.
    Add {
        id: MemberId,
        peer_urls: Vec<String>,
        is_learner: bool,
    },
    Remove(MemberId),
    Update {
        id: MemberId,
        peer_urls: Vec<String>,
    },
    Promote(MemberId),
}
