//! Between the words of a recorded history and etcd's messages.
use detcd_core::Refusal;
use detcd_jepsen_like::history::{
    Compare, CompareResult, CompareTarget, DeleteRequest, DeleteResponse, KeyValue, Outcome, PutRequest,
    PutResponse, RangeRequest, RangeResponse, Request, Response, TxnRequest, TxnResponse,
};
use detcd_proto::{
    etcdserverpb::{self as pb, compare, request_op, response_op},
    mvccpb,
};

pub fn range(request: &RangeRequest) -> pb::RangeRequest {
    pb::RangeRequest {
        key: request.key.clone().into(),
        range_end: request.range_end.clone().into(),
        limit: request.limit,
        revision: request.revision,
        serializable: request.serializable,
        keys_only: request.keys_only,
        count_only: request.count_only,
        ..pb::RangeRequest::default()
    }
}

pub fn put(request: &PutRequest) -> pb::PutRequest {
    pb::PutRequest {
        key: request.key.clone().into(),
        value: request.value.clone().into(),
        lease: request.lease,
        prev_kv: request.prev_kv,
        ignore_value: request.ignore_value,
        ignore_lease: request.ignore_lease,
    }
}

pub fn delete(request: &DeleteRequest) -> pb::DeleteRangeRequest {
    pb::DeleteRangeRequest {
        key: request.key.clone().into(),
        range_end: request.range_end.clone().into(),
        prev_kv: request.prev_kv,
    }
}

pub fn txn(request: &TxnRequest) -> pb::TxnRequest {
    pb::TxnRequest {
        compare: request.compares.iter().map(compare).collect(),
        success: request.success.iter().map(op).collect(),
        failure: request.failure.iter().map(op).collect(),
    }
}

fn compare(compare: &Compare) -> pb::Compare {
    use compare::{CompareResult as Relation, CompareTarget as Target, TargetUnion};
    let (target, union) = match &compare.target {
        CompareTarget::Version(version) => (Target::Version, TargetUnion::Version(*version)),
        CompareTarget::CreateRevision(revision) => (Target::Create, TargetUnion::CreateRevision(*revision)),
        CompareTarget::ModRevision(revision) => (Target::Mod, TargetUnion::ModRevision(*revision)),
        CompareTarget::Value(value) => (Target::Value, TargetUnion::Value(value.clone().into())),
        CompareTarget::Lease(lease) => (Target::Lease, TargetUnion::Lease(*lease)),
    };
    let relation = match compare.result {
        CompareResult::Equal => Relation::Equal,
        CompareResult::Greater => Relation::Greater,
        CompareResult::Less => Relation::Less,
        CompareResult::NotEqual => Relation::NotEqual,
    };
    pb::Compare {
        result: relation.into(),
        target: target.into(),
        key: compare.key.clone().into(),
        range_end: compare.range_end.clone().into(),
        target_union: Some(union),
    }
}

/// # Panics
/// For a request that no transaction can hold.
fn op(request: &Request) -> pb::RequestOp {
    use request_op::Request as Op;
    let op = match request {
        Request::Range(request) => Op::RequestRange(range(request)),
        Request::Put(request) => Op::RequestPut(put(request)),
        Request::Delete(request) => Op::RequestDeleteRange(delete(request)),
        Request::Txn(request) => Op::RequestTxn(txn(request)),
        Request::Compact { .. } | Request::LeaseGrant { .. } | Request::LeaseRevoke { .. } => {
            unreachable!("no workload puts {request:?} into a transaction")
        }
    };
    pb::RequestOp { request: Some(op) }
}

fn revision(header: Option<&pb::ResponseHeader>) -> i64 {
    header.map_or(0, |header| header.revision)
}

fn key_value(kv: mvccpb::KeyValue) -> KeyValue {
    KeyValue {
        key: kv.key.to_vec(),
        value: kv.value.to_vec(),
        create_revision: kv.create_revision,
        mod_revision: kv.mod_revision,
        version: kv.version,
        lease: kv.lease,
    }
}

pub fn ranged(response: pb::RangeResponse) -> Response {
    Response::Range(RangeResponse {
        revision: revision(response.header.as_ref()),
        kvs: response.kvs.into_iter().map(key_value).collect(),
        more: response.more,
        count: response.count,
    })
}

pub fn was_put(response: pb::PutResponse) -> Response {
    Response::Put(PutResponse {
        revision: revision(response.header.as_ref()),
        prev_kv: response.prev_kv.map(key_value),
    })
}

pub fn deleted(response: pb::DeleteRangeResponse) -> Response {
    Response::Delete(DeleteResponse {
        revision: revision(response.header.as_ref()),
        deleted: response.deleted,
        prev_kvs: response.prev_kvs.into_iter().map(key_value).collect(),
    })
}

pub fn was_txn(response: pb::TxnResponse) -> Response {
    Response::Txn(TxnResponse {
        revision: revision(response.header.as_ref()),
        succeeded: response.succeeded,
        responses: response.responses.into_iter().filter_map(|op| op.response).map(op_response).collect(),
    })
}

fn op_response(response: response_op::Response) -> Response {
    use response_op::Response as Op;
    match response {
        Op::ResponseRange(response) => ranged(response),
        Op::ResponsePut(response) => was_put(response),
        Op::ResponseDeleteRange(response) => deleted(response),
        Op::ResponseTxn(response) => was_txn(response),
    }
}

pub fn compacted(response: &pb::CompactionResponse) -> Response {
    Response::Compact { revision: revision(response.header.as_ref()) }
}

pub fn granted(response: &pb::LeaseGrantResponse) -> Response {
    Response::LeaseGrant { revision: revision(response.header.as_ref()), id: response.id, ttl: response.ttl }
}

pub fn revoked(response: &pb::LeaseRevokeResponse) -> Response {
    Response::LeaseRevoke { revision: revision(response.header.as_ref()) }
}

/// What a refusal means for the fate of the request.
pub fn refused(refusal: &Refusal) -> Outcome {
    Outcome::from_error(&refusal.to_string())
}
