//! The key of a data subject, and what is sealed with it: one line of text that says whose it is.
//!
//! ```text
//!  quorate-sealed:1:<data subject>:<kind>:<field>:<form>:<nonce ‖ ciphertext ‖ tag>
//!  └──────────────────────── head ────────────────────┘     names and bytes in base64url
//! ```
//!
//! The cipher is XChaCha20-Poly1305 under a key derived from the secret. The associated data is the head and the id of the entity, so
//! a sealed text that is put into another field, entity, kind or under another name does not open.
//!
//! The nonce is not random: it is a keyed hash, under a second derived key, of the associated data and the plaintext. The same text
//! in the same place gives the same bytes, so a repeated request or vote is known as a duplicate without opening anything; two
//! different texts share a nonce only if 192 bits of the hash collide. Without the key the hash cannot be computed, so
//! nobody can test a guess against it, and once the key is destroyed nobody ever can. A bare digest of the plaintext could not be used so: a
//! name or an amount is found from it by trying all of them.
//!
//! # Source
//! S. Arciszewski, *XChaCha: eXtended-nonce ChaCha and AEAD_XChaCha20_Poly1305*, draft-irtf-cfrg-xchacha-03. P. Rogaway and
//! T. Shrimpton, *Deterministic Authenticated-Encryption*, EUROCRYPT 2006 (a synthetic initial value).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use chacha20poly1305::{AeadInOut, KeyInit, Tag, XChaCha20Poly1305, XNonce};

use crate::core::kernel::ids::EntityId;
use crate::core::trust::subject::event::KeyId;
use crate::journal::chain::{derived_key, keyed_hash};

/// How every sealed text begins.
pub(crate) const MARK: &str = "quorate-sealed:1:";
const NONCE: usize = 24;
const TAG: usize = 16;
/// Bytes of a key.
pub(super) const SECRET: usize = 32;

/// What was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A JSON value, as text.
    Json,
    /// A text.
    Text,
}

/// Where a sealed text stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SealedPlace<'a> {
    /// The kind of the entity.
    pub(crate) kind: &'a str,
    /// The entity.
    pub(crate) entity: &'a str,
    /// Which of its fields.
    pub(crate) field: &'a str,
}

/// The key of a data subject.
#[derive(Clone)]
pub(crate) struct SubjectKey {
    cipher: XChaCha20Poly1305,
    nonces: [u8; SECRET],
    prints: [u8; SECRET],
    /// What it is known by.
    pub(crate) id: KeyId,
}

impl std::fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SubjectKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl SubjectKey {
    pub(super) fn new(secret: &[u8; SECRET]) -> Self {
        let named = derived_key("quorate 2026 name of the key of a data subject", secret);
        let mut id = [0; 16];
        id.copy_from_slice(&named[..16]);
        SubjectKey {
            cipher: XChaCha20Poly1305::new(
                &derived_key("quorate 2026 sealed data of a data subject", secret).into(),
            ),
            nonces: derived_key("quorate 2026 nonces of the data of a data subject", secret),
            prints: derived_key("quorate 2026 fingerprints of the data of a data subject", secret),
            id: KeyId(id),
        }
    }

    /// Seals a text. None when it is longer than the cipher takes, which is 256 GiB.
    pub(crate) fn seal(
        &self,
        subject: &EntityId,
        place: SealedPlace<'_>,
        form: Form,
        text: &str,
    ) -> Option<String> {
        let head = head(subject, place.kind, place.field, form);
        let beside = beside(&head, place.entity);
        let hash =
            keyed_hash(&self.nonces, &[&(beside.len() as u64).to_le_bytes(), &beside, text.as_bytes()]);
        let mut nonce = [0; NONCE];
        nonce.copy_from_slice(&hash[..NONCE]);
        let mut body = text.as_bytes().to_vec();
        let tag = self
            .cipher
            .encrypt_inout_detached(&XNonce::from(nonce), &beside, body.as_mut_slice().into())
            .ok()?;
        let bytes = [&nonce[..], &body, &tag[..]].concat();
        Some(format!("{head}{}", BASE64.encode(bytes)))
    }

    /// Opens a sealed text. None when it was not sealed with this key, in this place.
    pub(crate) fn open(&self, sealed: &Sealed<'_>, entity: &str) -> Option<String> {
        let bytes = BASE64.decode(sealed.body).ok()?;
        let (nonce, rest) = bytes.split_first_chunk::<NONCE>()?;
        let (body, tag) = rest.split_last_chunk::<TAG>()?;
        let mut body = body.to_vec();
        let beside = beside(sealed.head, entity);
        self.cipher
            .decrypt_inout_detached(
                &XNonce::from(*nonce),
                &beside,
                body.as_mut_slice().into(),
                &Tag::from(*tag),
            )
            .ok()?;
        String::from_utf8(body).ok()
    }

    /// By what a text is known again without the text: equal for equal texts of the same field, and nothing to anybody without the key.
    pub(crate) fn fingerprint(&self, field: &str, text: &str) -> String {
        let hash = keyed_hash(
            &self.prints,
            &[&(field.len() as u64).to_le_bytes(), field.as_bytes(), text.as_bytes()],
        );
        BASE64.encode(hash)
    }
}

fn head(subject: &EntityId, kind: &str, field: &str, form: Form) -> String {
    let form = match form {
        Form::Json => "json",
        Form::Text => "text",
    };
    let (subject, field) = (BASE64.encode(subject.as_str()), BASE64.encode(field));
    format!("{MARK}{subject}:{kind}:{field}:{form}:")
}

fn beside(head: &str, entity: &str) -> Vec<u8> {
    [head.as_bytes(), b"\0", entity.as_bytes()].concat()
}

/// How every sealed text of a data subject begins.
pub(crate) fn mark_of(subject: &EntityId) -> String {
    format!("{MARK}{}:", BASE64.encode(subject.as_str()))
}

/// The marks of the data subjects whose sealed texts stand in these bytes.
pub(crate) fn marks_in(bytes: &[u8]) -> Vec<&str> {
    let mut marks = Vec::new();
    let mut rest = bytes;
    while let Some(at) = find(rest, MARK.as_bytes()) {
        rest = &rest[at..];
        let name = rest[MARK.len()..].iter().position(|byte| *byte == b':');
        if let Some(mark) = name.and_then(|end| std::str::from_utf8(&rest[..=MARK.len() + end]).ok()) {
            marks.push(mark);
        }
        rest = &rest[MARK.len()..];
    }
    marks
}

/// Where these bytes first stand.
pub(crate) fn find(bytes: &[u8], sought: &[u8]) -> Option<usize> {
    let first = *sought.first()?;
    let mut from = 0;
    while let Some(at) = bytes.get(from..)?.iter().position(|byte| *byte == first) {
        if bytes[from + at..].starts_with(sought) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

/// A sealed text, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sealed<'t> {
    head: &'t str,
    body: &'t str,
    /// Whose data it is.
    pub(crate) subject: EntityId,
    /// The kind of the entity it was sealed for.
    pub(crate) kind: &'t str,
    /// What was sealed.
    pub(crate) form: Form,
}

impl<'t> Sealed<'t> {
    /// Takes a text apart; none when it is no sealed one.
    pub(crate) fn parse(text: &'t str) -> Option<Self> {
        let mut parts = text.strip_prefix(MARK)?.split(':');
        let subject = parts.next()?;
        let (kind, _field) = (parts.next()?, parts.next()?);
        let form = match parts.next()? {
            "json" => Form::Json,
            "text" => Form::Text,
            _ => return None,
        };
        let body = parts.next()?;
        if parts.next().is_some() {
            return None;
        }
        let subject = String::from_utf8(BASE64.decode(subject).ok()?).ok()?;
        let subject = EntityId::stored(subject).ok()?;
        Some(Sealed { head: &text[..text.len() - body.len()], body, subject, kind, form })
    }
}

#[cfg(test)]
#[path = "seal_test.rs"]
mod tests;
