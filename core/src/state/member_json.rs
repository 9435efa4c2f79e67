//! The JSON by which a membership change describes a member, inside `ConfChange.context`. Source: contract-api 6.
//!
//! Written to the byte as etcd's members write it, because they compare it; read leniently, because older ones wrote
//! more than is needed here.
use crate::{
    Member, MemberId,
    json::{self, Value},
};
use alloc::{string::String, vec::Vec};
use core::fmt::Write as _;

/// What a membership change says about a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    pub member: Member,
    /// A learner becomes a voter; the URLs are then empty and stay as they are.
    pub is_promote: bool,
}

pub fn encode(described: &Described) -> Vec<u8> {
    let member = &described.member;
    let mut out = String::new();
    write!(out, "{{\"id\":{},\"peerURLs\":", member.id.0).expect("a String grows as needed");
    if described.is_promote {
        out.push_str("null");
    } else {
        json::write_strings(&member.peer_urls, &mut out);
    }
    if member.is_learner {
        out.push_str(",\"isLearner\":true");
    }
    if !member.name.is_empty() {
        out.push_str(",\"name\":");
        json::write_string(&member.name, &mut out);
    }
    if !member.client_urls.is_empty() {
        out.push_str(",\"clientURLs\":");
        json::write_strings(&member.client_urls, &mut out);
    }
    if described.is_promote {
        out.push_str(",\"isPromote\":true");
    }
    out.push('}');
    out.into_bytes()
}

/// Nothing if it is no such JSON.
pub fn decode(json: &[u8]) -> Option<Described> {
    let mut member = Member {
        id: MemberId(0),
        name: String::new(),
        peer_urls: Vec::new(),
        client_urls: Vec::new(),
        is_learner: false,
    };
    let mut is_promote = false;
    for (key, value) in json::parse(json)?.as_object()? {
        match (key.as_str(), value) {
            ("peerURLs" | "clientURLs" | "name", Value::Null) => {}
            ("id", id) => member.id = MemberId(id.as_u64()?),
            ("peerURLs", urls) => member.peer_urls = urls.as_strings()?,
            ("isLearner", yes) => member.is_learner = yes.as_bool()?,
            ("name", name) => member.name = name.as_str()?.into(),
            ("clientURLs", urls) => member.client_urls = urls.as_strings()?,
            ("isPromote", yes) => is_promote = yes.as_bool()?,
            _ => {}
        }
    }
    (member.id.0 != 0).then_some(Described { member, is_promote })
}

#[cfg(test)]
#[path = "member_json_tests.rs"]
mod tests;
