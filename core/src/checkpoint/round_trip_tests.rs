//! Any state that requests can lead to comes back from its image as it was.
use super::{
    Hashing, Loaded, Sink, Stand, Walk,
    testing::{image, load, walk},
};
use crate::{
    ClusterId, Config, Member, MemberId, View, crc32c,
    state::{
        State,
        member_json::{self, Described},
    },
};
use alloc::{boxed::Box, format, string::String, vec, vec::Vec};
use detcd_proto::{
    Message,
    authpb::{Permission, UserAddOptions},
    etcdserverpb as pb,
    etcdserverpb::{InternalRaftRequest as Ask, request_op::Request},
    membershippb as mb,
    raftpb::{ConfChange, ConfState, Entry},
};
use proptest::prelude::*;

fn member(id: u64) -> Member {
    Member {
        id: MemberId(id),
        name: String::new(),
        peer_urls: vec![format!("http://m{id}:2380")],
        client_urls: Vec::new(),
        is_learner: false,
    }
}

struct World {
    state: State,
    index: u64,
}

impl World {
    fn new() -> World {
        World { state: State::new(&config()), index: 0 }
    }

    fn entry(&mut self, kind: i32, data: Vec<u8>) {
        self.index += 1;
        let entry = Entry { index: self.index, term: 3, r#type: kind, data: Some(data.into()) };
        self.state.apply(&entry, &mut Vec::new());
    }

    fn ask(&mut self, request: Ask) {
        self.entry(0, request.encode_to_vec());
    }

    fn change(&mut self, kind: i32, id: u64) {
        let described = Described { member: member(id), is_promote: false };
        let context = Some(member_json::encode(&described).into());
        self.entry(1, ConfChange { id: 1, r#type: kind, node_id: id, context }.encode_to_vec());
    }

    /// One request out of all kinds; `a` and `b` choose whom it is about.
    fn step(&mut self, kind: u8, a: u8, b: u16) {
        let key = vec![b'k', a % 7];
        let value = vec![b as u8; usize::from(if b.is_multiple_of(50) { b } else { b % 40 })];
        let lease = if a.is_multiple_of(3) { LEASES[usize::from(a) % LEASES.len()] } else { 0 };
        let put =
            pb::PutRequest { key: key.clone().into(), value: value.into(), lease, ..Default::default() };
        let range_end = if a.is_multiple_of(2) { vec![b'k', a % 7 + 2].into() } else { Default::default() };
        let delete = pb::DeleteRangeRequest { key: key.into(), range_end, prev_kv: false };
        let name = format!("u{}", a % 3);
        let revision = self.state.store.keyspace().revision();
        let id = LEASES[usize::from(a) % LEASES.len()];
        let member = u64::from(a % 5) + 1;
        match kind % 24 {
            0..8 => self.ask(Ask { put: Some(put), ..Ask::default() }),
            8 | 9 => self.ask(Ask { delete_range: Some(delete), ..Ask::default() }),
            10 => {
                let op = |request| pb::RequestOp { request: Some(request) };
                let success = vec![op(Request::RequestDeleteRange(delete)), op(Request::RequestPut(put))];
                self.ask(Ask {
                    txn: Some(pb::TxnRequest { success, ..Default::default() }),
                    ..Ask::default()
                });
            }
            11 => {
                let revision = revision - i64::from(b % 6);
                let compaction = Some(pb::CompactionRequest { revision, physical: false });
                self.ask(Ask { compaction, ..Ask::default() });
            }
            12 => {
                self.state.store.compact_step(usize::from(b % 9));
            }
            13 | 14 => {
                let lease_grant = Some(pb::LeaseGrantRequest { id, ttl: i64::from(b) + 5 });
                self.ask(Ask { lease_grant, ..Ask::default() });
            }
            15 => self.ask(Ask { lease_revoke: Some(pb::LeaseRevokeRequest { id }), ..Ask::default() }),
            16 => {
                let checkpoints = vec![pb::LeaseCheckpoint { id, remaining_ttl: i64::from(b % 9) }];
                let lease_checkpoint = Some(pb::LeaseCheckpointRequest { checkpoints });
                self.ask(Ask { lease_checkpoint, ..Ask::default() });
            }
            17 => {
                let alarm = pb::AlarmRequest {
                    action: i32::from(b % 3),
                    member_id: member,
                    // One that stops writes would leave nothing to look at.
                    alarm: if a == 0 { 2 } else { 0 },
                };
                self.ask(Ask { alarm: Some(alarm), ..Ask::default() });
            }
            18 => self.change([0, 1, 3][usize::from(b % 3)], member),
            19 => {
                let ver = format!("3.{}.0", b % 8);
                let version = Some(Box::new(mb::ClusterVersionSetRequest { ver: ver.clone() }));
                self.ask(Ask { cluster_version_set: version, ..Ask::default() });
                let downgrade = mb::DowngradeInfoSetRequest { enabled: a.is_multiple_of(2), ver };
                self.ask(Ask { downgrade_info_set: Some(Box::new(downgrade)), ..Ask::default() });
            }
            20 => {
                let options = Some(UserAddOptions { no_password: b.is_multiple_of(2) });
                let hashed_password = String::from("aGFzaA==");
                let add = pb::AuthUserAddRequest { name, options, hashed_password, ..Default::default() };
                self.ask(Ask { auth_user_add: Some(Box::new(add)), ..Ask::default() });
            }
            21 => {
                let add = pb::AuthRoleAddRequest { name: format!("r{}", b % 3) };
                self.ask(Ask { auth_role_add: Some(Box::new(add)), ..Ask::default() });
                let grant = pb::AuthUserGrantRoleRequest { user: name, role: format!("r{}", b % 3) };
                self.ask(Ask { auth_user_grant_role: Some(Box::new(grant)), ..Ask::default() });
            }
            22 => {
                let perm = Permission {
                    perm_type: i32::from(a % 3),
                    key: vec![b as u8 | 1].into(),
                    ..Default::default()
                };
                let name = format!("r{}", a % 3);
                let grant = pb::AuthRoleGrantPermissionRequest { name, perm: Some(perm) };
                self.ask(Ask { auth_role_grant_permission: Some(Box::new(grant)), ..Ask::default() });
            }
            _ => {
                let member_attributes =
                    Some(mb::Attributes { name: name.clone(), client_urls: vec![format!("http://c{b}")] });
                let set = mb::ClusterMemberAttrSetRequest { member_id: member, member_attributes };
                self.ask(Ask { cluster_member_attr_set: Some(Box::new(set)), ..Ask::default() });
            }
        }
    }

    fn stand(&self) -> Stand {
        let voters = self.state.members.iter().map(|member| member.id.0).collect();
        Stand { index: self.index, term: 3, conf_state: ConfState { voters, ..Default::default() } }
    }
}

const LEASES: [i64; 5] = [1, 7, -3, i64::MIN, i64::MAX];

fn config() -> Config {
    Config::new(member(1), ClusterId(9), Vec::new())
}

/// Everything that can be asked of a view, as a text.
fn told(view: &View) -> String {
    let keyspace = view.keyspace.without_hashes();
    let mut out = format!("{keyspace:?} {}\n", keyspace.bytes_total());
    let readable = keyspace.compact_revision().max(0)..=keyspace.revision();
    // Of many revisions, some: each is a walk over all changes.
    let step = usize::try_from(keyspace.revision() / 500).expect("not negative") + 1;
    for revision in readable.step_by(step) {
        out += &format!("{revision}: {:?}\n", keyspace.hash_kv(revision));
    }
    out += &format!("{:?}\n", keyspace.changes(0).collect::<Vec<_>>());
    out += &format!("{:?}\n", view.leases.iter().collect::<Vec<_>>());
    out += &format!("{:?} {:?} {:?}\n", view.auth, view.members, view.removed);
    out += &format!("{:?} {:?} {:?}\n", view.alarms, view.cluster_version, view.downgrade);
    out
}

fn hash(view: &View, stand: &Stand, budget: usize) -> u32 {
    let mut hashing = Hashing::new(view.clone(), stand);
    loop {
        if let Some(hash) = hashing.step(budget) {
            return hash;
        }
    }
}

/// The same hash, from the rows of a file.
struct Summing {
    sum: u32,
    in_meta: bool,
}

impl Sink for Summing {
    fn enter(&mut self, bucket: &[u8]) -> bool {
        self.sum = crc32c::chain(self.sum, bucket);
        self.in_meta = bucket == b"meta";
        true
    }

    fn row(&mut self, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
        let told_apart = [&b"term"[..], b"consistent_index", b"storageVersion"];
        if !(self.in_meta && told_apart.contains(&key)) {
            self.sum = crc32c::chain(self.sum, &[key, value].concat());
        }
        Ok(())
    }
}

fn check(mut world: World) {
    let (view, stand) = (world.state.view(), world.stand());
    let file = image(&view, &stand);
    let Loaded { view: again, stand: stood, storage_version } = load(&file).expect("our own file");
    assert_eq!(stood, stand);
    assert_eq!(storage_version.as_deref(), view.storage_version());
    let summed = walk(Walk::through(file.len() as u64, Summing { sum: 0, in_meta: false }), &file);
    let summed = summed.and_then(Walk::into_sink).expect("our own file").sum;
    assert_eq!(hash(&view, &stand, 3), summed);
    assert_eq!(hash(&again, &stand, usize::MAX), summed);
    // The image has nothing in it of what compaction was still to remove.
    while !world.state.store.compact_step(usize::MAX) {}
    let view = world.state.view();
    assert_eq!(told(&State::from_view(&config(), again.clone()).view()), told(&view));
    assert!(image(&view, &stand) == file, "the same state, the same bytes");
    assert!(image(&again, &stand) == file, "there and back");
}

#[test]
fn an_empty_state_comes_back() {
    check(World::new());
}

/// Leaves, branches above them and branches above those.
#[test]
fn many_and_large_values_come_back() {
    let mut world = World::new();
    let mut key = 0u32;
    let mut put = |world: &mut World, len: usize| {
        key += 1;
        let value = vec![key as u8; len].into();
        let put =
            pb::PutRequest { key: format!("{key:08}").into_bytes().into(), value, ..Default::default() };
        world.ask(Ask { put: Some(put), ..Ask::default() });
    };
    for len in [0, 1, 3990, 4000, 4096, 5000, 100_000, 1_400_000, 7, 12_300] {
        put(&mut world, len);
    }
    for _ in 0..10_000 {
        put(&mut world, 100);
    }
    for id in 1..3000 {
        let id = if id % 3 == 0 { -id } else { id };
        world.ask(Ask { lease_grant: Some(pb::LeaseGrantRequest { id, ttl: 100 }), ..Ask::default() });
    }
    check(world);
}

proptest! {
    #[test]
    fn any_state_comes_back(steps in proptest::collection::vec((any::<u8>(), any::<u8>(), any::<u16>()), 0..400)) {
        let mut world = World::new();
        for (kind, a, b) in steps {
            world.step(kind, a, b);
        }
        check(world);
    }
}

/// A compaction that was begun and did not end goes on with what is loaded; its hash is not known.
#[test]
fn a_compaction_goes_on_after_loading() {
    use crate::store::{Restoring, Store, revision_key};
    let mut world = World::new();
    for key in 0..60 {
        let put = pb::PutRequest { key: vec![b'k', key % 7].into(), ..Default::default() };
        world.ask(Ask { put: Some(put), ..Ask::default() });
    }
    let keyspace = world.state.store.keyspace().clone();
    let mut restoring = Restoring::default();
    let (mut key, mut value) = (Vec::new(), Vec::new());
    for (_, record) in keyspace.kept(0) {
        key.clear();
        value.clear();
        record.stored_key(&mut key);
        record.stored_value(&mut value);
        restoring.push(&key, &value).expect("a row of our own");
    }
    let restored = restoring.finish(Some(30), Some(10)).expect("sound marks");
    assert_eq!(restored.compact_revision(), 30);
    assert_eq!(restored.records(), keyspace.records());
    let mut store = Store::from_keyspace(restored, crate::Plants::NONE);
    assert!(store.is_compacting() && store.compacted_physically() == 10);
    world.state.store.compact(30).expect("it is there");
    let pending = store.keyspace().hash_kv(30).expect("readable");
    while !store.compact_step(3) {}
    while !world.state.store.compact_step(3) {}
    let clean = world.state.store.keyspace().without_hashes();
    assert_eq!(store.keyspace().hash_kv(30), clean.hash_kv(30));
    assert_eq!(Ok(pending), clean.hash_kv(30));
    assert_eq!(store.keyspace().hash_kv(0), clean.hash_kv(0));
    assert_eq!(store.keyspace().records(), clean.records());
    assert_eq!(revision_key(30).len(), 17);
}

/// A restore that skips revisions leaves a row without a pair, and everything below compacted.
#[test]
fn a_row_without_a_pair_takes_its_revision_only() {
    use crate::{
        KeyRange,
        store::{Restoring, revision_key},
    };
    let mut restoring = Restoring::default();
    restoring.push(&revision_key(1_000_000), b"").expect("etcd writes it");
    let keyspace = restoring.finish(Some(1_000_000), None).expect("sound marks");
    assert_eq!((keyspace.revision(), keyspace.compact_revision()), (1_000_000, 1_000_000));
    assert_eq!(keyspace.range(&KeyRange::new(vec![0].into(), vec![0].into()), 0).count(), 0);
    let mut view = World::new().state.view();
    view.keyspace = keyspace;
    let loaded = load(&image(&view, &Stand::default())).expect("our own file");
    assert_eq!(told(&loaded.view), told(&view));
    assert_eq!(loaded.view.keyspace.records(), 1);
}
