//! Cosignatures: what a witness says of a checkpoint that it saw, and when.
//!
//! ```text
//!  cosignature/v1             ┐
//!  time 1679315147            │ signed (ed25519) by the witness
//!  the text of the checkpoint ┘
//!
//!  — witness.example.com/w1 base64(key id (4) ‖ time (8) ‖ signature (64))
//! ```
//!
//! A witness signs a checkpoint only when the tree goes on from the last one of this log that it signed. So two histories
//! that are shown to two people cannot both carry the cosignature of an honest witness.
//!
//! # Source
//! C2SP `tlog-cosignature` and `signed-note`; RFC 8032 for ed25519.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use signed_note::{Note, Signature, StandardVerifier, Verifier, is_key_name_valid, key_id};

use super::Refusal;
use super::checkpoint::{Checkpoint, PublicKey};

/// What stands before the 32 bytes of a key that signs so.
const TIMESTAMPED_ED25519: u8 = 4;
/// What stands before the 32 bytes of a key that signs plainly.
const ED25519: u8 = 1;
/// Bytes of the time before a signature.
const TIME: usize = 8;

/// The public key of a witness: its name, a hash, and 33 bytes, as `name+hash+base64`.
#[derive(Clone)]
pub struct WitnessKey {
    text: String,
    name: String,
    id: u32,
    plain: StandardVerifier,
}

impl std::fmt::Debug for WitnessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WitnessKey({})", self.text)
    }
}

impl std::fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// That a witness saw a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosignature {
    /// The name of the witness.
    pub witness: String,
    /// When it signed, in seconds since 1970, by its own clock.
    pub time: u64,
    /// The line as it stands below the checkpoint, without its end.
    pub line: String,
}

impl WitnessKey {
    /// Reads the text of a public key.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] for anything else, and for a key that does not sign with a time.
    pub fn from_text(text: &str) -> Result<Self, Refusal> {
        let text = text.trim();
        let malformed =
            |why: &str| Refusal::Malformed { what: "the public key of a witness", why: why.into() };
        let parts: Vec<&str> = text.splitn(3, '+').collect();
        let [name, hash, key] = parts[..] else { return Err(malformed("it is not name+hash+key")) };
        let key = BASE64.decode(key).map_err(|e| malformed(&e.to_string()))?;
        let id = u32::from_str_radix(hash, 16).ok().filter(|_| hash.len() == 8);
        let id = id.ok_or_else(|| malformed("its hash is not eight hexadecimal digits"))?;
        if !is_key_name_valid(name) || id != key_id(name, &key) {
            return Err(malformed("its hash is not that of its name and key"));
        }
        let Some((&TIMESTAMPED_ED25519, public)) = key.split_first() else {
            return Err(malformed("it is not the key of a witness: its first byte is not 4"));
        };
        // The signature is a plain one over more text.
        let plain = [&[ED25519], public].concat();
        let plain = format!("{name}+{:08x}+{}", key_id(name, &plain), BASE64.encode(&plain));
        let plain = StandardVerifier::new(&plain).map_err(|e| malformed(&e.to_string()))?;
        Ok(WitnessKey { text: text.to_owned(), name: name.to_owned(), id, plain })
    }

    /// The name of the witness.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn check(&self, text: &[u8], signature: &Signature) -> Option<Cosignature> {
        let (time, signed) = signature.signature().split_first_chunk::<TIME>()?;
        let time = u64::from_be_bytes(*time);
        let message = [format!("cosignature/v1\ntime {time}\n").as_bytes(), text].concat();
        // A time of 2^63 and above is none, by the specification.
        let holds = i64::try_from(time).is_ok() && self.plain.verify(&message, signed);
        let line = String::from_utf8(signature.to_bytes()).ok()?.trim_end().to_owned();
        holds.then(|| Cosignature { witness: self.name.clone(), time, line })
    }

    /// The cosignature of this witness below a checkpoint of the log with this key, and what the checkpoint says. Signatures
    /// of others are left aside.
    ///
    /// # Errors
    /// As [`PublicKey::read`]; [`Refusal::Unsigned`] without a cosignature of this witness that fits.
    pub fn read(&self, log: &PublicKey, text: &str) -> Result<(Checkpoint, Cosignature), Refusal> {
        let checkpoint = log.read(text)?;
        Ok((checkpoint, self.find(text)?))
    }

    /// The cosignature of this witness below a note.
    fn find(&self, text: &str) -> Result<Cosignature, Refusal> {
        let unsigned = |why: &str| Refusal::Unsigned { key: self.name.clone(), why: why.into() };
        let malformed = |why: String| Refusal::Malformed { what: "the checkpoint", why };
        let note = Note::from_bytes(text.as_bytes()).map_err(|e| malformed(e.to_string()))?;
        // The note hands out signatures only as whole lines.
        let (_, lines) = text.rsplit_once("\n\n").unwrap_or_default();
        let mut found = None;
        for line in lines.lines() {
            let read = Signature::from_bytes(line.as_bytes()).map_err(|e| malformed(e.to_string()))?;
            if (read.name(), read.id()) == (self.name.as_str(), self.id) {
                let checked = self.check(note.text(), &read);
                found = Some(checked.ok_or_else(|| unsigned("its cosignature does not fit"))?);
            }
        }
        found.ok_or_else(|| unsigned("it did not cosign"))
    }
}

/// The same checkpoint with these cosignatures below its signatures, each witness once.
///
/// # Errors
/// [`Refusal::Malformed`] for a text that is no checkpoint.
pub fn with_cosignatures(checkpoint: &str, cosignatures: &[Cosignature]) -> Result<String, Refusal> {
    let malformed = || Refusal::Malformed { what: "the checkpoint", why: "it has no signatures".into() };
    let (body, lines) = checkpoint.rsplit_once("\n\n").ok_or_else(malformed)?;
    let others = cosignatures.iter().map(|cosignature| cosignature.line.as_str());
    let mut all: Vec<&str> = Vec::new();
    for line in lines.lines().chain(others) {
        if !all.contains(&line) {
            all.push(line);
        }
    }
    Ok(format!("{body}\n\n{}\n", all.join("\n")))
}

#[cfg(test)]
#[path = "cosignature_test.rs"]
mod tests;
