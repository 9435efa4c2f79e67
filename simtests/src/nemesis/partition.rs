//! Members cannot reach each other: in two camps, through one bridge only, or in one direction only.
use super::{Kind, Trouble, some_of};
use detcd_runtime_sim::{Dice, Slot, World};
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    shape: Shape,
    /// Directed: from, to.
    cuts: Vec<(Slot, Slot)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Shape {
    Halves,
    Bridge,
    OneWay,
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
pub fn halves(dice: &mut Dice, members: usize) -> Trouble {
    camp(&some_of(dice, members), members)
}

/// One member that hears nobody and is not heard.
pub fn alone(member: Slot, members: usize) -> Trouble {
    camp(&[member], members)
}

/// Some that hear each other only.
pub fn camp(camp: &[Slot], members: usize) -> Trouble {
    let cuts = pairs(members).filter(|(a, b)| camp.contains(a) != camp.contains(b)).collect();
    Trouble::Partition(Partition { shape: Shape::Halves, cuts })
}

/// Two camps, and one member that hears both.
pub fn bridge(dice: &mut Dice, members: usize) -> Trouble {
    let bridge = dice.index(members);
    let camp = some_of(dice, members);
    let cuts = pairs(members)
        .filter(|&(a, b)| a != bridge && b != bridge && camp.contains(&a) != camp.contains(&b))
        .collect();
    Trouble::Partition(Partition { shape: Shape::Bridge, cuts })
}

/// One member hears but is not heard, or the reverse, by some or all.
pub fn one_way(dice: &mut Dice, members: usize) -> Trouble {
    let member = dice.index(members);
    let deaf = dice.coin();
    let others: Vec<Slot> = (0..members).filter(|&other| other != member).collect();
    let k = dice.between(1, others.len() as u64) as usize;
    let cuts = dice
        .subset(others.len(), k)
        .into_iter()
        .map(|i| if deaf { (others[i], member) } else { (member, others[i]) })
        .collect();
    Trouble::Partition(Partition { shape: Shape::OneWay, cuts })
}

fn pairs(members: usize) -> impl Iterator<Item = (Slot, Slot)> {
    (0..members).flat_map(move |a| (0..members).map(move |b| (a, b))).filter(|(a, b)| a != b)
}

impl Kind for Partition {
    fn name(&self) -> &'static str {
        match self.shape {
            Shape::Halves => "partition",
            Shape::Bridge => "partition with a bridge",
            Shape::OneWay => "one-way cut",
        }
    }
    fn members(&self) -> Vec<Slot> {
        self.cuts.iter().flat_map(|&(from, to)| [from, to]).collect()
    }
    fn begin(&self, world: &mut World, _: u64) {
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
