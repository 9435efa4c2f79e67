//! The writes of unknown fate: which of them could fill a gap, and in which order to try them.

use std::collections::BTreeMap;

use super::{
    keys::KeySet,
    outlook::{Fact, Outlook, Told},
    plan::{Candidate, Plan, Write},
    store::{Store, hash_words},
};
use crate::history::Request;

/// Candidates go by their number in [`Plan::candidates`].
pub(super) struct Choices<'p, 'h> {
    plan: &'p Plan<'h>,
    pub outlook: Outlook<'h>,
    /// Candidates that can put a key, or delete it.
    putters: BTreeMap<usize, Vec<usize>>,
    deleters: BTreeMap<usize, Vec<usize>>,
    /// All candidates in the order in which they are tried.
    pub order: Vec<usize>,
    /// The only gap that a candidate can fill: an answer shows its write there and nobody else's.
    only_at: Vec<Option<i64>>,
    /// The gap that a candidate fills.
    pub used_at: Vec<Option<i64>>,
    pub used_fingerprint: u128,
    /// What interchangeable candidates have in common: the smallest of their numbers.
    pub twins: Vec<usize>,
}

impl<'p, 'h> Choices<'p, 'h> {
    pub fn new(plan: &'p Plan<'h>) -> Self {
        let mut choices = Self {
            plan,
            outlook: Outlook::new(plan),
            putters: BTreeMap::new(),
            deleters: BTreeMap::new(),
            order: (0..plan.candidates.len()).collect(),
            only_at: vec![None; plan.candidates.len()],
            used_at: vec![None; plan.candidates.len()],
            used_fingerprint: 0,
            twins: twins(plan),
        };
        for (c, candidate) in plan.candidates.iter().enumerate() {
            let (mut puts, mut deletes) = (KeySet::new(), KeySet::new());
            match candidate.write {
                Write::Op(id) => writes_of(plan, plan.request(id), &mut puts, &mut deletes),
                Write::Expiry { lease } => deletes.extend(plan.keys_of_lease(lease)),
            }
            puts.into_iter().for_each(|key| choices.putters.entry(key).or_default().push(c));
            deletes.into_iter().for_each(|key| choices.deleters.entry(key).or_default().push(c));
        }
        let forced: Vec<_> = choices
            .outlook
            .all_facts()
            .filter_map(|(gap, facts)| match choices.matching(gap, facts).as_slice() {
                &[only] => Some((only, gap)),
                _ => None,
            })
            .collect();
        for (c, gap) in forced {
            choices.only_at[c] = choices.only_at[c].or(Some(gap));
        }
        choices.shuffle(0);
        choices
    }

    /// At first what was called last comes first: what takes effect mostly does so soon. Then any order will do.
    pub fn shuffle(&mut self, attempt: u64) {
        let key = |c: usize| match attempt {
            0 => (-self.plan.candidates[c].above, 0),
            _ => (0, hash_words([attempt, c as u64].into_iter())),
        };
        self.order.sort_by_key(|&c| key(c));
        for able in self.putters.values_mut().chain(self.deleters.values_mut()) {
            able.sort_by_key(|&c| key(c));
        }
    }

    /// The candidates that can have written what answers show of `gap`.
    pub fn matching(&self, gap: i64, facts: &[Fact<'h>]) -> Vec<usize> {
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
    pub fn dutiful(&self, store: &Store<'h>, gap: i64) -> Vec<usize> {
        const ENOUGH: usize = 64;
        let mut preferred = Vec::new();
        for duty in self.outlook.duties(store, gap) {
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
    pub fn is_eligible(&self, c: usize, gap: i64) -> bool {
        let candidate = &self.plan.candidates[c];
        candidate.above < gap
            && gap <= candidate.upto
            && self.only_at[c].is_none_or(|only| only == gap)
            && self
                .plan
                .changed
                .get(&gap)
                .is_none_or(|changed| changed.iter().all(|key| candidate.keys.binary_search(key).is_ok()))
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

    pub fn is_available(&self, c: usize, gap: i64) -> bool {
        self.used_at[c].is_none() && self.is_eligible(c, gap)
    }

    pub fn touches(&self, c: usize, keys: &KeySet) -> bool {
        self.plan.candidates[c].keys.iter().any(|key| keys.contains(key))
    }

    pub fn take(&mut self, c: usize, gap: i64) {
        if !self.plan.candidates[c].reusable {
            self.used_at[c] = Some(gap);
            self.used_fingerprint =
                self.used_fingerprint.wrapping_add(hash_words([self.twins[c] as u64].into_iter()));
        }
    }

    pub fn release(&mut self, c: usize) {
        if self.used_at[c].take().is_some() {
            self.used_fingerprint =
                self.used_fingerprint.wrapping_sub(hash_words([self.twins[c] as u64].into_iter()));
        }
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
