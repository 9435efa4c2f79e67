//! An operator restarts members, one or one after the other: each is asked to end, and killed if it does not.
use super::{Kind, Trouble, Who};
use detcd_runtime_sim::{Dice, Slot, World};
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restart {
    members: Vec<Slot>,
    /// From one member to the next, in nanoseconds.
    pause_ns: u64,
    /// How long a member may take to end.
    patience_ns: u64,
}

impl fmt::Display for Restart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, one every {} ms", Who(&self.members), self.pause_ns / 1_000_000)
    }
}

pub fn one(dice: &mut Dice, members: usize) -> Trouble {
    let members = vec![dice.index(members)];
    Trouble::Restart(Restart { members, pause_ns: 0, patience_ns: dice.between(1, 500) * 1_000_000 })
}

pub fn rolling(dice: &mut Dice, members: usize) -> Trouble {
    let first = dice.index(members);
    let members = (0..members).map(|i| (first + i) % members).collect();
    let (pause, patience) = (dice.between(1, 600), dice.between(1, 500));
    Trouble::Restart(Restart { members, pause_ns: pause * 1_000_000, patience_ns: patience * 1_000_000 })
}

impl Kind for Restart {
    fn name(&self) -> &'static str {
        if self.members.len() == 1 { "restart" } else { "rolling restart" }
    }
    fn members(&self) -> Vec<Slot> {
        self.members.clone()
    }
    fn begin(&self, world: &mut World, _: u64) {
        for (i, &member) in self.members.iter().enumerate() {
            let patience = self.patience_ns;
            world.after(self.pause_ns * i as u64, move |world| {
                if world.is_calm {
                    return;
                }
                world.stop(member);
                let life = world.life_of(member);
                world.after(patience, move |world| {
                    if world.life_of(member) == life {
                        world.crash(member);
                        world.start(member);
                    }
                });
            });
        }
    }
    fn end(&self, _: &mut World) {}
}
