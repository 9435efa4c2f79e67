//! One link, or one direction of it, takes much longer than the others.
use super::{Kind, Trouble};
use detcd_runtime_sim::{Dice, Slot, World};
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlowLink {
    from: Slot,
    to: Slot,
    both_ways: bool,
    slowness_ns: u64,
}

impl fmt::Display for SlowLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = if self.both_ways { "and back" } else { "only" };
        write!(f, "m{} to m{} {way}, {} ms more", self.from + 1, self.to + 1, self.slowness_ns / 1_000_000)
    }
}

pub fn link(dice: &mut Dice, members: usize) -> Trouble {
    let (from, to) = super::pair_of(dice, members);
    let slowest = *dice.pick(&[20, 150, 1_000]);
    let slowness_ns = dice.between(1, slowest) * 1_000_000;
    Trouble::SlowLink(SlowLink { from, to, both_ways: dice.coin(), slowness_ns })
}

impl SlowLink {
    fn set(&self, world: &mut World, ns: u64) {
        world.links.of_mut(self.from, self.to).slowness_ns = ns;
        if self.both_ways {
            world.links.of_mut(self.to, self.from).slowness_ns = ns;
        }
    }
}

impl Kind for SlowLink {
    fn name(&self) -> &'static str {
        "slow link"
    }
    fn members(&self) -> Vec<Slot> {
        vec![self.from, self.to]
    }
    fn begin(&self, world: &mut World, _: u64) {
        self.set(world, self.slowness_ns);
    }
    fn end(&self, world: &mut World) {
        self.set(world, 0);
    }
}
