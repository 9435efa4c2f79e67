//! A transaction that only reads.
use super::{Plan, Step, header, range_in, readable_in_txn};
use crate::{Refusal, View, store::Keyspace};
use alloc::vec::Vec;
use detcd_proto::etcdserverpb::{ResponseOp, TxnRequest, TxnResponse, response_op::Response};

/// Answers a transaction for which [`is_read_only`](crate::command::check::is_read_only) holds.
///
/// # Panics
/// If it has anything but ranges in it.
pub fn txn(view: &View, request: &TxnRequest) -> Result<TxnResponse, Refusal> {
    let keyspace = &view.keyspace;
    let plan = Plan::of(keyspace, request);
    let responses = plan.steps.iter().map(|step| read(keyspace, step)).collect::<Result<Vec<_>, _>>()?;
    Ok(TxnResponse { header: header(keyspace.revision()), succeeded: plan.succeeded, responses })
}

fn read(keyspace: &Keyspace, step: &Step<'_>) -> Result<ResponseOp, Refusal> {
    let Step::Range(request) = step else { panic!("only transactions that only read come here") };
    readable_in_txn(keyspace, request.revision)?;
    Ok(ResponseOp { response: Some(Response::ResponseRange(range_in(keyspace, request))) })
}
