//! A member dies at its k-th append, sync or message, counted from now or from its next boot.
use super::{Kind, Trouble};
use detcd_runtime_sim::{Dice, Slot, World, fuse::Effect};
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fuse {
    member: Slot,
    effect: Effect,
    /// So many pass before.
    skip: u64,
    power: bool,
    from_boot: bool,
}

impl fmt::Display for Fuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = if self.from_boot { " after a boot" } else { "" };
        let with = if self.power { ", with its machine" } else { "" };
        write!(f, "m{} at {:?} {}{since}{with}", self.member + 1, self.effect, self.skip + 1)
    }
}

pub fn one(dice: &mut Dice, members: usize) -> Trouble {
    let effect = *dice.pick(&[Effect::Append, Effect::Sync, Effect::Send]);
    let far = *dice.pick(&[3, 30, 300]);
    let (member, skip) = (dice.index(members), dice.below(far));
    Trouble::Fuse(Fuse { member, effect, skip, power: dice.coin(), from_boot: dice.coin() })
}

impl Kind for Fuse {
    fn name(&self) -> &'static str {
        match self.effect {
            Effect::Append => "crash at an append",
            Effect::Sync => "crash at a sync",
            Effect::Send => "crash at a message",
        }
    }
    fn members(&self) -> Vec<Slot> {
        vec![self.member]
    }
    fn begin(&self, world: &mut World, _: u64) {
        if self.from_boot {
            world.crash(self.member);
            world.start(self.member);
        }
        world.light_fuse(self.member, self.effect, self.skip, self.power);
    }
    fn end(&self, world: &mut World) {
        world.put_out_fuse(self.member);
        world.start(self.member);
    }
}
