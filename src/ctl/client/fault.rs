//! Why a call failed, in the words of etcd's Go client: its own errors bare, other gRPC errors with their code, a
//! missed deadline as `context deadline exceeded`.

use std::error::Error;
use std::fmt;

use tonic::{Code, Status, TimeoutExpired};

/// A failed call.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The command's time is over.
    DeadlineExceeded,
    /// The answer, from the server or made here from a broken connection.
    Refused { code: Code, message: String },
}

pub const LEASE_NOT_FOUND: &str = "etcdserver: requested lease not found";
pub const PERMISSION_DENIED: &str = "etcdserver: permission denied";
pub const NO_LEADER: &str = "etcdserver: no leader";
pub const COMPACTED: &str = "etcdserver: mvcc: required revision has been compacted";
pub const FUTURE_REVISION: &str = "etcdserver: mvcc: required revision is a future revision";
pub const ROOT_ROLE_MISSING: &str = "etcdserver: root user does not have root role";
const LEARNER: &str = "etcdserver: rpc not supported for learner";
const AUTH_NOT_ENABLED: &str = "etcdserver: authentication is not enabled";
const INVALID_TOKEN: &str = "etcdserver: invalid auth token";
const OLD_AUTH_REVISION: &str = "etcdserver: revision of auth store is old";
const USER_EMPTY: &str = "etcdserver: user name is empty";

/// The messages the Go client knows; it recognises an error by its text alone. Four texts of the server are missing
/// here because they are missing there.
const KNOWN: &[&str] = &[
    "etcdserver: key is not provided",
    "etcdserver: key not found",
    "etcdserver: value is provided",
    "etcdserver: lease is provided",
    "etcdserver: too many operations in txn request",
    "etcdserver: duplicate key given in txn request",
    "etcdserver: invalid sort option",
    COMPACTED,
    FUTURE_REVISION,
    "etcdserver: mvcc: database space exceeded",
    LEASE_NOT_FOUND,
    "etcdserver: lease already exists",
    "etcdserver: too large lease TTL",
    "etcdserver: member ID already exist",
    "etcdserver: Peer URLs already exists",
    "etcdserver: re-configuration failed due to not enough started members",
    "etcdserver: given member URLs are invalid",
    "etcdserver: member not found",
    "etcdserver: can only promote a learner member",
    "etcdserver: can only promote a learner member which is in sync with leader",
    "etcdserver: too many learner members in cluster",
    "etcdserver: cluster ID mismatch",
    "etcdserver: request is too large",
    "etcdserver: too many requests",
    "etcdserver: root user does not exist",
    ROOT_ROLE_MISSING,
    "etcdserver: user name already exists",
    USER_EMPTY,
    "etcdserver: user name not found",
    "etcdserver: role name already exists",
    "etcdserver: role name not found",
    "etcdserver: role name is empty",
    "etcdserver: authentication failed, invalid user ID or password",
    PERMISSION_DENIED,
    "etcdserver: role is not granted to the user",
    "etcdserver: permission is not granted to the role",
    AUTH_NOT_ENABLED,
    INVALID_TOKEN,
    "etcdserver: invalid auth management",
    OLD_AUTH_REVISION,
    NO_LEADER,
    "etcdserver: not leader",
    "etcdserver: leader changed",
    "etcdserver: not capable",
    "etcdserver: server stopped",
    "etcdserver: request timed out",
    "etcdserver: request timed out, possibly due to previous leader failure",
    "etcdserver: request timed out, possibly due to connection lost",
    "etcdserver: unhealthy cluster",
    "etcdserver: corrupt cluster",
    LEARNER,
    "etcdserver: bad leader transferee",
    "etcdserver: wrong downgrade target version format",
    "etcdserver: invalid downgrade target version",
    "etcdserver: cluster version not found during downgrade",
    "etcdserver: cluster has a downgrade job in progress",
    "etcdserver: no inflight downgrade job",
];

impl Fault {
    /// What a status means. A connection that broke is told apart by its cause and becomes `Unavailable`, so that
    /// reads move on to another member.
    pub fn from_status(status: &Status) -> Fault {
        if is_local(status) {
            let cause = root_cause(status);
            if cause.is::<TimeoutExpired>() {
                return Fault::DeadlineExceeded;
            }
            let message = format!("error reading from server: {cause}");
            return Fault::Refused { code: Code::Unavailable, message };
        }
        Fault::Refused { code: status.code(), message: status.message().to_owned() }
    }

    /// The server ended a stream without an error, which it has no reason to do.
    pub fn stream_over() -> Fault {
        Fault::Refused { code: Code::Unknown, message: "EOF".to_owned() }
    }

    /// A message bigger than the client may send. Lengths in bytes.
    pub fn too_large(length: usize, limit: usize) -> Fault {
        let message = format!("trying to send message larger than max ({length} vs. {limit})");
        Fault::Refused { code: Code::ResourceExhausted, message }
    }

    pub fn code(&self) -> Code {
        match self {
            Fault::DeadlineExceeded => Code::DeadlineExceeded,
            Fault::Refused { code, .. } => *code,
        }
    }

    /// The server's bare text.
    pub fn message(&self) -> &str {
        match self {
            Fault::DeadlineExceeded => "context deadline exceeded",
            Fault::Refused { message, .. } => message,
        }
    }

    /// Whether this is the server saying exactly `text`.
    pub fn is(&self, text: &str) -> bool {
        matches!(self, Fault::Refused { message, .. } if message == text)
    }

    /// Whether another member may answer the same read.
    pub fn is_passing(&self) -> bool {
        self.code() == Code::Unavailable
    }

    /// Whether this member is a learner that does not serve the call; a voter will.
    pub fn is_from_learner(&self) -> bool {
        self.is(LEARNER)
    }

    /// Whether a new token would help.
    pub fn wants_new_token(&self) -> bool {
        self.is(INVALID_TOKEN) || self.is(OLD_AUTH_REVISION) || self.is(USER_EMPTY)
    }

    /// Whether the cluster does without users.
    pub fn is_auth_off(&self) -> bool {
        self.is(AUTH_NOT_ENABLED)
    }

    /// Whether a stream is over for good. After the others a new stream is worth a try.
    pub fn ends_stream(&self) -> bool {
        !matches!(self.code(), Code::Unavailable | Code::Internal) || self.is(NO_LEADER)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::DeadlineExceeded => f.write_str(self.message()),
            Fault::Refused { message, .. } if KNOWN.contains(&message.as_str()) => f.write_str(message),
            Fault::Refused { code, message } => {
                write!(f, "rpc error: code = {} desc = {message}", code_name(*code))
            }
        }
    }
}

/// Whether the status was made here. One that came over the wire has no cause.
pub fn is_local(status: &Status) -> bool {
    status.source().is_some()
}

fn root_cause(status: &Status) -> &(dyn Error + 'static) {
    let mut cause: &(dyn Error + 'static) = status;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause
}

/// grpc-go's names of the codes.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "Canceled",
        Code::Unknown => "Unknown",
        Code::InvalidArgument => "InvalidArgument",
        Code::DeadlineExceeded => "DeadlineExceeded",
        Code::NotFound => "NotFound",
        Code::AlreadyExists => "AlreadyExists",
        Code::PermissionDenied => "PermissionDenied",
        Code::ResourceExhausted => "ResourceExhausted",
        Code::FailedPrecondition => "FailedPrecondition",
        Code::Aborted => "Aborted",
        Code::OutOfRange => "OutOfRange",
        Code::Unimplemented => "Unimplemented",
        Code::Internal => "Internal",
        Code::Unavailable => "Unavailable",
        Code::DataLoss => "DataLoss",
        Code::Unauthenticated => "Unauthenticated",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_errors_are_bare_and_others_carry_their_code() {
        let text = |code, message: &str| Fault::from_status(&Status::new(code, message)).to_string();
        assert_eq!(text(Code::NotFound, LEASE_NOT_FOUND), LEASE_NOT_FOUND);
        assert_eq!(text(Code::Unimplemented, "nope"), "rpc error: code = Unimplemented desc = nope");
        assert_eq!(
            text(Code::InvalidArgument, "etcdserver: permission not given"),
            "rpc error: code = InvalidArgument desc = etcdserver: permission not given"
        );
        assert_eq!(Fault::DeadlineExceeded.to_string(), "context deadline exceeded");
    }

    #[test]
    fn faults_made_here_are_told_apart_by_their_cause() {
        let late = Fault::from_status(&Status::from_error(Box::new(TimeoutExpired(()))));
        assert!(matches!(late, Fault::DeadlineExceeded), "{late}");
        let broken = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "reset");
        let broken = Fault::from_status(&Status::from_error(Box::new(broken)));
        assert!(broken.is_passing(), "{broken}");
    }

    #[test]
    fn which_faults_let_a_stream_go_on() {
        let fault = |code, message: &str| Fault::Refused { code, message: message.to_owned() };
        assert!(!fault(Code::Unavailable, "gone").ends_stream());
        assert!(!fault(Code::Internal, "reset").ends_stream());
        assert!(fault(Code::Unavailable, NO_LEADER).ends_stream());
        assert!(fault(Code::PermissionDenied, PERMISSION_DENIED).ends_stream());
    }
}
