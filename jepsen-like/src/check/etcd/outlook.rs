//! What the answers of the future say about the past: which write a gap must have been, what a key must not have
//! suffered by then, and what still has to happen to it. It only serves to choose well and to give up early; what
//! is right is decided by replaying.

use std::collections::BTreeMap;

use super::{
    keys::KeySet,
    plan::{Plan, Write, has_written},
    store::{Store, Version},
};
use crate::history::{KeyValue, OpId, Request, Response};

/// Someone's answer shows a pair that was written in a gap.
pub(super) struct Fact<'h> {
    pub key: usize,
    pub kv: &'h KeyValue,
    /// The value was blanked.
    pub keys_only: bool,
    /// Only that the key was created then: `kv` is a later version of it.
    pub creation_only: bool,
    pub by: OpId,
}

/// A key as some answer shows it at a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sighting {
    at: i64,
    /// (mod, create, version); `None`: not there.
    pair: Option<(i64, i64, i64)>,
}

#[derive(Default)]
struct KeyOutlook {
    /// By revision.
    sightings: Vec<Sighting>,
    /// Revisions that certainly put the key.
    puts: Vec<i64>,
    /// Revisions that may have deleted it, gaps apart.
    deletes: Vec<i64>,
}

/// Something that a gap must do to a key, at `deadline` at the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Duty {
    pub deadline: i64,
    pub key: usize,
    pub is_delete: bool,
}

pub(super) struct Outlook<'h> {
    facts: BTreeMap<i64, Vec<Fact<'h>>>,
    /// For the keys that a candidate can change; the others never need an outlook.
    keys: BTreeMap<usize, KeyOutlook>,
}

impl<'h> Outlook<'h> {
    pub fn new(plan: &Plan<'h>) -> Self {
        let tracked: KeySet =
            plan.candidates.iter().flat_map(|candidate| candidate.keys.iter().copied()).collect();
        let mut outlook = Self {
            facts: BTreeMap::new(),
            keys: tracked.into_iter().map(|key| (key, KeyOutlook::default())).collect(),
        };
        for (id, op) in plan.ops.iter().enumerate() {
            if let Some(response) = op.response() {
                outlook.note_facts(plan, id, &op.request, response);
            }
        }
        for (&revision, write) in &plan.writes {
            match *write {
                Write::Op(id) => {
                    if let Some(response) = plan.ops[id].response() {
                        outlook.note_write(plan, revision, plan.request(id), response);
                    }
                }
                Write::Expiry { lease } => {
                    plan.keys_of_lease(lease).for_each(|key| outlook.may_delete(key, revision));
                }
            }
        }
        for (&revision, facts) in &outlook.facts {
            for fact in facts {
                if let Some(of_key) = outlook.keys.get_mut(&fact.key)
                    && of_key.puts.last() != Some(&revision)
                {
                    of_key.puts.push(revision);
                }
            }
        }
        for &(at, id) in &plan.observations {
            if let Some(response) = plan.ops[id].response() {
                outlook.note_sightings(plan, at, plan.request(id), response);
            }
        }
        for of_key in outlook.keys.values_mut() {
            of_key.puts.sort_unstable();
            of_key.puts.dedup();
            of_key.sightings.sort_by_key(|sighting| sighting.at);
        }
        outlook
    }

    /// What answers show of the write at the gap `revision`.
    pub fn facts(&self, revision: i64) -> &[Fact<'h>] {
        self.facts.get(&revision).map_or(&[], Vec::as_slice)
    }

    pub fn all_facts(&self) -> impl Iterator<Item = (i64, &[Fact<'h>])> {
        self.facts.iter().map(|(&revision, facts)| (revision, facts.as_slice()))
    }

    /// Whether putting (or deleting) `key` at `revision` contradicts a later answer whatever else happens: the next
    /// answer that shows the key shows an older version of it.
    pub fn rules_out(&self, key: usize, revision: i64, is_delete: bool) -> bool {
        let Some(next) = self.next(key, revision) else { return false };
        match next.pair {
            Some((modified, create, _)) => modified < revision || (is_delete && create < revision),
            None => false,
        }
    }

    /// Whether later answers allow what `key` has become at `revision`, the store's newest.
    pub fn allows(&self, plan: &Plan<'_>, key: usize, revision: i64, now: Option<&Version<'_>>) -> bool {
        let Some(next) = self.next(key, revision) else { return true };
        let of_key = &self.keys[&key];
        match (next.pair, now) {
            (Some((modified, create, version)), _) if create <= revision => {
                let Some(now) = now else { return false };
                let puts = count(&of_key.puts, revision + 1, modified);
                let gaps = plan.gaps_between(revision + 1, modified);
                modified >= revision
                    && create == now.create
                    && (now.version + puts..=now.version + puts + gaps).contains(&version)
            }
            (Some((_, create, _)), Some(_)) => self.can_vanish(plan, of_key, revision + 1, create - 1),
            (None, Some(_)) => self.can_vanish(plan, of_key, revision + 1, next.at),
            (_, None) => true,
        }
    }

    fn can_vanish(&self, plan: &Plan<'_>, of_key: &KeyOutlook, from: i64, to: i64) -> bool {
        count(&of_key.deletes, from, to) > 0 || plan.gaps_between(from, to) > 0
    }

    /// What gaps from `revision` on must do to the keys as they are just before it, the most urgent first.
    pub fn duties(&self, store: &Store<'_>, revision: i64) -> Vec<Duty> {
        let mut duties = Vec::new();
        for (&key, of_key) in &self.keys {
            let (Some(now), Some(next)) = (store.live(key), self.next(key, revision)) else { continue };
            let gone_by = |deadline| {
                (count(&of_key.deletes, revision, deadline) == 0).then_some(Duty {
                    deadline,
                    key,
                    is_delete: true,
                })
            };
            duties.extend(match next.pair {
                None => gone_by(next.at),
                Some((_, create, _)) if create >= revision => gone_by(create - 1),
                Some((modified, _, version)) => {
                    let missing = version - now.version - count(&of_key.puts, revision, modified);
                    (missing > 0).then_some(Duty { deadline: modified, key, is_delete: false })
                }
            });
        }
        duties.sort_unstable();
        duties
    }

    fn next(&self, key: usize, revision: i64) -> Option<Sighting> {
        let sightings = &self.keys.get(&key)?.sightings;
        sightings.get(sightings.partition_point(|sighting| sighting.at < revision)).copied()
    }

    fn note_facts(&mut self, plan: &Plan<'h>, by: OpId, request: &'h Request, response: &'h Response) {
        match (request, response) {
            (Request::Range(request), Response::Range(response)) => {
                response.kvs.iter().for_each(|kv| self.note_kv(plan, by, kv, request.keys_only));
            }
            (_, Response::Put(response)) => {
                response.prev_kv.iter().for_each(|kv| self.note_kv(plan, by, kv, false));
            }
            (_, Response::Delete(response)) => {
                response.prev_kvs.iter().for_each(|kv| self.note_kv(plan, by, kv, false));
            }
            (Request::Txn(request), Response::Txn(response)) => {
                let branch = if response.succeeded { &request.success } else { &request.failure };
                for (request, response) in branch.iter().zip(&response.responses) {
                    self.note_facts(plan, by, request, response);
                }
            }
            _ => {}
        }
    }

    fn note_kv(&mut self, plan: &Plan<'h>, by: OpId, kv: &'h KeyValue, keys_only: bool) {
        for (revision, creation_only) in [(kv.mod_revision, false), (kv.create_revision, true)] {
            if !plan.is_gap(revision) || (creation_only && kv.create_revision == kv.mod_revision) {
                continue;
            }
            let facts = self.facts.entry(revision).or_default();
            let known = facts.iter().any(|fact| {
                fact.kv == kv && fact.keys_only == keys_only && fact.creation_only == creation_only
                    || creation_only && fact.kv.key == kv.key && fact.kv.create_revision == kv.create_revision
            });
            if !known {
                facts.push(Fact { key: plan.keys.id(&kv.key), kv, keys_only, creation_only, by });
            }
        }
    }

    fn note_write(&mut self, plan: &Plan<'h>, revision: i64, request: &'h Request, response: &'h Response) {
        match (request, response) {
            (Request::Put(put), Response::Put(response)) => {
                let key = plan.keys.id(&put.key);
                if let Some(of_key) = self.keys.get_mut(&key) {
                    of_key.puts.push(revision);
                }
                if let Some(kv) = &response.prev_kv {
                    self.saw(plan, key, revision - 1, Some(kv));
                } else if put.prev_kv {
                    self.saw(plan, key, revision - 1, None);
                }
            }
            (Request::Delete(delete), Response::Delete(response)) => {
                for key in plan.keys.interval(&delete.key, &delete.range_end) {
                    self.may_delete(key, revision);
                }
                for kv in &response.prev_kvs {
                    self.saw(plan, plan.keys.id(&kv.key), revision - 1, Some(kv));
                }
            }
            (Request::Txn(request), Response::Txn(response)) => {
                let branch = if response.succeeded { &request.success } else { &request.failure };
                for (request, response) in branch.iter().zip(&response.responses) {
                    self.note_write_in_txn(plan, revision, request, response);
                }
            }
            _ => {}
        }
    }

    /// As [`Outlook::note_write`], without what the answers show of the state before: it may be the transaction's own.
    fn note_write_in_txn(
        &mut self,
        plan: &Plan<'h>,
        revision: i64,
        request: &'h Request,
        response: &'h Response,
    ) {
        match (request, response) {
            (Request::Put(put), Response::Put(_)) => {
                if let Some(of_key) = self.keys.get_mut(&plan.keys.id(&put.key)) {
                    of_key.puts.push(revision);
                }
            }
            (Request::Delete(delete), Response::Delete(_)) => {
                for key in plan.keys.interval(&delete.key, &delete.range_end) {
                    self.may_delete(key, revision);
                }
            }
            (Request::Txn(_), Response::Txn(inner)) if inner.responses.iter().any(has_written) => {
                let Request::Txn(request) = request else { return };
                let branch = if inner.succeeded { &request.success } else { &request.failure };
                for (request, response) in branch.iter().zip(&inner.responses) {
                    self.note_write_in_txn(plan, revision, request, response);
                }
            }
            _ => {}
        }
    }

    fn may_delete(&mut self, key: usize, revision: i64) {
        if let Some(of_key) = self.keys.get_mut(&key) {
            of_key.deletes.push(revision);
        }
    }

    fn note_sightings(&mut self, plan: &Plan<'h>, at: i64, request: &'h Request, response: &'h Response) {
        match (request, response) {
            (Request::Range(request), Response::Range(response)) if !request.count_only => {
                let mut kvs = response.kvs.iter().peekable();
                for key in plan.keys.interval(&request.key, &request.range_end) {
                    let name = plan.keys.name(key);
                    while kvs.next_if(|kv| kv.key.as_slice() < name).is_some() {}
                    match kvs.next_if(|kv| kv.key == name) {
                        Some(kv) => self.saw(plan, key, at, Some(kv)),
                        // What is behind a cut is unknown.
                        None if kvs.peek().is_none() && response.more => break,
                        None => self.saw(plan, key, at, None),
                    }
                }
            }
            (Request::Delete(delete), Response::Delete(_)) => {
                for key in plan.keys.interval(&delete.key, &delete.range_end) {
                    self.saw(plan, key, at, None);
                }
            }
            (Request::Txn(request), Response::Txn(response)) => {
                let branch = if response.succeeded { &request.success } else { &request.failure };
                for (request, response) in branch.iter().zip(&response.responses) {
                    let is_of_now = !matches!(request, Request::Range(range) if range.revision > 0);
                    if is_of_now {
                        self.note_sightings(plan, at, request, response);
                    }
                }
            }
            _ => {}
        }
    }

    /// Sightings come in ascending order except those of previous pairs, which come first.
    fn saw(&mut self, plan: &Plan<'h>, key: usize, at: i64, kv: Option<&KeyValue>) {
        let Some(of_key) = self.keys.get_mut(&key) else { return };
        let pair = kv.map(|kv| (kv.mod_revision, kv.create_revision, kv.version));
        if let Some(last) = of_key.sightings.last_mut()
            && last.at <= at
            && last.pair == pair
        {
            if pair.is_some() {
                // The same version in between, too: one sighting at the end says as much.
                last.at = at;
                return;
            }
            if plan.gaps_between(last.at + 1, at) == 0 {
                return;
            }
        }
        of_key.sightings.push(Sighting { at, pair });
    }
}

/// How many of the ascending `revisions` are in `from..=to`.
fn count(revisions: &[i64], from: i64, to: i64) -> i64 {
    if from > to {
        return 0;
    }
    let inside = revisions.partition_point(|&r| r <= to) - revisions.partition_point(|&r| r < from);
    i64::try_from(inside).expect("fewer revisions than an i64 holds")
}
