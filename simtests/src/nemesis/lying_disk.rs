//! A disk that says that a sync is done and has done nothing: a volatile cache that ignores the order to be emptied. The
//! next power loss takes what the member had promised to others.
use super::{Kind, Trouble};
use detcd_runtime_sim::{Slot, World};
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LyingDisk {
    member: Slot,
}

impl fmt::Display for LyingDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{}", self.member + 1)
    }
}

pub fn of(member: Slot) -> Trouble {
    Trouble::LyingDisk(LyingDisk { member })
}

/// It says the truth again.
pub fn mend(world: &mut World, member: Slot) {
    world.disk_mut(member).knobs.sync_lies = false;
}

impl Kind for LyingDisk {
    fn name(&self) -> &'static str {
        "lying disk"
    }
    fn members(&self) -> Vec<Slot> {
        vec![self.member]
    }
    fn begin(&self, world: &mut World, _: u64) {
        world.disk_mut(self.member).knobs.sync_lies = true;
    }
    /// And the power goes, or nobody would know.
    fn end(&self, world: &mut World) {
        if !world.is_calm {
            world.lose_power(self.member);
            world.start(self.member);
        }
        mend(world, self.member);
    }
}
