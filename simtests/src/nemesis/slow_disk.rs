//! A disk takes long, or stands still for a while and then goes on.
use super::{Kind, Trouble};
use detcd_runtime_sim::{Dice, Slot, World};
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slow {
    member: Slot,
    slowness: u64,
}

impl fmt::Display for Slow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{}, {} times as slow", self.member + 1, self.slowness)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stuck {
    member: Slot,
    for_ns: u64,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{}, for {} ms", self.member + 1, self.for_ns / 1_000_000)
    }
}

pub fn slow(dice: &mut Dice, members: usize) -> Trouble {
    Trouble::SlowDisk(Slow { member: dice.index(members), slowness: *dice.pick(&[5, 30, 200]) })
}

pub fn stuck(dice: &mut Dice, members: usize) -> Trouble {
    Trouble::StuckDisk(Stuck { member: dice.index(members), for_ns: dice.between(10, 1_500) * 1_000_000 })
}

/// As fast as it was.
pub fn mend(world: &mut World, member: Slot) {
    let knobs = &mut world.disk_mut(member).knobs;
    knobs.slowness = 1;
    knobs.stuck_until_ns = 0;
}

impl Kind for Slow {
    fn name(&self) -> &'static str {
        "slow disk"
    }
    fn members(&self) -> Vec<Slot> {
        vec![self.member]
    }
    fn begin(&self, world: &mut World, _: u64) {
        world.disk_mut(self.member).knobs.slowness = self.slowness;
    }
    fn end(&self, world: &mut World) {
        world.disk_mut(self.member).knobs.slowness = 1;
    }
}

impl Kind for Stuck {
    fn name(&self) -> &'static str {
        "stuck disk"
    }
    fn members(&self) -> Vec<Slot> {
        vec![self.member]
    }
    fn begin(&self, world: &mut World, _: u64) {
        let until = world.now() + self.for_ns;
        world.disk_mut(self.member).knobs.stuck_until_ns = until;
    }
    fn end(&self, world: &mut World) {
        world.disk_mut(self.member).knobs.stuck_until_ns = 0;
    }
}
