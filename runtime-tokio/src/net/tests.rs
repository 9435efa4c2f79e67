use super::*;
use crate::{
    stop::{Stop, stop},
    threads::Reactors,
};
use bytes::Bytes;
use detcd_driver::{Net as _, Versions};
use detcd_proto::{etcdserverpb as pb, leasepb, raftpb::MessageType};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::BodyExt as _;
use std::{net::SocketAddr, time::Instant};
use tokio::{net::TcpListener, time::timeout};

const CLUSTER: ClusterId = ClusterId(0xc1);

#[derive(Clone)]
struct Front(Vec<Member>);

impl PeerFront for Front {
    fn members(&self) -> Vec<Member> {
        self.0.clone()
    }

    async fn call(&self, call: PeerCall) -> Result<PeerAnswer, CallFailed> {
        match call {
            PeerCall::Version => Ok(PeerAnswer::Version(Versions {
                server: "3.7.1".into(),
                cluster: "3.7.0".into(),
                storage: "3.7.0".into(),
            })),
            PeerCall::KeepAlive(pb::LeaseKeepAliveRequest { id: 1 }) => {
                Ok(PeerAnswer::KeepAlive(pb::LeaseKeepAliveResponse { id: 1, ttl: 9, ..Default::default() }))
            }
            PeerCall::KeepAlive(pb::LeaseKeepAliveRequest { id: 2 }) => Err(CallFailed::TimedOut),
            PeerCall::KeepAlive(_) => Err(CallFailed::NotFound),
            PeerCall::TimeToLive(_) => Err(CallFailed::Refused),
            PeerCall::Promote { id: MemberId(1), .. } => Ok(PeerAnswer::Promoted(self.0.clone())),
            PeerCall::Promote { id: MemberId(2), .. } => Err(CallFailed::NotReady),
            PeerCall::Promote { id: MemberId(3), .. } => Err(CallFailed::NotLearner),
            PeerCall::Promote { id: MemberId(4), .. } => Err(CallFailed::TimedOut),
            PeerCall::Promote { id: MemberId(5), .. } => Err(CallFailed::Refused),
            PeerCall::Promote { .. } => Err(CallFailed::NotFound),
        }
    }
}

/// One member's links on loopback.
struct Node {
    net: Net,
    stop: Stop,
    address: SocketAddr,
}

fn member(id: u64, address: SocketAddr) -> Member {
    Member {
        id: MemberId(id),
        name: format!("m{id}"),
        peer_urls: vec![format!("http://{address}")],
        client_urls: vec![],
        is_learner: false,
    }
}

async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

fn start(id: u64, cluster: ClusterId, listener: TcpListener) -> Node {
    let address = listener.local_addr().unwrap();
    let identity = Identity { member: MemberId(id), cluster, peer_urls: vec![format!("http://{address}")] };
    let net = Net::new(identity, Duration::from_secs(2), Handle::current());
    let (stop, stopped) = stop();
    tokio::spawn(serve(listener, net.clone(), Front(vec![member(id, address)]), stopped));
    Node { net, stop, address }
}

async fn cluster(ids: &[u64]) -> Vec<Node> {
    let mut nodes = Vec::new();
    for id in ids {
        nodes.push(start(*id, CLUSTER, listen().await));
    }
    let members: Vec<Member> = nodes.iter().zip(ids).map(|(node, id)| member(*id, node.address)).collect();
    for node in &nodes {
        node.net.set_peers(&members, &[]);
    }
    nodes
}

fn message(kind: MessageType, from: u64, to: u64, term: u64) -> raftpb::Message {
    raftpb::Message { r#type: kind.into(), from, to, term, ..Default::default() }
}

async fn next(net: &Net) -> Arrival {
    timeout(Duration::from_secs(10), net.recv()).await.expect("something arrives in time")
}

async fn next_message(net: &Net) -> raftpb::Message {
    loop {
        if let Arrival::Message(message) = next(net).await {
            return message;
        }
    }
}

#[tokio::test]
async fn peers_link_up_and_messages_go_both_ways() {
    let nodes = cluster(&[1, 2, 3]).await;
    for (from, to) in [(0, 1), (1, 0), (2, 0), (1, 2)] {
        let (sender, receiver) = (from as u64 + 1, to as u64 + 1);
        for term in 1..=20 {
            let kind = if term % 2 == 0 { MessageType::MsgApp } else { MessageType::MsgVote };
            nodes[from].net.send(message(kind, sender, receiver, term));
        }
        let mut terms = Vec::new();
        for _ in 1..=20 {
            let got = next_message(&nodes[to].net).await;
            assert_eq!((got.from, got.to), (sender, receiver));
            terms.push(got.term);
        }
        // Two streams and the posts may overtake each other.
        terms.sort_unstable();
        assert_eq!(terms, (1..=20).collect::<Vec<u64>>());
    }
    nodes.iter().for_each(|node| node.net.shutdown());
}

#[tokio::test]
async fn links_are_reported_when_they_come_and_when_they_go() {
    let nodes = cluster(&[1, 2]).await;
    assert!(matches!(next(&nodes[0].net).await, Arrival::Linked(MemberId(2))));
    assert!(matches!(next(&nodes[1].net).await, Arrival::Linked(MemberId(1))));
    nodes[1].stop.cut();
    nodes[1].net.shutdown();
    assert!(matches!(next(&nodes[0].net).await, Arrival::Lost(MemberId(2))));
    // It comes back on the same address.
    let again = loop {
        match TcpListener::bind(nodes[1].address).await {
            Ok(listener) => break listener,
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    let back = start(2, CLUSTER, again);
    back.net.set_peers(&[member(1, nodes[0].address), member(2, back.address)], &[]);
    assert!(matches!(next(&nodes[0].net).await, Arrival::Linked(MemberId(2))));
    nodes[0].net.shutdown();
    back.net.shutdown();
}

#[tokio::test]
async fn a_member_that_was_removed_is_told_so_and_heard_no_more() {
    let nodes = cluster(&[1, 2]).await;
    nodes[0].net.set_peers(&[], &[MemberId(2)]);
    loop {
        if let Arrival::Expelled(by) = next(&nodes[1].net).await {
            assert_eq!(by, MemberId(1));
            break;
        }
    }
    let removed = nodes[1].net.identity().clone();
    let said = async |method, path: &str, body: &[u8]| {
        let to = [(headers::RAFT_TO, headers::hex(1))];
        let (status, text) = ask(&nodes[0], &removed, method, path, &to, body).await;
        (status.as_u16(), text)
    };
    assert_eq!(said(Method::GET, "/raft/stream/msgapp/2", b"").await, (410, String::new()));
    let vote = prost::Message::encode_to_vec(&message(MessageType::MsgVote, 2, 1, 1));
    let refusal = "{\"message\":\"cannot process message from removed member\"}".to_string();
    assert_eq!(said(Method::POST, "/raft", &vote).await, (403, refusal));
    assert!(nodes[0].net.peer(MemberId(2)).is_none());
    nodes.iter().for_each(|node| node.net.shutdown());
}

#[tokio::test]
async fn who_knocks_without_being_known_is_answered() {
    let (one, two) = (start(1, CLUSTER, listen().await), start(2, CLUSTER, listen().await));
    // Two has joined and reads a log that does not name its leader yet.
    one.net.set_peers(&[member(2, two.address)], &[]);
    one.net.send(message(MessageType::MsgApp, 1, 2, 7));
    assert_eq!(next_message(&two.net).await.term, 7);
    two.net.send(message(MessageType::MsgAppResp, 2, 1, 7));
    assert_eq!(next_message(&one.net).await.from, 2);
    let other = member(3, listen().await.local_addr().unwrap());
    two.net.set_peers(&[other], &[]);
    assert!(two.net.peer(MemberId(1)).is_some(), "old log does not take it away");
    two.net.set_peers(&[], &[MemberId(1)]);
    assert!(two.net.peer(MemberId(1)).is_none());
    one.net.shutdown();
    two.net.shutdown();
}

#[tokio::test]
async fn a_promotion_is_asked_for_in_etcds_words() {
    let node = start(1, CLUSTER, listen().await);
    let us = Identity { member: MemberId(2), cluster: CLUSTER, peer_urls: vec![] };
    let listed = format!("[{{\"id\":1,\"peerURLs\":[\"http://{}\"],\"name\":\"m1\"}}]\n", node.address);
    for (path, wanted) in [
        ("/members/promote/1", (200, listed.as_str())),
        (
            "/members/promote/2",
            (412, "etcdserver: can only promote a learner member which is in sync with leader\n"),
        ),
        ("/members/promote/3", (412, "membership: can only promote a learner member\n")),
        ("/members/promote/4", (408, "etcdserver: request timed out\n")),
        ("/members/promote/5", (500, "{\"message\":\"Internal Server Error\"}")),
        ("/members/promote/6", (404, "membership: ID not found\n")),
        ("/members/promote/x", (404, "member x not found in cluster\n")),
    ] {
        let (status, text) = ask(&node, &us, Method::POST, path, &[], b"").await;
        assert_eq!((status.as_u16(), text.as_str()), wanted, "{path}");
    }
    let url = format!("http://{}", node.address);
    let remote =
        cluster_at(&["http://127.0.0.1:1".into(), url.clone()], Duration::from_secs(2)).await.unwrap();
    assert_eq!((remote.cluster, remote.members.len()), (CLUSTER, 1));
    assert_eq!(cluster_versions(&remote.members, Duration::from_secs(2)).await, ["3.7.0"]);
    let nobody = cluster_at(&["http://127.0.0.1:1".into()], Duration::from_secs(2)).await;
    assert_eq!(nobody, Err("could not retrieve cluster information from the given URLs".to_string()));
    node.net.shutdown();
}

#[tokio::test]
async fn without_a_stream_messages_are_posted_and_without_a_peer_they_are_lost() {
    let (one, two) = (start(1, CLUSTER, listen().await), start(2, CLUSTER, listen().await));
    // Two does not know one before it knocks; until a stream stands, messages are posted.
    one.net.set_peers(&[member(2, two.address)], &[]);
    for term in 1..=10 {
        one.net.send(message(MessageType::MsgApp, 1, 2, term));
    }
    let mut terms = Vec::new();
    for _ in 1..=10 {
        terms.push(next_message(&two.net).await.term);
    }
    terms.sort_unstable();
    assert_eq!(terms, (1..=10).collect::<Vec<u64>>());

    let nobody = member(3, listen().await.local_addr().unwrap());
    one.net.set_peers(&[nobody], &[]);
    let begun = Instant::now();
    for _ in 0..10_000 {
        one.net.send(message(MessageType::MsgApp, 1, 3, 1));
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "sending never waits");
    while !matches!(next(&one.net).await, Arrival::Lost(MemberId(3))) {}
    one.net.shutdown();
}

#[tokio::test]
async fn a_full_stream_loses_messages_and_says_so() {
    let nodes = cluster(&[1, 2]).await;
    assert!(matches!(next(&nodes[0].net).await, Arrival::Linked(MemberId(2))));
    // Nobody takes what arrives at the other end, so everything between fills up.
    let data = Bytes::from(vec![7; 64 * 1024]);
    let mut full = message(MessageType::MsgApp, 1, 2, 1);
    full.entries.push(raftpb::Entry { r#type: 0, term: 1, index: 1, data: Some(data) });
    let flood = async {
        loop {
            for _ in 0..2_000 {
                nodes[0].net.send(full.clone());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let told = async {
        loop {
            if let Arrival::Lost(MemberId(2)) = next(&nodes[0].net).await {
                return;
            }
        }
    };
    tokio::select! { () = flood => {}, () = told => {} }
    assert!(
        matches!(next(&nodes[0].net).await, Arrival::Linked(MemberId(2))),
        "the link itself still stands"
    );
    nodes.iter().for_each(|node| node.net.shutdown());
}

async fn ask(
    node: &Node,
    us: &Identity,
    method: Method,
    path: &str,
    extra: &[(HeaderName, HeaderValue)],
    body: &[u8],
) -> (StatusCode, String) {
    let url = format!("http://{}", node.address);
    let mut connection = client::Connection::open(&url, Duration::from_secs(2)).await.unwrap();
    let body = Bytes::copy_from_slice(body);
    let answer = connection.ask(us, method, path, extra, body, Duration::from_secs(5)).await.unwrap();
    assert_eq!(answer.headers()["x-etcd-cluster-id"], "c1");
    let status = answer.status();
    let text = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(text.to_vec()).unwrap())
}

#[tokio::test]
async fn strangers_and_mistakes_get_etcds_answers() {
    let node = start(1, CLUSTER, listen().await);
    node.net.set_peers(&[member(2, listen().await.local_addr().unwrap())], &[]);
    let us = Identity { member: MemberId(2), cluster: CLUSTER, peer_urls: vec![] };
    let stranger = Identity { cluster: ClusterId(0xbad), ..us.clone() };
    let to_one = [(headers::RAFT_TO, headers::hex(1))];
    let said = async |us: &Identity, method, path: &str, extra: &[_], body: &[u8]| {
        let (status, text) = ask(&node, us, method, path, extra, body).await;
        (status.as_u16(), text)
    };
    let (get, post) = (Method::GET, Method::POST);
    for (path, us, extra, wanted) in [
        ("/raft/stream/msgapp/2", &stranger, &to_one[..], (412, "cluster ID mismatch\n")),
        ("/raft/stream/msgapp/2", &us, &[], (412, "to field mismatch\n")),
        ("/raft/stream/message/3", &us, &to_one[..], (404, "error sender not found\n")),
        ("/raft/stream/message/zz", &us, &to_one[..], (404, "invalid from\n")),
        ("/raft/stream/other/2", &us, &to_one[..], (404, "invalid path\n")),
        ("/nothing", &us, &[], (404, "404 page not found\n")),
        ("/raft", &us, &[], (405, "Method Not Allowed\n")),
        ("/version", &us, &[], (200, r#"{"etcdserver":"3.7.1","etcdcluster":"3.7.0","storage":"3.7.0"}"#)),
    ] {
        let answer = said(us, get.clone(), path, extra, b"").await;
        assert_eq!((answer.0, answer.1.as_str()), wanted, "GET {path}");
    }
    let astray = prost::Message::encode_to_vec(&message(MessageType::MsgVote, 2, 9, 1));
    let one = prost::Message::encode_to_vec(&pb::LeaseKeepAliveRequest { id: 1 });
    let two = prost::Message::encode_to_vec(&pb::LeaseKeepAliveRequest { id: 2 });
    for (path, us, body, wanted) in [
        ("/raft", &stranger, &astray[..], (412, "cluster ID mismatch\n")),
        ("/raft", &us, &[0xff; 3][..], (400, "error unmarshalling raft message\n")),
        ("/raft", &us, &astray[..], (403, "{\"message\":\"cannot process message to mismatch member\"}")),
        ("/raft/stream/msgapp/2", &us, &[], (405, "Method Not Allowed\n")),
        ("/leases", &us, &one[..], (200, "\u{10}\u{1}\u{18}\u{9}")),
        ("/leases", &us, &[], (404, "lease not found\n")),
        ("/leases", &us, &two[..], (408, "waiting for node to catch up its applied index has timed out\n")),
        ("/leases/internal", &us, &[], (500, "not a primary lessor\n")),
    ] {
        let answer = said(us, post.clone(), path, &[], body).await;
        assert_eq!((answer.0, answer.1.as_str()), wanted, "POST {path}");
    }
    let (_, probing) = said(&us, get.clone(), "/raft/probing", &[], b"").await;
    assert!(probing.starts_with("{\"OK\":true,\"Now\":\"2") && probing.ends_with("Z\"}\n"), "{probing}");
    let (_, list) = said(&us, get, "/members", &[], b"").await;
    assert_eq!(list, format!("[{{\"id\":1,\"peerURLs\":[\"http://{}\"],\"name\":\"m1\"}}]\n", node.address));
    node.net.shutdown();
}

#[tokio::test]
async fn questions_to_a_peer_are_answered() {
    let (one, two) = (start(1, CLUSTER, listen().await), start(2, CLUSTER, listen().await));
    one.net.set_peers(&[member(2, two.address)], &[]);
    let ask = |call| one.net.call(MemberId(2), call);
    let keep_alive = |id| PeerCall::KeepAlive(pb::LeaseKeepAliveRequest { id });
    let Ok(PeerAnswer::Version(said)) = ask(PeerCall::Version).await else { panic!("no version") };
    assert_eq!((said.server.as_str(), said.cluster.as_str()), ("3.7.1", "3.7.0"));
    let Ok(PeerAnswer::KeepAlive(renewed)) = ask(keep_alive(1)).await else { panic!("no renewal") };
    assert_eq!((renewed.id, renewed.ttl), (1, 9));
    assert_eq!(ask(keep_alive(2)).await, Err(CallFailed::TimedOut));
    assert_eq!(ask(keep_alive(3)).await, Err(CallFailed::NotFound));
    let internal = PeerCall::TimeToLive(leasepb::LeaseInternalRequest::default());
    assert_eq!(ask(internal).await, Err(CallFailed::Refused));
    assert_eq!(one.net.call(MemberId(7), PeerCall::Version).await, Err(CallFailed::Unreachable));
    two.stop.cut();
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(ask(PeerCall::Version).await, Err(CallFailed::Unreachable));
    one.net.shutdown();
}

/// The driver's threads have no sockets; only reactors do.
#[test]
fn links_work_from_threads_without_sockets() {
    let reactors = Reactors::start(2).unwrap();
    let (ready, node) = std::sync::mpsc::channel();
    reactors.first().spawn(async move {
        ready.send((start(1, CLUSTER, listen().await), start(2, CLUSTER, listen().await))).unwrap();
    });
    let (one, two) = node.recv().unwrap();
    let (done, end) = std::sync::mpsc::channel();
    crate::threads::pinned("driver", async move {
        one.net.set_peers(&[member(2, two.address)], &[]);
        one.net.send(message(MessageType::MsgVote, 1, 2, 5));
        assert_eq!(next_message(&two.net).await.term, 5);
        assert!(one.net.call(MemberId(2), PeerCall::Version).await.is_ok());
        one.net.shutdown();
        done.send(()).unwrap();
    })
    .unwrap();
    end.recv_timeout(Duration::from_secs(20)).expect("the other thread is done");
}

/// One raw request to the path of snapshots; the whole answer, as far as it comes.
async fn post_snapshot(
    node: &Node,
    headers: &[(HeaderName, HeaderValue)],
    pieces: &[Bytes],
    whole: bool,
) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(node.address).await.unwrap();
    let mut head = "POST /raft/snapshot HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n".to_string();
    for (name, value) in headers {
        head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
    for piece in pieces {
        let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
        // One that is refused early may be cut off while it still talks.
        if stream.write_all(&chunk).await.is_err() {
            break;
        }
    }
    if whole {
        stream.write_all(b"0\r\n\r\n").await.ok();
    } else {
        stream.shutdown().await.unwrap();
    }
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(Ok(read)) = timeout(Duration::from_secs(10), stream.read(&mut buffer)).await {
        answer.extend_from_slice(&buffer[..read]);
        if read == 0 || answer.windows(4).any(|end| end == b"\r\n\r\n") {
            break;
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn snapshot_head(kind: MessageType, to: u64) -> Bytes {
    let message = raftpb::Message {
        r#type: kind.into(),
        from: 1,
        to,
        term: 3,
        snapshot: Some(raftpb::Snapshot::default()),
        ..raftpb::Message::default()
    };
    let encoded = detcd_proto::Message::encode_to_vec(&message);
    [&(encoded.len() as u64).to_be_bytes()[..], &encoded].concat().into()
}

/// What is no snapshot from a member of this cluster is refused as etcd does it, and holds nothing up.
#[tokio::test]
async fn snapshots_of_strangers_and_nonsense_are_refused() {
    let nodes = cluster(&[1, 2]).await;
    let (node, headers) = (&nodes[1], nodes[0].net.identity().headers());
    let ours: Vec<(HeaderName, HeaderValue)> =
        headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let to_us = || snapshot_head(MessageType::MsgSnap, 2);
    let foreign: Vec<(HeaderName, HeaderValue)> = ours
        .iter()
        .map(|(name, value)| {
            let is_cluster = *name == headers::CLUSTER_ID;
            (name.clone(), if is_cluster { HeaderValue::from_static("beef") } else { value.clone() })
        })
        .collect();
    for (headers, pieces, code, text) in [
        (&foreign, vec![to_us()], "412", "cluster ID mismatch"),
        (&ours, vec![], "400", "failed to decode raft message (EOF)"),
        (&ours, vec![Bytes::from_static(&[0; 5])], "400", "failed to decode raft message (unexpected EOF)"),
        (&ours, vec![Bytes::from_static(&[255; 8])], "400", "error limit exceeded"),
        (&ours, vec![to_us().slice(..20)], "400", "unexpected EOF"),
        (&ours, vec![snapshot_head(MessageType::MsgApp, 2)], "400", "wrong raft message type"),
        (&ours, vec![snapshot_head(MessageType::MsgSnap, 9)], "403", ""),
    ] {
        let answer = post_snapshot(node, headers, &pieces, true).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {code} ")), "{code} {text}: {answer}");
        assert!(answer.contains(text) || text.is_empty() || !answer.contains("\r\n\r\n"), "{answer}");
    }
    let driver = node.net.clone();
    let reading = tokio::spawn(async move {
        let mut read = Vec::new();
        for _ in 0..2 {
            let mut inbound = detcd_driver::Net::next_stream(&driver).await;
            let mut bytes = 0;
            let end = loop {
                match inbound.body.pull().await {
                    Ok(Some(piece)) => bytes += piece.len(),
                    Ok(None) => break true,
                    Err(_) => break false,
                }
            };
            read.push((bytes, end));
            inbound.verdict.tell(Ok(())).await;
        }
        read
    });
    let cut = [to_us(), Bytes::from(vec![7; 10_000])];
    post_snapshot(node, &ours, &cut, false).await;
    let answer = post_snapshot(node, &ours, &cut, true).await;
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    let read = timeout(Duration::from_secs(10), reading).await.unwrap().unwrap();
    assert!(!read[0].1, "one that breaks off has no end");
    assert_eq!(read[1], (10_000, true));
    for node in nodes {
        node.stop.cut();
        node.net.shutdown();
    }
}
