//! Small files that sled keeps beside its log, made safe before it reads them.
//!
//! sled writes `conf` twice without syncing it and then believes it; it takes a `snap.*.generating`, which an
//! interrupted open leaves behind, for its newest snapshot. Snapshots only shorten the reading of the log.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::log::segment::sync_dir;
use crate::Fault;

/// What sled 0.34 writes for a segment of 8 MiB without compression: text, and its CRC-32 in little-endian.
const CONF: &[u8] = b"segment_size: 8388608\nuse_compression: false\nversion: 0.34\n\x5e\xeb\xc1\xd7";

/// Puts `conf` in place and removes snapshots that were never finished.
pub(super) fn prepare(path: &Path) -> Result<(), Fault> {
    let prepare = || {
        fs::create_dir_all(path.join("blobs"))?;
        for unfinished in
            snapshots(path)?.into_iter().filter(|file| file.to_string_lossy().ends_with(".generating"))
        {
            fs::remove_file(unfinished)?;
        }
        let conf = path.join("conf");
        if fs::read(&conf).is_ok_and(|bytes| bytes == CONF) {
            return Ok(());
        }
        let unfinished = path.join("conf.new");
        let mut file = File::create(&unfinished)?;
        file.write_all(CONF)?;
        file.sync_all()?;
        fs::rename(unfinished, conf)?;
        sync_dir(path)
    };
    prepare().map_err(|e: io::Error| unavailable(path, &e))
}

/// Puts the snapshots aside, where sled does not find them. Answers whether there were any.
pub(super) fn set_aside(path: &Path) -> Result<bool, Fault> {
    let set_aside = || {
        let found = snapshots(path)?;
        for file in &found {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            fs::rename(file, path.join(format!("damaged-{name}")))?;
        }
        Ok(!found.is_empty())
    };
    set_aside().map_err(|e: io::Error| unavailable(path, &e))
}

fn snapshots(path: &Path) -> io::Result<Vec<PathBuf>> {
    let items = match fs::read_dir(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        items => items?,
    };
    let mut out = Vec::new();
    for item in items {
        let item = item?;
        if item.file_name().to_string_lossy().starts_with("snap.") {
            out.push(item.path());
        }
    }
    Ok(out)
}

fn unavailable(path: &Path, error: &io::Error) -> Fault {
    Fault::Unavailable {
        reason: format!("the database cannot be prepared. path={}, error={error}", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::disk::open_when_free;
    use super::*;

    #[test]
    fn what_is_written_is_what_sled_writes() {
        let dir = tempfile::tempdir().unwrap();
        let config = || ::sled::Config::new().path(dir.path()).segment_size(super::super::disk::SEGMENT);
        drop(open_when_free(&config()).unwrap());
        assert_eq!(fs::read(dir.path().join("conf")).unwrap(), CONF);
        for bad in [&b""[..], b"segment", &CONF[..40], &[0; 63]] {
            fs::write(dir.path().join("conf"), bad).unwrap();
            prepare(dir.path()).unwrap();
            drop(open_when_free(&config()).unwrap());
        }
    }

    #[test]
    fn unfinished_and_damaged_snapshots_do_not_shut_out_the_owner() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("snap.0000000000000001.generating"), b"").unwrap();
        fs::write(dir.path().join("snap.0000000000000000"), b"cut").unwrap();
        prepare(dir.path()).unwrap();
        assert!(!dir.path().join("snap.0000000000000001.generating").exists());
        assert!(set_aside(dir.path()).unwrap());
        assert!(!set_aside(dir.path()).unwrap());
        assert!(dir.path().join("damaged-snap.0000000000000000").exists());
    }
}
