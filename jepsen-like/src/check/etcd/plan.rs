//! A history sorted for the judge: which write has which revision, which answer shows which, and which operations of
//! unknown fate could fill the revisions that are left.

use std::collections::BTreeMap;

use super::{
    Internal, Options,
    keys::{KeySet, Keys},
    order::Floor,
};
use crate::history::{History, OpId, Operation, Outcome, Request, Response};

/// A write whose revision is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Write {
    Op(OpId),
    Expiry { lease: i64 },
}

/// A write that may have happened, at a revision that no known write has.
pub(super) struct Candidate {
    pub write: Write,
    /// It can only have a revision above this one: this one was seen before the call.
    pub above: i64,
    /// It can only have a revision up to this one.
    pub upto: i64,
    /// Every key that it can change or that can change what it does.
    pub keys: Vec<usize>,
    /// Expiries: the same lease can be granted, and run out, again.
    pub reusable: bool,
}

pub(super) struct Plan<'h> {
    pub ops: &'h [Operation],
    pub keys: Keys<'h>,
    pub origin: i64,
    /// The newest revision that any answer shows.
    pub last: i64,
    pub writes: BTreeMap<i64, Write>,
    /// The keys of `writes`, for counting.
    known: Vec<i64>,
    /// Answers to compare with the store at a revision, by that revision.
    pub observations: Vec<(i64, OpId)>,
    pub candidates: Vec<Candidate>,
    /// Keys by the lease that some put attaches them to.
    pub leased: BTreeMap<i64, KeySet>,
    /// The keys that are known to have changed at a revision, and no others.
    pub changed: BTreeMap<i64, KeySet>,
}

/// Two writes claim one revision.
pub(super) struct Duplicate {
    pub revision: i64,
    pub first: Write,
    pub second: Write,
}

impl<'h> Plan<'h> {
    /// `floors` holds, by operation, the newest revision that anyone had seen before it was called.
    pub fn new(history: &'h History, options: &'h Options, floors: &[Floor]) -> Result<Self, Duplicate> {
        let keys = Keys::of(history, options);
        let ops = history.ops();
        let mut plan = Self {
            ops,
            origin: options.initial_revision,
            last: options.initial_revision,
            writes: BTreeMap::new(),
            known: Vec::new(),
            observations: Vec::new(),
            candidates: Vec::new(),
            leased: leased(ops, options, &keys),
            changed: options
                .changed
                .iter()
                .map(|(&revision, changed)| (revision, changed.iter().map(|key| keys.id(key)).collect()))
                .collect(),
            keys,
        };
        for internal in &options.internal {
            let Internal::LeaseExpired { revision, lease } = *internal;
            plan.last = plan.last.max(revision);
            plan.claim(revision, Write::Expiry { lease })?;
        }
        for (id, op) in ops.iter().enumerate() {
            match &op.outcome {
                Outcome::Ok(response) => plan.answered(id, response, floors[id].revision)?,
                Outcome::Unknown(_) if op.request.can_write() => {
                    plan.suspect(id, floors[id].revision, i64::MAX)
                }
                Outcome::Unknown(_) | Outcome::Failed(_) => {}
            }
        }
        plan.observations.sort_unstable();
        plan.known = plan.writes.keys().copied().collect();
        if options.lease_expiry {
            for (&lease, keys) in &plan.leased {
                plan.candidates.push(Candidate {
                    write: Write::Expiry { lease },
                    above: plan.origin,
                    upto: i64::MAX,
                    keys: keys.iter().copied().collect(),
                    reusable: true,
                });
            }
        }
        Ok(plan)
    }

    fn answered(&mut self, id: OpId, response: &'h Response, floor: i64) -> Result<(), Duplicate> {
        let revision = response.revision();
        self.last = self.last.max(revision);
        if has_written(response) {
            return self.claim(revision, Write::Op(id));
        }
        match &self.ops[id].request {
            Request::Range(range) => {
                let at = if range.revision > 0 { range.revision } else { revision };
                if at >= self.origin {
                    self.observations.push((at, id));
                }
            }
            Request::Put(_) | Request::Delete(_) | Request::Txn(_) => self.observations.push((revision, id)),
            // Its answer does not say whether there were keys to delete.
            Request::LeaseRevoke { .. } => {
                self.suspect(id, floor, revision);
                self.observations.push((revision, id));
            }
            Request::Compact { .. } | Request::LeaseGrant { .. } => {}
        }
        Ok(())
    }

    fn claim(&mut self, revision: i64, write: Write) -> Result<(), Duplicate> {
        match self.writes.insert(revision, write) {
            Some(first) => Err(Duplicate { revision, first, second: write }),
            None => Ok(()),
        }
    }

    fn suspect(&mut self, id: OpId, above: i64, upto: i64) {
        let mut keys = KeySet::new();
        touched(&self.ops[id].request, &self.keys, &self.leased, &mut keys);
        self.candidates.push(Candidate {
            write: Write::Op(id),
            above,
            upto,
            keys: keys.into_iter().collect(),
            reusable: false,
        });
    }

    pub fn request(&self, id: OpId) -> &'h Request {
        &self.ops[id].request
    }

    /// The answers that show the store at `revision`.
    pub fn observations_at(&self, revision: i64) -> &[(i64, OpId)] {
        let from = self.observations.partition_point(|&(at, _)| at < revision);
        let len = self.observations[from..].partition_point(|&(at, _)| at == revision);
        &self.observations[from..from + len]
    }

    /// How many revisions in `from..=to` no known write has.
    pub fn gaps_between(&self, from: i64, to: i64) -> i64 {
        if from > to {
            return 0;
        }
        let known = self.known.partition_point(|&r| r <= to) - self.known.partition_point(|&r| r < from);
        (to - from + 1) - i64::try_from(known).expect("fewer writes than an i64 holds")
    }

    pub fn is_gap(&self, revision: i64) -> bool {
        revision > self.origin && !self.writes.contains_key(&revision)
    }

    /// Keys that `lease` can have.
    pub fn keys_of_lease(&self, lease: i64) -> impl Iterator<Item = usize> {
        self.leased.get(&lease).into_iter().flatten().copied()
    }
}

/// Whether the answer says that something changed. A revoked lease's answer never does.
pub(super) fn has_written(response: &Response) -> bool {
    match response {
        Response::Put(_) => true,
        Response::Delete(delete) => delete.deleted > 0,
        Response::Txn(txn) => txn.responses.iter().any(has_written),
        Response::Range(_)
        | Response::Compact { .. }
        | Response::LeaseGrant { .. }
        | Response::LeaseRevoke { .. } => false,
    }
}

fn leased(ops: &[Operation], options: &Options, keys: &Keys<'_>) -> BTreeMap<i64, KeySet> {
    fn walk(request: &Request, keys: &Keys<'_>, leased: &mut BTreeMap<i64, KeySet>) {
        match request {
            Request::Put(put) if put.lease != 0 => {
                leased.entry(put.lease).or_default().insert(keys.id(&put.key));
            }
            Request::Txn(txn) => txn.success.iter().chain(&txn.failure).for_each(|op| walk(op, keys, leased)),
            _ => {}
        }
    }
    let mut leased = BTreeMap::new();
    for kv in options.initial.iter().filter(|kv| kv.lease != 0) {
        leased.entry(kv.lease).or_insert_with(KeySet::new).insert(keys.id(&kv.key));
    }
    ops.iter().for_each(|op| walk(&op.request, keys, &mut leased));
    leased
}

fn touched(request: &Request, keys: &Keys<'_>, leased: &BTreeMap<i64, KeySet>, into: &mut KeySet) {
    match request {
        Request::Put(put) => {
            into.insert(keys.id(&put.key));
        }
        Request::Delete(delete) => into.extend(keys.interval(&delete.key, &delete.range_end)),
        Request::Txn(txn) => {
            for compare in &txn.compares {
                into.extend(keys.interval(&compare.key, &compare.range_end));
            }
            txn.success.iter().chain(&txn.failure).for_each(|op| touched(op, keys, leased, into));
        }
        Request::LeaseRevoke { id } => into.extend(leased.get(id).into_iter().flatten()),
        Request::Range(_) | Request::Compact { .. } | Request::LeaseGrant { .. } => {}
    }
}
