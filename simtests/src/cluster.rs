//! The members of one run: real drivers on real cores, booted again whenever somebody starts them.
use crate::judge::{Listed, Roster};
use detcd_core::{ClusterId, Config, Edition, Member, MemberId, Plants, Span, auth::ROOT};
use detcd_driver::{Caller, Node, Runtime as _};
use detcd_runtime_sim::{Keep, Setup, Sim, Slot, Stage, clock::Clock, links::Weather};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What all members of a run have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The founders.
    pub members: usize,
    /// Machines that may join later.
    #[serde(default)]
    pub spares: usize,
    /// Changes of the members that put the quorum at risk are refused.
    #[serde(default = "yes")]
    pub strict_reconfig: bool,
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

fn yes() -> bool {
    true
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
        )?;
        if self.spares > 0 {
            let strict = if self.strict_reconfig { "with" } else { "without" };
            write!(f, ", {} machines that may join, {strict} a look at the quorum", self.spares)?;
        }
        Ok(())
    }
}

impl Settings {
    /// What runs in this place if it is a founder.
    fn founder(slot: Slot) -> Member {
        let number = slot + 1;
        let peer_urls = vec![url(slot)];
        Member {
            id: MemberId::of_bootstrap(&peer_urls, "etcdsim"),
            name: format!("m{number}"),
            peer_urls,
            client_urls: vec![format!("http://m{number}:2379")],
            is_learner: false,
        }
    }

    fn bootstrap(&self) -> Vec<Member> {
        (0..self.members).map(Settings::founder).collect()
    }

    /// Places of machines.
    pub fn slots(&self) -> usize {
        self.members + self.spares
    }

    /// `joined`: who it is in a cluster that it does not found.
    fn config(&self, slot: Slot, joined: Option<MemberId>) -> Config {
        let named = self.bootstrap();
        let me = Settings::founder(slot);
        let me = Member { id: joined.unwrap_or(me.id), ..me };
        let cluster_id = ClusterId::of_members(named.iter().map(|member| member.id));
        // As in etcd, a member's name and client URLs become known only through the log.
        let bootstrap = named
            .iter()
            .filter(|_| joined.is_none())
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
            strict_reconfig_check: self.strict_reconfig,
            max_learners: 2,
            ..Config::new(me, cluster_id, bootstrap)
        }
    }
}

fn url(slot: Slot) -> String {
    format!("http://m{}:2380", slot + 1)
}

/// What a place holds beside its world.
#[derive(Clone, Copy, Debug, Default)]
struct Seat {
    /// Who it is since it joined.
    joined: Option<MemberId>,
    /// Nobody starts it for now.
    held: bool,
    /// It has been a member's.
    used: bool,
}

#[derive(Clone)]
pub struct Cluster {
    stage: Stage,
    nodes: Arc<Mutex<Vec<Option<Booted>>>>,
    settings: Arc<Settings>,
    seats: Arc<Mutex<Vec<Seat>>>,
    roster: Roster,
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
        // Nobody is known by the number of a place before it joins.
        let id = |slot| {
            if slot < settings.members { Settings::founder(slot).id } else { MemberId(slot as u64 + 1) }
        };
        let slots = settings.slots();
        let members = (0..slots).map(id).collect();
        let seats =
            (0..slots).map(|slot| Seat { used: slot < settings.members, ..Seat::default() }).collect();
        let stage = Stage::new(Setup { seed, members, clocks, weather, keep, budget });
        let nodes = Arc::new(Mutex::new((0..slots).map(|_| None).collect::<Vec<_>>()));
        let cluster = Cluster {
            stage: stage.clone(),
            nodes,
            settings: Arc::new(settings),
            seats: Arc::new(Mutex::new(seats)),
            roster: Roster::default(),
            root: Caller::default().with_name(ROOT),
        };
        let booting = cluster.clone();
        stage.enter(|world| {
            (0..slots).for_each(|slot| world.set_address(slot, url(slot)));
            (cluster.settings.members..slots).for_each(|slot| world.keep_down(slot, true));
            world.set_boot(Arc::new(move |sim| {
                let cluster = booting.clone();
                Box::pin(async move {
                    let (slot, life) = (sim.member(), sim.life_number());
                    let config = cluster.settings.config(slot, cluster.seat(slot).joined);
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
                    let (leaving, watched) = (node.clone(), sim.clone());
                    sim.spawn("expelled", async move {
                        leaving.expelled().await;
                        leaving.stop().await;
                        watched.end("member: removed, and ended");
                    });
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
        self.settings.config(slot, self.seat(slot).joined)
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Places of machines.
    pub fn len(&self) -> usize {
        self.settings.slots()
    }

    fn seat(&self, slot: Slot) -> Seat {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)[slot]
    }

    fn edit_seat(&self, slot: Slot, edit: impl FnOnce(&mut Seat)) {
        edit(&mut self.seats.lock().unwrap_or_else(PoisonError::into_inner)[slot]);
    }

    /// What the log says of the members.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Where a machine is reached.
    pub fn url(&self, slot: Slot) -> String {
        url(slot)
    }

    /// The machine of a member that is listed.
    pub fn slot_at(&self, member: &Listed) -> Option<Slot> {
        (0..self.len()).find(|&slot| member.peer_urls.contains(&url(slot)))
    }

    /// Whether a member that is listed runs, or could, on its machine.
    pub fn is_settled(&self, member: &Listed) -> bool {
        let slot = self.slot_at(member);
        slot.is_some_and(|slot| self.stage.enter(|world| world.id_of(slot) == member.id))
    }

    /// The machine becomes this member, with an empty disk, and starts.
    pub fn settle(&self, slot: Slot, id: MemberId) {
        self.edit_seat(slot, |seat| *seat = Seat { joined: Some(id), held: false, used: true });
        self.stage.enter(|world| {
            if world.id_of(slot) != id {
                world.crash(slot);
                world.wipe(slot);
                world.rename(slot, id);
            }
            world.keep_down(slot, false);
            world.start(slot);
        });
    }

    /// Nobody starts the machine for now.
    pub fn hold(&self, slot: Slot, held: bool) {
        self.edit_seat(slot, |seat| seat.held = held);
        self.stage.enter(|world| world.keep_down(slot, held));
    }

    fn is_listed(&self, slot: Slot) -> bool {
        self.roster.newest().iter().any(|member| member.peer_urls.contains(&url(slot)))
    }

    /// Machines that were never a member's.
    pub fn free_slots(&self) -> Vec<Slot> {
        (0..self.len()).filter(|&slot| !self.seat(slot).used && !self.is_listed(slot)).collect()
    }

    /// Machines whose member was removed.
    pub fn removed_slots(&self) -> Vec<Slot> {
        let is_removed = |slot: &Slot| {
            let seat = self.seat(*slot);
            seat.used && !seat.held && !self.is_listed(*slot)
        };
        (0..self.len()).filter(is_removed).collect()
    }

    /// Who leads, as a member that is listed believes.
    pub fn leader(&self) -> Option<MemberId> {
        let voters = self.living().into_iter().filter(|&slot| self.votes(slot));
        let standings = voters.filter_map(|slot| Some(self.edition(slot)?.standing));
        standings.filter(|standing| standing.leader.is_some()).max_by_key(|standing| standing.term)?.leader
    }

    /// Whether a member votes, by the log.
    pub fn votes(&self, slot: Slot) -> bool {
        let id = self.stage.enter(|world| world.id_of(slot));
        self.settings.spares == 0
            || self.roster.newest().iter().any(|member| member.id == id && !member.is_learner)
    }

    /// The members who are not dead for good.
    pub fn living(&self) -> Vec<Slot> {
        let listed = self.roster.newest();
        let is_member = |id| {
            self.settings.spares == 0 || listed.is_empty() || listed.iter().any(|member| member.id == id)
        };
        self.stage.enter(|world| {
            (0..world.len())
                .filter(|&slot| !world.is_buried(slot) && !world.is_forsaken(slot))
                .filter(|&slot| is_member(world.id_of(slot)))
                .collect()
        })
    }

    /// The members' ids, in the order of their slots.
    pub fn member_ids(&self) -> Vec<MemberId> {
        self.stage.enter(|world| (0..world.len()).map(|slot| world.id_of(slot)).collect())
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
