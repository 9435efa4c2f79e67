//! Put. Source: contract-semantics 5.
use crate::{
    Refusal, lease,
    query::header,
    store::{Change, Keyspace, Record, Store, Write},
};
use alloc::vec::Vec;
use detcd_proto::etcdserverpb::{PutRequest, PutResponse};

/// [`Refusal::LeaseNotFound`], or [`Refusal::KeyNotFound`] if a flag wants to keep something of a key that is absent.
pub fn apply(
    store: &mut Store,
    leases: &mut lease::Table,
    request: &PutRequest,
) -> Result<(PutResponse, Vec<Change>), Refusal> {
    lease_exists(leases, request)?;
    key_exists(store.keyspace(), request)?;
    let mut write = store.begin();
    let response = execute(&mut write, leases, request);
    Ok((response, write.finish()))
}

pub(super) fn lease_exists(leases: &lease::Table, request: &PutRequest) -> Result<(), Refusal> {
    if request.lease == 0 || leases.exists(request.lease) { Ok(()) } else { Err(Refusal::LeaseNotFound) }
}

/// Only matters to a put that keeps the value or the lease.
pub(super) fn key_exists(keyspace: &Keyspace, request: &PutRequest) -> Result<(), Refusal> {
    if !keeps(request) || keyspace.get(&request.key, 0).is_some() {
        Ok(())
    } else {
        Err(Refusal::KeyNotFound)
    }
}

/// The put says "as it is" of the value or the lease.
pub(super) fn keeps(request: &PutRequest) -> bool {
    request.ignore_value || request.ignore_lease
}

/// The put itself; it was checked.
pub(super) fn execute(write: &mut Write<'_>, leases: &mut lease::Table, request: &PutRequest) -> PutResponse {
    let (key, mut value, mut lease) = (&request.key[..], &request.value[..], request.lease);
    let kept: Record;
    if keeps(request) {
        let found = write.keyspace().get(key, 0).cloned();
        kept = found.expect("it was checked that the key is there");
        if request.ignore_value {
            value = kept.value();
        }
        if request.ignore_lease {
            lease = kept.lease();
        }
    }
    let prev = write.put(key, value, lease);
    let lease_before = prev.as_ref().map_or(0, Record::lease);
    leases.reattach(lease_before, lease, key);
    PutResponse {
        header: header(write.revision()),
        prev_kv: prev.filter(|_| request.prev_kv).map(|prev| prev.to_kv()),
    }
}
