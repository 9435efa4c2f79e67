//! A process stands still and goes on as if nothing had been: a long collection, a frozen virtual machine.
use super::Trouble;
use detcd_runtime_sim::{Dice, Slot, World};
use std::fmt;

struct Pause {
    member: Slot,
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{}", self.member + 1)
    }
}

pub fn one(dice: &mut Dice, members: usize) -> Box<dyn Trouble> {
    Box::new(Pause { member: dice.index(members) })
}

impl Trouble for Pause {
    fn name(&self) -> &'static str {
        "pause"
    }
    fn begin(&self, world: &mut World) {
        world.pause(self.member);
    }
    fn end(&self, world: &mut World) {
        world.resume(self.member);
    }
}
