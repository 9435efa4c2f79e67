//! Asks the others for their versions while this member leads, so that the cluster can agree on one.
//! Source: contract-semantics 21.
use crate::{Net, Node, PeerAnswer, PeerCall, Runtime, mailbox::Mailbox};
use detcd_core::{
    Span,
    version::{self, Version},
};
use detcd_proto::{etcdserverpb::InternalRaftRequest, membershippb::ClusterVersionSetRequest};

const INTERVAL: Span = Span::secs(4);

/// `nudge` says that this member has become the leader.
pub async fn run<R: Runtime>(node: Node<R>, nudge: Mailbox<()>) {
    let rt = node.0.rt.clone();
    let mut nudges = Vec::new();
    while nudge.recv_until(&rt, Some(rt.now() + INTERVAL), &mut nudges, 1).await {
        nudges.clear();
        if let Some(ver) = wanted(&node).await {
            let cluster_version_set = Some(Box::new(ClusterVersionSetRequest { ver: ver.to_string() }));
            // Refused or lost: the next round asks again.
            node.propose_as_nobody(InternalRaftRequest { cluster_version_set, ..Default::default() })
                .await
                .ok();
        }
    }
}

/// The version this leader wants for the cluster, if it is not the one it has.
async fn wanted<R: Runtime>(node: &Node<R>) -> Option<Version> {
    let me = node.0.config.me.id;
    let edition = node.latest();
    if edition.standing.leader != Some(me) {
        return None;
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
    let current = edition.view.cluster_version.as_ref().and_then(|version| Version::parse(version));
    version::next_cluster_version(current, &servers)
}
