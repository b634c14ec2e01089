//! The shim: built once per process by the C compiler of this machine, loaded into children.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/powerloss/shim.c");

/// The shim as a library, or `None`, said loudly, where it cannot be had: the caller then skips its test.
pub fn library() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    BUILT.get_or_init(build).as_deref()
}

fn build() -> Option<PathBuf> {
    if !cfg!(target_os = "linux") {
        println!("SKIPPED: the shim is for Linux");
        return None;
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let own = target.join(format!("shim-{}.so", std::process::id()));
    let built = Command::new("cc")
        .args(["-O1", "-shared", "-fPIC", "-o"])
        .arg(&own)
        .args([SOURCE, "-ldl", "-pthread"])
        .status();
    match built {
        Err(e) => {
            println!("SKIPPED: there is no C compiler to build the shim with: {e}");
            None
        }
        Ok(status) => {
            assert!(status.success(), "the shim does not compile");
            // One name for all processes; a rename is whole for whoever loads it meanwhile.
            let shared = target.join("shim.so");
            std::fs::rename(own, &shared).unwrap();
            Some(shared)
        }
    }
}
