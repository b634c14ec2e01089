//! TLS of the door, and callers who are known by the key of their certificate.
//!
//! ```text
//!  --tls-cert, --tls-key ─► the door proves its name to clients, and encrypts
//!  client certificate ────► TLS proves that the client has its key
//!                           ed25519: the identity that was given this public key    any other: nobody
//! ```
//!
//! A certificate lasts for months at most, so its files are looked at once a second, and read again when they have changed.
//! Until both fit together the former ones go on.
//!
//! Who signed a client's certificate, its names and its dates say nothing here: the key is all that counts, and whether the
//! identity that has it is live. So nobody has to run an authority, and what was revoked ends at once.
//!
//! Sources: RFC 8446 (TLS 1.3), RFC 8410 §4 (an ed25519 key in a certificate), RFC 7250 (keys instead of certificates).

use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::rt::net::TcpStream;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};

use super::server::Options;
use quorate_runtime::error::Error;

/// What stands before the 32 bytes of an ed25519 key in a certificate (RFC 8410 §4).
const ED25519: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// What the door proves its name by.
#[derive(Debug)]
pub(super) struct Proven {
    cert: PathBuf,
    key: PathBuf,
    now: RwLock<Arc<CertifiedKey>>,
    /// How the files looked when they were read last.
    seen: Mutex<Looks>,
}

/// How a file looks, as far as that tells whether it was changed.
type Look = Option<(SystemTime, u64)>;
type Looks = (Look, Look);

impl ResolvesServerCert for Proven {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.now.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Proven {
    fn read(cert: &Path, key: &Path) -> Result<Self, Error> {
        // Looked at first: what changes while it is read is read again.
        let seen = Mutex::new(looks(cert, key));
        let now = RwLock::new(Arc::new(certified(cert, key)?));
        Ok(Proven { cert: cert.to_owned(), key: key.to_owned(), now, seen })
    }

    /// Reads the files again if they have changed. Connections that are there go on as they are.
    ///
    /// # Errors
    /// As [`settings`]; the former certificate goes on.
    pub(super) fn look(&self) -> Result<bool, Error> {
        let looks = looks(&self.cert, &self.key);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == looks {
            return Ok(false);
        }
        *seen = looks;
        let read = Arc::new(certified(&self.cert, &self.key)?);
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = read;
        Ok(true)
    }
}

fn looks(cert: &Path, key: &Path) -> Looks {
    let look = |path: &Path| {
        let meta = std::fs::metadata(path).ok()?;
        Some((meta.modified().ok()?, meta.len()))
    };
    (look(cert), look(key))
}

/// How a door with these options speaks TLS, if it does.
///
/// # Errors
/// `invalid_argument` naming `tls_cert` or `tls_key`: one without the other, a file that cannot be read, or a key that is
/// not that of the certificate.
pub(super) fn settings(options: &Options) -> Result<Option<(ServerConfig, Arc<Proven>)>, Error> {
    let (cert, key) = match (&options.tls_cert, &options.tls_key) {
        (None, None) => return Ok(None),
        (Some(cert), Some(key)) => (cert, key),
        (Some(_), None) => return Err(alone("tls_key")),
        (None, Some(_)) => return Err(alone("tls_cert")),
    };
    let proven = Arc::new(Proven::read(cert, key)?);
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| unfit("tls_cert", cert, "a certificate that TLS takes", e.to_string()))?;
    let builder = builder.with_client_cert_verifier(Arc::new(AnyKey(provider)));
    Ok(Some((builder.with_cert_resolver(proven.clone()), proven)))
}

fn unfit(field: &str, path: &Path, expected: &str, cause: String) -> Error {
    Error::invalid(field, path.display().to_string(), expected).with("cause", cause)
}

/// The certificate and its key, which fit together.
fn certified(cert: &Path, key: &Path) -> Result<CertifiedKey, Error> {
    let certificates = CertificateDer::pem_file_iter(cert).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = match certificates {
        Ok(chain) if chain.is_empty() => Err("there is none in it".to_owned()),
        Ok(chain) => Ok(chain),
        Err(e) => Err(e.to_string()),
    };
    let certificates =
        certificates.map_err(|e| unfit("tls_cert", cert, "a file of certificates in PEM", e))?;
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|e| unfit("tls_key", key, "a file with a private key in PEM", e.to_string()))?;
    CertifiedKey::from_der(certificates, private, &ring::default_provider())
        .map_err(|e| unfit("tls_key", key, "the private key of the certificate", e.to_string()))
}

fn alone(missing: &str) -> Error {
    Error::invalid(missing, serde_json::Value::Null, "a file: a certificate and its key go together")
}

/// The ed25519 key that the client at the other end has, as TLS proved.
pub(super) fn key_of(connection: &dyn Any) -> Option<[u8; 32]> {
    let (_, session) = connection.downcast_ref::<TlsStream<TcpStream>>()?.get_ref();
    let certificate = ParsedCertificate::try_from(session.peer_certificates()?.first()?).ok()?;
    certificate.subject_public_key_info().strip_prefix(&ED25519)?.try_into().ok()
}

/// The socket below a connection, encrypted or not.
pub(super) fn socket_of(connection: &dyn Any) -> Option<&TcpStream> {
    let encrypted = connection.downcast_ref::<TlsStream<TcpStream>>().map(|stream| stream.get_ref().0);
    encrypted.or_else(|| connection.downcast_ref())
}

/// Lets every client certificate pass whose key the client has.
#[derive(Debug)]
struct AnyKey(Arc<CryptoProvider>);

impl ClientCertVerifier for AnyKey {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        client: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        ParsedCertificate::try_from(client).map(|_| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        client: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, client, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        client: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, client, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
