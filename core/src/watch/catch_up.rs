//! Serves a lagging watcher from the past, a bounded slice at a time.
use super::{
    hub::{HubConfig, event},
    watcher::{Place, Watcher},
};
use crate::{Plant, View};
use alloc::vec::Vec;
use detcd_proto::{etcdserverpb::WatchResponse, mvccpb::Event};

/// Most revisions in one reply. Source: contract-semantics 0.
const REVISIONS_MAX: usize = 1000;

/// What one slice brought.
pub enum Slice {
    /// Events to deliver (perhaps none), where the watcher stands once they are, and how many changes were looked at.
    Events { events: Vec<Event>, then: Place, cost: usize },
    /// What the watcher has yet to see is gone.
    Compacted,
}

/// Collects what `watcher` has yet to see from `next` on. Revisions are never split.
pub fn slice(view: &View, watcher: &Watcher, next: i64, config: &HubConfig) -> Slice {
    let keyspace = &view.keyspace;
    if next < keyspace.compact_revision() && !config.plants.has(Plant::SlowWatcherSkipsCompacted) {
        return Slice::Compacted;
    }
    let mut events = Vec::new();
    let (mut revisions, mut last, mut cost) = (0, 0, 0);
    for record in keyspace.changes(next) {
        let revision = record.mod_revision();
        if revision != last && (revisions == REVISIONS_MAX || cost >= config.slice_changes_max) {
            return Slice::Events { events, then: Place::Lagging { next: revision }, cost };
        }
        cost += 1;
        if watcher.range.contains(record.key()) && watcher.wants(record.is_tombstone()) {
            revisions +=
                usize::from(events.last().is_none_or(|event: &Event| mod_revision(event) != revision));
            let prev = watcher.prev_kv.then(|| keyspace.prev(record)).flatten();
            events.push(event(record, prev));
        }
        last = revision;
    }
    Slice::Events { events, then: Place::Synced { from: next.max(keyspace.revision() + 1) }, cost }
}

fn mod_revision(event: &Event) -> i64 {
    event.kv.as_ref().map_or(0, |kv| kv.mod_revision)
}

/// Whether the slice is worth a reply.
pub fn reply(view: &View, id: i64, events: Vec<Event>) -> Option<WatchResponse> {
    (!events.is_empty()).then(|| super::hub::response(id, view.keyspace.revision(), events))
}
