//! JSON as Go's encoding/json writes the Go structs: fields in the order of the messages, zero fields left out, bytes
//! in base64, numbers and enums as numbers.

use detcd_proto::etcdserverpb as pb;
use detcd_proto::mvccpb::{Event, KeyValue};
use pb::response_op::Response;

use super::{Health, Reply};
use crate::ctl::client::WatchReply;
use crate::ctl::go;

mod writer;

pub use writer::Object;
use writer::{array, null, object};

pub fn render(reply: Reply<'_>, hex: bool) -> Vec<u8> {
    let mut out = Vec::new();
    match reply {
        Reply::Put(response) => object(&mut out, |o| put(o, response)),
        Reply::Get(response) => object(&mut out, |o| range(o, response)),
        Reply::Del(response) => object(&mut out, |o| delete(o, response)),
        Reply::Txn(response) => object(&mut out, |o| txn(o, response)),
        Reply::Watch(reply) => object(&mut out, |o| watch(o, reply)),
        Reply::Grant(response) => object(&mut out, |o| {
            header(o, response.header.as_ref());
            o.always("ID", response.id);
            o.always("TTL", response.ttl);
            o.always_text("Error", &response.error);
        }),
        Reply::Revoke { response, .. } => object(&mut out, |o| headed(o, response.header.as_ref())),
        Reply::KeepAlive(response) => object(&mut out, |o| {
            header(o, response.header.as_ref());
            o.always("ID", response.id);
            o.always("TTL", response.ttl);
        }),
        Reply::TimeToLive { response, .. } => object(&mut out, |o| {
            header(o, response.header.as_ref());
            o.always("id", response.id);
            o.always("ttl", response.ttl);
            o.always("granted-ttl", response.granted_ttl);
            match response.keys.as_slice() {
                [] => o.field("keys", null),
                keys => o.field("keys", |out| array(out, keys, |out, key| writer::base64(out, key))),
            }
        }),
        Reply::Leases(response) => object(&mut out, |o| {
            header(o, response.header.as_ref());
            o.field("leases", |out| {
                array(out, &response.leases, |out, lease| object(out, |o| o.always("id", lease.id)));
            });
        }),
        Reply::MemberList(response) => object(&mut out, |o| members(o, response, hex)),
        Reply::MemberAdd(response) => object(&mut out, |o| {
            headed(o, response.header.as_ref());
            if let Some(added) = &response.member {
                o.object("member", |o| member(o, added));
            }
            o.list("members", &response.members, member);
        }),
        Reply::MemberChange { response, .. } => object(&mut out, |o| members(o, response, false)),
        Reply::Alarm(response) => object(&mut out, |o| {
            headed(o, response.header.as_ref());
            o.list("alarms", &response.alarms, |o, alarm| {
                o.number("memberID", alarm.member_id);
                o.number("alarm", alarm.alarm);
            });
        }),
        Reply::MoveLeader { response, .. } => {
            object(&mut out, |o| headed(o, response.header.as_ref()));
        }
        Reply::Downgrade { response, .. } => object(&mut out, |o| {
            headed(o, response.header.as_ref());
            o.text("version", &response.version);
        }),
        Reply::Auth(reply) => object(&mut out, |o| super::auth::json(o, reply)),
        Reply::Health(list) => each(&mut out, list, health),
        Reply::Status(list) => each(&mut out, list, |o, (endpoint, response)| {
            o.always_text("Endpoint", endpoint);
            o.object("Status", |o| status(o, response));
        }),
        Reply::HashKv(list) => each(&mut out, list, |o, (endpoint, response)| {
            o.always_text("Endpoint", endpoint);
            o.object("HashKV", |o| {
                headed(o, response.header.as_ref());
                o.number("hash", response.hash);
                o.number("compact_revision", response.compact_revision);
                o.number("hash_revision", response.hash_revision);
            });
        }),
    }
    out.push(b'\n');
    out
}

/// A list on its own: Go's empty list that nothing was ever put into is `null`.
fn each<T>(out: &mut Vec<u8>, list: &[T], write: impl Fn(&mut Object<'_>, &T)) {
    if list.is_empty() {
        null(out);
    } else {
        array(out, list, |out, item| object(out, |o| write(o, item)));
    }
}

/// The header's fields, where they stand among a reply's own.
fn header(o: &mut Object<'_>, header: Option<&pb::ResponseHeader>) {
    let Some(header) = header else { return };
    o.number("cluster_id", header.cluster_id);
    o.number("member_id", header.member_id);
    o.number("revision", header.revision);
    o.number("raft_term", header.raft_term);
}

/// The header as a field.
pub fn headed(o: &mut Object<'_>, response_header: Option<&pb::ResponseHeader>) {
    if response_header.is_some() {
        o.object("header", |o| header(o, response_header));
    }
}

fn pair(o: &mut Object<'_>, kv: &KeyValue) {
    o.bytes("key", &kv.key);
    o.number("create_revision", kv.create_revision);
    o.number("mod_revision", kv.mod_revision);
    o.number("version", kv.version);
    o.bytes("value", &kv.value);
    o.number("lease", kv.lease);
}

fn put(o: &mut Object<'_>, response: &pb::PutResponse) {
    headed(o, response.header.as_ref());
    if let Some(kv) = &response.prev_kv {
        o.object("prev_kv", |o| pair(o, kv));
    }
}

fn range(o: &mut Object<'_>, response: &pb::RangeResponse) {
    headed(o, response.header.as_ref());
    o.list("kvs", &response.kvs, pair);
    o.flag("more", response.more);
    o.number("count", response.count);
}

fn delete(o: &mut Object<'_>, response: &pb::DeleteRangeResponse) {
    headed(o, response.header.as_ref());
    o.number("deleted", response.deleted);
    o.list("prev_kvs", &response.prev_kvs, pair);
}

fn txn(o: &mut Object<'_>, response: &pb::TxnResponse) {
    headed(o, response.header.as_ref());
    o.flag("succeeded", response.succeeded);
    o.list("responses", &response.responses, |o, op| {
        o.field("Response", |out| match &op.response {
            Some(Response::ResponseRange(r)) => object(out, |o| o.object("response_range", |o| range(o, r))),
            Some(Response::ResponsePut(r)) => object(out, |o| o.object("response_put", |o| put(o, r))),
            Some(Response::ResponseDeleteRange(r)) => {
                object(out, |o| o.object("response_delete_range", |o| delete(o, r)));
            }
            Some(Response::ResponseTxn(r)) => object(out, |o| o.object("response_txn", |o| txn(o, r))),
            None => null(out),
        });
    });
}

fn event(o: &mut Object<'_>, event: &Event) {
    o.number("type", event.r#type);
    if let Some(kv) = &event.kv {
        o.object("kv", |o| pair(o, kv));
    }
    if let Some(kv) = &event.prev_kv {
        o.object("prev_kv", |o| pair(o, kv));
    }
}

/// This struct of Go's client has no JSON names of its own, hence the capitals and the zero fields.
fn watch(o: &mut Object<'_>, reply: &WatchReply) {
    o.object("Header", |o| header(o, Some(&reply.header)));
    match &reply.events {
        Some(events) => {
            o.field("Events", |out| array(out, events, |out, item| object(out, |o| event(o, item))));
        }
        None => o.field("Events", null),
    }
    o.always("CompactRevision", reply.compact_revision);
    o.always("Canceled", reply.canceled);
    o.always("Created", false);
}

fn members(o: &mut Object<'_>, response: &pb::MemberListResponse, hex: bool) {
    if hex {
        o.object("header", |o| {
            let header = response.header.unwrap_or_default();
            o.always_text("cluster_id", &format!("{:x}", header.cluster_id));
            o.always_text("member_id", &format!("{:x}", header.member_id));
            o.number("revision", header.revision);
            o.number("raft_term", header.raft_term);
        });
    } else {
        headed(o, response.header.as_ref());
    }
    o.list("members", &response.members, |o, listed| {
        if hex {
            o.always_text("ID", &format!("{:x}", listed.id));
        } else {
            o.number("ID", listed.id);
        }
        described(o, listed);
    });
}

fn member(o: &mut Object<'_>, member: &pb::Member) {
    o.number("ID", member.id);
    described(o, member);
}

fn described(o: &mut Object<'_>, member: &pb::Member) {
    o.text("name", &member.name);
    o.texts("peerURLs", &member.peer_urls);
    o.texts("clientURLs", &member.client_urls);
    o.flag("isLearner", member.is_learner);
}

fn health(o: &mut Object<'_>, health: &Health) {
    o.always_text("endpoint", &health.endpoint);
    o.always("health", health.is_well());
    o.always_text("took", &health.took.map(go::format_duration).unwrap_or_default());
    o.text("error", &health.error);
}

fn status(o: &mut Object<'_>, status: &pb::StatusResponse) {
    headed(o, status.header.as_ref());
    o.text("version", &status.version);
    o.number("dbSize", status.db_size);
    o.number("leader", status.leader);
    o.number("raftIndex", status.raft_index);
    o.number("raftTerm", status.raft_term);
    o.number("raftAppliedIndex", status.raft_applied_index);
    o.texts("errors", &status.errors);
    o.number("dbSizeInUse", status.db_size_in_use);
    o.flag("isLearner", status.is_learner);
    o.text("storageVersion", &status.storage_version);
    o.number("dbSizeQuota", status.db_size_quota);
    if let Some(info) = &status.downgrade_info {
        o.object("downgradeInfo", |o| {
            o.flag("enabled", info.enabled);
            o.text("targetVersion", &info.target_version);
        });
    }
}
