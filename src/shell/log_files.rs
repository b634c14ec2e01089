//! The files of the log of a data folder, for those who take it along into another one.

use std::io;
use std::path::Path;

use quorate_proofs::checkpoint::{LogKey, PublicKey};
use quorate_proofs::tree::Tree;

use super::host::wait;
use super::transparency::{FOLDER, LogError, Nowhere, extend, put, read};
use crate::journal::{Fault, Store};

/// The text of the key that signs the log of a data folder, if there is one.
pub(crate) fn key_text(data: &Path) -> Result<Option<String>, Fault> {
    let path = data.join(FOLDER).join("key");
    let text = read(&path).map_err(unread)?;
    // One that cannot sign is worth nothing elsewhere.
    let checked = text.map(|text| LogKey::from_text(&text).map(|_| text)).transpose();
    checked.map_err(|e| Fault::Corrupt { what: format!("{e}. path={}", path.display()) })
}

/// The public key of the log of a data folder, if there is one.
pub(crate) fn public_key(data: &Path) -> Result<Option<PublicKey>, Fault> {
    let key = key_text(data)?.map(|text| LogKey::from_text(&text)).transpose();
    let key = key.map_err(|e| Fault::Corrupt { what: e.to_string() })?;
    Ok(key.map(|key| key.public().clone()))
}

/// The newest checkpoint that was signed for the log of a data folder, as it stands there.
pub(crate) fn checkpoint_text(data: &Path) -> Result<Option<String>, Fault> {
    read(&data.join(FOLDER).join("checkpoint")).map_err(unread)
}

/// Gives a data folder that has no log the log of another: its key, and the newest checkpoint. One whose records are not all
/// there is put beside, for whoever holds such a checkpoint.
pub(crate) fn adopt(data: &Path, key: &str, newest: Option<(&str, bool)>) -> Result<(), Fault> {
    let folder = data.join(FOLDER);
    let write = || {
        put(&folder.join("key"), key.as_bytes(), true)?;
        match newest {
            Some((text, true)) => put(&folder.join("checkpoint"), text.as_bytes(), true),
            Some((text, false)) => put(&folder.join("checkpoint.before-loss"), text.as_bytes(), true),
            None => Ok(()),
        }
    };
    let failed = |e: io::Error| {
        let reason = format!("the log cannot be written. path={}, cause={e}", folder.display());
        Fault::Unavailable { reason }
    };
    write().map_err(failed)
}

/// Takes the log of a data folder along into a new one that holds the same records, or their hashes. Tiles are made anew there.
pub(crate) fn take_along(from: &Path, into: &Path) -> Result<(), Fault> {
    let (from, into) = (from.join(FOLDER), into.join(FOLDER));
    for name in ["key", "checkpoint", "checkpoint.before-loss"] {
        if let Some(text) = read(&from.join(name)).map_err(unread)? {
            put(&into.join(name), text.as_bytes(), true).map_err(|e| Fault::Unavailable {
                reason: format!("the log cannot be written. path={}, cause={e}", into.display()),
            })?;
        }
    }
    Ok(())
}

/// Does a journal begin with what a checkpoint was signed over?
pub(crate) fn begins_with(store: &dyn Store, key: &str, checkpoint: &str) -> Result<bool, Fault> {
    let Ok(signed) = LogKey::from_text(key).and_then(|key| key.public().read(checkpoint)) else {
        return Ok(false);
    };
    if wait(store.tip())?.position < signed.size {
        return Ok(false);
    }
    let mut tree = Tree::new(Nowhere);
    extend(&mut tree, store, signed.size).map_err(unread)?;
    Ok(tree.root().is_ok_and(|root| root == signed.root))
}

fn unread(error: LogError) -> Fault {
    match error {
        LogError::Fault(fault) => fault,
        other => Fault::Corrupt { what: other.to_string() },
    }
}
