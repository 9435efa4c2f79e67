//! Members cannot reach each other: in two camps, through one bridge only, or in one direction only.
use super::{Trouble, some_of};
use detcd_runtime_sim::{Dice, Slot, World};
use std::fmt;

struct Partition {
    name: &'static str,
    /// Directed: from, to.
    cuts: Vec<(Slot, Slot)>,
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "from ";
        for (from, to) in &self.cuts {
            write!(f, "{between}m{} to m{}", from + 1, to + 1)?;
            between = ", ";
        }
        Ok(())
    }
}

/// Two camps that hear nothing of each other.
pub fn halves(dice: &mut Dice, members: usize) -> Box<dyn Trouble> {
    let camp = some_of(dice, members);
    let cuts = pairs(members).filter(|(a, b)| camp.contains(a) != camp.contains(b)).collect();
    Box::new(Partition { name: "partition", cuts })
}

/// Two camps, and one member that hears both.
pub fn bridge(dice: &mut Dice, members: usize) -> Box<dyn Trouble> {
    let bridge = dice.index(members);
    let camp = some_of(dice, members);
    let cuts = pairs(members)
        .filter(|&(a, b)| a != bridge && b != bridge && camp.contains(&a) != camp.contains(&b))
        .collect();
    Box::new(Partition { name: "partition with a bridge", cuts })
}

/// One member hears but is not heard, or the reverse, by some or all.
pub fn one_way(dice: &mut Dice, members: usize) -> Box<dyn Trouble> {
    let member = dice.index(members);
    let deaf = dice.coin();
    let others: Vec<Slot> = (0..members).filter(|&other| other != member).collect();
    let k = dice.between(1, others.len() as u64) as usize;
    let cuts = dice
        .subset(others.len(), k)
        .into_iter()
        .map(|i| if deaf { (others[i], member) } else { (member, others[i]) })
        .collect();
    Box::new(Partition { name: "one-way cut", cuts })
}

fn pairs(members: usize) -> impl Iterator<Item = (Slot, Slot)> {
    (0..members).flat_map(move |a| (0..members).map(move |b| (a, b))).filter(|(a, b)| a != b)
}

impl Trouble for Partition {
    fn name(&self) -> &'static str {
        self.name
    }
    fn begin(&self, world: &mut World) {
        for &(from, to) in &self.cuts {
            world.cut(from, to);
        }
    }
    fn end(&self, world: &mut World) {
        for &(from, to) in &self.cuts {
            world.mend(from, to);
        }
    }
}
