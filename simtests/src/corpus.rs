//! A corpus: a folder of seeds that once found something, each with its story.
//!
//! Its files end in `.txt`. Lines that begin with `#` tell the story; each other line is a run: a token, a seed of the
//! profile swarm, or the name of a failure that was saved in the same folder (it ends in `.json`).
use crate::{
    profile::Profile,
    report::{Failure, How, Stored},
    token::{Engine, Token, parse_seed},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// One run of a corpus.
#[derive(Clone, Debug)]
pub struct Entry {
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
    pub text: String,
    pub token: Token,
    pub how: How,
    /// The run itself, if a file holds it.
    pub run: Option<Box<Stored>>,
}

impl Entry {
    /// Why it cannot be told any more, if so.
    pub fn outdated(&self) -> Option<String> {
        if self.run.is_some() { None } else { self.token.outdated() }
    }

    /// Where it stands.
    pub fn place(&self) -> String {
        format!("{}:{}: {}", self.file.display(), self.line, self.text)
    }
}

/// Every run of a corpus, by file and line.
///
/// Errors: a folder or file that cannot be read, a line that is no run, a file without a story.
pub fn read(folder: &Path) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    for file in files(folder)? {
        let text = read_text(&file)?;
        if !text.starts_with('#') {
            return Err(format!("{}: the story is missing", file.display()));
        }
        for (number, line) in text.lines().enumerate() {
            if let Some(text) = run_of(line) {
                let about = |error| format!("{}:{}: {error}", file.display(), number + 1);
                let (token, how, run) = parse(text, folder).map_err(about)?;
                let (file, line, text) = (file.clone(), number + 1, text.to_string());
                entries.push(Entry { file, line, text, token, how, run });
            }
        }
    }
    Ok(entries)
}

/// The files of a corpus, ascending by name.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let about = |error: std::io::Error| format!("{}: {error}", folder.display());
    let entries: Result<Vec<_>, _> = fs::read_dir(folder).map_err(about)?.collect();
    let mut files: Vec<PathBuf> = entries.map_err(about)?.into_iter().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    Ok(files)
}

pub fn read_text(file: &Path) -> Result<String, String> {
    fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}

/// What a line says, if it is a run.
pub fn run_of(line: &str) -> Option<&str> {
    Some(line.trim()).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Reads a run as it stands in a corpus.
pub fn parse(text: &str, folder: &Path) -> Result<(Token, How, Option<Box<Stored>>), String> {
    if text.ends_with(".json") {
        let saved: Failure = serde_json::from_str(&read_text(&folder.join(text))?)
            .map_err(|error| format!("{text}: no saved failure: {error}"))?;
        return Ok((saved.token.parse()?, saved.how, saved.run));
    }
    let token = match text.contains('-') {
        true => text.parse()?,
        false => Token::now(parse_seed(text)?, Profile::Swarm, Engine::Member),
    };
    Ok((token, How::default(), None))
}
