//! What happens to members and on their disks.
use crate::invariants::{CHECKPOINTS, FOLDER, Record, records};
use detcd_core::checkpoint::snap;
use detcd_runtime_sim::{Happening, Slot, World, disk::SECTOR};

#[derive(Default)]
struct Member {
    /// The last index it wrote.
    last: u64,
    term: u64,
    /// It has asked for a sync that is not done.
    is_syncing: bool,
    has_booted: bool,
}

pub struct Disks {
    members: Vec<Member>,
}

impl Disks {
    pub fn new(members: usize) -> Disks {
        Disks { members: (0..members).map(|_| Member::default()).collect() }
    }

    pub fn happened(&mut self, what: &Happening<'_>, world: &mut World) {
        match *what {
            Happening::Appending { member, name, bytes } if name.starts_with(FOLDER) => {
                self.appending(member, name, bytes, world);
            }
            Happening::SyncIssued { member } => self.members[member].is_syncing = true,
            Happening::Synced { member, .. } => self.members[member].is_syncing = false,
            Happening::SyncFailed { member } => {
                self.members[member].is_syncing = false;
                world.count("seen: a member is told that its sync failed");
            }
            Happening::Truncated { .. } => world.count("seen: the end of a log is cut off"),
            Happening::Booting { member } => self.booting(member, world),
            Happening::Died { member, power } => self.died(member, power, world),
            Happening::Halted { .. } => world.count("seen: a member gives up"),
            Happening::Answering { write: true, .. } => world.count("seen: a write is answered"),
            _ => {}
        }
    }

    fn appending(&mut self, slot: Slot, name: &str, bytes: &[u8], world: &mut World) {
        let member = &mut self.members[slot];
        let (mut entries, mut states, mut votes) = (0, 0, 0);
        for record in records(bytes) {
            match record {
                Record::Entry { index, .. } => {
                    entries += 1;
                    if index <= member.last {
                        world.count("seen: log cut back");
                        if member.last > index {
                            world.count("seen: log cut back by several entries");
                        }
                        if member.last > index + 8 {
                            world.count("seen: log cut back by many entries");
                        }
                    }
                    member.last = index;
                }
                Record::State(state) => {
                    states += 1;
                    votes += u64::from(state.term > member.term && state.vote != 0);
                    member.term = member.term.max(state.term);
                }
                Record::Checkpoint { .. } => world.count("seen: a checkpoint counts"),
            }
        }
        let mut seen = |when: bool, what: &'static str| {
            if when {
                world.count(what);
            }
        };
        seen(entries > 1, "seen: several entries in one write");
        seen(entries > 16, "seen: many entries in one write");
        seen(entries == 0 && states > 0, "seen: a state without entries is written");
        seen(entries > 0 && votes > 0, "seen: a vote and entries in one write");
        seen(votes > 0, "seen: a vote in a new term is written");
        seen(bytes.len() > SECTOR, "seen: a write of several sectors");
        seen(bytes.len() > 16 * SECTOR, "seen: a write of many sectors");
        if name.ends_with(".tmp") {
            let first = world.disk(slot).durable(FOLDER).next().is_none();
            world.count(if first { "seen: a log begins" } else { "seen: a segment begins" });
        }
    }

    fn booting(&mut self, slot: Slot, world: &mut World) {
        let again = std::mem::replace(&mut self.members[slot].has_booted, true);
        self.members[slot].is_syncing = false;
        let disk = world.disk(slot);
        let (mut segments, mut drafts) = (0, 0);
        for (name, _) in disk.cached(FOLDER) {
            if name.ends_with(".wal") {
                segments += 1;
            } else {
                drafts += 1;
            }
        }
        let unfinished = disk.list(CHECKPOINTS).iter().any(|name| name.starts_with(snap::DRAFT));
        let dirty = disk.has_dirt();
        let up = (0..world.len()).filter(|&other| other != slot && world.is_up(other)).count();
        let others = world.len() - 1;
        let mut seen = |when: bool, what: &'static str| {
            if when {
                world.count(what);
            }
        };
        seen(again && segments == 0, "seen: a member boots again and has no log yet");
        seen(segments == 1, "seen: a boot from one segment");
        seen(segments > 1, "seen: a boot from several segments");
        seen(segments > 5, "seen: a boot from many segments");
        seen(drafts > 0, "seen: a boot finds a segment that was never finished");
        seen(unfinished, "seen: a boot finds a checkpoint that was never finished");
        seen(again && dirty, "seen: a boot finds what nobody synced");
        seen(again && others > 0 && up == 0, "seen: a member boots while nobody else runs");
        seen(again && others > 0 && up == others, "seen: a member boots while all others run");
    }

    fn died(&mut self, slot: Slot, power: bool, world: &mut World) {
        let dirty = world.disk(slot).has_dirt();
        let syncing = std::mem::take(&mut self.members[slot].is_syncing);
        let down = (0..world.len()).filter(|&other| !world.is_up(other)).count();
        let members = world.len();
        let mut seen = |when: bool, what: &'static str| {
            if when {
                world.count(what);
            }
        };
        seen(dirty, "seen: death with unsynced bytes");
        seen(syncing && power, "seen: the power goes during a sync");
        seen(syncing && !power, "seen: a process dies during a sync");
        seen(members > 1 && down == members, "seen: the last member dies");
        seen(members > 1 && down * 2 > members && down < members, "seen: a majority is dead");
        seen(down > 1 && down * 2 < members, "seen: two are dead and a majority lives");
    }
}
