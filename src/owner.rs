//! The unix socket at which whoever has opened a data folder answers for it, so that many processes share one folder
//! through its one owner.
//!
//! ```text
//!  DIR/quorate.sock   mode 0600, HTTP/1.1 as on any other address of the server
//!
//!  owner    holds DIR/LOCK ──► makes the socket, in place of one that a killed owner left
//!  others   connect ──► answered: go through the owner
//!                   └─► no socket, or nobody behind it: open the folder themselves
//! ```
//!
//! The address of a unix socket has about a hundred bytes (`unix(7)`). The folder of a longer path is named by an open
//! file of this process where the system offers that.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// The name of the socket in its folder.
pub const SOCKET: &str = "quorate.sock";

/// Where the socket is made, out of reach of everybody else until its mode is set.
const WORKSHOP: &str = "quorate.sock.new";
/// The longest path handed to the system as it is; the shortest limit there is, of macOS, is 104 bytes with the end.
const LONGEST: usize = 100;

/// A socket that is listened on. Dropping it removes it, unless a later owner has made its own.
#[derive(Debug)]
pub struct OwnerSocket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and number of the file.
    file: (u64, u64),
}

impl OwnerSocket {
    /// Makes the socket of this folder and listens. Only the owner of the folder may do so: a socket that is there is taken
    /// for that of an owner that was killed.
    ///
    /// # Errors
    /// When the folder cannot be written, or its path is too long for this system.
    pub fn listen(folder: &Path) -> io::Result<Self> {
        let workshop = folder.join(WORKSHOP);
        let clear = || match fs::remove_dir_all(&workshop) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        };
        clear()?;
        DirBuilder::new().mode(0o700).create(&workshop)?;
        let made = workshop.join(SOCKET);
        let listener = at(&workshop, UnixListener::bind)?;
        fs::set_permissions(&made, Permissions::from_mode(0o600))?;
        let path = folder.join(SOCKET);
        let file = number(&made)?;
        // In one step: whoever finds a socket finds one that is listened on.
        fs::rename(&made, &path)?;
        clear()?;
        Ok(OwnerSocket { listener, path, file })
    }

    /// A handle by which callers are accepted.
    ///
    /// # Errors
    /// When the process may open no more files.
    pub fn listener(&self) -> io::Result<UnixListener> {
        self.listener.try_clone()
    }
}

impl Drop for OwnerSocket {
    fn drop(&mut self) {
        if number(&self.path).is_ok_and(|now| now == self.file) {
            // The next owner removes what cannot be removed here.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Connects to the owner of a folder.
///
/// # Errors
/// `NotFound` and `ConnectionRefused` when nobody answers for the folder.
pub fn connect(folder: &Path) -> io::Result<UnixStream> {
    at(folder, UnixStream::connect)
}

/// Is there a socket in this folder? Somebody may answer there, or may have been killed.
pub fn has_socket(folder: &Path) -> bool {
    fs::symlink_metadata(folder.join(SOCKET)).is_ok_and(|meta| meta.file_type().is_socket())
}

/// Does something with the path of the socket in a folder.
fn at<T>(folder: &Path, act: impl FnOnce(PathBuf) -> io::Result<T>) -> io::Result<T> {
    let path = folder.join(SOCKET);
    if path.as_os_str().len() <= LONGEST || !cfg!(target_os = "linux") {
        return act(path);
    }
    let opened = File::open(folder)?;
    let number = std::os::fd::AsRawFd::as_raw_fd(&opened);
    act(PathBuf::from(format!("/proc/self/fd/{number}/{SOCKET}")))
}

fn number(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|meta| (meta.dev(), meta.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    fn talk(folder: &Path) {
        let socket = OwnerSocket::listen(folder).unwrap();
        assert_eq!(fs::metadata(folder.join(SOCKET)).unwrap().mode() & 0o777, 0o600);
        assert!(has_socket(folder) && !folder.join(WORKSHOP).exists());
        let mut client = connect(folder).unwrap();
        client.write_all(b"x").unwrap();
        let mut heard = [0];
        socket.listener().unwrap().accept().unwrap().0.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"x");
        drop(socket);
        assert!(!has_socket(folder));
        assert_eq!(connect(folder).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn others_reach_the_owner_and_nobody_once_it_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        talk(folder.path());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_path_longer_than_an_address_will_do() {
        let folder = tempfile::tempdir().unwrap();
        let long = folder.path().join("d".repeat(200));
        fs::create_dir(&long).unwrap();
        talk(&long);
    }

    #[test]
    fn the_socket_of_a_killed_owner_is_replaced_and_its_late_end_removes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        // As one that was killed: the file is there, and nobody behind it.
        drop(UnixListener::bind(folder.path().join(SOCKET)).unwrap());
        assert_eq!(connect(folder.path()).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        let first = OwnerSocket::listen(folder.path()).unwrap();
        let _second = OwnerSocket::listen(folder.path()).unwrap();
        drop(first);
        assert!(connect(folder.path()).is_ok());
    }

    #[test]
    fn what_a_killed_owner_left_half_made_is_cleared() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(WORKSHOP)).unwrap();
        fs::write(folder.path().join(WORKSHOP).join("x"), "").unwrap();
        talk(folder.path());
    }
}
