//! How a member begins: as part of a new cluster, or where its log ends. Source: contract-semantics 19.
use super::{
    Replica,
    checkpoints::Checkpoints,
    force,
    ids::Ids,
    install::Install,
    members::Reform,
    persist::{Persist, Purpose},
    proposals::Proposals,
    publish::Publish,
    reads::Reads,
};
use crate::{
    Config, Effects, Moment, Note, Plant, Rng, View,
    checkpoint::Stand,
    raft::{Raft, Setup},
    state::{State, Tally, founding_entries},
    wal,
};
use alloc::{collections::BTreeMap, vec::Vec};
use detcd_proto::{etcdserverpb::Metadata, raftpb};

/// What a member left on its disk.
#[derive(Debug)]
pub struct Recovered {
    /// None: the log tells everything from its first entry on.
    pub checkpoint: Option<Restored>,
    /// Such that [`wal::Replayed::check`] finds nothing wrong with a start behind the checkpoint.
    pub log: wal::Replayed,
}

/// A state that was read back whole.
#[derive(Debug)]
pub struct Restored {
    pub view: View,
    pub stand: Stand,
    /// The size of its image.
    pub bytes: u64,
}

impl Replica {
    /// Starts on what a checkpoint and the log say, or as part of a new cluster if there is none. The state is what the
    /// log is known to have committed.
    pub fn boot(
        config: Config,
        recovered: Option<Recovered>,
        seed: u64,
        now: Moment,
        effects: &mut Effects,
    ) -> Replica {
        let mut rng = Rng::from_seed(seed);
        let is_new = recovered.is_none();
        let mut state = State::new(&config);
        let mut stand = Stand::default();
        let mut base = (0, 0);
        let mut checkpoints = Checkpoints::new(None, 0);
        let (log, mut hard_state, mut entries) = match recovered {
            Some(Recovered { checkpoint, log }) => {
                let metadata = &log.metadata;
                assert_eq!(metadata.node_id, config.me.id.0, "the log is this member's");
                assert_eq!(metadata.cluster_id, config.cluster_id.0, "the log is this cluster's");
                let writer = wal::Writer::resume(&log, config.segment_bytes);
                let newest = checkpoint.as_ref().map(|restored| (restored.stand.index, restored.bytes));
                if let Some(restored) = checkpoint {
                    stand = restored.stand;
                    state = State::from_view(&config, restored.view);
                }
                let entries;
                (base, entries) = behind((stand.index, stand.term), &config, log.entries);
                let behind = entries.iter().filter(|entry| entry.index > stand.index);
                let read_back =
                    behind.map(|entry| entry.data.as_ref().map_or(0, |data| data.len() as u64)).sum();
                checkpoints = Checkpoints::new(newest, read_back);
                (writer, log.hard_state, entries)
            }
            None => {
                let metadata = Metadata { node_id: config.me.id.0, cluster_id: config.cluster_id.0 };
                let entries = founding_entries(&config.bootstrap);
                let commit = entries.len() as u64;
                // One that joins knows no term and waits for a leader to tell it everything.
                let term = u64::from(commit > 0);
                let writer = wal::Writer::create(&metadata, config.segment_bytes);
                (writer, raftpb::HardState { term, vote: 0, commit }, entries)
            }
        };
        let mut persist = Persist::new(log);
        let mut decreed = if is_new { entries.len() } else { 0 };
        if config.force_new_cluster && !is_new {
            decreed = force::alone(&config, &stand, state.members.clone(), &mut hard_state, &mut entries);
        }
        let is_founding = is_new || decreed > 0;
        if is_founding {
            let first = entries.len() - decreed;
            let state = Some(&hard_state).filter(|state| **state != raftpb::HardState::default());
            persist.start(Purpose::Founding, &entries[first..], state, None, effects);
        }
        effects.note(Note::Booted {
            member: config.me.id,
            cluster: config.cluster_id,
            term: hard_state.term,
            last_index: entries.last().map_or(base.0, |entry| entry.index),
            commit: hard_state.commit,
        });
        let newest = (stand.index > 0).then(|| stand.metadata());
        let setup = Setup {
            id: config.me.id,
            conf_state: stand.conf_state,
            hard_state,
            entries,
            base,
            applied: stand.index,
            heartbeat_interval: config.heartbeat_interval,
            election_timeout: config.election_timeout,
            pre_vote: config.pre_vote,
            max_message_bytes: config.max_message_bytes,
            max_inflight_messages: config.max_inflight_messages,
            max_uncommitted_bytes: config.max_uncommitted_bytes,
            plants: config.plants,
            rng: Rng::from_seed(rng.u64()),
        };
        let mut replica = Replica {
            raft: Raft::new(setup, now),
            state,
            persist,
            checkpoints,
            install: Install::default(),
            is_founding,
            proposals: Proposals::default(),
            reads: Reads::default(),
            request_ids: Ids::new(config.me.id, &mut rng),
            question_ids: Ids::new(config.me.id, &mut rng),
            lease_ids: Ids::new(config.me.id, &mut rng),
            linked: BTreeMap::new(),
            applied: stand.index,
            applied_term: stand.term,
            leader: None,
            elected: None,
            publish: Publish::Wanted,
            transfer: None,
            reform: Reform::default(),
            deadlines: None,
            parked: Vec::new(),
            compactions: Vec::new(),
            changes: Vec::new(),
            replies: Vec::new(),
            notes: Vec::new(),
            edition: None,
            is_dirty: true,
            has_jumped: false,
            is_behind: true,
            is_replaying: true,
            config,
        };
        if let Some(newest) = newest {
            replica.raft.has_snapshot(newest);
            effects.push(replica.peers());
            if replica.state.members.is_removed(replica.config.me.id) {
                replica.expelled(None);
            }
        }
        replica.state.members.overlooks_promotions = true;
        while replica.is_behind {
            replica.apply_committed(now, effects);
            // Nobody has begun to watch.
            replica.changes.clear();
        }
        replica.is_replaying = false;
        replica.state.members.overlooks_promotions = false;
        // What was done before this start is not counted.
        replica.state.tally = Tally::default();
        if replica.config.plants.has(Plant::AuthNotReplayedEqually) {
            replica.state.auth.count_last_change_again();
        }
        if replica.config.plants.has(Plant::LeaseIdOrder) {
            replica.state.leases.forget_negative();
        }
        replica
    }
}

/// What a member keeps in memory of the entries that were read back: those behind the checkpoint at `start`, and some
/// before it for members that lag. With the place before the first of them.
fn behind(
    start: (u64, u64),
    config: &Config,
    mut entries: Vec<raftpb::Entry>,
) -> ((u64, u64), Vec<raftpb::Entry>) {
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return (start, entries) };
    let first = first.index;
    if last.index < start.0 {
        // What led to the checkpoint is not all there, and nothing follows on it.
        return (start, Vec::new());
    }
    if first > start.0 {
        return (start, entries);
    }
    let wanted = start.0.saturating_sub(config.snapshot_catchup_entries);
    if wanted < first {
        if first == 1 {
            return ((0, 0), entries);
        }
        let base = entries.remove(0);
        return ((base.index, base.term), entries);
    }
    let kept = entries.split_off((wanted - first + 1) as usize);
    (entries.last().map_or(start, |base| (base.index, base.term)), kept)
}
