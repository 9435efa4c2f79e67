use super::Table;
use crate::Refusal;
use alloc::{string::String, vec, vec::Vec};
use bytes::Bytes;
use detcd_proto::authpb::{Permission, UserAddOptions, permission::Type};

fn permission(kind: Type, key: &'static [u8], range_end: &'static [u8]) -> Option<Permission> {
    let (key, range_end) = (Bytes::from_static(key), Bytes::from_static(range_end));
    Some(Permission { perm_type: kind.into(), key, range_end })
}

/// The root user with its role; a user `ann` with the role `r`, in which nothing is.
fn people() -> Table {
    let mut table = Table::default();
    table.add_user("root", Bytes::new(), None).unwrap();
    table.grant_role("root", "root").unwrap();
    table.add_user("ann", Bytes::from_static(b"hash"), None).unwrap();
    table.add_role("r").unwrap();
    table.grant_role("ann", "r").unwrap();
    table
}

fn roles(table: &Table, user: &str) -> Vec<String> {
    table.user(user).unwrap().roles().to_vec()
}

#[test]
fn every_change_raises_the_revision_and_nothing_else_does() {
    let mut table = people();
    assert_eq!(table.revision(), 1 + 5);
    assert_eq!(table.grant_role("ann", "r"), Ok(()), "held already");
    assert_eq!(table.add_user("ann", Bytes::new(), None), Err(Refusal::UserAlreadyExist));
    assert_eq!((table.enable(), table.enable()), (Ok(()), Ok(())));
    assert_eq!(table.revision(), 6, "no change, or only switched on");
    assert!(table.disable() && !table.disable());
    assert_eq!(table.revision(), 7);
    table.change_password("ann", Bytes::from_static(b"new")).unwrap();
    table.revoke_role("ann", "r").unwrap();
    table.grant_permission("r", permission(Type::Read, b"a", b"")).unwrap();
    table.grant_permission("r", permission(Type::Read, b"a", b"")).unwrap();
    table.revoke_permission("r", b"a", b"").unwrap();
    table.delete_role("r").unwrap();
    table.delete_user("ann").unwrap();
    assert_eq!(table.revision(), 14);
}

#[test]
fn auth_needs_a_root_user_with_the_root_role_and_keeps_them() {
    let mut table = Table::default();
    assert_eq!(table.enable(), Err(Refusal::RootUserNotExist));
    table.add_user("root", Bytes::new(), None).unwrap();
    assert_eq!(table.enable(), Err(Refusal::RootRoleNotExist));
    assert_eq!(table.grant_role("root", "other"), Err(Refusal::RoleNotFound));
    // The role itself need not exist.
    table.grant_role("root", "root").unwrap();
    table.enable().unwrap();
    assert_eq!(table.delete_user("root"), Err(Refusal::InvalidAuthMgmt));
    assert_eq!(table.revoke_role("root", "root"), Err(Refusal::InvalidAuthMgmt));
    assert_eq!(table.delete_role("root"), Err(Refusal::InvalidAuthMgmt));
    table.disable();
    assert_eq!(table.delete_role("root"), Err(Refusal::RoleNotFound));
    assert_eq!(table.revoke_role("root", "root"), Ok(()));
    assert_eq!(table.delete_user("root"), Ok(()));
}

#[test]
fn what_is_not_there_is_refused_by_its_name() {
    let mut table = people();
    assert_eq!(table.add_user("", Bytes::new(), None), Err(Refusal::UserEmpty));
    assert_eq!(table.add_role(""), Err(Refusal::RoleEmpty));
    assert_eq!(table.add_role("r"), Err(Refusal::RoleAlreadyExist));
    assert_eq!(table.delete_user("bob"), Err(Refusal::UserNotFound));
    assert_eq!(table.change_password("bob", Bytes::new()), Err(Refusal::UserNotFound));
    assert_eq!(table.grant_role("bob", "none"), Err(Refusal::UserNotFound));
    assert_eq!(table.revoke_role("ann", "none"), Err(Refusal::RoleNotGranted));
    assert_eq!(table.delete_role("none"), Err(Refusal::RoleNotFound));
    assert_eq!(table.grant_permission("r", None), Err(Refusal::PermissionNotGiven));
    for (key, range_end) in [(&b""[..], &b"a"[..]), (b"", b"\0"), (b"b", b"b"), (b"b", b"a")] {
        let wrong = permission(Type::Write, key, range_end);
        assert_eq!(table.grant_permission("none", wrong), Err(Refusal::InvalidAuthMgmt));
    }
    let right = permission(Type::Write, b"b", b"\0");
    assert_eq!(table.grant_permission("none", right), Err(Refusal::RoleNotFound));
    assert_eq!(table.revoke_permission("none", b"b", b"\0"), Err(Refusal::RoleNotFound));
    assert_eq!(table.revoke_permission("r", b"b", b"\0"), Err(Refusal::PermissionNotGranted));
}

#[test]
fn a_role_that_is_deleted_is_taken_from_all() {
    let mut table = people();
    table.add_role("a").unwrap();
    table.grant_role("ann", "root").unwrap();
    table.grant_role("ann", "a").unwrap();
    assert_eq!(roles(&table, "ann"), ["a", "r", "root"]);
    table.delete_role("r").unwrap();
    assert_eq!(roles(&table, "ann"), ["a", "root"]);
    assert_eq!(roles(&table, "root"), ["root"]);
}

#[test]
fn a_user_without_password_never_gets_one() {
    let mut table = people();
    let options = Some(UserAddOptions { no_password: true });
    table.add_user("tls", Bytes::new(), options).unwrap();
    table.change_password("tls", Bytes::from_static(b"hash")).unwrap();
    assert!(table.user("tls").unwrap().password_hash().is_empty());
    assert_eq!(&table.user("ann").unwrap().password_hash()[..], b"hash");
}

#[test]
fn permissions_are_ordered_by_key_and_replaced_where_etcd_finds_them() {
    let mut table = people();
    let listed = |table: &Table| -> Vec<(i32, Vec<u8>, Vec<u8>)> {
        let permissions = table.role("r").unwrap().permissions().iter();
        permissions.map(|p| (p.perm_type, p.key.to_vec(), p.range_end.to_vec())).collect()
    };
    for (kind, key, end) in
        [(Type::Read, &b"b"[..], &b""[..]), (Type::Read, b"a", b"z"), (Type::Write, b"b", b"c")]
    {
        table.grant_permission("r", permission(kind, key, end)).unwrap();
    }
    let (read, write, both) = (0, 1, 2);
    let [a, b, c] = [b"a".to_vec(), b"b".to_vec(), b"c".to_vec()];
    let mut expected =
        vec![(read, a, b"z".to_vec()), (read, b.clone(), Vec::new()), (write, b.clone(), c.clone())];
    assert_eq!(listed(&table), expected);
    // The first with this key is found, and it is another interval: it comes twice.
    table.grant_permission("r", permission(Type::Readwrite, b"b", b"c")).unwrap();
    expected.push((both, b.clone(), c));
    assert_eq!(listed(&table), expected);
    table.grant_permission("r", permission(Type::Write, b"b", b"")).unwrap();
    expected[1].0 = write;
    assert_eq!(listed(&table), expected);
    table.revoke_permission("r", b"b", b"c").unwrap();
    expected.truncate(2);
    assert_eq!(listed(&table), expected, "both are gone");
}
