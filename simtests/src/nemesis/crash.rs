//! Processes die and come back; their machines go on, so nothing written is lost.
use super::{Kind, Trouble, Who, some_of, start_all};
use detcd_runtime_sim::{Dice, Slot, World};
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crash {
    members: Vec<Slot>,
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Who(&self.members).fmt(f)
    }
}

pub fn one(dice: &mut Dice, members: usize) -> Trouble {
    Trouble::Crash(Crash { members: vec![dice.index(members)] })
}

pub fn of(member: Slot) -> Trouble {
    Trouble::Crash(Crash { members: vec![member] })
}

pub fn some(dice: &mut Dice, members: usize) -> Trouble {
    Trouble::Crash(Crash { members: some_of(dice, members) })
}

impl Kind for Crash {
    fn name(&self) -> &'static str {
        "crash"
    }
    fn members(&self) -> Vec<Slot> {
        self.members.clone()
    }
    fn begin(&self, world: &mut World, _: u64) {
        for &member in &self.members {
            world.crash(member);
        }
    }
    fn end(&self, world: &mut World) {
        start_all(world, &self.members);
    }
}
