//! Workloads from seeds.

mod auth;
mod cluster;
mod dice;
mod keys;
mod kv;
mod lease;
mod lock;
mod watch;

use std::collections::VecDeque;

pub use dice::Dice;

use super::plan::{Caller, Step, Token, path};

/// Parts of the API that a workload can be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Area {
    /// Range, Put, DeleteRange, Txn, Compact, RangeStream
    Kv,
    /// Leases, and keys attached to them
    Lease,
    /// Watch streams, with writes to see
    Watch,
    /// Status, Alarm, Hash, HashKV, Defragment, Snapshot, MoveLeader, Downgrade
    Maintenance,
    /// MemberList, and member changes that are refused
    Cluster,
    /// Lock and Election
    Lock,
    /// Users, roles, tokens; calls while authentication is on
    Auth,
    /// grpc health, unknown services and methods
    Other,
}

/// An endless workload. The same seed and areas give the same steps.
pub struct Workload {
    dice: Dice,
    areas: Vec<Area>,
    ready: VecDeque<Step>,
}

impl Workload {
    pub fn new(seed: u64, areas: &[Area]) -> Workload {
        Workload { dice: Dice::new(seed), areas: areas.to_vec(), ready: VecDeque::new() }
    }

    fn more(&mut self) -> Vec<Step> {
        let weights: Vec<u64> = self.areas.iter().map(|area| weight(*area)).collect();
        let area = self.areas[self.dice.weighted(&weights)];
        let leases: &[i64] = if self.areas.contains(&Area::Lease) { &lease::LEASES } else { &[] };
        let dice = &mut self.dice;
        if area == Area::Auth && dice.percent(5) {
            // While authentication is on nobody may write to let watches settle, so none are left open.
            // Nor does anybody wait for a lock then: who may look at the queue is another question.
            let open = |area: &Area| ![Area::Watch, Area::Lock].contains(area);
            let areas: Vec<Area> = self.areas.iter().copied().filter(open).collect();
            return auth::enabled(dice, |dice| {
                let area = dice.pick(&areas);
                calls(area, dice, leases)
            });
        }
        let steps = calls(area, dice, leases);
        let caller = caller(dice);
        let said = |step: Step| {
            // A read with a token: servers before 3.6 refuse one that they do not know, and a write would be lost.
            let token = if step.path() == path::RANGE { caller.token.clone() } else { Token::None };
            step.by(Caller { token, ..caller.clone() })
        };
        steps.into_iter().map(said).collect()
    }
}

/// A call to some area, or a few that belong together.
fn calls(area: Area, dice: &mut Dice, leases: &[i64]) -> Vec<Step> {
    match area {
        Area::Kv => kv::step(dice, leases),
        Area::Lease if dice.percent(25) => kv::step(dice, leases),
        Area::Lease => lease::step(dice),
        Area::Watch if dice.percent(60) => kv::step(dice, leases),
        Area::Watch => watch::step(dice),
        Area::Maintenance => cluster::maintenance(dice, |dice| kv::step(dice, leases)),
        Area::Cluster => cluster::cluster(dice),
        Area::Lock => lock::step(dice),
        Area::Auth if dice.percent(40) => kv::step(dice, leases),
        Area::Auth => vec![auth::manage(dice)],
        Area::Other => cluster::other(dice),
    }
}

/// How often an area's turn comes.
fn weight(area: Area) -> u64 {
    match area {
        Area::Kv => 40,
        Area::Lease => 15,
        Area::Watch => 25,
        Area::Maintenance => 8,
        Area::Cluster => 3,
        Area::Lock => 2,
        Area::Auth => 10,
        Area::Other => 2,
    }
}

/// Most say nothing about themselves. Without users a token means nothing.
fn caller(dice: &mut Dice) -> Caller {
    let mut caller = Caller::default();
    match dice.below(40) {
        0 => caller.metadata.push(("hasleader", "true")),
        1 => caller.metadata.push(("hasleader", "false")),
        2 => caller.metadata.extend([("client-api-version", "3.6"), ("hasleader", "true")]),
        3 => caller.metadata.push(("client-api-version", "not a version")),
        4 => caller.metadata.push(("client-api-version", "")),
        // A later index would be waited for.
        5 | 6 => caller.token = Token::Garbage("abcdefghijklmnop.1"),
        _ => {}
    }
    caller
}

impl Iterator for Workload {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        while self.ready.is_empty() {
            let steps = self.more();
            self.ready.extend(steps);
        }
        self.ready.pop_front()
    }
}
