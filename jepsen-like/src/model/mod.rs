//! Sequential specifications: what one client alone would see.
//!
//! The general checker ([`crate::check::wgl`]) asks whether a concurrent history looks like one of these. They are
//! written to be read, not to be fast; the fast judge of etcd histories ([`crate::check::etcd`]) is tested against them.

pub mod etcd;
pub mod register;

use std::fmt::Debug;

/// A sequential specification.
pub trait Model {
    type State: Clone + Ord;
    type Op: Debug;
    type Ret: Debug;
    /// What histories can be divided by; `()` if they cannot.
    type Part: Ord;

    fn init(&self) -> Self::State;

    /// Every state that `op` can leave behind when it answers `ret`; none: it cannot answer so. Without `ret` the
    /// answer is unknown and any will do.
    fn step(&self, state: &Self::State, op: &Self::Op, ret: Option<&Self::Ret>) -> Vec<Self::State>;

    /// Operations of different parts never notice each other, so each part is judged alone.
    fn part(&self, op: &Self::Op) -> Self::Part;
}
