//! A disk destroys what was synced: a bit flips, a write lands in the wrong place. More than a minority of such disks
//! is more than Raft promises to survive, so only members that a plan dooms have them.
//!
//! Hit is always the data of an entry that is not the last record of its segment. Nothing else would be exact: etcd's
//! format protects neither a record's kind nor the length in front of it, and a bad last record cannot be told from
//! one that was being written when power failed.
use super::{Kind, Trouble};
use crate::invariants::{CHECKPOINTS, FOLDER, entry_data, read};
use detcd_core::checkpoint::snap;
use detcd_runtime_sim::{Dice, Slot, World, disk::Platter};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt, ops::Range};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BitRot {
    member: Slot,
    /// Chooses among the bits there are at that time.
    place: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Misdirected {
    member: Slot,
    /// Chooses among the places there are at that time.
    place: u64,
}

impl fmt::Display for BitRot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{}", self.member + 1)
    }
}

impl fmt::Display for Misdirected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{}", self.member + 1)
    }
}

pub fn rot(dice: &mut Dice, member: Slot) -> Trouble {
    Trouble::BitRot(BitRot { member, place: dice.u64() >> 1 })
}

pub fn misdirected(dice: &mut Dice, member: Slot) -> Trouble {
    Trouble::Misdirected(Misdirected { member, place: dice.u64() >> 1 })
}

/// A bit flips in the newest checkpoint. That must cost a member nothing but time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRot {
    member: Slot,
    /// Chooses among the bits there are at that time.
    place: u64,
}

impl fmt::Display for ImageRot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{}", self.member + 1)
    }
}

pub fn image_rot(dice: &mut Dice, member: Slot) -> Trouble {
    Trouble::ImageRot(ImageRot { member, place: dice.u64() >> 1 })
}

impl Kind for ImageRot {
    fn name(&self) -> &'static str {
        "bit rot in a checkpoint"
    }
    fn members(&self) -> Vec<Slot> {
        vec![self.member]
    }
    fn begin(&self, world: &mut World, _: u64) {
        let disk = world.disk(self.member);
        let files: Vec<(String, Vec<u8>)> =
            disk.durable(CHECKPOINTS).map(|(name, bytes)| (name.to_owned(), bytes.to_vec())).collect();
        let image = files.iter().rfind(|(name, bytes)| name.ends_with(".db") && !bytes.is_empty());
        let Some((image, _)) = image else { return };
        // In the image, or in the sums that vouch for it.
        let sums = format!("{image}.sums");
        let of_sums = self.place.is_multiple_of(8);
        if !has_another_start(disk) {
            // A member that got the only one it has from its leader would be as one without a disk.
            return;
        }
        let Some((name, bytes)) =
            files.iter().find(|(name, _)| *name == if of_sums { sums.as_str() } else { image.as_str() })
        else {
            return;
        };
        let at = (self.place / 104_729) as usize % bytes.len().max(1);
        let Some(byte) = bytes.get(at) else { return };
        if world.disk_mut(self.member).damage(name, at, &[byte ^ 1 << (self.place / 8 % 8)]) {
            world.count("disk: bit flipped in a checkpoint");
        }
    }
    fn end(&self, _: &mut World) {}
}

/// Whether the member can start without its newest checkpoint.
fn has_another_start(disk: &Platter) -> bool {
    let Some(Some(log)) = read(disk.durable(FOLDER)) else { return false };
    let usable = log.starts().filter(|start| {
        let image = format!("{CHECKPOINTS}/{}", snap::image_name(start.index));
        log.check(*start).is_ok() && (start.index == 0 || disk.exists(&image))
    });
    usable.map(|start| start.index).collect::<BTreeSet<u64>>().len() > 1
}

/// A segment, and where the data of its entries lie, without its last record.
struct Target {
    name: String,
    bytes: Vec<u8>,
    entries: Vec<Range<usize>>,
    /// Where the last record begins.
    end: usize,
}

/// One of the segments that hold synced entries behind which something follows.
fn target(disk: &Platter, place: u64) -> Option<Target> {
    let targets = disk.durable(FOLDER).filter(|(name, _)| name.ends_with(".wal"));
    let mut targets: Vec<Target> = targets
        .filter_map(|(name, bytes)| {
            let (entries, end) = entry_data(bytes);
            let entries: Vec<_> =
                entries.into_iter().filter(|data| data.end <= end && !data.is_empty()).collect();
            let target = Target { name: name.to_owned(), bytes: bytes.to_vec(), entries, end };
            (!target.entries.is_empty()).then_some(target)
        })
        .collect();
    if targets.is_empty() {
        return None;
    }
    // The older half of the log and the newer one are as likely to be hit.
    let at = (place % 7919) as usize % targets.len();
    Some(targets.swap_remove(at))
}

impl Kind for BitRot {
    fn name(&self) -> &'static str {
        "bit rot"
    }
    fn members(&self) -> Vec<Slot> {
        vec![self.member]
    }
    fn begin(&self, world: &mut World, _: u64) {
        let Some(target) = target(world.disk(self.member), self.place) else { return };
        let data = &target.entries[(self.place / 7919) as usize % target.entries.len()];
        let at = data.start + (self.place / 104_729) as usize % data.len();
        let byte = target.bytes[at] ^ 1 << (self.place % 8);
        if world.disk_mut(self.member).damage(&target.name, at, &[byte]) {
            world.count("disk: bit flipped");
        }
    }
    fn end(&self, _: &mut World) {}
}

impl Kind for Misdirected {
    fn name(&self) -> &'static str {
        "misdirected write"
    }
    fn members(&self) -> Vec<Slot> {
        vec![self.member]
    }
    /// What was written last stands once more over something older.
    fn begin(&self, world: &mut World, _: u64) {
        let Some(target) = target(world.disk(self.member), self.place) else { return };
        let data = &target.entries[(self.place / 7919) as usize % target.entries.len()];
        let last = &target.bytes[target.end..];
        let len = last.len().min(target.end - data.start);
        if world.disk_mut(self.member).damage(&target.name, data.start, &last[..len]) {
            world.count("disk: write misdirected");
        }
    }
    fn end(&self, _: &mut World) {}
}
