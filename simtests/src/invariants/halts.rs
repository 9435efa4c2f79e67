//! A member gives up only when its disk fails it, and always when its disk destroyed what was synced: then it says in
//! which file, and never goes on with what is left. A member that finds any other damage has done it itself, or cannot
//! read what a crash leaves.
use super::mirror::FOLDER;
use detcd_runtime_sim::{Happening, Observer, Slot, World};

/// What a simulated disk says when it fails.
const EXCUSES: [&str; 2] = ["input/output error", "no space left on device"];

/// Whether this names a file of the member that its disk damaged.
pub fn names_damage(world: &World, member: Slot, why: &str) -> bool {
    world.disk(member).damaged().any(|name| why.contains(name.rsplit('/').next().unwrap_or(name)))
}

pub struct HaltsWithReason {
    /// Its disk was damaged when it began to boot.
    damaged: Vec<bool>,
}

impl HaltsWithReason {
    pub fn new(members: usize) -> HaltsWithReason {
        HaltsWithReason { damaged: vec![false; members] }
    }
}

impl Observer for HaltsWithReason {
    fn happened(&mut self, what: &Happening<'_>, world: &mut World) {
        match *what {
            Happening::Booting { member } => {
                // A damaged checkpoint is no reason to give up: there is another, or the log.
                self.damaged[member] = world.disk(member).damaged().any(|name| name.starts_with(FOLDER));
            }
            Happening::Noted { member, line } if self.damaged[member] && line.contains(" booted member=") => {
                let files: Vec<String> = world.disk(member).damaged().map(str::to_owned).collect();
                world.trouble("damage", format!("m{} boots, and {} is damaged", member + 1, files.join(" ")));
            }
            Happening::Halted { member, why }
                if !EXCUSES.iter().any(|excuse| why.contains(excuse))
                    && !names_damage(world, member, why) =>
            {
                world.trouble("recovery", format!("m{} gives up: {why}", member + 1));
            }
            _ => {}
        }
    }
}
