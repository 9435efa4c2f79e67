//! Versions of servers and of the cluster, and how a leader settles the latter. Source: contract-semantics 21.
use alloc::{format, vec::Vec};
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

    /// Reads the version that somebody wants a cluster to go back to: `X.Y.Z` or `X.Y`, of which the patch does not count.
    pub fn parse_target(text: &str) -> Option<Version> {
        Version::parse(text).or_else(|| Version::parse(&format!("{text}.0"))).map(Version::without_patch)
    }

    /// The only version a cluster of this one can go back to.
    pub fn before(self) -> Option<Version> {
        self.minor.checked_sub(1).map(|minor| Version { minor, patch: 0, ..self })
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
/// there is as long as somebody has not answered and none was ever set. Never lower than before, unless the cluster is
/// to go back to the version before: then that one, if every member allows it.
pub fn next_cluster_version(
    current: Option<Version>,
    servers: &[Option<Version>],
    target: Option<Version>,
) -> Option<Version> {
    let everybody = lowest(servers).map(Version::without_patch);
    let Some(current) = current else { return Some(everybody.unwrap_or(CLUSTER_MIN)) };
    let lowest = everybody?;
    match target {
        Some(target) => {
            let goes_back = target != current && current.before() == Some(target);
            (goes_back && lowest.before() == Some(target)).then_some(target)
        }
        None => (lowest > current && lowest.major == current.major).then_some(lowest),
    }
}

/// Whether every member has the version that the cluster was to go back to.
pub fn is_back_at(target: Version, servers: &[Option<Version>]) -> bool {
    servers.iter().all(|server| server.map(Version::without_patch) == Some(target))
}

/// None if somebody has not answered.
fn lowest(servers: &[Option<Version>]) -> Option<Version> {
    let all: Option<Vec<Version>> = servers.iter().copied().collect();
    all?.into_iter().min()
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
        let next = |current, servers: &[Option<Version>]| next_cluster_version(current, servers, None);
        assert_eq!(next(None, &[new, old]), Some(v("3.6.0")));
        assert_eq!(next(None, &[new, None]), Some(v("3.0.0")));
        assert_eq!(next(Some(v("3.0.0")), &[new, new]), Some(v("3.7.0")));
        assert_eq!(next(Some(v("3.7.0")), &[new, new]), None);
        assert_eq!(next(Some(v("3.7.0")), &[new, old]), None);
        assert_eq!(next(Some(v("3.0.0")), &[new, None]), None);
    }

    #[test]
    fn the_cluster_goes_back_by_one_minor_version_if_it_is_to() {
        let (old, new, target) = (Some(v("3.6.14")), Some(v("3.7.1")), Some(v("3.6.0")));
        let next =
            |current, servers: &[Option<Version>]| next_cluster_version(Some(v(current)), servers, target);
        assert_eq!(next("3.7.0", &[new, new]), target);
        assert_eq!(next("3.7.0", &[new, None]), None);
        assert_eq!(
            next("3.7.0", &[new, old]),
            None,
            "what is lower than the target's neighbour does not allow it"
        );
        assert_eq!(next("3.8.0", &[new, new]), None, "two steps");
        assert_eq!(next("3.6.0", &[new, old]), None, "there already, and not up again");
        assert!(is_back_at(v("3.6.0"), &[old, old]) && !is_back_at(v("3.6.0"), &[old, new]));
        for (text, read) in [("3.6", target), ("3.6.9", target), ("3", None), ("3.6-rc", None), ("", None)] {
            assert_eq!(Version::parse_target(text), read, "{text}");
        }
        assert_eq!(v("4.0.0").before(), None);
    }
}
