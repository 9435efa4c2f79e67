//! Violations in words.

use std::fmt::Write as _;

use super::{
    choices::can_write,
    execute::{Mismatch, told},
    keys::Keys,
    outlook::{Outlook, Told},
    plan::{Candidate, Duplicate, Plan, Write},
    store::Store,
};
use crate::{
    check::{Violation, ViolationKind},
    history::{
        Compare, CompareResult, CompareTarget, OpId, Operation, Outcome, Refusal, Request, Response,
        text::escape,
    },
};

/// Where a replay failed.
pub(super) struct Impossible {
    pub revision: i64,
    pub violation: Violation,
}

/// A violation with its operations and their neighbours listed below the sentence.
pub(super) fn violation(
    ops: &[Operation],
    kind: ViolationKind,
    sentence: String,
    involved: Vec<OpId>,
    neighbours: &[OpId],
) -> Violation {
    let mut text = sentence;
    list(&mut text, "involved", ops, &involved);
    let others: Vec<_> = neighbours.iter().copied().filter(|id| !involved.contains(id)).collect();
    list(&mut text, "next to it", ops, &others);
    Violation { kind, text, ops: involved }
}

fn list(text: &mut String, title: &str, ops: &[Operation], ids: &[OpId]) {
    if ids.is_empty() {
        return;
    }
    write!(text, "\n  {title}:").expect("a String takes all");
    for &id in ids {
        write!(text, "\n    {}", line(id, &ops[id])).expect("a String takes all");
    }
}

/// An answer at `revision` that differs from the model, or a known write that could not do what it says.
pub(super) fn mismatch(
    plan: &Plan<'_>,
    store: &Store<'_>,
    kind: ViolationKind,
    revision: i64,
    op: Option<OpId>,
    mismatch: &Mismatch,
    used_at: &[Option<i64>],
) -> Impossible {
    let who = op.map_or_else(String::new, |id| {
        format!("{} cannot be answered so at revision {revision}: ", short(id, plan.request(id)))
    });
    let guesses = used_at.iter().flatten().count();
    let guessed = if guesses == 0 {
        String::new()
    } else {
        format!(", whichever of the {} writes of unknown fate took effect", plan.candidates.len())
    };
    let mut neighbours = Vec::new();
    for &key in mismatch.keys.iter().take(KEYS_SHOWN) {
        let past = store.history_of(key);
        let newest = past.iter().rev().map(|version| version.revision).filter(|&r| r <= revision).take(2);
        neighbours.extend(newest.filter_map(|r| writer(plan, used_at, r)));
    }
    neighbours.extend(around(plan, used_at, revision));
    neighbours.sort_unstable();
    neighbours.dedup();
    let sentence = format!("{who}{}{guessed}", mismatch.text);
    Impossible {
        revision,
        violation: violation(plan.ops, kind, sentence, op.into_iter().collect(), &neighbours),
    }
}

/// A revision that nothing can have written.
pub(super) fn gap(
    plan: &Plan<'_>,
    store: &Store<'_>,
    outlook: &Outlook<'_>,
    revision: i64,
    used_at: &[Option<i64>],
) -> Impossible {
    let mut involved = Vec::new();
    let mut neighbours = Vec::new();
    let (kind, mut sentence) = match outlook.facts(revision).first() {
        Some(fact) => {
            involved.push(fact.by);
            let what = match fact.told {
                Told::Pair { kv, .. } => format!("{}, written at", told(kv)),
                Told::Creation(kv) => format!("{}, created at", told(kv)),
                Told::Put => format!("that {} was put at", escape(plan.keys.name(fact.key))),
            };
            let sentence = format!(
                "{} shows {what} revision {revision}, and no write of this history can have done that",
                short(fact.by, plan.request(fact.by)),
            );
            let able = (0..plan.ops.len()).filter(|&id| can_write(plan, plan.request(id), fact));
            neighbours.extend(able.take(OPS_SHOWN));
            (ViolationKind::ReadMismatch, sentence)
        }
        None => {
            let witness = plan
                .ops
                .iter()
                .enumerate()
                .filter(|(_, op)| op.response().is_some_and(|response| response.revision() >= revision));
            involved.extend(witness.min_by_key(|(_, op)| op.ret).map(|(id, _)| id));
            let seen = involved
                .first()
                .map_or_else(String::new, |&id| format!(" (seen by {})", short(id, plan.request(id))));
            let sentence = format!(
                "the store went past revision {revision}{seen}, and no write of this history can have made it"
            );
            (ViolationKind::UnexplainedRevision, sentence)
        }
    };
    sentence.push_str(&suspects(plan, revision, used_at));
    for id in &neighbours {
        let place = plan.writes.iter().find(|(_, write)| **write == Write::Op(*id)).map(|(&r, _)| r);
        if let Some(place) = place {
            write!(sentence, "; #{id} writes such a pair, at revision {place}").expect("a String takes all");
        } else if matches!(plan.ops[*id].outcome, Outcome::Failed(_)) {
            write!(sentence, "; #{id} would have, and it was refused").expect("a String takes all");
        }
    }
    neighbours.extend(around(plan, used_at, revision.min(store.revision() + 1)));
    Impossible { revision, violation: violation(plan.ops, kind, sentence, involved, &neighbours) }
}

/// Two writes with one revision.
pub(super) fn duplicate(ops: &[Operation], duplicate: &Duplicate) -> Violation {
    let name = |write: Write| match write {
        Write::Op(id) => short(id, &ops[id].request),
        Write::Expiry { lease } => format!("the end of lease {lease}"),
    };
    let sentence = format!(
        "{} and {} both say that they made revision {}",
        name(duplicate.second),
        name(duplicate.first),
        duplicate.revision
    );
    let involved = [duplicate.second, duplicate.first].into_iter().filter_map(|write| match write {
        Write::Op(id) => Some(id),
        Write::Expiry { .. } => None,
    });
    violation(ops, ViolationKind::DuplicateRevision, sentence, involved.collect(), &[])
}

/// `id` is at a revision that `by` had passed before `id` was called.
pub(super) fn order(ops: &[Operation], id: OpId, by: OpId) -> Violation {
    let revision = |id: OpId| ops[id].response().map_or(0, Response::revision);
    let sentence = format!(
        "{} is at revision {}, and {} had shown revision {} before it started",
        short(id, &ops[id].request),
        revision(id),
        short(by, &ops[by].request),
        revision(by)
    );
    violation(ops, ViolationKind::RealTimeOrder, sentence, vec![id, by], &[])
}

/// Why none of the writes of unknown fate has made `revision`.
fn suspects(plan: &Plan<'_>, revision: i64, used_at: &[Option<i64>]) -> String {
    let all = plan.candidates.iter().filter(|candidate| !candidate.reusable).count();
    if all == 0 {
        return String::new();
    }
    let used = used_at.iter().flatten().count();
    let in_time = |(candidate, used_at): &(&Candidate, &Option<i64>)| {
        used_at.is_none() && candidate.above < revision && revision <= candidate.upto
    };
    let left = plan.candidates.iter().zip(used_at).filter(in_time).count();
    let misfit =
        if left == 0 { String::new() } else { format!(", and {left} do not fit the answers around it") };
    let late = all.saturating_sub(used + left);
    let late = if late == 0 { String::new() } else { format!(", {late} were called too late") };
    format!("; of {all} writes of unknown fate {used} were used up before it{late}{misfit}")
}

const KEYS_SHOWN: usize = 4;
const OPS_SHOWN: usize = 4;

/// The writes of the revisions around `revision`.
fn around(plan: &Plan<'_>, used_at: &[Option<i64>], revision: i64) -> Vec<OpId> {
    (revision - 1..=revision.saturating_add(1)).filter_map(|r| writer(plan, used_at, r)).collect()
}

fn writer(plan: &Plan<'_>, used_at: &[Option<i64>], revision: i64) -> Option<OpId> {
    let guessed = || {
        let c = used_at.iter().position(|&at| at == Some(revision))?;
        Some(&plan.candidates[c].write)
    };
    match plan.writes.get(&revision).or_else(guessed)? {
        Write::Op(id) => Some(*id),
        Write::Expiry { .. } => None,
    }
}

/// At most a few keys by name.
pub(super) fn names(keys: &Keys<'_>, ids: &[usize]) -> String {
    let mut names: Vec<_> = ids.iter().take(KEYS_SHOWN).map(|&id| escape(keys.name(id))).collect();
    if ids.len() > KEYS_SHOWN {
        names.push(format!("and {} more", ids.len() - KEYS_SHOWN));
    }
    names.join(", ")
}

/// An operation as a subject: its number and what it asked.
pub(super) fn short(id: OpId, request: &Request) -> String {
    format!("#{id} ({})", ask(request))
}

/// An operation in one line.
fn line(id: OpId, op: &Operation) -> String {
    let ret = op.ret.map_or_else(|| "…".to_owned(), |ret| ret.to_string());
    format!(
        "#{id} client {} [{}, {ret}] {} -> {}",
        op.client,
        op.call,
        ask(&op.request),
        outcome(&op.outcome)
    )
}

fn interval(key: &[u8], range_end: &[u8]) -> String {
    match range_end {
        [] => escape(key),
        [0] if matches!(key, [] | [0]) => "all keys".to_owned(),
        [0] => format!("{} and above", escape(key)),
        end => format!("{} up to {}", escape(key), escape(end)),
    }
}

fn ask(request: &Request) -> String {
    match request {
        Request::Range(range) => {
            let mut text = format!("get {}", interval(&range.key, &range.range_end));
            if range.revision > 0 {
                write!(text, " at revision {}", range.revision).expect("a String takes all");
            }
            if range.limit > 0 {
                write!(text, " limit {}", range.limit).expect("a String takes all");
            }
            for (is_set, name) in [
                (range.serializable, "serializable"),
                (range.keys_only, "keys only"),
                (range.count_only, "count only"),
            ] {
                if is_set {
                    write!(text, " {name}").expect("a String takes all");
                }
            }
            text
        }
        Request::Put(put) => {
            let value =
                if put.ignore_value { "(its value)".into() } else { format!("{:?}", escape(&put.value)) };
            let lease = match (put.ignore_lease, put.lease) {
                (true, _) => " (its lease)".into(),
                (false, 0) => String::new(),
                (false, lease) => format!(" lease {lease}"),
            };
            format!("put {}={value}{lease}", escape(&put.key))
        }
        Request::Delete(delete) => format!("delete {}", interval(&delete.key, &delete.range_end)),
        Request::Txn(txn) => {
            let compares: Vec<_> = txn.compares.iter().map(comparison).collect();
            let branch = |ops: &[Request]| ops.iter().map(ask).collect::<Vec<_>>().join(", ");
            format!(
                "txn if [{}] then [{}] else [{}]",
                compares.join(", "),
                branch(&txn.success),
                branch(&txn.failure)
            )
        }
        Request::Compact { revision } => format!("compact {revision}"),
        Request::LeaseGrant { id, ttl } => format!("grant lease {id} for {ttl} s"),
        Request::LeaseRevoke { id } => format!("revoke lease {id}"),
    }
}

fn comparison(compare: &Compare) -> String {
    let sign = match compare.result {
        CompareResult::Equal => "=",
        CompareResult::Greater => ">",
        CompareResult::Less => "<",
        CompareResult::NotEqual => "!=",
    };
    let (target, given) = match &compare.target {
        CompareTarget::Version(given) => ("version", given.to_string()),
        CompareTarget::CreateRevision(given) => ("create", given.to_string()),
        CompareTarget::ModRevision(given) => ("mod", given.to_string()),
        CompareTarget::Value(given) => ("value", format!("{:?}", escape(given))),
        CompareTarget::Lease(given) => ("lease", given.to_string()),
    };
    format!("{target} of {} {sign} {given}", interval(&compare.key, &compare.range_end))
}

fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Ok(response) => format!("{} at revision {}", answer(response), response.revision()),
        Outcome::Failed(refusal) => format!("refused: {}", refused(refusal)),
        Outcome::Unknown(text) => format!("unknown: {text}"),
    }
}

fn refused(refusal: &Refusal) -> &str {
    match refusal {
        Refusal::Compacted => "the revision has been compacted",
        Refusal::FutureRevision => "the revision is in the future",
        Refusal::KeyNotFound => "there is no such key",
        Refusal::LeaseNotFound => "there is no such lease",
        Refusal::Other(text) => text,
    }
}

fn answer(response: &Response) -> String {
    match response {
        Response::Range(range) if range.kvs.is_empty() => format!("nothing, count {}", range.count),
        Response::Range(range) => {
            let mut kvs: Vec<_> = range.kvs.iter().take(KEYS_SHOWN).map(told).collect();
            if range.kvs.len() > KEYS_SHOWN {
                kvs.push(format!("and {} more", range.kvs.len() - KEYS_SHOWN));
            }
            kvs.join(", ")
        }
        Response::Put(put) => {
            put.prev_kv.as_ref().map_or_else(|| "done".into(), |kv| format!("done, before: {}", told(kv)))
        }
        Response::Delete(delete) => format!("deleted {}", delete.deleted),
        Response::Txn(txn) => {
            let inner: Vec<_> = txn.responses.iter().map(answer).collect();
            format!("succeeded={} [{}]", txn.succeeded, inner.join("; "))
        }
        Response::Compact { .. } | Response::LeaseRevoke { .. } => "done".into(),
        Response::LeaseGrant { id, ttl, .. } => format!("lease {id} for {ttl} s"),
    }
}
