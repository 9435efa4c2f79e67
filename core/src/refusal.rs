//! Every reason to say no: one variant per error of etcd, with its gRPC code and exact text.
//!
//! Clients match these texts, so they are part of the contract (contract-api 8).
use alloc::{borrow::Cow, boxed::Box};
use core::fmt;

/// gRPC status codes, by their numbers on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Code {
    Canceled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

/// A client may not have what it asked for. A value, never a panic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    EmptyKey,
    KeyNotFound,
    ValueProvided,
    LeaseProvided,
    TooManyOps,
    DuplicateKey,
    InvalidClientAPIVersion,
    InvalidSortOption,
    Compacted,
    FutureRev,
    NoSpace,
    LeaseNotFound,
    LeaseExist,
    LeaseTTLTooLarge,
    WatchCanceled,
    MemberExist,
    PeerURLExist,
    MemberNotEnoughStarted,
    MemberBadURLs,
    MemberNotFound,
    MemberNotLearner,
    LearnerNotReady,
    TooManyLearners,
    ClusterIDMismatch,
    RequestTooLarge,
    TooManyRequests,
    RootUserNotExist,
    RootRoleNotExist,
    UserAlreadyExist,
    UserEmpty,
    UserNotFound,
    RoleAlreadyExist,
    RoleNotFound,
    RoleEmpty,
    AuthFailed,
    PermissionNotGiven,
    PermissionDenied,
    RoleNotGranted,
    PermissionNotGranted,
    AuthNotEnabled,
    InvalidAuthToken,
    InvalidAuthMgmt,
    AuthOldRevision,
    NoLeader,
    NotLeader,
    LeaderChanged,
    NotCapable,
    Stopped,
    Timeout,
    TimeoutDueToLeaderFail,
    TimeoutDueToConnectionLost,
    TimeoutWaitAppliedIndex,
    Unhealthy,
    Corrupt,
    NotSupportedForLearner,
    BadLeaderTransferee,
    WrongDowngradeVersionFormat,
    InvalidDowngradeTargetVersion,
    ClusterVersionUnavailable,
    DowngradeInProcess,
    NoInflightDowngrade,
    /// A range is streamed only in the order of its keys.
    StreamSorted,
    /// A range is streamed only with everything in it.
    StreamFiltered,
    /// A user that logs in by certificate only was given a password.
    NoPasswordUser,
    /// A password is longer than bcrypt reads.
    PasswordTooLong,
    /// This member's key is good to check tokens and not to make them.
    VerifyOnly,
    /// A renewal reached a member that does not lead, or leads no longer.
    NotPrimary,
    /// The log did not take the proposal, and never will.
    ProposalDropped,
    /// Leadership did not reach its new owner in time.
    TransferTookTooLong,
    /// Nobody was there in time who could have taken the proposal.
    DeadlineExceeded,
    /// A downgrade action of an unknown number.
    UnknownMethod,
    /// Whoever waited for a lock has lost its place.
    MutexSessionExpired,
    ElectionNotLeader,
    ElectionNoLeader,
    MissingLeaderKey,
    /// A call that the Lock and Election services made inside was refused: its text, without its code.
    Resent(Box<Refusal>),
    /// What a client asked for is not built yet.
    NotBuilt(&'static str),
}

impl Refusal {
    pub fn code(&self) -> Code {
        match self {
            Refusal::EmptyKey
            | Refusal::KeyNotFound
            | Refusal::ValueProvided
            | Refusal::LeaseProvided
            | Refusal::TooManyOps
            | Refusal::DuplicateKey
            | Refusal::InvalidClientAPIVersion
            | Refusal::InvalidSortOption
            | Refusal::MemberBadURLs
            | Refusal::RequestTooLarge
            | Refusal::UserEmpty
            | Refusal::RoleEmpty
            | Refusal::AuthFailed
            | Refusal::PermissionNotGiven
            | Refusal::InvalidAuthMgmt
            | Refusal::AuthOldRevision
            | Refusal::WrongDowngradeVersionFormat
            | Refusal::InvalidDowngradeTargetVersion => Code::InvalidArgument,
            Refusal::Compacted | Refusal::FutureRev | Refusal::LeaseTTLTooLarge => Code::OutOfRange,
            Refusal::NoSpace => Code::ResourceExhausted,
            Refusal::LeaseNotFound | Refusal::MemberNotFound => Code::NotFound,
            Refusal::LeaseExist
            | Refusal::MemberExist
            | Refusal::PeerURLExist
            | Refusal::MemberNotLearner
            | Refusal::LearnerNotReady
            | Refusal::TooManyLearners
            | Refusal::ClusterIDMismatch
            | Refusal::RootUserNotExist
            | Refusal::RootRoleNotExist
            | Refusal::UserAlreadyExist
            | Refusal::UserNotFound
            | Refusal::RoleAlreadyExist
            | Refusal::RoleNotFound
            | Refusal::RoleNotGranted
            | Refusal::PermissionNotGranted
            | Refusal::AuthNotEnabled
            | Refusal::NotLeader
            | Refusal::NotCapable
            | Refusal::NotSupportedForLearner
            | Refusal::BadLeaderTransferee
            | Refusal::ClusterVersionUnavailable
            | Refusal::DowngradeInProcess
            | Refusal::NoInflightDowngrade => Code::FailedPrecondition,
            Refusal::WatchCanceled => Code::Canceled,
            Refusal::DeadlineExceeded => Code::DeadlineExceeded,
            Refusal::MemberNotEnoughStarted
            | Refusal::TooManyRequests
            | Refusal::NoPasswordUser
            | Refusal::PasswordTooLong
            | Refusal::VerifyOnly
            | Refusal::NotPrimary
            | Refusal::ProposalDropped
            | Refusal::TransferTookTooLong
            | Refusal::UnknownMethod
            | Refusal::MutexSessionExpired
            | Refusal::ElectionNotLeader
            | Refusal::ElectionNoLeader
            | Refusal::MissingLeaderKey
            | Refusal::Resent(_) => Code::Unknown,
            Refusal::PermissionDenied => Code::PermissionDenied,
            Refusal::InvalidAuthToken => Code::Unauthenticated,
            Refusal::NoLeader
            | Refusal::LeaderChanged
            | Refusal::Stopped
            | Refusal::Timeout
            | Refusal::TimeoutDueToLeaderFail
            | Refusal::TimeoutDueToConnectionLost
            | Refusal::TimeoutWaitAppliedIndex
            | Refusal::Unhealthy => Code::Unavailable,
            Refusal::Corrupt => Code::DataLoss,
            Refusal::StreamSorted | Refusal::StreamFiltered | Refusal::NotBuilt(_) => Code::Unimplemented,
        }
    }

    /// The text on the wire.
    pub fn message(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Refusal::EmptyKey => "etcdserver: key is not provided",
            Refusal::KeyNotFound => "etcdserver: key not found",
            Refusal::ValueProvided => "etcdserver: value is provided",
            Refusal::LeaseProvided => "etcdserver: lease is provided",
            Refusal::TooManyOps => "etcdserver: too many operations in txn request",
            Refusal::DuplicateKey => "etcdserver: duplicate key given in txn request",
            Refusal::InvalidClientAPIVersion => "etcdserver: invalid client api version",
            Refusal::InvalidSortOption => "etcdserver: invalid sort option",
            Refusal::Compacted => "etcdserver: mvcc: required revision has been compacted",
            Refusal::FutureRev => "etcdserver: mvcc: required revision is a future revision",
            Refusal::NoSpace => "etcdserver: mvcc: database space exceeded",
            Refusal::LeaseNotFound => "etcdserver: requested lease not found",
            Refusal::LeaseExist => "etcdserver: lease already exists",
            Refusal::LeaseTTLTooLarge => "etcdserver: too large lease TTL",
            Refusal::WatchCanceled => "etcdserver: watch canceled",
            Refusal::MemberExist => "etcdserver: member ID already exist",
            Refusal::PeerURLExist => "etcdserver: Peer URLs already exists",
            Refusal::MemberNotEnoughStarted => {
                "etcdserver: re-configuration failed due to not enough started members"
            }
            Refusal::MemberBadURLs => "etcdserver: given member URLs are invalid",
            Refusal::MemberNotFound => "etcdserver: member not found",
            Refusal::MemberNotLearner => "etcdserver: can only promote a learner member",
            Refusal::LearnerNotReady => {
                "etcdserver: can only promote a learner member which is in sync with leader"
            }
            Refusal::TooManyLearners => "etcdserver: too many learner members in cluster",
            Refusal::ClusterIDMismatch => "etcdserver: cluster ID mismatch",
            Refusal::RequestTooLarge => "etcdserver: request is too large",
            Refusal::TooManyRequests => "etcdserver: too many requests",
            Refusal::RootUserNotExist => "etcdserver: root user does not exist",
            Refusal::RootRoleNotExist => "etcdserver: root user does not have root role",
            Refusal::UserAlreadyExist => "etcdserver: user name already exists",
            Refusal::UserEmpty => "etcdserver: user name is empty",
            Refusal::UserNotFound => "etcdserver: user name not found",
            Refusal::RoleAlreadyExist => "etcdserver: role name already exists",
            Refusal::RoleNotFound => "etcdserver: role name not found",
            Refusal::RoleEmpty => "etcdserver: role name is empty",
            Refusal::AuthFailed => "etcdserver: authentication failed, invalid user ID or password",
            Refusal::PermissionNotGiven => "etcdserver: permission not given",
            Refusal::PermissionDenied => "etcdserver: permission denied",
            Refusal::RoleNotGranted => "etcdserver: role is not granted to the user",
            Refusal::PermissionNotGranted => "etcdserver: permission is not granted to the role",
            Refusal::AuthNotEnabled => "etcdserver: authentication is not enabled",
            Refusal::InvalidAuthToken => "etcdserver: invalid auth token",
            Refusal::InvalidAuthMgmt => "etcdserver: invalid auth management",
            Refusal::AuthOldRevision => "etcdserver: revision of auth store is old",
            Refusal::NoLeader => "etcdserver: no leader",
            Refusal::NotLeader => "etcdserver: not leader",
            Refusal::LeaderChanged => "etcdserver: leader changed",
            Refusal::NotCapable => "etcdserver: not capable",
            Refusal::Stopped => "etcdserver: server stopped",
            Refusal::Timeout => "etcdserver: request timed out",
            Refusal::TimeoutDueToLeaderFail => {
                "etcdserver: request timed out, possibly due to previous leader failure"
            }
            Refusal::TimeoutDueToConnectionLost => {
                "etcdserver: request timed out, possibly due to connection lost"
            }
            Refusal::TimeoutWaitAppliedIndex => {
                "etcdserver: request timed out, waiting for the applied index took too long"
            }
            Refusal::Unhealthy => "etcdserver: unhealthy cluster",
            Refusal::Corrupt => "etcdserver: corrupt cluster",
            Refusal::NotSupportedForLearner => "etcdserver: rpc not supported for learner",
            Refusal::BadLeaderTransferee => "etcdserver: bad leader transferee",
            Refusal::WrongDowngradeVersionFormat => "etcdserver: wrong downgrade target version format",
            Refusal::InvalidDowngradeTargetVersion => "etcdserver: invalid downgrade target version",
            Refusal::ClusterVersionUnavailable => "etcdserver: cluster version not found during downgrade",
            Refusal::DowngradeInProcess => "etcdserver: cluster has a downgrade job in progress",
            Refusal::NoInflightDowngrade => "etcdserver: no inflight downgrade job",
            Refusal::StreamSorted => "RangeStream does not support custom sort orders",
            Refusal::StreamFiltered => "RangeStream does not support revision filters",
            Refusal::NoPasswordUser => "auth: authentication failed, password was given for no password user",
            Refusal::PasswordTooLong => "bcrypt: password length exceeds 72 bytes",
            Refusal::VerifyOnly => "auth: token signing attempted with verify-only key",
            Refusal::NotPrimary => "not a primary lessor",
            Refusal::ProposalDropped => "raft proposal dropped",
            Refusal::TransferTookTooLong => "etcdserver: request timed out, leader transfer took too long",
            Refusal::DeadlineExceeded => "context deadline exceeded",
            Refusal::UnknownMethod => "etcdserver: unknown method",
            Refusal::MutexSessionExpired => "mutex: session is expired",
            Refusal::ElectionNotLeader => "election: not leader",
            Refusal::ElectionNoLeader => "election: no leader",
            Refusal::MissingLeaderKey => "\"leader\" field must be provided",
            Refusal::Resent(inner) => return inner.message(),
            Refusal::NotBuilt(what) => return Cow::Owned(alloc::format!("unimplemented: {what}")),
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())
    }
}

impl core::error::Error for Refusal {}
