//! Members in etcd's JSON, as `GET /members` tells them.
use detcd_core::{Member, MemberId};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
pub struct MemberJson {
    id: u64,
    #[serde(rename = "peerURLs", default, deserialize_with = "null_is_none")]
    peer_urls: Vec<String>,
    #[serde(rename = "isLearner", default, skip_serializing_if = "std::ops::Not::not")]
    is_learner: bool,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(
        rename = "clientURLs",
        default,
        deserialize_with = "null_is_none",
        skip_serializing_if = "Vec::is_empty"
    )]
    client_urls: Vec<String>,
}

/// Go writes a list without elements as `null` at times.
fn null_is_none<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::<Vec<String>>::deserialize(from)?.unwrap_or_default())
}

impl From<Member> for MemberJson {
    fn from(member: Member) -> MemberJson {
        let Member { id, name, peer_urls, client_urls, is_learner } = member;
        MemberJson { id: id.0, peer_urls, is_learner, name, client_urls }
    }
}

impl From<MemberJson> for Member {
    fn from(said: MemberJson) -> Member {
        let MemberJson { id, peer_urls, is_learner, name, client_urls } = said;
        Member { id: MemberId(id), name, peer_urls, client_urls, is_learner }
    }
}

/// A list of members with a newline behind it, as Go's encoder writes it.
pub fn write(members: Vec<Member>) -> String {
    let list: Vec<MemberJson> = members.into_iter().map(MemberJson::from).collect();
    crate::http::answer::to_json(&list) + "\n"
}

/// None: it is no such list.
pub fn read(json: &[u8]) -> Option<Vec<Member>> {
    let list: Vec<MemberJson> = serde_json::from_slice(json).ok()?;
    Some(list.into_iter().map(Member::from).collect())
}
