//! What can a web page make the browser of its reader do here?

use quorate::{Config, Quorate};
use quorate_http::{Options, serve};

use crate::client::{Client, Running};

const START: &str = "/api/v1/quorum/start";
const BODY: &[u8] = br#"{"quorum_type":"global","quorum_id":"q","voters":["ann"],"required_votes":1}"#;

type Headers = &'static [(&'static str, &'static str)];

/// What browsers send for a page of elsewhere: a form, a `fetch` without a preflight, an image, a WebSocket, and a
/// page whose own name leads to the loopback now.
const ATTACKS: &[(&str, Headers, &str)] = &[
    (
        "a form",
        &[("origin", "https://evil.example"), ("content-type", "application/x-www-form-urlencoded")],
        "foreign_origin",
    ),
    (
        "a simple request",
        &[("origin", "https://evil.example"), ("content-type", "text/plain")],
        "foreign_origin",
    ),
    ("a sandboxed frame", &[("origin", "null"), ("content-type", "text/plain")], "foreign_origin"),
    ("another local server", &[("origin", "http://localhost:3000")], "foreign_origin"),
    ("an image", &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")], "foreign_origin"),
    ("another port", &[("sec-fetch-site", "same-site")], "foreign_origin"),
    (
        "a socket",
        &[("origin", "https://evil.example"), ("upgrade", "websocket"), ("connection", "upgrade")],
        "foreign_origin",
    ),
];

#[test]
fn no_page_of_elsewhere_asks_anything_here() {
    let running = Running::start();
    for (name, headers, told) in ATTACKS {
        for (method, path, body) in
            [("POST", START, BODY), ("GET", "/api/v1/quorum/stats", b""), ("GET", "/metrics", b"")]
        {
            let answer = running.client.send(method, path, headers, body);
            assert_eq!(answer.error(), (403, *told), "{name}: {method} {path}");
            assert_eq!(answer.header("access-control-allow-origin"), None);
        }
    }
    // The preflight of a request that is not simple gets no leave.
    let preflight = [("origin", "https://evil.example"), ("access-control-request-method", "POST")];
    let answer = running.client.send("OPTIONS", START, &preflight, b"");
    assert_eq!(
        (answer.error(), answer.header("access-control-allow-methods")),
        ((403, "foreign_origin"), None)
    );
    for host in ["evil.example", "evil.example:7171", "127.0.0.1.evil.example", "0.0.0.0", "[::]"] {
        let request = format!(
            "POST {START} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{}",
            BODY.len(),
            str::from_utf8(BODY).unwrap()
        );
        let answer = running.client.raw(request.as_bytes());
        assert_eq!((answer.error(), &answer.json["error"]["given"]), ((403, "foreign_host"), &host.into()));
        let whole =
            format!("GET http://{host}/healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        assert_eq!(running.client.raw(whole.as_bytes()).error(), (403, "foreign_host"), "{host}");
    }
    let stats = running.client.get("/api/v1/quorum/stats");
    assert_eq!(stats.json["stats"]["total_quorums"], 0, "nothing was started: {stats:?}");
    // Programs of this machine, and pages of the server itself, are served.
    let form = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(running.client.send("POST", START, &form, BODY).status, 200, "as curl -d sends it");
    let own = [("origin", "http://localhost"), ("sec-fetch-site", "same-origin")];
    assert_eq!(running.client.send("GET", "/api/v1/quorum/q/status", &own, b"").status, 200);
    assert_eq!(running.client.send("GET", "/openapi.json", &[("sec-fetch-site", "none")], b"").status, 200);
}

#[test]
fn a_request_for_another_protocol_is_answered_at_once() {
    let running = Running::start();
    let socket = [("upgrade", "websocket"), ("connection", "upgrade")];
    assert_eq!(running.client.send("GET", "/healthz", &socket, b"").error(), (400, "malformed_request"));
    let tunnel = running.client.raw(b"CONNECT localhost:80 HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert_eq!(tunnel.error(), (400, "malformed_request"));
    // As curl --http2 asks: what is not spoken may be ignored.
    let newer = [("upgrade", "h2c"), ("connection", "upgrade")];
    assert_eq!(running.client.send("GET", "/healthz", &newer, b"").status, 200);
}

#[test]
fn an_address_that_others_reach_is_served_only_if_that_is_meant() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let q = runtime.block_on(Quorate::open(Config::memory())).unwrap();
    for listen in ["0.0.0.0:0", "[::]:0", "10.1.2.3:0"] {
        let refused = serve(q.clone(), listen.parse().unwrap(), Options::default()).unwrap_err();
        assert_eq!(
            (refused.kind().name(), refused.detail("field").unwrap()),
            ("invalid_argument", &"listen".into())
        );
        assert!(refused.message().contains("--insecure"), "{refused}");
    }
    let told = |options: Options, host: &str| {
        let server = serve(q.clone(), "0.0.0.0:0".parse().unwrap(), options).unwrap();
        let local = Client(([127, 0, 0, 1], server.addr().unwrap().port()).into());
        let asked = format!("GET /healthz HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        let status = local.raw(asked.as_bytes()).status;
        runtime.block_on(server.stop()).unwrap();
        status
    };
    let insecure = Options { insecure: true, ..Options::default() };
    assert_eq!(told(insecure.clone(), "q.example:7171"), 200);
    let named = Options { allowed_hosts: vec!["q.example".into()], ..insecure };
    assert_eq!(told(named.clone(), "Q.example:7171"), 200);
    assert_eq!(told(named.clone(), "r.example:7171"), 403);
    assert_eq!(told(named, "localhost"), 200);
    for name in ["", "a b", "http://q.example"] {
        let options = Options { allowed_hosts: vec![name.into()], ..Options::default() };
        let refused = options.check().unwrap_err();
        assert_eq!(refused.detail("field").unwrap().as_str().unwrap(), "allowed_hosts", "{name}");
    }
}
