//! DeleteRange. Source: contract-semantics 6.
use crate::{
    KeyRange, lease,
    query::header,
    store::{Change, Record, Store, Write},
};
use alloc::vec::Vec;
use detcd_proto::etcdserverpb::{DeleteRangeRequest, DeleteRangeResponse};

/// Deletes what is there; that it is nothing is no error and takes no revision.
pub fn apply(
    store: &mut Store,
    leases: &mut lease::Table,
    request: &DeleteRangeRequest,
) -> (DeleteRangeResponse, Vec<Change>) {
    let mut write = store.begin();
    let response = execute(&mut write, leases, request);
    (response, write.finish())
}

pub(super) fn execute(
    write: &mut Write<'_>,
    leases: &mut lease::Table,
    request: &DeleteRangeRequest,
) -> DeleteRangeResponse {
    let deleted = write.delete_range(&KeyRange::new(request.key.clone(), request.range_end.clone()));
    for record in deleted.iter().filter(|record| record.lease() != 0) {
        leases.detach(record.lease(), record.key());
    }
    DeleteRangeResponse {
        header: header(write.revision()),
        deleted: deleted.len() as i64,
        prev_kvs: if request.prev_kv { deleted.iter().map(Record::to_kv).collect() } else { Vec::new() },
    }
}
