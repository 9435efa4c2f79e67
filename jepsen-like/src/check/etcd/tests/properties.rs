//! Random histories: the legal ones pass, the others are caught, and the general checker agrees.

use proptest::{
    collection::vec,
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngSeed, TestRunner},
};

use super::play::{Bytes, Cast, FULL, PLAIN, perform};
use crate::{
    check::{
        Stats, Verdict,
        etcd::{Options, check, plan::has_written, report, report_with, search::Pace},
        wgl,
    },
    history::{History, KeyValue, Operation, Outcome, Request, Response},
    model,
};

/// Changes its order all the time.
const HASTY: Pace = Pace { patience: 1, choices_back: 1 };

fn config(cases: u32) -> Config {
    Config { cases, failure_persistence: None, rng_seed: RngSeed::Fixed(20_261_123), ..Config::default() }
}

fn script(len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Bytes>> {
    vec(any::<Bytes>(), len)
}

fn options(cast: &Cast) -> Options {
    Options { lease_expiry: cast.has_expiry, ..Options::default() }
}

/// Changes one number or value somewhere in one answer.
fn tamper(history: &History, whom: usize, how: u8) -> Option<History> {
    let mut ops: Vec<Operation> = history.ops().to_vec();
    let answered: Vec<usize> = (0..ops.len())
        .filter(|&id| ops[id].response().is_some() && !ops[id].request.is_serializable())
        .collect();
    let id = *answered.get(whom % answered.len().max(1))?;
    let Outcome::Ok(response) = &mut ops[id].outcome else { return None };
    tamper_response(response, how);
    Some(ops.into_iter().collect()).filter(|tampered| tampered != history)
}

fn tamper_kv(kv: &mut KeyValue, how: u8) {
    match how % 6 {
        0 => kv.value = b"never written".to_vec(),
        1 => kv.mod_revision -= 1,
        2 => kv.create_revision -= 1,
        3 => kv.version += 1,
        4 => kv.value = if kv.value == b"x" { b"y".to_vec() } else { b"x".to_vec() },
        _ => kv.lease += 1,
    }
}

fn tamper_response(response: &mut Response, how: u8) {
    let detail = how / 8;
    match response {
        Response::Range(range) => match how % 8 {
            0 => range.revision += 1,
            1 => range.revision -= 1,
            2 => range.count += 1,
            3 => range.more = !range.more,
            4 => range.kvs.truncate(range.kvs.len().saturating_sub(1)),
            _ => range.kvs.iter_mut().take(1).for_each(|kv| tamper_kv(kv, detail)),
        },
        Response::Put(put) => match how % 8 {
            0..=2 => put.revision += 1,
            3..=5 => put.revision -= 1,
            6 => put.prev_kv = None,
            _ => put.prev_kv.iter_mut().for_each(|kv| tamper_kv(kv, detail)),
        },
        Response::Delete(delete) => match how % 8 {
            0 | 1 => delete.revision += 1,
            2 | 3 => delete.revision -= 1,
            4 => delete.deleted += 1,
            5 => delete.deleted = 0,
            _ => delete.prev_kvs.iter_mut().take(1).for_each(|kv| tamper_kv(kv, detail)),
        },
        Response::Txn(txn) => match how % 8 {
            0 => txn.revision += 1,
            1 => txn.revision -= 1,
            2 => txn.succeeded = !txn.succeeded,
            _ => txn.responses.iter_mut().take(1).for_each(|inner| tamper_response(inner, detail)),
        },
        Response::Compact { revision }
        | Response::LeaseGrant { revision, .. }
        | Response::LeaseRevoke { revision } => {
            *revision += if how.is_multiple_of(2) { 1 } else { -1 };
        }
    }
}

/// The part of a history that the general checker can judge.
fn linearizable_only(history: &History) -> History {
    history.ops().iter().filter(|op| !op.request.is_serializable()).cloned().collect()
}

fn general(history: &History) -> Verdict {
    wgl::check(&model::etcd::Etcd, &model::etcd::calls(history), 200_000)
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn legal_histories_pass(script in script(1..80)) {
        let history = perform(&FULL, &script);
        let found = report(&history, &options(&FULL));
        prop_assert!(found.verdict.is_ok(), "{:?}", found.verdict);
        prop_assert_eq!(found.stats.ops as usize, history.len());
    }

    #[test]
    fn legal_histories_with_repeated_values_pass(script in script(1..60)) {
        let cast = Cast { has_unique_values: false, ..FULL };
        let history = perform(&cast, &script);
        let verdict = check(&history, &options(&cast));
        prop_assert!(verdict.is_ok(), "{:?}", verdict);
        let hasty = report_with(&history, &options(&cast), HASTY).verdict;
        prop_assert!(hasty.is_ok(), "{:?}", hasty);
    }
}

proptest! {
    #![proptest_config(config(2_000))]

    /// With nothing in the history that one of them knows less about, the two judges say the same.
    #[test]
    fn agrees_with_the_general_checker(script in script(1..13), whom: usize, how: u8) {
        let history = linearizable_only(&perform(&PLAIN, &script));
        prop_assert!(check(&history, &options(&PLAIN)).is_ok());
        prop_assert!(general(&history).is_ok());
        if let Some(tampered) = tamper(&history, whom, how) {
            let (ours, theirs) = (check(&tampered, &options(&PLAIN)), general(&tampered));
            let hasty = report_with(&tampered, &options(&PLAIN), HASTY).verdict;
            prop_assert_eq!(ours.is_ok(), hasty.is_ok(), "{:?}\n{:?}\n{:#?}", ours, hasty, tampered);
            if !matches!(theirs, Verdict::Unknown(_)) {
                prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?}\n{:?}\n{:#?}", ours, theirs, tampered);
            }
        }
    }

    /// What is called illegal is illegal, also with leases, compactions and refusals.
    #[test]
    fn never_accuses_the_innocent(script in script(1..12), whom: usize, how: u8) {
        let cast = Cast { keys: 2, has_serializable: false, has_expiry: false, ..FULL };
        let history = linearizable_only(&perform(&cast, &script));
        if let Some(tampered) = tamper(&history, whom, how)
            && let Verdict::Illegal(violation) = check(&tampered, &options(&cast))
        {
            prop_assert!(!general(&tampered).is_ok(), "{violation}\n{tampered:#?}");
        }
    }
}

/// The kvs that an answer shows, those inside transactions too.
fn shown(response: &mut Response) -> Vec<&mut KeyValue> {
    match response {
        Response::Range(range) => range.kvs.iter_mut().filter(|kv| !kv.value.is_empty()).collect(),
        Response::Put(put) => put.prev_kv.iter_mut().collect(),
        Response::Delete(delete) => delete.prev_kvs.iter_mut().collect(),
        Response::Txn(txn) => txn.responses.iter_mut().flat_map(shown).collect(),
        Response::Compact { .. } | Response::LeaseGrant { .. } | Response::LeaseRevoke { .. } => Vec::new(),
    }
}

fn set_revision(op: &mut Operation, to: i64) {
    match &mut op.outcome {
        Outcome::Ok(Response::Put(put)) => put.revision = to,
        Outcome::Ok(Response::Delete(delete)) => delete.revision = to,
        Outcome::Ok(Response::Txn(txn)) => txn.revision = to,
        Outcome::Ok(Response::Range(range)) => range.revision = to,
        _ => {}
    }
}

/// The acknowledged writes, with their revisions.
fn writes(ops: &[Operation]) -> Vec<(usize, i64)> {
    let revision =
        |op: &Operation| op.response().filter(|response| has_written(response)).map(Response::revision);
    ops.iter().enumerate().filter_map(|(id, op)| Some((id, revision(op)?))).collect()
}

/// Breaks a legal history in a way that nothing can explain; `None` if it has nothing to break so.
fn break_for_certain(history: &History, whom: usize, how: u8) -> Option<History> {
    let mut ops = history.ops().to_vec();
    let writes = writes(&ops);
    let one_of = |n: usize| (n > 0).then(|| whom % n);
    match how % 5 {
        // A value that was never written.
        0 => {
            let mut kvs: Vec<_> = ops
                .iter_mut()
                .filter_map(|op| match &mut op.outcome {
                    Outcome::Ok(response) => Some(shown(response)),
                    _ => None,
                })
                .flatten()
                .collect();
            let n = one_of(kvs.len())?;
            kvs[n].value = b"never written".to_vec();
        }
        // One revision for two writes.
        1 => {
            let n = one_of(writes.len().checked_sub(1)?)?;
            set_revision(&mut ops[writes[n].0], writes[n + 1].1);
        }
        // Two writes, one after the other, in the wrong order.
        2 => {
            let apart: Vec<_> = writes
                .windows(2)
                .filter(|pair| ops[pair[0].0].ret.is_some_and(|ret| ret < ops[pair[1].0].call))
                .collect();
            let pair = apart[one_of(apart.len())?];
            set_revision(&mut ops[pair[0].0], pair[1].1);
            set_revision(&mut ops[pair[1].0], pair[0].1);
        }
        // A linearizable read that misses the last write before it.
        3 => {
            let late: Vec<_> = (0..ops.len())
                .filter_map(|id| {
                    let is_read = matches!(&ops[id].request, Request::Range(range) if !range.serializable);
                    let known =
                        writes.iter().filter(|(w, _)| ops[*w].ret.is_some_and(|ret| ret < ops[id].call));
                    Some((id, known.map(|&(_, revision)| revision).max()?)).filter(|_| is_read)
                })
                .collect();
            let (id, revision) = late[one_of(late.len())?];
            ops[id].response()?;
            set_revision(&mut ops[id], revision - 1);
        }
        // A write that everybody forgot, although someone has seen it.
        _ => {
            let seen: Vec<_> = ops
                .iter()
                .filter_map(|op| match op.response()? {
                    Response::Range(range) => Some(&range.kvs),
                    _ => None,
                })
                .flatten()
                .filter(|kv| !kv.value.is_empty())
                .filter_map(|kv| writes.iter().find(|(_, revision)| *revision == kv.mod_revision))
                .collect();
            let &(id, _) = seen[one_of(seen.len())?];
            ops.remove(id);
        }
    }
    Some(ops.into_iter().collect())
}

proptest! {
    #![proptest_config(config(1_000))]

    #[test]
    fn what_cannot_be_is_caught(script in script(2..60), whom: usize, how: u8) {
        // Without puts that keep a value, a value has one writer.
        let cast = Cast { has_refusals: false, ..FULL };
        if let Some(broken) = break_for_certain(&perform(&cast, &script), whom, how) {
            let verdict = check(&broken, &options(&cast));
            prop_assert!(matches!(verdict, Verdict::Illegal(_)), "{how}: {verdict:?}\n{broken:#?}");
        }
    }
}

/// The properties above would hold for a judge that never looks, on histories in which nothing happens.
#[test]
fn the_properties_have_something_to_say() {
    let mut runner = TestRunner::new(config(1));
    let (mut tampered, mut caught, mut sum) = (0, 0, Stats::default());
    for _ in 0..300 {
        let tree = (script(1..60), any::<usize>(), any::<u8>()).new_tree(&mut runner);
        let (script, whom, how) = tree.expect("nothing is rejected").current();
        let history = perform(&FULL, &script);
        let stats = report(&history, &options(&FULL)).stats;
        sum.reads += stats.reads;
        sum.writes += stats.writes;
        sum.refused += stats.refused;
        sum.unknown_placed += stats.unknown_placed;
        sum.expiries += stats.expiries;
        sum.backtracks += stats.backtracks;
        if let Some(history) = tamper(&history, whom, how) {
            tampered += 1;
            caught += u32::from(!check(&history, &options(&FULL)).is_ok());
        }
    }
    assert!(tampered > 200 && caught > tampered * 3 / 4, "{caught} of {tampered} were caught");
    assert!(sum.reads > 1_000 && sum.writes > 1_000 && sum.refused > 100, "{sum:?}");
    assert!(sum.unknown_placed > 100 && sum.expiries > 10 && sum.backtracks > 3, "{sum:?}");
}
