//! A transaction with its guards decided: what is left is a list of steps.
use super::compare;
use crate::{Refusal, store::Keyspace};
use alloc::vec::Vec;
use detcd_proto::etcdserverpb::{
    DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest, request_op::Request,
};

/// Which branch of a transaction runs, and what is in it.
pub(crate) struct Plan<'a> {
    pub succeeded: bool,
    pub steps: Vec<Step<'a>>,
}

pub(crate) enum Step<'a> {
    Range(&'a RangeRequest),
    Put(&'a PutRequest),
    DeleteRange(&'a DeleteRangeRequest),
    Txn(Plan<'a>),
    /// An operation without content. Requests with such are refused at the door, so only a log could have one.
    Nothing,
}

impl<'a> Plan<'a> {
    /// Decides every guard, those of nested transactions too, in the state before the transaction.
    pub fn of(keyspace: &Keyspace, request: &'a TxnRequest) -> Plan<'a> {
        let succeeded = request.compare.iter().all(|guard| compare::holds(keyspace, guard));
        let branch = if succeeded { &request.success } else { &request.failure };
        let step = |op: &'a RequestOp| match &op.request {
            Some(Request::RequestRange(range)) => Step::Range(range),
            Some(Request::RequestPut(put)) => Step::Put(put),
            Some(Request::RequestDeleteRange(delete)) => Step::DeleteRange(delete),
            Some(Request::RequestTxn(txn)) => Step::Txn(Plan::of(keyspace, txn)),
            None => Step::Nothing,
        };
        Plan { succeeded, steps: branch.iter().map(step).collect() }
    }
}

/// Whether a range inside a transaction may read at its revision. Unlike a plain range it looks at negative ones.
pub(crate) fn readable_in_txn(keyspace: &Keyspace, revision: i64) -> Result<(), Refusal> {
    if revision > keyspace.revision() {
        Err(Refusal::FutureRev)
    } else if revision != 0 && revision < keyspace.compact_revision() {
        Err(Refusal::Compacted)
    } else {
        Ok(())
    }
}
