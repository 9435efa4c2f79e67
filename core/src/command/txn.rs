//! Txn: guards, then a check of the chosen path, then its steps in order. Source: contract-semantics 7.4.
use super::{delete, put};
use crate::{
    KeyRange, Plant, Refusal, lease,
    query::{Plan, Step, header, range_in, readable_in_txn},
    store::{Change, Store, Write},
};
use alloc::vec::Vec;
use detcd_proto::etcdserverpb::{ResponseHeader, ResponseOp, TxnRequest, TxnResponse, response_op::Response};

/// Refused as a whole, before anything is written, if any step on the chosen path may not be done:
/// [`Refusal::FutureRev`], [`Refusal::Compacted`], [`Refusal::KeyNotFound`], [`Refusal::LeaseNotFound`].
pub fn apply(
    store: &mut Store,
    leases: &mut lease::Table,
    request: &TxnRequest,
) -> Result<(TxnResponse, Vec<Change>), Refusal> {
    let plan = Plan::of(store.keyspace(), request);
    check(store, leases, &plan, &mut Vec::new())?;
    let mut write = store.begin();
    let responses = execute(&mut write, leases, &plan);
    let response = TxnResponse { header: header(write.revision()), succeeded: plan.succeeded, responses };
    let mut changes = write.finish();
    if changes.len() > 1 && store.plants.has(Plant::DupOrGhostEvent) {
        changes.extend(changes.last().cloned());
    }
    Ok((response, changes))
}

/// `deleted`: what the steps before these delete.
fn check(
    store: &Store,
    leases: &lease::Table,
    plan: &Plan<'_>,
    deleted: &mut Vec<KeyRange>,
) -> Result<(), Refusal> {
    let keyspace = store.keyspace();
    let spared = if store.plants.has(Plant::TxnRangeAtCompactedRev) {
        store.compacted_physically()..keyspace.compact_revision()
    } else {
        0..0
    };
    for step in &plan.steps {
        match step {
            Step::Range(request) if spared.contains(&request.revision) => {}
            Step::Range(request) => readable_in_txn(keyspace, request.revision)?,
            Step::Put(request) => {
                put::key_exists(keyspace, request)?;
                // An open-ended delete passes the duplicate-key rule, so the key may be gone by then.
                if put::keeps(request) && deleted.iter().any(|range| range.contains(&request.key)) {
                    return Err(Refusal::KeyNotFound);
                }
                put::lease_exists(leases, request)?;
            }
            Step::DeleteRange(request) => {
                deleted.push(KeyRange::new(request.key.clone(), request.range_end.clone()));
            }
            Step::Txn(nested) => check(store, leases, nested, deleted)?,
            Step::Nothing => {}
        }
    }
    Ok(())
}

fn execute(write: &mut Write<'_>, leases: &mut lease::Table, plan: &Plan<'_>) -> Vec<ResponseOp> {
    let run = |step: &Step<'_>| {
        let response = match step {
            Step::Range(request) => Some(Response::ResponseRange(range_in(write.keyspace(), request))),
            Step::Put(request) => Some(Response::ResponsePut(put::execute(write, leases, request))),
            Step::DeleteRange(request) => {
                Some(Response::ResponseDeleteRange(delete::execute(write, leases, request)))
            }
            Step::Txn(nested) => Some(Response::ResponseTxn(TxnResponse {
                header: Some(ResponseHeader::default()),
                succeeded: nested.succeeded,
                responses: execute(write, leases, nested),
            })),
            Step::Nothing => None,
        };
        ResponseOp { response }
    };
    plan.steps.iter().map(run).collect()
}
