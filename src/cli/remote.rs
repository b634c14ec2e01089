//! An operation on a running server: the request goes out as the HTTP door reads it, the answer comes back as the
//! operation gave it.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ArgMatches;
use serde_json::{Map, Value, json};
use ureq::config::ConfigBuilder;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};
use ureq::typestate::AgentScope;
#[cfg(unix)]
use ureq::unversioned::resolver::DefaultResolver;
use ureq::{Agent, RequestBuilder};

use super::server_args::{TLS_CA, TLS_CERT, TLS_KEY, TOKEN, TOKEN_FILE};
#[cfg(unix)]
use super::socket::OwnerConnector;
use quorate_runtime::api::ops::{Method, OPERATIONS, Operation};
use quorate_runtime::api::wire::{self, WireRequest};
use quorate_runtime::error::{Error, ErrorKind};

/// The variable of the environment that holds a token: other users cannot read it, as they can a command line.
const TOKEN_VARIABLE: &str = "QUORATE_TOKEN";
/// How long a server may take to answer: the longest wait for a quorum, and some.
const PATIENCE: Duration = Duration::from_secs(330);
/// How long a server may take to begin to tell events.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// Largest answer read, in bytes.
const MAX_ANSWER: u64 = 256 << 20;

/// Where a server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Server {
    /// At this URL, with what proves to it who calls.
    Url(String, Option<Token>, Tls),
    /// At the socket in this data folder, which it has opened; with what proves who calls, where another than the owner
    /// of the folder is meant.
    #[cfg(unix)]
    Owner(PathBuf, Option<Token>),
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Server::Url(url, ..) => write!(f, "url={url}"),
            #[cfg(unix)]
            Server::Owner(folder, _) => write!(f, "data={}", folder.display()),
        }
    }
}

/// The token of an identity.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// The token of the flag, of a file, or of the environment, if one is said.
    ///
    /// # Errors
    /// `invalid_argument` for a file that cannot be read, and for what is no token.
    pub(super) fn said(matches: &ArgMatches) -> Result<Option<Self>, Error> {
        let token = match (matches.get_one::<String>(TOKEN), matches.get_one::<PathBuf>(TOKEN_FILE)) {
            (Some(token), _) => Some(token.clone()),
            (None, Some(file)) => Some(std::fs::read_to_string(file).map_err(|e| {
                let file = file.display().to_string();
                Error::invalid(TOKEN_FILE, file, "a file that can be read").with("cause", e.to_string())
            })?),
            (None, None) => std::env::var(TOKEN_VARIABLE).ok(),
        };
        let token = token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty());
        match token {
            Some(token) if !token.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Err(Error::invalid(TOKEN, "hidden", "the token of an identity, as it was told"))
            }
            token => Ok(token.map(Token)),
        }
    }

    /// The token itself.
    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

impl Server {
    /// The server at a URL; the token is that of the flag, of a file, or of the environment.
    ///
    /// # Errors
    /// `invalid_argument` for a file that cannot be read, and for what is no token.
    pub(super) fn at(url: &str, matches: &ArgMatches) -> Result<Self, Error> {
        Ok(Server::Url(url.to_owned(), Token::said(matches)?, Tls::of(matches)))
    }

    /// The same request, saying who calls. The owner of a folder knows by the socket.
    fn known<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        match self {
            Server::Url(_, Some(Token(token)), _) => {
                request.header("Authorization", format!("Bearer {token}"))
            }
            Server::Url(_, None, _) => request,
            #[cfg(unix)]
            Server::Owner(_, Some(Token(token))) => {
                request.header("Authorization", format!("Bearer {token}"))
            }
            #[cfg(unix)]
            Server::Owner(_, None) => request,
        }
    }

    /// The URL without its last slash.
    fn base(&self) -> Result<&str, Error> {
        match self {
            Server::Url(url, ..) => {
                let base = url.trim_end_matches('/');
                if !base.starts_with("http://") && !base.starts_with("https://") {
                    return Err(Error::invalid("url", url.as_str(), "http://HOST:PORT or https://HOST:PORT"));
                }
                if let Some(door) = ["/api/v1", "/api", "/mcp"].into_iter().find(|door| base.ends_with(door))
                {
                    let expected =
                        format!("the URL of the server alone, without {door}: a command adds that itself");
                    return Err(Error::invalid("url", url.as_str(), &expected));
                }
                Ok(base)
            }
            // The name that the server has for itself; the socket is taken whatever it is.
            #[cfg(unix)]
            Server::Owner(..) => Ok("http://localhost"),
        }
    }

    fn agent(&self, config: ConfigBuilder<AgentScope>) -> Result<Agent, Error> {
        Ok(match self {
            Server::Url(_, _, tls) => Agent::new_with_config(config.tls_config(tls.settings()?).build()),
            #[cfg(unix)]
            Server::Owner(folder, _) => {
                let config = config.proxy(None).build();
                Agent::with_parts(config, OwnerConnector(folder.clone()), DefaultResolver::default())
            }
        })
    }
}

/// Whom to trust, and by what to be known, where a server speaks TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tls {
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
}

impl Tls {
    /// The files that the flags name, or else the environment.
    fn of(matches: &ArgMatches) -> Self {
        let file = |flag: &str, variable: &str| {
            let outside = || std::env::var_os(variable).filter(|file| !file.is_empty()).map(PathBuf::from);
            matches.get_one::<PathBuf>(flag).cloned().or_else(outside)
        };
        Tls {
            ca: file(TLS_CA, "QUORATE_TLS_CA"),
            cert: file(TLS_CERT, "QUORATE_TLS_CERT"),
            key: file(TLS_KEY, "QUORATE_TLS_KEY"),
        }
    }

    fn settings(&self) -> Result<TlsConfig, Error> {
        let mut settings = TlsConfig::builder();
        if let Some(ca) = &self.ca {
            settings = settings.root_certs(RootCerts::new_with_certs(&certificates(TLS_CA, ca)?));
        }
        let pair = match (&self.cert, &self.key) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some((certificates(TLS_CERT, cert)?, key)),
            (Some(_), None) => {
                return Err(Error::invalid(TLS_KEY, Value::Null, "the key of the certificate"));
            }
            (None, Some(_)) => {
                return Err(Error::invalid(TLS_CERT, Value::Null, "the certificate of the key"));
            }
        };
        if let Some((chain, key)) = pair {
            let private = PrivateKey::from_pem(&pem(TLS_KEY, key)?)
                .map_err(|e| not_pem(TLS_KEY, key, "a file with a private key in PEM", &e.to_string()))?;
            settings = settings.client_cert(Some(ClientCert::new_with_certs(&chain, private)));
        }
        Ok(settings.build())
    }
}

fn pem(flag: &str, file: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(file).map_err(|e| not_pem(flag, file, "a file that can be read", &e.to_string()))
}

fn not_pem(flag: &str, file: &Path, expected: &str, cause: &str) -> Error {
    Error::invalid(flag, file.display().to_string(), expected).with("cause", cause)
}

fn certificates(flag: &str, file: &Path) -> Result<Vec<Certificate<'static>>, Error> {
    let expected = "a file of certificates in PEM";
    let text = pem(flag, file)?;
    let items = parse_pem(&text).collect::<Result<Vec<_>, _>>();
    let items = items.map_err(|e| not_pem(flag, file, expected, &e.to_string()))?;
    let of_item = |item| match item {
        PemItem::Certificate(certificate) => Some(certificate),
        _ => None,
    };
    let found: Vec<_> = items.into_iter().filter_map(of_item).collect();
    if found.is_empty() {
        return Err(not_pem(flag, file, expected, "there is none in it"));
    }
    Ok(found)
}

/// The detail of an error after which a request may be sent again: no server has heard it, or it only asks.
pub(super) const UNHEARD: &str = "unheard";

/// How long what waits for nothing may take.
const ANSWER_PATIENCE: Duration = Duration::from_secs(60);
/// How long a server may take to say that it is there.
const SIGN_PATIENCE: Duration = Duration::from_secs(3);

/// Does the server answer, and not only its socket?
pub(super) fn answers(server: &Server) -> bool {
    let asked = server.base().and_then(|base| {
        let config = Agent::config_builder().timeout_global(Some(SIGN_PATIENCE)).http_status_as_error(false);
        Ok((server.agent(config)?, format!("{base}/healthz")))
    });
    asked.is_ok_and(|(agent, target)| agent.get(&target).call().is_ok())
}

/// Calls the operation at a server.
///
/// # Errors
/// What the server answers; `invalid_argument` for a URL that is none; `no_answer` when there is no server or it
/// does not speak this protocol; `outcome_unknown` when the request may have been carried out and no answer came.
pub(super) fn call(server: &Server, op: &Operation, fields: Map<String, Value>) -> Result<Value, Error> {
    // What reads or prunes a whole journal takes its time.
    let is_long =
        (op.waits)(&fields) || ["history.", "retention."].iter().any(|noun| op.name.starts_with(noun));
    let patience = if is_long { PATIENCE } else { ANSWER_PATIENCE };
    let request = WireRequest::of(op, fields);
    let target = format!("{}{}", server.base()?, request.target);
    let config = Agent::config_builder().timeout_global(Some(patience)).http_status_as_error(false);
    let agent = server.agent(config)?;
    let sent = match request.body {
        None => server.known(agent.get(&target)).call(),
        Some(body) => server.known(agent.post(&target)).send_json(body),
    };
    let unanswered = |e: &ureq::Error| {
        let unheard = op.method == Method::Get || never_sent(e);
        let kind = if unheard { ErrorKind::NoAnswer } else { ErrorKind::OutcomeUnknown };
        let error = Error::new(kind, format!("no answer from the server. {server}, cause={e}"));
        let error = match about_tls(server, e) {
            Some(next) => error.advising(next),
            None => error,
        };
        if unheard { error.with(UNHEARD, true) } else { error }
    };
    let mut answer = sent.map_err(|e| unanswered(&e))?;
    let body: Value =
        answer.body_mut().with_config().limit(MAX_ANSWER).read_json().map_err(|e| match &e {
            ureq::Error::Json(json) if !json.is_io() && !json.is_eof() => foreign(server, &e.to_string()),
            e => unanswered(e),
        })?;
    wire::answer(op, body).unwrap_or_else(|| Err(foreign(server, answer.status().as_str())))
}

/// The operations that whoever calls could ask this server for: those whose tools its MCP door shows. A server without
/// that door does not say it, and refuses what may not be asked when it is asked.
///
/// # Errors
/// What the server answers; `no_answer` when there is none.
pub(super) fn covered(server: &Server) -> Result<BTreeSet<&'static str>, Error> {
    let base = server.base()?;
    let config = Agent::config_builder().timeout_global(Some(CONNECT_PATIENCE)).http_status_as_error(false);
    let request = server.agent(config)?.post(format!("{base}/mcp?tools=all"));
    let request = server.known(request).header("Accept", "application/json, text/event-stream");
    let answer = request.send_json(json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }));
    let mut answer = answer.map_err(|e| {
        Error::new(ErrorKind::NoAnswer, format!("no answer from the server. {server}, cause={e}"))
            .with(UNHEARD, true)
    })?;
    if answer.status() == ureq::http::StatusCode::NOT_FOUND {
        return Ok(OPERATIONS.iter().map(|op| op.name).collect());
    }
    let body: Value = answer
        .body_mut()
        .with_config()
        .limit(MAX_ANSWER)
        .read_json()
        .map_err(|e| foreign(server, &e.to_string()))?;
    if let Some(error) = body["error"].as_object() {
        return Err(wire::error_of(error.clone()));
    }
    let tools =
        body["result"]["tools"].as_array().ok_or_else(|| foreign(server, answer.status().as_str()))?;
    let name = |tool: &Value| quorate_mcp::operation(tool["name"].as_str()?).map(|op| op.name);
    Ok(tools.iter().filter_map(name).collect())
}

/// Follows the events at a server that fit the filters in `fields`.
///
/// # Errors
/// What the server answers; `invalid_argument` for a URL that is none; `no_answer` when there is no server or it does
/// not speak this protocol.
pub(super) fn follow(
    server: &Server,
    op: &Operation,
    fields: Map<String, Value>,
) -> Result<impl Read + use<>, Error> {
    let base = server.base()?;
    let config = Agent::config_builder()
        .timeout_connect(Some(CONNECT_PATIENCE))
        .timeout_recv_response(Some(CONNECT_PATIENCE))
        .http_status_as_error(false);
    let agent = server.agent(config)?;
    let answer = server.known(agent.get(format!("{base}/api/v1/events{}", wire::query(&fields)))).call();
    let mut answer = answer.map_err(|e| {
        Error::new(ErrorKind::NoAnswer, format!("no answer from the server. {server}, cause={e}"))
    })?;
    if answer.status().is_success() {
        return Ok(answer.into_body().into_reader());
    }
    let body = answer.body_mut().read_json().map_err(|e| foreign(server, &e.to_string()))?;
    Err(match wire::answer(op, body) {
        Some(Err(error)) => error,
        Some(Ok(_)) | None => foreign(server, answer.status().as_str()),
    })
}

/// What to do where the two ends do not agree about TLS.
fn about_tls(server: &Server, error: &ureq::Error) -> Option<&'static str> {
    let url = match server {
        Server::Url(url, ..) => url,
        #[cfg(unix)]
        Server::Owner(..) => return None,
    };
    if url.starts_with("https://") {
        let said = error.to_string();
        return match said {
            said if said.contains("CaUsedAsEndEntity") => Some(
                "the server shows the certificate of an authority as its own; let it show one that the authority signed, or a \
                 self-signed one made with basicConstraints=CA:FALSE",
            ),
            said if said.contains("UnknownIssuer") => Some(
                "name the certificate of the authority, or of the server where it signed its own, with --tls-ca FILE",
            ),
            _ => None,
        };
    }
    // A server that speaks TLS answers in its own way, or hangs up.
    let answered = matches!(error, ureq::Error::Protocol(_) | ureq::Error::Http(_) | ureq::Error::Io(_));
    (answered && !never_sent(error)).then_some("perhaps the server speaks TLS: try https:// in --url")
}

/// Did the request certainly not reach a server? Whatever else went wrong, it may have been carried out.
fn never_sent(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed | ureq::Error::BadUri(_) => true,
        ureq::Error::Timeout(at) => matches!(at, ureq::Timeout::Resolve | ureq::Timeout::Connect),
        ureq::Error::Io(e) => e.kind() == std::io::ErrorKind::ConnectionRefused,
        _ => false,
    }
}

fn foreign(server: &Server, what: &str) -> Error {
    let message = format!("the answer is not that of a Quorate server. {server}, answer={what}");
    Error::new(ErrorKind::NoAnswer, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_ends_do_not_agree_about_tls_it_is_said_what_to_do() {
        let at = |url: &str| Server::Url(url.to_owned(), None, Tls::default());
        let io = |text: &str| ureq::Error::Io(std::io::Error::other(text.to_owned()));
        let told = |url, text| about_tls(&at(url), &io(text));
        let own = told("https://h", "invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))");
        assert!(own.unwrap().contains("basicConstraints=CA:FALSE"));
        assert!(told("https://h", "invalid peer certificate: UnknownIssuer").unwrap().contains("--tls-ca"));
        assert_eq!(told("https://h", "connection reset"), None);
        assert!(told("http://h", "connection reset").unwrap().contains("https://"));
        let refused = ureq::Error::Io(std::io::ErrorKind::ConnectionRefused.into());
        assert_eq!(about_tls(&at("http://h"), &refused), None);
    }

    #[test]
    fn the_path_of_a_door_does_not_belong_into_the_url() {
        for (url, taken) in
            [("http://h:1", true), ("https://h/quorate/", true), ("http://h:1/api/v1/", false), ("h", false)]
        {
            assert_eq!(Server::Url(url.to_owned(), None, Tls::default()).base().is_ok(), taken, "{url}");
        }
    }
}
