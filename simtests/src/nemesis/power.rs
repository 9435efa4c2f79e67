//! Machines lose power: what was not synced is lost, torn or out of order.
use super::{Kind, Trouble, Who, some_of, start_all};
use detcd_runtime_sim::{Dice, Slot, World};
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PowerLoss {
    members: Vec<Slot>,
    extent: Extent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Extent {
    One,
    Some,
    All,
}

impl fmt::Display for PowerLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Who(&self.members).fmt(f)
    }
}

pub fn one(dice: &mut Dice, members: usize) -> Trouble {
    Trouble::PowerLoss(PowerLoss { members: vec![dice.index(members)], extent: Extent::One })
}

pub fn of(member: Slot) -> Trouble {
    Trouble::PowerLoss(PowerLoss { members: vec![member], extent: Extent::One })
}

pub fn some(dice: &mut Dice, members: usize) -> Trouble {
    Trouble::PowerLoss(PowerLoss { members: some_of(dice, members), extent: Extent::Some })
}

pub fn all(_: &mut Dice, members: usize) -> Trouble {
    Trouble::PowerLoss(PowerLoss { members: (0..members).collect(), extent: Extent::All })
}

impl Kind for PowerLoss {
    fn name(&self) -> &'static str {
        match self.extent {
            Extent::One => "power loss of one",
            Extent::Some => "power loss of some",
            Extent::All => "power loss of all",
        }
    }
    fn members(&self) -> Vec<Slot> {
        self.members.clone()
    }
    fn begin(&self, world: &mut World, _: u64) {
        for &member in &self.members {
            world.lose_power(member);
        }
    }
    fn end(&self, world: &mut World) {
        start_all(world, &self.members);
    }
}
