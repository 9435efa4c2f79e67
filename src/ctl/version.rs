//! `version`: which etcd the tool goes with. Scripts compare it with the server's.

use std::ffi::OsString;

use clap::Args;

use super::exit::Exit;
use super::print;

/// The etcd version the tools are compatible with.
const VERSION: &str = "3.7.1";
const API_VERSION: &str = "3.7";

/// Prints the tool's version and the version of the API it speaks
#[derive(Args, Debug)]
pub struct VersionArgs {
    #[arg(hide = true)]
    words: Vec<OsString>,
}

/// Prints the two lines for `program`.
pub fn run(program: &str) -> Result<(), Exit> {
    print::write_out(format!("{program} version: {VERSION}\nAPI version: {API_VERSION}\n").as_bytes())
}
