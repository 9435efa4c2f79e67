//! A disk says that it could not: a sync fails and drops its pages, a write fails half-way, there is no space.
use super::{Kind, Trouble};
use detcd_runtime_sim::{Dice, Slot, World};
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailingSyncs {
    member: Slot,
    permille: u64,
}

impl fmt::Display for FailingSyncs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{}, {} in 1000", self.member + 1, self.permille)
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
    Trouble::FailingSyncs(FailingSyncs {
        member: dice.index(members),
        permille: *dice.pick(&[100, 500, 1000]),
    })
}

pub fn writes(dice: &mut Dice, members: usize) -> Trouble {
    let (member, full) = (dice.index(members), dice.coin());
    Trouble::FailingWrites(FailingWrites { member, full, permille: *dice.pick(&[100, 500, 1000]) })
}

/// Nothing fails any more.
pub fn mend(world: &mut World, member: Slot) {
    let knobs = &mut world.disk_mut(member).knobs;
    knobs.sync_fails_permille = 0;
    knobs.append_fails_permille = 0;
    knobs.full = false;
}

impl Kind for FailingSyncs {
    fn name(&self) -> &'static str {
        "failing syncs"
    }
    fn members(&self) -> Vec<Slot> {
        vec![self.member]
    }
    fn begin(&self, world: &mut World) {
        world.disk_mut(self.member).knobs.sync_fails_permille = self.permille;
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
    fn begin(&self, world: &mut World) {
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
