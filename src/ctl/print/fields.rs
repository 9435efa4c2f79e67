//! The format for scripts without JSON: one `"Name" : value` per line, text in Go's quotes.

use std::fmt::{Display, Write as _};

use detcd_proto::etcdserverpb as pb;
use detcd_proto::mvccpb::KeyValue;
use pb::response_op::Response;

use super::{Health, Reply, Unsupported, rows};
use crate::ctl::go;

pub fn render(reply: Reply<'_>, hex: bool) -> Result<Vec<u8>, Unsupported> {
    let mut page = Page { hex, out: String::new() };
    match reply {
        Reply::Put(response) => page.put(response),
        Reply::Get(response) => page.get(response),
        Reply::Del(response) => page.del(response),
        Reply::Txn(response) => page.txn(response),
        Reply::Watch(reply) => {
            page.header(&Some(reply.header));
            for event in reply.events.iter().flatten() {
                page.field("Type", event.r#type().as_str_name());
                page.pairs("Prev", &event.prev_kv);
                page.pair("", &event.kv.clone().unwrap_or_default());
            }
        }
        Reply::Grant(response) => {
            page.header(&response.header);
            page.lease("ID", response.id);
            page.field("TTL", response.ttl);
        }
        Reply::Revoke { response, .. } => page.header(&response.header),
        Reply::KeepAlive(response) => {
            page.header(&response.header);
            page.lease("ID", response.id);
            page.field("TTL", response.ttl);
        }
        Reply::TimeToLive { response, .. } => {
            page.header(&response.header);
            page.lease("ID", response.id);
            page.field("TTL", response.ttl);
            page.field("GrantedTTL", response.granted_ttl);
            for key in &response.keys {
                page.quoted("Key", key);
            }
        }
        Reply::Leases(response) => {
            page.header(&response.header);
            for lease in &response.leases {
                page.lease("ID", lease.id);
            }
        }
        Reply::MemberList(response) => {
            page.header(&response.header);
            for member in &response.members {
                page.member(member);
            }
        }
        Reply::Alarm(response) => {
            page.header(&response.header);
            for alarm in &response.alarms {
                page.id("MemberID", alarm.member_id);
                page.field("AlarmType", rows::alarm_name(alarm.alarm));
                page.out.push('\n');
            }
        }
        Reply::MemberAdd(_)
        | Reply::MemberChange { .. }
        | Reply::MoveLeader { .. }
        | Reply::Downgrade { .. } => {
            return Err(Unsupported("fields not supported as output format"));
        }
        Reply::Auth(reply) => page.auth(reply)?,
        Reply::Health(list) => list.iter().for_each(|health| page.health(health)),
        Reply::Status(list) => list.iter().for_each(|(endpoint, status)| page.status(endpoint, status)),
        Reply::HashKv(list) => {
            for (endpoint, response) in list {
                page.header(&response.header);
                page.quoted("Endpoint", endpoint.as_bytes());
                page.field("Hash", response.hash);
                page.field("HashRevision", response.hash_revision);
                page.out.push('\n');
            }
        }
    }
    Ok(page.out.into_bytes())
}

pub struct Page {
    hex: bool,
    pub out: String,
}

impl Page {
    pub fn field(&mut self, name: &str, value: impl Display) {
        writeln!(self.out, "\"{name}\" : {value}").expect("writing to a String cannot fail");
    }

    pub fn quoted(&mut self, name: &str, value: &[u8]) {
        self.field(name, go::quote(value));
    }

    /// A member's or cluster's ID.
    fn id(&mut self, name: &str, id: u64) {
        if self.hex {
            self.field(name, format_args!("{id:x}"));
        } else {
            self.field(name, id);
        }
    }

    fn lease(&mut self, name: &str, id: i64) {
        if self.hex {
            self.field(name, format_args!("{id:016x}"));
        } else {
            self.field(name, id);
        }
    }

    pub fn header(&mut self, header: &Option<pb::ResponseHeader>) {
        let header = header.unwrap_or_default();
        self.id("ClusterID", header.cluster_id);
        self.id("MemberID", header.member_id);
        if header.revision > 0 {
            self.field("Revision", header.revision);
        }
        self.field("RaftTerm", header.raft_term);
    }

    fn pair(&mut self, prefix: &str, kv: &KeyValue) {
        let name = |field: &str| format!("{prefix}{field}");
        self.quoted(&name("Key"), &kv.key);
        self.field(&name("CreateRevision"), kv.create_revision);
        self.field(&name("ModRevision"), kv.mod_revision);
        self.field(&name("Version"), kv.version);
        self.quoted(&name("Value"), &kv.value);
        self.lease(&name("Lease"), kv.lease);
    }

    fn pairs<'a>(&mut self, prefix: &str, kvs: impl IntoIterator<Item = &'a KeyValue>) {
        kvs.into_iter().for_each(|kv| self.pair(prefix, kv));
    }

    fn put(&mut self, response: &pb::PutResponse) {
        self.header(&response.header);
        self.pairs("Prev", &response.prev_kv);
    }

    fn get(&mut self, response: &pb::RangeResponse) {
        self.header(&response.header);
        self.pairs("", &response.kvs);
        self.field("More", response.more);
        self.field("Count", response.count);
    }

    fn del(&mut self, response: &pb::DeleteRangeResponse) {
        self.header(&response.header);
        self.field("Deleted", response.deleted);
        self.pairs("Prev", &response.prev_kvs);
    }

    fn txn(&mut self, response: &pb::TxnResponse) {
        self.header(&response.header);
        self.field("Succeeded", response.succeeded);
        for op in &response.responses {
            match &op.response {
                Some(Response::ResponseRange(response)) => self.get(response),
                Some(Response::ResponsePut(response)) => self.put(response),
                Some(Response::ResponseDeleteRange(response)) => self.del(response),
                // Nobody can type a nested transaction into etcdctl, so this is only a safety net.
                Some(Response::ResponseTxn(_)) | None => {
                    self.quoted("Unknown", format!("{:?}", op.response).as_bytes());
                }
            }
        }
    }

    fn member(&mut self, member: &pb::Member) {
        self.id("ID", member.id);
        self.quoted("Name", member.name.as_bytes());
        for url in &member.peer_urls {
            self.quoted("PeerURL", url.as_bytes());
        }
        for url in &member.client_urls {
            self.quoted("ClientURL", url.as_bytes());
        }
        self.field("IsLearner", member.is_learner);
        self.out.push('\n');
    }

    fn health(&mut self, health: &Health) {
        self.quoted("Endpoint", health.endpoint.as_bytes());
        self.field("Health", health.is_well());
        self.field("Took", health.took.map(go::format_duration).unwrap_or_default());
        self.field("Error", &health.error);
        self.out.push('\n');
    }

    fn status(&mut self, endpoint: &str, status: &pb::StatusResponse) {
        let downgrade = status.downgrade_info.clone().unwrap_or_default();
        self.header(&status.header);
        self.quoted("Version", status.version.as_bytes());
        self.quoted("StorageVersion", status.storage_version.as_bytes());
        self.field("DBSize", status.db_size);
        self.field("DBSizeInUse", status.db_size_in_use);
        self.field("DBSizeQuota", status.db_size_quota);
        self.field("Leader", status.leader);
        self.field("IsLearner", status.is_learner);
        self.field("RaftIndex", status.raft_index);
        self.field("RaftTerm", status.raft_term);
        self.field("RaftAppliedIndex", status.raft_applied_index);
        self.field("Errors", format_args!("[{}]", status.errors.join(" ")));
        self.quoted("Endpoint", endpoint.as_bytes());
        self.quoted("DowngradeTargetVersion", downgrade.target_version.as_bytes());
        self.field("DowngradeEnabled", downgrade.enabled);
        self.out.push('\n');
    }
}
