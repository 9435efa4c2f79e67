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
