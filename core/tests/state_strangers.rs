//! Nothing that stands in a committed entry brings a member down: it would bring down all, at every start again.
use bytes::Bytes;
use detcd_core::state::State;
use detcd_core::{ClusterId, Config, Member, MemberId, Rng};
use detcd_proto::Message as _;
use detcd_proto::etcdserverpb::{
    AlarmRequest, CompactionRequest, Compare, DeleteRangeRequest, InternalRaftRequest, LeaseGrantRequest,
    LeaseRevokeRequest, PutRequest, RangeRequest, RequestHeader, RequestOp, TxnRequest, compare::TargetUnion,
    request_op::Request,
};
use detcd_proto::membershippb::{Attributes, ClusterMemberAttrSetRequest, ClusterVersionSetRequest};
use detcd_proto::raftpb::{ConfChange, Entry};

fn number(rng: &mut Rng) -> i64 {
    match rng.below(10) {
        0 => i64::MIN,
        1 => i64::MAX,
        2 => -1,
        3 => rng.u64() as i64,
        _ => rng.below(40) as i64,
    }
}

fn small(rng: &mut Rng) -> i32 {
    if rng.below(12) == 0 { rng.u64() as i32 } else { rng.below(6) as i32 }
}

fn bytes(rng: &mut Rng) -> Bytes {
    const KEYS: [&[u8]; 9] = [b"", b"\0", b"a", b"a\0", b"b", b"c", b"\xff", b"\xff\xff", b"zz"];
    Bytes::from_static(KEYS[rng.below(9) as usize])
}

fn flag(rng: &mut Rng) -> bool {
    rng.below(4) == 0
}

fn range(rng: &mut Rng) -> RangeRequest {
    RangeRequest {
        key: bytes(rng),
        range_end: bytes(rng),
        limit: number(rng),
        revision: if flag(rng) { number(rng) } else { 0 },
        sort_order: small(rng),
        sort_target: small(rng),
        serializable: flag(rng),
        keys_only: flag(rng),
        count_only: flag(rng),
        min_mod_revision: if flag(rng) { number(rng) } else { 0 },
        max_mod_revision: if flag(rng) { number(rng) } else { 0 },
        min_create_revision: if flag(rng) { number(rng) } else { 0 },
        max_create_revision: if flag(rng) { number(rng) } else { 0 },
    }
}

fn put(rng: &mut Rng) -> PutRequest {
    PutRequest {
        key: bytes(rng),
        value: bytes(rng),
        lease: if flag(rng) { number(rng) } else { 0 },
        prev_kv: flag(rng),
        ignore_value: flag(rng),
        ignore_lease: flag(rng),
    }
}

fn delete(rng: &mut Rng) -> DeleteRangeRequest {
    DeleteRangeRequest { key: bytes(rng), range_end: bytes(rng), prev_kv: flag(rng) }
}

fn guard(rng: &mut Rng) -> Compare {
    let target_union = match rng.below(6) {
        0 => None,
        1 => Some(TargetUnion::Version(number(rng))),
        2 => Some(TargetUnion::CreateRevision(number(rng))),
        3 => Some(TargetUnion::ModRevision(number(rng))),
        4 => Some(TargetUnion::Value(bytes(rng))),
        _ => Some(TargetUnion::Lease(number(rng))),
    };
    Compare { result: small(rng), target: small(rng), key: bytes(rng), range_end: bytes(rng), target_union }
}

fn operations(rng: &mut Rng, depth: u64) -> Vec<RequestOp> {
    let count = [0, 1, 1, 2, 3][rng.below(5) as usize];
    let one = |_| {
        let request = match rng.below(8) {
            0 => None,
            1 | 2 => Some(Request::RequestRange(range(rng))),
            3 | 4 => Some(Request::RequestPut(put(rng))),
            5 => Some(Request::RequestDeleteRange(delete(rng))),
            _ if depth > 0 => Some(Request::RequestTxn(txn(rng, depth - 1))),
            _ => None,
        };
        RequestOp { request }
    };
    (0..count).map(one).collect()
}

fn txn(rng: &mut Rng, depth: u64) -> TxnRequest {
    let guards = rng.below(3);
    TxnRequest {
        compare: (0..guards).map(|_| guard(rng)).collect(),
        success: operations(rng, depth),
        failure: operations(rng, depth),
    }
}

fn request(rng: &mut Rng) -> InternalRaftRequest {
    let mut request = InternalRaftRequest {
        header: flag(rng).then(|| RequestHeader { id: rng.u64(), ..RequestHeader::default() }),
        ..InternalRaftRequest::default()
    };
    match rng.below(12) {
        0..3 => request.put = Some(put(rng)),
        3..6 => request.txn = Some(txn(rng, 3)),
        6 => request.delete_range = Some(delete(rng)),
        7 => {
            request.compaction = Some(CompactionRequest { revision: number(rng), physical: flag(rng) });
        }
        8 => {
            request.lease_grant = Some(LeaseGrantRequest { ttl: number(rng), id: number(rng) });
        }
        9 => request.lease_revoke = Some(LeaseRevokeRequest { id: number(rng) }),
        10 => {
            let member_id = number(rng) as u64;
            // The alarm that ends all writing comes late or never.
            let alarm = if rng.below(50) == 0 { 2 } else { small(rng) % 2 };
            request.alarm = Some(AlarmRequest { action: small(rng), member_id, alarm });
        }
        _ if flag(rng) => {
            let ver = ["", "3.7.0", "x", "-1.-1", "99999999999999999999.1"][rng.below(5) as usize];
            request.cluster_version_set = Some(Box::new(ClusterVersionSetRequest { ver: ver.to_string() }));
        }
        _ => {
            let member_attributes = flag(rng).then(Attributes::default);
            let member_id = rng.below(4);
            request.cluster_member_attr_set =
                Some(Box::new(ClusterMemberAttrSetRequest { member_id, member_attributes }));
        }
    }
    request
}

fn entry(rng: &mut Rng, index: u64) -> Entry {
    let (kind, data) = match rng.below(20) {
        0 => (small(rng), Some(bytes(rng))),
        1 => {
            let context = flag(rng).then(|| bytes(rng));
            let change = ConfChange { id: rng.u64(), r#type: small(rng), node_id: rng.below(4), context };
            (1, Some(change.encode_to_vec().into()))
        }
        2 => (2, Some(bytes(rng))),
        3 => (0, None),
        _ => (0, Some(request(rng).encode_to_vec().into())),
    };
    Entry { index, term: 1, r#type: kind, data }
}

fn config() -> Config {
    let me = Member {
        id: MemberId(1),
        name: "one".to_string(),
        peer_urls: vec!["http://127.0.0.1:2380".to_string()],
        client_urls: Vec::new(),
        is_learner: false,
    };
    Config::new(me.clone(), ClusterId(1), vec![me])
}

#[test]
fn any_entry_is_applied_and_by_two_members_alike() {
    let (mut changed, mut refused) = (0, 0);
    for seed in 0..600 {
        let mut rng = Rng::from_seed(seed);
        let (mut one, mut two) = (State::new(&config()), State::new(&config()));
        for index in 1..80 {
            let entry = entry(&mut rng, index);
            let (mut changes, mut others) = (Vec::new(), Vec::new());
            let first = one.apply(&entry, &mut changes);
            let second = two.apply(&entry, &mut others);
            assert_eq!(format!("{first:?} {changes:?}"), format!("{second:?} {others:?}"), "{entry:?}");
            changed += changes.len();
            refused += usize::from(first.outcome.is_err());
            // The one is removing what was compacted all the while, the other never gets to it.
            one.store.compact_step(3);
        }
    }
    assert!(changed > 1000 && refused > 1000, "{changed} {refused}");
}
