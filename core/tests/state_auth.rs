//! Users and roles by way of the log: who asked stands in the entry, and every member decides alike.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
use detcd_core::{
    ClusterId, Config, Member, MemberId, Outcome, Refusal, Reply, Rng,
    auth::{TokenChange, base64},
    state::{Event, State},
};
use detcd_proto::{
    Message as _,
    authpb::{Permission, UserAddOptions},
    etcdserverpb::{
        AuthDisableRequest, AuthEnableRequest, AuthRoleAddRequest, AuthRoleDeleteRequest, AuthRoleGetRequest,
        AuthRoleGrantPermissionRequest, AuthRoleListRequest, AuthRoleRevokePermissionRequest,
        AuthStatusRequest, AuthUserAddRequest, AuthUserChangePasswordRequest, AuthUserDeleteRequest,
        AuthUserGetRequest, AuthUserGrantRoleRequest, AuthUserListRequest, AuthUserRevokeRoleRequest,
        DeleteRangeRequest, InternalAuthenticateRequest, InternalRaftRequest, LeaseGrantRequest,
        LeaseRevokeRequest, PutRequest, RequestHeader,
    },
    raftpb::Entry,
};

/// A state and the index of the last entry.
struct World {
    state: State,
    index: u64,
}

type Ask = InternalRaftRequest;

impl World {
    fn new() -> World {
        let me = Member {
            id: MemberId(1),
            name: "one".to_string(),
            peer_urls: Vec::new(),
            client_urls: Vec::new(),
            is_learner: false,
        };
        World { state: State::new(&Config::new(me.clone(), ClusterId(1), vec![me])), index: 0 }
    }

    fn apply(&mut self, mut request: Ask, name: &str, revision: u64) -> (Outcome, Event) {
        request.header = Some(RequestHeader { id: 1, username: name.to_string(), auth_revision: revision });
        self.index += 1;
        let data = Some(request.encode_to_vec().into());
        let entry = Entry { index: self.index, term: 1, r#type: 0, data };
        let applied = self.state.apply(&entry, &mut Vec::new());
        (applied.outcome, applied.event)
    }

    /// By somebody who was identified just now.
    fn by(&mut self, name: &str, request: Ask) -> Result<Reply, Refusal> {
        let revision = self.state.auth.revision();
        self.apply(request, name, revision).0
    }

    /// Root, and `ann` with the role `r`; auth is on.
    fn with_people() -> World {
        let mut world = World::new();
        for request in [
            user_add("root", "hash"),
            user_add("ann", "hash"),
            role_add("r"),
            grant_role("root", "root"),
            grant_role("ann", "r"),
            grant_permission("r", 2, "a", "b"),
            Ask { auth_enable: Some(Box::new(AuthEnableRequest {})), ..Ask::default() },
        ] {
            world.apply(request, "", 0).0.unwrap();
        }
        world
    }
}

fn user_add(name: &str, hash: &str) -> Ask {
    let (name, hashed_password) = (name.to_string(), base64::encode(hash.as_bytes()));
    let add = AuthUserAddRequest { name, hashed_password, ..Default::default() };
    Ask { auth_user_add: Some(Box::new(add)), ..Ask::default() }
}

fn role_add(name: &str) -> Ask {
    Ask { auth_role_add: Some(Box::new(AuthRoleAddRequest { name: name.to_string() })), ..Ask::default() }
}

fn grant_role(user: &str, role: &str) -> Ask {
    let grant = AuthUserGrantRoleRequest { user: user.to_string(), role: role.to_string() };
    Ask { auth_user_grant_role: Some(Box::new(grant)), ..Ask::default() }
}

fn grant_permission(role: &str, perm_type: i32, key: &'static str, range_end: &'static str) -> Ask {
    let perm = Some(Permission { perm_type, key: key.into(), range_end: range_end.into() });
    let grant = AuthRoleGrantPermissionRequest { name: role.to_string(), perm };
    Ask { auth_role_grant_permission: Some(Box::new(grant)), ..Ask::default() }
}

fn put(key: &'static str, lease: i64) -> Ask {
    Ask { put: Some(PutRequest { key: key.into(), lease, ..Default::default() }), ..Ask::default() }
}

fn log_in(name: &str, word: &str) -> Ask {
    let (name, simple_token) = (name.to_string(), word.to_string());
    let login = InternalAuthenticateRequest { name, password: String::new(), simple_token };
    Ask { authenticate: Some(Box::new(login)), ..Ask::default() }
}

#[test]
fn whoever_was_identified_before_a_change_is_asked_again() {
    let mut world = World::with_people();
    let revision = world.state.auth.revision();
    assert!(world.apply(put("a", 0), "ann", revision).0.is_ok());
    assert_eq!(world.apply(put("b", 0), "ann", revision).0, Err(Refusal::PermissionDenied));
    assert_eq!(world.apply(put("a", 0), "", 0).0, Err(Refusal::UserEmpty));
    world.by("root", role_add("another")).unwrap();
    assert_eq!(world.apply(put("a", 0), "ann", revision).0, Err(Refusal::AuthOldRevision));
    assert_eq!(world.apply(put("a", 0), "root", revision).0, Err(Refusal::AuthOldRevision));
    assert_eq!(world.apply(role_add("r2"), "root", revision).0.map(|_| ()), Ok(()));
    assert_eq!(world.state.store.keyspace().revision(), 2, "one put, and no change of users is one of keys");
}

#[test]
fn a_lease_with_foreign_keys_is_for_root_and_the_cluster_to_end() {
    let mut world = World::with_people();
    let grant = |id| Ask { lease_grant: Some(LeaseGrantRequest { id, ttl: 60 }), ..Ask::default() };
    let revoke = |id| Ask { lease_revoke: Some(LeaseRevokeRequest { id }), ..Ask::default() };
    for id in [1, 2] {
        world.by("ann", grant(id)).unwrap();
    }
    world.by("root", put("z", 1)).unwrap();
    world.by("ann", put("a", 2)).unwrap();
    assert_eq!(world.by("ann", put("a", 1)), Err(Refusal::PermissionDenied));
    assert_eq!(world.by("ann", revoke(1)), Err(Refusal::PermissionDenied));
    assert!(world.by("ann", revoke(2)).is_ok());
    assert!(world.by("root", revoke(1)).is_ok());
    assert_eq!(world.by("ann", revoke(1)), Err(Refusal::LeaseNotFound));
}

#[test]
fn tokens_come_and_go_with_their_entries() {
    let mut world = World::new();
    world.apply(user_add("root", "hash"), "", 0).0.unwrap();
    assert_eq!(world.apply(log_in("root", "word"), "", 0).0, Err(Refusal::AuthNotEnabled));
    let mut world = World::with_people();
    let (outcome, event) = world.apply(log_in("ann", "word"), "", 0);
    let token = format!("word.{}", world.index);
    let Ok(Reply::Authenticate(response)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(response.token, token);
    assert_eq!(event, Event::Tokens(TokenChange::Assigned { token, user: "ann".to_string() }));
    assert_eq!(world.apply(log_in("eve", "word"), "", 0), (Err(Refusal::AuthFailed), Event::None));
    // A member whose tokens carry their own proof asks for none.
    let (outcome, event) = world.apply(log_in("ann", ""), "", 0);
    assert!(matches!(outcome, Ok(Reply::Authenticate(response)) if response.token.is_empty()));
    assert_eq!(event, Event::None);
    let revision = world.state.auth.revision();
    let delete = AuthUserDeleteRequest { name: "ann".to_string() };
    let delete = Ask { auth_user_delete: Some(Box::new(delete)), ..Ask::default() };
    let gone = TokenChange::Dropped { user: "ann".to_string() };
    assert_eq!(world.apply(delete, "root", revision).1, Event::Tokens(gone));
    let off = Ask { auth_disable: Some(Box::new(AuthDisableRequest {})), ..Ask::default() };
    assert_eq!(world.apply(off, "root", revision).1, Event::Tokens(TokenChange::AllDropped));
}

#[test]
fn passwords_travel_as_hashes_in_base64() {
    let mut world = World::new();
    world.apply(user_add("ann", "$2a$hash"), "", 0).0.unwrap();
    assert_eq!(&world.state.auth.user("ann").unwrap().password_hash()[..], b"$2a$hash");
    let ask = |clear: &str, hashed: &str| {
        let add = AuthUserAddRequest {
            name: "bob".to_string(),
            password: clear.to_string(),
            hashed_password: hashed.to_string(),
            options: Some(UserAddOptions::default()),
        };
        Ask { auth_user_add: Some(Box::new(add)), ..Ask::default() }
    };
    assert_eq!(world.apply(ask("", "no base64"), "", 0).0, Err(Refusal::NoPasswordUser));
    assert!(matches!(world.apply(ask("clear", ""), "", 0).0, Err(Refusal::NotBuilt(_))));
    assert!(world.state.auth.user("bob").is_none());
    assert!(world.apply(ask("", ""), "", 0).0.is_ok(), "the hash of nothing");
}

#[test]
fn the_root_role_shows_what_it_may() {
    let mut world = World::with_people();
    let get = |role: &str| AuthRoleGetRequest { role: role.to_string() };
    let ask = |role| Ask { auth_role_get: Some(Box::new(get(role))), ..Ask::default() };
    assert_eq!(world.by("root", ask("root")), Err(Refusal::RoleNotFound), "no role object has to exist");
    world.by("root", role_add("root")).unwrap();
    let Ok(Reply::RoleGet(response)) = world.by("root", ask("root")) else { panic!("it is there") };
    let [everything] = &response.perm[..] else { panic!("{response:?}") };
    assert_eq!(
        (everything.perm_type, &everything.key[..], &everything.range_end[..]),
        (2, &b""[..], &b"\0"[..])
    );
}

fn any_request(rng: &mut Rng) -> Ask {
    let names = ["root", "ann", "bob", "r", "s", ""];
    let mut name = || names[rng.below(6) as usize].to_string();
    let (name, role) = (name(), name());
    let keys = ["", "\0", "a", "b", "c", "\u{7f}"];
    let (key, range_end) = (keys[rng.below(6) as usize], keys[rng.below(6) as usize]);
    let (key, range_end) = (key.into(), range_end.into());
    let hashed_password = ["aGFzaA==", "?", ""][rng.below(3) as usize].to_string();
    let ask = Ask::default();
    match rng.below(20) {
        0 => Ask { auth_enable: Some(Box::default()), ..ask },
        1 if rng.below(4) == 0 => Ask { auth_disable: Some(Box::default()), ..ask },
        1 => Ask { auth_status: Some(Box::new(AuthStatusRequest {})), ..ask },
        2 | 3 => {
            let options = (rng.below(3) == 0).then(|| UserAddOptions { no_password: rng.below(2) == 0 });
            let add = AuthUserAddRequest { name, password: String::new(), options, hashed_password };
            Ask { auth_user_add: Some(Box::new(add)), ..ask }
        }
        4 => Ask { auth_user_delete: Some(Box::new(AuthUserDeleteRequest { name })), ..ask },
        5 => {
            let change = AuthUserChangePasswordRequest { name, password: String::new(), hashed_password };
            Ask { auth_user_change_password: Some(Box::new(change)), ..ask }
        }
        6..9 => grant_role(&name, &role),
        9 => Ask { auth_user_revoke_role: Some(Box::new(AuthUserRevokeRoleRequest { name, role })), ..ask },
        10 => Ask { auth_user_get: Some(Box::new(AuthUserGetRequest { name })), ..ask },
        11 => Ask { auth_role_get: Some(Box::new(AuthRoleGetRequest { role })), ..ask },
        12 => Ask { auth_user_list: Some(Box::new(AuthUserListRequest {})), ..ask },
        13 => Ask { auth_role_list: Some(Box::new(AuthRoleListRequest {})), ..ask },
        14 => role_add(&name),
        15 => Ask { auth_role_delete: Some(Box::new(AuthRoleDeleteRequest { role })), ..ask },
        16 => {
            let perm_type = rng.below(5) as i32 - 1;
            let perm = (rng.below(8) > 0).then_some(Permission { perm_type, key, range_end });
            let grant = AuthRoleGrantPermissionRequest { name, perm };
            Ask { auth_role_grant_permission: Some(Box::new(grant)), ..ask }
        }
        17 => {
            let revoke = AuthRoleRevokePermissionRequest { role, key, range_end };
            Ask { auth_role_revoke_permission: Some(Box::new(revoke)), ..ask }
        }
        18 => log_in(&name, &role),
        _ if rng.below(2) == 0 => {
            Ask { put: Some(PutRequest { key, prev_kv: rng.below(2) == 0, ..Default::default() }), ..ask }
        }
        _ => Ask { delete_range: Some(DeleteRangeRequest { key, range_end, prev_kv: false }), ..ask },
    }
}

#[test]
fn any_request_by_anybody_is_decided_alike_and_leaves_a_root() {
    let (mut done, mut enabled) = (0, 0);
    for seed in 0..400 {
        let mut rng = Rng::from_seed(seed);
        let mut worlds = [World::new(), World::new()];
        for _ in 0..120 {
            let request = any_request(&mut rng);
            let before = worlds[0].state.auth.clone();
            let name = ["root", "ann", "bob", ""][rng.below(4) as usize];
            let revision = before.revision();
            let revision = if rng.below(4) == 0 { rng.below(revision + 1) } else { revision };
            let [(outcome, event), second] =
                worlds.each_mut().map(|world| world.apply(request.clone(), name, revision));
            assert_eq!((&outcome, event), (&second.0, second.1));
            let auth = &worlds[0].state.auth;
            let raised = auth.revision() - before.revision();
            assert!(raised <= u64::from(outcome.is_ok()), "{request:?} by {name}");
            if auth.is_enabled() {
                assert!(auth.user("root").unwrap().is_root());
                enabled += 1;
            }
            if before.is_enabled() && raised > 0 {
                assert!(before.user(name).is_some_and(|user| user.is_root()), "{request:?} by {name}");
            }
            done += usize::from(outcome.is_ok());
        }
    }
    assert!(done > 1000 && enabled > 1000, "{done} {enabled}");
}
