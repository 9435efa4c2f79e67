//! The format for people: keys and values on lines of their own, sentences for the rest.

use std::fmt::Write as _;

use detcd_proto::etcdserverpb as pb;
use detcd_proto::mvccpb::KeyValue;
use pb::response_op::Response;

use super::{MemberChange, Reply, Text, rows};
use crate::ctl::go;

pub fn render(reply: Reply<'_>, hex: bool, value_only: bool) -> Text {
    let mut page = Page { hex, value_only, text: Text::default() };
    match reply {
        Reply::Put(response) => page.put(response),
        Reply::Get(response) => page.get(response),
        Reply::Del(response) => page.del(response),
        Reply::Txn(response) => page.txn(response),
        Reply::Watch(reply) => {
            for event in reply.events.iter().flatten() {
                page.line(format_args!("{}", event.r#type().as_str_name()));
                page.pairs(event.prev_kv.as_ref());
                page.pair(&event.kv.clone().unwrap_or_default());
            }
        }
        Reply::Grant(response) => {
            page.line(format_args!("lease {:016x} granted with TTL({}s)", response.id, response.ttl));
        }
        Reply::Revoke { id, .. } => page.line(format_args!("lease {id:016x} revoked")),
        Reply::KeepAlive(response) => {
            page.line(format_args!("lease {:016x} keepalived with TTL({})", response.id, response.ttl));
        }
        Reply::TimeToLive { response, with_keys } => page.time_to_live(response, with_keys),
        Reply::Leases(response) => {
            page.line(format_args!("found {} leases", response.leases.len()));
            for lease in &response.leases {
                page.line(format_args!("{:016x}", lease.id));
            }
        }
        Reply::MemberList(response) => page.rows(rows::members(response)),
        Reply::MemberAdd(response) => {
            let member = response.member.clone().unwrap_or_default();
            let role = if member.is_learner { " as learner" } else { "" };
            let cluster = response.header.unwrap_or_default().cluster_id;
            page.line(format_args!("Member {:16x} added{role} to cluster {cluster:16x}", member.id));
        }
        Reply::MemberChange { change, id, response } => {
            let done = match change {
                MemberChange::Removed => "removed from",
                MemberChange::Updated => "updated in",
                MemberChange::Promoted => "promoted in",
            };
            let cluster = response.header.unwrap_or_default().cluster_id;
            page.line(format_args!("Member {id:16x} {done} cluster {cluster:16x}"));
        }
        Reply::Alarm(response) => {
            for alarm in &response.alarms {
                page.alarm(alarm);
            }
        }
        Reply::Auth(reply) => page.auth(reply),
        Reply::Health(list) => page.health(list),
        Reply::Status(list) => page.rows(rows::status(list)),
        Reply::HashKv(list) => page.rows(rows::hash_kv(list)),
        Reply::MoveLeader { leader, target, .. } => {
            page.line(format_args!("Leadership transferred from {leader:x} to {target:x}"));
        }
        Reply::Downgrade { action, response } => {
            page.line(format_args!("Downgrade {action} success, cluster version {}", response.version));
        }
    }
    page.text
}

pub struct Page {
    hex: bool,
    value_only: bool,
    text: Text,
}

impl Page {
    pub fn line(&mut self, text: std::fmt::Arguments<'_>) {
        push_line(&mut self.text.out, text);
    }

    pub fn raw_line(&mut self, bytes: &[u8]) {
        self.text.out.extend_from_slice(bytes);
        self.text.out.push(b'\n');
    }

    fn pair(&mut self, kv: &KeyValue) {
        for (bytes, wanted) in [(&kv.key, !self.value_only), (&kv.value, true)] {
            if wanted && self.hex {
                self.raw_line(escape_hex(bytes).as_bytes());
            } else if wanted {
                self.raw_line(bytes);
            }
        }
    }

    fn pairs<'a>(&mut self, kvs: impl IntoIterator<Item = &'a KeyValue>) {
        kvs.into_iter().for_each(|kv| self.pair(kv));
    }

    fn put(&mut self, response: &pb::PutResponse) {
        self.line(format_args!("OK"));
        self.pairs(&response.prev_kv);
    }

    fn get(&mut self, response: &pb::RangeResponse) {
        self.pairs(&response.kvs);
    }

    fn del(&mut self, response: &pb::DeleteRangeResponse) {
        self.line(format_args!("{}", response.deleted));
        self.pairs(&response.prev_kvs);
    }

    fn txn(&mut self, response: &pb::TxnResponse) {
        self.line(format_args!("{}", if response.succeeded { "SUCCESS" } else { "FAILURE" }));
        for op in &response.responses {
            self.line(format_args!(""));
            match &op.response {
                Some(Response::ResponseRange(response)) => self.get(response),
                Some(Response::ResponsePut(response)) => self.put(response),
                Some(Response::ResponseDeleteRange(response)) => self.del(response),
                // Nobody can type a nested transaction into etcdctl, so this is only a safety net.
                Some(Response::ResponseTxn(_)) | None => {
                    self.line(format_args!("unexpected response {op:?}"))
                }
            }
        }
    }

    fn time_to_live(&mut self, response: &pb::LeaseTimeToLiveResponse, with_keys: bool) {
        if response.granted_ttl == 0 && response.ttl == -1 {
            self.line(format_args!("lease {:016x} already expired", response.id));
            return;
        }
        let (granted, left) = (response.granted_ttl, response.ttl);
        let text = format!("lease {:016x} granted with TTL({granted}s), remaining({left}s)", response.id);
        self.text.out.extend_from_slice(text.as_bytes());
        if with_keys {
            let keys: Vec<&[u8]> = response.keys.iter().map(AsRef::as_ref).collect();
            self.text.out.extend_from_slice(b", attached keys([");
            self.text.out.extend_from_slice(&keys.join(&b' '));
            self.text.out.extend_from_slice(b"])");
        }
        self.text.out.push(b'\n');
    }

    /// Protobuf's compact text form of the message: zero fields left out, a blank after every field.
    fn alarm(&mut self, alarm: &pb::AlarmMember) {
        let mut text = String::new();
        if alarm.member_id != 0 {
            write!(text, "memberID:{} ", alarm.member_id).expect("writing to a String cannot fail");
        }
        if alarm.alarm != 0 {
            write!(text, "alarm:{} ", rows::alarm_name(alarm.alarm))
                .expect("writing to a String cannot fail");
        }
        self.line(format_args!("{text}"));
    }

    fn health(&mut self, list: &[super::Health]) {
        for health in list {
            let endpoint = &health.endpoint;
            if health.is_well() {
                let took = health.took.map(go::format_duration).unwrap_or_default();
                self.line(format_args!(
                    "{endpoint} is healthy: successfully committed proposal: took = {took}"
                ));
            } else {
                let text =
                    format_args!("{endpoint} is unhealthy: failed to commit proposal: {}", health.error);
                push_line(&mut self.text.err, text);
            }
        }
    }

    fn rows(&mut self, rows: rows::Rows) {
        for row in rows.cells {
            self.line(format_args!("{}", row.join(", ")));
        }
    }
}

fn push_line(to: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    to.extend_from_slice(text.to_string().as_bytes());
    to.push(b'\n');
}

/// `\x66\x6f\x6f`
fn escape_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect()
}
