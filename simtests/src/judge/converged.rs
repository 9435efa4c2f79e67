//! Liveness and equality: when nothing is wrong any more, every member answers soon, and all hold the same.
use crate::cluster::Cluster;
use detcd_jepsen_like::history::{History, KeyValue, Outcome, Request, Response};
use detcd_proto::{etcdserverpb as pb, mvccpb};
use detcd_runtime_sim::Slot;
use std::fmt::Write;

/// How far the members came by the deadline.
pub enum Reach {
    /// All are equal.
    Equal,
    /// This stands in the way.
    Not(String),
}

/// Waits until every living member runs, they agree on a leader, and all have applied the same; at most until `deadline`
/// (simulated nanoseconds).
pub async fn converge(cluster: &Cluster, deadline: u64) -> Reach {
    loop {
        let obstacle = obstacle(cluster);
        let Some(obstacle) = obstacle else { return Reach::Equal };
        if cluster.stage().now() >= deadline || cluster.stage().enter(|world| !world.troubles().is_empty()) {
            return Reach::Not(obstacle);
        }
        cluster.stage().nap(20_000_000).await;
    }
}

/// Nothing is under way between the members.
pub fn is_settled(cluster: &Cluster) -> bool {
    obstacle(cluster).is_none()
}

fn obstacle(cluster: &Cluster) -> Option<String> {
    let mut standings = Vec::new();
    for slot in cluster.living() {
        match cluster.edition(slot) {
            Some(edition) => standings.push((slot, edition.standing)),
            None => return Some(format!("m{} does not run", slot + 1)),
        }
    }
    let (_, first) = *standings.first()?;
    let equal = standings.iter().all(|(_, standing)| {
        (standing.leader, standing.term, standing.applied) == (first.leader, first.term, first.applied)
            && standing.commit == standing.applied
    });
    if equal && first.leader.is_some() {
        return None;
    }
    let mut text = String::from("no agreement:");
    for (slot, standing) in standings {
        let leader = standing.leader.unwrap_or_default();
        let (term, commit, applied) = (standing.term, standing.commit, standing.applied);
        write!(text, " m{}: leader {leader} term {term} commit {commit} applied {applied};", slot + 1)
            .expect("a String takes everything");
    }
    Some(text)
}

/// What a member holds, in full.
#[derive(PartialEq)]
struct Contents {
    hash: u32,
    revision: i64,
    compacted: i64,
    /// Users and roles, in full.
    auth: String,
    kvs: Vec<mvccpb::KeyValue>,
}

/// Compares what all living members hold. They must have converged. None if all is well.
pub async fn equal_state(cluster: &Cluster) -> Option<String> {
    let mut first: Option<(Slot, Contents)> = None;
    // A learner does not tell its hash; what it shows is compared otherwise.
    for slot in cluster.living().into_iter().filter(|&slot| cluster.votes(slot)) {
        let (node, _) = cluster.node(slot)?;
        let everything = pb::RangeRequest {
            key: vec![0].into(),
            range_end: vec![0].into(),
            serializable: true,
            ..Default::default()
        };
        let (range, hash) =
            match (node.range(everything).await, node.hash_kv(pb::HashKvRequest::default()).await) {
                (Ok(range), Ok(hash)) => (range, hash),
                (Err(refusal), _) | (_, Err(refusal)) => {
                    return Some(format!("m{} does not tell its state: {refusal}", slot + 1));
                }
            };
        let contents = Contents {
            hash: hash.hash,
            revision: range.header.map_or(0, |header| header.revision),
            compacted: hash.compact_revision,
            auth: format!("{:?}", node.latest().view.auth),
            kvs: range.kvs,
        };
        match &first {
            None => first = Some((slot, contents)),
            Some((_, first)) if *first == contents => {}
            Some((one, first)) if first.auth != contents.auth => {
                return Some(format!("m{} and m{} have different users and roles", one + 1, slot + 1));
            }
            Some((one, first)) => {
                return Some(format!(
                    "m{} and m{} differ at the same index: hash {:08x} and {:08x}, revision {} and {}, compacted {} and \
                     {}, {} and {} keys",
                    one + 1,
                    slot + 1,
                    first.hash,
                    contents.hash,
                    first.revision,
                    contents.revision,
                    first.compacted,
                    contents.compacted,
                    first.kvs.len(),
                    contents.kvs.len()
                ));
            }
        }
    }
    None
}

/// Every put that a client was told of is there at the revision it was told, unless it was compacted. None if so.
pub async fn acknowledged(cluster: &Cluster, history: &History) -> Option<String> {
    let (node, _) = cluster.node(*cluster.living().first()?)?;
    for op in history.ops() {
        let (Request::Put(put), Outcome::Ok(Response::Put(answer))) = (&op.request, &op.outcome) else {
            continue;
        };
        let request = pb::RangeRequest {
            key: put.key.clone().into(),
            revision: answer.revision,
            serializable: true,
            ..Default::default()
        };
        let found = match node.range(request).await {
            Ok(response) => response.kvs.into_iter().next(),
            Err(detcd_core::Refusal::Compacted) => continue,
            Err(refusal) => {
                return Some(format!("a read of revision {} was refused: {refusal}", answer.revision));
            }
        };
        let expected = KeyValue { key: put.key.clone(), value: put.value.clone(), ..KeyValue::default() };
        let there = found.is_some_and(|kv| {
            kv.mod_revision == answer.revision && kv.key == expected.key && kv.value == expected.value
        });
        if !there {
            return Some(format!(
                "put {}={} was acknowledged at revision {} and is not there",
                String::from_utf8_lossy(&put.key),
                String::from_utf8_lossy(&put.value),
                answer.revision
            ));
        }
    }
    None
}
