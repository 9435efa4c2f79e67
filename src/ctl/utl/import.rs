//! `import`: a data directory for us from that of a real etcd's member, which stays as it is.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use clap::Args;
use detcd_core::Plants;
use detcd_core::checkpoint::{Image, adopt, snap};
use detcd_core::wal::{Reader, Replayed, SegmentName, unbroken};
use detcd_proto::raftpb;
use rustix::fs::{FlockOperation, flock};

use super::{files, log};
use crate::ctl::exit::Exit;

/// Makes a data directory from that of a stopped member of a real etcd, 3.4 to 3.7
///
/// The member keeps its ids, its log position and its place in the cluster. What is there is only read.
#[derive(Args, Debug)]
pub struct ImportArgs {
    /// The data directory of the real etcd's member
    #[arg(long, value_name = "DIR")]
    from_data_dir: PathBuf,
    /// Where its log is [default: in the data directory]
    #[arg(long, value_name = "DIR")]
    from_wal_dir: Option<PathBuf>,
    /// Where the new data directory will be
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
}

impl ImportArgs {
    pub fn run(self) -> Result<(), Exit> {
        self.import().map_err(Exit::error)
    }

    fn import(&self) -> Result<(), String> {
        let (from, to) = (&self.from_data_dir, &self.data_dir);
        if !files::is_empty_or_absent(to) {
            return Err(format!("data-dir {:?} not empty or could not be read", to.display().to_string()));
        }
        let snaps = from.join(snap::FOLDER);
        let backend = snaps.join(snap::BACKEND);
        // Held until the end: a member that runs would write on.
        let lock = File::open(&backend).map_err(|error| files::explained("open", &backend, &error))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| format!("{} is in use: stop the member first", backend.display()))?;
        let wals = self.from_wal_dir.clone().unwrap_or_else(|| from.join("member/wal"));
        let replayed = replay(&wals)?;
        let loaded = files::load(&backend)?;
        let newest = newest_snapshot(&snaps, loaded.stand.index)?;
        let told = serde_json::json!({ "from": from, "data-dir": to, "index": loaded.stand.index });
        log("info", "importing data directory", &told);
        let founding = adopt(loaded, &replayed, newest.as_ref())?;

        let (snaps, wals) = (to.join(snap::FOLDER), to.join("member/wal"));
        files::make_folder(&snaps)?;
        files::make_folder(&wals)?;
        files::write_image(&snaps.join(snap::BACKEND), Image::new(founding.view, &founding.stand))?;
        let (name, bytes) = founding.snap;
        files::write(&snaps.join(name), &bytes)?;
        files::sync_folder(&snaps)?;
        // The log comes last: a folder without one is no member's yet.
        let (segment, bytes) = founding.segment;
        files::write(&wals.join(segment.file_name()), &bytes)?;
        for folder in [wals, to.join("member"), to.clone()] {
            files::sync_folder(&folder)?;
        }
        log("info", "imported data directory", &told);
        Ok(())
    }
}

/// Everything that the log says.
fn replay(folder: &Path) -> Result<Replayed, String> {
    let names = fs::read_dir(folder).map_err(|error| files::explained("open", folder, &error))?;
    let mut segments: Vec<SegmentName> =
        names.flatten().filter_map(|name| SegmentName::parse(name.file_name().to_str()?)).collect();
    segments.sort();
    let whole = unbroken(&segments);
    let mut reader = Reader::new(Plants::NONE);
    for segment in whole {
        let path = folder.join(segment.file_name());
        let bytes = fs::read(&path).map_err(|error| files::explained("read", &path, &error))?;
        let is_last = whole.last() == Some(segment);
        reader.segment(*segment, &bytes, is_last).map_err(|damage| damage.to_string())?;
    }
    reader.finish().map_err(|damage| damage.to_string())
}

/// The newest small file that can be read and is not ahead of the backend.
fn newest_snapshot(folder: &Path, upto: u64) -> Result<Option<raftpb::Snapshot>, String> {
    let names = fs::read_dir(folder).map_err(|error| files::explained("open", folder, &error))?;
    let mut found: Vec<(u64, PathBuf)> = names
        .flatten()
        .filter_map(|name| {
            let (_, index) = snap::parse_name(name.file_name().to_str()?)?;
            (index <= upto).then(|| (index, name.path()))
        })
        .collect();
    found.sort();
    for (_, path) in found.iter().rev() {
        let bytes = fs::read(path).map_err(|error| files::explained("read", path, &error))?;
        match snap::decode(&bytes) {
            Ok(snapshot) => return Ok(Some(snapshot)),
            Err(damage) => {
                let told = serde_json::json!({ "path": path, "error": damage.to_string() });
                log("warn", "failed to read a snap file", &told);
            }
        }
    }
    Ok(None)
}
