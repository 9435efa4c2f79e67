//! Processes die and come back; their machines go on, so nothing written is lost.
use super::{Trouble, Who, some_of, start_all};
use detcd_runtime_sim::{Dice, Slot, World};
use std::fmt;

struct Crash {
    members: Vec<Slot>,
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Who(&self.members).fmt(f)
    }
}

pub fn one(dice: &mut Dice, members: usize) -> Box<dyn Trouble> {
    Box::new(Crash { members: vec![dice.index(members)] })
}

pub fn some(dice: &mut Dice, members: usize) -> Box<dyn Trouble> {
    Box::new(Crash { members: some_of(dice, members) })
}

impl Trouble for Crash {
    fn name(&self) -> &'static str {
        "crash"
    }
    fn begin(&self, world: &mut World) {
        for &member in &self.members {
            world.crash(member);
        }
    }
    fn end(&self, world: &mut World) {
        start_all(world, &self.members);
    }
}
