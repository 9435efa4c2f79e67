use super::*;
use alloc::{string::ToString, vec};

fn described(json: &str) -> Described {
    decode(json.as_bytes()).expect("a described member")
}

fn check(described: Described, json: &str) {
    assert_eq!(core::str::from_utf8(&encode(&described)).expect("UTF-8"), json);
    assert_eq!(decode(json.as_bytes()), Some(described));
}

fn member(id: u64, name: &str) -> Member {
    Member {
        id: MemberId(id),
        name: name.to_string(),
        peer_urls: vec!["http://127.0.0.1:2380".to_string()],
        client_urls: vec![],
        is_learner: false,
    }
}

#[test]
fn a_member_of_the_first_configuration_has_its_name() {
    check(
        Described { member: member(u64::MAX, "default"), is_promote: false },
        r#"{"id":18446744073709551615,"peerURLs":["http://127.0.0.1:2380"],"name":"default"}"#,
    );
}

#[test]
fn a_learner_with_client_urls_shows_them() {
    let mut learner = member(7, "");
    learner.is_learner = true;
    learner.client_urls = vec!["http://a:1".to_string(), "http://b:2".to_string()];
    check(
        Described { member: learner, is_promote: false },
        r#"{"id":7,"peerURLs":["http://127.0.0.1:2380"],"isLearner":true,"clientURLs":["http://a:1","http://b:2"]}"#,
    );
}

#[test]
fn a_promotion_names_only_the_member() {
    let mut promoted = member(7, "");
    promoted.peer_urls = vec![];
    check(Described { member: promoted, is_promote: true }, r#"{"id":7,"peerURLs":null,"isPromote":true}"#);
}

#[test]
fn names_are_quoted_as_go_quotes_them() {
    check(
        Described { member: member(1, "a\"b\\c<d>&\n\u{1}é\u{2028}"), is_promote: false },
        "{\"id\":1,\"peerURLs\":[\"http://127.0.0.1:2380\"],\
         \"name\":\"a\\\"b\\\\c\\u003cd\\u003e\\u0026\\n\\u0001é\\u2028\"}",
    );
    let surrogates = described(r#"{"id":1,"peerURLs":[],"name":"\ud83d\ude00\/\ud800"}"#);
    assert_eq!(surrogates.member.name, "😀/\u{fffd}");
}

#[test]
fn what_others_add_is_passed_over() {
    let found = described(
        r#" { "extra" : {"deep":[1,{"a":null}],"b":-1.5e3} , "id":3,"peerURLs":["u"],"isPromote":false } "#,
    );
    assert_eq!((found.member.id.0, found.member.peer_urls.len(), found.is_promote), (3, 1, false));
}

#[test]
fn what_is_no_member_is_nothing() {
    let deep = "[".repeat(100_000);
    for bad in [
        "",
        "{",
        "{}",
        "[]",
        "null",
        r#"{"id":0,"peerURLs":[]}"#,
        r#"{"id":-1,"peerURLs":[]}"#,
        r#"{"id":"1"}"#,
        r#"{"id":1,"peerURLs":[1]}"#,
        r#"{"id":1} x"#,
        r#"{"id":1,"name":"\x"}"#,
        r#"{"id":1,"name":"\u12"}"#,
        r#"{"id":1,"name":"open"#,
        r#"{"id":1,}"#,
        &alloc::format!("{{\"id\":1,\"x\":{deep}"),
    ] {
        assert_eq!(decode(bad.as_bytes()), None, "{}", &bad[..bad.len().min(40)]);
    }
}
