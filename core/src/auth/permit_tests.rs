use super::{Principal, Table};
use crate::{KeyRange, Refusal, Rng, lease};
use alloc::{string::ToString, vec::Vec};
use bytes::Bytes;
use detcd_proto::{
    authpb::{Permission, permission::Type},
    etcdserverpb::{
        Compare, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest, request_op::Request,
    },
};

const DENIED: Result<(), Refusal> = Err(Refusal::PermissionDenied);

/// Root, `ann` with the roles `r` and `s`, and auth is on.
fn table(grants: &[(&str, Type, &[u8], &[u8])]) -> Table {
    let mut table = Table::default();
    for (user, role) in [("root", "root"), ("ann", "r"), ("ann", "s")] {
        if table.user(user).is_none() {
            table.add_user(user, Bytes::new(), None).unwrap();
        }
        table.add_role(role).unwrap();
        table.grant_role(user, role).unwrap();
    }
    for (role, kind, key, range_end) in grants {
        let key = Bytes::copy_from_slice(key);
        let range_end = Bytes::copy_from_slice(range_end);
        let permission = Permission { perm_type: (*kind).into(), key, range_end };
        table.grant_permission(role, Some(permission)).unwrap();
    }
    table.enable().unwrap();
    table
}

fn who(table: &Table, name: &str) -> Principal {
    Principal { name: name.to_string(), revision: table.revision() }
}

fn read(table: &Table, name: &str, key: &[u8], range_end: &[u8]) -> Result<(), Refusal> {
    let (key, range_end) = (Bytes::copy_from_slice(key), Bytes::copy_from_slice(range_end));
    table.permit_read(&who(table, name), &key, &range_end)
}

#[test]
fn a_range_is_covered_by_what_joins_without_a_gap() {
    let table = table(&[
        ("r", Type::Read, b"a", b"c"),
        ("s", Type::Readwrite, b"c", b"e"),
        ("r", Type::Read, b"f", b""),
        ("s", Type::Read, b"f\0", b"g"),
        ("r", Type::Write, b"e", b"f"),
        ("s", Type::Read, b"x", b"\0"),
    ]);
    for (key, range_end) in [
        (&b"a"[..], &b""[..]),
        (b"a", b"e"),
        (b"b", b"d"),
        (b"f", b"g"),
        (b"f\0", b""),
        (b"x", b"\0"),
        (b"zz", b""),
        (b"y", b"z"),
        // No key is inside, and both ends are in one interval.
        (b"z", b"y"),
    ] {
        assert_eq!(read(&table, "ann", key, range_end), Ok(()), "{key:?} to {range_end:?}");
    }
    for (key, range_end) in [
        (&b"e"[..], &b""[..]),
        (b"a", b"e\0"),
        (b"d", b"g"),
        (b"`", b"b"),
        (b"w", b"\0"),
        (b"a", b"\0"),
        (b"g", b""),
        (b"f", b"h"),
        (b"f", b"b"),
    ] {
        assert_eq!(read(&table, "ann", key, range_end), DENIED, "{key:?} to {range_end:?}");
    }
}

#[test]
fn intervals_are_covered_if_every_key_in_them_is() {
    const KEYS: [&[u8]; 8] = [b"a", b"a\0", b"b", b"c", b"c\0", b"d", b"e", b"f"];
    const ENDS: [&[u8]; 9] = [b"", b"\0", b"a\0", b"b", b"c", b"c\0", b"d", b"e", b"g"];
    // Keys that tell any two of these intervals apart.
    let mut probes: Vec<Vec<u8>> = Vec::new();
    for key in KEYS.iter().chain(&ENDS[2..]) {
        for more in [&b""[..], b"\0", b"\0\0", b"z"] {
            probes.push([key, more].concat());
        }
    }
    probes.push(b"zz".to_vec());
    let mut rng = Rng::from_seed(3);
    for _ in 0..4000 {
        let mut grants = Vec::new();
        for _ in 0..rng.below(5) {
            let (key, end) = (KEYS[rng.below(8) as usize], ENDS[rng.below(9) as usize]);
            if !KeyRange::new(Bytes::from_static(key), Bytes::from_static(end)).is_empty() {
                grants.push((if rng.below(2) == 0 { "r" } else { "s" }, Type::Read, key, end));
            }
        }
        let table = table(&grants);
        let (key, end) = (KEYS[rng.below(8) as usize], ENDS[rng.below(9) as usize]);
        let wanted = KeyRange::new(Bytes::from_static(key), Bytes::from_static(end));
        if wanted.is_empty() {
            continue;
        }
        let is_granted = |probe: &[u8]| {
            grants.iter().any(|(_, _, key, end)| {
                KeyRange::new(Bytes::from_static(key), Bytes::from_static(end)).contains(probe)
            })
        };
        let is_open_at_the_end = end != b"\0" || grants.iter().any(|(_, _, _, end)| *end == b"\0");
        let covered =
            is_open_at_the_end && probes.iter().all(|probe| !wanted.contains(probe) || is_granted(probe));
        assert_eq!(read(&table, "ann", key, end).is_ok(), covered, "{wanted:?} by {grants:?}");
    }
}

#[test]
fn who_asks_is_looked_at_before_what_is_asked() {
    let mut table = table(&[("r", Type::Readwrite, b"a", b"\0")]);
    let key = Bytes::from_static(b"a");
    let nobody = Principal::default();
    assert_eq!(table.permit_read(&nobody, &key, &Bytes::new()), Err(Refusal::UserEmpty));
    assert_eq!(table.permit_admin(&nobody), Err(Refusal::UserEmpty));
    assert_eq!(read(&table, "gone", b"a", b""), DENIED);
    assert_eq!(table.permit_admin(&who(&table, "gone")), Err(Refusal::UserNotFound));
    assert_eq!(table.permit_admin(&who(&table, "ann")), DENIED);
    let (old, old_root) = (who(&table, "ann"), who(&table, "root"));
    table.add_role("another").unwrap();
    assert_eq!(table.permit_read(&old, &key, &Bytes::new()), Err(Refusal::AuthOldRevision));
    assert_eq!(table.permit_admin(&old_root), Ok(()), "what only root may is not asked about revisions");
    assert_eq!(read(&table, "root", b"", b"\0"), Ok(()));
    table.disable();
    assert_eq!(table.permit_read(&nobody, &key, &Bytes::new()), Ok(()));
    assert_eq!((table.permit_admin(&nobody), table.permit_known(&nobody)), (Ok(()), Ok(())));
}

#[test]
fn users_see_their_own_roles() {
    let table = table(&[]);
    let ann = who(&table, "ann");
    assert_eq!(table.permit_user_get(&ann, "ann"), Ok(()));
    assert_eq!(table.permit_user_get(&ann, "root"), DENIED);
    assert_eq!(table.permit_role_get(&ann, "s"), Ok(()));
    assert_eq!(table.permit_role_get(&ann, "root"), DENIED);
    assert_eq!(table.permit_role_get(&Principal::default(), "s"), Err(Refusal::UserEmpty));
    assert_eq!(table.permit_user_get(&who(&table, "root"), "ann"), Ok(()));
}

#[test]
fn old_values_are_only_for_those_who_may_read() {
    let table = table(&[("r", Type::Write, b"a", b"c"), ("s", Type::Read, b"b", b"")]);
    let (ann, leases) = (who(&table, "ann"), lease::Table::new());
    let put = |key: &'static [u8], prev_kv| PutRequest { key: key.into(), prev_kv, ..Default::default() };
    assert_eq!(table.permit_put(&ann, &leases, &put(b"a", false)), Ok(()));
    assert_eq!(table.permit_put(&ann, &leases, &put(b"a", true)), DENIED);
    assert_eq!(table.permit_put(&ann, &leases, &put(b"b", true)), Ok(()));
    let delete = |prev_kv| DeleteRangeRequest { key: "a".into(), range_end: "c".into(), prev_kv };
    assert_eq!(table.permit_delete_range(&ann, &delete(false)), Ok(()));
    assert_eq!(table.permit_delete_range(&ann, &delete(true)), DENIED);
}

#[test]
fn a_transaction_is_looked_through_to_its_last_branch() {
    let table = table(&[("r", Type::Write, b"w", b""), ("s", Type::Read, b"r", b"")]);
    let (ann, mut leases) = (who(&table, "ann"), lease::Table::new());
    leases.grant(7, 10);
    leases.attach(7, b"foreign");
    let op = |request| RequestOp { request: Some(request) };
    let range =
        |key: &'static str| op(Request::RequestRange(RangeRequest { key: key.into(), ..Default::default() }));
    let put = |key: &'static str, lease, prev_kv| {
        op(Request::RequestPut(PutRequest { key: key.into(), lease, prev_kv, ..Default::default() }))
    };
    let nested = |txn| op(Request::RequestTxn(txn));
    let guard = |key: &'static str| Compare { key: key.into(), ..Default::default() };
    let fine = TxnRequest {
        compare: [guard("r")].into(),
        success: [put("w", 0, false), range("r")].into(),
        failure: [nested(TxnRequest { success: [range("r")].into(), ..Default::default() })].into(),
    };
    assert_eq!(table.permit_txn(&ann, &leases, &fine), Ok(()));
    let mut wrong = Vec::new();
    wrong.push(TxnRequest { compare: [guard("w")].into(), ..Default::default() });
    for op in [range("w"), put("r", 0, false), put("w", 0, true), put("w", 7, false)] {
        let then = TxnRequest { success: [op.clone()].into(), ..Default::default() };
        let otherwise = TxnRequest { failure: [op].into(), ..Default::default() };
        wrong.push(TxnRequest { failure: [nested(otherwise.clone())].into(), ..Default::default() });
        wrong.extend([then, otherwise]);
    }
    for txn in wrong {
        assert_eq!(table.permit_txn(&ann, &leases, &txn), DENIED, "{txn:?}");
        assert_eq!(table.permit_txn(&who(&table, "root"), &leases, &txn), Ok(()));
    }
}

#[test]
fn a_lease_is_as_strong_as_the_keys_on_it() {
    let table = table(&[("r", Type::Write, b"w", b""), ("s", Type::Read, b"r", b"")]);
    let (ann, mut leases) = (who(&table, "ann"), lease::Table::new());
    for (id, key) in [(1, "w"), (2, "r")] {
        leases.grant(id, 10);
        leases.attach(id, key.as_bytes());
    }
    let put = |lease| PutRequest { key: "w".into(), lease, ..Default::default() };
    for (id, change, keys) in [(1, Ok(()), DENIED), (2, DENIED, Ok(()))] {
        assert_eq!(table.permit_lease_change(&ann, &leases, id), change);
        assert_eq!(table.permit_put(&ann, &leases, &put(id)), change);
        assert_eq!(table.permit_lease_keys(&ann, leases.get(id).unwrap().keys()), keys);
        assert_eq!(table.permit_lease_change(&who(&table, "root"), &leases, id), Ok(()));
    }
    assert_eq!(table.permit_lease_change(&ann, &leases, 3), Ok(()), "there is none to protect");
}
