//! Checkpoints keep the log's promise: the log names only those that are whole on the disk, and forgets nothing that a
//! start could need. Source: Raft, section 7 (a snapshot replaces the entries that it covers).
use super::mirror::{FOLDER, Record, read, records};
use detcd_core::{
    Plants,
    checkpoint::{Loader, Stand, Sums, snap},
    wal::{Replayed, Start},
};
use detcd_runtime_sim::{Happening, Observer, Slot, World};
use std::collections::BTreeMap;

/// Where members keep their checkpoints.
pub const CHECKPOINTS: &str = snap::FOLDER;

/// So many must be there before the log that leads to the older one may go.
const KEPT: usize = 2;

pub struct Checkpoints {
    /// Also report broken causes, not only broken consequences.
    causes: bool,
    /// The last checkpoint of another member's that each took, by its index: nothing from before leads anywhere.
    jumped: BTreeMap<Slot, u64>,
}

impl Checkpoints {
    pub fn new(causes: bool) -> Checkpoints {
        Checkpoints { causes, jumped: BTreeMap::new() }
    }

    /// The log is about to say that a checkpoint is there.
    fn marking(&mut self, member: Slot, index: u64, term: u64, world: &mut World) {
        let disk = world.disk(member);
        // One that is damaged may have led there or not.
        let leads =
            |log: Replayed| log.entries.iter().any(|entry| (entry.index, entry.term) == (index, term));
        if !read(disk.cached(FOLDER)).flatten().is_some_and(leads) {
            self.jumped.insert(member, index);
        }
        let files: BTreeMap<&str, &[u8]> = disk
            .durable(CHECKPOINTS)
            .filter_map(|(name, bytes)| Some((name.rsplit('/').next()?, bytes)))
            .collect();
        let is_damaged = disk.damaged().any(|name| name.contains(&snap::image_name(index)));
        let wrong = match stand(&files, index) {
            Err(why) => why,
            Ok(stand) if (stand.index, stand.term) != (index, term) => {
                format!("it is of index {} and term {}", stand.index, stand.term)
            }
            Ok(_) if !files.contains_key(snap::file_name(term, index).as_str()) => {
                "the small file beside it is not safe".to_owned()
            }
            Ok(_) => return,
        };
        if !is_damaged {
            let who = member + 1;
            let text = format!("m{who} marks a checkpoint at index {index} of term {term}: {wrong}");
            world.trouble("checkpoint-durable", text);
        }
    }

    /// Something is gone that a start may have needed.
    fn removed(&self, member: Slot, name: &str, world: &mut World) {
        let disk = world.disk(member);
        // What was damaged is set aside, and leaves one less.
        let is_damaged = disk.damaged().next().is_some()
            || disk.list(CHECKPOINTS).iter().any(|name| name.ends_with(".broken"));
        let Some(Some(log)) = read(disk.cached(FOLDER)) else { return };
        if log.check(Start::default()).is_ok() {
            return;
        }
        let usable = log.starts().filter(|start| {
            let image = format!("{CHECKPOINTS}/{}", snap::image_name(start.index));
            start.index > 0 && disk.exists(&image) && log.check(*start).is_ok()
        });
        let mut indexes: Vec<u64> = usable.map(|start| start.index).collect();
        indexes.sort_unstable();
        indexes.dedup();
        let has_jumped = matches!(indexes[..], [index] if self.jumped.get(&member) == Some(&index));
        let needed = if is_damaged || has_jumped { 1 } else { KEPT };
        if indexes.len() < needed {
            let text =
                format!("m{} removes {name}, and what is left to start from is {indexes:?}", member + 1);
            world.trouble("forgets-safely", text);
        }
    }
}

/// The place in the log that an image names, if it is whole.
fn stand(files: &BTreeMap<&str, &[u8]>, index: u64) -> Result<Stand, String> {
    let image = files.get(snap::image_name(index).as_str()).ok_or("its image is not safe")?;
    let sums = files.get(snap::sums_name(index).as_str()).ok_or("its sums are not safe")?;
    let sums = Sums::decode(sums).ok_or("its sums are damaged")?;
    let part = |offset: u64, len: usize| {
        let at = usize::try_from(offset).unwrap_or(usize::MAX).min(image.len());
        &image[at..at.saturating_add(len).min(image.len())]
    };
    for block in 0..sums.blocks() {
        let (offset, len) = sums.place(block);
        if !sums.is_sound(block, part(offset, len)) {
            return Err(format!("its image is damaged at byte {offset}"));
        }
    }
    let mut loader = Loader::new(image.len() as u64, Plants::NONE);
    while let Some((offset, len)) = loader.wants() {
        loader.give(part(offset, len)).map_err(|damage| damage.to_string())?;
    }
    loader.finish().map(|loaded| loaded.stand).map_err(|damage| damage.to_string())
}

impl Observer for Checkpoints {
    fn happened(&mut self, what: &Happening<'_>, world: &mut World) {
        match *what {
            Happening::Appending { member, name, bytes } if self.causes && name.starts_with(FOLDER) => {
                for record in records(bytes) {
                    if let Record::Checkpoint { index, term } = record {
                        self.marking(member, index, term, world);
                    }
                }
            }
            Happening::Removed { member, name } if self.causes && name.ends_with(".wal") => {
                self.removed(member, name, world);
            }
            _ => {}
        }
    }
}
