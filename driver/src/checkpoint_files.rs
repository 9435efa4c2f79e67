//! Where checkpoints lie: etcd's folder and etcd's names, so that a real etcd finds what it looks for.
//!
//! A checkpoint is three files: the image, its sums, and etcd's small file that names the place in the log and the
//! members. Each is written as a draft, synced and renamed.
use detcd_core::checkpoint::snap;

pub use snap::FOLDER;

/// What is set aside keeps its name with this behind.
const BROKEN: &str = ".broken";

/// A file of the folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// A part of the checkpoint at this index.
    Part(u64),
    /// What is not whole yet, and never will be if this is a start.
    Draft,
}

impl Named {
    /// By its name in the folder. Anything else is nobody's of ours.
    pub fn parse(name: &str) -> Option<Named> {
        if name.starts_with(snap::DRAFT) {
            return Some(Named::Draft);
        }
        let image = name.strip_suffix(".sums").unwrap_or(name);
        snap::parse_image_name(image).or(snap::parse_name(name).map(|(_, index)| index)).map(Named::Part)
    }
}

pub fn image(index: u64) -> String {
    format!("{FOLDER}/{}", snap::image_name(index))
}

pub fn sums(index: u64) -> String {
    format!("{FOLDER}/{}", snap::sums_name(index))
}

pub fn snap(term: u64, index: u64) -> String {
    format!("{FOLDER}/{}", snap::file_name(term, index))
}

/// The draft of a file in the folder.
pub fn draft(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    format!("{FOLDER}/{}.{name}", snap::DRAFT)
}

pub fn broken(path: &str) -> String {
    format!("{path}{BROKEN}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_etcds_and_read_back() {
        assert_eq!(image(0x1f), "member/snap/000000000000001f.snap.db");
        assert_eq!(snap(2, 0x1f), "member/snap/0000000000000002-000000000000001f.snap");
        let read = |path: &str| Named::parse(path.strip_prefix("member/snap/").unwrap());
        for path in [image(7), sums(7), snap(3, 7)] {
            assert_eq!(read(&path), Some(Named::Part(7)), "{path}");
            assert_eq!(read(&draft(&path)), Some(Named::Draft));
            assert_eq!(read(&broken(&path)), None);
        }
        for other in ["db", "db.tmp.123", "7.snap.db", "", "000000000000001F.snap.db", "x-y.snap", "7.sums"] {
            assert_eq!(Named::parse(other), None, "{other}");
        }
    }
}
