//! What a link has carried for a while arrives once more, all at once and late: old appends, votes and answers, in
//! another term perhaps.
use super::{Kind, Trouble};
use detcd_runtime_sim::{Dice, Slot, World};
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Echo {
    links: Vec<(Slot, Slot)>,
}

impl fmt::Display for Echo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "of ";
        for (from, to) in &self.links {
            write!(f, "{between}m{} to m{}", from + 1, to + 1)?;
            between = ", ";
        }
        Ok(())
    }
}

pub fn burst(dice: &mut Dice, members: usize) -> Trouble {
    let (from, to) = super::pair_of(dice, members);
    let links = match dice.below(3) {
        0 => vec![(from, to)],
        1 => vec![(from, to), (to, from)],
        _ => (0..members).filter(|&other| other != to).map(|other| (other, to)).collect(),
    };
    Trouble::Echo(Echo { links })
}

impl Kind for Echo {
    fn name(&self) -> &'static str {
        "repeated burst"
    }
    fn members(&self) -> Vec<Slot> {
        self.links.iter().flat_map(|&(from, to)| [from, to]).collect()
    }
    fn begin(&self, world: &mut World, _: u64) {
        for &(from, to) in &self.links {
            world.overhear(from, to);
        }
    }
    fn end(&self, world: &mut World) {
        for &(from, to) in &self.links {
            world.repeat_overheard(from, to);
        }
    }
}
