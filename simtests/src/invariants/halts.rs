//! A member gives up only when its disk fails it. Simulated disks lose what was not synced and report errors; they
//! never hold wrong bytes, so a member that finds its log damaged has damaged it, or cannot read what a crash leaves.
use detcd_runtime_sim::{Happening, Observer, World};

/// What a simulated disk says when it fails.
const EXCUSES: [&str; 2] = ["input/output error", "no space left on device"];

#[derive(Default)]
pub struct HaltsWithReason;

impl Observer for HaltsWithReason {
    fn happened(&mut self, what: &Happening<'_>, world: &mut World) {
        if let Happening::Halted { member, why } = *what
            && !EXCUSES.iter().any(|excuse| why.contains(excuse))
        {
            world.trouble("recovery", format!("m{} gives up: {why}", member + 1));
        }
    }
}
