//! A receiver of hooks, made of the standard library alone: it says what it is told to, and keeps what it heard.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde_json::Value;

/// Longer than anything a test waits for takes.
const PATIENCE: Duration = Duration::from_secs(100);

/// A request that came.
#[derive(Clone, Debug)]
pub struct Heard {
    pub target: String,
    /// By their names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: String,
    /// What it was answered.
    pub status: u16,
}

impl Heard {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn events(&self) -> Vec<Value> {
        self.json()["events"].as_array().unwrap().clone()
    }
}

/// What a request is answered.
#[derive(Clone, Debug)]
pub enum Answer {
    Status(u16),
    /// 307, to there.
    Redirect(String),
    /// Nothing, until whoever asks hangs up.
    Hang,
}

type Say = dyn Fn(usize, &Heard) -> Answer + Send + Sync;

#[derive(Default)]
struct Shared {
    heard: Mutex<Vec<Heard>>,
    more: Condvar,
    over: AtomicBool,
}

/// A receiver on a port of the loopback, until it is dropped.
pub struct Receiver {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

impl Receiver {
    /// Answers each request, by its number from 0 and what it holds.
    pub fn start(say: impl Fn(usize, &Heard) -> Answer + Send + Sync + 'static) -> Self {
        Receiver::at("127.0.0.1:0".parse().unwrap(), say)
    }

    pub fn at(address: SocketAddr, say: impl Fn(usize, &Heard) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let receiver = Receiver { address: listener.local_addr().unwrap(), shared: Arc::default() };
        let (shared, say): (_, Arc<Say>) = (receiver.shared.clone(), Arc::new(say));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.over.load(Ordering::SeqCst) {
                    return;
                }
                let (shared, say, stream) = (shared.clone(), say.clone(), stream.unwrap());
                std::thread::spawn(move || serve(&shared, say.as_ref(), stream));
            }
        });
        receiver
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn heard(&self) -> Vec<Heard> {
        self.shared.heard.lock().unwrap().clone()
    }

    /// The events of all requests that were taken, in the order in which they came.
    pub fn taken(&self) -> Vec<Value> {
        self.heard().iter().filter(|heard| heard.status == 200).flat_map(Heard::events).collect()
    }

    /// Waits until what was heard is enough.
    #[track_caller]
    pub fn until(&self, what: &str, mut enough: impl FnMut(&[Heard]) -> bool) {
        let heard = self.shared.heard.lock().unwrap();
        let (heard, late) =
            self.shared.more.wait_timeout_while(heard, PATIENCE, |heard| !enough(heard)).unwrap();
        assert!(!late.timed_out(), "{what} did not come, of {} requests", heard.len());
    }

    /// Waits until an event at this position, or a later one, was taken.
    #[track_caller]
    pub fn until_position(&self, position: u64) {
        self.until(&format!("position {position}"), |heard| {
            let taken = heard.iter().filter(|heard| heard.status == 200);
            taken.flat_map(Heard::events).any(|event| event["position"].as_u64() >= Some(position))
        });
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        // Nobody may be listening any more.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(shared: &Shared, say: &Say, stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    if reader.read_line(&mut line).unwrap_or(0) == 0 {
        return;
    }
    let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap_or(0);
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    // A sender that was killed in the middle of its request has sent nothing.
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let mut heard = Heard { target, headers, body: String::from_utf8(body).unwrap(), status: 0 };
    let mut all = shared.heard.lock().unwrap();
    let answer = say(all.len(), &heard);
    heard.status = match answer {
        Answer::Status(status) => status,
        Answer::Redirect(_) => 307,
        Answer::Hang => 0,
    };
    all.push(heard);
    drop(all);
    let mut stream = stream;
    let text = match answer {
        Answer::Status(status) => format!("HTTP/1.1 {status} Said\r\ncontent-length: 0\r\n\r\n"),
        Answer::Redirect(to) => format!("HTTP/1.1 307 There\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"),
        Answer::Hang => {
            shared.more.notify_all();
            let _ = stream.read(&mut [0]);
            return;
        }
    };
    // Whoever asked may be gone.
    let _ = stream.write_all(text.as_bytes());
    shared.more.notify_all();
}
