//! The simulator's program. What it can do is in `detcd_simtests::cli`, one file per command.
use std::process::ExitCode;

fn main() -> ExitCode {
    detcd_simtests::cli::main()
}
