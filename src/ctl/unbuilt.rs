//! Commands of etcdctl that are not there yet. They are listed and they say so; nothing pretends.

use std::ffi::OsString;

use clap::{Args, Subcommand};

use super::exit::Exit;

/// Whatever follows the command's name.
#[derive(Args, Debug)]
pub struct Anything {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    words: Vec<OsString>,
}

#[derive(Debug, Subcommand)]
pub enum UnbuiltCommand {
    /// (not built yet) Copies changes to another cluster
    MakeMirror(Anything),
    /// (not built yet) Measures the cluster
    Check(Anything),
    /// (not built yet) Prints completions for a shell
    Completion(Anything),
    /// (not built yet) Lists the global options; `etcdctl --help` does
    Options(Anything),
}

impl UnbuiltCommand {
    pub fn refuse(&self) -> Exit {
        let name = match self {
            UnbuiltCommand::MakeMirror(_) => "make-mirror",
            UnbuiltCommand::Check(_) => "check",
            UnbuiltCommand::Completion(_) => "completion",
            UnbuiltCommand::Options(_) => "options",
        };
        Exit::not_built("etcdctl", name)
    }
}
