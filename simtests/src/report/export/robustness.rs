//! The directory that etcd's robustness tests leave behind, so that their validators can judge our runs:
//! `client-N/operations.json` and `watch.json` with one JSON value per line, `server-NAME/` with the member's files,
//! `traffic.json`. Source: etcd's `tests/robustness` (report and model), whose Go structures these names are.
//!
//! Their model knows fewer requests than etcd has. What it cannot say is left out and counted: a write among it makes
//! their verdict worthless, and the caller is told.
use super::Piece;
use crate::{
    judge::READER,
    report::recording::{Call, Change, Recording, Reply, WatchStream, Watcher},
};
use detcd_jepsen_like::history::{
    Compare, CompareResult, CompareTarget, KeyValue, Outcome, RangeRequest, RangeResponse, Refusal, Request,
    Response, TxnRequest,
};
use detcd_runtime_sim::Event;
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::PathBuf};

/// What has no words there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    pub reads: usize,
    pub writes: usize,
    pub watchers: usize,
    /// Leases that ran out, each of which may have taken keys along.
    pub expiries: usize,
}

impl LeftOut {
    pub fn sentence(self) -> Option<String> {
        let LeftOut { reads, writes, watchers, expiries } = self;
        if reads + writes + watchers + expiries == 0 {
            return None;
        }
        let harm = if writes + expiries > 0 { "; their model cannot follow this run" } else { "" };
        Some(format!(
            "left out, since etcd's robustness model has no words for it: {reads} reads, {writes} writes, \
             {watchers} watchers, {expiries} leases that ran out{harm}"
        ))
    }
}

pub fn robustness(recording: &Recording) -> (Vec<Piece>, LeftOut) {
    let expiries = recording.events.iter().filter(|kept| is_expiry(&kept.event)).count();
    let mut left_out = LeftOut { expiries, ..LeftOut::default() };
    let mut pieces = Vec::new();
    let mut add = |path: String, content: Vec<u8>| pieces.push(Piece { path: PathBuf::from(path), content });
    for (client, operations) in operations(recording, &mut left_out) {
        add(format!("client-{client}/operations.json"), lines(&operations));
    }
    for watcher in &recording.watchers {
        if watcher.no_puts || watcher.no_deletes {
            left_out.watchers += 1;
            continue;
        }
        let streams: Vec<Value> = watcher.streams.iter().map(|stream| watch(watcher, stream)).collect();
        if !streams.is_empty() {
            add(format!("client-{}/watch.json", watcher.number), lines(&streams));
        }
    }
    for file in &recording.files {
        add(format!("server-m{}/{}", file.member + 1, file.name), file.content.clone());
    }
    add("traffic.json".to_owned(), lines(&[json!({"expectuniquerevision": true})]));
    (pieces, left_out)
}

fn is_expiry(event: &Event<String>) -> bool {
    matches!(event, Event::Note { line, .. } if line.contains(" lease expired id="))
}

fn lines(values: &[Value]) -> Vec<u8> {
    values.iter().map(|value| format!("{value}\n")).collect::<String>().into_bytes()
}

/// By client. Their checker allows no two operations of one stream at a time, and one without an answer lasts to the
/// end: after it a client goes on in a new stream.
fn operations(recording: &Recording, left_out: &mut LeftOut) -> BTreeMap<u32, Vec<Value>> {
    let calls = || recording.calls.iter().filter(|call| call.client != READER);
    let mut next_stream = calls().map(|call| call.client).max().map_or(0, |client| client + 1);
    // Each client's stream, and when that is free again.
    let mut streams: BTreeMap<u32, (u32, u64)> = BTreeMap::new();
    let forever = recording.simulated_ns + 1_000_000_000;
    let mut by_client: BTreeMap<u32, Vec<Value>> = BTreeMap::new();
    // They want to be shown that the store began empty, which ours always does.
    by_client.insert(next_stream, vec![nothing_yet(next_stream)]);
    next_stream += 1;
    for call in calls() {
        let Some((input, output)) = said(call) else {
            let writes =
                call.operation.request.can_write() && !matches!(call.operation.outcome, Outcome::Failed(_));
            *(if writes { &mut left_out.writes } else { &mut left_out.reads }) += 1;
            continue;
        };
        let (stream, free) = streams.entry(call.client).or_insert((call.client, 1));
        let is_open = !output["Error"].as_str().unwrap_or_default().is_empty();
        // A call in the nanosecond of the answer before counts as concurrent there.
        let begin = call.call.max(*free);
        let end = if is_open { forever } else { call.ret.unwrap_or(forever).max(begin + 1) };
        by_client.entry(call.client).or_default().push(json!({
            "ClientId": *stream, "Input": input, "Call": begin, "Output": output, "Return": end,
        }));
        *free = end + 1;
        if is_open {
            (*stream, *free) = (next_stream, begin + 1);
            next_stream += 1;
        }
    }
    by_client
}

/// A read of what is not there yet.
fn nothing_yet(client: u32) -> Value {
    let read = RangeRequest { key: b"nothing".to_vec(), ..RangeRequest::default() };
    let found = RangeResponse { revision: 1, ..RangeResponse::default() };
    json!({
        "ClientId": client, "Input": input(&Request::Range(read)), "Call": 1,
        "Output": output(&Response::Range(found)), "Return": 2,
    })
}

/// A call in their words: request and response.
fn said(call: &Call) -> Option<(Value, Value)> {
    let request = &call.operation.request;
    let input = input(request)?;
    let output = match &call.operation.outcome {
        Outcome::Ok(response) => output(response)?,
        Outcome::Failed(Refusal::Compacted) => {
            answer(&[("ClientError", json!("mvcc: required revision has been compacted"))])
        }
        Outcome::Failed(Refusal::FutureRevision) if is_lasting(request) => {
            answer(&[("ClientError", json!("mvcc: required revision is a future revision"))])
        }
        // A read that got no answer says nothing.
        Outcome::Failed(_) | Outcome::Unknown(_) if !request.can_write() && !is_lasting(request) => {
            return None;
        }
        Outcome::Failed(refusal) => answer(&[("Error", json!(format!("{refusal:?}")))]),
        Outcome::Unknown(why) => answer(&[("Error", json!(why))]),
    };
    Some((input, output))
}

/// Whether it changes something without taking a revision.
fn is_lasting(request: &Request) -> bool {
    matches!(request, Request::Compact { .. } | Request::LeaseGrant { .. })
}

fn input(request: &Request) -> Option<Value> {
    let of = |kind: &str, field: &str, value: Value| {
        let mut input = json!({"Type": kind, "LeaseGrant": null, "LeaseRevoke": null, "Range": null, "Txn": null,
            "Defragment": null, "Compact": null});
        input[field] = value;
        Some(input)
    };
    match request {
        Request::Range(range) => {
            let mut value = bounds(range)?;
            // Their model reads at the newest revision or below it, never from a member that lags.
            if range.serializable {
                return None;
            }
            value["Revision"] = json!(range.revision.max(0));
            of("range", "Range", value)
        }
        Request::Txn(txn) => of("txn", "Txn", transaction(txn)?),
        Request::Put(_) | Request::Delete(_) => of(
            "txn",
            "Txn",
            json!({"Conditions": null, "OperationsOnSuccess": [operation(request)?],
                "OperationsOnFailure": null}),
        ),
        Request::Compact { revision } => of("compact", "Compact", json!({"Revision": revision})),
        Request::LeaseGrant { id, .. } => of("leaseGrant", "LeaseGrant", json!({"LeaseID": id})),
        Request::LeaseRevoke { id } => of("leaseRevoke", "LeaseRevoke", json!({"LeaseID": id})),
    }
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

fn bounds(range: &RangeRequest) -> Option<Value> {
    if range.keys_only || range.count_only {
        return None;
    }
    Some(json!({"Start": text(&range.key)?, "End": text(&range.range_end)?, "Limit": range.limit.max(0)}))
}

fn transaction(txn: &TxnRequest) -> Option<Value> {
    let conditions: Option<Vec<Value>> = txn.compares.iter().map(condition).collect();
    let branch = |ops: &[Request]| ops.iter().map(operation).collect::<Option<Vec<Value>>>();
    Some(json!({"Conditions": conditions?, "OperationsOnSuccess": branch(&txn.success)?,
        "OperationsOnFailure": branch(&txn.failure)?}))
}

fn condition(compare: &Compare) -> Option<Value> {
    match compare {
        Compare {
            key,
            range_end,
            target: CompareTarget::ModRevision(revision),
            result: CompareResult::Equal,
        } if range_end.is_empty() => {
            Some(json!({"Key": text(key)?, "ExpectedRevision": revision, "ExpectedVersion": 0}))
        }
        _ => None,
    }
}

fn operation(request: &Request) -> Option<Value> {
    let mut operation = json!({"Type": "", "Range": {"Start": "", "End": "", "Limit": 0},
        "Put": {"Key": "", "Value": {}, "LeaseID": 0}, "Delete": {"Key": ""}});
    match request {
        Request::Range(range) if range.revision <= 0 => {
            operation["Type"] = json!("range-operation");
            operation["Range"] = bounds(range)?;
        }
        Request::Put(put) if !put.ignore_value && !put.ignore_lease => {
            operation["Type"] = json!("put-operation");
            operation["Put"] =
                json!({"Key": text(&put.key)?, "Value": value_or_hash(&put.value), "LeaseID": put.lease});
        }
        Request::Delete(delete) if delete.range_end.is_empty() => {
            operation["Type"] = json!("delete-operation");
            operation["Delete"] = json!({"Key": text(&delete.key)?});
        }
        _ => return None,
    }
    Some(operation)
}

fn answer(fields: &[(&str, Value)]) -> Value {
    let mut answer = json!({"Txn": null, "Range": null, "LeaseGrant": null, "LeaseRevoke": null, "Defragment": null,
        "Compact": null, "ClientError": "", "Revision": 0, "Persisted": false, "PersistedRevision": 0, "Error": ""});
    for (field, value) in fields {
        answer[*field] = value.clone();
    }
    answer
}

fn output(response: &Response) -> Option<Value> {
    let revision = ("Revision", json!(response.revision()));
    Some(match response {
        Response::Range(range) => {
            answer(&[revision, ("Range", json!({"KVs": pairs(range)?, "Count": range.count}))])
        }
        Response::Put(_) | Response::Delete(_) => {
            answer(&[revision, ("Txn", json!({"Failure": false, "Results": [result(response)?]}))])
        }
        Response::Txn(txn) => {
            let results: Option<Vec<Value>> = txn.responses.iter().map(result).collect();
            answer(&[revision, ("Txn", json!({"Failure": !txn.succeeded, "Results": results?}))])
        }
        // Their model does not number compactions.
        Response::Compact { .. } => answer(&[("Revision", json!(-1)), ("Compact", json!({}))]),
        Response::LeaseGrant { .. } => answer(&[revision, ("LeaseGrant", json!({}))]),
        Response::LeaseRevoke { .. } => answer(&[revision, ("LeaseRevoke", json!({}))]),
    })
}

fn result(response: &Response) -> Option<Value> {
    match response {
        Response::Range(range) => Some(json!({"KVs": pairs(range)?, "Count": range.count, "Deleted": 0})),
        Response::Put(_) => Some(json!({"KVs": null, "Count": 0, "Deleted": 0})),
        Response::Delete(delete) => Some(json!({"KVs": null, "Count": 0, "Deleted": delete.deleted})),
        Response::Txn(_)
        | Response::Compact { .. }
        | Response::LeaseGrant { .. }
        | Response::LeaseRevoke { .. } => None,
    }
}

fn pairs(range: &RangeResponse) -> Option<Vec<Value>> {
    let pair = |kv: &KeyValue| {
        Some(json!({"Key": text(&kv.key)?, "Value": value_or_hash(&kv.value), "ModRevision": kv.mod_revision,
            "Version": kv.version}))
    };
    range.kvs.iter().map(pair).collect()
}

/// Short values as they are, others by their sum: 32 bits of FNV-1a.
fn value_or_hash(value: &[u8]) -> Value {
    match text(value) {
        Some(text) if text.is_empty() => json!({}),
        Some(text) if text.len() < 20 => json!({"Value": text}),
        _ => json!({"Hash": fnv1a(value)}),
    }
}

pub(super) fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(2_166_136_261, |sum, &byte| (sum ^ u32::from(byte)).wrapping_mul(16_777_619))
}

fn watch(watcher: &Watcher, stream: &WatchStream) -> Value {
    let is_prefix = !watcher.range_end.is_empty();
    let responses: Vec<Value> = stream.replies.iter().filter(|reply| !reply.created).map(response).collect();
    json!({
        "Request": {"Key": watcher.key, "Revision": stream.start_revision, "WithPrefix": is_prefix,
            "WithProgressNotify": false, "WithPrevKV": watcher.prev_kv},
        "Responses": responses,
    })
}

fn response(reply: &Reply) -> Value {
    let events: Vec<Value> = reply.events.iter().map(event).collect();
    let is_progress = events.is_empty() && !reply.cancelled;
    json!({"Events": events, "IsProgressNotify": is_progress, "Revision": reply.revision, "Time": reply.at})
}

fn event(change: &Change) -> Value {
    let kv = &change.kv;
    let key = String::from_utf8_lossy(&kv.key);
    let previous = change.prev_kv.as_ref().map(|kv| {
        json!({"Value": value_or_hash(&kv.value), "ModRevision": kv.mod_revision, "Version": kv.version})
    });
    let (kind, value) = if change.is_delete {
        ("delete-operation", json!({}))
    } else {
        ("put-operation", value_or_hash(&kv.value))
    };
    json!({"Type": kind, "Key": key, "Value": value, "Revision": kv.mod_revision,
        "IsCreate": !change.is_delete && kv.version == 1, "PrevValue": previous})
}
