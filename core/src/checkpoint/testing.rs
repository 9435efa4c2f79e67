//! What the tests of this room share: files in memory.
use super::{Damage, Image, Loaded, Loader, Sink, Stand, View, Walk};
use crate::Plants;
use alloc::vec::Vec;

/// The whole file.
pub fn image(view: &View, stand: &Stand) -> Vec<u8> {
    let mut image = Image::new(view.clone(), stand);
    let mut file = Vec::new();
    while image.next(10_000, &mut file) {}
    assert_eq!(file.len() as u64, image.len(), "the length was known before");
    file
}

pub fn walk<S: Sink>(mut walk: Walk<S>, file: &[u8]) -> Result<Walk<S>, Damage> {
    while let Some((offset, len)) = walk.wants() {
        let rest = file.get(offset as usize..).unwrap_or_default();
        walk.give(&rest[..len.min(rest.len())])?;
    }
    Ok(walk)
}

pub fn load(file: &[u8]) -> Result<Loaded, Damage> {
    walk(Loader::new(file.len() as u64, Plants::NONE), file)?.finish()
}
