//! Asks the others for their versions while this member leads, so that the cluster can agree on one.
//! Source: contract-semantics 21.
use crate::{Net, Node, PeerAnswer, PeerCall, Runtime, mailbox::Mailbox};
use detcd_core::{
    Span,
    version::{self, Version},
};
use detcd_proto::{
    etcdserverpb::InternalRaftRequest,
    membershippb::{ClusterVersionSetRequest, DowngradeInfoSetRequest},
};
use std::sync::Arc;

const INTERVAL: Span = Span::secs(4);

/// `nudge` says that this member has become the leader.
pub async fn run<R: Runtime>(node: Node<R>, nudge: Mailbox<()>) {
    let rt = node.0.rt.clone();
    let mut nudges = Vec::new();
    while nudge.recv_until(&rt, Some(rt.now() + INTERVAL), &mut nudges, 1).await {
        nudges.clear();
        for request in wanted(&node).await {
            // Refused or lost: the next round asks again.
            node.propose_as_nobody(request).await.ok();
        }
    }
}

/// What this leader wants of the versions: another one for the cluster, or an end to going back once all are back.
async fn wanted<R: Runtime>(node: &Node<R>) -> Vec<InternalRaftRequest> {
    let me = node.0.config.me.id;
    let edition = node.latest();
    if edition.standing.leader != Some(me) {
        return Vec::new();
    }
    let mut servers = Vec::new();
    for member in edition.view.members.iter() {
        servers.push(if member.id == me {
            Some(version::SERVER)
        } else {
            match node.0.rt.net().call(member.id, PeerCall::Version).await {
                Ok(PeerAnswer::Version(versions)) => Version::parse(&versions.server),
                _ => None,
            }
        });
    }
    let read = |version: &Option<Arc<String>>| version.as_ref().and_then(|version| Version::parse(version));
    let (current, target) = (read(&edition.view.cluster_version), read(&edition.view.downgrade));
    let mut requests = Vec::new();
    if let Some(ver) = version::next_cluster_version(current, &servers, target) {
        let cluster_version_set = Some(Box::new(ClusterVersionSetRequest { ver: ver.to_string() }));
        requests.push(InternalRaftRequest { cluster_version_set, ..Default::default() });
    }
    if target.is_some_and(|target| version::is_back_at(target, &servers)) {
        let downgrade_info_set = Some(Box::new(DowngradeInfoSetRequest::default()));
        requests.push(InternalRaftRequest { downgrade_info_set, ..Default::default() });
    }
    requests
}
