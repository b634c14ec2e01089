//! A server that encrypts, and callers who are known by the key of a certificate.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519,
};
use serde_json::Value;
use tempfile::TempDir;

use super::server::signal;
use super::{Ran, quorate, run, text};

/// A folder with the certificates of an authority, a server and clients beside the data.
pub struct Place {
    folder: TempDir,
}

impl Place {
    pub fn new() -> Self {
        let place = Place { folder: TempDir::new().unwrap() };
        let authority_key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "an authority of the tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        place.write("ca.pem", &params.self_signed(&authority_key).unwrap().pem());
        let authority = Issuer::new(params, authority_key);
        let key = KeyPair::generate().unwrap();
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let server = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
        place.write("server.pem", &server.pem());
        place.write("server.key", &key.serialize_pem());
        place
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.file(name), content).unwrap();
    }

    /// A key with a certificate that it signed itself; returns its public half as people write it.
    pub fn client(&self, name: &str, key: &KeyPair) -> String {
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(key).unwrap();
        self.write(&format!("{name}.pem"), &certificate.pem());
        self.write(&format!("{name}.key"), &key.serialize_pem());
        key.public_key_raw().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub fn data(&self) -> PathBuf {
        self.file("data")
    }

    pub fn serve(&self, listen: &str) -> (Child, String) {
        let (data, cert, key) = (self.data(), self.file("server.pem"), self.file("server.key"));
        let at = ["serve", "--data", text(&data), "--listen", listen];
        let mut server = quorate(&[&at[..], &["--tls-cert", text(&cert), "--tls-key", text(&key)]].concat())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").expect(&line).to_owned();
        (server, url)
    }

    /// A command that trusts the authority, and says who calls by this certificate.
    fn ask(&self, args: &[&str], url: &str, who: Option<&str>) -> Ran {
        let mut command = quorate(args);
        command.args(["--url", url, "--json", "--tls-ca"]).arg(self.file("ca.pem"));
        if let Some(who) = who {
            command.arg("--tls-cert").arg(self.file(&format!("{who}.pem")));
            command.env("QUORATE_TLS_KEY", self.file(&format!("{who}.key")));
        }
        Ran(command.output().unwrap())
    }
}

pub fn ed25519() -> KeyPair {
    KeyPair::generate_for(&PKCS_ED25519).unwrap()
}

fn end(mut server: Child) {
    signal(&server, "-TERM");
    assert!(server.wait().unwrap().success());
}

#[test]
fn a_server_with_a_certificate_speaks_tls_alone_and_only_to_those_who_trust_it() {
    let place = Place::new();
    let (server, url) = place.serve("127.0.0.1:0");
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    let start = ["quorum", "start", "--quorum-type", "global", "--quorum-id", "q"];
    assert_eq!(place.ask(&start, &url, None).ok().json()["quorum_id"], "q");
    // Nobody vouches for it among those whom everybody trusts.
    let untrusted = run(&["quorum", "status", "--quorum-id", "q", "--url", &url, "--json"]);
    assert_eq!((untrusted.code(), &untrusted.json()["error"]["kind"]), (43, &"no_answer".into()));
    assert!(untrusted.out().contains("certificate"), "{}", untrusted.out());
    assert!(
        untrusted.json()["error"]["next"].as_str().unwrap().contains("--tls-ca FILE"),
        "{}",
        untrusted.out()
    );
    // Nor is anything told in the clear.
    let clear = url.replace("https://", "http://");
    let told = run(&["quorum", "status", "--quorum-id", "q", "--url", &clear, "--json"]);
    assert_ne!(told.code(), 0);
    assert!(told.json()["error"]["next"].as_str().unwrap().contains("try https://"), "{}", told.out());
    // Programs that are not ours agree.
    match Command::new("curl")
        .args(["-sS", "--fail", "--cacert"])
        .arg(place.file("ca.pem"))
        .arg(format!("{url}/healthz"))
        .output()
    {
        Ok(out) => assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr)),
        Err(_) => eprintln!("!!! curl is not here: TLS was not tried with a program that is not ours"),
    }
    end(server);
}

#[test]
fn whoever_has_the_key_of_an_identity_is_it_until_that_is_revoked() {
    let place = Place::new();
    let ann = place.client("ann", &ed25519());
    place.client("eve", &ed25519());
    place.client("old", &KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap());
    let data = place.data();
    let identity =
        |args: &[&str]| run(&[&["identity"], args, &["--data", text(&data), "--json"]].concat()).ok().json();
    identity(&["create", "--name", "root", "--scopes", "admin"]);
    let scopes = ["--scopes", "quorum.*", "--acts-as", "voter:ann", "--public-key", &ann];
    identity(&[&["create", "--name", "ann"], &scopes[..]].concat());
    let (server, url) = place.serve("127.0.0.1:0");
    let kind = |ran: Ran| ran.json()["error"]["kind"].clone();
    let start = ["quorum", "start", "--quorum-type", "global", "--quorum-id", "q", "--voters", "ann,bob"];
    for stranger in [None, Some("eve"), Some("old")] {
        assert_eq!(kind(place.ask(&start, &url, stranger)), "not_authenticated", "{stranger:?}");
    }
    place.ask(&start, &url, Some("ann")).ok();
    let vote = |voter: &str| {
        let vote = ["quorum", "vote", "--quorum-id", "q", "--voter-id", voter, "--vote", "true"];
        place.ask(&vote, &url, Some("ann"))
    };
    assert_eq!(kind(vote("bob")), "not_authorized");
    vote("ann").ok();
    let recorded =
        run(&["history", "query", "--identity", "ann", "--data", text(&data), "--json"]).ok().json();
    assert!(recorded["events"].as_array().is_some_and(|events| !events.is_empty()), "{recorded}");
    identity(&["revoke", "ann"]);
    assert_eq!(kind(vote("ann")), "not_authenticated");
    end(server);
}

#[test]
fn a_certificate_is_read_again_when_it_changed_and_stays_while_it_does_not_fit() {
    let place = Place::new();
    let (server, url) = place.serve("127.0.0.1:0");
    let asked = || place.ask(&["quorum", "stats"], &url, None);
    asked().ok();
    let (former, key) = (place.file("server.pem"), place.file("server.key"));
    let (pem, private) = (std::fs::read(&former).unwrap(), std::fs::read(&key).unwrap());
    // A key of another certificate: the former pair goes on.
    place.write("server.key", &KeyPair::generate().unwrap().serialize_pem());
    signal(&server, "-HUP");
    asked().ok();
    // One that nobody vouches for takes its place, and is not believed.
    let other = KeyPair::generate().unwrap();
    place.write(
        "server.pem",
        &CertificateParams::new(vec!["127.0.0.1".into()]).unwrap().self_signed(&other).unwrap().pem(),
    );
    place.write("server.key", &other.serialize_pem());
    let until = |code: i32| {
        let tries = (0..500).find(|_| {
            signal(&server, "-HUP");
            asked().code() == code
        });
        assert!(tries.is_some(), "never {code}");
    };
    until(43);
    std::fs::write(&former, pem).unwrap();
    std::fs::write(&key, private).unwrap();
    until(0);
    end(server);
}

#[test]
fn another_address_is_served_once_there_is_an_identity() {
    let place = Place::new();
    let data = place.data();
    run(&["quorum", "start", "--quorum-type", "global", "--quorum-id", "q", "--data", text(&data)]).ok();
    let open = ["serve", "--data", text(&data), "--listen", "0.0.0.0:0"];
    let refused = run(&open);
    assert_eq!(refused.code(), 2);
    assert!(refused.err().contains("quorate identity create"), "{}", refused.err());
    run(&["identity", "create", "--name", "root", "--scopes", "admin", "--data", text(&data)]).ok();
    let (server, url) = place.serve("0.0.0.0:0");
    let url = url.replace("0.0.0.0", "127.0.0.1");
    let asked = place.ask(&["quorum", "status", "--quorum-id", "q"], &url, None);
    assert_eq!(asked.json()["error"]["kind"], "not_authenticated");
    end(server);
}

#[test]
fn a_certificate_or_key_that_is_none_is_named_before_the_folder_is_touched() {
    let place = Place::new();
    let (data, cert, key) = (place.data(), place.file("server.pem"), place.file("server.key"));
    let (missing, other) = (place.file("nowhere.pem"), place.file("other.key"));
    place.write("other.key", &KeyPair::generate().unwrap().serialize_pem());
    let serve = |cert: &Path, key: &Path| -> Value {
        let at = ["serve", "--data", text(&data), "--listen", "127.0.0.1:0", "--json"];
        let ran = run(&[&at[..], &["--tls-cert", text(cert), "--tls-key", text(key)]].concat());
        assert_eq!(ran.code(), 2);
        ran.json()["error"]["field"].clone()
    };
    assert_eq!(serve(&missing, &key), "tls_cert");
    assert_eq!(serve(&key, &key), "tls_cert");
    assert_eq!(serve(&cert, &missing), "tls_key");
    assert_eq!(serve(&cert, &cert), "tls_key");
    assert_eq!(serve(&cert, &other), "tls_key");
    assert_eq!(run(&["serve", "--data", text(&data), "--tls-cert", text(&cert)]).code(), 2);
    assert!(!data.exists());
}
