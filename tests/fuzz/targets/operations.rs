//! Operations with any fields.
#![no_main]

use std::cell::RefCell;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use quorate_runtime::api::ops::OPERATIONS;
use quorate_runtime::config::{ClockConfig, Config};
use quorate_core::kernel::time::Timestamp;
use quorate_runtime::{ErrorKind, Quorate};
use serde_json::{Map, Value};

/// Requests that one runtime answers before there is a new one.
const REQUESTS: usize = 500;

struct Running {
    tokio: tokio::runtime::Runtime,
    q: Option<Quorate>,
    left: usize,
}

impl Running {
    fn q(&mut self) -> Quorate {
        if self.left == 0 {
            if let Some(q) = self.q.take() {
                let _ = self.tokio.block_on(q.close());
            }
            self.left = REQUESTS;
        }
        self.left -= 1;
        let still = Config {
            clock: ClockConfig::Manual(Timestamp::from_micros(1_000_000)),
            seed: Some(1),
            ..Config::memory()
        };
        let tokio = &self.tokio;
        self.q.get_or_insert_with(|| tokio.block_on(Quorate::open(still)).unwrap()).clone()
    }
}

thread_local! {
    static RUNNING: RefCell<Running> = RefCell::new(Running {
        tokio: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
        q: None,
        left: 0,
    });
}

/// The fields: JSON as it comes, or values for the fields that the operation has.
fn fields(op: usize, how: u8, data: &[u8]) -> Option<Map<String, Value>> {
    if how % 2 == 0 {
        return serde_json::from_slice(data).ok();
    }
    let values = data.split(|byte| *byte == b'\n').map(|text| {
        serde_json::from_slice(text).unwrap_or_else(|_| String::from_utf8_lossy(text).into_owned().into())
    });
    let known = OPERATIONS[op].fields();
    Some(known.into_iter().map(|field| field.name).zip(values).collect())
}

fuzz_target!(|data: &[u8]| {
    let [op, how, data @ ..] = data else { return };
    let op = usize::from(*op) % OPERATIONS.len();
    let Some(fields) = fields(op, *how, data) else { return };
    RUNNING.with_borrow_mut(|running| {
        let q = running.q();
        let answer = running.tokio.block_on(async {
            tokio::time::timeout(Duration::from_millis(100), OPERATIONS[op].call(q, fields)).await
        });
        if let Ok(Err(error)) = answer {
            let ours = matches!(
                error.kind(),
                ErrorKind::StoreCorrupt
                    | ErrorKind::StoreError
                    | ErrorKind::OutcomeUnknown
                    | ErrorKind::Fenced
            );
            assert!(!ours, "{}: {error}", OPERATIONS[op].name);
        }
    });
});
