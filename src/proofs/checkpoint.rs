//! Checkpoints: the size and root of the tree, signed.
//!
//! ```text
//!  quorate/4f1a…      origin: which log                            ┐
//!  1234               how many entries                             │ signed
//!  qINS1GRFH…=        root hash, base64                            ┘
//!
//!  — quorate/4f1a… Az3grl…=      who signs, and the signature (ed25519)
//! ```
//!
//! # Source
//! C2SP `tlog-checkpoint`, C2SP `signed-note`; RFC 8032 for ed25519.

use rand_core::{CryptoRng, RngCore};
use signed_note::{Note, Signature, StandardSigner, StandardVerifier, Verifier, VerifierList};
use tlog_tiles::{Checkpoint as Body, Hash};

use super::Refusal;

/// The signing key of a log, with its public key.
#[derive(Clone)]
pub struct LogKey {
    signer: StandardSigner,
    public: PublicKey,
}

impl std::fmt::Debug for LogKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LogKey({})", self.public.text)
    }
}

/// A source of random bytes that has 32 of them.
struct Seed([u8; 32]);

impl RngCore for Seed {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        for (byte, random) in bytes.iter_mut().zip(self.0.iter().cycle()) {
            *byte = *random;
        }
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

// The bytes come from the operating system: the caller says so.
impl CryptoRng for Seed {}

impl LogKey {
    /// The text of a new key for the log with this name, from 32 random bytes; read by [`LogKey::from_text`].
    pub fn generate(origin: &str, random: [u8; 32]) -> String {
        let (private, public) = signed_note::generate_key(&mut Seed(random), origin);
        format!("{private}\n{public}\n")
    }

    /// Reads the text of a key: two lines, the private and the public key.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] for anything else, and for two keys that do not belong together.
    pub fn from_text(text: &str) -> Result<Self, Refusal> {
        let malformed = |why: String| Refusal::Malformed { what: "the key of the log", why };
        let (private, public) =
            text.trim_end().split_once('\n').ok_or_else(|| malformed("it has one line".into()))?;
        let signer = StandardSigner::new(private).map_err(|e| malformed(e.to_string()))?;
        let key = LogKey { signer, public: PublicKey::from_text(public)? };
        let probe = key.sign(0, &tlog_tiles::EMPTY_HASH)?;
        key.public.read(&probe).map_err(|_| malformed("its two keys do not belong together".into()))?;
        Ok(key)
    }

    /// The public key.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs that the tree has this size and root.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] for a name that no checkpoint can have.
    pub fn sign(&self, size: u64, root: &Hash) -> Result<String, Refusal> {
        let malformed = |why: String| Refusal::Malformed { what: "the checkpoint", why };
        let body = Body::new(self.public.name(), size, *root, "").map_err(|e| malformed(e.to_string()))?;
        let mut note = Note::new(&body.to_bytes(), &[]).map_err(|e| malformed(e.to_string()))?;
        note.add_sigs(&[&self.signer]).map_err(|e| malformed(e.to_string()))?;
        String::from_utf8(note.to_bytes()).map_err(|e| malformed(e.to_string()))
    }
}

/// The public key of a log: its name, a hash, and 32 bytes, as `name+hash+base64`.
#[derive(Clone)]
pub struct PublicKey {
    text: String,
    verifier: StandardVerifier,
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({})", self.text)
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// Is the text one of a checkpoint, whoever signed it?
///
/// # Errors
/// [`Refusal::Malformed`] for anything else.
pub fn check_form(text: &str) -> Result<(), Refusal> {
    let malformed = |why: String| Refusal::Malformed { what: "the checkpoint", why };
    let note = Note::from_bytes(text.as_bytes()).map_err(|e| malformed(e.to_string()))?;
    Body::from_bytes(note.text()).map(|_| ()).map_err(|e| malformed(e.to_string()))
}

impl PublicKey {
    /// Reads the text of a public key.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] for anything else.
    pub fn from_text(text: &str) -> Result<Self, Refusal> {
        let text = text.trim();
        match StandardVerifier::new(text) {
            Ok(verifier) => Ok(PublicKey { text: text.to_owned(), verifier }),
            Err(e) => Err(Refusal::Malformed { what: "the public key of a log", why: e.to_string() }),
        }
    }

    /// The name of the log that signs with it.
    pub fn name(&self) -> &str {
        self.verifier.name()
    }

    /// Reads a checkpoint that this key has signed. Signatures of others are left aside.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] for a text that is none; [`Refusal::Unsigned`] without a signature of this key that fits, and
    /// for a checkpoint of another log.
    pub fn read(&self, text: &str) -> Result<Checkpoint, Refusal> {
        let malformed = |why: String| Refusal::Malformed { what: "the checkpoint", why };
        let unsigned = |why: String| Refusal::Unsigned { key: self.name().to_owned(), why };
        let note = Note::from_bytes(text.as_bytes()).map_err(|e| malformed(e.to_string()))?;
        let known = VerifierList::new(vec![Box::new(self.verifier.clone())]);
        let (_, others) = note.verify(&known).map_err(|e| unsigned(e.to_string()))?;
        let body = Body::from_bytes(note.text()).map_err(|e| malformed(e.to_string()))?;
        if body.origin() != self.name() {
            return Err(unsigned(format!("it is a checkpoint of {}", body.origin())));
        }
        Ok(Checkpoint { size: body.size(), root: *body.hash(), others })
    }
}

/// What a checkpoint says.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// How many entries the tree has.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// Signatures of others below it, unchecked.
    pub others: Vec<Signature>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> LogKey {
        LogKey::from_text(&LogKey::generate("quorate/test", [7; 32])).unwrap()
    }

    #[test]
    fn a_signature_by_others_is_believed() {
        // The example in the documentation of golang.org/x/mod/sumdb/note.
        let key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let text = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n\n\
                    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        let key = PublicKey::from_text(key).unwrap();
        // The signature fits; what it is under is no checkpoint.
        assert!(matches!(key.read(text), Err(Refusal::Malformed { .. })), "{:?}", key.read(text));
        let forged = text.replace("answer", "Answer");
        assert!(matches!(key.read(&forged), Err(Refusal::Unsigned { .. })));
    }

    #[test]
    fn the_key_of_rfc_8032_signs_as_it_does_there() {
        // RFC 8032 §7.1, test 1: the private key, and the public key that belongs to it.
        let private = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        let bytes = |hex: &str| -> Vec<u8> {
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
        };
        let key = LogKey::from_text(&LogKey::generate("rfc", bytes(private).try_into().unwrap())).unwrap();
        let text = key.public().to_string();
        let encoded = text.splitn(3, '+').last().unwrap();
        // Base64 of the algorithm, 1, and the public key.
        let hash = Hash::parse_hash(&base64_of(&bytes(public))).unwrap();
        assert_eq!(hash.0.to_vec(), bytes(public));
        assert_eq!(encoded, base64_of(&[&[1][..], &bytes(public)].concat()));
    }

    fn base64_of(bytes: &[u8]) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::new();
        for chunk in bytes.chunks(3) {
            let number =
                chunk.iter().fold(0u32, |n, byte| n << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
            for at in 0..4 {
                let letter = LETTERS[(number >> (18 - 6 * at) & 63) as usize];
                text.push(if at <= chunk.len() { char::from(letter) } else { '=' });
            }
        }
        text
    }

    #[test]
    fn a_checkpoint_is_read_with_its_own_key_alone() {
        let text = key().sign(5, &Hash([9; 32])).unwrap();
        let read = key().public().read(&text).unwrap();
        assert_eq!((read.size, read.root), (5, Hash([9; 32])));
        let other = LogKey::from_text(&LogKey::generate("quorate/test", [8; 32])).unwrap();
        assert!(matches!(other.public().read(&text), Err(Refusal::Unsigned { .. })));
        let renamed = LogKey::from_text(&LogKey::generate("quorate/other", [7; 32])).unwrap();
        assert!(matches!(renamed.public().read(&text), Err(Refusal::Unsigned { .. })));
    }

    #[test]
    fn a_checkpoint_that_names_another_log_is_refused_whoever_signed_it() {
        let body = Body::new("quorate/other", 5, Hash([9; 32]), "").unwrap();
        let mut note = Note::new(&body.to_bytes(), &[]).unwrap();
        note.add_sigs(&[&key().signer]).unwrap();
        let text = String::from_utf8(note.to_bytes()).unwrap();
        let refused = key().public().read(&text).unwrap_err();
        assert!(refused.to_string().contains("quorate/other"), "{refused}");
    }

    #[test]
    fn no_byte_of_a_checkpoint_can_be_changed() {
        let text = key().sign(5, &Hash([9; 32])).unwrap();
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            let read = key().public().read(&changed);
            // The last bits of base64 say nothing, and their change is refused too.
            assert!(read.is_err(), "byte {at}: {changed}");
        }
        assert!(key().public().read("").is_err());
        assert!(LogKey::from_text("").is_err() && PublicKey::from_text("a+b+c").is_err());
        let two = LogKey::generate("a", [1; 32]);
        let (private, _) = two.split_once('\n').unwrap();
        let foreign = LogKey::generate("a", [2; 32]);
        let (_, public) = foreign.split_once('\n').unwrap();
        assert!(LogKey::from_text(&format!("{private}\n{public}")).is_err());
    }
}
