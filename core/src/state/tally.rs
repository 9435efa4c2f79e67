//! What one member has carried out since it started, counted for people. Nothing decides by it, nothing stores it, and
//! members need not agree on it. Source: contract-metrics 1, 4 and 6.
use detcd_proto::etcdserverpb::{
    DeleteRangeRequest, InternalRaftRequest, PutRequest, TxnRequest, TxnResponse, request_op::Request,
    response_op::Response,
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Reads of the keyspace that changes made on their way: previous pairs, comparisons, reads in transactions.
    pub ranges: u64,
    pub puts: u64,
    /// Keys and values of all puts, in bytes.
    pub put_bytes: u64,
    /// Deletions, of one key or of many.
    pub deletes: u64,
    /// Changes of more than one operation.
    pub txns: u64,
    pub leases_granted: u64,
    pub leases_revoked: u64,
    /// Of those revoked, the ones whose time had run out, counted by the leader.
    pub leases_expired: u64,
    /// Granted leases by TTL: the last bucket whose bound of 2^n seconds it fits, and whatever is longer.
    pub lease_ttls: [u64; LEASE_TTL_BOUNDS + 1],
    pub lease_ttl_secs: u64,
    /// Entries applied by kind, those that failed and those that did not.
    pub applied: [[u64; 2]; OPERATIONS.len()],
    /// Records that compactions have removed.
    pub compacted_records: u64,
}

/// Bounds of the buckets of granted TTLs: 1, 2, 4 … seconds.
pub const LEASE_TTL_BOUNDS: usize = 24;

macro_rules! operations {
    ($($field:ident $name:literal)*) => {
        /// Kinds of entries, by the names that etcd gives them.
        pub const OPERATIONS: &[&str] = &[$($name),*];

        /// The place of a request's kind in [`OPERATIONS`].
        pub fn operation(request: &InternalRaftRequest) -> Option<usize> {
            [$(request.$field.is_some()),*].iter().position(|is_set| *is_set)
        }
    };
}

operations! {
    put "Put"
    txn "Txn"
    delete_range "DeleteRange"
    compaction "Compaction"
    lease_grant "LeaseGrant"
    lease_revoke "LeaseRevoke"
    lease_checkpoint "LeaseCheckpoint"
    alarm "Alarm"
    authenticate "Authenticate"
    auth_enable "AuthEnable"
    auth_disable "AuthDisable"
    auth_status "unknown"
    auth_user_add "AuthUserAdd"
    auth_user_delete "AuthUserDelete"
    auth_user_get "AuthUserGet"
    auth_user_change_password "AuthUserChangePassword"
    auth_user_grant_role "AuthUserGrantRole"
    auth_user_revoke_role "AuthUserRevokeRole"
    auth_user_list "AuthUserList"
    auth_role_list "AuthRoleList"
    auth_role_add "AuthRoleAdd"
    auth_role_delete "AuthRoleDelete"
    auth_role_get "AuthRoleGet"
    auth_role_grant_permission "AuthRoleGrantPermission"
    auth_role_revoke_permission "AuthRoleRevokePermission"
    cluster_version_set "ClusterVersionSet"
    cluster_member_attr_set "ClusterMemberAttrSet"
    downgrade_info_set "DowngradeInfoSet"
}

/// An entry that is being applied.
pub struct Begun {
    operation: Option<usize>,
    operations_before: u64,
}

impl Tally {
    pub fn begin(&self, request: &InternalRaftRequest) -> Begun {
        Begun { operation: operation(request), operations_before: self.operations() }
    }

    pub fn end(&mut self, begun: &Begun, is_ok: bool) {
        if let Some(counts) = begun.operation.and_then(|operation| self.applied.get_mut(operation)) {
            let [failed, succeeded] = counts;
            *(if is_ok { succeeded } else { failed }) += 1;
        }
        if self.operations() - begun.operations_before > 1 {
            self.txns += 1;
        }
    }

    fn operations(&self) -> u64 {
        self.ranges + self.puts + self.deletes
    }

    pub fn put(&mut self, request: &PutRequest) {
        self.puts += 1;
        self.put_bytes += (request.key.len() + request.value.len()) as u64;
        self.ranges += u64::from(request.prev_kv || request.ignore_value || request.ignore_lease);
    }

    pub fn delete(&mut self, request: &DeleteRangeRequest) {
        self.deletes += 1;
        self.ranges += u64::from(request.prev_kv);
    }

    pub fn txn(&mut self, request: &TxnRequest, response: &TxnResponse) {
        self.ranges += request.compare.len() as u64;
        let branch = if response.succeeded { &request.success } else { &request.failure };
        for (asked, answered) in branch.iter().zip(&response.responses) {
            match (&asked.request, &answered.response) {
                (Some(Request::RequestRange(_)), _) => self.ranges += 1,
                (Some(Request::RequestPut(put)), _) => self.put(put),
                (Some(Request::RequestDeleteRange(delete)), _) => self.delete(delete),
                (Some(Request::RequestTxn(asked)), Some(Response::ResponseTxn(answered))) => {
                    self.txn(asked, answered);
                }
                (Some(Request::RequestTxn(_)) | None, _) => {}
            }
        }
    }

    pub fn granted(&mut self, ttl: i64) {
        self.leases_granted += 1;
        let ttl = ttl.max(0).unsigned_abs();
        self.lease_ttl_secs += ttl;
        let bucket = (0..LEASE_TTL_BOUNDS).position(|at| ttl <= 1 << at).unwrap_or(LEASE_TTL_BOUNDS);
        if let Some(count) = self.lease_ttls.get_mut(bucket) {
            *count += 1;
        }
    }

    /// `deleted` is the number of keys that went with it.
    pub fn revoked(&mut self, deleted: usize) {
        self.leases_revoked += 1;
        self.deletes += deleted as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use detcd_proto::etcdserverpb::{Compare, RangeRequest, RequestOp, ResponseOp};

    #[test]
    fn a_transaction_is_counted_by_the_branch_that_was_taken() {
        let op = |request| RequestOp { request: Some(request) };
        let put =
            PutRequest { key: b"ab"[..].into(), value: b"c"[..].into(), prev_kv: true, ..Default::default() };
        let inner = TxnRequest {
            failure: vec![op(Request::RequestDeleteRange(DeleteRangeRequest::default()))],
            ..Default::default()
        };
        let request = TxnRequest {
            compare: vec![Compare::default()],
            success: vec![
                op(Request::RequestPut(put)),
                op(Request::RequestRange(RangeRequest::default())),
                op(Request::RequestTxn(inner)),
            ],
            failure: vec![op(Request::RequestRange(RangeRequest::default()))],
        };
        let deleted = TxnResponse { responses: vec![ResponseOp::default()], ..Default::default() };
        let nested = ResponseOp { response: Some(Response::ResponseTxn(deleted)) };
        let response = TxnResponse {
            succeeded: true,
            responses: vec![ResponseOp::default(), ResponseOp::default(), nested],
            ..Default::default()
        };
        let mut tally = Tally::default();
        let entry = InternalRaftRequest { txn: Some(request.clone()), ..Default::default() };
        let begun = tally.begin(&entry);
        tally.txn(&request, &response);
        tally.end(&begun, true);
        // The comparison, the pair before the put, and the read.
        assert_eq!((tally.ranges, tally.puts, tally.put_bytes, tally.deletes, tally.txns), (3, 1, 3, 1, 1));
        assert_eq!(tally.applied.iter().flatten().sum::<u64>(), 1);
    }

    #[test]
    fn leases_fall_into_buckets_by_their_length() {
        let mut tally = Tally::default();
        for ttl in [1, 2, 3, 9_000_000_000] {
            tally.granted(ttl);
        }
        assert_eq!((tally.lease_ttls[0], tally.lease_ttls[1], tally.lease_ttls[2]), (1, 1, 1));
        assert_eq!((tally.lease_ttls[LEASE_TTL_BOUNDS], tally.leases_granted), (1, 4));
    }
}
