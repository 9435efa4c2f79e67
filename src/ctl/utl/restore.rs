//! `snapshot restore`: a data directory from which a member of a new cluster starts with the state of a snapshot.
//! Source: contract-cli 12.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use detcd_core::checkpoint::{Image, refound, snap};

use super::{files, log};
use crate::config::{founding, urls};
use crate::ctl::exit::Exit;

/// So many revisions are passed over unless something else is asked for: more than an old cluster can have given out
/// since the snapshot.
const SKIP: i64 = 1_000_000_000;

/// Makes a data directory for one member of a new cluster from a snapshot
///
/// Every member of the new cluster needs one, made from the same snapshot.
#[derive(Args, Debug)]
#[command(override_usage = "etcdutl snapshot restore <file> [options]")]
pub struct RestoreArgs {
    #[arg(value_name = "FILE")]
    words: Vec<OsString>,
    /// Where the data directory will be [default: NAME.etcd]
    #[arg(long, value_name = "DIR", default_value = "")]
    data_dir: String,
    /// Where the log will be [default: in the data directory]
    #[arg(long, value_name = "DIR", default_value = "")]
    wal_dir: String,
    /// The members of the new cluster
    #[arg(long, value_name = "NAME=URL,…", default_value = "default=http://localhost:2380")]
    initial_cluster: String,
    #[arg(long, value_name = "TOKEN", default_value = "etcd-cluster")]
    initial_cluster_token: String,
    /// This member's peer URLs
    #[arg(long, value_name = "URL,…", default_value = "http://localhost:2380")]
    initial_advertise_peer_urls: String,
    /// This member's name
    #[arg(long, default_value = "default")]
    name: String,
    /// Take a file without a digest, such as a copied backend file, or with a wrong one
    #[arg(long)]
    skip_hash_check: bool,
    /// Taken and not needed: the file is read, not mapped
    #[arg(long, value_name = "BYTES")]
    initial_memory_map_size: Option<i64>,
    /// Pass over so many revisions, with --mark-compacted [default: 1000000000]
    #[arg(long, value_name = "N")]
    bump_revision: Option<i64>,
    /// Compact everything before the revisions passed over
    #[arg(long)]
    mark_compacted: bool,
    /// Go on with the snapshot's own revisions. Whoever has seen later ones of the old cluster, such as a Kubernetes API
    /// server, must then be restarted
    #[arg(long)]
    keep_revisions: bool,
}

impl RestoreArgs {
    pub fn run(self) -> Result<(), Exit> {
        let [file] = self.words.as_slice() else {
            return Err(Exit::bad_args("snapshot restore requires exactly one argument"));
        };
        let skip = self.skip()?;
        self.restore(Path::new(file), skip).map_err(Exit::error)
    }

    /// How many revisions are passed over.
    fn skip(&self) -> Result<Option<i64>, Exit> {
        match self.bump_revision {
            Some(bump) if bump < 0 => {
                Err(Exit::error(format!("invalid argument \"{bump}\" for \"--bump-revision\" flag")))
            }
            Some(bump) if bump > 0 && !self.mark_compacted => {
                Err(Exit::bad_args("--mark-compacted required if --revision-bump > 0"))
            }
            Some(bump) if bump > 0 && self.keep_revisions => {
                Err(Exit::bad_args("--keep-revisions and --bump-revision exclude each other"))
            }
            Some(0) => Ok(None),
            Some(bump) => Ok(Some(bump)),
            None if self.keep_revisions => Ok(None),
            None => Ok(Some(SKIP)),
        }
    }

    fn restore(&self, file: &Path, skip: Option<i64>) -> Result<(), String> {
        let ours = urls::parse(&self.initial_advertise_peer_urls)?;
        let members =
            founding::members(&self.name, &self.initial_cluster, &self.initial_cluster_token, &ours)?;
        let me = members.iter().find(|member| member.name == self.name).map(|member| member.id);
        let me = me.ok_or("this member is not in the cluster")?;
        let folder = or(&self.data_dir, || PathBuf::from(format!("{}.etcd", self.name)));
        let wals = or(&self.wal_dir, || folder.join("member/wal"));
        if !files::is_empty_or_absent(&folder) {
            return Err(format!(
                "data-dir {:?} not empty or could not be read",
                folder.display().to_string()
            ));
        }
        if wals.exists() {
            return Err(format!("wal-dir {:?} exists", wals.display().to_string()));
        }
        let snaps = folder.join(snap::FOLDER);
        let told =
            serde_json::json!({ "path": file, "wal-dir": wals, "data-dir": folder, "snap-dir": snaps });
        log("info", "restoring snapshot", &told);
        if !self.skip_hash_check {
            files::check_digest(file)?;
        }
        let loaded = files::load(file)?;
        let founding = refound(loaded, members, me, skip).ok_or_else(|| {
            format!("there are no {} revisions left to pass over", skip.unwrap_or_default())
        })?;

        files::make_folder(&snaps)?;
        files::make_folder(&wals)?;
        // etcd's own name, so that a real member starts on it as well.
        let image = Image::new(founding.view, &founding.stand);
        files::write_image(&snaps.join(snap::BACKEND), image)?;
        let (name, bytes) = founding.snap;
        files::write(&snaps.join(name), &bytes)?;
        files::sync_folder(&snaps)?;
        // The log comes last: a folder without one is no member's yet.
        let (segment, bytes) = founding.segment;
        files::write(&wals.join(segment.file_name()), &bytes)?;
        files::sync_folder(&wals)?;
        for above in [folder.join("member"), folder.clone()] {
            files::sync_folder(&above)?;
        }
        log("info", "restored snapshot", &told);
        Ok(())
    }
}

fn or(given: &str, usual: impl FnOnce() -> PathBuf) -> PathBuf {
    if given.is_empty() { usual() } else { PathBuf::from(given) }
}
