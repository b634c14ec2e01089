//! Arguments in, exit code out.

use std::process::ExitCode;

/// Many small, short-lived allocations on several threads are what a runtime of actors does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ExitCode::from(quorate::cli::run(std::env::args_os()))
}
