//! Whether the log goes on from a checkpoint, without reading what was signed before.

use std::sync::Arc;

use quorate_proofs::checkpoint::PublicKey;
use quorate_proofs::tree::Tree;

use super::{Contained, Kept, LogError, Transparency, extend};
use crate::journal::Store;
use crate::shell::host::wait;

/// What the log says to a checkpoint that it is to go on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Continued {
    /// To that one.
    pub(crate) signed: Contained,
    /// To the newest in the folder, if it is not older.
    pub(crate) own: Option<Contained>,
    /// Every record up to the checkpoint was read; otherwise only the hashes that are kept of them.
    pub(crate) read_again: bool,
}

impl Transparency {
    /// Whether the log goes on from a checkpoint: its tree then, by the hashes that are kept, and the records after it up to the
    /// newest checkpoint in the folder. Where the kept hashes do not fit, every record is read. Nothing is written. Blocks its
    /// thread.
    ///
    /// # Errors
    /// [`LogError::NoKey`] without a key, and the faults of the store.
    pub(crate) fn continued(
        &self,
        store: &dyn Store,
        key: Option<&PublicKey>,
        checkpoint: &str,
    ) -> Result<Continued, LogError> {
        let own = match self.kept() {
            Ok(own) => own,
            Err(LogError::Fault(fault)) if key.is_none() => return Err(LogError::NoKey(fault.to_string())),
            Err(_) => None,
        };
        let public = key.cloned().or_else(|| own.as_ref().map(|(key, _)| key.public().clone()));
        let public = public.ok_or_else(|| LogError::NoKey("the folder has no log".into()))?;
        let refused =
            |size, why| Continued { signed: Contained { size, why: Some(why) }, own: None, read_again: true };
        let signed = match public.read(checkpoint) {
            Ok(signed) => signed,
            Err(error) => return Ok(refused(None, error.to_string())),
        };
        let records = wait(store.tip())?.position;
        if signed.size > records {
            return Ok(refused(Some(signed.size), format!("the journal has only {records} records")));
        }
        let mut kept = None;
        if let Some(folder) = &self.folder {
            let tiles = Kept::Read(folder.clone(), Arc::default(), self.store.clone());
            if let Ok(mut tree) = Tree::from_tiles(tiles, signed.size) {
                extend(&mut tree, store, signed.size)?;
                kept = tree.root().ok().filter(|root| *root == signed.root).map(|_| tree);
            }
        }
        let read_again = kept.is_none();
        let mut tree = match kept {
            Some(tree) => tree,
            None => {
                let mut tree = Tree::new(Kept::Memory(Arc::default()));
                extend(&mut tree, store, signed.size)?;
                if signed.size > 0 && tree.root().map_err(LogError::from)? != signed.root {
                    let why = "a record up to there is not the one that was signed".to_owned();
                    return Ok(refused(Some(signed.size), why));
                }
                tree
            }
        };
        let newest = own.and_then(|(key, newest)| key.public().read(&newest?).ok());
        let own = match newest.filter(|newest| newest.size >= signed.size) {
            None => None,
            Some(newest) if newest.size > records => {
                let why = Some(format!("the journal has only {records} records"));
                Some(Contained { size: Some(newest.size), why })
            }
            Some(newest) => {
                extend(&mut tree, store, newest.size)?;
                let fits = newest.size == 0 || tree.root().map_err(LogError::from)? == newest.root;
                let why = (!fits).then(|| "a record up to there is not the one that was signed".to_owned());
                Some(Contained { size: Some(newest.size), why })
            }
        };
        Ok(Continued { signed: Contained { size: Some(signed.size), why: None }, own, read_again })
    }
}
