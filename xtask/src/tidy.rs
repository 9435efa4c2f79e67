//! House rules that no compiler knows: which words a room may not say, how long a file may grow, what a crate must
//! promise in its first lines. Each rule is one function from files to faults.

mod rules;
mod source;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs;
use std::path::Path;

use crate::Failure;
use source::Source;

/// One broken rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    path: String,
    /// From 1; 0 when the file as a whole is meant.
    line: usize,
    rule: &'static str,
    text: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { path, line, rule, text } = self;
        if *line == 0 {
            write!(f, "{path}: {rule}: {text}")
        } else {
            write!(f, "{path}:{line}: {rule}: {text}")
        }
    }
}

/// Every text file that the rules look at.
pub struct Tree {
    rust: Vec<Source>,
    /// Path and text of everything else: manifests, scripts, documents.
    other: Vec<(String, String)>,
}

impl Tree {
    fn file(&self, path: &str) -> Option<&str> {
        let rust = self.rust.iter().find(|source| source.path == path).map(|source| source.text.as_str());
        rust.or_else(|| self.other.iter().find(|(p, _)| p == path).map(|(_, text)| text.as_str()))
    }
}

/// Checks the workspace below `root`.
pub fn run(root: &Path) -> Result<(), Failure> {
    let mut tree = Tree { rust: Vec::new(), other: Vec::new() };
    read(root, "", &mut tree)?;
    let faults = faults(&tree);
    if faults.is_empty() {
        println!("tidy: {} Rust files, {} rules: ok", tree.rust.len(), rules::ALL.len());
        return Ok(());
    }
    for fault in &faults {
        println!("{fault}");
    }
    Err(Failure::new(format!("tidy: {} faults", faults.len())))
}

/// Rule names and what they ask, for `cargo xtask tidy --help`.
pub fn rules_help() -> String {
    let rules: Vec<String> =
        rules::ALL.iter().map(|rule| format!("  {:16} {}", rule.name, rule.asks)).collect();
    format!("Rules:\n{}", rules.join("\n"))
}

fn faults(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for rule in rules::ALL {
        (rule.check)(tree, &mut |path: &str, line, text: String| {
            faults.push(Fault { path: path.to_owned(), line, rule: rule.name, text });
        });
    }
    faults
}

/// Reads everything that is not built, hidden in `.git`, or binary, in the order of names.
fn read(root: &Path, below: &str, tree: &mut Tree) -> Result<(), Failure> {
    let mut entries = fs::read_dir(root.join(below))?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(|entry| entry.file_name());
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        let kind = entry.file_type()?;
        if kind.is_dir() && !(name == "target" || name == ".git" || name.ends_with(".etcd")) {
            read(root, &path, tree)?;
        } else if kind.is_file() && name != "Cargo.lock" && name != ".git" {
            let Ok(text) = String::from_utf8(fs::read(entry.path())?) else { continue };
            if name.ends_with(".rs") {
                tree.rust.push(Source::new(path, text));
            } else {
                tree.other.push((path, text));
            }
        }
    }
    Ok(())
}
