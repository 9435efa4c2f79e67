//! Compactions, and whatever was refused: the reasons given must have been there.
//!
//! A reason is judged by what is certain: what had finished before the call had happened, and what was called after
//! the answer had not. What operations of unknown fate may have changed is given the benefit of the doubt.

use super::{
    Options, explain,
    order::Floor,
    plan::{Plan, Write},
    store::Store,
};
use crate::{
    check::{Violation, ViolationKind},
    history::{OpId, Operation, Outcome, Refusal, Request},
};

/// A compaction that may have happened.
struct Compaction {
    id: OpId,
    revision: i64,
    call: u64,
    /// When it was certainly done.
    done: Option<u64>,
}

pub(super) fn first_violation(
    plan: &Plan<'_>,
    options: &Options,
    floors: &[Floor],
    store: &Store<'_>,
) -> Option<Violation> {
    let judge = Judge { plan, options, floors, store, compactions: Compactions::new(plan.ops) };
    let mut ids: Vec<OpId> = (0..plan.ops.len()).collect();
    ids.sort_by_key(|&id| (plan.ops[id].ret, id));
    ids.into_iter().find_map(|id| judge.flaw(id))
}

/// Compactions with the questions asked of them, each answered by a binary search.
struct Compactions {
    /// By call, with the highest revision of all calls so far.
    called: Vec<(u64, i64, OpId)>,
    /// By answer, with the highest revision of all answers so far.
    done: Vec<(u64, i64, OpId)>,
}

impl Compactions {
    fn new(ops: &[Operation]) -> Self {
        let all: Vec<Compaction> = ops
            .iter()
            .enumerate()
            .filter_map(|(id, op)| match (&op.request, &op.outcome) {
                (_, Outcome::Failed(_)) => None,
                (Request::Compact { revision }, outcome) => Some(Compaction {
                    id,
                    revision: *revision,
                    call: op.call,
                    done: op.ret.filter(|_| matches!(outcome, Outcome::Ok(_))),
                }),
                _ => None,
            })
            .collect();
        let called = all.iter().map(|c| (c.call, c.revision, c.id)).collect();
        let done = all.iter().filter_map(|c| Some((c.done?, c.revision, c.id))).collect();
        Self { called: running_max(called), done: running_max(done) }
    }

    /// The highest compaction that may have taken effect by `time`.
    fn possible(&self, time: u64) -> Option<(i64, OpId)> {
        let upto = self.called.partition_point(|&(call, ..)| call <= time);
        self.called[..upto].last().map(|&(_, revision, id)| (revision, id))
    }

    /// The highest compaction that had certainly taken effect before `time`.
    fn certain(&self, time: u64) -> Option<(i64, OpId)> {
        let upto = self.done.partition_point(|&(ret, ..)| ret < time);
        self.done[..upto].last().map(|&(_, revision, id)| (revision, id))
    }
}

fn running_max(mut events: Vec<(u64, i64, OpId)>) -> Vec<(u64, i64, OpId)> {
    events.sort_unstable();
    for n in 1..events.len() {
        let (_, revision, id) = events[n - 1];
        if events[n].1 < revision {
            (events[n].1, events[n].2) = (revision, id);
        }
    }
    events
}

struct Judge<'a, 'h> {
    plan: &'a Plan<'h>,
    options: &'a Options,
    floors: &'a [Floor],
    store: &'a Store<'h>,
    compactions: Compactions,
}

impl Judge<'_, '_> {
    fn flaw(&self, id: OpId) -> Option<Violation> {
        let op = &self.plan.ops[id];
        match &op.outcome {
            Outcome::Ok(_) => self.too_late(id, op),
            Outcome::Failed(Refusal::Compacted) => self.not_compacted(id, op),
            Outcome::Failed(Refusal::FutureRevision) => self.not_future(id, op),
            Outcome::Failed(Refusal::KeyNotFound) => self.key_was_there(id, op),
            Outcome::Failed(Refusal::LeaseNotFound) => self.lease_was_there(id, op),
            Outcome::Failed(Refusal::Other(_)) | Outcome::Unknown(_) => None,
        }
    }

    /// Answered, and had to be refused because of a compaction.
    fn too_late(&self, id: OpId, op: &Operation) -> Option<Violation> {
        let (bound, by) = self.compactions.certain(op.call)?;
        let sentence = match &op.request {
            Request::Compact { revision } if *revision <= bound => {
                format!(
                    "{} was done, and revision {bound} was compacted before it started",
                    explain::short(id, &op.request)
                )
            }
            // A member that lags may not have heard of the compaction.
            request if request.is_serializable() => return None,
            request => {
                let wanted = oldest_revision(request, op)?;
                if wanted >= bound {
                    return None;
                }
                format!(
                    "{} read revision {wanted}, and everything below {bound} was compacted before it started",
                    explain::short(id, request)
                )
            }
        };
        Some(self.violation(ViolationKind::Compaction, sentence, vec![id, by]))
    }

    /// Refused as compacted, and nobody had asked for such a compaction.
    fn not_compacted(&self, id: OpId, op: &Operation) -> Option<Violation> {
        if self.options.auto_compaction {
            return None;
        }
        // With the lowest revision asked for, the reason is there if it is there for any.
        let (wanted, is_compaction) = match &op.request {
            Request::Compact { revision } => (*revision, true),
            Request::Range(range) if range.revision <= 0 => {
                let sentence = format!(
                    "{} was refused as compacted, and it asked for the newest revision",
                    explain::short(id, &op.request)
                );
                return Some(self.violation(ViolationKind::Compaction, sentence, vec![id]));
            }
            request => (lowest_revision(request)?, false),
        };
        if wanted < 0 {
            return None;
        }
        let possible = self.compactions.possible(op.ret?);
        let is_reason =
            |(bound, _): (i64, OpId)| if is_compaction { wanted <= bound } else { wanted < bound };
        if possible.is_some_and(is_reason) {
            return None;
        }
        let sentence = format!(
            "{} was refused as compacted, and no compaction that far had been asked for",
            explain::short(id, &op.request)
        );
        let involved = [id].into_iter().chain(possible.map(|(_, by)| by)).collect();
        Some(self.violation(ViolationKind::Compaction, sentence, involved))
    }

    /// Refused because its revision was still to come, and somebody had seen that revision.
    fn not_future(&self, id: OpId, op: &Operation) -> Option<Violation> {
        if op.request.is_serializable() {
            return None;
        }
        let wanted = match &op.request {
            Request::Compact { revision } => *revision,
            request => highest_revision(request)?,
        };
        let floor = self.floors[id];
        if wanted > floor.revision {
            return None;
        }
        let sentence = format!(
            "{} was refused as in the future, and revision {} had been seen before it started",
            explain::short(id, &op.request),
            floor.revision
        );
        Some(self.violation(ViolationKind::Refusal, sentence, [id].into_iter().chain(floor.by).collect()))
    }

    /// A put that keeps the value or the lease was refused, and its key was there all the time.
    fn key_was_there(&self, id: OpId, op: &Operation) -> Option<Violation> {
        let Request::Put(put) = &op.request else { return None };
        let key = self.plan.keys.id(&put.key);
        if self.plan.candidates.iter().any(|candidate| candidate.keys.contains(&key)) {
            return None;
        }
        let (from, to) = (self.floors[id].revision, self.newest_before(op.ret?));
        let was_absent = self.store.live_at(key, from).is_none()
            || self
                .store
                .history_of(key)
                .iter()
                .any(|version| version.version == 0 && (from..=to).contains(&version.revision));
        if was_absent {
            return None;
        }
        let sentence = format!(
            "{} was refused for a missing key, and the key was there at every revision from {from} to {to}",
            explain::short(id, &op.request)
        );
        Some(self.violation(ViolationKind::Refusal, sentence, vec![id]))
    }

    /// The newest revision there can have been at `time`: nothing after it had been called.
    fn newest_before(&self, time: u64) -> i64 {
        let first_later = self.plan.writes.iter().find(|(_, write)| match write {
            Write::Op(id) => self.plan.ops[*id].call > time,
            Write::Expiry { .. } => false,
        });
        first_later.map_or(self.plan.last, |(&revision, _)| revision - 1)
    }

    /// Refused for a missing lease that had been granted and that nobody can have taken away.
    fn lease_was_there(&self, id: OpId, op: &Operation) -> Option<Violation> {
        if self.options.lease_expiry || !self.options.internal.is_empty() {
            return None;
        }
        let lease = match &op.request {
            Request::Put(put) => put.lease,
            Request::LeaseRevoke { id } => *id,
            _ => return None,
        };
        let ret = op.ret?;
        let may_be_gone = self.plan.ops.iter().enumerate().any(|(other, by)| {
            other != id
                && by.call <= ret
                && !matches!(by.outcome, Outcome::Failed(_))
                && matches!(by.request, Request::LeaseRevoke { id } if id == lease)
        });
        let granted = self.plan.ops.iter().position(|by| {
            by.ret.is_some_and(|ret| ret < op.call)
                && matches!(by.response(), Some(crate::history::Response::LeaseGrant { id, .. }) if *id == lease)
        });
        let granted = granted.filter(|_| !may_be_gone)?;
        let sentence = format!(
            "{} was refused for a missing lease, and the lease had been granted and never revoked",
            explain::short(id, &op.request)
        );
        Some(self.violation(ViolationKind::Refusal, sentence, vec![id, granted]))
    }

    fn violation(&self, kind: ViolationKind, sentence: String, involved: Vec<OpId>) -> Violation {
        explain::violation(self.plan.ops, kind, sentence, involved, &[])
    }
}

/// The oldest revision that an answered request has read by number.
fn oldest_revision(request: &Request, op: &Operation) -> Option<i64> {
    fn walk(request: &Request, response: &crate::history::Response) -> Option<i64> {
        match (request, response) {
            (Request::Range(range), _) => Some(range.revision).filter(|&revision| revision > 0),
            (Request::Txn(request), crate::history::Response::Txn(response)) => {
                let branch = if response.succeeded { &request.success } else { &request.failure };
                branch.iter().zip(&response.responses).filter_map(|(op, response)| walk(op, response)).min()
            }
            _ => None,
        }
    }
    walk(request, op.response()?)
}

/// The lowest revision that a request names anywhere.
fn lowest_revision(request: &Request) -> Option<i64> {
    named_revisions(request).into_iter().min()
}

fn highest_revision(request: &Request) -> Option<i64> {
    named_revisions(request).into_iter().max()
}

fn named_revisions(request: &Request) -> Vec<i64> {
    match request {
        Request::Range(range) if range.revision != 0 => vec![range.revision],
        Request::Txn(txn) => txn.success.iter().chain(&txn.failure).flat_map(named_revisions).collect(),
        _ => Vec::new(),
    }
}
