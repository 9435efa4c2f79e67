//! How a command ends badly: an exit code and what standard error says. The codes are etcdctl's.

use std::io;
use std::process::ExitCode;

use super::client::Fault;

/// The end of a failed command.
#[derive(Debug, PartialEq, Eq)]
pub struct Exit {
    /// What the process returns.
    pub code: u8,
    /// What standard error shows, if it has not been said yet.
    pub message: Option<String>,
}

impl Exit {
    const ERROR: u8 = 1;
    const BAD_CONNECTION: u8 = 2;
    const INVALID_INPUT: u8 = 3;
    const BAD_FEATURE: u8 = 4;
    const INTERRUPTED: u8 = 5;
    const IO: u8 = 6;
    const BAD_ARGS: u8 = 128;

    fn with(code: u8, text: impl std::fmt::Display) -> Exit {
        Exit { code, message: Some(format!("Error: {text}")) }
    }

    /// The server said no, or anything else without a code of its own.
    pub fn error(text: impl std::fmt::Display) -> Exit {
        Exit::with(Exit::ERROR, text)
    }

    /// No useful connection.
    pub fn bad_connection(text: impl std::fmt::Display) -> Exit {
        Exit::with(Exit::BAD_CONNECTION, text)
    }

    /// What was typed into `txn` or `watch -i` makes no sense.
    pub fn invalid_input(text: impl std::fmt::Display) -> Exit {
        Exit::with(Exit::INVALID_INPUT, text)
    }

    /// A flag is right, its value is not.
    pub fn bad_feature(text: impl std::fmt::Display) -> Exit {
        Exit::with(Exit::BAD_FEATURE, text)
    }

    /// The server ended what should have gone on.
    pub fn interrupted(text: impl std::fmt::Display) -> Exit {
        Exit::with(Exit::INTERRUPTED, text)
    }

    /// Wrong arguments.
    pub fn bad_args(text: impl std::fmt::Display) -> Exit {
        Exit::with(Exit::BAD_ARGS, text)
    }

    /// Ends with another program's code.
    pub fn like(code: u8, text: impl std::fmt::Display) -> Exit {
        Exit::with(code, text)
    }

    /// A log line said it.
    pub fn logged(line: &str) -> Exit {
        Exit { code: Exit::ERROR, message: Some(line.to_owned()) }
    }

    /// etcdctl stops with a Go panic here, which scripts see as code 2.
    pub fn panic(text: impl std::fmt::Display) -> Exit {
        Exit { code: 2, message: Some(format!("panic: {text}")) }
    }

    /// Failed, and standard error knows already.
    pub fn silent(code: u8) -> Exit {
        Exit { code, message: None }
    }

    /// A command or flag whose time has not come yet. `program` is `etcdctl` or `etcdutl`.
    pub fn not_built(program: &str, what: &str) -> Exit {
        Exit { code: Exit::ERROR, message: Some(format!("{program}: {what} is not built yet")) }
    }

    /// Tells standard error and gives the process its code.
    pub fn report(self) -> ExitCode {
        if let Some(message) = self.message {
            eprintln!("{message}");
        }
        ExitCode::from(self.code)
    }
}

impl From<Fault> for Exit {
    fn from(fault: Fault) -> Exit {
        Exit::error(fault)
    }
}

impl From<io::Error> for Exit {
    fn from(error: io::Error) -> Exit {
        Exit::with(Exit::IO, error)
    }
}
