//! A member's clock jumps forward or stands still; its wall clock jumps either way. Its monotonic clock never runs
//! backwards: operating systems promise that, and members build on it.
use super::{Kind, Trouble};
use detcd_runtime_sim::{Dice, Slot, World};
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepForward {
    member: Slot,
    by_ns: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    member: Slot,
    /// Then it shows what it would have shown, as after a machine was suspended; else it goes on from where it stood.
    catches_up: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepWall {
    member: Slot,
    by_ns: i64,
}

impl fmt::Display for StepForward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{}, by {} ms", self.member + 1, self.by_ns / 1_000_000)
    }
}

impl fmt::Display for Freeze {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let then = if self.catches_up { "catches up" } else { "goes on from there" };
        write!(f, "m{}, then it {then}", self.member + 1)
    }
}

impl fmt::Display for StepWall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{}, by {} ms", self.member + 1, self.by_ns / 1_000_000)
    }
}

pub fn step(dice: &mut Dice, members: usize) -> Trouble {
    let most = *dice.pick(&[50, 1_000, 10_000]);
    let by_ns = dice.between(1, most) * 1_000_000;
    Trouble::StepForward(StepForward { member: dice.index(members), by_ns })
}

pub fn freeze(dice: &mut Dice, members: usize) -> Trouble {
    Trouble::Freeze(Freeze { member: dice.index(members), catches_up: dice.coin() })
}

pub fn step_wall(dice: &mut Dice, members: usize) -> Trouble {
    let by_ms = dice.between(1, 7_200_000) as i64 - 3_600_000;
    Trouble::StepWall(StepWall { member: dice.index(members), by_ns: by_ms * 1_000_000 })
}

/// It runs again.
pub fn mend(world: &mut World, member: Slot) {
    world.set_clock(member, |clock, now| clock.thaw(now, false));
}

impl Kind for StepForward {
    fn name(&self) -> &'static str {
        "clock steps forward"
    }
    fn members(&self) -> Vec<Slot> {
        vec![self.member]
    }
    fn begin(&self, world: &mut World, _: u64) {
        world.set_clock(self.member, |clock, now| clock.step(now, self.by_ns));
    }
    fn end(&self, _: &mut World) {}
}

impl Kind for Freeze {
    fn name(&self) -> &'static str {
        if self.catches_up { "clock freezes and catches up" } else { "clock freezes" }
    }
    fn members(&self) -> Vec<Slot> {
        vec![self.member]
    }
    fn begin(&self, world: &mut World, _: u64) {
        world.set_clock(self.member, |clock, now| clock.freeze(now));
    }
    fn end(&self, world: &mut World) {
        world.set_clock(self.member, |clock, now| clock.thaw(now, self.catches_up));
    }
}

impl Kind for StepWall {
    fn name(&self) -> &'static str {
        if self.by_ns < 0 { "wall clock steps back" } else { "wall clock steps forward" }
    }
    fn members(&self) -> Vec<Slot> {
        vec![self.member]
    }
    fn begin(&self, world: &mut World, _: u64) {
        world.set_clock(self.member, |clock, _| clock.step_wall(self.by_ns));
    }
    fn end(&self, world: &mut World) {
        world.set_clock(self.member, |clock, _| clock.step_wall(-self.by_ns));
    }
}
