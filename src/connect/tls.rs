//! Whom a program trusts at the other end, and by what it is known there.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::ConnectOptions;
use crate::error::Error;

/// How connections to one server are encrypted.
pub(super) struct Encrypted {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl std::fmt::Debug for Encrypted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encrypted").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Encrypted {
    /// The same connection, encrypted, once the server has proved its name.
    ///
    /// # Errors
    /// When it cannot, or refuses the client.
    pub(super) async fn over(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        self.connector.connect(self.name.clone(), stream).await
    }
}

/// The encryption to the server at this URL.
///
/// # Errors
/// `invalid_argument` for a name that no certificate has, and for files that hold no certificate or key.
pub(super) fn of(url: &str, options: &ConnectOptions) -> Result<Encrypted, Error> {
    let expected =
        || Error::invalid("url", url, "https://HOST:PORT, with the name in the certificate of the server");
    let uri: hyper::Uri = url.parse().map_err(|_| expected())?;
    let host = uri.host().ok_or_else(expected)?.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(host.to_owned()).map_err(|_| expected())?;
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| expected().with("cause", e.to_string()))?
        .with_root_certificates(trusted(options.tls_ca.as_deref())?);
    let config = match (&options.tls_cert, &options.tls_key) {
        (None, None) => builder.with_no_client_auth(),
        (Some(cert), Some(key)) => {
            let private = PrivateKeyDer::from_pem_file(key)
                .map_err(|e| unfit("tls_key", key, "a file with a private key in PEM", e.to_string()))?;
            builder
                .with_client_auth_cert(certificates("tls_cert", cert)?, private)
                .map_err(|e| unfit("tls_key", key, "the private key of the certificate", e.to_string()))?
        }
        (Some(_), None) => return Err(Error::missing("tls_key")),
        (None, Some(_)) => return Err(Error::missing("tls_cert")),
    };
    Ok(Encrypted { connector: TlsConnector::from(Arc::new(config)), name })
}

/// The certificates of a file, or those that the system trusts.
///
/// # Errors
/// `invalid_argument` for a file that holds none.
pub(crate) fn trusted(file: Option<&Path>) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    match file {
        Some(file) => {
            for certificate in certificates("tls_ca", file)? {
                roots
                    .add(certificate)
                    .map_err(|e| unfit("tls_ca", file, "certificates of an authority", e.to_string()))?;
            }
        }
        // Where the system has none that can be read nobody is trusted, and connecting says so.
        None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    Ok(roots)
}

fn certificates(field: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let expected = "a file of certificates in PEM";
    match read {
        Ok(found) if found.is_empty() => Err(unfit(field, file, expected, "there is none in it".into())),
        Ok(found) => Ok(found),
        Err(e) => Err(unfit(field, file, expected, e.to_string())),
    }
}

fn unfit(field: &str, file: &Path, expected: &str, cause: String) -> Error {
    Error::invalid(field, file.display().to_string(), expected).with("cause", cause)
}
