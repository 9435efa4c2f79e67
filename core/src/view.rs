//! Committed state as everybody outside the replica sees it: immutable, shared, cheap to clone.
use crate::{Member, MemberId, auth, lease, state::Tally, store};
use alloc::{collections::BTreeSet, string::String, sync::Arc, vec::Vec};
use detcd_proto::{etcdserverpb::AlarmMember, raftpb::ConfState};

/// One state of the cluster's data, frozen. Reads and watches live off it and never make the core wait.
#[derive(Clone, Debug)]
pub struct View {
    pub keyspace: store::Keyspace,
    pub leases: lease::Table,
    pub auth: auth::Table,
    /// Ascending by id.
    pub members: Arc<Vec<Member>>,
    /// Members that were removed: their ids never come back.
    pub removed: Arc<BTreeSet<MemberId>>,
    /// Raised alarms, by member, then kind.
    pub alarms: Arc<Vec<AlarmMember>>,
    /// `X.Y.0`, once the leader has settled it.
    pub cluster_version: Option<Arc<String>>,
    /// The version the cluster is to go back to, if it is.
    pub downgrade: Option<Arc<String>>,
}

/// Where this member stands in the cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub leader: Option<MemberId>,
    pub term: u64,
    pub commit: u64,
    pub applied: u64,
    pub is_learner: bool,
    /// This member has made its name and client URLs known: it serves.
    pub is_published: bool,
}

/// The place in the log that a state belongs to: of the last entry applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stand {
    pub index: u64,
    pub term: u64,
    pub conf_state: ConfState,
}

/// A view, and the changes that led to it from the edition before.
#[derive(Clone, Debug)]
pub struct Edition {
    pub view: View,
    /// In order of revision, then sub-revision; none if the state has jumped.
    pub changes: Vec<store::Change>,
    /// Other members' changes lie between this view and the edition before; the view has what is left of them.
    pub is_jump: bool,
    pub standing: Standing,
    /// The place in the log that the view belongs to.
    pub stand: Stand,
    /// What this member has carried out since it started.
    pub tally: Tally,
}
