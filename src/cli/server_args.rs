//! The flags that say how a server is reached, and who calls.

use clap::Arg;

use super::args::path;

/// The id of the flag that says who calls.
pub(super) const TOKEN: &str = "token";
/// The id of the flag that names a file that says so.
pub(super) const TOKEN_FILE: &str = "token-file";

/// The id of the flag that names who vouches for a server.
pub(super) const TLS_CA: &str = "tls-ca";
/// The id of the flag that names the certificate of the one who asks.
pub(super) const TLS_CERT: &str = "tls-cert";
/// The id of the flag that names its key.
pub(super) const TLS_KEY: &str = "tls-key";

/// The flags that say how a server is reached, and who calls.
pub(super) fn server_args() -> [Arg; 5] {
    let token = Arg::new(TOKEN)
        .long("token")
        .value_name("TOKEN")
        .conflicts_with("data")
        .help("The token of an identity, for a server that asks who calls; QUORATE_TOKEN says the same")
        .help_heading("Where");
    let file =
        path(TOKEN_FILE, "FILE", "A file with that token").conflicts_with(TOKEN).conflicts_with("data");
    let file_of = |name, help| path(name, "FILE", help).conflicts_with("data").help_heading("Where");
    let ca = file_of(
        TLS_CA,
        "Trust servers that these certificates in PEM vouch for; QUORATE_TLS_CA says the same",
    );
    let cert = file_of(TLS_CERT, "Say who calls by this certificate; QUORATE_TLS_CERT says the same");
    let key = file_of(TLS_KEY, "The private key of that certificate; QUORATE_TLS_KEY says the same");
    [token, file.help_heading("Where"), ca, cert, key]
}
