//! What a member is told once, at boot.
use crate::{ClusterId, MemberId, Plants, Span};
use alloc::{string::String, vec::Vec};

/// One member of the cluster as the replicated state knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub id: MemberId,
    /// Empty until the member has published itself.
    pub name: String,
    pub peer_urls: Vec<String>,
    /// Empty until the member has published itself.
    pub client_urls: Vec<String>,
    pub is_learner: bool,
}

#[derive(Clone, Debug)]
pub struct Config {
    /// This member, with the name and client URLs it will publish through the log.
    pub me: Member,
    pub cluster_id: ClusterId,
    /// The members of a new cluster; looked at only when there is no log yet. Nobody: this member joins a cluster that
    /// there is, and hears from its leader who is in it.
    pub bootstrap: Vec<Member>,
    /// A leader says that it is alive this often.
    pub heartbeat_interval: Span,
    /// A follower that heard no leader for one to two of these campaigns.
    pub election_timeout: Span,
    pub pre_vote: bool,
    /// Largest marshalled request, in bytes, that is proposed.
    pub max_request_bytes: usize,
    /// Most operations in a transaction, per list.
    pub max_txn_ops: usize,
    /// Refuse changes of the members that would put the quorum at risk.
    pub strict_reconfig_check: bool,
    pub max_learners: usize,
    /// A leader makes learners voters by itself as soon as they have caught up.
    pub promote_learners: bool,
    /// Go on alone with what the log holds, whoever else was a member. Unsafe: for when the others are lost.
    pub force_new_cluster: bool,
    /// Space the keyspace may take, in bytes; 0 means etcd's default of 2 GiB, negative means no limit.
    pub quota_backend_bytes: i64,
    /// How often a leader lets it be known through the log how long a lease has left that has longer than this.
    pub lease_checkpoint_interval: Span,
    /// A checkpoint is due when more than so many entries were applied since the last.
    pub snapshot_count: u64,
    /// So many entries before a checkpoint are kept for members that lag; if they need earlier ones, they need the
    /// checkpoint.
    pub snapshot_catchup_entries: u64,
    /// A log segment is closed once it has grown to this many bytes.
    pub segment_bytes: u64,
    /// Most bytes of entries in one message to a peer.
    pub max_message_bytes: usize,
    /// Most append messages on their way to one peer.
    pub max_inflight_messages: usize,
    /// A leader with this many bytes of entries waiting for a quorum takes no more: a cluster without a quorum must not
    /// fill its memory.
    pub max_uncommitted_bytes: u64,
    /// About as many bytes of entries are applied in one turn; at least 1. What is left is applied in the next, which
    /// follows at once.
    pub max_apply_bytes: usize,
    /// How often an idle watcher that asked for it is told how far the store is; at least 100 ms.
    pub watch_progress_interval: Span,
    /// About so many changes are looked at in one turn for watchers that lag; at least 1.
    pub watch_slice_changes: usize,
    /// Most event replies that wait for a client that does not read them.
    pub watch_replies_max: usize,
    /// A watch reply that takes so many bytes is split for watchers that asked for it; by default the largest request
    /// and half a mebibyte.
    pub watch_fragment_bytes: Option<usize>,
    pub plants: Plants,
}

impl Config {
    /// etcd's defaults (contract-semantics 0) for everything but identity.
    pub fn new(me: Member, cluster_id: ClusterId, bootstrap: Vec<Member>) -> Config {
        Config {
            me,
            cluster_id,
            bootstrap,
            heartbeat_interval: Span::millis(100),
            election_timeout: Span::millis(1000),
            pre_vote: true,
            max_request_bytes: 1_572_864,
            max_txn_ops: 128,
            strict_reconfig_check: true,
            max_learners: 1,
            promote_learners: false,
            force_new_cluster: false,
            quota_backend_bytes: 0,
            lease_checkpoint_interval: Span::secs(300),
            snapshot_count: 10_000,
            snapshot_catchup_entries: 5_000,
            segment_bytes: 64_000_000,
            max_message_bytes: 512 * 1024,
            max_inflight_messages: 512,
            max_uncommitted_bytes: 1 << 30,
            max_apply_bytes: 16 << 20,
            watch_progress_interval: Span::secs(600),
            watch_slice_changes: 10_000,
            watch_replies_max: 128,
            watch_fragment_bytes: None,
            plants: Plants::NONE,
        }
    }

    /// How long a client's request may wait inside this member before it is told that it timed out.
    pub fn request_timeout(&self) -> Span {
        Span::secs(5) + self.election_timeout.times(2)
    }

    /// The shortest lease in seconds: one and a half election timeouts, rounded up.
    pub fn lease_ttl_secs_min(&self) -> i64 {
        let nanos = self.election_timeout.as_nanos().saturating_mul(3) / 2;
        i64::try_from(nanos.div_ceil(1_000_000_000)).unwrap_or(i64::MAX)
    }
}
