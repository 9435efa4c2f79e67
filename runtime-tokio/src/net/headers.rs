//! What members tell each other in HTTP headers, and who may talk to whom by it. Source: contract-semantics 18.
use detcd_core::{
    ClusterId, MemberId,
    version::{CLUSTER_MIN, SERVER, Version},
};
use http::{HeaderMap, HeaderName, HeaderValue};

pub const SERVER_FROM: HeaderName = HeaderName::from_static("x-server-from");
pub const SERVER_VERSION: HeaderName = HeaderName::from_static("x-server-version");
pub const MIN_CLUSTER_VERSION: HeaderName = HeaderName::from_static("x-min-cluster-version");
pub const CLUSTER_ID: HeaderName = HeaderName::from_static("x-etcd-cluster-id");
pub const PEER_URLS: HeaderName = HeaderName::from_static("x-peerurls");
pub const RAFT_TO: HeaderName = HeaderName::from_static("x-raft-to");

/// This member, as it introduces itself.
#[derive(Clone, Debug)]
pub struct Identity {
    pub member: MemberId,
    pub cluster: ClusterId,
    pub peer_urls: Vec<String>,
}

impl Identity {
    /// The headers of every request to a peer.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(SERVER_FROM, hex(self.member.0));
        headers.insert(SERVER_VERSION, said(SERVER));
        headers.insert(MIN_CLUSTER_VERSION, said(CLUSTER_MIN));
        headers.insert(CLUSTER_ID, hex(self.cluster.0));
        if let Ok(urls) = HeaderValue::try_from(self.peer_urls.join(",")) {
            headers.insert(PEER_URLS, urls);
        }
        headers
    }

    /// The headers of every answer to a peer.
    pub fn answer_headers(&self, headers: &mut HeaderMap) {
        headers.insert(CLUSTER_ID, hex(self.cluster.0));
        headers.insert(SERVER_VERSION, said(SERVER));
    }

    /// Why a request from such a peer is not served; None if it is.
    pub fn mismatch(&self, theirs: &HeaderMap) -> Option<&'static str> {
        let version = |name| {
            let text = theirs.get(name).and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty());
            // etcd takes a silent peer for one of the first version.
            major_minor(text.unwrap_or("2.0.0"))
        };
        let (Some(server), Some(min)) = (version(SERVER_VERSION), version(MIN_CLUSTER_VERSION)) else {
            return Some("incompatible version");
        };
        if server < (CLUSTER_MIN.major, CLUSTER_MIN.minor) || min > (SERVER.major, SERVER.minor) {
            return Some("incompatible version");
        }
        (theirs.get(CLUSTER_ID) != Some(&hex(self.cluster.0))).then_some("cluster ID mismatch")
    }
}

/// Who asks, and where it listens; for those who introduce themselves as [`Identity::headers`] does.
pub fn introduced(headers: &HeaderMap) -> Option<(MemberId, Vec<String>)> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let id = u64::from_str_radix(text(SERVER_FROM)?, 16).ok()?;
    let urls = text(PEER_URLS).unwrap_or_default().split(',').map(str::trim).filter(|url| !url.is_empty());
    Some((MemberId(id), urls.map(str::to_string).collect()))
}

/// The first two numbers of a version, as they order.
fn major_minor(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.');
    let major = numbers.next()?.parse().ok()?;
    Some((major, numbers.next()?.parse().ok()?))
}

fn said(version: Version) -> HeaderValue {
    HeaderValue::try_from(version.to_string()).expect("digits and points are fine in a header")
}

/// Lowercase hex without padding, as etcd prints every ID.
pub fn hex(id: u64) -> HeaderValue {
    HeaderValue::try_from(format!("{id:x}")).expect("hex digits are fine in a header")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity { member: MemberId(0xab), cluster: ClusterId(0xcd), peer_urls: vec!["http://a:1".into()] }
    }

    #[test]
    fn a_member_is_introduced_as_etcd_does_it() {
        let headers = identity().headers();
        let said: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        for wanted in [
            ("x-server-from", "ab"),
            ("x-server-version", "3.7.1"),
            ("x-min-cluster-version", "3.0.0"),
            ("x-etcd-cluster-id", "cd"),
            ("x-peerurls", "http://a:1"),
        ] {
            assert!(said.contains(&wanted), "{wanted:?} in {said:?}");
        }
    }

    #[test]
    fn strangers_are_told_apart_by_version_first_and_cluster_second() {
        let us = identity();
        let said = |changes: &[(HeaderName, &'static str)]| {
            let mut headers = us.headers();
            for (name, value) in changes {
                headers.insert(name.clone(), HeaderValue::from_static(value));
            }
            us.mismatch(&headers)
        };
        assert_eq!(said(&[]), None);
        assert_eq!(said(&[(SERVER_VERSION, "3.5.9"), (MIN_CLUSTER_VERSION, "3.0.0")]), None);
        assert_eq!(said(&[(SERVER_VERSION, "2.3.8")]), Some("incompatible version"));
        assert_eq!(said(&[(MIN_CLUSTER_VERSION, "3.8.0")]), Some("incompatible version"));
        assert_eq!(said(&[(MIN_CLUSTER_VERSION, "3.7.9")]), None);
        assert_eq!(said(&[(SERVER_VERSION, "x")]), Some("incompatible version"));
        assert_eq!(said(&[(CLUSTER_ID, "ce")]), Some("cluster ID mismatch"));
        assert_eq!(us.mismatch(&HeaderMap::new()), Some("incompatible version"));
    }
}
