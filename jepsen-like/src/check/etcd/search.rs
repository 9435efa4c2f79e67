//! The replay: every revision in turn, every answer compared at the revision it shows. Where no known write has a
//! revision, one of unknown fate must: the only place where the judge has to guess, and may have to take a guess back.
//!
//! When an answer contradicts the model, the keys it is about tell which guesses are to blame: a guess that neither
//! touches one of these keys nor stands in the place of one that would is not reconsidered (conflict-directed
//! backjumping). A failed situation (revision, contents, writes used up) is remembered and not tried again.

use std::collections::BTreeMap;

use super::{
    execute::{self, Mismatch, apply, attached, check_range},
    explain::{self, Impossible},
    keys::KeySet,
    outlook::{Fact, Outlook, Told},
    plan::{Candidate, Plan, Write},
    store::{Mark, Store, hash_words},
};
use crate::{
    check::ViolationKind,
    history::{KeyValue, OpId, Operation, Request, Response},
};

/// States without a new revision before the first change of order, normally; each further one gets twice as many.
pub(super) const PATIENCE: u64 = 500;
/// Choices that the first change of order takes back.
const CHOICES_BACK: usize = 16;

/// How the replay ended.
pub(super) enum End {
    /// The history has an explanation.
    Explained,
    Impossible(Box<Impossible>),
    OutOfBudget {
        revision: i64,
    },
}

/// A gap, with what was tried there.
struct Frame {
    gap: i64,
    mark: Mark,
    /// Tried first; the whole choice if `is_closed`.
    preferred: Vec<usize>,
    is_closed: bool,
    next: usize,
    /// The twins of the candidates tried.
    tried: Vec<usize>,
    chosen: Option<usize>,
    has_fitted: bool,
    /// The keys whose past made every try so far fail.
    conflict: KeySet,
    /// Each failure that its own choice had no part in: only a choice that touches these keys can do better.
    must_touch: Vec<KeySet>,
}

pub(super) struct Search<'p, 'h> {
    plan: &'p Plan<'h>,
    outlook: Outlook<'h>,
    store: Store<'h>,
    /// Candidates that can put a key, or delete it.
    putters: BTreeMap<usize, Vec<usize>>,
    deleters: BTreeMap<usize, Vec<usize>>,
    /// All candidates in the order in which they are tried.
    recent: Vec<usize>,
    /// The candidate of an answered revoke.
    revokes: BTreeMap<OpId, usize>,
    /// The only gap that a candidate can fill: an answer shows its write there and nobody else's.
    only_at: Vec<Option<i64>>,
    /// The gap that a candidate fills.
    used_at: Vec<Option<i64>>,
    used_fingerprint: u128,
    frames: Vec<Frame>,
    failed: BTreeMap<(i64, u128, u128), KeySet>,
    can_remember: bool,
    deepest: Option<Impossible>,
    /// Grants by lease, asked for or answered.
    grants: BTreeMap<i64, u64>,
    /// What two interchangeable candidates have in common: the smaller of their numbers.
    twins: Vec<usize>,
    /// Changes of the order in which candidates are tried: what one order finds hard, another often finds at once.
    attempt: u64,
    patience: u64,
    /// Changes of the order since a new revision was reached.
    stuck: u32,
    /// The newest revision ever reached, and the effort until then.
    reached: i64,
    reached_after: u64,
    out_of_budget: bool,
    /// `states`, and the candidates that were only looked at, at a discount.
    effort: u64,
    effort_max: u64,
    pub states: u64,
    pub backtracks: u64,
}

impl<'p, 'h> Search<'p, 'h> {
    pub fn new(plan: &'p Plan<'h>, initial: &'h [KeyValue], budget: u64, patience: u64) -> Self {
        let outlook = Outlook::new(plan);
        let store = Store::new(&plan.keys, plan.origin, initial);
        let mut search = Self {
            plan,
            outlook,
            store,
            putters: BTreeMap::new(),
            deleters: BTreeMap::new(),
            recent: (0..plan.candidates.len()).collect(),
            revokes: BTreeMap::new(),
            only_at: vec![None; plan.candidates.len()],
            used_at: vec![None; plan.candidates.len()],
            used_fingerprint: 0,
            frames: Vec::new(),
            failed: BTreeMap::new(),
            can_remember: !plan.ops.iter().any(|op| reads_the_past(&op.request)),
            deepest: None,
            grants: BTreeMap::new(),
            twins: twins(plan),
            attempt: 0,
            patience,
            stuck: 0,
            reached: plan.origin,
            reached_after: 0,
            out_of_budget: false,
            effort: 0,
            effort_max: budget.saturating_add(plan.writes.len() as u64),
            states: 0,
            backtracks: 0,
        };
        for lease in plan.ops.iter().filter_map(granted) {
            *search.grants.entry(lease).or_default() += 1;
        }
        search.shuffle();
        for (c, candidate) in plan.candidates.iter().enumerate() {
            let (mut puts, mut deletes) = (KeySet::new(), KeySet::new());
            match candidate.write {
                Write::Op(id) => {
                    writes_of(plan, plan.request(id), &mut puts, &mut deletes);
                    if plan.ops[id].response().is_some() {
                        search.revokes.insert(id, c);
                    }
                }
                Write::Expiry { lease } => deletes.extend(plan.keys_of_lease(lease)),
            }
            puts.into_iter().for_each(|key| search.putters.entry(key).or_default().push(c));
            deletes.into_iter().for_each(|key| search.deleters.entry(key).or_default().push(c));
        }
        let forced: Vec<_> = search
            .outlook
            .all_facts()
            .filter_map(|(gap, facts)| match search.matching(gap, facts).as_slice() {
                &[only] => Some((only, gap)),
                _ => None,
            })
            .collect();
        for (c, gap) in forced {
            search.only_at[c] = search.only_at[c].or(Some(gap));
        }
        search
    }

    pub fn run(&mut self) -> End {
        let mut step = self.observe();
        loop {
            match step {
                Ok(()) if self.store.revision() == self.plan.last => {
                    return End::Explained;
                }
                Ok(()) if self.effort >= self.effort_max => {
                    return End::OutOfBudget { revision: self.store.revision() };
                }
                Ok(()) if self.is_stuck() => {
                    self.step_back();
                    step = self.observe();
                }
                Ok(()) => step = self.advance(),
                Err(conflict) => {
                    if !self.backtrack(conflict) {
                        if self.out_of_budget {
                            return End::OutOfBudget { revision: self.store.revision() };
                        }
                        let impossible = self.deepest.take().expect("a failed replay has failed somewhere");
                        return End::Impossible(Box::new(impossible));
                    }
                    step = self.observe();
                }
            }
        }
    }

    /// Whether it is long since a new revision was reached.
    fn is_stuck(&mut self) -> bool {
        if self.store.revision() > self.reached {
            self.reached = self.store.revision();
            self.reached_after = self.effort;
            self.stuck = 0;
        }
        self.effort - self.reached_after >= self.patience << self.stuck.min(32)
    }

    /// Gives up some of the newest choices, without a verdict on them, and goes on in another order. Each time without
    /// progress it is more of them, and more patience, so that in the end the whole search gets all the time it needs.
    fn step_back(&mut self) {
        let keep = self.frames.len().saturating_sub(CHOICES_BACK << self.stuck.min(32));
        while self.frames.len() > keep {
            let frame = self.frames.pop().expect("there are more than are kept");
            if let Some(c) = frame.chosen {
                self.release(c);
            }
            self.store.rollback(frame.mark);
        }
        self.stuck += 1;
        self.attempt += 1;
        self.reached_after = self.effort;
        self.shuffle();
    }

    /// At first what was called last comes first: what takes effect mostly does so soon. Then any order will do.
    fn shuffle(&mut self) {
        let attempt = self.attempt;
        let order = |c: usize| match attempt {
            0 => (-self.plan.candidates[c].above, 0),
            _ => (0, hash_words([attempt, c as u64].into_iter())),
        };
        self.recent.sort_by_key(|&c| order(c));
        for able in self.putters.values_mut().chain(self.deleters.values_mut()) {
            able.sort_by_key(|&c| order(c));
        }
    }

    /// How many candidates fill a gap: operations of clients, expiries.
    pub fn placed(&self) -> (u64, u64) {
        let filled = |frame: &Frame| frame.chosen.map(|c| self.plan.candidates[c].write);
        let expiries =
            self.frames.iter().filter(|frame| matches!(filled(frame), Some(Write::Expiry { .. }))).count();
        ((self.frames.len() - expiries) as u64, expiries as u64)
    }

    pub fn store(&self) -> &Store<'h> {
        &self.store
    }

    fn advance(&mut self) -> Result<(), KeySet> {
        let revision = self.store.revision() + 1;
        let Some(&write) = self.plan.writes.get(&revision) else {
            self.open(revision)?;
            self.choose()?;
            return self.observe();
        };
        self.count_state();
        let (op, result) = match write {
            Write::Op(id) => {
                let response = self.plan.ops[id].response();
                (
                    Some(id),
                    apply(&mut self.store, &self.plan.keys, self.plan.request(id), response).map(|_| ()),
                )
            }
            Write::Expiry { lease } => {
                let expired = execute::expire(&mut self.store, lease);
                let keys = self.plan.keys_of_lease(lease).collect();
                let text = format!(
                    "lease {lease} is said to have taken keys with it at revision {revision}, and it has none"
                );
                (None, if expired { Ok(()) } else { Err(Mismatch { text, keys }) })
            }
        };
        if let Err(mismatch) = result {
            return Err(self.impossible(ViolationKind::WriteMismatch, revision, op, mismatch));
        }
        debug_assert_eq!(
            self.store.revision(),
            revision,
            "a write that is known to have changed something did not"
        );
        self.observe()
    }

    /// Compares the answers that show the revision the store is at.
    fn observe(&mut self) -> Result<(), KeySet> {
        let at = self.store.revision();
        let plan = self.plan;
        for &(_, id) in plan.observations_at(at) {
            let (kind, result) = match (plan.request(id), plan.ops[id].response()) {
                (Request::Range(request), Some(Response::Range(response))) => {
                    (ViolationKind::ReadMismatch, check_range(&self.store, &plan.keys, at, request, response))
                }
                (Request::LeaseRevoke { id: lease }, _) => {
                    (ViolationKind::WriteMismatch, self.check_revoke(id, *lease))
                }
                (request, response) => {
                    let kind = if matches!(request, Request::Txn(_)) {
                        ViolationKind::ReadMismatch
                    } else {
                        ViolationKind::WriteMismatch
                    };
                    (kind, self.check_unchanged(request, response))
                }
            };
            if let Err(mismatch) = result {
                return Err(self.impossible(kind, at, Some(id), mismatch));
            }
        }
        Ok(())
    }

    /// A write whose answer says that it changed nothing.
    fn check_unchanged(
        &mut self,
        request: &'h Request,
        response: Option<&'h Response>,
    ) -> Result<(), Mismatch> {
        let mark = self.store.mark();
        let result = apply(&mut self.store, &self.plan.keys, request, response);
        let written: KeySet = self.store.written_since(mark).iter().copied().collect();
        self.store.rollback(mark);
        if result? {
            let text = "its answer says that it changed nothing, and it would have".into();
            return Err(Mismatch { text, keys: written });
        }
        Ok(())
    }

    /// An answered revoke has taken the keys of its lease, or there were none.
    fn check_revoke(&self, id: OpId, lease: i64) -> Result<(), Mismatch> {
        let c = self.revokes[&id];
        let keys = attached(&self.store, lease);
        let granted_again = self.grants.get(&lease).is_some_and(|&grants| grants > 1);
        if self.used_at[c].is_some() || keys.is_empty() || granted_again {
            return Ok(());
        }
        let text = format!(
            "it revoked lease {lease}, and its revision still has {}",
            explain::names(&self.plan.keys, &keys)
        );
        Err(Mismatch { text, keys: self.plan.candidates[c].keys.iter().copied().collect() })
    }

    /// Reaches a gap. An error: this very situation has failed before.
    fn open(&mut self, gap: i64) -> Result<(), KeySet> {
        if let Some(conflict) = self.failed.get(&self.situation(gap)) {
            return Err(conflict.clone());
        }
        let facts = self.outlook.facts(gap);
        let preferred = if facts.is_empty() { self.dutiful(gap) } else { self.matching(gap, facts) };
        self.frames.push(Frame {
            gap,
            mark: self.store.mark(),
            preferred,
            is_closed: !facts.is_empty(),
            next: 0,
            tried: Vec::new(),
            chosen: None,
            has_fitted: false,
            conflict: KeySet::new(),
            must_touch: Vec::new(),
        });
        Ok(())
    }

    fn situation(&self, gap: i64) -> (i64, u128, u128) {
        (gap, self.store.fingerprint(), self.used_fingerprint)
    }

    /// The candidates that can have written what answers show of `gap`.
    fn matching(&self, gap: i64, facts: &[Fact<'h>]) -> Vec<usize> {
        let Some(first) = facts.first() else { return Vec::new() };
        let putters = self.putters.get(&first.key).map_or(&[][..], Vec::as_slice);
        let fits = |c: &usize| {
            let candidate = &self.plan.candidates[*c];
            candidate.above < gap
                && gap <= candidate.upto
                && match candidate.write {
                    Write::Op(id) => {
                        facts.iter().all(|fact| can_write(self.plan, self.plan.request(id), fact))
                    }
                    Write::Expiry { .. } => false,
                }
        };
        putters.iter().copied().filter(fits).collect()
    }

    /// The candidates that do what has to be done from `gap` on, the most urgent first.
    fn dutiful(&self, gap: i64) -> Vec<usize> {
        const ENOUGH: usize = 64;
        let mut preferred = Vec::new();
        for duty in self.outlook.duties(&self.store, gap) {
            let able = if duty.is_delete { &self.deleters } else { &self.putters };
            for &c in able.get(&duty.key).into_iter().flatten() {
                if !preferred.contains(&c) && self.is_available(c, gap) {
                    preferred.push(c);
                }
                if preferred.len() == ENOUGH {
                    return preferred;
                }
            }
        }
        preferred
    }

    /// Whether `c` can fill `gap` as far as its time and everybody's answers go, used up or not.
    fn is_eligible(&self, c: usize, gap: i64) -> bool {
        let candidate = &self.plan.candidates[c];
        candidate.above < gap
            && gap <= candidate.upto
            && self.only_at[c].is_none_or(|only| only == gap)
            && match candidate.write {
                Write::Op(id) => match self.plan.request(id) {
                    Request::Put(_) => !self.outlook.rules_out(candidate.keys[0], gap, false),
                    Request::Delete(delete) if delete.range_end.is_empty() => {
                        !self.outlook.rules_out(candidate.keys[0], gap, true)
                    }
                    _ => true,
                },
                Write::Expiry { .. } => true,
            }
    }

    fn is_available(&self, c: usize, gap: i64) -> bool {
        self.used_at[c].is_none() && self.is_eligible(c, gap)
    }

    fn touches(&self, c: usize, keys: &KeySet) -> bool {
        self.plan.candidates[c].keys.iter().any(|key| keys.contains(key))
    }

    /// Fills the newest frame's gap with the next candidate that fits. An error: none is left, and the frame is gone.
    fn choose(&mut self) -> Result<(), KeySet> {
        while let Some(c) = self.next_alternative() {
            self.count_state();
            let fits = self.fits(c);
            let frame = self.frames.last_mut().expect("a choice belongs to a frame");
            if fits {
                frame.has_fitted = true;
                frame.chosen = Some(c);
                self.take(c);
                return Ok(());
            }
            self.store.rollback(frame.mark);
            frame.conflict.extend(self.plan.candidates[c].keys.iter().copied());
            if self.effort >= self.effort_max {
                // Unwinding from here proves nothing any more.
                self.out_of_budget = true;
                break;
            }
        }
        self.close()
    }

    fn close(&mut self) -> Result<(), KeySet> {
        let frame = self.frames.pop().expect("a choice belongs to a frame");
        let mut conflict = frame.conflict;
        let used = |c: &usize| {
            self.used_at[*c].is_some()
                && self.is_eligible(*c, frame.gap)
                && frame.must_touch.iter().all(|keys| self.touches(*c, keys))
        };
        let choice = if frame.is_closed { &frame.preferred } else { &self.recent };
        for c in choice.iter().copied().filter(used) {
            conflict.extend(self.plan.candidates[c].keys.iter().copied());
        }
        if !frame.has_fitted && self.is_deeper(frame.gap) {
            self.deepest =
                Some(explain::gap(self.plan, &self.store, &self.outlook, frame.gap, &self.used_at));
        }
        if self.can_remember {
            self.failed.insert(self.situation(frame.gap), conflict.clone());
        }
        Err(conflict)
    }

    /// Takes the newest choice back, and further ones until one has another way to go. False: there is none.
    fn backtrack(&mut self, mut conflict: KeySet) -> bool {
        while let Some(c) = self.frames.last().and_then(|frame| frame.chosen) {
            self.backtracks += 1;
            self.release(c);
            let touches = self.touches(c, &conflict);
            let frame = self.frames.last_mut().expect("the frame of the choice is there");
            frame.chosen = None;
            frame.conflict.extend(&conflict);
            if touches {
                frame.conflict.extend(self.plan.candidates[c].keys.iter().copied());
            } else {
                frame.must_touch.push(conflict);
            }
            self.store.rollback(frame.mark);
            match self.choose() {
                Ok(()) => return true,
                Err(wider) => conflict = wider,
            }
        }
        false
    }

    fn next_alternative(&mut self) -> Option<usize> {
        let frame = self.frames.last()?;
        let (gap, start) = (frame.gap, frame.next);
        let preferred = frame.preferred.len();
        let end = if frame.is_closed { preferred } else { preferred + self.recent.len() };
        let found = (start..end).find(|&n| {
            let c = if n < preferred { frame.preferred[n] } else { self.recent[n - preferred] };
            self.is_available(c, gap)
                && !frame.tried.contains(&self.twins[c])
                && (n < preferred || !frame.preferred.contains(&c))
                && frame.must_touch.iter().all(|keys| self.touches(c, keys))
        });
        const LOOKED_AT_PER_STATE: usize = 64;
        self.effort += ((found.unwrap_or(end) - start) / LOOKED_AT_PER_STATE) as u64;
        let frame = self.frames.last_mut()?;
        frame.next = found.map_or(end, |n| n + 1);
        let n = found?;
        let c = if n < preferred { frame.preferred[n] } else { self.recent[n - preferred] };
        frame.tried.push(self.twins[c]);
        Some(c)
    }

    /// Writes `c` into the newest frame's gap; whether it wrote anything that the answers allow.
    fn fits(&mut self, c: usize) -> bool {
        let mark = self.store.mark();
        let wrote = match self.plan.candidates[c].write {
            Write::Op(id) => {
                apply(&mut self.store, &self.plan.keys, self.plan.request(id), None).unwrap_or(false)
            }
            Write::Expiry { lease } => execute::expire(&mut self.store, lease),
        };
        if !wrote {
            return false;
        }
        let gap = self.store.revision();
        let told = self.outlook.facts(gap).iter().all(|fact| {
            self.store.live(fact.key).is_some_and(|version| match fact.told {
                Told::Pair { kv, keys_only } => execute::same(kv, version, keys_only).is_ok(),
                Told::Creation(_) => version.create == gap,
                Told::Put => version.revision == gap,
            })
        });
        told && self
            .store
            .written_since(mark)
            .iter()
            .all(|&key| self.outlook.allows(self.plan, key, gap, self.store.live(key)))
    }

    fn count_state(&mut self) {
        self.states += 1;
        self.effort += 1;
    }

    fn take(&mut self, c: usize) {
        if !self.plan.candidates[c].reusable {
            self.used_at[c] = Some(self.store.revision());
            self.used_fingerprint =
                self.used_fingerprint.wrapping_add(hash_words([self.twins[c] as u64].into_iter()));
        }
    }

    fn release(&mut self, c: usize) {
        if self.used_at[c].take().is_some() {
            self.used_fingerprint =
                self.used_fingerprint.wrapping_sub(hash_words([self.twins[c] as u64].into_iter()));
        }
    }

    fn is_deeper(&self, revision: i64) -> bool {
        self.deepest.as_ref().is_none_or(|deepest| deepest.revision < revision)
    }

    fn impossible(
        &mut self,
        kind: ViolationKind,
        revision: i64,
        op: Option<OpId>,
        mismatch: Mismatch,
    ) -> KeySet {
        if self.is_deeper(revision) {
            let found =
                explain::mismatch(self.plan, &self.store, kind, revision, op, &mismatch, &self.used_at);
            self.deepest = Some(found);
        }
        mismatch.keys
    }
}

/// Requests that are the same do the same, whichever of them takes effect.
fn twins(plan: &Plan<'_>) -> Vec<usize> {
    let mut first: BTreeMap<(&Request, i64), usize> = BTreeMap::new();
    let twin = |(c, candidate): (usize, &Candidate)| match candidate.write {
        Write::Op(id) => *first.entry((plan.request(id), candidate.upto)).or_insert(c),
        Write::Expiry { .. } => c,
    };
    plan.candidates.iter().enumerate().map(twin).collect()
}

/// The lease that an operation grants, as far as anyone knows.
fn granted(op: &Operation) -> Option<i64> {
    match (&op.request, op.response()) {
        (Request::LeaseGrant { .. }, Some(Response::LeaseGrant { id, .. })) => Some(*id),
        (Request::LeaseGrant { id, .. }, _) => Some(*id).filter(|&id| id != 0),
        _ => None,
    }
}

/// Whether a transaction reads at a revision of its own choice: then more than the present contents counts.
fn reads_the_past(request: &Request) -> bool {
    match request {
        Request::Txn(txn) => txn.success.iter().chain(&txn.failure).any(|op| match op {
            Request::Range(range) => range.revision > 0,
            inner => reads_the_past(inner),
        }),
        _ => false,
    }
}

fn writes_of(plan: &Plan<'_>, request: &Request, puts: &mut KeySet, deletes: &mut KeySet) {
    match request {
        Request::Put(put) => {
            puts.insert(plan.keys.id(&put.key));
        }
        Request::Delete(delete) => deletes.extend(plan.keys.interval(&delete.key, &delete.range_end)),
        Request::Txn(txn) => {
            txn.success.iter().chain(&txn.failure).for_each(|op| writes_of(plan, op, puts, deletes));
        }
        Request::LeaseRevoke { id } => deletes.extend(plan.keys_of_lease(*id)),
        Request::Range(_) | Request::Compact { .. } | Request::LeaseGrant { .. } => {}
    }
}

/// Whether `request` can leave what `fact` tells.
pub(super) fn can_write(plan: &Plan<'_>, request: &Request, fact: &Fact<'_>) -> bool {
    match request {
        Request::Put(put) => {
            put.key == plan.keys.name(fact.key)
                && match fact.told {
                    Told::Pair { kv, keys_only } => {
                        (put.ignore_value || keys_only || put.value == kv.value)
                            && (put.ignore_lease || put.lease == kv.lease)
                    }
                    Told::Creation(_) | Told::Put => true,
                }
        }
        Request::Txn(txn) => txn.success.iter().chain(&txn.failure).any(|op| can_write(plan, op, fact)),
        _ => false,
    }
}
