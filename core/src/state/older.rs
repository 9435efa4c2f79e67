//! Requests in the form of etcd's older store. Members up to 3.5 tell their names and the cluster's version by them; what
//! else could be asked so is not built. Source: contract-semantics 17.5, 24.
use super::{Applied, Event, State, member_json, not_built};
use crate::{Reply, version::Version};
use alloc::sync::Arc;
use detcd_proto::{etcdserverpb::Request, membershippb::ClusterMemberAttrSetRequest};

/// The member that such a request tells the name and client URLs of, if it does.
pub fn published(request: &Request) -> Option<ClusterMemberAttrSetRequest> {
    let id = request.path.strip_prefix("/0/members/")?.strip_suffix("/attributes")?;
    let member_id = u64::from_str_radix(id, 16).ok()?;
    let attributes = member_json::attributes(request.val.as_bytes())?;
    (request.method == "PUT")
        .then_some(ClusterMemberAttrSetRequest { member_id, member_attributes: Some(attributes) })
}

impl State {
    pub(super) fn apply_older(&mut self, request: &Request) -> Applied {
        let done = |event| Applied { request: request.id, outcome: Ok(Reply::Done), event };
        if let Some(attributes) = published(request) {
            return match self.publish(attributes) {
                Ok((_, event)) => done(event),
                Err((refusal, event)) => Applied { request: request.id, outcome: Err(refusal), event },
            };
        }
        match (request.method.as_str(), request.path.as_str()) {
            ("PUT", "/0/version") if Version::parse(&request.val).is_some() => {
                let version = Arc::new(request.val.clone());
                self.cluster_version = Some(version.clone());
                done(Event::ClusterVersion(version))
            }
            // Reads, and the older store's own expiry.
            ("QGET" | "SYNC", _) => done(Event::None),
            _ => not_built(request.id, "a log entry of etcd's API before version 3"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClusterId, Config, Member, MemberId, Refusal};
    use alloc::{string::ToString, vec::Vec};
    use detcd_proto::{
        Message,
        raftpb::{ConfChange, Entry},
    };

    fn request(method: &str, path: &str, val: &str) -> Request {
        Request { id: 9, method: method.into(), path: path.into(), val: val.into(), ..Request::default() }
    }

    #[test]
    fn members_of_older_versions_tell_who_they_are() {
        let me = Member {
            id: MemberId(0xab),
            name: "".to_string(),
            peer_urls: ["http://a:1".to_string()].into(),
            client_urls: Vec::new(),
            is_learner: false,
        };
        let mut state = State::new(&Config::new(me.clone(), ClusterId(1), Vec::new()));
        let described = member_json::Described { member: me, is_promote: false };
        let context = Some(member_json::encode(&described).into());
        let change = ConfChange { id: 1, r#type: 0, node_id: 0xab, context }.encode_to_vec();
        let mut index = 0;
        let mut apply = |kind: i32, data: Vec<u8>| {
            index += 1;
            let entry = Entry { index, term: 1, r#type: kind, data: Some(data.into()) };
            let applied = state.apply(&entry, &mut Vec::new());
            (applied.request, applied.outcome, applied.event)
        };
        assert!(apply(1, change).1.is_ok());
        let told = r#"{"name":"m1","clientURLs":["http://c:1"]}"#;
        let publish = request("PUT", "/0/members/ab/attributes", told).encode_to_vec();
        let published = apply(0, publish);
        assert_eq!((published.0, published.2), (9, Event::Published(MemberId(0xab))));
        let nobody = request("PUT", "/0/members/cd/attributes", told).encode_to_vec();
        assert_eq!(apply(0, nobody).2, Event::None, "a member that is gone");
        let version = request("PUT", "/0/version", "3.5.0").encode_to_vec();
        assert!(matches!(apply(0, version).2, Event::ClusterVersion(version) if *version == "3.5.0"));
        for other in [
            request("PUT", "/1/key", "v"),
            request("DELETE", "/0/version", ""),
            request("PUT", "/0/version", "x"),
        ] {
            let (id, outcome, _) = apply(0, other.encode_to_vec());
            assert!(matches!(outcome, Err(Refusal::NotBuilt(_))) && id == 9, "{other:?}");
        }
        assert!(matches!(apply(0, [0x1a, 1, 0xff].into()).1, Err(Refusal::NotBuilt(_))));
        let member = state.members.get(MemberId(0xab)).expect("added above");
        assert_eq!((member.name.as_str(), member.client_urls.len()), ("m1", 1));
    }
}
