//! A disk that forgets: what is durable and what only the page cache knows are two different things.
//!
//! - Appends and truncations show at once to whoever reads, and survive power loss only after `sync`. Without it they
//!   may be lost, kept, cut anywhere, or kept in some sectors and not in others (`faults`).
//! - A new name, a rename or a removal survives power loss only after `sync_dir` of the folder; a sync of the file
//!   alone does not save its name.
//! - A failed sync drops the dirty pages: a later sync that succeeds says nothing about them. Readers see what is on the
//!   disk, or what was dropped until the process dies.
//! - A sync can lie: nothing is safer than before, until one that does not lie.
//! - The death of a process loses nothing but the end of an append that was under way.
//!
//! Folders are made durable by the runtime as it makes them, and stay.
mod faults;
mod port;
mod world;

pub use faults::{Knobs, Loss};
pub use port::{SimDisk, SimFile};

use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// The unit that a disk writes whole or not at all, in bytes.
pub const SECTOR: usize = 512;

/// Names a file for as long as the run lasts, whatever it is called.
pub type Inode = usize;

#[derive(Clone, Debug)]
enum Write {
    /// From this offset on.
    Append(usize, Bytes),
    Truncate(u64),
}

#[derive(Debug, Default)]
struct Content {
    /// What a reader sees.
    cached: Vec<u8>,
    /// What survives power loss for sure.
    durable: Vec<u8>,
    /// What lies between them, oldest first.
    dirty: Vec<Write>,
    /// An append whose caller has not been told yet: how long the file was before it.
    appending_from: Option<u64>,
    /// Readers see pages that a failed sync dropped: neither durable nor dirty.
    has_ghosts: bool,
    /// What the last sync called safe, if that was a lie and none since has made it true.
    promised: Option<Vec<u8>>,
}

#[derive(Clone, Debug)]
enum NameChange {
    Create { name: String, inode: Inode },
    Remove { name: String },
    Rename { from: String, to: String, inode: Inode },
}

impl NameChange {
    /// The folder whose sync makes the change durable.
    fn folder(&self) -> &str {
        match self {
            NameChange::Create { name, .. } | NameChange::Remove { name } => folder_of(name),
            NameChange::Rename { to, .. } => folder_of(to),
        }
    }

    fn apply(&self, names: &mut BTreeMap<String, Inode>) {
        match self {
            NameChange::Create { name, inode } => {
                names.insert(name.clone(), *inode);
            }
            NameChange::Remove { name } => {
                names.remove(name);
            }
            NameChange::Rename { from, to, inode } => {
                names.remove(from);
                names.insert(to.clone(), *inode);
            }
        }
    }
}

/// One member's disk. Lives outside the member and survives it.
#[derive(Debug, Default)]
pub struct Platter {
    files: Vec<Content>,
    names: BTreeMap<String, Inode>,
    durable_names: BTreeMap<String, Inode>,
    name_changes: Vec<NameChange>,
    /// Every folder that was ever made, the root aside.
    folders: BTreeSet<String>,
    pub knobs: Knobs,
    /// Files with wrong bytes in places that were synced.
    damaged: BTreeSet<Inode>,
    /// A power loss took what a sync had promised.
    broke_a_promise: bool,
    /// The names that were called safe, if that was a lie.
    promised_names: Option<BTreeMap<String, Inode>>,
}

impl Platter {
    /// The file of this name, created if it is not there.
    pub fn open(&mut self, name: &str) -> Inode {
        if let Some(&inode) = self.names.get(name) {
            return inode;
        }
        let inode = self.files.len();
        self.files.push(Content::default());
        let mut folder = folder_of(name);
        while !folder.is_empty() && self.folders.insert(folder.to_owned()) {
            folder = folder_of(folder);
        }
        self.change_name(NameChange::Create { name: name.to_owned(), inode });
        inode
    }

    pub fn exists(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    pub fn name_of(&self, inode: Inode) -> Option<&str> {
        self.names.iter().find(|&(_, &i)| i == inode).map(|(name, _)| name.as_str())
    }

    fn is_in_full_folder(&self, file: Inode) -> bool {
        let Some(full) = &self.knobs.full_folder else { return false };
        self.name_of(file).is_some_and(|name| folder_of(name) == full)
    }

    /// The names in a folder, ascending, without the folder.
    pub fn list(&self, folder: &str) -> Vec<String> {
        self.names
            .keys()
            .filter(|name| folder_of(name) == folder)
            .map(|name| name.rsplit('/').next().unwrap_or(name).to_owned())
            .collect()
    }

    pub fn has_folder(&self, folder: &str) -> bool {
        folder.is_empty() || self.folders.contains(folder)
    }

    /// False if there is no such file, or no folder for its new name.
    pub fn rename(&mut self, from: &str, to: &str) -> bool {
        let Some(&inode) = self.names.get(from) else { return false };
        if !self.has_folder(folder_of(to)) {
            return false;
        }
        self.change_name(NameChange::Rename { from: from.to_owned(), to: to.to_owned(), inode });
        true
    }

    /// False if there is no such file.
    pub fn remove(&mut self, name: &str) -> bool {
        if !self.names.contains_key(name) {
            return false;
        }
        self.change_name(NameChange::Remove { name: name.to_owned() });
        true
    }

    pub fn sync_dir(&mut self, folder: &str) {
        let (done, left) =
            std::mem::take(&mut self.name_changes).into_iter().partition(|change| change.folder() == folder);
        let done: Vec<NameChange> = done;
        for change in &done {
            change.apply(&mut self.durable_names);
        }
        self.name_changes = left;
        if self.name_changes.is_empty() {
            self.promised_names = None;
        }
    }

    pub fn len(&self, file: Inode) -> u64 {
        self.files[file].cached.len() as u64
    }

    pub fn read_at(&self, file: Inode, offset: u64, len: usize) -> Bytes {
        let bytes = &self.files[file].cached;
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let to = from.saturating_add(len).min(bytes.len());
        Bytes::copy_from_slice(&bytes[from..to])
    }

    /// Begins an append; it ends with `appended`. A process that dies in between may leave a part of it.
    pub fn append(&mut self, file: Inode, bytes: Bytes) {
        let content = &mut self.files[file];
        content.appending_from = Some(content.cached.len() as u64);
        content.dirty.push(Write::Append(content.cached.len(), bytes.clone()));
        content.cached.extend_from_slice(&bytes);
    }

    pub fn appended(&mut self, file: Inode) {
        self.files[file].appending_from = None;
    }

    /// Shortens a file; a length beyond its end changes nothing.
    pub fn truncate(&mut self, file: Inode, len: u64) {
        let content = &mut self.files[file];
        if len < content.cached.len() as u64 {
            content.cached.truncate(len as usize);
            content.dirty.push(Write::Truncate(len));
        }
    }

    pub fn sync(&mut self, file: Inode) {
        let content = &mut self.files[file];
        for write in content.dirty.drain(..) {
            write.apply(&mut content.durable);
        }
        content.promised = None;
        debug_assert!(content.has_ghosts || content.durable == content.cached);
    }

    /// Bytes of this file that nobody has synced.
    pub fn is_dirty(&self, file: Inode) -> bool {
        !self.files[file].dirty.is_empty()
    }

    pub(crate) fn has_ghosts(&self, file: Inode) -> bool {
        self.files[file].has_ghosts
    }

    /// Whether any file holds something that nobody has synced.
    pub fn has_dirt(&self) -> bool {
        self.files.iter().any(|content| !content.dirty.is_empty())
    }

    /// What power loss at this moment cannot take, unless the disk has lied: names and contents of a folder's files,
    /// ascending by name.
    pub fn durable<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, &'a [u8])> + 'a {
        let promised = |content: &'a Content| content.promised.as_ref().unwrap_or(&content.durable);
        self.promised_names
            .as_ref()
            .unwrap_or(&self.durable_names)
            .iter()
            .filter(move |(name, _)| folder_of(name) == folder)
            .map(move |(name, &inode)| (name.as_str(), promised(&self.files[inode]).as_slice()))
    }

    /// What a process that starts now reads: names and contents of a folder's files, ascending by name.
    pub fn cached<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, &'a [u8])> + 'a {
        self.names
            .iter()
            .filter(move |(name, _)| folder_of(name) == folder)
            .map(|(name, &inode)| (name.as_str(), self.files[inode].cached.as_slice()))
    }

    fn change_name(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.name_changes.push(change);
    }
}

fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

#[cfg(test)]
mod tests;
