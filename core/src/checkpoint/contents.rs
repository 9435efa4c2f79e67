//! What stands in an image: the buckets of etcd's backend with their rows, as a [`View`] and its [`Stand`] make them.
//! Source: contract-semantics 17.2.
use super::{Stand, View};
use crate::{
    json,
    lease::Lease,
    state::member_json::{self, Described},
    store::{Record, revision_key},
    version::Version,
};
use alloc::{boxed::Box, format, string::String, vec::Vec};
use detcd_proto::{Message, leasepb, raftpb::ConfState};

/// Members write the version of their files' shape since this one.
const FIRST_WITH_STORAGE_VERSION: Version = Version { major: 3, minor: 6, patch: 0 };

/// The buckets in the order of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bucket {
    Alarm,
    Auth,
    AuthRoles,
    AuthUsers,
    Cluster,
    Key,
    Lease,
    Members,
    MembersRemoved,
    Meta,
}

impl Bucket {
    pub const ALL: [Bucket; 10] = [
        Bucket::Alarm,
        Bucket::Auth,
        Bucket::AuthRoles,
        Bucket::AuthUsers,
        Bucket::Cluster,
        Bucket::Key,
        Bucket::Lease,
        Bucket::Members,
        Bucket::MembersRemoved,
        Bucket::Meta,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Bucket::Alarm => "alarm",
            Bucket::Auth => "auth",
            Bucket::AuthRoles => "authRoles",
            Bucket::AuthUsers => "authUsers",
            Bucket::Cluster => "cluster",
            Bucket::Key => "key",
            Bucket::Lease => "lease",
            Bucket::Members => "members",
            Bucket::MembersRemoved => "members_removed",
            Bucket::Meta => "meta",
        }
    }

    pub fn named(name: &[u8]) -> Option<Bucket> {
        Bucket::ALL.into_iter().find(|bucket| bucket.name().as_bytes() == name)
    }
}

/// One row of a bucket, written out only where it is wanted.
#[derive(Clone, Copy)]
pub enum Row<'a> {
    Change(&'a Record),
    Lease(i64, &'a Lease),
    Pair(&'a [u8], &'a [u8]),
}

impl Row<'_> {
    /// Of the key and of the value, in bytes.
    pub fn sizes(self) -> (usize, usize) {
        match self {
            Row::Change(record) => {
                let key = 17 + usize::from(record.is_tombstone());
                let all = usize::try_from(record.stored_len()).expect("a record is in memory");
                (key, all - key - super::page::ELEMENT)
            }
            Row::Lease(id, lease) => (8, stored_lease(id, lease).encoded_len()),
            Row::Pair(key, value) => (key.len(), value.len()),
        }
    }

    pub fn write_key(self, out: &mut Vec<u8>) {
        match self {
            Row::Change(record) => record.stored_key(out),
            Row::Lease(id, _) => out.extend_from_slice(&id.to_be_bytes()),
            Row::Pair(key, _) => out.extend_from_slice(key),
        }
    }

    pub fn write_value(self, out: &mut Vec<u8>) {
        match self {
            Row::Change(record) => record.stored_value(out),
            Row::Lease(id, lease) => stored_lease(id, lease).encode(out).expect("a Vec grows as needed"),
            Row::Pair(_, value) => out.extend_from_slice(value),
        }
    }
}

/// Rows in order, each with its place.
pub type Rows<'a> = Box<dyn Iterator<Item = (usize, Row<'a>)> + 'a>;

fn stored_lease(id: i64, lease: &Lease) -> leasepb::Lease {
    leasepb::Lease { id, ttl: lease.ttl, remaining_ttl: lease.remaining_ttl }
}

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// A view by its buckets. The many rows of keys and leases are made when they are asked for, the few others are there.
#[derive(Debug)]
pub struct Contents {
    view: View,
    /// By bucket; empty for those of keys and leases.
    pairs: Vec<Pairs>,
}

impl Contents {
    pub fn new(view: View, stand: &Stand) -> Contents {
        let mut contents = Contents { view, pairs: Vec::new() };
        contents.pairs = Bucket::ALL
            .into_iter()
            .map(|bucket| {
                let mut pairs = contents.few(bucket, stand);
                pairs.sort_unstable();
                pairs
            })
            .collect();
        contents
    }

    /// The rows of a bucket in order, from a place on, each with its place. Places of rows that are not written are
    /// passed over.
    pub fn rows(&self, bucket: Bucket, from: usize) -> Rows<'_> {
        match bucket {
            Bucket::Key => {
                Box::new(self.view.keyspace.kept(from).map(|(at, record)| (at, Row::Change(record))))
            }
            Bucket::Lease => {
                let leases = self.view.leases.by_bits(from).enumerate();
                Box::new(leases.map(move |(at, (id, lease))| (from + at, Row::Lease(*id, lease))))
            }
            bucket => {
                let pairs = self.pairs.get(bucket as usize).map_or(&[][..], |pairs| &pairs[..]);
                let rows = pairs.iter().enumerate().skip(from);
                Box::new(rows.map(|(at, (key, value))| (at, Row::Pair(key, value))))
            }
        }
    }

    fn few(&self, bucket: Bucket, stand: &Stand) -> Pairs {
        let View { auth, members, removed, alarms, cluster_version, downgrade, .. } = &self.view;
        match bucket {
            Bucket::Key | Bucket::Lease => Vec::new(),
            Bucket::Alarm => alarms.iter().map(|alarm| (alarm.encode_to_vec(), Vec::new())).collect(),
            Bucket::Auth => {
                let revision = pair("authRevision", &auth.revision().to_be_bytes());
                // etcd writes it when it is enabled first.
                auth.is_enabled().then(|| pair("authEnabled", &[1])).into_iter().chain([revision]).collect()
            }
            Bucket::AuthRoles => {
                auth.roles().map(|(name, role)| (name.to_vec(), role.record().encode_to_vec())).collect()
            }
            Bucket::AuthUsers => {
                auth.users().map(|(name, user)| (name.to_vec(), user.record().encode_to_vec())).collect()
            }
            Bucket::Cluster => {
                let version =
                    cluster_version.as_ref().map(|version| pair("clusterVersion", version.as_bytes()));
                let target = downgrade.as_ref().map(|target| {
                    let mut json = String::from("{\"target-version\":");
                    json::write_string(target, &mut json);
                    json.push_str(",\"enabled\":true}");
                    pair("downgrade", json.as_bytes())
                });
                version.into_iter().chain(target).collect()
            }
            Bucket::Members => members
                .iter()
                .map(|member| {
                    let described = Described { member: member.clone(), is_promote: false };
                    pair(&format!("{:x}", member.id.0), &member_json::encode(&described))
                })
                .collect(),
            Bucket::MembersRemoved => {
                removed.iter().map(|id| pair(&format!("{:x}", id.0), b"removed")).collect()
            }
            Bucket::Meta => self.meta(stand),
        }
    }

    fn meta(&self, stand: &Stand) -> Pairs {
        let mut pairs = Pairs::from([
            pair("consistent_index", &stand.index.to_be_bytes()),
            pair("term", &stand.term.to_be_bytes()),
            pair("confState", conf_state_json(&stand.conf_state).as_bytes()),
        ]);
        // What compaction has passed is not in the image, so none is under way.
        let bound = self.view.keyspace.compact_revision();
        if bound >= 0 {
            for name in ["scheduledCompactRev", "finishedCompactRev"] {
                pairs.push(pair(name, &revision_key(bound)));
            }
        }
        if let Some(version) = self.view.storage_version() {
            pairs.push(pair("storageVersion", version.as_bytes()));
        }
        pairs
    }
}

impl View {
    /// The version of the shape of an image of this state: the cluster's, since there is such a thing.
    pub fn storage_version(&self) -> Option<&str> {
        let text = self.cluster_version.as_deref()?;
        let is_told = Version::parse(text).is_some_and(|version| version >= FIRST_WITH_STORAGE_VERSION);
        is_told.then_some(text.as_str())
    }
}

fn pair(key: &str, value: &[u8]) -> (Vec<u8>, Vec<u8>) {
    (key.as_bytes().to_vec(), value.to_vec())
}

/// As Go's encoder writes it: empty lists are left out, the flag never is.
fn conf_state_json(state: &ConfState) -> String {
    let lists = [
        ("voters", &state.voters),
        ("learners", &state.learners),
        ("voters_outgoing", &state.voters_outgoing),
        ("learners_next", &state.learners_next),
    ];
    let mut json = String::from("{");
    for (name, ids) in lists {
        if !ids.is_empty() {
            let ids: Vec<String> = ids.iter().map(|id| format!("{id}")).collect();
            json += &format!("\"{name}\":[{}],", ids.join(","));
        }
    }
    json += &format!("\"auto_leave\":{}}}", state.auto_leave);
    json
}
