//! A connection breaks and only one of its ends notices: the other goes on sending to nobody.
use super::{Kind, Trouble};
use detcd_runtime_sim::{Dice, Slot, World};
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HalfOpen {
    noticing: Slot,
    other: Slot,
}

impl fmt::Display for HalfOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{} and m{}, which does not notice", self.noticing + 1, self.other + 1)
    }
}

pub fn pair(dice: &mut Dice, members: usize) -> Trouble {
    let (noticing, other) = super::pair_of(dice, members);
    Trouble::HalfOpen(HalfOpen { noticing, other })
}

impl Kind for HalfOpen {
    fn name(&self) -> &'static str {
        "half-open peers"
    }
    fn members(&self) -> Vec<Slot> {
        vec![self.noticing, self.other]
    }
    fn begin(&self, world: &mut World, _: u64) {
        world.cut_half_open(self.noticing, self.other);
    }
    fn end(&self, world: &mut World) {
        for (from, to) in [(self.noticing, self.other), (self.other, self.noticing)] {
            world.mend(from, to);
        }
    }
}
