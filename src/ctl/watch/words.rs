//! What to watch and what to run, from the words of the command and of the environment.

use std::ffi::OsString;

use super::Fallback;

/// Key and range end as words, and the command for each change.
#[derive(Debug, PartialEq, Eq)]
pub struct Target {
    pub words: Vec<OsString>,
    pub command: Vec<OsString>,
}

/// Puts the words together. `has_dashes`: a `--` was typed; `is_bare`: nothing at all was. The errors are etcdctl's.
pub fn target(
    words: Vec<OsString>,
    command: Vec<OsString>,
    has_dashes: bool,
    is_bare: bool,
    fallback: &Fallback,
) -> Result<Target, &'static str> {
    if has_dashes && command.is_empty() {
        return Err("bad number of arguments (found separator --, but no commands)");
    }
    let Some(key) = &fallback.key else {
        if is_bare {
            return Err("bad number of arguments");
        }
        return Ok(Target { words, command });
    };
    if !words.is_empty() {
        return Err("bad number of arguments (found conflicting environment key)");
    }
    let words = std::iter::once(key).chain(&fallback.range_end).cloned().collect();
    Ok(Target { words, command })
}
