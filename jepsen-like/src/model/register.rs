//! Registers, one per key: the smallest store, for tests and first steps.

use super::Model;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegisterOp {
    Read,
    Write(u64),
    /// Writes the second if the register has the first.
    CompareAndSet(u64, u64),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegisterRet {
    /// What was read.
    Value(u64),
    Written,
    /// Whether the comparison held.
    Set(bool),
}

/// Registers that start at 0. The first half of an operation is its register.
#[derive(Clone, Copy, Debug, Default)]
pub struct Registers;

impl Model for Registers {
    type State = u64;
    type Op = (u32, RegisterOp);
    type Ret = RegisterRet;
    type Part = u32;

    fn init(&self) -> u64 {
        0
    }

    fn step(&self, state: &u64, (_, op): &Self::Op, ret: Option<&RegisterRet>) -> Vec<u64> {
        let (after, answer) = match *op {
            RegisterOp::Read => (*state, RegisterRet::Value(*state)),
            RegisterOp::Write(value) => (value, RegisterRet::Written),
            RegisterOp::CompareAndSet(old, new) if *state == old => (new, RegisterRet::Set(true)),
            RegisterOp::CompareAndSet(..) => (*state, RegisterRet::Set(false)),
        };
        if ret.is_none_or(|ret| *ret == answer) { vec![after] } else { Vec::new() }
    }

    fn part(&self, (register, _): &Self::Op) -> u32 {
        *register
    }
}
