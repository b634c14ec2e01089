//! What a node keeps: files in `DIR/node`, of which it is the only owner.
//!
//! | file | holds | written |
//! |---|---|---|
//! | `lock` | nothing; locked while the node runs | never |
//! | `name` | the node's name | once, synced |
//! | `place` | its role and datacenter | once, synced |
//! | `incarnation` | no higher one was ever sent | before it is sent, synced |
//! | `members.json` | its coordinate and whom it knew | every ten seconds, and when it leaves |
//!
//! Files and not the journal: a node must speak before the journal is recovered, and go on when the journal is full; and of all this
//! only the incarnation must not be lost, which is one number. A file is replaced in one step, so it is the old one or the new one.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use quorate_core::kernel::ids::{DatacenterId, NodeId};
use quorate_core::network::member::{NodeRole, SavedMembership};
use quorate_runtime::error::{Error, ErrorKind};

const NAME: &str = "name";
const PLACE: &str = "place";
const INCARNATION: &str = "incarnation";
const MEMBERS: &str = "members.json";
/// A larger file is none.
const MOST_BYTES: u64 = 64 << 20;

/// The files of one node, locked.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: PathBuf,
    _lock: File,
}

impl Disk {
    /// Takes the node's part of a data folder, which is made when it is not there.
    ///
    /// # Errors
    /// `store_locked` while another node has it; `store_error`.
    pub(crate) fn open(data: &Path) -> Result<Self, Error> {
        let folder = data.join("node");
        fs::create_dir_all(&folder).map_err(|e| failed(&folder, &e))?;
        let path = folder.join("lock");
        let lock = File::create(&path).map_err(|e| failed(&path, &e))?;
        match lock.try_lock() {
            Ok(()) => Ok(Disk { folder, _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                let message = format!("another node runs in this folder. folder={}", data.display());
                Err(Error::new(ErrorKind::StoreLocked, message))
            }
            Err(TryLockError::Error(e)) => Err(failed(&path, &e)),
        }
    }

    /// The node's name: the one that is given, which must be the one it had, or one that is made now.
    ///
    /// # Errors
    /// `invalid_argument` for another name than before; `store_corrupt`, `store_error`.
    pub(crate) fn name(&self, given: Option<NodeId>, role: NodeRole) -> Result<NodeId, Error> {
        let kept = match self.read(NAME)? {
            Some(text) => Some(NodeId::new(text.trim()).map_err(|_| self.corrupt(NAME))?),
            None => None,
        };
        match (kept, given) {
            (Some(kept), Some(given)) if kept != given => {
                let expected =
                    format!("{kept}, as this folder was begun with; another name needs another folder");
                Err(Error::invalid("name", given.as_str(), &expected))
            }
            (Some(kept), _) => Ok(kept),
            (None, given) => {
                let name = match given {
                    Some(name) => name,
                    None => {
                        let number = getrandom::u64().map_err(|e| no_random(&e))?;
                        let text = format!("{}-{:08x}", role.name(), number >> 32);
                        NodeId::new(text).map_err(|_| self.corrupt(NAME))?
                    }
                };
                self.replace(NAME, name.as_str().as_bytes(), true)?;
                Ok(name)
            }
        }
    }

    /// Keeps what the node does and where it stands. The jobs in the folder are those of that role in that datacenter.
    ///
    /// # Errors
    /// `invalid_argument` for another role or datacenter than the folder was begun with, `store_corrupt`, `store_error`.
    pub(crate) fn place(&self, role: NodeRole, datacenter: &DatacenterId) -> Result<(), Error> {
        let place = format!("{} {datacenter}\n", role.name());
        let Some(kept) = self.read(PLACE)? else { return self.replace(PLACE, place.as_bytes(), true) };
        let (kept_role, kept_datacenter) =
            kept.trim_end().split_once(' ').ok_or_else(|| self.corrupt(PLACE))?;
        let begun = |kept: &str, what: &str| {
            format!("{kept}, as this folder was begun with; another {what} needs another folder")
        };
        if kept_role != role.name() {
            return Err(Error::invalid("role", role.name(), &begun(kept_role, "role")));
        }
        if kept_datacenter != datacenter.as_str() {
            let expected = begun(kept_datacenter, "datacenter");
            return Err(Error::invalid("datacenter", datacenter.as_str(), &expected));
        }
        Ok(())
    }

    /// The highest incarnation that may have been sent; 0 for a node that never spoke.
    ///
    /// # Errors
    /// `store_corrupt`, `store_error`.
    pub(crate) fn incarnation(&self) -> Result<u64, Error> {
        match self.read(INCARNATION)? {
            Some(text) => text.trim().parse().map_err(|_| self.corrupt(INCARNATION)),
            None => Ok(0),
        }
    }

    /// Stores that incarnations upto this one may be sent. Durable on return.
    ///
    /// # Errors
    /// `store_error`.
    pub(crate) fn store_incarnation(&self, upto: u64) -> Result<(), Error> {
        self.replace(INCARNATION, format!("{upto}\n").as_bytes(), true)
    }

    /// Whom the node knew. What cannot be read is as if there were nothing: the others tell it anew.
    pub(crate) fn members(&self) -> Option<SavedMembership> {
        let path = self.folder.join(MEMBERS);
        let read = self.read(MEMBERS).and_then(|text| match text {
            Some(text) => serde_json::from_str(&text).map(Some).map_err(|_| self.corrupt(MEMBERS)),
            None => Ok(None),
        });
        read.unwrap_or_else(|error| {
            tracing::warn!(%error, path = %path.display(), "whom this node knew cannot be read; it begins with those it joins");
            None
        })
    }

    /// Stores whom the node knows.
    ///
    /// # Errors
    /// `store_error`.
    pub(crate) fn store_members(&self, saved: &SavedMembership) -> Result<(), Error> {
        let text = serde_json::to_vec(saved).map_err(|e| {
            Error::new(ErrorKind::StoreError, format!("members cannot be written. cause={e}"))
        })?;
        self.replace(MEMBERS, &text, false)
    }

    fn read(&self, name: &str) -> Result<Option<String>, Error> {
        let path = self.folder.join(name);
        match fs::metadata(&path) {
            Ok(meta) if meta.len() > MOST_BYTES => return Err(self.corrupt(name)),
            _ => {}
        }
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) if e.kind() == io::ErrorKind::InvalidData => Err(self.corrupt(name)),
            Err(e) => Err(failed(&path, &e)),
        }
    }

    fn replace(&self, name: &str, bytes: &[u8], is_durable: bool) -> Result<(), Error> {
        let (new, path) = (self.folder.join(format!("{name}.new")), self.folder.join(name));
        let write = || -> io::Result<()> {
            let mut file = File::create(&new)?;
            file.write_all(bytes)?;
            if is_durable {
                file.sync_all()?;
            }
            drop(file);
            fs::rename(&new, &path)?;
            // The name must last as well.
            if is_durable && cfg!(unix) {
                File::open(&self.folder)?.sync_all()?;
            }
            Ok(())
        };
        write().map_err(|e| failed(&path, &e))
    }

    fn corrupt(&self, name: &str) -> Error {
        let path = self.folder.join(name);
        let message = format!(
            "a file of the node is damaged; to begin as a new node, remove the folder it is in. file={}",
            path.display()
        );
        Error::new(ErrorKind::StoreCorrupt, message)
    }
}

pub(crate) fn no_random(error: &getrandom::Error) -> Error {
    Error::new(ErrorKind::StoreError, format!("the system gives no random bytes. cause={error}"))
}

fn failed(path: &Path, error: &io::Error) -> Error {
    let message = format!("a file of the node cannot be used. file={}, cause={error}", path.display());
    Error::new(ErrorKind::StoreError, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_node_with_one_name_and_an_incarnation_that_lasts() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path()).unwrap();
        assert_eq!(Disk::open(folder.path()).unwrap_err().kind(), ErrorKind::StoreLocked);
        assert_eq!(disk.incarnation().unwrap(), 0);
        let name = disk.name(None, NodeRole::Gate).unwrap();
        assert!(name.as_str().starts_with("gate-"));
        disk.store_incarnation(17).unwrap();
        drop(disk);
        let disk = Disk::open(folder.path()).unwrap();
        assert_eq!(disk.name(None, NodeRole::Worker).unwrap(), name);
        let (paris, oslo) = (DatacenterId::new("paris").unwrap(), DatacenterId::new("oslo").unwrap());
        disk.place(NodeRole::Gate, &paris).unwrap();
        disk.place(NodeRole::Gate, &paris).unwrap();
        let field = |refused: Result<(), Error>| refused.unwrap_err().detail("field").cloned();
        assert_eq!(field(disk.place(NodeRole::Manager, &paris)), Some("role".into()));
        assert_eq!(field(disk.place(NodeRole::Gate, &oslo)), Some("datacenter".into()));
        let other = NodeId::new("other").unwrap();
        assert_eq!(disk.name(Some(other), NodeRole::Gate).unwrap_err().kind(), ErrorKind::InvalidArgument);
        assert_eq!(disk.incarnation().unwrap(), 17);
    }

    #[test]
    fn a_damaged_incarnation_stops_the_node_and_damaged_members_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path()).unwrap();
        fs::write(folder.path().join("node/incarnation"), "many").unwrap();
        assert_eq!(disk.incarnation().unwrap_err().kind(), ErrorKind::StoreCorrupt);
        fs::write(folder.path().join("node/members.json"), [0xff, 0xfe]).unwrap();
        assert!(disk.members().is_none());
    }
}
