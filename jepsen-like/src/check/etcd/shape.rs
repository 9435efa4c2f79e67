//! Answers that no etcd can give to their request, whatever its state.

use crate::history::{KeyValue, Operation, Request, Response, TxnRequest, TxnResponse};

/// What is wrong with the form of an operation's answer, if anything.
pub(super) fn flaw(op: &Operation, origin: i64) -> Option<String> {
    let response = op.response()?;
    let revision = response.revision();
    if revision < origin {
        return Some(format!("its answer says revision {revision}, and the store began at {origin}"));
    }
    if super::plan::has_written(response) && revision == origin {
        return Some(format!(
            "it changed the store, and its revision {revision} is the one the store began at"
        ));
    }
    if let Request::Range(range) = &op.request
        && range.revision > revision
    {
        return Some(format!("it read revision {}, and its answer says revision {revision}", range.revision));
    }
    if let Request::Compact { revision: wanted } = op.request
        && wanted > revision
    {
        return Some(format!("it compacted revision {wanted}, and its answer says revision {revision}"));
    }
    form(&op.request, response, revision)
}

fn form(request: &Request, response: &Response, upto: i64) -> Option<String> {
    match (request, response) {
        (Request::Range(_), Response::Range(response)) => newer(&response.kvs, upto),
        (Request::Put(_), Response::Put(response)) => newer(response.prev_kv.as_slice(), upto),
        (Request::Delete(_), Response::Delete(response)) => newer(&response.prev_kvs, upto),
        (Request::Txn(request), Response::Txn(response)) => txn_form(request, response, upto),
        (Request::Compact { .. }, Response::Compact { .. })
        | (Request::LeaseGrant { .. }, Response::LeaseGrant { .. })
        | (Request::LeaseRevoke { .. }, Response::LeaseRevoke { .. }) => None,
        _ => Some("its answer belongs to another kind of request".into()),
    }
}

fn txn_form(request: &TxnRequest, response: &TxnResponse, upto: i64) -> Option<String> {
    let branch = if response.succeeded { &request.success } else { &request.failure };
    if branch.len() != response.responses.len() {
        return Some(format!("it has {} answers to {} operations", response.responses.len(), branch.len()));
    }
    branch.iter().zip(&response.responses).find_map(|(request, response)| form(request, response, upto))
}

/// No answer shows a change that is newer than itself.
fn newer(kvs: &[KeyValue], upto: i64) -> Option<String> {
    let kv = kvs.iter().find(|kv| kv.mod_revision > upto || kv.create_revision > kv.mod_revision)?;
    Some(format!("it shows {}, and its answer says revision {upto}", super::execute::told(kv)))
}
