//! What the answers of the future say about the past: which write a gap must have been, what a key must not have
//! suffered by then, and what still has to happen to it. It only serves to choose well and to give up early; what
//! is right is decided by replaying.

use std::collections::BTreeMap;

use super::{
    keys::KeySet,
    plan::{Plan, Write, has_written},
    store::{Store, Version},
};
use crate::history::{
    Compare, CompareResult, CompareTarget, KeyValue, OpId, RangeRequest, RangeResponse, Request, Response,
    TxnRequest, TxnResponse,
};

/// What an answer tells of the write that a gap must have been.
pub(super) struct Fact<'h> {
    pub key: usize,
    pub told: Told<'h>,
    pub by: OpId,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Told<'h> {
    /// It left this pair; `keys_only`: the value was blanked.
    Pair { kv: &'h KeyValue, keys_only: bool },
    /// It created the key, of which this is a later version.
    Creation(&'h KeyValue),
    /// It put the key.
    Put,
}

/// A key as an answer shows it at a revision. What the answer leaves open is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Absent,
    Present { modified: Option<i64>, create: Option<i64>, version: Option<i64> },
}

impl Seen {
    const PRESENT: Self = Self::Present { modified: None, create: None, version: None };

    fn pair(kv: &KeyValue) -> Self {
        Self::Present {
            modified: Some(kv.mod_revision),
            create: Some(kv.create_revision),
            version: Some(kv.version),
        }
    }

    /// What a comparison says about its one key, given whether it held.
    fn compared(compare: &Compare, held: bool) -> Option<Self> {
        let (given, of) = match compare.target {
            CompareTarget::ModRevision(given) => (given, Self::with_modified as fn(i64) -> Self),
            CompareTarget::CreateRevision(given) => (given, Self::with_create as fn(i64) -> Self),
            CompareTarget::Version(given) => (given, Self::with_version as fn(i64) -> Self),
            // No comparison with a value that is not there holds.
            CompareTarget::Value(_) => return held.then_some(Self::PRESENT),
            CompareTarget::Lease(given) => {
                return (given != 0 && held && compare.result == CompareResult::Equal)
                    .then_some(Self::PRESENT);
            }
        };
        match (compare.result, held) {
            (CompareResult::Equal, true) | (CompareResult::NotEqual, false) => {
                Some(if given == 0 { Self::Absent } else { of(given) })
            }
            (CompareResult::NotEqual, true) | (CompareResult::Equal, false) => {
                (given == 0).then_some(Self::PRESENT)
            }
            (CompareResult::Greater, true) => (given >= 0).then_some(Self::PRESENT),
            (CompareResult::Greater, false) => (given == 0).then_some(Self::Absent),
            (CompareResult::Less, true) => (given == 1).then_some(Self::Absent),
            (CompareResult::Less, false) => (given > 0).then_some(Self::PRESENT),
        }
    }

    fn with_modified(revision: i64) -> Self {
        Self::Present { modified: Some(revision), create: None, version: None }
    }

    fn with_create(revision: i64) -> Self {
        Self::Present { modified: None, create: Some(revision), version: None }
    }

    fn with_version(version: i64) -> Self {
        Self::Present { modified: None, create: None, version: Some(version) }
    }

    /// Whether nothing seen later can say more about the time before.
    fn is_complete(self) -> bool {
        match self {
            Self::Absent => true,
            Self::Present { modified, create, version } => {
                modified.is_some() && create.is_some() && version.is_some()
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sighting {
    at: i64,
    seen: Seen,
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

/// How many incomplete sightings are looked through for a complete one.
const SIGHTINGS_AHEAD: usize = 8;

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
                        outlook.note_sightings(plan, id, revision - 1, plan.request(id), response);
                        outlook.note_effects(plan, revision, plan.request(id), response);
                    }
                }
                Write::Expiry { lease } => {
                    plan.keys_of_lease(lease).for_each(|key| outlook.may_delete(key, revision));
                }
            }
        }
        for &(at, id) in &plan.observations {
            if let Some(response) = plan.ops[id].response() {
                outlook.note_sightings(plan, id, at, plan.request(id), response);
            }
        }
        for (&revision, facts) in &outlook.facts {
            for fact in facts {
                if let Some(of_key) = outlook.keys.get_mut(&fact.key) {
                    of_key.puts.push(revision);
                }
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
        self.ahead(key, revision).any(|next| match next.seen {
            Seen::Absent => false,
            Seen::Present { modified, create, .. } => {
                modified.is_some_and(|modified| modified < revision)
                    || is_delete && create.is_some_and(|create| create < revision)
            }
        })
    }

    /// Whether later answers allow what `key` has become at `revision`, the store's newest.
    pub fn allows(&self, plan: &Plan<'_>, key: usize, revision: i64, now: Option<&Version<'_>>) -> bool {
        let Some(of_key) = self.keys.get(&key) else { return true };
        let may_vanish = |from, to| count(&of_key.deletes, from, to) > 0 || plan.gaps_between(from, to) > 0;
        let may_come = |from, to| count(&of_key.puts, from, to) > 0 || plan.gaps_between(from, to) > 0;
        self.ahead(key, revision).all(|next| match (next.seen, now) {
            (Seen::Absent, None) => true,
            (Seen::Absent, Some(_)) => may_vanish(revision + 1, next.at),
            (Seen::Present { modified: Some(modified), .. }, _) if modified < revision => false,
            (Seen::Present { create: Some(create), .. }, Some(_)) if create > revision => {
                may_vanish(revision + 1, create - 1)
            }
            (Seen::Present { create: Some(create), .. }, None) => create > revision,
            (Seen::Present { create: None, .. }, None) => may_come(revision + 1, next.at),
            (Seen::Present { create: None, .. }, Some(_)) => true,
            (Seen::Present { modified, create: Some(create), version }, Some(now)) => {
                let fits = |(modified, version): (i64, i64)| {
                    let puts = count(&of_key.puts, revision + 1, modified);
                    let gaps = plan.gaps_between(revision + 1, modified);
                    (now.version + puts..=now.version + puts + gaps).contains(&version)
                };
                create == now.create && modified.zip(version).is_none_or(fits)
            }
        })
    }

    /// What gaps from `revision` on must do to the keys as they are just before it, the most urgent first.
    pub fn duties(&self, store: &Store<'_>, revision: i64) -> Vec<Duty> {
        let of_key = |(&key, of_key): (&usize, &KeyOutlook)| {
            let now = store.live(key);
            self.ahead(key, revision).find_map(|next| duty(key, of_key, now, next, revision))
        };
        let mut duties: Vec<Duty> = self.keys.iter().filter_map(of_key).collect();
        duties.sort_unstable();
        duties
    }

    /// The sightings from `revision` on that can say something about it.
    fn ahead(&self, key: usize, revision: i64) -> impl Iterator<Item = Sighting> {
        let sightings = self.keys.get(&key).map_or(&[][..], |of_key| &of_key.sightings);
        let from = sightings.partition_point(|sighting| sighting.at < revision);
        let mut is_over = false;
        sightings[from..].iter().copied().take(SIGHTINGS_AHEAD).take_while(move |sighting| {
            let was_over = is_over;
            is_over = sighting.seen.is_complete();
            !was_over
        })
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
                for (request, response) in branch(request, response) {
                    self.note_facts(plan, by, request, response);
                }
            }
            _ => {}
        }
    }

    fn note_kv(&mut self, plan: &Plan<'h>, by: OpId, kv: &'h KeyValue, keys_only: bool) {
        let key = plan.keys.id(&kv.key);
        self.note_fact(plan, kv.mod_revision, Fact { key, told: Told::Pair { kv, keys_only }, by });
        if kv.create_revision != kv.mod_revision {
            self.note_fact(plan, kv.create_revision, Fact { key, told: Told::Creation(kv), by });
        }
    }

    fn note_fact(&mut self, plan: &Plan<'h>, revision: i64, fact: Fact<'h>) {
        if !plan.is_gap(revision) {
            return;
        }
        let facts = self.facts.entry(revision).or_default();
        let is_known = facts.iter().any(|known| {
            known.key == fact.key
                && match (known.told, fact.told) {
                    (Told::Creation(_), Told::Creation(_)) | (_, Told::Put) => true,
                    (known, fact) => known == fact,
                }
        });
        if !is_known {
            facts.push(fact);
        }
    }

    /// What a known write has done to the keys.
    fn note_effects(&mut self, plan: &Plan<'h>, revision: i64, request: &'h Request, response: &'h Response) {
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
            (Request::Txn(request), Response::Txn(response)) => {
                for (request, response) in branch(request, response) {
                    self.note_effects(plan, revision, request, response);
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

    /// What an answer shows of the state `at` which its request met. True: that state is still the present one when
    /// the request is done.
    fn note_sightings(
        &mut self,
        plan: &Plan<'h>,
        by: OpId,
        at: i64,
        request: &'h Request,
        response: &'h Response,
    ) -> bool {
        match (request, response) {
            (Request::Range(request), Response::Range(response)) => {
                self.saw_interval(plan, at, (&request.key, &request.range_end), request, response);
            }
            (Request::Put(put), Response::Put(response)) if put.prev_kv => {
                let seen = response.prev_kv.as_ref().map_or(Seen::Absent, Seen::pair);
                self.saw(plan, plan.keys.id(&put.key), at, seen);
            }
            (Request::Delete(delete), Response::Delete(response)) => {
                let told = (response.deleted == 0 || delete.prev_kv).then_some(response.prev_kvs.as_slice());
                self.saw_listed(plan, at, (&delete.key, &delete.range_end), told, response.deleted);
            }
            (Request::Txn(request), Response::Txn(response)) => {
                self.note_compares(plan, by, at, request, response.succeeded);
                return branch(request, response).all(|(request, response)| {
                    let is_of_old = matches!(request, Request::Range(range) if range.revision > 0);
                    is_of_old || self.note_sightings(plan, by, at, request, response)
                });
            }
            _ => {}
        }
        !has_written(response)
    }

    fn note_compares(
        &mut self,
        plan: &Plan<'h>,
        by: OpId,
        at: i64,
        request: &'h TxnRequest,
        succeeded: bool,
    ) {
        // Of several comparisons that do not all hold it is not known which one fails.
        if !succeeded && request.compares.len() != 1 {
            return;
        }
        for compare in request.compares.iter().filter(|compare| compare.range_end.is_empty()) {
            let Some(seen) = Seen::compared(compare, succeeded) else { continue };
            let key = plan.keys.id(&compare.key);
            self.saw(plan, key, at, seen);
            if let Seen::Present { modified, create, .. } = seen {
                for revision in [modified, create].into_iter().flatten() {
                    self.note_fact(plan, revision, Fact { key, told: Told::Put, by });
                }
            }
        }
    }

    fn saw_interval(
        &mut self,
        plan: &Plan<'h>,
        at: i64,
        interval: (&[u8], &[u8]),
        request: &RangeRequest,
        response: &RangeResponse,
    ) {
        if !response.more {
            let told = (!request.count_only || response.count == 0).then_some(response.kvs.as_slice());
            return self.saw_listed(plan, at, interval, told, response.count);
        }
        let mut kvs = response.kvs.iter().peekable();
        for key in plan.keys.interval(interval.0, interval.1) {
            // What is behind the cut is unknown.
            if kvs.peek().is_none() {
                return;
            }
            let kv = kvs.next_if(|kv| kv.key == plan.keys.name(key));
            self.saw(plan, key, at, kv.map_or(Seen::Absent, Seen::pair));
        }
    }

    /// All the pairs of an interval, or only their number.
    fn saw_listed(
        &mut self,
        plan: &Plan<'h>,
        at: i64,
        (key, range_end): (&[u8], &[u8]),
        told: Option<&[KeyValue]>,
        count: i64,
    ) {
        let interval = plan.keys.interval(key, range_end);
        match told {
            Some(kvs) => {
                let mut kvs = kvs.iter().peekable();
                for key in interval {
                    let kv = kvs.next_if(|kv| kv.key == plan.keys.name(key));
                    self.saw(plan, key, at, kv.map_or(Seen::Absent, Seen::pair));
                }
            }
            None if count == 1 && interval.len() == 1 => self.saw(plan, interval.start, at, Seen::PRESENT),
            None => {}
        }
    }

    fn saw(&mut self, plan: &Plan<'h>, key: usize, at: i64, seen: Seen) {
        let Some(of_key) = self.keys.get_mut(&key) else { return };
        if let Some(last) = of_key.sightings.last_mut()
            && last.at <= at
            && last.seen == seen
        {
            if seen != Seen::Absent && seen.is_complete() {
                // The same version in between, too: one sighting at the end says as much.
                last.at = at;
                return;
            }
            if plan.gaps_between(last.at + 1, at) == 0 && seen.is_complete() {
                return;
            }
        }
        of_key.sightings.push(Sighting { at, seen });
    }
}

/// The operations of the branch that ran, with their answers.
fn branch<'h>(
    request: &'h TxnRequest,
    response: &'h TxnResponse,
) -> impl Iterator<Item = (&'h Request, &'h Response)> {
    let branch = if response.succeeded { &request.success } else { &request.failure };
    branch.iter().zip(&response.responses)
}

/// What gaps from `revision` on must do to a key that is `now` so and `next` seen so.
fn duty(
    key: usize,
    of_key: &KeyOutlook,
    now: Option<&Version<'_>>,
    next: Sighting,
    revision: i64,
) -> Option<Duty> {
    let must_go_by = |deadline| {
        (count(&of_key.deletes, revision, deadline) == 0).then_some(Duty { deadline, key, is_delete: true })
    };
    let must_put_by = |deadline| Some(Duty { deadline, key, is_delete: false });
    match (now, next.seen) {
        (Some(_), Seen::Absent) => must_go_by(next.at),
        (Some(_), Seen::Present { create: Some(create), .. }) if create >= revision => must_go_by(create - 1),
        (Some(now), Seen::Present { modified: Some(modified), version: Some(version), .. }) => {
            let missing = version - now.version - count(&of_key.puts, revision, modified);
            must_put_by(modified).filter(|_| missing > 0)
        }
        (None, Seen::Present { .. }) => {
            must_put_by(next.at).filter(|_| count(&of_key.puts, revision, next.at) == 0)
        }
        (Some(_), Seen::Present { .. }) | (None, Seen::Absent) => None,
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
