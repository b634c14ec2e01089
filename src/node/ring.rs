//! Keys of a cluster. A file holds them: the first one seals, all open.
//!
//! ```text
//!  # keys of a quorate cluster; the first one seals, all open
//!  5f0c…e1      64 hexadecimal digits a line, 1 to 8 lines; a line that begins with # says nothing
//!  93ab…07
//! ```
//!
//! Only its owner may read the file (mode 0600). It is written beside itself and renamed, so whoever reads finds the old ring or
//! the new one.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use quorate_runtime::error::{Error, ErrorKind};

/// Most keys of a ring: a node may miss one rotation less.
pub const MAX_KEYS: usize = 8;
/// A larger file is none.
const MAX_FILE_BYTES: u64 = 16 << 10;
const KEY_BYTES: usize = 32;
const HEADER: &str = "# keys of a quorate cluster; the first one seals, all open\n";

/// The name of a key: the first four bytes of a hash of it. It says nothing about the key, and stands on every datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub(crate) [u8; 4]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why there is no ring.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// The file cannot be read or written.
    #[error("the key file cannot be used. cause={0}")]
    File(#[from] io::Error),
    /// Others may read the file.
    #[error("others may read the key file; `chmod 600` it. mode={0:o}")]
    Mode(u32),
    /// A line is no key.
    #[error("a line of the key file is no key, expected 64 hexadecimal digits. line={0}")]
    Line(usize),
    /// No key, too many, or one twice.
    #[error("a key ring has 1 to 8 different keys. given={0}")]
    Count(usize),
    /// Two keys are the same.
    #[error("a key stands twice in the key file. key={0}")]
    Twice(KeyId),
    /// There is no such key in the ring.
    #[error("the key file has no such key, or it is the only one. key={0}")]
    NoSuchKey(String),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes. cause={0}")]
    Random(getrandom::Error),
}

impl RingError {
    /// The same for whoever named this file.
    pub fn of(&self, file: &Path) -> Error {
        let file = file.display();
        let message = format!(
            "{self}. A file is made with `quorate node key new FILE`, once for all nodes. file={file}"
        );
        Error::new(ErrorKind::InvalidArgument, message).with("field", "key")
    }
}

#[derive(Clone)]
struct Key {
    id: KeyId,
    secret: [u8; KEY_BYTES],
    cipher: XChaCha20Poly1305,
}

impl Key {
    fn new(secret: [u8; KEY_BYTES]) -> Self {
        let named = blake3::derive_key("quorate key ring 1: name of a key", &secret);
        let id = KeyId([named[0], named[1], named[2], named[3]]);
        // What else is once made of the same secret cannot be mistaken for a datagram.
        let seal = blake3::derive_key("quorate key ring 1: datagrams of membership", &secret);
        Key { id, secret, cipher: XChaCha20Poly1305::new(&seal.into()) }
    }

    fn random() -> Result<Self, RingError> {
        let mut secret = [0; KEY_BYTES];
        getrandom::fill(&mut secret).map_err(RingError::Random)?;
        Ok(Key::new(secret))
    }
}

/// Some keys, in order: the first one seals.
#[derive(Clone)]
pub struct KeyRing {
    keys: Vec<Key>,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyRing").field(&self.ids().collect::<Vec<_>>()).finish()
    }
}

impl PartialEq for KeyRing {
    fn eq(&self, other: &Self) -> bool {
        self.ids().eq(other.ids())
    }
}

impl KeyRing {
    /// A ring of one new key.
    ///
    /// # Errors
    /// [`RingError::Random`].
    pub fn random() -> Result<Self, RingError> {
        Ok(KeyRing { keys: vec![Key::random()?] })
    }

    /// A ring of these keys.
    ///
    /// # Errors
    /// [`RingError::Count`] and [`RingError::Twice`].
    pub fn of(secrets: &[[u8; KEY_BYTES]]) -> Result<Self, RingError> {
        Self::checked(secrets.iter().copied().map(Key::new).collect())
    }

    fn checked(keys: Vec<Key>) -> Result<Self, RingError> {
        if !(1..=MAX_KEYS).contains(&keys.len()) {
            return Err(RingError::Count(keys.len()));
        }
        for (at, key) in keys.iter().enumerate() {
            if keys[..at].iter().any(|other| other.id == key.id) {
                return Err(RingError::Twice(key.id));
            }
        }
        Ok(KeyRing { keys })
    }

    /// The ring that a text holds.
    ///
    /// # Errors
    /// [`RingError`] that names what does not fit; never the key.
    pub fn parse(text: &str) -> Result<Self, RingError> {
        let mut keys = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                keys.push(Key::new(secret(line).ok_or(RingError::Line(at + 1))?));
            }
        }
        Self::checked(keys)
    }

    /// The ring in a file.
    ///
    /// # Errors
    /// [`RingError`].
    pub fn read(path: &Path) -> Result<Self, RingError> {
        let file = File::open(path)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = file.metadata()?.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                return Err(RingError::Mode(mode));
            }
        }
        let mut text = String::new();
        file.take(MAX_FILE_BYTES).read_to_string(&mut text)?;
        Self::parse(&text)
    }

    /// Makes a file with one new key. A file that is there stays.
    ///
    /// # Errors
    /// [`RingError`], also when the file is there.
    pub fn create(path: &Path) -> Result<Self, RingError> {
        let ring = Self::random()?;
        ring.write_new(path)?;
        Ok(ring)
    }

    /// What seals a connection under a key of the ring that two nodes made with these random numbers: from the one who called,
    /// and to it.
    pub(crate) fn session(
        &self,
        id: KeyId,
        caller: &[u8],
        called: &[u8],
    ) -> Option<(XChaCha20Poly1305, XChaCha20Poly1305)> {
        let key = self.keys.iter().find(|key| key.id == id)?;
        let make = |direction: &[u8]| {
            let mut hasher = blake3::Hasher::new_derive_key("quorate key ring 1: messages of jobs");
            for part in [&key.secret, caller, called, direction] {
                hasher.update(part);
            }
            let secret: [u8; KEY_BYTES] = *hasher.finalize().as_bytes();
            XChaCha20Poly1305::new(&secret.into())
        };
        Some((make(b"from the caller"), make(b"to the caller")))
    }

    /// Puts a new key in front, which seals from now on; the others still open, but not more than [`MAX_KEYS`].
    ///
    /// # Errors
    /// [`RingError`].
    pub fn rotate(&mut self) -> Result<KeyId, RingError> {
        let key = Key::random()?;
        let id = key.id;
        self.keys.insert(0, key);
        self.keys.truncate(MAX_KEYS);
        Ok(id)
    }

    /// Takes a key out: what is sealed with it is refused from now on.
    ///
    /// # Errors
    /// [`RingError::NoSuchKey`], also for the only one.
    pub fn drop_key(&mut self, id: &str) -> Result<(), RingError> {
        let known = self.keys.iter().position(|key| key.id.to_string() == id);
        match known {
            Some(at) if self.keys.len() > 1 => {
                self.keys.remove(at);
                Ok(())
            }
            Some(_) | None => Err(RingError::NoSuchKey(id.to_owned())),
        }
    }

    /// Writes the ring in place of the file, which only its owner may read.
    ///
    /// # Errors
    /// [`RingError::File`].
    pub fn write(&self, path: &Path) -> Result<(), RingError> {
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        let new = Path::new(&new);
        match fs::remove_file(new) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e.into()),
            _ => {}
        }
        self.write_new(new)?;
        fs::rename(new, path)?;
        Ok(())
    }

    fn write_new(&self, path: &Path) -> Result<(), RingError> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let mut file = options.open(path)?;
        file.write_all(self.text().as_bytes())?;
        file.sync_all()?;
        Ok(())
    }

    fn text(&self) -> String {
        let mut text = HEADER.to_owned();
        for key in &self.keys {
            key.secret.iter().for_each(|byte| text.push_str(&format!("{byte:02x}")));
            text.push('\n');
        }
        text
    }

    /// The names of the keys, in order.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.keys.iter().map(|key| key.id)
    }

    pub(crate) fn cipher(&self, id: KeyId) -> Option<&XChaCha20Poly1305> {
        self.keys.iter().find(|key| key.id == id).map(|key| &key.cipher)
    }
}

fn secret(line: &str) -> Option<[u8; KEY_BYTES]> {
    let digits: Vec<u8> = line.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, d| byte << 4 | d)).collect();
    if digits.len() == 2 * KEY_BYTES { bytes.try_into().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_read_as_it_was_written_and_only_by_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let mut ring = KeyRing::create(&path).unwrap();
        assert!(matches!(KeyRing::create(&path), Err(RingError::File(_))), "a ring is never written over");
        assert_eq!(KeyRing::read(&path).unwrap(), ring);
        let newest = ring.rotate().unwrap();
        ring.write(&path).unwrap();
        let read = KeyRing::read(&path).unwrap();
        assert_eq!((read.ids().next(), read.ids().count()), (Some(newest), 2));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
            assert_eq!(
                KeyRing::read(&path).unwrap_err().to_string(),
                "others may read the key file; `chmod 600` it. mode=640"
            );
        }
    }

    #[test]
    fn what_is_no_ring_is_refused_by_its_line_and_no_key_is_shown() {
        let key = "5f".repeat(32);
        let said = |text: &str| KeyRing::parse(text).unwrap_err().to_string();
        assert_eq!(said("# nothing\n"), "a key ring has 1 to 8 different keys. given=0");
        let short = format!("# one\n{}\n", &key[1..]);
        assert_eq!(said(&short), "a line of the key file is no key, expected 64 hexadecimal digits. line=2");
        assert!(said(&format!("{key}\n{key}\n")).starts_with("a key stands twice"));
        assert!(!format!("{:?}", KeyRing::parse(&key).unwrap()).contains("5f5f"));
        let mut ring = KeyRing::parse(&key).unwrap();
        let only = ring.ids().next().unwrap().to_string();
        assert!(matches!(ring.drop_key(&only), Err(RingError::NoSuchKey(_))));
        for _ in 0..20 {
            ring.rotate().unwrap();
        }
        assert_eq!(ring.ids().count(), MAX_KEYS);
        assert!(matches!(ring.drop_key(&only), Err(RingError::NoSuchKey(_))), "it was pushed out long ago");
    }
}
