//! A process stands still and goes on as if nothing had been: a long collection, a frozen virtual machine.
use super::{Kind, Trouble};
use detcd_runtime_sim::{Dice, Slot, World};
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    member: Slot,
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{}", self.member + 1)
    }
}

pub fn one(dice: &mut Dice, members: usize) -> Trouble {
    Trouble::Pause(Pause { member: dice.index(members) })
}

impl Kind for Pause {
    fn name(&self) -> &'static str {
        "pause"
    }
    fn members(&self) -> Vec<Slot> {
        vec![self.member]
    }
    fn begin(&self, world: &mut World) {
        world.pause(self.member);
    }
    fn end(&self, world: &mut World) {
        world.resume(self.member);
    }
}
