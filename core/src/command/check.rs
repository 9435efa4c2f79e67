//! What can be refused by looking at the request alone, in etcd's order. Source: contract-semantics 4.2, 5, 6, 7.1.
use super::overlap;
use crate::Refusal;
use detcd_proto::etcdserverpb::{
    DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest,
    range_request::{SortOrder, SortTarget},
    request_op::Request,
};

pub fn range(request: &RangeRequest) -> Result<(), Refusal> {
    if request.key.is_empty() {
        return Err(Refusal::EmptyKey);
    }
    let order = SortOrder::try_from(request.sort_order);
    let target = SortTarget::try_from(request.sort_target);
    if order.is_err() || target.is_err() { Err(Refusal::InvalidSortOption) } else { Ok(()) }
}

pub fn put(request: &PutRequest) -> Result<(), Refusal> {
    if request.key.is_empty() {
        Err(Refusal::EmptyKey)
    } else if request.ignore_value && !request.value.is_empty() {
        Err(Refusal::ValueProvided)
    } else if request.ignore_lease && request.lease != 0 {
        Err(Refusal::LeaseProvided)
    } else {
        Ok(())
    }
}

pub fn delete_range(request: &DeleteRangeRequest) -> Result<(), Refusal> {
    if request.key.is_empty() { Err(Refusal::EmptyKey) } else { Ok(()) }
}

/// `max_ops`: most entries in any of the three lists; a nested transaction has what its parent leaves.
pub fn txn(request: &TxnRequest, max_ops: usize) -> Result<(), Refusal> {
    shape(request, max_ops)?;
    overlap::check(&request.success)?;
    overlap::check(&request.failure)
}

fn shape(request: &TxnRequest, max_ops: usize) -> Result<(), Refusal> {
    let ops = request.compare.len().max(request.success.len()).max(request.failure.len());
    let left = max_ops.checked_sub(ops).ok_or(Refusal::TooManyOps)?;
    if request.compare.iter().any(|guard| guard.key.is_empty()) {
        return Err(Refusal::EmptyKey);
    }
    request.success.iter().chain(&request.failure).try_for_each(|op| operation(op, left))
}

fn operation(op: &RequestOp, max_ops: usize) -> Result<(), Refusal> {
    match &op.request {
        Some(Request::RequestRange(request)) => range(request),
        Some(Request::RequestPut(request)) => put(request),
        Some(Request::RequestDeleteRange(request)) => delete_range(request),
        Some(Request::RequestTxn(request)) => shape(request, max_ops),
        // etcd's own choice of words for an operation that is none.
        None => Err(Refusal::KeyNotFound),
    }
}

/// The transaction changes nothing whatever its guards say, so it needs no entry in the log. One that has nested
/// transactions does not count, even if they only read. Source: contract-semantics 7.2.
pub fn is_read_only(request: &TxnRequest) -> bool {
    ranges(request).all(|range| range.is_some())
}

/// Every range in it is serializable; so is a transaction without operations.
pub fn is_serializable(request: &TxnRequest) -> bool {
    ranges(request).flatten().all(|range| range.serializable)
}

/// Both branches' operations; `None` for what is no range.
fn ranges(request: &TxnRequest) -> impl Iterator<Item = Option<&RangeRequest>> {
    request.success.iter().chain(&request.failure).map(|op| match &op.request {
        Some(Request::RequestRange(range)) => Some(range),
        Some(Request::RequestPut(_) | Request::RequestDeleteRange(_) | Request::RequestTxn(_)) | None => None,
    })
}
