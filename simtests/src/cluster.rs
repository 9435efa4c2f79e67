//! The members of one run: real drivers on real cores, booted again whenever somebody starts them.
use detcd_core::{ClusterId, Config, Edition, Member, MemberId, Plants, Span, auth::ROOT};
use detcd_driver::{Caller, Node};
use detcd_runtime_sim::{Keep, Setup, Sim, Slot, Stage, clock::Clock, links::Weather};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What all members of a run have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    pub members: usize,
    #[serde(with = "nanoseconds", rename = "heartbeat_ns")]
    pub heartbeat: Span,
    #[serde(with = "nanoseconds", rename = "election_ns")]
    pub election: Span,
    pub pre_vote: bool,
    pub segment_bytes: u64,
    /// Entries from one checkpoint to the next.
    #[serde(default = "ten_thousand")]
    pub snapshot_count: u64,
    /// Entries before a checkpoint that are kept for members that lag.
    #[serde(default = "ten_thousand")]
    pub snapshot_catchup_entries: u64,
    pub max_message_bytes: usize,
    pub max_inflight_messages: usize,
    /// Bytes of entries that are applied in one turn.
    pub max_apply_bytes: usize,
    /// Bytes of entries that may wait for a quorum.
    pub max_uncommitted_bytes: u64,
    /// How often a watcher that asked for it hears how far the store is.
    #[serde(with = "nanoseconds", rename = "watch_progress_ns")]
    pub watch_progress: Span,
    /// Changes looked at in one turn for watchers that lag.
    pub watch_slice_changes: usize,
    /// Replies that wait for a watcher that does not read.
    pub watch_replies_max: usize,
    /// A reply to a watcher that takes so many bytes is split.
    pub watch_fragment_bytes: usize,
    /// How often a leader notes how long a lease has left.
    #[serde(with = "nanoseconds", rename = "lease_checkpoint_ns", default = "five_minutes")]
    pub lease_checkpoint: Span,
    /// Not written with the plan: the same plan is played with and without a planted bug.
    #[serde(skip)]
    pub plants: Plants,
}

fn ten_thousand() -> u64 {
    10_000
}

fn five_minutes() -> Span {
    Span::secs(300)
}

/// A span as a number; the core knows nothing of serde.
mod nanoseconds {
    use detcd_core::Span;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(span: &Span, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(span.as_nanos())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        u64::deserialize(deserializer).map(Span::nanos)
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} members, heartbeat {} ms, election {} ms, pre-vote {}, segments of {} bytes, a checkpoint after {} entries, \
             {} before it kept, messages of {} bytes, {} in flight, \
             {} bytes applied at once, {} may wait for a quorum, watchers hear of progress every {} ms, past changes are \
             looked at by {}, {} replies wait for them and those of {} bytes are split, leases are noted every {} ms",
            self.members,
            self.heartbeat.as_millis(),
            self.election.as_millis(),
            if self.pre_vote { "on" } else { "off" },
            self.segment_bytes,
            self.snapshot_count,
            self.snapshot_catchup_entries,
            self.max_message_bytes,
            self.max_inflight_messages,
            self.max_apply_bytes,
            self.max_uncommitted_bytes,
            self.watch_progress.as_millis(),
            self.watch_slice_changes,
            self.watch_replies_max,
            self.watch_fragment_bytes,
            self.lease_checkpoint.as_millis()
        )
    }
}

impl Settings {
    fn bootstrap(&self) -> Vec<Member> {
        let member = |number: usize| {
            let peer_urls = vec![format!("http://m{number}:2380")];
            Member {
                id: MemberId::of_bootstrap(&peer_urls, "etcdsim"),
                name: format!("m{number}"),
                peer_urls,
                client_urls: vec![format!("http://m{number}:2379")],
                is_learner: false,
            }
        };
        (1..=self.members).map(member).collect()
    }

    fn config(&self, slot: Slot) -> Config {
        let named = self.bootstrap();
        let cluster_id = ClusterId::of_members(named.iter().map(|member| member.id));
        // As in etcd, a member's name and client URLs become known only through the log.
        let bootstrap = named
            .iter()
            .map(|member| Member { name: String::new(), client_urls: Vec::new(), ..member.clone() })
            .collect();
        Config {
            heartbeat_interval: self.heartbeat,
            election_timeout: self.election,
            pre_vote: self.pre_vote,
            segment_bytes: self.segment_bytes,
            snapshot_count: self.snapshot_count,
            snapshot_catchup_entries: self.snapshot_catchup_entries,
            max_message_bytes: self.max_message_bytes,
            max_inflight_messages: self.max_inflight_messages,
            max_apply_bytes: self.max_apply_bytes,
            max_uncommitted_bytes: self.max_uncommitted_bytes,
            watch_progress_interval: self.watch_progress,
            watch_slice_changes: self.watch_slice_changes,
            watch_replies_max: self.watch_replies_max,
            watch_fragment_bytes: Some(self.watch_fragment_bytes),
            lease_checkpoint_interval: self.lease_checkpoint,
            plants: self.plants,
            ..Config::new(named[slot].clone(), cluster_id, bootstrap)
        }
    }

    /// Members that must agree.
    pub fn majority(&self) -> usize {
        self.members / 2 + 1
    }
}

#[derive(Clone)]
pub struct Cluster {
    stage: Stage,
    nodes: Arc<Mutex<Vec<Option<Booted>>>>,
    settings: Arc<Settings>,
    /// Clients have root's certificate, unless they say who they are.
    root: Caller,
}

/// A member that has read its log back, and in which of its lives.
struct Booted {
    life: u64,
    node: Node<Sim>,
}

impl Cluster {
    /// Sets up a world with these members; none of them runs yet.
    pub fn new(
        seed: u64,
        settings: Settings,
        clocks: Vec<Clock>,
        weather: Weather,
        keep: Keep,
        budget: u64,
    ) -> Cluster {
        let members = settings.bootstrap().iter().map(|member| member.id).collect();
        let stage = Stage::new(Setup { seed, members, clocks, weather, keep, budget });
        let nodes = Arc::new(Mutex::new((0..settings.members).map(|_| None).collect::<Vec<_>>()));
        let cluster = Cluster {
            stage: stage.clone(),
            nodes,
            settings: Arc::new(settings),
            root: Caller::default().with_name(ROOT),
        };
        let booting = cluster.clone();
        stage.enter(|world| {
            world.set_boot(Arc::new(move |sim| {
                let cluster = booting.clone();
                Box::pin(async move {
                    let (slot, life) = (sim.member(), sim.life_number());
                    let config = cluster.settings.config(slot);
                    let node = if sim.is_queued() {
                        let (node, seat) = detcd_driver::seat(sim.clone(), config).await?;
                        sim.sit(seat);
                        node
                    } else {
                        detcd_driver::start(sim.clone(), config).await?
                    };
                    let serving = node.clone();
                    sim.serve_peers(Arc::new(move |call| {
                        let node = serving.clone();
                        Box::pin(async move { node.peer(call).await })
                    }));
                    let stopping = node.clone();
                    sim.stop_by(Arc::new(move || {
                        let node = stopping.clone();
                        Box::pin(async move { node.stop().await })
                    }));
                    let leading = node.clone();
                    sim.hand_over_by(Arc::new(move |to| {
                        let node = leading.clone();
                        // Most members do not lead, and refuse.
                        Box::pin(async move { node.hand_over(Some(to)).await.unwrap_or_default() })
                    }));
                    let before = cluster.nodes()[slot].replace(Booted { life, node });
                    drop(before);
                    Ok(())
                })
            }));
        });
        cluster
    }

    fn nodes(&self) -> MutexGuard<'_, Vec<Option<Booted>>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// What the member is told at every boot.
    pub fn config(&self, slot: Slot) -> Config {
        self.settings.config(slot)
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub fn len(&self) -> usize {
        self.settings.members
    }

    /// Those who are not dead for good.
    pub fn living(&self) -> Vec<Slot> {
        self.stage.enter(|world| {
            (0..world.len()).filter(|&slot| !world.is_buried(slot) && !world.is_forsaken(slot)).collect()
        })
    }

    /// The members' ids, in the order of their slots.
    pub fn member_ids(&self) -> Vec<MemberId> {
        self.settings.bootstrap().iter().map(|member| member.id).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The member's handle and its life, if it has booted and lives.
    pub fn node(&self, slot: Slot) -> Option<(Node<Sim>, u64)> {
        let life = self.stage.enter(|world| world.is_up(slot).then(|| world.life_of(slot)))?;
        let nodes = self.nodes();
        let booted = nodes[slot].as_ref().filter(|booted| booted.life == life)?;
        Some((booted.node.asked_by(self.root.clone()), life))
    }

    /// What the member shows to its clients.
    pub fn edition(&self, slot: Slot) -> Option<Arc<Edition>> {
        self.node(slot).map(|(node, _)| node.latest())
    }

    /// Ends the run; see [`Stage::end`].
    pub async fn end(&self) {
        let nodes = std::mem::take(&mut *self.nodes());
        drop(nodes);
        self.stage.end().await;
    }
}
