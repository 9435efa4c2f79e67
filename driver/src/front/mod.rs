//! What a client can ask a member for, in proto's messages and without any transport: one method of [`Node`] per call.
pub mod auth;
pub mod cluster;
pub mod election;
pub mod health;
mod inside;
pub mod kv;
pub mod lease;
pub mod lock;
pub mod maintenance;
pub mod peer;
pub mod snapshot;
pub mod watch;

use crate::{Node, Runtime};
use detcd_core::Refusal;
use std::{future::poll_fn, task::Poll};

/// The one reply that fits a request; any other is a bug of the core.
macro_rules! answer {
    ($outcome:expr, $variant:ident) => {
        match $outcome? {
            detcd_core::Reply::$variant(response) => Ok(response),
            other => unreachable!("{} was answered with {other:?}", stringify!($variant)),
        }
    };
}
pub(crate) use answer;

/// Lets whoever shares the thread have a turn in the middle of long work.
async fn breathe() {
    let mut waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

impl<R: Runtime> Node<R> {
    /// A learner serves only what it can answer from its own state. Source: contract-semantics 1(d), 12.6.
    pub(crate) fn admit(&self) -> Result<(), Refusal> {
        if self.latest().standing.is_learner { Err(Refusal::NotSupportedForLearner) } else { Ok(()) }
    }

    /// For calls that carry `hasleader`: refused while this member knows no leader.
    pub fn require_leader(&self) -> Result<(), Refusal> {
        match self.latest().standing.leader {
            Some(_) => Ok(()),
            None => Err(Refusal::NoLeader),
        }
    }
}

/// Every call can be made from a task that moves between threads.
#[cfg(test)]
#[allow(dead_code)]
fn calls_are_send<R: Runtime>(node: &Node<R>) {
    fn send(_: impl Send) {}
    send(node.range(Default::default()));
    send(node.range_stream(Default::default()));
    send(node.put(Default::default()));
    send(node.delete_range(Default::default()));
    send(node.txn(Default::default()));
    send(node.compact(Default::default()));
    send(node.lease_grant(Default::default()));
    send(node.lease_revoke(Default::default()));
    send(node.lease_keep_alive(Default::default()));
    send(node.lease_time_to_live(Default::default()));
    send(node.lease_leases());
    send(node.lock(Default::default()));
    send(node.unlock(Default::default()));
    send(node.campaign(Default::default()));
    send(node.proclaim(Default::default()));
    send(node.leader(Default::default()));
    send(node.resign(Default::default()));
    send(async { node.observe(Default::default())?.next().await });
    send(node.authenticate(Default::default()));
    send(node.user_add(Default::default()));
    send(node.user_change_password(Default::default()));
    send(node.member_list(Default::default()));
    send(node.member_add(Default::default()));
    send(node.member_remove(Default::default()));
    send(node.member_update(Default::default()));
    send(node.member_promote(Default::default()));
    send(node.defragment());
    send(node.move_leader(Default::default()));
    send(node.downgrade(Default::default()));
    send(node.status());
    send(node.alarm(Default::default()));
    send(node.hash_kv(Default::default()));
    send(node.hash());
    send(async { Some(node.snapshot().await.ok()?.next_piece()) });
    send(node.peer(crate::PeerCall::Version));
    send(node.health(&[], false));
    send(node.probe(crate::Probe::NonLearner));
    send(node.ready());
    send(node.stop());
}
