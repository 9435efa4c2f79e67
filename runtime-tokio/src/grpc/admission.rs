//! What is checked of every call before its service sees it. Source: contract-semantics 1(d), contract-api 2.
use crate::Tokio;
use detcd_core::Refusal;
use detcd_driver::Node;
use http::HeaderMap;

pub const HAS_LEADER: &str = "hasleader";
pub const CLIENT_API_VERSION: &str = "client-api-version";

pub fn admit(node: &Node<Tokio>, headers: &HeaderMap) -> Result<(), Refusal> {
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
