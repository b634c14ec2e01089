//! Where the database is, and how the way to it is kept private.
//!
//! | `sslmode` | what is done |
//! |---|---|
//! | left out | as `verify-full`, except on a unix socket or a loopback address: as `disable` |
//! | `disable` | plain |
//! | `require`, `verify-full` | TLS, and the certificate is checked against `sslrootcert`, or the roots of this machine |

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::super::url::DatabaseUrl;
use crate::Fault;

/// How long a server may take to answer to a knock.
const CONNECT: Duration = Duration::from_secs(5);
/// How long what was sent may go without a sign that it arrived.
const UNHEARD: Duration = Duration::from_secs(10);

/// A database that can be connected to.
#[derive(Clone)]
pub(super) struct Target {
    pub config: Config,
    pub tls: MakeRustlsConnect,
    /// For people: without a password.
    pub shown: String,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Target").field(&self.shown).finish()
    }
}

impl Target {
    /// Reads an address.
    ///
    /// # Errors
    /// [`Fault::Config`] naming what cannot be read, never the password.
    pub fn of(url: &DatabaseUrl) -> Result<Self, Fault> {
        let (address, mode, root) = taken_apart(url.whole());
        let wrong = |knob, value: &str, range: &str| Fault::Config {
            knob,
            value: value.to_owned(),
            range: range.to_owned(),
        };
        let mut config: Config = address.parse().map_err(|e| {
            let what = "postgres://USER:PASSWORD@HOST:PORT/DATABASE, special signs as %XX";
            wrong("store url", &url.to_string(), &format!("{what} ({})", plain(&e)))
        })?;
        if config.get_password().is_none()
            && let Some(password) = std::env::var_os("PGPASSWORD")
        {
            config.password(password.as_encoded_bytes());
        }
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            config.host("/var/run/postgresql");
        }
        config.ssl_mode(match mode.as_deref() {
            None if is_near(&config) => SslMode::Disable,
            None | Some("require" | "verify-full") => SslMode::Require,
            Some("disable") => SslMode::Disable,
            Some(other) => return Err(wrong("sslmode", other, "disable, require or verify-full")),
        });
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        if config.get_application_name().is_none() {
            config.application_name("quorate");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(UNHEARD);
        }
        config.keepalives_idle(UNHEARD).keepalives_interval(UNHEARD / 3).keepalives_retries(3);
        let verified = config.get_ssl_mode() == SslMode::Require;
        Ok(Target {
            tls: MakeRustlsConnect::new(tls(verified, root.as_deref())?),
            config,
            shown: url.to_string(),
        })
    }

    /// The servers, each by itself, in the order of the address.
    pub fn servers(&self) -> Vec<Config> {
        let all = &self.config;
        let count = all.get_hosts().len().max(all.get_hostaddrs().len());
        (0..count).map(|at| alone(all, at)).collect()
    }

    /// The same in this schema, whatever the address says.
    pub fn in_schema(mut self, schema: Option<&str>) -> Self {
        if let Some(schema) = schema {
            let before = self.config.get_options().unwrap_or_default().to_owned();
            let escaped = schema.replace('\\', "\\\\").replace(' ', "\\ ");
            self.config.options(format!("{before} -csearch_path={escaped}"));
            self.shown = format!("{} (schema {schema})", self.shown);
        }
        self
    }
}

/// As `all`, with one of its servers only.
fn alone(all: &Config, at: usize) -> Config {
    let mut one = Config::new();
    match all.get_hosts().get(at) {
        Some(Host::Tcp(name)) => drop(one.host(name)),
        #[cfg(unix)]
        Some(Host::Unix(path)) => drop(one.host_path(path)),
        None => {}
    }
    all.get_hostaddrs().get(at).map(|addr| one.hostaddr(*addr));
    // One port is that of all.
    let port = all.get_ports().get(at).or(all.get_ports().first());
    port.map(|port| one.port(*port));
    all.get_user().map(|user| one.user(user));
    all.get_password().map(|password| one.password(password));
    all.get_dbname().map(|name| one.dbname(name));
    all.get_options().map(|options| one.options(options));
    all.get_application_name().map(|name| one.application_name(name));
    all.get_connect_timeout().map(|limit| one.connect_timeout(*limit));
    all.get_tcp_user_timeout().map(|limit| one.tcp_user_timeout(*limit));
    all.get_keepalives_interval().map(|pause| one.keepalives_interval(pause));
    all.get_keepalives_retries().map(|tries| one.keepalives_retries(tries));
    one.keepalives(all.get_keepalives()).keepalives_idle(all.get_keepalives_idle());
    one.ssl_mode(all.get_ssl_mode()).ssl_negotiation(all.get_ssl_negotiation());
    one.channel_binding(all.get_channel_binding()).target_session_attrs(all.get_target_session_attrs());
    one
}

/// Without what only we read: how TLS is done, and whom it trusts.
fn taken_apart(url: &str) -> (String, Option<String>, Option<String>) {
    let Some((place, query)) = url.rsplit_once('?') else { return (url.to_owned(), None, None) };
    let (mut mode, mut root, mut kept) = (None, None, Vec::new());
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("sslmode", value)) => mode = Some(value.to_owned()),
            Some(("sslrootcert", value)) => root = Some(value.replace("%2F", "/")),
            _ => kept.push(pair),
        }
    }
    (format!("{place}?{}", kept.join("&")), mode, root)
}

/// Nothing between this process and the server can be listened to from outside.
fn is_near(config: &Config) -> bool {
    let near = |host: &Host| match host {
        #[cfg(unix)]
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
    };
    config.get_hosts().iter().all(near) && config.get_hostaddrs().iter().all(|ip| ip.is_loopback())
}

fn tls(used: bool, root: Option<&str>) -> Result<ClientConfig, Fault> {
    let mut roots = RootCertStore::empty();
    if let (true, Some(file)) = (used, root) {
        let unread = |cause: String| Fault::Config {
            knob: "sslrootcert",
            value: file.to_owned(),
            range: format!("a file of certificates as PEM ({cause})"),
        };
        let found = CertificateDer::pem_file_iter(Path::new(file)).map_err(|e| unread(e.to_string()))?;
        for certificate in found {
            let certificate = certificate.map_err(|e| unread(e.to_string()))?;
            roots.add(certificate).map_err(|e| unread(e.to_string()))?;
        }
    } else if used {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder
        .with_safe_default_protocol_versions()
        .map_err(|e| Fault::Unavailable { reason: format!("TLS cannot be used: {e}") })?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// What an error of the client says, down to its cause.
pub(super) fn plain(error: &tokio_postgres::Error) -> String {
    if let Some(db) = error.as_db_error() {
        return format!("{} (SQLSTATE {})", db.message(), db.code().code());
    }
    let mut said = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause {
        let text = deeper.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        cause = deeper.source();
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> Result<SslMode, Fault> {
        Target::of(&DatabaseUrl::of(url).unwrap()).map(|target| target.config.get_ssl_mode())
    }

    #[test]
    fn what_leaves_the_machine_is_encrypted_unless_that_is_switched_off() {
        assert_eq!(mode("postgres://u:p@db.example/q"), Ok(SslMode::Require));
        assert_eq!(mode("postgres://u@db.example/q?sslmode=disable&connect_timeout=3"), Ok(SslMode::Disable));
        assert_eq!(mode("postgres://u@127.0.0.1,[::1]/q"), Ok(SslMode::Disable));
        assert_eq!(mode("postgres://u@%2Frun%2Fpg/q"), Ok(SslMode::Disable));
        assert_eq!(mode("postgres:///q?host=/run/pg&user=u"), Ok(SslMode::Disable));
        assert_eq!(mode("postgres://u@127.0.0.1,db.example/q"), Ok(SslMode::Require));
        assert!(matches!(
            mode("postgres://u@db/q?sslmode=prefer"),
            Err(Fault::Config { knob: "sslmode", .. })
        ));
    }

    #[test]
    fn each_server_of_an_address_has_its_own_port_and_everything_else_of_the_address() {
        let url = "postgres://u:p@a:1,%2Frun%2Fpg:2,c:3/q?options=-csearch_path%3Dj&connect_timeout=2";
        let target = Target::of(&DatabaseUrl::of(url).unwrap()).unwrap();
        let servers = target.servers();
        let place = |one: &Config| (one.get_hosts().to_vec(), one.get_ports().to_vec());
        let places: Vec<_> = servers.iter().map(place).collect();
        let tcp = |name: &str| vec![Host::Tcp(name.to_owned())];
        assert_eq!(
            places,
            [(tcp("a"), vec![1]), (vec![Host::Unix("/run/pg".into())], vec![2]), (tcp("c"), vec![3])]
        );
        // Put together again they are what was read.
        let mut whole = servers[0].clone();
        whole.host_path("/run/pg").port(2).host("c").port(3);
        assert_eq!(whole, target.config);
    }

    #[test]
    fn what_cannot_be_read_is_named_without_the_password() {
        for url in ["postgres://u:s3cret@h:port/q", "postgres://u:s3cret@h/q?nonsense=1"] {
            let said = mode(url).unwrap_err().to_string();
            assert!(said.contains("store url=postgres://u:…@h") && !said.contains("s3cret"), "{said}");
        }
        let said = mode("postgres://u:s3cret@h/q?sslrootcert=/not/there").unwrap_err().to_string();
        assert!(said.contains("sslrootcert=/not/there"), "{said}");
    }
}
