//! A disk says that it could not: a sync fails and drops its pages, a write fails half-way, there is no space.
use super::{Kind, Trouble};
use crate::invariants::CHECKPOINTS;
use detcd_runtime_sim::{Dice, Slot, World};
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailingSyncs {
    member: Slot,
    permille: u64,
    /// What they drop can still be read, until the process dies.
    stay_readable: bool,
}

impl fmt::Display for FailingSyncs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = if self.stay_readable { ", what they drop can still be read" } else { "" };
        write!(f, "m{}, {} in 1000{seen}", self.member + 1, self.permille)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailingWrites {
    member: Slot,
    full: bool,
    permille: u64,
}

impl fmt::Display for FailingWrites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.full {
            write!(f, "m{}", self.member + 1)
        } else {
            write!(f, "m{}, {} in 1000", self.member + 1, self.permille)
        }
    }
}

pub fn syncs(dice: &mut Dice, members: usize) -> Trouble {
    let (member, permille) = (dice.index(members), *dice.pick(&[100, 500, 1000]));
    Trouble::FailingSyncs(FailingSyncs { member, permille, stay_readable: dice.coin() })
}

pub fn writes(dice: &mut Dice, members: usize) -> Trouble {
    let (member, full) = (dice.index(members), dice.coin());
    Trouble::FailingWrites(FailingWrites { member, full, permille: *dice.pick(&[100, 500, 1000]) })
}

/// Sectors of the log cannot be read for a while; a member that boots then cannot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailingReads {
    member: Slot,
    /// Only a member that boots reads its log.
    reboots: bool,
}

impl fmt::Display for FailingReads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{}{}", self.member + 1, if self.reboots { ", which boots again" } else { "" })
    }
}

pub fn reads(dice: &mut Dice, members: usize) -> Trouble {
    Trouble::FailingReads(FailingReads { member: dice.index(members), reboots: dice.permille(700) })
}

impl Kind for FailingReads {
    fn name(&self) -> &'static str {
        "latent sector error"
    }
    fn members(&self) -> Vec<Slot> {
        vec![self.member]
    }
    fn begin(&self, world: &mut World, _: u64) {
        world.disk_mut(self.member).knobs.read_fails = true;
        if self.reboots {
            world.crash(self.member);
            world.start(self.member);
        }
    }
    fn end(&self, world: &mut World) {
        world.disk_mut(self.member).knobs.read_fails = false;
        world.start(self.member);
    }
}

/// Checkpoints lie on a disk of their own, and it is full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FullFolder {
    member: Slot,
}

impl fmt::Display for FullFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{}", self.member + 1)
    }
}

pub fn full_folder(dice: &mut Dice, members: usize) -> Trouble {
    Trouble::FullFolder(FullFolder { member: dice.index(members) })
}

impl Kind for FullFolder {
    fn name(&self) -> &'static str {
        "full disk for checkpoints"
    }
    fn members(&self) -> Vec<Slot> {
        vec![self.member]
    }
    fn begin(&self, world: &mut World, _: u64) {
        world.disk_mut(self.member).knobs.full_folder = Some(CHECKPOINTS.to_owned());
    }
    fn end(&self, world: &mut World) {
        world.disk_mut(self.member).knobs.full_folder = None;
    }
}

/// Nothing fails any more.
pub fn mend(world: &mut World, member: Slot) {
    let knobs = &mut world.disk_mut(member).knobs;
    knobs.sync_fails_permille = 0;
    knobs.append_fails_permille = 0;
    knobs.full = false;
    knobs.full_folder = None;
    knobs.read_fails = false;
}

impl Kind for FailingSyncs {
    fn name(&self) -> &'static str {
        "failing syncs"
    }
    fn members(&self) -> Vec<Slot> {
        vec![self.member]
    }
    fn begin(&self, world: &mut World, _: u64) {
        let knobs = &mut world.disk_mut(self.member).knobs;
        knobs.sync_fails_permille = self.permille;
        knobs.dropped_stay_readable = self.stay_readable;
    }
    fn end(&self, world: &mut World) {
        world.disk_mut(self.member).knobs.sync_fails_permille = 0;
    }
}

impl Kind for FailingWrites {
    fn name(&self) -> &'static str {
        if self.full { "full disk" } else { "failing writes" }
    }
    fn members(&self) -> Vec<Slot> {
        vec![self.member]
    }
    fn begin(&self, world: &mut World, _: u64) {
        let knobs = &mut world.disk_mut(self.member).knobs;
        if self.full {
            knobs.full = true;
        } else {
            knobs.append_fails_permille = self.permille;
        }
    }
    fn end(&self, world: &mut World) {
        let knobs = &mut world.disk_mut(self.member).knobs;
        knobs.full = false;
        knobs.append_fails_permille = 0;
    }
}
