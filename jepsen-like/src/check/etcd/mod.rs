//! Strict serializability of an etcd's history, by revisions.
//!
//! Every answer of an etcd carries a revision, and every change takes one of its own. So there is no order of writes
//! to search for: they are replayed in the order of their revisions, and each answer is compared with the model at the
//! revision it names. What remains is real time (an order on numbers) and the writes of unknown fate: where no
//! answered write has a revision that somebody has seen, one of those must have taken it. What answers show of that
//! revision mostly leaves one; where it leaves several, the judge tries them.
//!
//! What is asked of each kind of answer:
//! - **writes that changed something**: a revision that nobody else has, above all that was seen before the call;
//!   previous pairs, counts and comparisons as the revision before has them.
//! - **linearizable reads** (and writes that changed nothing): the contents of the revision they name, which is not
//!   below what was seen before the call.
//! - **serializable reads**: the contents of the revision they name, which may be old but not from the future.
//! - **reads of an old revision**: its contents, unless it was compacted before the call.
//! - **refused operations**: no effect, and a reason that was there.

mod choices;
mod execute;
mod explain;
mod keys;
mod order;
mod outlook;
mod plan;
mod refusals;
mod search;
mod shape;
mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::{
    plan::Plan,
    search::{End, Pace, Search},
};
use super::{Report, Stats, Verdict, ViolationKind};
use crate::history::{History, KeyValue, Operation, Outcome, Response};

/// What the judge may assume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// The store's revision before the first operation; 1 for a new one.
    pub initial_revision: i64,
    /// The store's contents before the first operation.
    pub initial: Vec<KeyValue>,
    /// What is known to have written without a client's request.
    pub internal: Vec<Internal>,
    /// Which keys changed at a revision, for whoever could look inside: exactly these, each once. A revision that is
    /// not named may have changed anything.
    pub changed: BTreeMap<i64, Vec<Vec<u8>>>,
    /// Whether a lease may run out and take its keys with it at any time.
    pub lease_expiry: bool,
    /// Whether the server may compact on its own.
    pub auto_compaction: bool,
    /// Model states that a search for operations of unknown fate may visit beyond one per revision.
    pub budget: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            initial_revision: 1,
            initial: Vec::new(),
            internal: Vec::new(),
            changed: BTreeMap::new(),
            lease_expiry: false,
            auto_compaction: false,
            budget: 2_000_000,
        }
    }
}

/// A write that no client asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Internal {
    /// `lease` ran out (or was revoked by someone else), which deleted its keys at `revision`.
    LeaseExpired { revision: i64, lease: i64 },
}

/// Judges `history`; see [`report`] for figures that come with every verdict.
pub fn check(history: &History, options: &Options) -> Verdict {
    report(history, options).verdict
}

/// Judges `history` and counts what was judged.
pub fn report(history: &History, options: &Options) -> Report {
    report_with(history, options, Pace::default())
}

fn report_with(history: &History, options: &Options, pace: Pace) -> Report {
    let ops = history.ops();
    let mut stats =
        Stats { ops: ops.len() as u64, revision_max: options.initial_revision, ..Stats::default() };
    for op in ops {
        count(op, &mut stats);
    }
    let verdict = judge(history, options, pace, &mut stats);
    Report { verdict, stats }
}

fn count(op: &Operation, stats: &mut Stats) {
    match &op.outcome {
        Outcome::Ok(response) => {
            stats.checked += 1;
            if plan::has_written(response) {
                stats.writes += 1;
            } else if matches!(response, Response::Range(_) | Response::Txn(_)) {
                stats.reads += 1;
            }
            stats.revision_max = stats.revision_max.max(response.revision());
        }
        Outcome::Failed(_) => stats.refused += 1,
        Outcome::Unknown(_) => stats.unknown_fate += u64::from(op.request.can_write()),
    }
}

fn judge(history: &History, options: &Options, pace: Pace, stats: &mut Stats) -> Verdict {
    let ops = history.ops();
    let malformed = ops.iter().enumerate().find_map(|(id, op)| {
        let flaw = shape::flaw(op, options.initial_revision)?;
        let sentence = format!("{}: {flaw}", explain::short(id, &op.request));
        Some(explain::violation(ops, ViolationKind::Malformed, sentence, vec![id], &[]))
    });
    if let Some(violation) = malformed {
        return Verdict::Illegal(violation);
    }
    let floors = order::floors(ops, options.initial_revision);
    let plan = match Plan::new(history, options, &floors) {
        Ok(plan) => plan,
        Err(duplicate) => return Verdict::Illegal(explain::duplicate(ops, &duplicate)),
    };
    stats.keys = plan.keys.len() as u64;
    if let Some((id, by)) = order::first_violation(ops, &floors) {
        return Verdict::Illegal(explain::order(ops, id, by));
    }
    let mut search = Search::new(&plan, &options.initial, options.budget, pace);
    let end = search.run();
    stats.states = search.states;
    stats.backtracks = search.backtracks;
    match end {
        End::Impossible(impossible) => return Verdict::Illegal(impossible.violation),
        End::OutOfBudget { revision } => {
            return Verdict::Unknown(format!(
                "gave up after {} states at revision {revision} of {}: {} writes of unknown fate leave too many ways",
                stats.states, plan.last, stats.unknown_fate
            ));
        }
        End::Explained => {}
    }
    (stats.unknown_placed, stats.expiries) = search.placed();
    match refusals::first_violation(&plan, options, &floors, search.store()) {
        Some(violation) => Verdict::Illegal(violation),
        None => Verdict::Ok { stats: stats.clone() },
    }
}
