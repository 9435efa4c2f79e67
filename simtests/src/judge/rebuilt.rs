//! What a member shows is what the log makes from its first entry on, whether the member began there, at a checkpoint, or
//! at several one after the other. The log that this judge replays is the one it saw being written: what members have
//! forgotten of it, it remembers.
use crate::{
    cluster::Cluster,
    invariants::{FOLDER, Record, entries, read, records},
};
use detcd_core::{View, state::State};
use detcd_proto::raftpb;
use detcd_runtime_sim::{Happening, Observer, Slot, World};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// By member, then index: what it wrote there last.
#[derive(Clone, Default)]
pub struct Rebuilt(Arc<Mutex<BTreeMap<Slot, BTreeMap<u64, raftpb::Entry>>>>);

impl Rebuilt {
    /// The members must have converged. None if all is well.
    pub fn differs(&self, cluster: &Cluster) -> Option<String> {
        let logs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let editions: Vec<_> =
            cluster.living().into_iter().filter_map(|slot| Some((slot, cluster.edition(slot)?))).collect();
        let applied = editions.first()?.1.standing.applied;
        // Those who have applied as much have the same log; only one that got a checkpoint has not written all of it. One
        // who is cut off for good may have written what nobody else has.
        let log = editions
            .iter()
            .filter(|(_, edition)| edition.standing.applied == applied)
            .filter_map(|(slot, _)| {
                // What it wrote last may have been lost, and what it had written before that be right.
                let there = cluster.stage().enter(|world| read(world.disk(*slot).cached(FOLDER)))??;
                let mut log = logs.get(slot)?.clone();
                log.extend(there.entries.into_iter().map(|entry| (entry.index, entry)));
                Some(log)
            })
            .find(|log| log.range(1..=applied).count() as u64 == applied)?;
        let mut state = State::new(&cluster.config(0));
        for entry in log.range(1..=applied).map(|(_, entry)| entry) {
            state.apply(entry, &mut Vec::new());
        }
        let made = Shown::of(&state.view());
        for (slot, edition) in editions {
            if edition.standing.applied == applied
                && let Some(what) = made.differs(&Shown::of(&edition.view))
            {
                return Some(format!(
                    "m{} shows other {what} at index {applied} than the log makes from its first entry on",
                    slot + 1
                ));
            }
        }
        None
    }
}

impl Observer for Rebuilt {
    fn happened(&mut self, what: &Happening<'_>, _: &mut World) {
        if let Happening::Appending { member, name, bytes } = *what
            && name.starts_with(FOLDER)
        {
            let mut logs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let log = logs.entry(member).or_default();
            for record in records(bytes) {
                if let Record::Checkpoint { index, term } = record
                    && log.get(&index).is_none_or(|entry| entry.term != term)
                {
                    // It came from another member, and takes the place of all before it.
                    *log = log.split_off(&(index + 1));
                }
            }
            for entry in entries(bytes) {
                log.split_off(&entry.index);
                log.insert(entry.index, entry);
            }
        }
    }
}

/// All that a view holds, as text where that is short.
struct Shown([(&'static str, String); 6]);

impl Shown {
    fn of(view: &View) -> Shown {
        let keyspace = &view.keyspace;
        let keys = format!(
            "revision {} compacted {} hash {:?}",
            keyspace.revision(),
            keyspace.compact_revision(),
            keyspace.hash_kv(0)
        );
        Shown([
            ("keys", keys),
            ("leases", format!("{:?}", view.leases)),
            ("users and roles", format!("{:?}", view.auth)),
            ("members", format!("{:?} {:?}", view.members, view.removed)),
            ("alarms", format!("{:?}", view.alarms)),
            ("versions", format!("{:?} {:?}", view.cluster_version, view.downgrade)),
        ])
    }

    fn differs(&self, other: &Shown) -> Option<&'static str> {
        let pairs = self.0.iter().zip(&other.0);
        pairs.into_iter().find(|((_, one), (_, other))| one != other).map(|((what, _), _)| *what)
    }
}
