//! A member's links take only a few messages at a time; what comes on top is lost.
use super::{Kind, Trouble};
use detcd_runtime_sim::{Dice, Slot, World};
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FullBuffers {
    member: Slot,
    /// Links to these.
    others: Vec<Slot>,
    window: u32,
    incoming: bool,
}

impl fmt::Display for FullBuffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = if self.incoming { "to" } else { "from" };
        write!(f, "{way} m{}, {} messages on each link", self.member + 1, self.window)
    }
}

pub fn of_one(dice: &mut Dice, members: usize) -> Trouble {
    let member = dice.index(members);
    let others = (0..members).filter(|&other| other != member).collect();
    let window = dice.between(1, 4) as u32;
    Trouble::FullBuffers(FullBuffers { member, others, window, incoming: dice.coin() })
}

impl FullBuffers {
    fn set(&self, world: &mut World, window: u32) {
        for &other in &self.others {
            let (from, to) = if self.incoming { (other, self.member) } else { (self.member, other) };
            world.links.of_mut(from, to).window = window;
        }
    }
}

impl Kind for FullBuffers {
    fn name(&self) -> &'static str {
        "full buffers"
    }
    fn members(&self) -> Vec<Slot> {
        self.others.iter().copied().chain([self.member]).collect()
    }
    fn begin(&self, world: &mut World, _: u64) {
        self.set(world, self.window);
    }
    fn end(&self, world: &mut World) {
        self.set(world, u32::MAX);
    }
}
