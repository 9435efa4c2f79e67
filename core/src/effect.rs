//! Everything that may go out. Start effects in the order given, finish them in any order, tell the core what finished.
use crate::{Member, MemberId, Note, Refusal, Ticket, auth::TokenChange, view::Edition, wal::SegmentName};
use alloc::{boxed::Box, sync::Arc, vec::Vec};
use bytes::Bytes;
use detcd_proto::{etcdserverpb as pb, raftpb};

#[derive(Debug)]
pub enum Effect {
    /// Append these bytes to this segment of the log (a new one if it is not the open one) and sync. One at a time:
    /// the next is emitted after `Input::Persisted { upto }`.
    Persist { segment: SegmentName, upto: u64, bytes: Bytes },
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
