//! The history as Jepsen writes it: one map for each call and one for each answer, in the order in which they happened.
//!
//! `:value` of a call is the request, of an answer the response, in etcd's words. A process that does not learn what
//! became of a request ends there, and its client goes on as another process, as Jepsen's checkers expect.
use crate::report::recording::{Call, Fate, Recording};
use detcd_jepsen_like::history::{Outcome, Request, Response};
use serde::Serialize;
use serde_json::Value;
use std::{collections::BTreeMap, fmt::Write};

pub fn edn(recording: &Recording) -> String {
    let stride = recording.calls.iter().map(|call| call.client).max().unwrap_or(0) + 1;
    let mut moments: Vec<(u64, &Call, bool)> = Vec::new();
    for call in &recording.calls {
        moments.push((call.operation.call, call, false));
        moments.extend(call.operation.ret.map(|ret| (ret, call, true)));
    }
    moments.sort_by_key(|&(clock, call, is_answer)| (clock, call.id, is_answer));
    let mut processes: BTreeMap<u32, u64> = BTreeMap::new();
    let mut text = String::new();
    for (index, (_, call, is_answer)) in moments.into_iter().enumerate() {
        let process = processes.entry(call.client).or_insert(u64::from(call.client));
        let (kind, value, at) = if is_answer {
            let (kind, value) = answer(&call.operation.outcome);
            (kind, value, call.ret.unwrap_or_default())
        } else {
            ("invoke", inner(&call.operation.request), call.call)
        };
        let f = f(&call.operation.request);
        writeln!(
            text,
            "{{:process {process} :type :{kind} :f :{f} :value {value} :time {at} :index {index}}}"
        )
        .expect("a String takes everything");
        if is_answer && call.fate == Fate::Unknown {
            *process += u64::from(stride);
        }
    }
    text
}

fn f(request: &Request) -> &'static str {
    match request {
        Request::Range(_) => "range",
        Request::Put(_) => "put",
        Request::Delete(_) => "delete",
        Request::Txn(_) => "txn",
        Request::Compact { .. } => "compact",
        Request::LeaseGrant { .. } => "lease-grant",
        Request::LeaseRevoke { .. } => "lease-revoke",
    }
}

fn answer(outcome: &Outcome) -> (&'static str, String) {
    match outcome {
        Outcome::Ok(response) => ("ok", inner::<Response>(response)),
        Outcome::Failed(refusal) => ("fail", value(refusal)),
        Outcome::Unknown(why) => ("info", value(why)),
    }
}

/// What an enumeration's variant holds; its name is said elsewhere.
fn inner<T: Serialize>(of: &T) -> String {
    match json(of) {
        Value::Object(map) if map.len() == 1 => {
            let mut text = String::new();
            map.values().for_each(|value| write(&mut text, value));
            text
        }
        other => value(&other),
    }
}

fn value(of: &impl Serialize) -> String {
    let mut text = String::new();
    write(&mut text, &json(of));
    text
}

fn json(of: &impl Serialize) -> Value {
    serde_json::to_value(of).expect("a history holds nothing that JSON cannot")
}

fn write(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push_str("nil"),
        Value::Bool(_) | Value::Number(_) => text.push_str(&value.to_string()),
        Value::String(string) => quote(text, string),
        Value::Array(items) => {
            text.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    text.push(' ');
                }
                write(text, item);
            }
            text.push(']');
        }
        Value::Object(map) => {
            text.push('{');
            for (i, (key, item)) in map.iter().enumerate() {
                if i > 0 {
                    text.push_str(", ");
                }
                text.push(':');
                text.push_str(&key.replace('_', "-"));
                text.push(' ');
                write(text, item);
            }
            text.push('}');
        }
    }
}

/// A string of EDN: few escapes, and every other control character by number.
fn quote(text: &mut String, string: &str) {
    text.push('"');
    for c in string.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c if c.is_control() => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push('"');
}
