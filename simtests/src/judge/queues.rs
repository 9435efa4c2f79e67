//! Nothing that waits inside a member may grow without bound. Sizes are looked at while the run goes on, since what
//! overflows in the storm may be empty again when everything has healed.
use crate::cluster::Cluster;

/// From one look to the next, in simulated nanoseconds.
const EVERY_NS: u64 = 100_000_000;

/// Far more than a dozen clients and four peers can have under way with one member, and far less than what a queue that
/// nobody empties reaches.
const WAITING_MAX: usize = 4_000;
/// The same for the world's own timers, of all members and clients together.
const AGENDA_MAX: usize = 40_000;

/// What is wrong with a queue of this name and length.
pub fn fault(name: &str, waiting: usize) -> Option<String> {
    (waiting > WAITING_MAX).then(|| format!("{waiting} wait in the {name}, and {WAITING_MAX} are too many"))
}

/// Looks again and again.
pub async fn watch_queues(cluster: Cluster, stopped: impl Fn() -> bool) {
    let stage = cluster.stage().clone();
    while !stopped() {
        for slot in 0..cluster.len() {
            let Some((node, _)) = cluster.node(slot) else { continue };
            let loads = node.loads();
            drop(node);
            let queues = [("inbox", loads.inbox), ("gate", loads.gate), ("hubs' post", loads.post)];
            for (name, waiting) in queues {
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
