//! What the world does to a disk on a member's behalf: how long it takes, and whether it fails.
use super::Inode;
use crate::{
    event::{Event, Happening},
    world::{Slot, World},
};
use bytes::Bytes;
use std::io;

impl World {
    pub(crate) fn disk_ends(&mut self, member: Slot) -> u64 {
        let now = self.now();
        self.members[member].disk.knobs.append_ends(now, &mut self.disk_dice)
    }

    pub(crate) fn sync_ends(&mut self, member: Slot) -> (u64, u64) {
        let now = self.now();
        self.members[member].disk.knobs.sync_ends(now, &mut self.disk_dice)
    }

    pub(crate) fn append(&mut self, member: Slot, file: Inode, bytes: Bytes) -> io::Result<()> {
        let World { members, disk_dice, .. } = self;
        let disk = &mut members[member].disk;
        let full = disk.knobs.full || disk.is_in_full_folder(file);
        if full || disk_dice.permille(disk.knobs.append_fails_permille) {
            disk.fail_append(file, bytes, disk_dice);
            self.count(if full { "disk: full" } else { "disk: write failed" });
            let kind = if full { io::ErrorKind::StorageFull } else { io::ErrorKind::Other };
            let text = if full { "no space left on device" } else { "input/output error" };
            return Err(io::Error::new(kind, text));
        }
        disk.append(file, bytes);
        Ok(())
    }

    pub(crate) fn sync(&mut self, member: Slot, file: Inode) -> io::Result<()> {
        let World { members, disk_dice, .. } = self;
        let disk = &mut members[member].disk;
        if disk.knobs.sync_lies {
            disk.lie(file);
            let name = disk.name_of(file).unwrap_or_default().to_owned();
            self.record(&Event::Sync { member, file, ok: true });
            self.count("disk: sync lied");
            self.observe(&Happening::Synced { member, name: &name });
            return Ok(());
        }
        if disk_dice.permille(disk.knobs.sync_fails_permille) {
            disk.fail_sync(file, disk_dice);
            self.record(&Event::Sync { member, file, ok: false });
            self.count("disk: sync failed");
            if self.members[member].disk.has_ghosts(file) {
                self.count("disk: dropped pages stay readable");
            }
            self.observe(&Happening::SyncFailed { member });
            return Err(io::Error::other("input/output error"));
        }
        disk.sync(file);
        let name = disk.name_of(file).unwrap_or_default().to_owned();
        self.record(&Event::Sync { member, file, ok: true });
        self.observe(&Happening::Synced { member, name: &name });
        Ok(())
    }
}
