//! Takes out of answers what no two servers share, and orders what etcd leaves in no order.

use prost_reflect::{DynamicMessage, Value};

use super::answer::Answer;
use super::plan::path;

/// Numbers of which only it matters whether they are there: they depend on how a server came to be, or on its files.
const ONLY_PRESENCE: &[(&str, &[&str])] = &[
    (path::STATUS, &["dbSize", "dbSizeInUse", "raftIndex", "raftTerm", "raftAppliedIndex"]),
    // Over the whole file, with what a member writes about itself.
    (path::HASH, &["hash"]),
];

/// Makes two answers to one request comparable.
pub struct Normaliser {
    /// Servers that somebody else founded have IDs of their own.
    pub hide_ids: bool,
}

impl Normaliser {
    pub fn normalise(&self, path: &str, request: Option<&DynamicMessage>, answer: &mut Answer) {
        for message in &mut answer.messages {
            self.header(message);
            for (_, fields) in ONLY_PRESENCE.iter().filter(|(method, _)| *method == path) {
                fields.iter().for_each(|field| only_presence(message, field));
            }
            match path {
                path::LEASE_TIME_TO_LIVE => remaining(message),
                path::LEASE_GRANT => hide_picked_id(message),
                path::LEASE_LEASES => {
                    let leases = field_mut(message, "leases").and_then(Value::as_list_mut);
                    leases.into_iter().flatten().filter_map(Value::as_message_mut).for_each(hide_picked_id);
                    sort(message, "leases");
                }
                path::AUTHENTICATE => hide_token(message),
                path::RANGE => settle_order(request, message),
                path::TXN => settle_orders(request, message),
                _ => {}
            }
        }
        if path == path::SNAPSHOT {
            whole_snapshot(answer);
        }
    }

    /// The term counts elections, and a fresh member may need more than one.
    pub fn header(&self, message: &mut DynamicMessage) {
        let Some(header) = field_mut(message, "header").and_then(Value::as_message_mut) else { return };
        only_presence(header, "raft_term");
        if self.hide_ids {
            only_presence(header, "cluster_id");
            only_presence(header, "member_id");
        }
    }
}

/// A field that is there; a mere look must not set it.
fn field_mut<'m>(message: &'m mut DynamicMessage, name: &str) -> Option<&'m mut Value> {
    if message.has_field_by_name(name) { message.get_field_by_name_mut(name) } else { None }
}

fn field_i64(message: &DynamicMessage, name: &str) -> i64 {
    message.get_field_by_name(name).and_then(|value| value.as_i64()).unwrap_or(0)
}

fn only_presence(message: &mut DynamicMessage, name: &str) {
    match field_mut(message, name) {
        Some(Value::I64(number)) => *number = 1,
        Some(Value::U64(number)) => *number = 1,
        Some(Value::U32(number)) => *number = 1,
        _ => {}
    }
}

/// The clock runs: a sensible rest is as good as another. Attached keys come in no order.
fn remaining(message: &mut DynamicMessage) {
    let (ttl, granted) = (field_i64(message, "TTL"), field_i64(message, "grantedTTL"));
    if (0..=granted).contains(&ttl) {
        message.set_field_by_name("TTL", Value::I64(granted));
    }
    sort(message, "keys");
}

/// A lease that the server named. Those of workloads are far below.
fn hide_picked_id(message: &mut DynamicMessage) {
    const PICKED_MIN: i64 = 1 << 40;
    if let Some(Value::I64(id)) = field_mut(message, "ID")
        && (PICKED_MIN..i64::MAX).contains(id)
    {
        *id = PICKED_MIN;
    }
}

fn sort(message: &mut DynamicMessage, name: &str) {
    if let Some(values) = field_mut(message, name).and_then(Value::as_list_mut) {
        values.sort_by_key(|value| match value {
            Value::Bytes(bytes) => bytes.to_vec(),
            Value::Message(message) => prost::Message::encode_to_vec(message),
            _ => Vec::new(),
        });
    }
}

fn hide_token(message: &mut DynamicMessage) {
    if let Some(Value::String(token)) = field_mut(message, "token") {
        // Sixteen letters, a point, an index.
        let simple = token.split_once('.').is_some_and(|(letters, index)| {
            letters.len() == 16
                && letters.bytes().all(|letter| letter.is_ascii_alphabetic())
                && index.bytes().all(|digit| digit.is_ascii_digit())
        });
        *token = if simple { "(a simple token)".to_owned() } else { format!("(strange) {token}") };
    }
}

/// Its bytes are files of different make: kept are whether pieces, version and digest are as they should be.
fn whole_snapshot(answer: &mut Answer) {
    let Some(mut last) = answer.messages.pop() else { return };
    let blob = last.get_field_by_name("blob").and_then(|value| value.as_bytes().map(|bytes| bytes.len()));
    if blob == Some(32) {
        last.clear_field_by_name("blob");
    }
    answer.messages = vec![last];
}

/// etcd sorts by a quick sort that does not keep the order of equals. They are put in the order of their keys; if the
/// limit cut among equals, which of them are there is anybody's choice.
fn settle_order(request: Option<&DynamicMessage>, message: &mut DynamicMessage) {
    let Some(request) = request else { return };
    let number =
        |name: &str| request.get_field_by_name(name).and_then(|value| value.as_enum_number()).unwrap_or(0);
    let target = number("sort_target");
    if target == 0 {
        return;
    }
    let more = message.get_field_by_name("more").and_then(|value| value.as_bool()).unwrap_or(false);
    let keys_only = request.get_field_by_name("keys_only").and_then(|value| value.as_bool()).unwrap_or(false);
    let Some(Value::List(pairs)) = field_mut(message, "kvs") else { return };
    if keys_only && target == 4 {
        // The values it was sorted by are not shown.
        pairs.sort_by_key(pair_key);
        if more {
            pairs.clear();
        }
        return;
    }
    let mut from = 0;
    while from < pairs.len() {
        let mark = sorted_by(&pairs[from], target);
        let length = pairs[from..].iter().take_while(|pair| sorted_by(pair, target) == mark).count();
        pairs[from..from + length].sort_by_key(pair_key);
        from += length;
        if more && from == pairs.len() && length > 0 {
            for pair in &mut pairs[from - length..] {
                only_the_mark(pair, target);
            }
        }
    }
}

fn pair_key(pair: &Value) -> Vec<u8> {
    let key = pair.as_message().and_then(|pair| pair.get_field_by_name("key"));
    key.and_then(|key| key.as_bytes().map(|bytes| bytes.to_vec())).unwrap_or_default()
}

const TARGETS: [&str; 5] = ["key", "version", "create_revision", "mod_revision", "value"];

fn sorted_by(pair: &Value, target: i32) -> Option<Value> {
    let name = TARGETS.get(usize::try_from(target).ok()?)?;
    Some(pair.as_message()?.get_field_by_name(name)?.into_owned())
}

fn only_the_mark(pair: &mut Value, target: i32) {
    if let Some(pair) = pair.as_message_mut() {
        let kept = usize::try_from(target).ok().and_then(|target| TARGETS.get(target));
        let names = ["key", "version", "create_revision", "mod_revision", "value", "lease"];
        names.iter().filter(|name| Some(*name) != kept).for_each(|name| pair.clear_field_by_name(name));
    }
}

/// The same for the ranges inside a transaction, found by the branch that was taken.
fn settle_orders(request: Option<&DynamicMessage>, message: &mut DynamicMessage) {
    let Some(request) = request else { return };
    let succeeded = message.get_field_by_name("succeeded").and_then(|value| value.as_bool()).unwrap_or(false);
    let branch = request.get_field_by_name(if succeeded { "success" } else { "failure" });
    let Some(ops) = branch.as_deref().and_then(Value::as_list) else { return };
    let Some(Value::List(responses)) = field_mut(message, "responses") else { return };
    for (op, response) in ops.iter().zip(responses) {
        let (Some(op), Some(response)) = (op.as_message(), response.as_message_mut()) else { continue };
        for (asked, answered, settle) in [
            (
                "request_range",
                "response_range",
                settle_order as fn(Option<&DynamicMessage>, &mut DynamicMessage),
            ),
            ("request_txn", "response_txn", settle_orders),
        ] {
            let Some(inner) = field_mut(response, answered).and_then(Value::as_message_mut) else { continue };
            settle(op.get_field_by_name(asked).as_deref().and_then(Value::as_message), inner);
        }
    }
}
