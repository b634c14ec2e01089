//! Arguments in, exit code out.

#![forbid(unsafe_code)]

use std::process::ExitCode;

/// Many small, short-lived allocations on several threads are what a runtime of actors does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The allocator asks for huge pages, and then a small allocation here and there makes two megabytes resident each: a
/// third of an idle server, and half of what a restart with many overdue entities takes at its peak.
#[cfg(target_os = "linux")]
fn use_small_pages() {
    // A kernel without huge pages has nothing to refuse.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

#[cfg(not(target_os = "linux"))]
fn use_small_pages() {}

fn main() -> ExitCode {
    use_small_pages();
    ExitCode::from(quorate_cli::run(std::env::args_os()))
}
