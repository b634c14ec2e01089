//! The secret of a hook as text, and the signature of a request.
//!
//! # Source
//! Standard Webhooks 1.0.0: the text of a secret, and the symmetric signature `v1`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::core::trust::hook::{SECRET_BYTES, Secret};
use crate::error::Error;

/// How the text of a secret begins.
const PREFIX: &str = "whsec_";

/// The secret of a text.
///
/// # Errors
/// `invalid_argument` for another text, which is not repeated.
pub(super) fn read(text: &str) -> Result<Secret, Error> {
    let read = text.strip_prefix(PREFIX).and_then(|base64| STANDARD.decode(base64).ok());
    let fits = read.filter(|bytes| SECRET_BYTES.contains(&bytes.len()));
    fits.map(Secret).ok_or_else(|| {
        let (least, most) = (SECRET_BYTES.start(), SECRET_BYTES.end());
        Error::invalid("secret", "hidden", &format!("{PREFIX} and {least} to {most} bytes in base64"))
    })
}

/// The text of a secret.
pub(super) fn text(secret: &Secret) -> String {
    format!("{PREFIX}{}", STANDARD.encode(&secret.0))
}

/// What is told beside a body: by whom, that it is new, and that nobody changed it.
#[cfg(feature = "hooks")]
pub(super) fn signature(secret: &Secret, id: &str, timestamp: i64, body: &[u8]) -> String {
    use hmac::{Hmac, KeyInit, Mac};

    let mut mac = match Hmac::<sha2::Sha256>::new_from_slice(&secret.0) {
        Ok(mac) => mac,
        Err(e) => unreachable!("HMAC takes keys of any length: {e}"),
    };
    for part in [id.as_bytes(), b".", timestamp.to_string().as_bytes(), b".", body] {
        mac.update(part);
    }
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification, which its libraries in other languages are tested with too.
    const SPECIFIED: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[cfg(feature = "hooks")]
    #[test]
    fn a_signature_is_that_of_the_example_in_the_specification() {
        let secret = read(SPECIFIED).unwrap();
        let signed =
            signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    /// RFC 4231, test cases 1, 2 and 6: a short key, a short text, and a key that is longer than a block.
    #[cfg(feature = "hooks")]
    #[test]
    fn the_primitive_is_that_of_the_published_vectors() {
        use hmac::{Hmac, KeyInit, Mac};
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let sign = |key: &[u8], data: &[u8]| {
            let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key).unwrap();
            mac.update(data);
            hex(&mac.finalize().into_bytes())
        };
        assert_eq!(
            sign(&[0x0b; 20], b"Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
        assert_eq!(
            sign(b"Jefe", b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            sign(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn a_secret_is_read_as_it_is_written_and_others_are_refused_unseen() {
        assert_eq!(text(&read(SPECIFIED).unwrap()), SPECIFIED);
        let short = format!("whsec_{}", STANDARD.encode([7; 23]));
        let long = format!("whsec_{}", STANDARD.encode([7; 65]));
        for wrong in ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_*", &short, &long] {
            let refused = read(wrong).unwrap_err();
            assert_eq!(refused.detail("field").unwrap(), "secret");
            assert!(wrong.len() < 10 || !refused.to_json().to_string().contains(&wrong[6..]), "{refused}");
        }
        for bytes in [24, 64] {
            assert!(read(&format!("whsec_{}", STANDARD.encode(vec![7; bytes]))).is_ok());
        }
    }
}
