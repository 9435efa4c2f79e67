//! Leases come and go through the log. Source: contract-semantics 10.1, 10.2.
use super::State;
use crate::{Refusal, store::Change};
use alloc::vec::Vec;
use detcd_proto::etcdserverpb::{
    LeaseCheckpointRequest, LeaseGrantRequest, LeaseGrantResponse, LeaseRevokeResponse,
};

/// In seconds.
const TTL_MAX: i64 = 9_000_000_000;

impl State {
    /// Whoever proposed it has chosen the id.
    pub(super) fn grant(&mut self, request: LeaseGrantRequest) -> Result<LeaseGrantResponse, Refusal> {
        if request.ttl > TTL_MAX {
            return Err(Refusal::LeaseTTLTooLarge);
        }
        if request.id == 0 {
            return Err(Refusal::LeaseNotFound);
        }
        let ttl = request.ttl.max(self.lease_ttl_min);
        if !self.leases.grant(request.id, ttl) {
            return Err(Refusal::LeaseExist);
        }
        Ok(LeaseGrantResponse { header: self.header(), id: request.id, ttl, error: Default::default() })
    }

    /// Notes how long leases had left, and says which. Those that are gone by now are passed over.
    pub(super) fn checkpoint(&mut self, request: &LeaseCheckpointRequest) -> Vec<i64> {
        for checkpoint in &request.checkpoints {
            self.leases.checkpoint(checkpoint.id, checkpoint.remaining_ttl);
        }
        request.checkpoints.iter().map(|checkpoint| checkpoint.id).collect()
    }

    /// Deletes the keys that hang on the lease, all in one revision, and then the lease.
    pub(super) fn revoke(
        &mut self,
        id: i64,
        changes: &mut Vec<Change>,
    ) -> Result<LeaseRevokeResponse, Refusal> {
        let lease = self.leases.revoke(id).ok_or(Refusal::LeaseNotFound)?;
        let mut write = self.store.begin();
        for key in lease.keys() {
            write.delete(key);
        }
        changes.extend(write.finish());
        Ok(LeaseRevokeResponse { header: self.header() })
    }
}
