//! Reading and writing whole files of a member, so that what was written is there or is not.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use detcd_core::Plants;
use detcd_core::checkpoint::{Image, Inspected, Inspector, Loaded, Loader, Sink, Walk};
use sha2::{Digest as _, Sha256};

/// So much is read or written at a time.
const PIECE_BYTES: usize = 1 << 20;
/// Of the blocks of a snapshot, and of the digest behind them, in bytes.
const SECTOR: u64 = 512;
const DIGEST: u64 = 32;

/// Gives a walk what it wants.
fn through<S: Sink>(mut walk: Walk<S>, file: &File) -> Result<Walk<S>, String> {
    let mut buffer = Vec::new();
    while let Some((offset, len)) = walk.wants() {
        buffer.resize(len, 0);
        let mut filled = 0;
        while filled < len {
            let rest = buffer.get_mut(filled..).unwrap_or_default();
            match file.read_at(rest, offset + filled as u64).map_err(|error| error.to_string())? {
                0 => break,
                read => filled += read,
            }
        }
        walk.give(buffer.get(..filled).unwrap_or_default()).map_err(|damage| damage.to_string())?;
    }
    Ok(walk)
}

pub fn load(path: &Path) -> Result<Loaded, String> {
    let file = open(path)?;
    let len = length(&file)?;
    through(Loader::new(len, Plants::NONE), &file)?.finish().map_err(|damage| damage.to_string())
}

pub fn inspect(path: &Path) -> Result<Inspected, String> {
    let file = open(path)?;
    let len = length(&file)?;
    through(Inspector::new(len), &file)?.finish().map_err(|damage| damage.to_string())
}

pub fn open(path: &Path) -> Result<File, String> {
    File::open(path).map_err(|error| explained("open", path, &error))
}

fn length(file: &File) -> Result<u64, String> {
    file.metadata().map(|metadata| metadata.len()).map_err(|error| error.to_string())
}

/// As Go tells what went wrong with a file.
pub fn explained(doing: &str, path: &Path, error: &io::Error) -> String {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_string(),
        io::ErrorKind::PermissionDenied => "permission denied".to_string(),
        _ => error.to_string(),
    };
    format!("{doing} {}: {why}", path.display())
}

/// Whether a snapshot is what was sent: its last bytes are the digest of all before.
pub fn check_digest(path: &Path) -> Result<(), String> {
    let mut file = open(path)?;
    let len = length(&file)?;
    if len % SECTOR != DIGEST {
        return Err("snapshot missing hash but --skip-hash-check=false".to_string());
    }
    let trouble = |error: io::Error| explained("read", path, &error);
    let mut digest = Sha256::new();
    let mut left = len - DIGEST;
    let mut buffer = vec![0; PIECE_BYTES];
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let piece = buffer.get_mut(..wanted).unwrap_or_default();
        file.read_exact(piece).map_err(trouble)?;
        digest.update(piece);
        left -= wanted as u64;
    }
    let mut expected = [0; DIGEST as usize];
    file.read_exact(&mut expected).map_err(trouble)?;
    let got = digest.finalize();
    if expected[..] == got[..] {
        return Ok(());
    }
    let list = |bytes: &[u8]| bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(" ");
    Err(format!("expected sha256 [{}], got [{}]", list(&expected), list(&got)))
}

/// A folder that only its owner looks into, with those above it.
pub fn make_folder(path: &Path) -> Result<(), String> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| explained("mkdir", path, &error))
}

/// Whether there is nothing in this place, or nothing but an empty folder.
pub fn is_empty_or_absent(path: &Path) -> bool {
    match fs::read_dir(path) {
        Ok(mut names) => names.next().is_none(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Makes a file; it has its name when all of it is on disk.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    write_by(path, |file| file.write_all(bytes))
}

/// Writes an image out.
pub fn write_image(path: &Path, mut image: Image) -> Result<(), String> {
    write_by(path, |file| {
        let mut pages = Vec::new();
        while image.next(PIECE_BYTES, &mut pages) {
            file.write_all(&pages)?;
            pages.clear();
        }
        Ok(())
    })
}

fn write_by(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), String> {
    let mut draft = OsString::from(path);
    draft.push(".tmp");
    let draft = PathBuf::from(draft);
    let filled = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        fill(&mut file)?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    filled().map_err(|error| {
        // The failure is what is told; a draft that stays is in nobody's way.
        fs::remove_file(&draft).ok();
        explained("write", path, &error)
    })
}

/// The names in a folder survive power loss.
pub fn sync_folder(path: &Path) -> Result<(), String> {
    open(path)?.sync_all().map_err(|error| explained("sync", path, &error))
}
