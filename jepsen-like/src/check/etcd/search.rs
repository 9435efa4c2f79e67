//! The replay: every revision in turn, every answer compared at the revision it shows. Where no known write has a
//! revision, one of unknown fate must: the only place where the judge has to guess, and may have to take a guess back.
//!
//! When an answer contradicts the model, the keys it is about tell which guesses are to blame: a guess that neither
//! touches one of these keys nor stands in the place of one that would is not reconsidered (conflict-directed
//! backjumping). A failed situation (revision, contents, writes used up) is remembered and not tried again.

use std::collections::BTreeMap;

use super::{
    choices::Choices,
    execute::{self, Mismatch, apply, attached, check_range},
    explain::{self, Impossible},
    keys::KeySet,
    outlook::Told,
    plan::{Plan, Write},
    store::{Mark, Store},
};
use crate::{
    check::ViolationKind,
    history::{KeyValue, OpId, Operation, Request, Response},
};

/// When to try another order of candidates.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// States without a new revision before the first change of order; each further one gets twice as many.
    pub patience: u64,
    /// Choices that the first change of order takes back; each further one takes back twice as many.
    pub choices_back: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self { patience: 500, choices_back: 16 }
    }
}

/// Failed situations that are kept in mind.
const REMEMBERED_MAX: usize = 200_000;

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
    choices: Choices<'p, 'h>,
    store: Store<'h>,
    /// The candidate of an answered revoke.
    revokes: BTreeMap<OpId, usize>,
    frames: Vec<Frame>,
    failed: BTreeMap<(i64, u128, u128), KeySet>,
    can_remember: bool,
    deepest: Option<Impossible>,
    /// Grants by lease, asked for or answered.
    grants: BTreeMap<i64, u64>,
    /// Changes of the order in which candidates are tried: what one order finds hard, another often finds at once.
    attempt: u64,
    pace: Pace,
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
    pub fn new(plan: &'p Plan<'h>, initial: &'h [KeyValue], budget: u64, pace: Pace) -> Self {
        let store = Store::new(&plan.keys, plan.origin, initial);
        let mut search = Self {
            plan,
            choices: Choices::new(plan),
            store,
            revokes: BTreeMap::new(),
            frames: Vec::new(),
            failed: BTreeMap::new(),
            can_remember: !plan.ops.iter().any(|op| reads_the_past(&op.request)),
            deepest: None,
            grants: BTreeMap::new(),
            attempt: 0,
            pace,
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
        for (c, candidate) in plan.candidates.iter().enumerate() {
            match candidate.write {
                Write::Op(id) if plan.ops[id].response().is_some() => {
                    search.revokes.insert(id, c);
                }
                _ => {}
            }
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
        self.effort - self.reached_after >= self.pace.patience << self.stuck.min(32)
    }

    /// Gives up some of the newest choices, without a verdict on them, and goes on in another order. Each time without
    /// progress it is more of them, and more patience, so that in the end the whole search gets all the time it needs.
    fn step_back(&mut self) {
        let keep = self.frames.len().saturating_sub(self.pace.choices_back << self.stuck.min(32));
        while self.frames.len() > keep {
            let frame = self.frames.pop().expect("there are more than are kept");
            if let Some(c) = frame.chosen {
                self.choices.release(c);
            }
            self.store.rollback(frame.mark);
        }
        // In the new order the untried candidates of the frames that stay may be anywhere.
        self.frames.iter_mut().for_each(|frame| frame.next = 0);
        self.stuck += 1;
        self.attempt += 1;
        self.reached_after = self.effort;
        self.choices.shuffle(self.attempt);
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
        let mark = self.store.mark();
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
        if let Some(mismatch) = self.changed_otherwise(revision, mark) {
            return Err(self.impossible(ViolationKind::WriteMismatch, revision, op, mismatch));
        }
        self.observe()
    }

    /// What was written since `mark` against what is known to have changed at `revision`.
    fn changed_otherwise(&self, revision: i64, mark: Mark) -> Option<Mismatch> {
        let changed = self.plan.changed.get(&revision)?;
        let written: KeySet = self.store.written_since(mark).iter().copied().collect();
        if written == *changed {
            return None;
        }
        let names =
            |keys: &KeySet| explain::names(&self.plan.keys, &keys.iter().copied().collect::<Vec<_>>());
        let text = format!("it changes {}, and what changed was {}", names(&written), names(changed));
        Some(Mismatch { text, keys: written.union(changed).copied().collect() })
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
        if self.choices.used_at[c].is_some() || keys.is_empty() || granted_again {
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
        let facts = self.choices.outlook.facts(gap);
        let preferred = if facts.is_empty() {
            self.choices.dutiful(&self.store, gap)
        } else {
            self.choices.matching(gap, facts)
        };
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
        (gap, self.store.fingerprint(), self.choices.used_fingerprint)
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
                self.choices.take(c, self.store.revision());
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
            self.choices.used_at[*c].is_some()
                && self.choices.is_eligible(*c, frame.gap)
                && frame.must_touch.iter().all(|keys| self.choices.touches(*c, keys))
        };
        let choice = if frame.is_closed { &frame.preferred } else { &self.choices.order };
        for c in choice.iter().copied().filter(used) {
            conflict.extend(self.plan.candidates[c].keys.iter().copied());
        }
        if !frame.has_fitted && self.is_deeper(frame.gap) {
            self.deepest = Some(explain::gap(
                self.plan,
                &self.store,
                &self.choices.outlook,
                frame.gap,
                &self.choices.used_at,
            ));
        }
        if self.can_remember && self.failed.len() < REMEMBERED_MAX {
            self.failed.insert(self.situation(frame.gap), conflict.clone());
        }
        Err(conflict)
    }

    /// Takes the newest choice back, and further ones until one has another way to go. False: there is none.
    fn backtrack(&mut self, mut conflict: KeySet) -> bool {
        while let Some(c) = self.frames.last().and_then(|frame| frame.chosen) {
            self.backtracks += 1;
            self.choices.release(c);
            let touches = self.choices.touches(c, &conflict);
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
        let end = if frame.is_closed { preferred } else { preferred + self.choices.order.len() };
        let found = (start..end).find(|&n| {
            let c = if n < preferred { frame.preferred[n] } else { self.choices.order[n - preferred] };
            self.choices.is_available(c, gap)
                && !frame.tried.contains(&self.choices.twins[c])
                && (n < preferred || !frame.preferred.contains(&c))
                && frame.must_touch.iter().all(|keys| self.choices.touches(c, keys))
        });
        const LOOKED_AT_PER_STATE: usize = 64;
        self.effort += ((found.unwrap_or(end) - start) / LOOKED_AT_PER_STATE) as u64;
        let frame = self.frames.last_mut()?;
        frame.next = found.map_or(end, |n| n + 1);
        let n = found?;
        let c = if n < preferred { frame.preferred[n] } else { self.choices.order[n - preferred] };
        frame.tried.push(self.choices.twins[c]);
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
        if self.changed_otherwise(gap, mark).is_some() {
            return false;
        }
        let told = self.choices.outlook.facts(gap).iter().all(|fact| {
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
            .all(|&key| self.choices.outlook.allows(self.plan, key, gap, self.store.live(key)))
    }

    fn count_state(&mut self) {
        self.states += 1;
        self.effort += 1;
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
            let found = explain::mismatch(
                self.plan,
                &self.store,
                kind,
                revision,
                op,
                &mismatch,
                &self.choices.used_at,
            );
            self.deepest = Some(found);
        }
        mismatch.keys
    }
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
