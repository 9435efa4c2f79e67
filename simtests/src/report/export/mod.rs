//! A recorded run in the words of other tools, so that what they can do need not be built again.
mod edn;
mod perfetto;
mod robustness;
mod shiviz;

pub use edn::edn;
pub use perfetto::perfetto;
pub use robustness::{LeftOut, robustness};
pub use shiviz::shiviz;

use super::recording::Recording;
use clap::ValueEnum;
use std::{
    fs,
    path::{Path, PathBuf},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A log with vector clocks for ShiViz
    Shiviz,
    /// A trace for Perfetto or chrome://tracing
    Perfetto,
    /// The history for Jepsen's checkers
    Edn,
    /// A directory as etcd's robustness tests leave it, for their validators
    Robustness,
    /// Everything, as JSON
    Recording,
}

/// One file of an export, by its path below the place that was asked for; empty: it is that place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub path: PathBuf,
    pub content: Vec<u8>,
}

/// The files of an export, and what has to be said about it.
pub fn pieces(recording: &Recording, format: Format) -> (Vec<Piece>, Option<String>) {
    let text = match format {
        Format::Shiviz => shiviz(recording),
        Format::Perfetto => perfetto(recording),
        Format::Edn => edn(recording),
        Format::Recording => {
            serde_json::to_string(recording).expect("a recording holds nothing that JSON cannot")
        }
        Format::Robustness => {
            let (pieces, left_out) = robustness(recording);
            return (pieces, left_out.sentence());
        }
    };
    (vec![Piece { path: PathBuf::new(), content: text.into_bytes() }], None)
}

/// Writes an export. Answers what has to be said about it.
pub fn write(recording: &Recording, format: Format, out: &Path) -> Result<Option<String>, String> {
    let (pieces, remark) = pieces(recording, format);
    for Piece { path, content } in pieces {
        let path = if path.as_os_str().is_empty() { out.to_owned() } else { out.join(path) };
        let wrong = |error: std::io::Error| format!("{}: {error}", path.display());
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(wrong)?;
        }
        fs::write(&path, content).map_err(wrong)?;
    }
    Ok(remark)
}

#[cfg(test)]
mod tests;
