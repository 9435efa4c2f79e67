//! Names of things: members, clusters, and clients that wait.
use alloc::{
    string::{String, ToString as _},
    vec::Vec,
};
use core::fmt;
use sha1::{Digest, Sha1};

/// A member's identity, as etcd computes it; printed as lowercase hex without padding. 0 means "none" on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(pub u64);

/// A cluster's identity; never changes in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(pub u64);

/// Names one waiting client; made by the driver, only echoed by the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

impl MemberId {
    /// The identity of a member of a statically bootstrapped cluster: the first eight bytes of
    /// SHA-1(sorted peer URLs, joined without separator, then the cluster token). Source: contract-semantics 19.
    pub fn of_bootstrap(peer_urls: &[String], token: &str) -> MemberId {
        MemberId::of_text(peer_urls, token.as_bytes())
    }

    /// The identity of a member that is added to a cluster: as above, with the seconds since 1970 in decimal instead of
    /// the token. Source: contract-semantics 12.1.
    pub fn of_added(peer_urls: &[String], unix_secs: u64) -> MemberId {
        MemberId::of_text(peer_urls, unix_secs.to_string().as_bytes())
    }

    fn of_text(peer_urls: &[String], text: &[u8]) -> MemberId {
        let mut urls: Vec<&String> = peer_urls.iter().collect();
        urls.sort();
        let mut sum = Sha1::new();
        for url in urls {
            sum.update(url.as_bytes());
        }
        sum.update(text);
        MemberId(first_eight(&sum.finalize()))
    }
}

impl ClusterId {
    /// The first eight bytes of SHA-1(member ids ascending, eight bytes big-endian each).
    pub fn of_members(members: impl IntoIterator<Item = MemberId>) -> ClusterId {
        let mut ids: Vec<MemberId> = members.into_iter().collect();
        ids.sort();
        let mut sum = Sha1::new();
        for id in ids {
            sum.update(id.0.to_be_bytes());
        }
        ClusterId(first_eight(&sum.finalize()))
    }
}

fn first_eight(digest: &[u8]) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(eight)
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a real member printed for `--name default --initial-advertise-peer-urls http://localhost:2380`.
    #[test]
    fn the_default_member_has_the_id_that_every_etcd_user_has_seen() {
        let member = MemberId::of_bootstrap(&["http://localhost:2380".to_string()], "etcd-cluster");
        assert_eq!(member.to_string(), "8e9e05c52164694d");
        assert_eq!(ClusterId::of_members([member]).to_string(), "cdf818194e3a8c32");
    }
}
