//! What should happen sometimes: a simulator that never sees a log being cut back does not test cutting logs back.
//! Each is counted and shown in the summary; a long run in which one is missing is not as good as it looks.
//!
//! All are seen from outside: on the wire, on the disk, in what a member tells its operator, in what clients hear.
mod clients;
mod disk;
mod notes;
mod wire;

pub use clients::{answered, renewed, reply_heard};

use detcd_runtime_sim::{Happening, Observer, World};

/// Counts what is worth having happened.
pub struct Probes {
    wire: wire::Wire,
    disk: disk::Disks,
}

impl Probes {
    /// For members that may have so many appends under way to each other.
    pub fn new(members: usize, max_inflight_messages: usize) -> Probes {
        Probes { wire: wire::Wire::new(members, max_inflight_messages), disk: disk::Disks::new(members) }
    }
}

impl Observer for Probes {
    fn happened(&mut self, what: &Happening<'_>, world: &mut World) {
        match *what {
            Happening::Sending { from, to, message } => self.wire.sending(from, to, message, world),
            Happening::Delivering { from, to, message } => self.wire.delivering(from, to, message, world),
            Happening::Noted { line, .. } => notes::noted(line, world),
            _ => {
                self.wire.other(what, world);
                self.disk.happened(what, world);
            }
        }
    }
}
