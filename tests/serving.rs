//! Members inside this process, on loopback, spoken to as clients do: gRPC and HTTP/1. What real processes do under
//! real signals is in the other tests here.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use detcd::{
    config::{FLAGS, Settings, Values},
    run::{self, Listeners, Member},
};
use detcd_proto::{
    etcdserverpb::{self as pb, request_op::Request as Op, watch_request::RequestUnion},
    healthpb,
};
use detcd_runtime_tokio::{
    codec::Codec,
    generated::{
        etcdserverpb::{
            cluster_client::ClusterClient, kv_client::KvClient, lease_client::LeaseClient,
            maintenance_client::MaintenanceClient, watch_client::WatchClient,
        },
        healthpb::health_client::HealthClient,
    },
    threads::Reactors,
};
use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};
use tonic::{Code, Request, Status, codegen::tokio_stream::iter, transport::Channel};

/// Long enough for a busy machine, short enough to fail.
const PATIENCE: Duration = Duration::from_secs(60);

struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Folder(std::env::temp_dir().join(format!("detcd-serving-{}-{number}", std::process::id())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// A member that can be stopped and started again on its sockets and its data.
struct Place {
    settings: Settings,
    listeners: Listeners,
    reactors: Arc<Reactors>,
}

fn places(count: usize, folder: &Path) -> Vec<Place> {
    let bind = || TcpListener::bind("127.0.0.1:0").unwrap();
    let listeners: Vec<Listeners> = (0..count)
        .map(|_| Listeners { peer: vec![bind()], client: vec![bind()], metrics: vec![bind()] })
        .collect();
    let url = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
    let cluster: Vec<String> = listeners
        .iter()
        .enumerate()
        .map(|(number, listeners)| format!("m{number}={}", url(&listeners.peer[0])))
        .collect();
    let cluster = cluster.join(",");
    let reactors = Arc::new(Reactors::start(1).unwrap());
    let place = |(number, listeners): (usize, Listeners)| {
        let (peer, client) = (url(&listeners.peer[0]), url(&listeners.client[0]));
        let folder = folder.join(number.to_string());
        let args = [
            format!("--name=m{number}"),
            format!("--data-dir={}", folder.display()),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--initial-cluster={cluster}"),
        ];
        let settings = Settings::from_values(&Values::parse(FLAGS, &args).unwrap()).unwrap();
        Place { settings, listeners, reactors: reactors.clone() }
    };
    listeners.into_iter().enumerate().map(place).collect()
}

impl Place {
    async fn start(&self) -> Member {
        for _ in 0..500 {
            match run::start(&self.settings, &self.listeners, self.reactors.clone()).await {
                Ok(member) => return member,
                // The tasks of the member that was here before let go of its files in their own time.
                Err(why) if why.contains("file already locked") => sleep(Duration::from_millis(10)).await,
                Err(why) => panic!("{why}"),
            }
        }
        panic!("the member that was here before never let go of its files");
    }

    fn channel(&self) -> Channel {
        let address = self.listeners.client[0].local_addr().unwrap();
        Channel::from_shared(format!("http://{address}")).unwrap().connect_lazy()
    }

    fn kv(&self) -> KvClient<Channel> {
        KvClient::new(self.channel())
    }
}

fn put(key: &str, value: &str) -> pb::PutRequest {
    pb::PutRequest { key: key.to_string().into(), value: value.to_string().into(), ..Default::default() }
}

fn get(key: &str) -> pb::RangeRequest {
    pb::RangeRequest { key: key.to_string().into(), ..Default::default() }
}

async fn soon<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("done in time")
}

/// One request over HTTP/1: the status line and headers, and the body.
async fn page(place: &Place, method: &str, path: &str) -> (String, String) {
    page_of(&place.listeners.client[0], method, path).await
}

async fn page_of(listener: &TcpListener, method: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.to_string(), body.to_string())
}

#[tokio::test]
async fn one_member_serves_the_keyspace() {
    let folder = Folder::new();
    let place = &places(1, &folder.0)[0];
    let member = place.start().await;
    let mut kv = place.kv();
    let first = soon(kv.put(put("foo", "bar"))).await.unwrap().into_inner();
    let header = first.header.unwrap();
    assert_eq!(header.revision, 2);
    assert_eq!(header.member_id, member.node.config().me.id.0);
    soon(kv.put(put("foo", "baz"))).await.unwrap();
    let got = soon(kv.range(get("foo"))).await.unwrap().into_inner();
    assert_eq!((got.count, got.kvs[0].version, &got.kvs[0].value[..]), (1, 2, &b"baz"[..]));

    let op = |request| pb::RequestOp { request: Some(request) };
    let txn = pb::TxnRequest {
        success: vec![op(Op::RequestPut(put("a", "1"))), op(Op::RequestRange(get("foo")))],
        ..Default::default()
    };
    let answer = soon(kv.txn(txn)).await.unwrap().into_inner();
    assert!(answer.succeeded && answer.responses.len() == 2);
    let delete = pb::DeleteRangeRequest { key: "foo".into(), prev_kv: true, ..Default::default() };
    let gone = soon(kv.delete_range(delete)).await.unwrap().into_inner();
    assert_eq!((gone.deleted, gone.prev_kvs.len(), gone.header.unwrap().revision), (1, 1, 5));
    soon(kv.compact(pb::CompactionRequest { revision: 4, physical: true })).await.unwrap();
    let old = soon(kv.range(pb::RangeRequest { revision: 3, ..get("foo") })).await.unwrap_err();
    assert_eq!(old.code(), Code::OutOfRange);
    assert_eq!(old.message(), "etcdserver: mvcc: required revision has been compacted");

    let mut maintenance = MaintenanceClient::new(place.channel());
    let status = soon(maintenance.status(pb::StatusRequest {})).await.unwrap().into_inner();
    assert_eq!((status.version.as_str(), status.leader), ("3.7.1", header.member_id));
    let sum = soon(maintenance.hash_kv(pb::HashKvRequest { revision: 0 })).await.unwrap().into_inner();
    assert_eq!((sum.hash_revision, sum.compact_revision), (5, 4));
    let alarms = soon(maintenance.alarm(pb::AlarmRequest::default())).await.unwrap().into_inner();
    assert!(alarms.alarms.is_empty());
    let mut cluster = ClusterClient::new(place.channel());
    let list = soon(cluster.member_list(pb::MemberListRequest { linearizable: true })).await.unwrap();
    let list = list.into_inner();
    assert_eq!((list.members.len(), list.members[0].name.as_str()), (1, "m0"));
    assert_eq!(list.header.unwrap().revision, 0);
    let mut health = HealthClient::new(place.channel());
    let well = soon(health.check(healthpb::HealthCheckRequest::default())).await.unwrap().into_inner();
    assert_eq!(well.status, 1);
    let other = healthpb::HealthCheckRequest { service: "other".into() };
    assert_eq!(soon(health.check(other)).await.unwrap_err().message(), "unknown service");

    soon(member.stop()).await;
    // What was acknowledged is there again.
    let member = place.start().await;
    let got = soon(place.kv().range(get("a"))).await.unwrap().into_inner();
    assert_eq!((&got.kvs[0].value[..], got.header.unwrap().revision), (&b"1"[..], 5));
    soon(member.stop()).await;
}

#[tokio::test]
async fn watches_and_leases_live_on_streams() {
    let folder = Folder::new();
    let place = &places(1, &folder.0)[0];
    let member = place.start().await;
    let (mut kv, mut leases) = (place.kv(), LeaseClient::new(place.channel()));

    let watch =
        pb::WatchCreateRequest { key: "w".into(), start_revision: 1, prev_kv: true, ..Default::default() };
    let request = pb::WatchRequest { request_union: Some(RequestUnion::CreateRequest(watch)) };
    let mut watch = WatchClient::new(place.channel());
    // This client asks once and says that it asks no more; the stream stays open.
    let mut events = soon(watch.watch(iter([request]))).await.unwrap().into_inner();
    let created = soon(events.message()).await.unwrap().unwrap();
    assert!(created.created && created.header.is_some());

    let grant = pb::LeaseGrantRequest { ttl: 30, id: 77 };
    assert_eq!(soon(leases.lease_grant(grant)).await.unwrap().into_inner().id, 77);
    soon(kv.put(pb::PutRequest { lease: 77, ..put("w", "1") })).await.unwrap();
    let event = soon(events.message()).await.unwrap().unwrap();
    assert_eq!(event.events[0].kv.as_ref().unwrap().lease, 77);

    let renewals = iter([77, 78].map(|id| pb::LeaseKeepAliveRequest { id }));
    let mut renewed = soon(leases.lease_keep_alive(renewals)).await.unwrap().into_inner();
    let first = soon(renewed.message()).await.unwrap().unwrap();
    assert_eq!((first.id, first.ttl), (77, 30));
    let second = soon(renewed.message()).await.unwrap().unwrap();
    assert_eq!((second.id, second.ttl), (78, 0), "an unknown lease has no time left");
    assert!(soon(renewed.message()).await.unwrap().is_none(), "the stream ends with its requests");

    let asked = pb::LeaseTimeToLiveRequest { id: 77, keys: true };
    let left = soon(leases.lease_time_to_live(asked)).await.unwrap().into_inner();
    assert_eq!((left.granted_ttl, left.keys.len()), (30, 1));
    assert!((1..=30).contains(&left.ttl));
    let all = soon(leases.lease_leases(pb::LeaseLeasesRequest {})).await.unwrap().into_inner();
    assert_eq!(all.leases.len(), 1);
    soon(leases.lease_revoke(pb::LeaseRevokeRequest { id: 77 })).await.unwrap();
    let event = soon(events.message()).await.unwrap().unwrap();
    let (kind, before) = (event.events[0].r#type, event.events[0].prev_kv.as_ref().unwrap());
    assert_eq!((kind, &before.value[..]), (1, &b"1"[..]), "the key went with its lease");

    soon(member.stop()).await;
    let end = soon(events.message()).await.unwrap_err();
    assert_eq!((end.code(), end.message()), (Code::Unavailable, "etcdserver: server stopped"));
}

#[tokio::test]
async fn what_cannot_be_served_is_refused_in_etcds_words() {
    let folder = Folder::new();
    let place = &places(1, &folder.0)[0];
    let member = place.start().await;
    let mut kv = place.kv();
    let said = |status: Status| (status.code(), status.message().to_string());

    let empty = soon(kv.put(put("", "x"))).await.unwrap_err();
    assert_eq!(said(empty), (Code::InvalidArgument, "etcdserver: key is not provided".to_string()));
    let large = soon(kv.put(put("k", &"x".repeat(1_572_864)))).await.unwrap_err();
    assert_eq!(said(large), (Code::InvalidArgument, "etcdserver: request is too large".to_string()));
    let huge = put("k", &"x".repeat(3_000_000));
    let length = prost::Message::encoded_len(&huge);
    let text = format!("grpc: received message larger than max ({length} vs. 2097152)");
    assert_eq!(said(soon(kv.put(huge)).await.unwrap_err()), (Code::ResourceExhausted, text));

    // A watch that cannot be read is told so, and its caller does not wait for ever.
    let create = pb::WatchCreateRequest { key: "x".repeat(3_000_000).into(), ..Default::default() };
    let request = pb::WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) };
    let mut watch = WatchClient::new(place.channel());
    let unread = match soon(watch.watch(iter([request]))).await {
        Ok(replies) => soon(replies.into_inner().message()).await.unwrap_err(),
        Err(status) => status,
    };
    assert_eq!(unread.code(), Code::ResourceExhausted);
    assert!(unread.message().starts_with("grpc: received message larger than max ("), "{unread}");

    for (path, text) in [
        ("/etcdserverpb.KV/Nothing", "unknown method Nothing for service etcdserverpb.KV"),
        ("/some.Service/Method", "unknown service some.Service"),
    ] {
        let mut client = tonic::client::Grpc::new(place.channel());
        soon(client.ready()).await.unwrap();
        let codec = Codec::<pb::PutRequest, pb::PutResponse>::default();
        let answer = soon(client.unary(Request::new(put("a", "b")), path.parse().unwrap(), codec)).await;
        assert_eq!(said(answer.unwrap_err()), (Code::Unimplemented, text.to_string()));
    }
    soon(member.stop()).await;
}

#[tokio::test]
async fn the_client_port_speaks_http_1_as_well() {
    let folder = Folder::new();
    let place = &places(1, &folder.0)[0];
    let member = place.start().await;
    soon(member.ready()).await;
    for (method, path, status, body) in [
        ("GET", "/health", "200 OK", r#"{"health":"true","reason":""}"#),
        ("GET", "/health?serializable=true&exclude=NOSPACE", "200 OK", r#"{"health":"true","reason":""}"#),
        ("HEAD", "/health", "405 Method Not Allowed", ""),
        ("POST", "/version", "405 Method Not Allowed", "Method Not Allowed\n"),
        ("GET", "/livez", "200 OK", "ok\n"),
        ("GET", "/livez?verbose", "200 OK", "[+]serializable_read ok\nok\n"),
        ("GET", "/readyz", "200 OK", "ok\n"),
        ("GET", "/readyz/non_learner", "200 OK", "ok\n"),
        ("GET", "/readyz/nothing", "404 Not Found", "404 page not found\n"),
        ("GET", "/", "404 Not Found", "404 page not found\n"),
        ("OPTIONS", "/version", "200 OK", ""),
    ] {
        let (head, said) = soon(page(place, method, path)).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{method} {path}: {head}");
        assert_eq!(said, body, "{method} {path}");
        assert!(head.contains("Access-Control-Allow-Origin: *"), "{head}");
    }
    let metrics = &place.listeners.metrics[0];
    for (path, status) in [
        ("/metrics", "200 OK"),
        ("/health", "200 OK"),
        ("/readyz", "200 OK"),
        ("/version", "404 Not Found"),
        ("/v3/kv/range", "404 Not Found"),
    ] {
        let (head, _) = soon(page_of(metrics, "GET", path)).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{path}: {head}");
        assert!(!head.contains("Access-Control"), "{head}");
    }
    let (_, said) = soon(page_of(metrics, "GET", "/metrics")).await;
    let checked = "etcd_server_healthchecks_total{name=\"non_learner\",status=\"success\",type=\"readyz\"} 3";
    assert!(said.contains(checked), "{said}");
    let (head, _) = soon(page(place, "PUT", "/health")).await;
    assert!(head.contains("Allow: GET"), "{head}");
    soon(async {
        let settled = r#"{"etcdserver":"3.7.1","etcdcluster":"3.7.0","storage":"3.7.0"}"#;
        while page(place, "GET", "/version").await.1 != settled {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    soon(member.stop()).await;
}

#[tokio::test]
async fn three_members_go_on_when_one_hands_over_and_take_it_back() {
    let folder = Folder::new();
    let places = places(3, &folder.0);
    let mut members = Vec::new();
    for place in &places {
        members.push(Some(place.start().await));
    }
    soon(places[0].kv().put(put("k", "1"))).await.unwrap();
    for place in &places {
        let got = soon(place.kv().range(get("k"))).await.unwrap().into_inner();
        assert_eq!(&got.kvs[0].value[..], b"1", "a linearizable read at any member");
    }
    let leader_id = members[0].as_ref().unwrap().node.latest().standing.leader.unwrap();
    let is_leader = |member: &Option<Member>| member.as_ref().unwrap().node.config().me.id == leader_id;
    let leader = members.iter().position(is_leader).unwrap();
    soon(members[leader].take().unwrap().stop()).await;
    let other = &places[(leader + 1) % 3];
    let wrote = soon(other.kv().put(put("k", "2"))).await.unwrap().into_inner();
    assert_eq!(wrote.header.unwrap().revision, 3);

    members[leader] = Some(places[leader].start().await);
    let got = soon(places[leader].kv().range(get("k"))).await.unwrap().into_inner();
    assert_eq!(&got.kvs[0].value[..], b"2", "who comes back catches up");

    // A lease is renewed through any member.
    let mut leases: Vec<_> = places.iter().map(|place| LeaseClient::new(place.channel())).collect();
    soon(leases[0].lease_grant(pb::LeaseGrantRequest { ttl: 60, id: 5 })).await.unwrap();
    for leases in &mut leases {
        let request = iter([pb::LeaseKeepAliveRequest { id: 5 }]);
        let mut renewed = soon(leases.lease_keep_alive(request)).await.unwrap().into_inner();
        assert_eq!(soon(renewed.message()).await.unwrap().unwrap().ttl, 60);
        let asked = pb::LeaseTimeToLiveRequest { id: 5, keys: false };
        let left = soon(leases.lease_time_to_live(asked)).await.unwrap().into_inner();
        assert_eq!(left.granted_ttl, 60);
    }

    // Without a quorum, whoever wants a leader is told at once.
    for at in [(leader + 1) % 3, (leader + 2) % 3] {
        soon(members[at].take().unwrap().stop()).await;
    }
    let left = members[leader].as_ref().unwrap();
    soon(async {
        while left.node.latest().standing.leader.is_some() {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let mut request = Request::new(get("k"));
    request.metadata_mut().insert("hasleader", "true".parse().unwrap());
    let refused = soon(places[leader].kv().range(request)).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::Unavailable, "etcdserver: no leader"));
    let stale = pb::RangeRequest { serializable: true, ..get("k") };
    let got = soon(places[leader].kv().range(stale)).await.unwrap().into_inner();
    assert_eq!(&got.kvs[0].value[..], b"2");
    let (_, body) = soon(page(&places[leader], "GET", "/health")).await;
    assert_eq!(body, "{\"health\":\"false\",\"reason\":\"RAFT NO LEADER\"}\n");
    soon(members[leader].take().unwrap().stop()).await;
}
