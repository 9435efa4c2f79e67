//! A process stands still and goes on as if nothing had been: a long collection, a frozen virtual machine.
use super::{Kind, Trouble, Who};
use detcd_runtime_sim::{Dice, Slot, World};
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    members: Vec<Slot>,
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Who(&self.members).fmt(f)
    }
}

pub fn one(dice: &mut Dice, members: usize) -> Trouble {
    Trouble::Pause(Pause { members: vec![dice.index(members)] })
}

pub fn of(member: Slot) -> Trouble {
    Trouble::Pause(Pause { members: vec![member] })
}

/// The one that goes on is alone.
pub fn all_but_one(dice: &mut Dice, members: usize) -> Trouble {
    let awake = dice.index(members);
    Trouble::Pause(Pause { members: (0..members).filter(|&member| member != awake).collect() })
}

impl Kind for Pause {
    fn name(&self) -> &'static str {
        if self.members.len() == 1 { "pause" } else { "pause of all but one" }
    }
    fn members(&self) -> Vec<Slot> {
        self.members.clone()
    }
    fn begin(&self, world: &mut World, _: u64) {
        self.members.iter().for_each(|&member| world.pause(member));
    }
    fn end(&self, world: &mut World) {
        self.members.iter().for_each(|&member| world.resume(member));
    }
}
