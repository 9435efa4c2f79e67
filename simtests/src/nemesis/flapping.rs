//! A link that goes up and down every few milliseconds, as a bad port of a switch does.
use super::{Kind, Trouble};
use detcd_runtime_sim::{Dice, Slot, World};
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flapping {
    a: Slot,
    b: Slot,
    down_ns: u64,
    up_ns: u64,
}

impl fmt::Display for Flapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (down, up) = (self.down_ns / 1_000, self.up_ns / 1_000);
        write!(f, "m{} and m{}, {down} us down and {up} us up", self.a + 1, self.b + 1)
    }
}

pub fn link(dice: &mut Dice, members: usize) -> Trouble {
    let pair = super::pair_of(dice, members);
    let longest = *dice.pick(&[2_000_000, 20_000_000, 200_000_000]);
    let (down_ns, up_ns) = (dice.between(100_000, longest), dice.between(100_000, longest));
    Trouble::Flapping(Flapping { a: pair.0, b: pair.1, down_ns, up_ns })
}

impl Kind for Flapping {
    fn name(&self) -> &'static str {
        "flapping link"
    }
    fn members(&self) -> Vec<Slot> {
        vec![self.a, self.b]
    }
    fn begin(&self, world: &mut World, lasting_ns: u64) {
        let until = world.now() + lasting_ns;
        go_down(self.clone(), world, until);
    }
    fn end(&self, _: &mut World) {}
}

/// Down, up, and so on; always up in the end.
fn go_down(link: Flapping, world: &mut World, until: u64) {
    if world.is_calm || world.now() >= until {
        return;
    }
    world.count("net: link flapped");
    for (from, to) in [(link.a, link.b), (link.b, link.a)] {
        world.cut(from, to);
    }
    world.after(link.down_ns, move |world| {
        // Calm has mended every link already.
        if world.is_calm {
            return;
        }
        for (from, to) in [(link.a, link.b), (link.b, link.a)] {
            world.mend(from, to);
        }
        world.after(link.up_ns, move |world| go_down(link, world, until));
    });
}
