//! Nothing that waits inside a member may grow without bound. Sizes are looked at while the run goes on, since what
//! overflows in the storm may be empty again when everything has healed.
use crate::cluster::Cluster;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// From one look to the next, in simulated nanoseconds.
const EVERY_NS: u64 = 100_000_000;

/// Far more than a dozen clients and four peers can have under way with one member, and far less than what a queue that
/// nobody empties reaches.
const WAITING_MAX: usize = 4_000;
/// The same for the world's own timers, of all members and clients together.
const AGENDA_MAX: usize = 40_000;

/// Replies that a stream may hold: the events a member keeps for a client that does not read, and as many answers as
/// requests are taken before they are read. A watch can be cancelled without a request, once.
const STREAM_EVENTS_MAX: usize = 128;
const STREAM_ANSWERS_MAX: usize = 16;

/// What is wrong with a stream of so many watches that holds so many replies.
pub fn stream_fault(waiting: usize, watches: usize) -> Option<String> {
    let most = STREAM_EVENTS_MAX + STREAM_ANSWERS_MAX + watches + 1;
    (waiting > most).then(|| format!("{waiting} replies wait in its stream, and {most} may"))
}

/// What is wrong with a queue of this name and length.
pub fn fault(name: &str, waiting: usize) -> Option<String> {
    (waiting > WAITING_MAX).then(|| format!("{waiting} wait in the {name}, and {WAITING_MAX} are too many"))
}

/// How often queues were looked at, and the longest that was seen.
#[derive(Clone, Default)]
pub struct Queues(Arc<Seen>);

#[derive(Default)]
struct Seen {
    looks: AtomicU64,
    longest: AtomicU64,
}

impl Queues {
    pub fn looks(&self) -> u64 {
        self.0.looks.load(Ordering::Relaxed)
    }

    pub fn longest(&self) -> u64 {
        self.0.longest.load(Ordering::Relaxed)
    }

    /// Looks again and again.
    pub async fn watch(self, cluster: Cluster, stopped: impl Fn() -> bool) {
        let stage = cluster.stage().clone();
        while !stopped() {
            for slot in 0..cluster.len() {
                let Some((node, _)) = cluster.node(slot) else { continue };
                let loads = node.loads();
                drop(node);
                self.0.looks.fetch_add(1, Ordering::Relaxed);
                let queues = [("inbox", loads.inbox), ("gate", loads.gate), ("hubs' post", loads.post)];
                for (name, waiting) in queues {
                    self.0.longest.fetch_max(waiting as u64, Ordering::Relaxed);
                    if let Some(text) = fault(name, waiting) {
                        let text = format!("m{}: {text}", slot + 1);
                        stage.enter(|world| world.trouble("bounded-queues", text));
                    }
                }
            }
            stage.enter(|world| {
                let timers = world.timers();
                if timers > AGENDA_MAX {
                    world.trouble(
                        "bounded-queues",
                        format!("{timers} timers are set, and {AGENDA_MAX} are too many"),
                    );
                }
            });
            stage.nap(EVERY_NS).await;
        }
    }
}
