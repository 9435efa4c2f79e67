//! `etcdsim merge`: the summaries of several machines as one.
use super::{Stop, args::Form, exit_code};
use crate::report::Summary;
use clap::Args;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Make one summary of the summaries of several machines
#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Merge {
    /// Files that `run --out` or `run --summary json` wrote, or folders with such files in them
    #[arg(value_name = "FILE|DIR", required = true)]
    files: Vec<PathBuf>,
    /// How it is told on standard output
    #[arg(long, value_enum, default_value = "text")]
    summary: Form,
}

const EXAMPLES: &str = "\
Examples:
  cargo etcdsim run --seeds 10000 --shard 1/2 --out one     on one machine
  cargo etcdsim run --seeds 10000 --shard 2/2 --out two     on another
  cargo etcdsim merge one/summary.json two/summary.json     as if one machine had run all
  cargo etcdsim merge --summary junit out > junit.xml       every summary.json below a folder

Counts, failures and the transcript are what one machine would have seen; CPU seconds add up, the wall clock is that of
the slowest. The exit code is the one that `run` would have ended with.";

impl Merge {
    pub(super) fn run(&self) -> Result<u8, Stop> {
        let summary = read(&self.files)?;
        println!("{}", self.summary.show(&summary));
        Ok(exit_code(&summary))
    }
}

/// Everything that is in these files, and in the summaries of these folders.
pub(super) fn read(paths: &[PathBuf]) -> Result<Summary, String> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = files.len();
            below(path, &mut files)?;
            if files.len() == before {
                return Err(format!("{}: there is no summary.json in this folder", path.display()));
            }
        } else {
            files.push(path.clone());
        }
    }
    let mut all = Summary::default();
    for file in files {
        let about = |error: String| format!("{}: {error}", file.display());
        let text = fs::read_to_string(&file).map_err(|error| about(error.to_string()))?;
        all.merge(&Summary::from_json(&text).map_err(about)?);
    }
    Ok(all)
}

fn below(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let about = |error: std::io::Error| format!("{}: {error}", folder.display());
    let entries: Result<Vec<_>, _> = fs::read_dir(folder).map_err(about)?.collect();
    let mut paths: Vec<PathBuf> = entries.map_err(about)?.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            below(&path, files)?;
        } else if path.file_name().is_some_and(|name| name == "summary.json") {
            files.push(path);
        }
    }
    Ok(())
}
