//! What is checked of every call before its service sees it. Source: contract-semantics 1(d), contract-api 2.
use crate::Tokio;
use detcd_core::Refusal;
use detcd_driver::{Caller, Node};
use http::{HeaderMap, header::AUTHORIZATION};

pub const HAS_LEADER: &str = "hasleader";
pub const CLIENT_API_VERSION: &str = "client-api-version";
const TOKEN: &str = "token";

/// What a learner answers, if it is asked for its own state. Source: contract-semantics 1(d), 12.6.
const OF_LEARNERS: [&str; 3] =
    ["/etcdserverpb.KV/Range", "/etcdserverpb.Maintenance/Status", "/etcdserverpb.Maintenance/Snapshot"];

/// `path`: service and method.
pub fn admit(node: &Node<Tokio>, path: &str, headers: &HeaderMap) -> Result<(), Refusal> {
    if node.latest().standing.is_learner && !OF_LEARNERS.contains(&path) {
        return Err(Refusal::NotSupportedForLearner);
    }
    if let Some(version) = headers.get(CLIENT_API_VERSION)
        && std::str::from_utf8(version.as_bytes()).is_err()
    {
        return Err(Refusal::InvalidClientAPIVersion);
    }
    if wants_leader(headers) {
        node.require_leader()?;
    }
    Ok(())
}

/// Whether the caller wants to be told at once when this member knows no leader.
pub fn wants_leader(headers: &HeaderMap) -> bool {
    headers.get(HAS_LEADER).is_some_and(|value| value == "true")
}

/// Who calls, as far as the call says. A token that is no text is nobody's.
pub fn caller(headers: &HeaderMap) -> Caller {
    let token = headers.get(TOKEN).or_else(|| headers.get(AUTHORIZATION));
    token.map_or_else(Caller::default, |token| Caller::with_token(token.to_str().unwrap_or_default()))
}
