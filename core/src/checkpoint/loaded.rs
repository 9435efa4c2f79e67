//! What an image says: rows become a state again.
#![deny(clippy::indexing_slicing)]
use super::{INDEX_MAX, Sink, Stand, View, contents::Bucket};
use crate::{
    KeyRange, Member, MemberId, Plants, auth,
    json::{self, Value},
    lease,
    state::member_json,
    store::{Restoring, parse_revision},
    version::Version,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    sync::Arc,
    vec::Vec,
};
use detcd_proto::{Message, authpb, etcdserverpb::AlarmMember, leasepb, raftpb::ConfState};

/// In seconds; no lease can be granted for longer.
const TTL_MAX: i64 = 9_000_000_000;

/// The whole of an image.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub view: View,
    /// All zero where the file does not say: members of etcd 3.4 and before write the index alone, and those of 3.5
    /// know no configuration before a first change of it.
    pub stand: Stand,
    /// Of the file's shape, `X.Y.0`; members write it since etcd 3.6.
    pub storage_version: Option<String>,
}

/// The rows of a file so far.
#[derive(Debug)]
pub struct Loading {
    bucket: Option<Bucket>,
    /// Those that there were, even if nothing is in them.
    buckets: BTreeSet<Bucket>,
    keyspace: Restoring,
    scheduled: Option<i64>,
    finished: Option<i64>,
    leases: lease::Table,
    auth_enabled: bool,
    auth_revision: u64,
    users: Vec<authpb::User>,
    roles: Vec<authpb::Role>,
    members: BTreeMap<MemberId, Member>,
    removed: BTreeSet<MemberId>,
    alarms: BTreeSet<(u64, i32)>,
    cluster_version: Option<Arc<String>>,
    downgrade: Option<Arc<String>>,
    stand: Stand,
    storage_version: Option<String>,
    /// There was a row that means nothing here.
    has_strangers: bool,
}

type Refused = Result<(), &'static str>;

impl Loading {
    pub fn new(plants: Plants) -> Loading {
        Loading {
            bucket: None,
            buckets: BTreeSet::new(),
            keyspace: Restoring::with_plants(plants),
            scheduled: None,
            finished: None,
            leases: lease::Table::with_plants(plants),
            auth_enabled: false,
            auth_revision: 0,
            users: Vec::new(),
            roles: Vec::new(),
            members: BTreeMap::new(),
            removed: BTreeSet::new(),
            alarms: BTreeSet::new(),
            cluster_version: None,
            downgrade: None,
            stand: Stand::default(),
            storage_version: None,
            has_strangers: false,
        }
    }

    pub fn has_strangers(&self) -> bool {
        self.has_strangers
    }

    pub fn finish(mut self) -> Result<Loaded, &'static str> {
        for needed in [Bucket::Key, Bucket::Meta] {
            if !self.buckets.contains(&needed) {
                return Err("no bucket of keys or none of metadata: not a file of etcd's");
            }
        }
        if self.members.keys().any(|id| self.removed.contains(id)) {
            return Err("a member that was removed");
        }
        let keyspace = self.keyspace.finish(self.scheduled, self.finished)?;
        for record in keyspace.range(&KeyRange::all(), 0).filter(|record| record.lease() != 0) {
            // A lease that is gone leaves its number in what was put under it.
            self.leases.attach(record.lease(), record.key());
        }
        let auth = auth::Table::restored(
            self.auth_enabled,
            // A table begins with the first revision, whether that was written or not.
            self.auth_revision.max(1),
            self.users,
            self.roles,
        );
        let alarm = |(member_id, alarm)| AlarmMember { member_id, alarm };
        Ok(Loaded {
            view: View {
                keyspace,
                leases: self.leases,
                auth,
                members: Arc::new(self.members.into_values().collect()),
                removed: Arc::new(self.removed),
                alarms: Arc::new(self.alarms.into_iter().map(alarm).collect()),
                cluster_version: self.cluster_version,
                downgrade: self.downgrade,
            },
            stand: self.stand,
            storage_version: self.storage_version,
        })
    }

    fn lease(&mut self, key: &[u8], value: &[u8]) -> Refused {
        let lease = leasepb::Lease::decode(value).map_err(|_| "a lease that cannot be read")?;
        if key != lease.id.to_be_bytes() {
            return Err("a lease under another's id");
        }
        if lease.id == 0 || lease.ttl > TTL_MAX || !(0..=TTL_MAX).contains(&lease.remaining_ttl) {
            return Err("a lease that cannot have been granted");
        }
        self.leases.restore(lease.id, lease.ttl, lease.remaining_ttl);
        Ok(())
    }

    fn meta(&mut self, key: &[u8], value: &[u8]) -> Refused {
        let revision = || match parse_revision(value) {
            Some(((main, _), false)) => Ok(Some(main)),
            _ => Err("a compaction that cannot be read"),
        };
        match key {
            b"consistent_index" => self.stand.index = number(value, INDEX_MAX)?,
            b"term" => self.stand.term = number(value, INDEX_MAX)?,
            b"confState" => {
                self.stand.conf_state = conf_state(value).ok_or("a configuration that cannot be read")?;
            }
            b"scheduledCompactRev" => self.scheduled = revision()?,
            b"finishedCompactRev" => self.finished = revision()?,
            b"storageVersion" => self.storage_version = Some(text(value)?),
            // Others may have more to say than is asked here.
            _ => self.has_strangers = true,
        }
        Ok(())
    }

    fn auth(&mut self, key: &[u8], value: &[u8]) -> Refused {
        match key {
            b"authEnabled" => self.auth_enabled = value == [1],
            b"authRevision" => self.auth_revision = number(value, INDEX_MAX)?,
            _ => {}
        }
        Ok(())
    }

    fn cluster(&mut self, key: &[u8], value: &[u8]) -> Refused {
        match key {
            b"clusterVersion" => {
                let text = text(value)?;
                Version::parse(&text).ok_or("a cluster version that is none")?;
                self.cluster_version = Some(Arc::new(text));
            }
            b"downgrade" => {
                let job = json::parse(value).ok_or("a downgrade that cannot be read")?;
                let target = job.get("target-version").and_then(Value::as_str);
                let is_enabled = job.get("enabled").and_then(Value::as_bool) == Some(true);
                self.downgrade = target.filter(|_| is_enabled).map(|target| Arc::new(target.into()));
            }
            _ => {}
        }
        Ok(())
    }

    fn member(&mut self, key: &[u8], value: &[u8]) -> Refused {
        let described = member_json::decode(value).ok_or("a member that cannot be read")?;
        if member_id(key)? != described.member.id {
            return Err("a member under another's id");
        }
        self.members.insert(described.member.id, described.member);
        Ok(())
    }
}

impl Sink for Loading {
    fn enter(&mut self, bucket: &[u8]) -> bool {
        // Others may have buckets of their own.
        self.bucket = Bucket::named(bucket);
        self.buckets.extend(self.bucket);
        self.bucket.is_some()
    }

    fn row(&mut self, key: &[u8], value: &[u8]) -> Refused {
        let Some(bucket) = self.bucket else { return Ok(()) };
        match bucket {
            Bucket::Key => return self.keyspace.push(key, value),
            Bucket::Lease => return self.lease(key, value),
            Bucket::Meta => return self.meta(key, value),
            Bucket::Auth => return self.auth(key, value),
            Bucket::Cluster => return self.cluster(key, value),
            Bucket::Members => return self.member(key, value),
            Bucket::MembersRemoved => {
                self.removed.insert(member_id(key)?);
            }
            Bucket::Alarm => {
                let alarm = AlarmMember::decode(key).map_err(|_| "an alarm that cannot be read")?;
                self.alarms.insert((alarm.member_id, alarm.alarm));
            }
            Bucket::AuthUsers => {
                let user = authpb::User::decode(value).map_err(|_| "a user that cannot be read")?;
                named(key, &user.name)?;
                self.users.push(user);
            }
            Bucket::AuthRoles => {
                let role = authpb::Role::decode(value).map_err(|_| "a role that cannot be read")?;
                named(key, &role.name)?;
                self.roles.push(role);
            }
        }
        Ok(())
    }
}

fn number(value: &[u8], max: u64) -> Result<u64, &'static str> {
    let number = value.try_into().map(u64::from_be_bytes).map_err(|_| "a number of another length")?;
    if number <= max { Ok(number) } else { Err("a number out of all bounds") }
}

fn text(value: &[u8]) -> Result<String, &'static str> {
    core::str::from_utf8(value).map(String::from).map_err(|_| "a text that is none")
}

fn named(key: &[u8], name: &[u8]) -> Refused {
    if key == name { Ok(()) } else { Err("a user or role under another's name") }
}

fn member_id(key: &[u8]) -> Result<MemberId, &'static str> {
    let hex = core::str::from_utf8(key).ok().and_then(|hex| u64::from_str_radix(hex, 16).ok());
    hex.filter(|id| *id != 0).map(MemberId).ok_or("an id that is none")
}

fn conf_state(value: &[u8]) -> Option<ConfState> {
    let json = json::parse(value)?;
    let ids = |name: &str| match json.get(name) {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(ids) => ids.as_array()?.iter().map(Value::as_u64).collect(),
    };
    Some(ConfState {
        voters: ids("voters")?,
        learners: ids("learners")?,
        voters_outgoing: ids("voters_outgoing")?,
        learners_next: ids("learners_next")?,
        auto_leave: json.get("auto_leave").and_then(Value::as_bool).unwrap_or(false),
    })
}
