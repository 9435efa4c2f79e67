//! `defrag`: gives free space in a stopped member's backend file back. Our own images have none: each is written anew.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use detcd_core::checkpoint::{Image, snap};
use rustix::fs::{FlockOperation, flock};

use super::files;
use crate::ctl::exit::Exit;

/// Gives free space in a data directory back to the file system
#[derive(Args, Debug)]
pub struct DefragArgs {
    /// The data directory of a member that is not running
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[arg(hide = true)]
    words: Vec<OsString>,
}

/// So long the file may be another's before that is told.
const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(50);

impl DefragArgs {
    pub fn run(self) -> Result<(), Exit> {
        let folder = self.data_dir.ok_or_else(|| Exit::error("required flag(s) \"data-dir\" not set"))?;
        defragment(&folder).map_err(|why| {
            Exit::error(format!("Failed to defragment etcd data[{}] ({why})", folder.display()))
        })
    }
}

fn defragment(folder: &Path) -> Result<(), String> {
    let snaps = folder.join(snap::FOLDER);
    let path = snaps.join(snap::BACKEND);
    if !path.exists() {
        let is_ours = std::fs::read_dir(&snaps).is_ok_and(|names| {
            names.flatten().any(|name| name.file_name().to_str().and_then(snap::parse_image_name).is_some())
        });
        let wal = folder.join("member/wal");
        return if is_ours || wal.is_dir() { Ok(()) } else { Err(missing(&path)) };
    }
    let file = OpenOptions::new().read(true).write(true).open(&path);
    let file = file.map_err(|error| files::explained("open", &path, &error))?;
    let mut waited = Duration::ZERO;
    while let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
        if error != rustix::io::Errno::WOULDBLOCK {
            return Err(error.to_string());
        }
        if waited == PATIENCE {
            eprintln!("waiting for etcd to close and release its lock on {:?}", path.display().to_string());
        }
        std::thread::sleep(PAUSE);
        waited += PAUSE;
    }
    let found = files::inspect(&path)?;
    if found.has_strangers {
        return Err(format!("{} has data in it that this tool does not know", path.display()));
    }
    let loaded = found.loaded;
    files::write_image(&path, Image::new(loaded.view, &loaded.stand))?;
    files::sync_folder(&snaps)
}

fn missing(path: &Path) -> String {
    files::explained("open", path, &std::io::ErrorKind::NotFound.into())
}
