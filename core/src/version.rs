//! Versions of servers and of the cluster, and how a leader settles the latter. Source: contract-semantics 21.
use core::fmt;

/// `major.minor.patch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
    pub patch: u32,
}

/// The version of etcd that this server is compatible with, and says it is.
pub const SERVER: Version = Version { major: 3, minor: 7, patch: 1 };

/// The lowest version a cluster can have.
pub const CLUSTER_MIN: Version = Version { major: 3, minor: 0, patch: 0 };

impl Version {
    /// Reads `X.Y.Z`; a suffix behind `-` or `+` is not looked at.
    pub fn parse(text: &str) -> Option<Version> {
        let text = text.split(['-', '+']).next()?;
        let mut parts = text.split('.').map(|part| part.parse().ok());
        let version = Version { major: parts.next()??, minor: parts.next()??, patch: parts.next()?? };
        parts.next().is_none().then_some(version)
    }

    /// `X.Y.0`, as a cluster has it.
    pub fn without_patch(self) -> Version {
        Version { patch: 0, ..self }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// The version the leader should set, if it is not the one the cluster has: the lowest of all members, and the lowest
/// there is as long as somebody has not answered and none was ever set. Never lower than before.
pub fn next_cluster_version(current: Option<Version>, servers: &[Option<Version>]) -> Option<Version> {
    let everybody: Option<Version> =
        servers.iter().copied().collect::<Option<alloc::vec::Vec<_>>>().and_then(|all| all.into_iter().min());
    match (current, everybody.map(Version::without_patch)) {
        (None, everybody) => Some(everybody.unwrap_or(CLUSTER_MIN)),
        (Some(current), Some(lowest)) if lowest > current && lowest.major == current.major => Some(lowest),
        (Some(_), _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn v(text: &str) -> Version {
        Version::parse(text).expect("a version")
    }

    #[test]
    fn versions_are_read_and_printed() {
        assert_eq!(v("3.7.1").to_string(), "3.7.1");
        assert_eq!(v("3.7.0-rc.0"), v("3.7.0"));
        for bad in ["", "3", "3.7", "3.7.1.2", "a.b.c", "not_decided"] {
            assert_eq!(Version::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_cluster_takes_the_lowest_version_and_never_goes_down() {
        let (old, new) = (Some(v("3.6.14")), Some(v("3.7.1")));
        assert_eq!(next_cluster_version(None, &[new, old]), Some(v("3.6.0")));
        assert_eq!(next_cluster_version(None, &[new, None]), Some(v("3.0.0")));
        assert_eq!(next_cluster_version(Some(v("3.0.0")), &[new, new]), Some(v("3.7.0")));
        assert_eq!(next_cluster_version(Some(v("3.7.0")), &[new, new]), None);
        assert_eq!(next_cluster_version(Some(v("3.7.0")), &[new, old]), None);
        assert_eq!(next_cluster_version(Some(v("3.0.0")), &[new, None]), None);
    }
}
