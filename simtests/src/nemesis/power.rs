//! Machines lose power: what was not synced is lost, torn or out of order.
use super::{Trouble, Who, some_of, start_all};
use detcd_runtime_sim::{Dice, Slot, World};
use std::fmt;

struct PowerLoss {
    members: Vec<Slot>,
    name: &'static str,
}

impl fmt::Display for PowerLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Who(&self.members).fmt(f)
    }
}

pub fn one(dice: &mut Dice, members: usize) -> Box<dyn Trouble> {
    Box::new(PowerLoss { members: vec![dice.index(members)], name: "power loss of one" })
}

pub fn some(dice: &mut Dice, members: usize) -> Box<dyn Trouble> {
    Box::new(PowerLoss { members: some_of(dice, members), name: "power loss of some" })
}

pub fn all(_: &mut Dice, members: usize) -> Box<dyn Trouble> {
    Box::new(PowerLoss { members: (0..members).collect(), name: "power loss of all" })
}

impl Trouble for PowerLoss {
    fn name(&self) -> &'static str {
        self.name
    }
    fn begin(&self, world: &mut World) {
        for &member in &self.members {
            world.lose_power(member);
        }
    }
    fn end(&self, world: &mut World) {
        start_all(world, &self.members);
    }
}
