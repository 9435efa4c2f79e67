//! An operator moves the lead to another member, which may be about to die.
use super::{Kind, Trouble};
use detcd_runtime_sim::{Dice, Slot, World};
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    to: Slot,
    /// The heir dies at that moment.
    dies: bool,
}

impl fmt::Display for Handover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "to m{}{}", self.to + 1, if self.dies { ", which dies" } else { "" })
    }
}

pub fn to_one(dice: &mut Dice, members: usize) -> Trouble {
    Trouble::Handover(Handover { to: dice.index(members), dies: dice.coin() })
}

impl Kind for Handover {
    fn name(&self) -> &'static str {
        "handover"
    }
    fn members(&self) -> Vec<Slot> {
        vec![self.to]
    }
    fn begin(&self, world: &mut World, _: u64) {
        world.hand_over(self.to);
        if self.dies {
            world.crash(self.to);
        }
    }
    fn end(&self, world: &mut World) {
        world.start(self.to);
    }
}
