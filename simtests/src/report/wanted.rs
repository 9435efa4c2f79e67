//! What is to be made of one recorded run, as options of a command line.
use super::{
    diff::{self, diverge},
    export::{self, Format},
    page::page,
    recording::Recording,
};
use clap::Args;
use std::{
    fs,
    path::{Path, PathBuf},
};

#[derive(Args, Clone, Debug, Default)]
pub struct Wanted {
    /// Write the run as one HTML page that needs no network
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Show the first event that differs from another run: a seed, played without planted bugs, or a file with a
    /// recording, a page or the output of `replay --trace`
    #[arg(long, value_name = "SEED|FILE")]
    pub diff: Option<String>,
    /// Write the run in the words of another tool
    #[arg(long, value_enum, value_name = "FORMAT", requires = "out")]
    pub export: Option<Format>,
    /// Where to: a file, for `robustness` a directory
    #[arg(long, value_name = "PATH", requires = "export")]
    pub out: Option<PathBuf>,
}

impl Wanted {
    /// Whether the run has to be recorded.
    pub fn is_any(&self) -> bool {
        self.html.is_some() || self.diff.is_some() || self.export.is_some()
    }

    /// Makes all of it. `play` plays another seed. Answers what is to be printed.
    pub fn make(
        &self,
        recording: &Recording,
        play: impl FnOnce(&str) -> Option<Recording>,
    ) -> Result<String, String> {
        let mut said = String::new();
        if let Some(path) = &self.html {
            write(path, &page(recording))?;
            said += &format!("page {}\n", path.display());
        }
        if let (Some(format), Some(out)) = (self.export, &self.out) {
            let remark = export::write(recording, format, out)?;
            said += &format!("export {}\n", out.display());
            said += &remark.map_or_else(String::new, |remark| remark + "\n");
        }
        if let Some(other) = &self.diff {
            let right = match play(other) {
                Some(other) => diff::lines(&other),
                None => diff::lines_of_file(&read(other)?).map_err(|why| format!("{other}: {why}"))?,
            };
            said += &match diverge(&diff::lines(recording), &right) {
                Some(divergence) => divergence.to_string(),
                None => format!("{} events, all the same\n", right.len()),
            };
        }
        Ok(said)
    }
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
