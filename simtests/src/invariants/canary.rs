//! The judge that must be heard: it says no at an agreed event of any run, so that a test can see whether a verdict gets
//! from a judge to the exit code and back through a replay.
use detcd_runtime_sim::{Happening, Observer, World};

pub struct Canary {
    /// It speaks as soon as the transcript has so many events.
    pub at: u64,
}

impl Observer for Canary {
    fn happened(&mut self, _: &Happening<'_>, world: &mut World) {
        if world.events() >= self.at && world.troubles().is_empty() {
            world.trouble("canary", format!("asked to say no at event {}", self.at));
        }
    }
}
