//! Everything that may go out. Start effects in the order given, finish them in any order, tell the core what finished.
use crate::{
    Member, MemberId, Note, Refusal, Ticket, View, auth::TokenChange, checkpoint::Stand, view::Edition,
    wal::SegmentName,
};
use alloc::{boxed::Box, sync::Arc, vec::Vec};
use bytes::Bytes;
use detcd_proto::{etcdserverpb as pb, raftpb};

#[derive(Debug)]
pub enum Effect {
    /// Append these bytes to this segment of the log (a new one if it is not the open one) and sync. One at a time:
    /// the next is emitted after `Input::Persisted { upto }`.
    Persist { segment: SegmentName, upto: u64, bytes: Bytes },
    /// Write this state down as a checkpoint, off the loop. One at a time: the next is asked for after
    /// `Input::CheckpointDone` or `Input::CheckpointFailed`, and when the log is told.
    WriteCheckpoint { view: Box<View>, stand: Box<Stand> },
    /// Remove the checkpoints with lower indexes than `checkpoints_below`, and of the log what nobody needs who starts
    /// behind `log_upto`. If it is not done nothing is lost but space.
    Forget { checkpoints_below: u64, log_upto: u64 },
    /// Send the checkpoint that the message speaks of to a peer, off the loop; `Input::CheckpointSent` says what became of
    /// it. The message lacks the data that belongs to the checkpoint.
    SendCheckpoint { to: MemberId, message: Box<raftpb::Message> },
    /// The draft that arrived is wanted: read it, and make it a checkpoint of this member's, off the loop. One at a time,
    /// until `Input::CheckpointStaged`.
    StageCheckpoint { draft: u64, snapshot: Box<raftpb::SnapshotMetadata> },
    /// The draft that arrived is not needed.
    DropCheckpoint { draft: u64 },
    /// One message to a peer; may be lost. Sender and receiver stand in the message.
    Send { to: MemberId, message: Box<raftpb::Message> },
    /// Tokens were given to a user or taken away. Comes before the edition that shows the entry applied.
    Tokens(TokenChange),
    /// The newest committed state, for everybody to read. Comes before the replies of the same turn.
    Publish(Arc<Edition>),
    /// The answer to whoever holds the ticket.
    Reply { ticket: Ticket, outcome: Outcome },
    /// Who the peers are from now on, this member not among them, and who was removed for good: nobody talks to those.
    Peers { peers: Vec<Member>, removed: Vec<MemberId> },
    /// This member was removed from the cluster for good. It is to end, in a while: others may need its vote until they
    /// know of it too.
    Expelled,
    /// Worth telling a human.
    Note(Note),
}

pub type Outcome = Result<Reply, Refusal>;

/// What a client is told, header filled in.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    Put(pb::PutResponse),
    DeleteRange(pb::DeleteRangeResponse),
    Txn(pb::TxnResponse),
    Compaction(pb::CompactionResponse),
    LeaseGrant(pb::LeaseGrantResponse),
    LeaseRevoke(pb::LeaseRevokeResponse),
    Alarm(pb::AlarmResponse),
    KeepAlive(pb::LeaseKeepAliveResponse),
    TimeToLive(pb::LeaseTimeToLiveResponse),
    /// The members after a change of them, ascending by id.
    Members(Arc<Vec<Member>>),
    AuthEnable(pb::AuthEnableResponse),
    AuthDisable(pb::AuthDisableResponse),
    AuthStatus(pb::AuthStatusResponse),
    Authenticate(pb::AuthenticateResponse),
    UserAdd(pb::AuthUserAddResponse),
    UserGet(pb::AuthUserGetResponse),
    UserList(pb::AuthUserListResponse),
    UserDelete(pb::AuthUserDeleteResponse),
    UserChangePassword(pb::AuthUserChangePasswordResponse),
    UserGrantRole(pb::AuthUserGrantRoleResponse),
    UserRevokeRole(pb::AuthUserRevokeRoleResponse),
    RoleAdd(pb::AuthRoleAddResponse),
    RoleGet(pb::AuthRoleGetResponse),
    RoleList(pb::AuthRoleListResponse),
    RoleDelete(pb::AuthRoleDeleteResponse),
    RoleGrantPermission(pb::AuthRoleGrantPermissionResponse),
    RoleRevokePermission(pb::AuthRoleRevokePermissionResponse),
    /// Every lease, the one that ends first in front.
    Leases(Vec<i64>),
    /// The board's view is now new enough to answer from.
    ReadPoint,
    /// It is done and there is nothing to add.
    Done,
}

/// The caller's buffer; the core only appends.
#[derive(Debug, Default)]
pub struct Effects(Vec<Effect>);

impl Effects {
    pub fn push(&mut self, effect: Effect) {
        self.0.push(effect);
    }
    pub fn reply(&mut self, ticket: Ticket, outcome: Outcome) {
        self.0.push(Effect::Reply { ticket, outcome });
    }
    pub fn note(&mut self, note: Note) {
        self.0.push(Effect::Note(note));
    }
    pub fn drain(&mut self) -> impl Iterator<Item = Effect> + '_ {
        self.0.drain(..)
    }
    pub fn iter(&self) -> impl Iterator<Item = &Effect> {
        self.0.iter()
    }
    pub fn len(&self) -> usize {
        self.0.len()
    }
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
