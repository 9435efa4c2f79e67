//! Users, roles and tokens as clients meet them: real members on loopback, over gRPC.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use detcd_proto::{
    authpb::{Permission, UserAddOptions, permission::Type},
    etcdserverpb::{
        self as pb, alarm_request::AlarmAction, request_op::Request as Op, watch_request::RequestUnion,
    },
};
use detcd_runtime_tokio::generated::etcdserverpb::{
    auth_client::AuthClient, cluster_client::ClusterClient, kv_client::KvClient, lease_client::LeaseClient,
    maintenance_client::MaintenanceClient, watch_client::WatchClient,
};
use support::{Folder, Member, cluster};
use tonic::{
    Code, Request, Response, Status,
    codegen::{InterceptedService, tokio_stream::iter},
    transport::Channel,
};

type Named = InterceptedService<Channel, Token>;

/// Puts a token into every call, if there is one.
#[derive(Clone)]
struct Token(Option<(&'static str, String)>);

impl tonic::service::Interceptor for Token {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some((key, token)) = &self.0 {
            request.metadata_mut().insert(*key, token.parse().unwrap());
        }
        Ok(request)
    }
}

/// One caller of one member.
struct User {
    auth: AuthClient<Named>,
    kv: KvClient<Named>,
    lease: LeaseClient<Named>,
    watch: WatchClient<Named>,
    cluster: ClusterClient<Named>,
    maintenance: MaintenanceClient<Named>,
}

impl User {
    fn of(member: &Member, token: Option<(&'static str, String)>) -> User {
        let service = || InterceptedService::new(member.channel(), Token(token.clone()));
        User {
            auth: AuthClient::new(service()),
            kv: KvClient::new(service()),
            lease: LeaseClient::new(service()),
            watch: WatchClient::new(service()),
            cluster: ClusterClient::new(service()),
            maintenance: MaintenanceClient::new(service()),
        }
    }

    fn nobody(member: &Member) -> User {
        User::of(member, None)
    }

    async fn log_in(member: &Member, name: &str, password: &str) -> User {
        User::of(member, Some(("token", token(member, name, password).await.unwrap())))
    }

    async fn get(&mut self, key: &str, range_end: &str) -> Result<i64, Said> {
        let range = pb::RangeRequest { key: bytes(key), range_end: bytes(range_end), ..Default::default() };
        said(self.kv.range(range).await).map(|response| response.count)
    }

    async fn put(&mut self, key: &str, lease: i64) -> Result<(), Said> {
        let put = pb::PutRequest { key: bytes(key), value: "v".into(), lease, ..Default::default() };
        said(self.kv.put(put).await).map(|_| ())
    }

    /// Why there is no watcher; nothing if there is one.
    async fn refused_watch(&mut self, key: &str, range_end: &str, start_revision: i64) -> Option<String> {
        let create = pb::WatchCreateRequest {
            key: bytes(key),
            range_end: bytes(range_end),
            start_revision,
            ..Default::default()
        };
        let request = pb::WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) };
        let mut replies = self.watch.watch(iter([request])).await.unwrap().into_inner();
        let first = replies.message().await.unwrap().unwrap();
        assert!(first.created);
        first.canceled.then_some(first.cancel_reason)
    }
}

type Said = (Code, String);

fn said<T>(answer: Result<Response<T>, Status>) -> Result<T, Said> {
    answer.map(Response::into_inner).map_err(|status| (status.code(), status.message().to_string()))
}

fn bytes(text: &str) -> prost::bytes::Bytes {
    prost::bytes::Bytes::copy_from_slice(text.as_bytes())
}

async fn token(member: &Member, name: &str, password: &str) -> Result<String, Said> {
    let request = pb::AuthenticateRequest { name: name.to_string(), password: password.to_string() };
    said(AuthClient::new(member.channel()).authenticate(request).await).map(|response| response.token)
}

fn denied<T>() -> Result<T, Said> {
    Err((Code::PermissionDenied, "etcdserver: permission denied".to_string()))
}

fn nameless<T>() -> Result<T, Said> {
    Err((Code::InvalidArgument, "etcdserver: user name is empty".to_string()))
}

fn unknown_token<T>() -> Result<T, Said> {
    Err((Code::Unauthenticated, "etcdserver: invalid auth token".to_string()))
}

fn add_user(name: &str, password: &str) -> pb::AuthUserAddRequest {
    pb::AuthUserAddRequest { name: name.to_string(), password: password.to_string(), ..Default::default() }
}

/// `root`, and `ann` with the role `r`, which reads and writes what begins with `a`. Auth is off.
async fn people(member: &Member) -> User {
    let mut user = User::nobody(member);
    let auth = &mut user.auth;
    for (name, password) in [("root", "rootpw"), ("ann", "annpw")] {
        auth.user_add(add_user(name, password)).await.unwrap();
    }
    auth.role_add(pb::AuthRoleAddRequest { name: "r".to_string() }).await.unwrap();
    grant(auth, Type::Readwrite, "a", "b").await;
    for (name, role) in [("root", "root"), ("ann", "r")] {
        let grant = pb::AuthUserGrantRoleRequest { user: name.to_string(), role: role.to_string() };
        auth.user_grant_role(grant).await.unwrap();
    }
    user
}

async fn grant(auth: &mut AuthClient<Named>, kind: Type, key: &str, range_end: &str) {
    let perm = Permission { perm_type: kind.into(), key: bytes(key), range_end: bytes(range_end) };
    let grant = pb::AuthRoleGrantPermissionRequest { name: "r".to_string(), perm: Some(perm) };
    auth.role_grant_permission(grant).await.unwrap();
}

fn one_member(folder: &Folder) -> Member {
    let mut member = cluster(folder, 1).remove(0);
    member.flag("--bcrypt-cost=4");
    member.start();
    member.wait_healthy();
    member
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_do_what_they_may_and_nothing_else() {
    let folder = Folder::new("auth");
    let member = one_member(&folder);
    let mut nobody = people(&member).await;
    assert_eq!(token(&member, "ann", "annpw").await, {
        Err((Code::FailedPrecondition, "etcdserver: authentication is not enabled".to_string()))
    });
    nobody.put("b", 0).await.unwrap();
    let enabled = nobody.auth.auth_enable(pb::AuthEnableRequest {}).await.unwrap().into_inner();
    assert_eq!(enabled.header.unwrap().revision, 2, "users and roles move no revision of the keys");

    let (mut root, mut ann) =
        (User::log_in(&member, "root", "rootpw").await, User::log_in(&member, "ann", "annpw").await);
    let status = root.auth.auth_status(pb::AuthStatusRequest {}).await.unwrap().into_inner();
    assert_eq!((status.enabled, status.auth_revision), (true, 7));
    let mut stranger = User::of(&member, Some(("token", "abcdefghijklmnop.1".to_string())));

    // Keys.
    assert_eq!(ann.put("a1", 0).await, Ok(()));
    assert_eq!(ann.get("a", "b").await, Ok(1));
    assert_eq!(root.get("", "").await.unwrap_err().1, "etcdserver: key is not provided");
    assert_eq!(root.get("a", "z").await, Ok(2));
    for (key, range_end) in [("b", ""), ("a", "b0"), ("a", "\0")] {
        assert_eq!(ann.get(key, range_end).await, denied());
        assert_eq!(nobody.get(key, range_end).await, nameless());
        assert_eq!(stranger.get(key, range_end).await, unknown_token());
    }
    assert_eq!(ann.put("b", 0).await, denied());
    assert_eq!((nobody.put("a", 0).await, stranger.put("a", 0).await), (nameless(), unknown_token()));
    let delete = |range_end| pb::DeleteRangeRequest { key: "a".into(), range_end, prev_kv: false };
    assert_eq!(said(ann.kv.delete_range(delete("c".into())).await), denied());
    assert_eq!(said(ann.kv.delete_range(delete("b".into())).await).unwrap().deleted, 1);
    let peeks = pb::TxnRequest {
        failure: vec![pb::RequestOp {
            request: Some(Op::RequestRange(pb::RangeRequest { key: "b".into(), ..Default::default() })),
        }],
        ..Default::default()
    };
    assert_eq!(said(ann.kv.txn(peeks.clone()).await), denied());
    let nested = pb::TxnRequest {
        success: vec![pb::RequestOp { request: Some(Op::RequestTxn(peeks)) }],
        ..Default::default()
    };
    assert_eq!(said(ann.kv.txn(nested).await), denied());
    let compact = pb::CompactionRequest { revision: 2, physical: false };
    assert_eq!(said(ann.kv.compact(compact).await), denied());
    assert_eq!(said(nobody.kv.compact(compact).await), nameless());
    assert!(root.kv.compact(compact).await.is_ok());

    // Watchers.
    let denial = "rpc error: code = PermissionDenied desc = etcdserver: permission denied";
    assert_eq!(ann.refused_watch("a", "b", 0).await, None);
    for (key, range_end) in [("b", ""), ("a", "\0"), ("", "")] {
        assert_eq!(ann.refused_watch(key, range_end, 0).await.as_deref(), Some(denial));
    }
    let compacted = "etcdserver: mvcc: required revision has been compacted";
    assert_eq!(ann.refused_watch("b", "", -1).await.as_deref(), Some(compacted));
    let empty = "rpc error: code = InvalidArgument desc = etcdserver: user name is empty";
    assert_eq!(nobody.refused_watch("a", "", 0).await.as_deref(), Some(empty));
    let invalid = "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token";
    assert_eq!(stranger.refused_watch("a", "", 0).await.as_deref(), Some(invalid));

    // The cluster and the member.
    let list = pb::MemberListRequest { linearizable: true };
    assert!(ann.cluster.member_list(list).await.is_ok());
    assert_eq!(said(nobody.cluster.member_list(list).await), nameless());
    assert!(ann.maintenance.status(pb::StatusRequest {}).await.is_ok());
    assert_eq!(said(nobody.maintenance.status(pb::StatusRequest {}).await), nameless());
    assert_eq!(said(ann.maintenance.hash_kv(pb::HashKvRequest { revision: 0 }).await), denied());
    assert!(root.maintenance.hash_kv(pb::HashKvRequest { revision: 0 }).await.is_ok());
    let alarm = |action: AlarmAction| pb::AlarmRequest { action: action.into(), member_id: 7, alarm: 1 };
    assert!(ann.maintenance.alarm(alarm(AlarmAction::Get)).await.is_ok());
    assert_eq!(said(ann.maintenance.alarm(alarm(AlarmAction::Activate)).await), denied());
    assert_eq!(said(nobody.maintenance.alarm(alarm(AlarmAction::Get)).await), nameless());

    // Tokens by the other name, with and without its prefix.
    let known = token(&member, "ann", "annpw").await.unwrap();
    for text in [known.clone(), format!("Bearer {known}")] {
        assert_eq!(User::of(&member, Some(("authorization", text))).get("a", "").await, Ok(0));
    }
    assert_eq!(User::of(&member, Some(("authorization", format!("bearer {known}")))).get("a", "").await, {
        unknown_token()
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_are_guarded_by_the_keys_on_them() {
    let folder = Folder::new("auth-leases");
    let member = one_member(&folder);
    let mut nobody = people(&member).await;
    nobody.auth.auth_enable(pb::AuthEnableRequest {}).await.unwrap();
    let mut root = User::log_in(&member, "root", "rootpw").await;
    let mut ann = User::log_in(&member, "ann", "annpw").await;
    let grant = |id| pb::LeaseGrantRequest { id, ttl: 600 };
    assert_eq!(said(nobody.lease.lease_grant(grant(1)).await), nameless());
    for id in [1, 2, 3] {
        assert!(ann.lease.lease_grant(grant(id)).await.is_ok());
    }
    ann.put("a1", 1).await.unwrap();
    root.put("foreign", 2).await.unwrap();
    assert_eq!(ann.put("a2", 2).await, denied());
    for keys in [false, true] {
        let ask = |id| pb::LeaseTimeToLiveRequest { id, keys };
        assert_eq!(said(nobody.lease.lease_time_to_live(ask(1)).await), nameless());
        assert!(ann.lease.lease_time_to_live(ask(1)).await.is_ok());
        assert_eq!(ann.lease.lease_time_to_live(ask(2)).await.is_ok(), !keys);
        assert!(root.lease.lease_time_to_live(ask(2)).await.is_ok());
    }
    assert_eq!(said(ann.lease.lease_leases(pb::LeaseLeasesRequest {}).await), denied());
    assert_eq!(said(nobody.lease.lease_leases(pb::LeaseLeasesRequest {}).await), nameless());
    assert_eq!(said(root.lease.lease_leases(pb::LeaseLeasesRequest {}).await).unwrap().leases.len(), 3);
    for (id, renewed) in [(1, Ok(600)), (2, denied()), (4, Ok(0))] {
        let answers = ann.lease.lease_keep_alive(iter([pb::LeaseKeepAliveRequest { id }])).await;
        let answer = answers.unwrap().into_inner().message().await;
        let answer = answer.map(|answer| answer.unwrap().ttl);
        assert_eq!(answer.map_err(|status| (status.code(), status.message().to_string())), renewed);
    }
    let revoke = |id| pb::LeaseRevokeRequest { id };
    assert_eq!(said(nobody.lease.lease_revoke(revoke(3)).await), nameless());
    assert_eq!(said(ann.lease.lease_revoke(revoke(2)).await), denied());
    assert!(ann.lease.lease_revoke(revoke(1)).await.is_ok());
    assert!(root.lease.lease_revoke(revoke(2)).await.is_ok());
    assert!(ann.lease.lease_leases(pb::LeaseLeasesRequest {}).await.is_ok());

    // Nobody has to be there to let a lease expire.
    ann.lease.lease_grant(pb::LeaseGrantRequest { id: 9, ttl: 1 }).await.unwrap();
    ann.put("a9", 9).await.unwrap();
    while ann.get("a9", "").await != Ok(0) {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_and_roles_are_managed_by_root_alone() {
    let folder = Folder::new("auth-users");
    let member = one_member(&folder);
    let mut nobody = people(&member).await;
    nobody.auth.auth_enable(pb::AuthEnableRequest {}).await.unwrap();
    let mut root = User::log_in(&member, "root", "rootpw").await;
    let mut ann = User::log_in(&member, "ann", "annpw").await;
    let user = |name: &str| pb::AuthUserGetRequest { name: name.to_string() };
    let role = |role: &str| pb::AuthRoleGetRequest { role: role.to_string() };
    assert_eq!(said(ann.auth.user_get(user("ann")).await).unwrap().roles, ["r"]);
    assert_eq!(said(ann.auth.user_get(user("root")).await), denied());
    assert_eq!(said(nobody.auth.user_get(user("ann")).await), nameless());
    assert_eq!(said(ann.auth.role_get(role("r")).await).unwrap().perm.len(), 1);
    assert_eq!(said(ann.auth.role_get(role("root")).await), denied());
    assert_eq!(said(ann.auth.user_list(pb::AuthUserListRequest {}).await), denied());
    assert_eq!(said(ann.auth.role_list(pb::AuthRoleListRequest {}).await), denied());
    assert_eq!(said(ann.auth.auth_status(pb::AuthStatusRequest {}).await), denied());
    assert_eq!(said(ann.auth.auth_disable(pb::AuthDisableRequest {}).await), denied());
    assert_eq!(said(ann.auth.auth_enable(pb::AuthEnableRequest {}).await), denied());
    assert_eq!(said(ann.auth.user_add(add_user("eve", "x")).await), denied());
    assert_eq!(said(nobody.auth.user_add(add_user("eve", "x")).await), nameless());
    assert_eq!(said(root.auth.user_list(pb::AuthUserListRequest {}).await).unwrap().users, ["ann", "root"]);
    assert_eq!(said(root.auth.role_list(pb::AuthRoleListRequest {}).await).unwrap().roles, ["r"]);

    let long = said(root.auth.user_add(add_user("eve", &"x".repeat(73))).await).unwrap_err();
    assert_eq!(long, (Code::Unknown, "bcrypt: password length exceeds 72 bytes".to_string()));
    let failed = || {
        let text = "etcdserver: authentication failed, invalid user ID or password";
        Err((Code::InvalidArgument, text.to_string()))
    };
    for (name, password) in [("ann", "wrong"), ("ann", ""), ("eve", "x"), ("", "")] {
        assert_eq!(token(&member, name, password).await, failed());
    }
    let options = Some(UserAddOptions { no_password: true });
    let tls = pb::AuthUserAddRequest { options, ..add_user("tls", "ignored") };
    root.auth.user_add(tls).await.unwrap();
    let none = "auth: authentication failed, password was given for no password user";
    assert_eq!(token(&member, "tls", "ignored").await, Err((Code::Unknown, none.to_string())));

    // A role that grows or goes is felt by tokens that are there already.
    assert_eq!(ann.get("x", "").await, denied());
    grant(&mut root.auth, Type::Read, "x", "").await;
    assert_eq!(ann.get("x", "").await, Ok(0));
    let delete = pb::AuthRoleDeleteRequest { role: "r".to_string() };
    root.auth.role_delete(delete).await.unwrap();
    assert_eq!(ann.get("x", "").await, denied());

    // Another password ends the tokens of the user, and of nobody else.
    let (name, password) = ("ann".to_string(), "new".to_string());
    let change = pb::AuthUserChangePasswordRequest { name: name.clone(), password, ..Default::default() };
    root.auth.user_change_password(change).await.unwrap();
    assert_eq!(ann.get("a", "").await, unknown_token());
    assert_eq!(token(&member, "ann", "annpw").await, failed());
    let mut ann = User::log_in(&member, "ann", "new").await;
    assert_eq!(ann.get("a", "").await, denied(), "known, and without a role");
    root.auth.user_delete(pb::AuthUserDeleteRequest { name }).await.unwrap();
    assert_eq!(ann.get("a", "").await, unknown_token());
    root.auth.auth_disable(pb::AuthDisableRequest {}).await.unwrap();
    assert_eq!(ann.get("a", "").await, Ok(0), "nobody looks at tokens while auth is off");
    assert_eq!(nobody.put("b", 0).await, Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_member_knows_every_token_and_forgets_them_when_it_ends() {
    let folder = Folder::new("auth-three");
    let mut members = cluster(&folder, 3);
    for member in &mut members {
        member.flag("--bcrypt-cost=4");
        member.start();
    }
    members.iter_mut().for_each(Member::wait_healthy);
    people(&members[0]).await.auth.auth_enable(pb::AuthEnableRequest {}).await.unwrap();
    for from in &members {
        let word = token(from, "ann", "annpw").await.unwrap();
        for member in &members {
            let mut ann = User::of(member, Some(("token", word.clone())));
            assert_eq!(ann.put("a", 0).await, Ok(()));
            assert_eq!((ann.get("a", "").await, ann.get("b", "").await), (Ok(1), denied()));
        }
    }
    let word = token(&members[0], "ann", "annpw").await.unwrap();
    // So that the member reads the token back as something of the past.
    for _ in 0..3 {
        User::of(&members[1], Some(("token", word.clone()))).put("a", 0).await.unwrap();
    }
    members[1].kill();
    members[1].start();
    members[1].wait_healthy();
    let get = async |member| User::of(member, Some(("token", word.clone()))).get("a", "").await;
    assert_eq!((get(&members[1]).await, get(&members[2]).await), (unknown_token(), Ok(1)));
    assert_eq!(User::log_in(&members[1], "ann", "annpw").await.get("a", "").await, Ok(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signed_tokens_outlive_their_member_and_no_change_of_users() {
    let folder = Folder::new("auth-signed");
    let keys = concat!(env!("CARGO_MANIFEST_DIR"), "/runtime-tokio/src/jwt/testdata");
    let mut members = cluster(&folder, 3);
    for (number, member) in members.iter_mut().enumerate() {
        // The last can check tokens and not make them.
        let private = if number < 2 { format!(",priv-key={keys}/p256.pem") } else { String::new() };
        member.flag(&format!("--auth-token=jwt,sign-method=ES256,pub-key={keys}/p256.pub.pem{private}"));
        member.flag("--bcrypt-cost=4");
        member.start();
    }
    members.iter_mut().for_each(Member::wait_healthy);
    people(&members[0]).await.auth.auth_enable(pb::AuthEnableRequest {}).await.unwrap();
    let word = token(&members[0], "ann", "annpw").await.unwrap();
    members[1].kill();
    members[1].start();
    members[1].wait_healthy();
    for member in &members {
        let mut ann = User::of(member, Some(("token", word.clone())));
        assert_eq!((ann.put("a", 0).await, ann.get("b", "").await), (Ok(()), denied()));
    }
    let text = "auth: token signing attempted with verify-only key";
    assert_eq!(token(&members[2], "ann", "annpw").await, Err((Code::Unknown, text.to_string())));
    let mut root = User::log_in(&members[1], "root", "rootpw").await;
    grant(&mut root.auth, Type::Read, "x", "").await;
    let old = || Err((Code::InvalidArgument, "etcdserver: revision of auth store is old".to_string()));
    let mut ann = User::of(&members[1], Some(("token", word)));
    assert_eq!((ann.get("a", "").await, ann.put("a", 0).await), (old(), old().map(|_: i64| ())));
    let watch = ann.refused_watch("a", "", 0).await;
    let text = "rpc error: code = InvalidArgument desc = etcdserver: revision of auth store is old";
    assert_eq!(watch.as_deref(), Some(text));
    grant(&mut root.auth, Type::Read, "y", "").await;
    assert_eq!(User::log_in(&members[1], "ann", "annpw").await.get("y", "").await, Ok(0));
}
