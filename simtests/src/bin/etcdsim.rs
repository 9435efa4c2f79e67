//! The simulator's program. What it can do is in `detcd_simtests::cli`, one file per command.
use std::process::ExitCode;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    detcd_simtests::cli::main()
}
