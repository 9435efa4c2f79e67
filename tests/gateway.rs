//! A real member asked in JSON over HTTP: the way of a call through the gateway to the gRPC services and back. Which
//! JSON means which message is tested beside the mapping; all paths beside a real etcd are scripts/compare-gateway.sh.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
mod support;

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
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
