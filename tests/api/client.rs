//! A server on a free port, and a client that sends exactly the bytes it is told to.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use quorate::{Config, Quorate};
use quorate_http::{Options, Server, serve};
use serde_json::Value;

/// A runtime in memory behind a server of its own.
pub struct Running {
    pub q: Quorate,
    pub server: Option<Server>,
    pub runtime: tokio::runtime::Runtime,
    pub client: Client,
}

impl Running {
    pub fn start() -> Self {
        Self::with(Config::memory(), Options::default())
    }

    pub fn with(config: Config, options: Options) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let q = runtime.block_on(Quorate::open(config)).unwrap();
        Self::over(q, runtime, options)
    }

    pub fn over(q: Quorate, runtime: tokio::runtime::Runtime, options: Options) -> Self {
        let server = serve(q.clone(), "127.0.0.1:0".parse().unwrap(), options).unwrap();
        let client = Client(server.addr().unwrap());
        Running { q, server: Some(server), runtime, client }
    }

    /// Starts a quorum over these voters and gives its id.
    pub fn quorum(&self, voters: &[&str], required: u32) -> String {
        let body = serde_json::json!({
            "quorum_type": "global", "voters": voters, "required_votes": required,
        });
        let answer = self.client.post("/api/v1/quorum/start", &body.to_string());
        answer.json["quorum"]["quorum_id"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
    }
}

impl Running {
    /// Waits until this many operations are under way.
    pub fn until_in_flight(&self, count: u64) {
        for _ in 0..2_000 {
            if self.q.health().in_flight == count {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("never {count} in flight: {:?}", self.q.health());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.stop()).unwrap();
        }
    }
}

/// One answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub text: String,
    /// The body as JSON, or null.
    pub json: Value,
}

impl Answer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let of = |line: &'_ str| line.split_once(':').is_some_and(|(n, _)| n.eq_ignore_ascii_case(name));
        self.head.lines().find(|line| of(line)).and_then(|line| line.split_once(": ")).map(|(_, value)| value)
    }

    /// Checks the form of an error and gives its status and kind.
    pub fn error(&self) -> (u16, &str) {
        let Value::Object(body) = &self.json else { panic!("not an error: {self:?}") };
        let keys: Vec<&str> = body.keys().map(String::as_str).collect();
        assert_eq!(keys, ["success", "detail", "code", "error"], "{self:?}");
        assert_eq!(body["success"], false);
        assert_eq!(body["detail"], body["error"]["message"]);
        assert_eq!(body["code"], body["error"]["kind"]);
        assert_eq!(self.header("content-type"), Some("application/json"));
        (self.status, body["code"].as_str().unwrap())
    }

    /// The field an error names.
    pub fn field(&self) -> &str {
        self.json["error"]["field"].as_str().unwrap_or_else(|| panic!("names no field: {self:?}"))
    }
}

/// A client that opens one connection a request.
#[derive(Clone, Copy, Debug)]
pub struct Client(pub SocketAddr);

impl Client {
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    pub fn post(&self, path: &str, body: &str) -> Answer {
        self.send("POST", path, &[("content-type", "application/json")], body.as_bytes())
    }

    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        request += &format!("content-length: {}\r\n\r\n", body.len());
        let mut bytes = request.into_bytes();
        bytes.extend_from_slice(body);
        self.raw(&bytes)
    }

    /// Sends these bytes and reads until the server closes the connection.
    pub fn raw(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect();
        stream.write_all(bytes).unwrap();
        read(&mut stream)
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.0).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }
}

/// Reads one answer, to the end of the connection.
pub fn read(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_else(|| panic!("{head}"));
    let json = serde_json::from_str(body).unwrap_or_default();
    Answer { status, head: head.to_owned(), text: body.to_owned(), json }
}
