//! One operation per line, as JSON, in the order of the history. Keys and values are text: printable ASCII as it is, a
//! backslash doubled, other bytes as `\xNN`. Fields with their usual value (no limit, no lease …) are left out.
//!
//! ```
//! use detcd_jepsen_like::{formats::jsonl, history::{History, Outcome, PutResponse, Request, Response}};
//!
//! let mut history = History::new();
//! let put = history.call(3, 10, Request::put("a", "1"));
//! history.ret(put, 25, Outcome::Ok(Response::Put(PutResponse { revision: 2, prev_kv: None })));
//!
//! let mut file = Vec::new();
//! jsonl::write(&history, &mut file)?;
//! assert_eq!(
//!     String::from_utf8_lossy(&file),
//!     concat!(
//!         r#"{"client":3,"call":10,"ret":25,"request":{"put":{"key":"a","value":"1"}},"#,
//!         r#""outcome":{"ok":{"put":{"revision":2}}}}"#,
//!         "\n"
//!     )
//! );
//! assert_eq!(jsonl::read(file.as_slice())?, history);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::{
    fmt,
    io::{self, BufRead, Write},
};

use crate::history::{History, Operation};

/// Writes every operation and nothing else. The caller flushes.
pub fn write(history: &History, mut to: impl Write) -> io::Result<()> {
    for op in history.ops() {
        serde_json::to_writer(&mut to, op)?;
        to.write_all(b"\n")?;
    }
    Ok(())
}

/// Why a history could not be read.
#[derive(Debug)]
pub enum ReadError {
    Io(io::Error),
    /// A line, counted from 1, that is no operation of a history.
    Line {
        line: usize,
        why: String,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "reading a history: {error}"),
            Self::Line { line, why } => write!(f, "line {line} of the history: {why}"),
        }
    }
}

impl std::error::Error for ReadError {}

/// Reads what [`write()`] has written. Empty lines are passed over.
pub fn read(from: impl BufRead) -> Result<History, ReadError> {
    let mut history = History::new();
    for (n, text) in from.lines().enumerate() {
        let text = text.map_err(ReadError::Io)?;
        if text.trim().is_empty() {
            continue;
        }
        let wrong = |why: String| ReadError::Line { line: n + 1, why };
        let op: Operation = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        if op.ret.is_some_and(|ret| ret < op.call) {
            return Err(wrong("it is answered before it is called".into()));
        }
        if op.ret.is_none() && op.is_decided() {
            return Err(wrong("it has an outcome, and no time when that was known".into()));
        }
        history.push(op);
    }
    Ok(history)
}

#[cfg(test)]
#[path = "jsonl_tests.rs"]
mod tests;
