//! How much space a request may take, and how much there is. Source: contract-semantics 0, 7.1, 13.3.
use detcd_proto::etcdserverpb::{PutRequest, RequestOp, TxnRequest, request_op::Request};

/// What 0 in the configuration means.
const DEFAULT: i64 = 2 * 1024 * 1024 * 1024;
/// What a put costs besides its key and value.
const PUT_OVERHEAD: i64 = 256;
pub const GRANT_COST: i64 = 64;

/// The space there is, in bytes; negative if there is no limit.
pub fn effective(configured: i64) -> i64 {
    if configured == 0 { DEFAULT } else { configured }
}

/// What the keyspace would take as a file of etcd's, in bytes: whole pages, and four of them when it is empty. Never
/// zero: etcdctl divides by it.
pub fn image_bytes(used: u64) -> i64 {
    const PAGE: u64 = 4096;
    const PAGES_MIN: u64 = 4;
    let pages = used.div_ceil(PAGE).saturating_add(PAGES_MIN);
    i64::try_from(pages.saturating_mul(PAGE)).unwrap_or(i64::MAX)
}

/// Whether something of this cost still fits. What costs nothing always does.
pub fn available(used: u64, cost: i64, configured: i64) -> bool {
    let quota = effective(configured);
    cost == 0 || quota < 0 || i64::try_from(used).unwrap_or(i64::MAX).saturating_add(cost) < quota
}

pub fn put_cost(request: &PutRequest) -> i64 {
    PUT_OVERHEAD + request.key.len() as i64 + request.value.len() as i64
}

/// The dearer of the two branches.
pub fn txn_cost(request: &TxnRequest) -> i64 {
    branch_cost(&request.success).max(branch_cost(&request.failure))
}

fn branch_cost(branch: &[RequestOp]) -> i64 {
    branch
        .iter()
        .map(|op| match &op.request {
            Some(Request::RequestPut(put)) => put_cost(put),
            Some(Request::RequestTxn(txn)) => txn_cost(txn),
            Some(Request::RequestRange(_) | Request::RequestDeleteRange(_)) | None => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn put(key: &'static [u8], value: &'static [u8]) -> PutRequest {
        PutRequest { key: key.into(), value: value.into(), ..Default::default() }
    }

    #[test]
    fn a_txn_costs_its_dearer_branch_with_nested_ones() {
        let op = |request| RequestOp { request: Some(request) };
        let nested =
            TxnRequest { failure: vec![op(Request::RequestPut(put(b"a", b"bc")))], ..Default::default() };
        let txn = TxnRequest {
            success: vec![op(Request::RequestTxn(nested)), op(Request::RequestPut(put(b"k", b"")))],
            failure: vec![op(Request::RequestPut(put(b"key", b"value")))],
            ..Default::default()
        };
        assert_eq!(txn_cost(&txn), 259 + 257);
        assert_eq!(txn_cost(&TxnRequest::default()), 0);
    }

    #[test]
    fn what_would_reach_the_quota_does_not_fit() {
        assert!(available(99, 0, 100), "what is free always fits");
        assert!(available(89, 10, 100));
        assert!(!available(90, 10, 100));
        assert!(available(1 << 40, 10, -1), "no limit");
        assert!(!available(DEFAULT as u64, 1, 0), "0 is the default limit");
    }
}
