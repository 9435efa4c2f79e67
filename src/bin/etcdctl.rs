//! The command line client. Everything it does is in `detcd::ctl`.

use std::process::ExitCode;

fn main() -> ExitCode {
    detcd::ctl::etcdctl(std::env::args_os().collect())
}
