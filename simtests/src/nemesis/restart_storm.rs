//! One member dies again and again, also while it boots: an init system without patience, a member that runs out of
//! memory.
use super::{Kind, Trouble};
use detcd_runtime_sim::{Dice, Slot, World};
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartStorm {
    member: Slot,
    /// From one death to the next, in nanoseconds; in turn.
    lives_ns: Vec<u64>,
    power: bool,
}

impl fmt::Display for RestartStorm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.power { "power loss" } else { "crash" };
        write!(f, "m{}, a {how} after", self.member + 1)?;
        self.lives_ns.iter().try_for_each(|ns| write!(f, " {}", ns / 1_000))?;
        f.write_str(" us")
    }
}

pub fn one(dice: &mut Dice, members: usize) -> Trouble {
    let member = dice.index(members);
    let longest = *dice.pick(&[1_000_000, 10_000_000, 100_000_000]);
    let lives_ns = (0..dice.between(3, 12)).map(|_| dice.between(20_000, longest)).collect();
    Trouble::RestartStorm(RestartStorm { member, lives_ns, power: dice.permille(300) })
}

impl Kind for RestartStorm {
    fn name(&self) -> &'static str {
        "restart storm"
    }
    fn members(&self) -> Vec<Slot> {
        vec![self.member]
    }
    fn begin(&self, world: &mut World, lasting_ns: u64) {
        let until = world.now() + lasting_ns;
        kill(self.clone(), world, until, 0);
    }
    fn end(&self, _: &mut World) {}
}

fn kill(storm: RestartStorm, world: &mut World, until: u64, n: usize) {
    if world.is_calm || world.now() > until {
        return;
    }
    world.count("process: killed in a storm");
    if storm.power {
        world.lose_power(storm.member);
    } else {
        world.crash(storm.member);
    }
    world.start(storm.member);
    if let Some(&life) = storm.lives_ns.get(n) {
        world.after(life, move |world| kill(storm, world, until, n + 1));
    }
}
