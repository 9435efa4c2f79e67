use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, RngSeed},
};

use super::{Call, check};
use crate::{
    check::{Verdict, ViolationKind},
    model::{
        Model,
        register::{
            RegisterOp::{self, CompareAndSet, Read, Write},
            RegisterRet::{self, Set, Value, Written},
            Registers,
        },
    },
};

type RegisterCall = Call<(u32, RegisterOp), RegisterRet>;

fn on(register: u32, call: u64, ret: u64, op: RegisterOp, answer: RegisterRet) -> RegisterCall {
    Call { call, op: (register, op), answer: Some((ret, answer)) }
}

fn op(call: u64, ret: u64, op: RegisterOp, answer: RegisterRet) -> RegisterCall {
    on(0, call, ret, op, answer)
}

fn lost(call: u64, op: RegisterOp) -> RegisterCall {
    Call { call, op: (0, op), answer: None }
}

fn is_linearizable(calls: &[RegisterCall]) -> bool {
    match check(&Registers, calls, 100_000) {
        Verdict::Ok { stats } => stats.ops == calls.len() as u64,
        Verdict::Illegal(violation) => {
            assert_eq!(violation.kind, ViolationKind::NotLinearizable);
            false
        }
        Verdict::Unknown(why) => panic!("{why}"),
    }
}

#[test]
fn one_after_the_other() {
    assert!(is_linearizable(&[]));
    assert!(is_linearizable(&[op(1, 2, Write(5), Written), op(3, 4, Read, Value(5))]));
    assert!(!is_linearizable(&[op(1, 2, Write(5), Written), op(3, 4, Read, Value(0))]));
    assert!(!is_linearizable(&[op(1, 2, Read, Value(5)), op(3, 4, Write(5), Written)]));
}

#[test]
fn at_the_same_time() {
    let write = op(1, 10, Write(5), Written);
    assert!(is_linearizable(&[write.clone(), op(2, 3, Read, Value(5)), op(4, 5, Read, Value(5))]));
    assert!(is_linearizable(&[write.clone(), op(2, 3, Read, Value(0)), op(4, 5, Read, Value(5))]));
    assert!(!is_linearizable(&[write.clone(), op(2, 3, Read, Value(5)), op(4, 5, Read, Value(0))]));
    // The two reads overlap: either order will do.
    assert!(is_linearizable(&[write, op(2, 5, Read, Value(5)), op(4, 6, Read, Value(0))]));
}

#[test]
fn a_lost_write_happens_at_any_time_after_its_call_or_never() {
    let write = lost(3, Write(5));
    assert!(is_linearizable(&[write.clone(), op(4, 5, Read, Value(0))]));
    assert!(is_linearizable(&[write.clone(), op(4, 5, Read, Value(0)), op(6, 7, Read, Value(5))]));
    assert!(!is_linearizable(&[write.clone(), op(4, 5, Read, Value(5)), op(6, 7, Read, Value(0))]));
    assert!(!is_linearizable(&[op(1, 2, Read, Value(5)), write]));
}

#[test]
fn only_one_compare_and_set_wins() {
    let first = op(1, 10, CompareAndSet(0, 1), Set(true));
    assert!(is_linearizable(&[first.clone(), op(2, 9, CompareAndSet(0, 2), Set(false))]));
    assert!(!is_linearizable(&[first, op(2, 9, CompareAndSet(0, 2), Set(true))]));
}

#[test]
fn registers_do_not_notice_each_other() {
    let calls = [
        on(1, 1, 2, Write(5), Written),
        on(2, 3, 4, Read, Value(0)),
        on(1, 5, 6, Read, Value(5)),
        on(2, 7, 8, Read, Value(5)),
    ];
    let Verdict::Illegal(violation) = check(&Registers, &calls, 1_000) else {
        panic!("register 2 was never written")
    };
    assert_eq!(violation.ops, [3]);
    assert!(is_linearizable(&calls[..3]));
}

#[test]
fn the_budget_is_kept() {
    let calls: Vec<_> = (0..20).map(|n| op(1, 100, Write(n), Written)).collect();
    let mut calls = calls;
    calls.push(op(200, 201, Read, Value(99)));
    assert!(matches!(check(&Registers, &calls, 1_000), Verdict::Unknown(_)));
}

/// Every order of every subset that keeps real time: too slow to be wrong.
fn by_brute_force(calls: &[RegisterCall], done: &mut Vec<usize>, state: u64) -> bool {
    let pending = |id: &usize| !done.contains(id);
    if (0..calls.len()).filter(pending).all(|id| calls[id].answer.is_none()) {
        return true;
    }
    for id in (0..calls.len()).filter(pending).collect::<Vec<_>>() {
        let call = &calls[id];
        let is_minimal = (0..calls.len())
            .filter(|other| !done.contains(other))
            .all(|other| calls[other].answer.as_ref().is_none_or(|(ret, _)| *ret >= call.call));
        if !is_minimal {
            continue;
        }
        let ret = call.answer.as_ref().map(|(_, ret)| ret);
        for after in Registers.step(&state, &call.op, ret) {
            done.push(id);
            if by_brute_force(calls, done, after) {
                return true;
            }
            done.pop();
        }
    }
    false
}

fn calls() -> impl Strategy<Value = Vec<RegisterCall>> {
    let one = (0_u64..12, 0_u64..8, 0_u8..6, 0_u64..3, 0_u64..3, 0_u8..5).prop_map(
        |(call, len, kind, a, b, fate)| {
            let (op, ret) = match kind {
                0..=2 => (Read, Value(a)),
                3 | 4 => (Write(a), Written),
                _ => (CompareAndSet(a, b), Set(a == 0)),
            };
            Call { call, op: (0, op), answer: (fate > 0).then_some((call + len, ret)) }
        },
    );
    vec(one, 0..7)
}

proptest! {
    #![proptest_config(Config {
        cases: 1_000,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20_261_123),
        ..Config::default()
    })]

    #[test]
    fn agrees_with_brute_force(calls in calls()) {
        prop_assert_eq!(is_linearizable(&calls), by_brute_force(&calls, &mut Vec::new(), 0));
    }
}
