//! The offline tool for data directories and snapshots. Everything it does is in `detcd::ctl::utl`.

use std::process::ExitCode;

fn main() -> ExitCode {
    detcd::ctl::utl::etcdutl(std::env::args_os().collect())
}
