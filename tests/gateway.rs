//! A real member asked in JSON over HTTP: the way of a call through the gateway to the gRPC services and back. Which
//! JSON means which message is tested beside the mapping; all paths beside a real etcd are scripts/compare-gateway.sh.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
mod support;

use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
};
use support::{Folder, Member, cluster};

fn one(name: &str) -> (Folder, Member) {
    let folder = Folder::new(&format!("gateway-{name}"));
    let mut member = cluster(&folder, 1).remove(0);
    member.start();
    member.wait_healthy();
    (folder, member)
}

/// The answer to a call that goes well.
fn call(member: &Member, path: &str, request: Value) -> Value {
    let (code, body) = member.http_post(path, &request.to_string());
    assert_eq!(code, 200, "{path} {request}: {body}");
    serde_json::from_str(&body).unwrap()
}

#[test]
fn calls_are_carried_out_and_refused_as_by_grpc() {
    let (_folder, mut member) = one("unary");
    let put = call(&member, "/v3/kv/put", json!({"key": "Zm9v", "value": "YmFy"}));
    assert_eq!(put["header"]["revision"], "2");
    for path in ["/v3/kv/range", "/v3beta/kv/range"] {
        let got = call(&member, path, json!({"key": "Zm9v"}));
        let pair = json!({"key": "Zm9v", "value": "YmFy", "create_revision": "2", "mod_revision": "2", "version": "1"});
        assert_eq!((&got["kvs"][0], &got["count"]), (&pair, &json!("1")));
    }
    let granted = call(&member, "/v3/lease/grant", json!({"TTL": 600, "ID": "7"}));
    assert_eq!((&granted["ID"], &granted["TTL"]), (&json!("7"), &json!("600")));
    assert_eq!(call(&member, "/v3/kv/lease/leases", json!({}))["leases"], json!([{"ID": "7"}]));
    assert_eq!(call(&member, "/v3/maintenance/status", json!({}))["version"], "3.7.1");

    let large = format!("{{\"key\":\"Zm9v\",\"value\":\"{}\"}}", "YWFh".repeat(1 << 20));
    for (path, request, code, body) in [
        ("/v3/kv/range", "", 400, r#"{"code":3,"message":"etcdserver: key is not provided"}"#),
        (
            "/v3/kv/range",
            r#"{"key":"Zm9v","revision":9}"#,
            400,
            r#"{"code":11,"message":"etcdserver: mvcc: required revision is a future revision"}"#,
        ),
        (
            "/v3/lease/revoke",
            r#"{"ID":9}"#,
            404,
            r#"{"code":5,"message":"etcdserver: requested lease not found"}"#,
        ),
        (
            "/v3/kv/put",
            &large,
            429,
            r#"{"code":8,"message":"grpc: received message larger than max (3145738 vs. 2097152)"}"#,
        ),
        ("/v3/nothing", "{}", 404, r#"{"code":5,"message":"Not Found"}"#),
        ("/v3/kv/range/", "{}", 404, r#"{"code":5,"message":"Not Found"}"#),
    ] {
        assert_eq!(member.http_post(path, request), (code, body.to_string()), "{path}");
    }
    let other = (501, r#"{"code":12,"message":"Method Not Allowed"}"#.to_string());
    assert_eq!(member.http_get("/v3/kv/range").unwrap(), other);
    let (code, body) = member.http_post("/v3/kv/range", "nothing");
    assert!(code == 400 && body.starts_with(r#"{"code":3,"message":"proto: "#), "{code} {body}");
    member.terminate();
}

#[test]
fn streams_are_lines() {
    let (_folder, mut member) = one("streams");
    call(&member, "/v3/lease/grant", json!({"TTL": 600, "ID": "7"}));
    // A keep-alive ends with its requests.
    let (code, body) = member.http_post("/v3/lease/keepalive", r#"{"ID":"7"} {"ID":8}"#);
    assert_eq!(code, 200);
    assert_eq!(body.matches(r#"{"result":{"header":{"#).count(), 2, "{body}");
    assert!(body.contains(r#""ID":"7","TTL":"600"}}"#) && body.contains(r#""ID":"8"}}"#), "{body}");

    // A watch goes on after them.
    let request = r#"{"create_request":{"key":"Zm9v"}}"#;
    let mut lines = BufReader::new(member.http("POST", "/v3/watch", request).unwrap()).lines();
    let mut next = || -> Value {
        loop {
            let line = lines.next().expect("the stream goes on").unwrap();
            // Between them stand the lengths of chunks.
            if line.starts_with("{\"result\"") {
                return serde_json::from_str(&line).unwrap();
            }
        }
    };
    assert_eq!(next()["result"]["created"], true);
    call(&member, "/v3/kv/put", json!({"key": "Zm9v", "value": "YmFy"}));
    let event = next();
    assert_eq!(event["result"]["events"][0]["kv"]["value"], "YmFy");
    assert_eq!(event["result"]["events"][0].get("type"), None, "a put is the default");

    // The member's stop ends the watch, and says why.
    member.terminate();
    let mut rest = String::new();
    for line in lines {
        rest += &line.unwrap();
    }
    assert!(rest.contains(r#"{"error":{"code":14,"message":"etcdserver: server stopped"}}"#), "{rest}");
}

/// A text frame from the client, masked with nothing.
fn frame(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    assert!(length < 126);
    [&[0x81, 0x80 | length, 0, 0, 0, 0][..], text.as_bytes()].concat()
}

/// The next text frame from the server.
fn heard(stream: &mut impl std::io::Read) -> Value {
    let mut head = [0; 2];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(head[0], 0x81, "a text frame");
    let length = if head[1] == 126 {
        let mut long = [0; 2];
        stream.read_exact(&mut long).unwrap();
        usize::from(u16::from_be_bytes(long))
    } else {
        usize::from(head[1])
    };
    let mut text = vec![0; length];
    stream.read_exact(&mut text).unwrap();
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn a_browser_watches_by_a_websocket() {
    let (_folder, mut member) = one("websocket");
    let open = |path: &str| {
        let mut stream = TcpStream::connect(&member.client).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: Bearer, abc\r\n\r\n"
        )
        .unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        // The sum is the one of the websocket's RFC.
        assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"), "{head}");
        assert!(head.contains("sec-websocket-protocol: bearer\r\n"), "{head}");
        stream
    };
    let mut watch = open("/v3/watch");
    watch.write_all(&frame(r#"{"create_request":{"key":"Zm9v"}}"#)).unwrap();
    assert_eq!(heard(&mut watch)["result"]["created"], true);
    watch.write_all(&frame(r#"{"create_request":{"key":"YmFy"}}"#)).unwrap();
    assert_eq!(heard(&mut watch)["result"]["watch_id"], "1");
    // A call that is no stream is answered, and the socket closed.
    let mut put = open("/v3/kv/put");
    put.write_all(&frame(r#"{"key":"Zm9v","value":"YmFy"}"#)).unwrap();
    assert_eq!(heard(&mut put)["header"]["revision"], "2");
    let mut closing = [0; 1];
    put.read_exact(&mut closing).unwrap();
    assert_eq!(closing, [0x88]);
    assert_eq!(heard(&mut watch)["result"]["events"][0]["kv"]["value"], "YmFy");
    drop(watch);
    member.terminate();
}

/// The value of one line of `/metrics`.
fn metric(member: &Member, series: &str) -> String {
    let (code, text) = member.http_get("/metrics").unwrap();
    assert_eq!(code, 200);
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in {text}")).to_string()
}

#[test]
fn what_is_done_is_counted() {
    let (_folder, mut member) = one("metrics");
    for value in ["YQ==", "Yg=="] {
        call(&member, "/v3/kv/put", json!({"key": "Zm9v", "value": value, "prev_kv": true}));
    }
    let doomed = json!([{"request_delete_range": {"key": "Zm9v"}}, {"request_range": {"key": "Zm9v"}}]);
    call(&member, "/v3/kv/txn", json!({"success": doomed}));
    call(&member, "/v3/kv/range", json!({"key": "Zm9v"}));
    call(&member, "/v3/lease/grant", json!({"TTL": 600, "ID": "7"}));
    member.http_post("/v3/lease/keepalive", r#"{"ID":"7"}"#);
    member.http_post("/v3/kv/range", "");
    for (series, value) in [
        ("etcd_mvcc_put_total", "2"),
        ("etcd_mvcc_delete_total", "1"),
        ("etcd_mvcc_range_total", "4"),
        ("etcd_mvcc_txn_total", "3"),
        ("etcd_debugging_mvcc_keys_total", "0"),
        ("etcd_debugging_mvcc_current_revision", "4"),
        ("etcd_debugging_lease_granted_total", "1"),
        ("etcd_debugging_lease_renewed_total", "1"),
        ("etcd_server_version{server_version=\"3.7.1\"}", "1"),
        ("etcd_server_has_leader", "1"),
        ("etcd_server_proposals_pending", "0"),
        ("etcd_server_apply_duration_seconds_count{op=\"Put\",success=\"true\",version=\"v3\"}", "2"),
        (
            "grpc_server_handled_total{grpc_code=\"OK\",grpc_method=\"Put\",grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\"}",
            "2",
        ),
        (
            "grpc_server_handled_total{grpc_code=\"InvalidArgument\",grpc_method=\"Range\",grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\"}",
            "1",
        ),
        (
            "grpc_server_msg_sent_total{grpc_method=\"LeaseKeepAlive\",grpc_service=\"etcdserverpb.Lease\",grpc_type=\"bidi_stream\"}",
            "1",
        ),
    ] {
        assert_eq!(metric(&member, series), value, "{series}");
    }

    // A watch lives until its client goes away.
    let canceled = "grpc_server_handled_total{grpc_code=\"Canceled\",grpc_method=\"Watch\",grpc_service=\"etcdserverpb.Watch\",grpc_type=\"bidi_stream\"}";
    let mut watch = member.http("POST", "/v3/watch", r#"{"create_request":{"key":"Zm9v"}}"#).unwrap();
    watch.read_exact(&mut [0; 1]).unwrap();
    assert_eq!(metric(&member, "etcd_debugging_mvcc_watcher_total"), "1");
    assert_eq!(metric(&member, canceled), "0");
    drop(watch);
    while metric(&member, canceled) != "1" || metric(&member, "etcd_debugging_mvcc_watcher_total") != "0" {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    member.terminate();
}
