//! `hashkv`: the hash of the keyspace in a file, as a member that begins from it would give it.

use std::ffi::OsString;
use std::path::Path;

use clap::Args;

use super::files;
use crate::ctl::exit::Exit;
use crate::ctl::print::{Facts, Format};

/// Prints the hash of the keyspace in a backend file or a snapshot
#[derive(Args, Debug)]
#[command(override_usage = "etcdutl hashkv [options] <file>")]
pub struct HashKvArgs {
    /// Up to this revision; 0 means the newest
    #[arg(long, default_value = "0", value_name = "N")]
    rev: i64,
    #[arg(value_name = "FILE")]
    words: Vec<OsString>,
}

impl HashKvArgs {
    pub fn run(self, format: Format) -> Result<(), Exit> {
        let [file] = self.words.as_slice() else {
            return Err(Exit::error(format!("accepts 1 arg(s), received {}", self.words.len())));
        };
        let loaded = files::load(Path::new(file)).map_err(Exit::error)?;
        let found = loaded.view.keyspace.hash_kv(self.rev).map_err(|refusal| {
            // The tool asks the store itself, which knows nothing of a server.
            Exit::error(refusal.to_string().trim_start_matches("etcdserver: "))
        })?;
        let facts = Facts {
            header: &["hash", "hash revision", "compact revision"],
            row: vec![
                found.hash.to_string(),
                found.hash_revision.to_string(),
                found.compact_revision.to_string(),
            ],
            json: format!(
                r#"{{"hash":{},"hashRevision":{},"compactRevision":{}}}"#,
                found.hash, found.hash_revision, found.compact_revision
            ),
            fields: vec![
                ("Hash", found.hash.to_string()),
                ("Hash revision", found.hash_revision.to_string()),
                ("Compact revision", found.compact_revision.to_string()),
            ],
        };
        facts.show(format)
    }
}
