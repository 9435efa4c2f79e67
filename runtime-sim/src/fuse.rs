//! A fuse: the member dies at its k-th effect from some moment on. Walks through every place between two effects, which
//! a crash at a random time hits only by chance.
use crate::{
    event::{Event, Happening},
    world::{Slot, World},
};
use serde::{Deserialize, Serialize};

/// What a member does to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    Append,
    Sync,
    Send,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Fuse {
    effect: Effect,
    left: u64,
    power: bool,
}

impl World {
    /// The member dies in place of its next effect of this kind but `skip`; with its machine, if `power`.
    pub fn light_fuse(&mut self, member: Slot, effect: Effect, skip: u64, power: bool) {
        self.members[member].fuse = Some(Fuse { effect, left: skip, power });
    }

    pub fn put_out_fuse(&mut self, member: Slot) {
        self.members[member].fuse = None;
    }

    pub(crate) fn burn_fuse(&mut self, what: &Happening<'_>) {
        let (member, effect) = match *what {
            Happening::Appending { member, .. } => (member, Effect::Append),
            Happening::SyncIssued { member } => (member, Effect::Sync),
            Happening::Sending { from, .. } => (from, Effect::Send),
            _ => return,
        };
        let Some(fuse) = self.members[member].fuse.as_mut().filter(|fuse| fuse.effect == effect) else {
            return;
        };
        if fuse.left > 0 {
            fuse.left -= 1;
            return;
        }
        let power = fuse.power;
        self.members[member].fuse = None;
        self.count("process: died at an effect");
        self.record(&Event::Story { line: "a fuse has burnt down" });
        if power {
            self.lose_power(member);
        } else {
            self.crash(member);
        }
    }
}
