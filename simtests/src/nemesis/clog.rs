//! The links of one member after the other are clogged, then unclogged in another order. Nothing is lost: what was held
//! back arrives late and all at once, from several pasts.
use super::{Kind, Trouble, Who};
use detcd_runtime_sim::{Dice, Slot, World};
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swizzle {
    /// In the order in which they are clogged.
    clogged: Vec<Slot>,
    /// In the order in which they are unclogged: the same members.
    unclogged: Vec<Slot>,
    of: usize,
}

impl fmt::Display for Swizzle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, then free {}", Who(&self.clogged), Who(&self.unclogged))
    }
}

pub fn swizzle(dice: &mut Dice, members: usize) -> Trouble {
    let k = dice.between(1, members as u64) as usize;
    let some = dice.subset(members, k);
    let clogged = dice.shuffled(some.clone());
    let unclogged = dice.shuffled(some);
    Trouble::Swizzle(Swizzle { clogged, unclogged, of: members })
}

impl Swizzle {
    fn links_of(&self, member: Slot) -> impl Iterator<Item = (Slot, Slot)> + use<> {
        (0..self.of)
            .filter(move |&other| other != member)
            .flat_map(move |other| [(member, other), (other, member)])
    }
}

impl Kind for Swizzle {
    fn name(&self) -> &'static str {
        "swizzled clogging"
    }
    fn members(&self) -> Vec<Slot> {
        (0..self.of).collect()
    }
    fn begin(&self, world: &mut World, lasting_ns: u64) {
        let gap = lasting_ns / (2 * self.clogged.len() as u64 + 1);
        let half = lasting_ns / 2;
        for (i, &member) in self.clogged.iter().enumerate() {
            let links: Vec<_> = self.links_of(member).collect();
            world.after(gap * i as u64, move |world| {
                if !world.is_calm {
                    links.iter().for_each(|&(from, to)| world.clog(from, to));
                }
            });
        }
        for (i, &member) in self.unclogged.iter().enumerate() {
            let links: Vec<_> = self.links_of(member).collect();
            world.after(half + gap * i as u64, move |world| {
                if !world.is_calm {
                    links.iter().for_each(|&(from, to)| world.unclog(from, to));
                }
            });
        }
    }
    fn end(&self, _: &mut World) {}
}
