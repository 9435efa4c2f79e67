//! `snapshot status`: what a file says. `snapshot restore` has a file of its own.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use clap::{Args, Subcommand};

use super::{files, restore};
use crate::ctl::exit::Exit;
use crate::ctl::print::{Facts, Format, human_size};

/// Looks at a snapshot or makes a data directory from it
#[derive(Debug, Subcommand)]
pub enum SnapshotCommand {
    Status(StatusArgs),
    Restore(restore::RestoreArgs),
}

/// Prints hash, revision, number of keys, size and version of a snapshot
#[derive(Args, Debug)]
#[command(override_usage = "etcdutl snapshot status [options] <file>")]
pub struct StatusArgs {
    #[arg(value_name = "FILE")]
    words: Vec<OsString>,
}

impl SnapshotCommand {
    pub fn run(self, format: Format) -> Result<(), Exit> {
        match self {
            SnapshotCommand::Status(args) => args.run(format),
            SnapshotCommand::Restore(args) => args.run(),
        }
    }
}

impl StatusArgs {
    fn run(self, format: Format) -> Result<(), Exit> {
        let [file] = self.words.as_slice() else {
            return Err(Exit::bad_args("snapshot status requires exactly one argument"));
        };
        let path = Path::new(file);
        fs::metadata(path).map_err(|error| Exit::error(files::explained("stat", path, &error)))?;
        let found = files::inspect(path).map_err(|why| {
            Exit::error(format!("snapshot file integrity check failed. 1 errors found.\n{why}"))
        })?;
        let (hash, revision, size) = (found.hash, found.revision, found.size);
        let keys = found.loaded.view.keyspace.len();
        let version = found.loaded.storage_version.unwrap_or_default();
        let facts = Facts {
            header: &["hash", "revision", "total keys", "total size", "storage version"],
            row: vec![
                format!("{hash:x}"),
                revision.to_string(),
                keys.to_string(),
                human_size(i64::try_from(size).unwrap_or(i64::MAX)),
                version.clone(),
            ],
            json: format!(
                r#"{{"hash":{hash},"revision":{revision},"totalKey":{keys},"totalSize":{size},"version":{}}}"#,
                serde_json::Value::from(version.as_str())
            ),
            fields: vec![
                ("Hash", hash.to_string()),
                ("Revision", revision.to_string()),
                ("Keys", keys.to_string()),
                ("Size", size.to_string()),
                ("Version", version),
            ],
        };
        facts.show(format)
    }
}
