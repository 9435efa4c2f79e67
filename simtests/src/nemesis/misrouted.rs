//! What one member sends to another reaches a third one too: an address that was given to somebody else, a proxy that
//! confuses its connections. A member must not take what is addressed to another.
use super::{Kind, Trouble};
use detcd_runtime_sim::{Dice, Slot, World};
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Misrouted {
    from: Slot,
    to: Slot,
    stray: Slot,
}

impl fmt::Display for Misrouted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{} to m{} reaches m{} too", self.from + 1, self.to + 1, self.stray + 1)
    }
}

pub fn link(dice: &mut Dice, members: usize) -> Trouble {
    let (from, to) = super::pair_of(dice, members);
    let others: Vec<Slot> = (0..members).filter(|&slot| slot != from && slot != to).collect();
    Trouble::Misrouted(Misrouted { from, to, stray: *dice.pick(&others) })
}

impl Kind for Misrouted {
    fn name(&self) -> &'static str {
        "misrouted link"
    }
    fn members(&self) -> Vec<Slot> {
        vec![self.from, self.to, self.stray]
    }
    fn begin(&self, world: &mut World, _: u64) {
        world.links.of_mut(self.from, self.to).stray = Some(self.stray);
    }
    fn end(&self, world: &mut World) {
        world.links.of_mut(self.from, self.to).stray = None;
    }
}
