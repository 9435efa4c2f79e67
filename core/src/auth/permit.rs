//! What somebody may do: the one decision. Source: contract-semantics 7.5, 11.5, 11.6.
use super::{
    Principal, Table,
    ranges::{self, Ranges},
    table::{Role, User},
};
use crate::{KeyRange, Refusal, lease};
use alloc::string::String;
use bytes::Bytes;
use detcd_proto::etcdserverpb::{
    DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest, request_op::Request,
};

#[derive(Clone, Copy)]
enum Way {
    Read,
    Write,
}

/// Nothing is asked of anybody while auth is off.
impl Table {
    /// Somebody, whoever it is. [`Refusal::UserEmpty`]
    pub fn permit_known(&self, who: &Principal) -> Result<(), Refusal> {
        if self.is_enabled() && who.is_nobody() { Err(Refusal::UserEmpty) } else { Ok(()) }
    }

    /// Somebody with the role `root`, found out at whatever revision. [`Refusal::UserEmpty`],
    /// [`Refusal::UserNotFound`], [`Refusal::PermissionDenied`]
    pub fn permit_admin(&self, who: &Principal) -> Result<(), Refusal> {
        self.permit_known(who)?;
        if !self.is_enabled() {
            return Ok(());
        }
        let user = self.user(&who.name).ok_or(Refusal::UserNotFound)?;
        if user.is_root() { Ok(()) } else { Err(Refusal::PermissionDenied) }
    }

    /// To see a user's roles.
    pub fn permit_user_get(&self, who: &Principal, name: &str) -> Result<(), Refusal> {
        self.permit_admin(who).or_else(|refusal| if who.name == name { Ok(()) } else { Err(refusal) })
    }

    /// To see a role's permissions.
    pub fn permit_role_get(&self, who: &Principal, role: &str) -> Result<(), Refusal> {
        let holds = |user: &User| user.has_role(role);
        self.permit_admin(who)
            .or_else(|refusal| if self.user(&who.name).is_some_and(holds) { Ok(()) } else { Err(refusal) })
    }

    pub fn permit_range(&self, who: &Principal, request: &RangeRequest) -> Result<(), Refusal> {
        self.permit_read(who, &request.key, &request.range_end)
    }

    pub fn permit_put(
        &self,
        who: &Principal,
        leases: &lease::Table,
        request: &PutRequest,
    ) -> Result<(), Refusal> {
        self.permit(who, Way::Write, &request.key, &Bytes::new())?;
        // Who may not end a lease, because it would end a key of others, may not hang keys on it either.
        self.permit_lease_change(who, leases, request.lease)?;
        if request.prev_kv { self.permit_read(who, &request.key, &Bytes::new()) } else { Ok(()) }
    }

    pub fn permit_delete_range(&self, who: &Principal, request: &DeleteRangeRequest) -> Result<(), Refusal> {
        self.permit(who, Way::Write, &request.key, &request.range_end)?;
        if request.prev_kv { self.permit_read(who, &request.key, &request.range_end) } else { Ok(()) }
    }

    /// Everything it might do, in both branches.
    pub fn permit_txn(
        &self,
        who: &Principal,
        leases: &lease::Table,
        request: &TxnRequest,
    ) -> Result<(), Refusal> {
        if !self.is_enabled() {
            return Ok(());
        }
        request.compare.iter().try_for_each(|guard| self.permit_read(who, &guard.key, &guard.range_end))?;
        let mut operations = request.success.iter().chain(&request.failure);
        operations.try_for_each(|op| self.permit_operation(who, leases, op))
    }

    fn permit_operation(
        &self,
        who: &Principal,
        leases: &lease::Table,
        op: &RequestOp,
    ) -> Result<(), Refusal> {
        match &op.request {
            Some(Request::RequestRange(request)) => self.permit_range(who, request),
            Some(Request::RequestPut(request)) => self.permit_put(who, leases, request),
            Some(Request::RequestDeleteRange(request)) => self.permit_delete_range(who, request),
            Some(Request::RequestTxn(request)) => self.permit_txn(who, leases, request),
            None => Ok(()),
        }
    }

    /// To renew or end a lease, or to hang keys on it. One that is not there is for others to refuse.
    pub fn permit_lease_change(
        &self,
        who: &Principal,
        leases: &lease::Table,
        id: i64,
    ) -> Result<(), Refusal> {
        let Some(lease) = leases.get(id) else { return Ok(()) };
        self.permit_keys(who, Way::Write, lease.keys())
    }

    /// To see which keys hang on a lease.
    pub fn permit_lease_keys<'a>(
        &self,
        who: &Principal,
        keys: impl Iterator<Item = &'a Bytes>,
    ) -> Result<(), Refusal> {
        self.permit_keys(who, Way::Read, keys)
    }

    fn permit_keys<'a>(
        &self,
        who: &Principal,
        way: Way,
        mut keys: impl Iterator<Item = &'a Bytes>,
    ) -> Result<(), Refusal> {
        if self.permit_admin(who).is_ok() {
            return Ok(());
        }
        keys.try_for_each(|key| self.permit(who, way, key, &Bytes::new()))
    }

    pub fn permit_read(&self, who: &Principal, key: &Bytes, range_end: &Bytes) -> Result<(), Refusal> {
        self.permit(who, Way::Read, key, range_end)
    }

    fn permit(&self, who: &Principal, way: Way, key: &Bytes, range_end: &Bytes) -> Result<(), Refusal> {
        if !self.is_enabled() {
            return Ok(());
        }
        if who.revision == 0 {
            return Err(Refusal::UserEmpty);
        }
        if who.revision < self.revision() {
            return Err(Refusal::AuthOldRevision);
        }
        let user = self.user(&who.name).ok_or(Refusal::PermissionDenied)?;
        if user.is_root() {
            return Ok(());
        }
        let wanted = KeyRange::new(key.clone(), range_end.clone());
        let granted = |role: &'_ String| self.role(role).map(|role| role.granted(way));
        let sets = || user.roles().iter().filter_map(granted);
        if ranges::cover(sets, &wanted) { Ok(()) } else { Err(Refusal::PermissionDenied) }
    }
}

impl Role {
    fn granted(&self, way: Way) -> &Ranges {
        match way {
            Way::Read => &self.read,
            Way::Write => &self.write,
        }
    }
}
