//! How a disk fails: what power loss takes, what a failed sync drops, and the knobs that a nemesis turns.
use super::{Content, Inode, NameChange, Platter, SECTOR, Write};
use crate::chance::{Dice, Latency};
use serde::{Deserialize, Serialize};

/// How this disk behaves at the moment. A nemesis turns the knobs; healing puts the defaults back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Knobs {
    pub append: Latency,
    /// From the call of a sync to the moment when the bytes are safe.
    pub sync: Latency,
    /// From that moment to the caller's learning of it.
    pub answer: Latency,
    /// Everything takes this many times as long.
    pub slowness: u64,
    /// No operation finishes before this moment of the world, in nanoseconds.
    pub stuck_until_ns: u64,
    /// So many thousandths of the syncs fail, and drop what they should have written.
    pub sync_fails_permille: u64,
    /// What a failed sync dropped can still be read, until the process dies.
    pub dropped_stay_readable: bool,
    /// A sync says that it is done, and nothing is safer than before.
    pub sync_lies: bool,
    /// Reads of the log fail.
    pub read_fails: bool,
    /// So many thousandths of the appends fail half-way.
    pub append_fails_permille: u64,
    /// No space left: every append fails half-way.
    pub full: bool,
    /// No space left in this folder: it lies on another disk than the rest.
    #[serde(default)]
    pub full_folder: Option<String>,
}

impl Default for Knobs {
    fn default() -> Knobs {
        Knobs {
            append: Latency::new(5, 40, 5, 2_000),
            sync: Latency::new(150, 1_500, 15, 40_000),
            answer: Latency::new(2, 30, 5, 3_000),
            slowness: 1,
            stuck_until_ns: 0,
            sync_fails_permille: 0,
            dropped_stay_readable: false,
            sync_lies: false,
            read_fails: false,
            append_fails_permille: 0,
            full: false,
            full_folder: None,
        }
    }
}

/// However slow a disk is, no operation takes longer, in nanoseconds: when everything heals, what is under way must end
/// soon. Only a disk that is stuck makes it wait longer.
const SLOWEST_NS: u64 = 1_000_000_000;

impl Knobs {
    pub(super) fn append_ends(&self, now: u64, dice: &mut Dice) -> u64 {
        (now + self.slowed(self.append.draw(dice))).max(self.stuck_until_ns)
    }

    fn slowed(&self, ns: u64) -> u64 {
        ns.saturating_mul(self.slowness).min(SLOWEST_NS)
    }

    /// When the bytes are safe, and when the caller learns of it.
    pub(super) fn sync_ends(&self, now: u64, dice: &mut Dice) -> (u64, u64) {
        let safe = (now + self.slowed(self.sync.draw(dice))).max(self.stuck_until_ns);
        (safe, safe + self.slowed(self.answer.draw(dice)))
    }
}

/// What power loss took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Bytes that were appended and are gone, or hold something else.
    pub bytes: u64,
    /// Files that end in the middle of what was appended at once.
    pub torn: u64,
    /// Files that kept later sectors and lost earlier ones.
    pub holed: u64,
    /// Truncations that were forgotten.
    pub truncates: u64,
    /// Names that were new, changed or removed and are as before.
    pub names: u64,
    /// Of these, renames: the file is there under its old name.
    pub renames: u64,
}

impl Platter {
    /// The power goes. What was synced stays; for the rest, chance decides.
    pub fn lose_power(&mut self, dice: &mut Dice) -> Loss {
        let mut loss = Loss::default();
        for content in &mut self.files {
            let promised = content.promised.take();
            content.lose_power(dice, &mut loss);
            self.broke_a_promise |= promised.is_some_and(|promised| !content.durable.starts_with(&promised));
        }
        let changes = std::mem::take(&mut self.name_changes);
        let survives = survivors(changes.len(), dice);
        for (change, survives) in changes.iter().zip(survives) {
            if survives {
                change.apply(&mut self.durable_names);
            } else {
                loss.names += 1;
                loss.renames += u64::from(
                    matches!(change, NameChange::Rename { from, .. } if self.durable_names.contains_key(from)),
                );
                self.broke_a_promise |= self.promised_names.is_some();
            }
        }
        self.promised_names = None;
        self.names = self.durable_names.clone();
        loss
    }

    /// The process dies, the machine does not: the page cache stays, and of an append under way some part.
    pub fn lose_process(&mut self, dice: &mut Dice) {
        for content in &mut self.files {
            content.lay_ghosts();
            let Some(from) = content.appending_from.take() else { continue };
            let part = dice.below(content.cached.len() as u64 - from + 1);
            if dice.coin() {
                content.cut_last_append(from, part);
            }
        }
    }

    /// An append fails half-way: some prefix of it stays.
    pub fn fail_append(&mut self, file: Inode, bytes: bytes::Bytes, dice: &mut Dice) {
        let part = dice.index(bytes.len() + 1);
        if part > 0 {
            self.append(file, bytes.slice(..part));
            self.appended(file);
        }
    }

    /// A sync fails and drops the dirty pages: some part of them was written. Readers see what is on the disk, or what
    /// was dropped.
    pub fn fail_sync(&mut self, file: Inode, dice: &mut Dice) -> Loss {
        let mut loss = Loss::default();
        let content = &mut self.files[file];
        let before = content.cached.clone();
        let promised = content.promised.take();
        content.lose_power(dice, &mut loss);
        self.broke_a_promise |= promised.is_some_and(|promised| !content.durable.starts_with(&promised));
        if self.knobs.dropped_stay_readable && content.cached != before {
            content.cached = before;
            content.has_ghosts = true;
        }
        loss
    }

    /// A sync of this file says that it is done and has done nothing.
    pub fn lie(&mut self, file: Inode) {
        let content = &mut self.files[file];
        if !content.dirty.is_empty() {
            content.promised = Some(content.cached.clone());
        }
    }

    /// Somebody is told that names are safe, and nothing was done.
    pub fn lie_about_names(&mut self, folder: &str) {
        let promised = self.name_changes.iter().filter(|change| change.folder() == folder);
        for change in promised {
            change.apply(self.promised_names.get_or_insert_with(|| self.durable_names.clone()));
        }
    }

    /// Whether a power loss took what a sync had promised.
    pub fn broke_a_promise(&self) -> bool {
        self.broke_a_promise
    }

    /// Puts other bytes in a place that was synced. False if it is not one, or nothing would change.
    pub fn damage(&mut self, name: &str, offset: usize, bytes: &[u8]) -> bool {
        let Some(&inode) = self.durable_names.get(name).filter(|&inode| self.names.get(name) == Some(inode))
        else {
            return false;
        };
        let content = &mut self.files[inode];
        let place = offset..offset + bytes.len();
        if content.durable.get(place.clone()).is_none_or(|old| old == bytes)
            || content.cached.get(place.clone()).is_none_or(|old| old == bytes)
        {
            return false;
        }
        content.durable[place.clone()].copy_from_slice(bytes);
        content.cached[place].copy_from_slice(bytes);
        self.damaged.insert(inode);
        true
    }

    /// The files that hold wrong bytes in places that were synced, by name.
    pub fn damaged(&self) -> impl Iterator<Item = &str> {
        self.damaged.iter().filter_map(|&inode| self.name_of(inode))
    }
}

/// Which of `n` changes to names survive: none, all, the first few, or any.
fn survivors(n: usize, dice: &mut Dice) -> Vec<bool> {
    if n == 0 {
        return Vec::new();
    }
    match dice.weighted(&[30, 20, 30, 20]) {
        0 => vec![false; n],
        1 => vec![true; n],
        2 => {
            let kept = dice.index(n + 1);
            (0..n).map(|i| i < kept).collect()
        }
        _ => (0..n).map(|_| dice.coin()).collect(),
    }
}

impl Content {
    /// Readers see again what the disk and the page cache hold.
    fn lay_ghosts(&mut self) {
        if std::mem::take(&mut self.has_ghosts) {
            self.cached.clone_from(&self.durable);
            for write in &self.dirty {
                write.apply(&mut self.cached);
            }
        }
    }

    fn lose_power(&mut self, dice: &mut Dice, loss: &mut Loss) {
        self.appending_from = None;
        self.lay_ghosts();
        if self.dirty.is_empty() {
            return;
        }
        let dirty = std::mem::take(&mut self.dirty);
        let whole = self.cached.clone();
        // Writes of many sectors are the ones that can come out of order.
        let unsynced: usize =
            dirty.iter().map(|write| if let Write::Append(_, bytes) = write { bytes.len() } else { 0 }).sum();
        let in_sectors = if unsynced > 2 * SECTOR { 60 } else { 25 };
        match dice.weighted(&[25, 10, 40, in_sectors]) {
            0 => loss.truncates += truncates(&dirty),
            1 => self.durable.clone_from(&whole),
            2 => self.keep_prefix(&dirty, dice, loss),
            _ => self.keep_sectors(&dirty, dice, loss),
        }
        let same = whole.iter().zip(&self.durable).filter(|(a, b)| a == b).count();
        loss.bytes += (whole.len() - same) as u64;
        self.cached.clone_from(&self.durable);
    }

    /// The first writes survive, the next one up to some byte or sector, the rest not at all.
    fn keep_prefix(&mut self, dirty: &[Write], dice: &mut Dice, loss: &mut Loss) {
        let kept = dice.index(dirty.len() + 1);
        for write in &dirty[..kept] {
            write.apply(&mut self.durable);
        }
        loss.truncates += truncates(&dirty[kept..]);
        if let Some(Write::Append(at, bytes)) = dirty.get(kept) {
            self.durable.resize((*at).max(self.durable.len()), 0);
            let from = self.durable.len();
            let mut part = dice.index(bytes.len() + 1);
            if dice.coin() {
                // Disks write whole sectors.
                part = ((from + part) / SECTOR * SECTOR).saturating_sub(from);
            }
            loss.torn += u64::from(part > 0 && part < bytes.len());
            self.durable.extend_from_slice(&bytes[..part]);
        }
    }

    /// The file has the length it had after some write; of the sectors that changed, any may have been written.
    fn keep_sectors(&mut self, dirty: &[Write], dice: &mut Dice, loss: &mut Loss) {
        let old = self.durable.clone();
        let kept = 1 + dice.index(dirty.len());
        let mut first_changed = old.len();
        for write in &dirty[..kept] {
            write.apply(&mut self.durable);
            if let Write::Truncate(len) = write {
                first_changed = first_changed.min(*len as usize);
            }
        }
        loss.truncates += truncates(&dirty[kept..]);
        let mut missing_before = false;
        let mut sector = first_changed / SECTOR * SECTOR;
        while sector < self.durable.len() {
            let end = (sector + SECTOR).min(self.durable.len());
            if dice.coin() {
                // Not written: as it was before, zeros where there was nothing.
                for (at, byte) in self.durable.iter_mut().enumerate().take(end).skip(sector) {
                    *byte = old.get(at).copied().unwrap_or(0);
                }
                missing_before = true;
            } else if missing_before {
                loss.holed += 1;
                missing_before = false;
            }
            sector = end;
        }
    }

    /// Of the last append, which began at `from`, only `part` bytes were written.
    fn cut_last_append(&mut self, from: u64, part: u64) {
        let Some(Write::Append(_, bytes)) = self.dirty.last_mut() else { return };
        bytes.truncate(part as usize);
        self.cached.truncate((from + part) as usize);
        if part == 0 {
            self.dirty.pop();
        }
    }
}

impl Write {
    pub(super) fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Write::Append(at, bytes) => {
                // Behind dropped pages: what was never written reads as zeros.
                to.resize((*at).max(to.len()), 0);
                to.extend_from_slice(bytes);
            }
            Write::Truncate(len) => to.truncate(*len as usize),
        }
    }
}

fn truncates(writes: &[Write]) -> u64 {
    writes.iter().filter(|write| matches!(write, Write::Truncate(_))).count() as u64
}
