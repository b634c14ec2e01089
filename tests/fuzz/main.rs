//! Can bytes break it?
//!
//! | file | bytes |
//! |---|---|
//! | `format` | groups and frames, their hashes repaired; payloads of every kind of record |
//! | `journal` | whole journals in which payloads were changed and every hash repaired, opened and asked |
//! | `door` | request bodies, paths, queries and headers; fields of every operation |
//!
//! Whatever the bytes, the answer is a value or a typed error: nothing panics, nothing hangs, and memory stays in
//! proportion to the bytes. Folders with changed bytes are opened by `tests/drill`.
//!
//! `QUORATE_FUZZ_CASES=100000 cargo test --test fuzz` makes a long run. `targets` holds the same for cargo-fuzz, which is led
//! by the branches that bytes take; its manifest says how it is run.

mod corpus;
mod door;
mod format;
mod journal;
mod read;

use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use proptest::test_runner::Config;

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Panics so far in this process, on whatever thread and whoever caught them.
fn panics() -> usize {
    static HOOKED: Once = Once::new();
    HOOKED.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.fetch_add(1, Ordering::Relaxed);
            before(panic);
        }));
    });
    PANICS.load(Ordering::Relaxed)
}

/// So many cases, or the share of a long run that falls on a target this slow.
fn cases(usual: u32, slowness: u32) -> Config {
    let asked: Option<u32> = std::env::var("QUORATE_FUZZ_CASES").ok().map(|cases| cases.parse().unwrap());
    let cases = asked.map_or(usual, |cases| (cases / slowness).max(1));
    Config { cases, failure_persistence: None, max_shrink_iters: 500, ..Config::default() }
}

/// One change of some bytes.
#[derive(Clone, Debug)]
enum Edit {
    Set(usize, u8),
    Flip(usize, u8),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
    /// A length or number of eight bytes, where codecs write such.
    Number(usize, u64),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let number = prop_oneof![Just(u64::MAX), Just(1 << 63), Just(u64::from(u32::MAX)), Just(0), any::<u64>()];
    let edit = prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        (any::<usize>(), 0..8u8).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        (any::<usize>(), prop::collection::vec(any::<u8>(), 1..12)).prop_map(|(at, b)| Edit::Insert(at, b)),
        (any::<usize>(), 1..40usize).prop_map(|(at, n)| Edit::Remove(at, n)),
        (any::<usize>(), number).prop_map(|(at, number)| Edit::Number(at, number)),
    ];
    prop::collection::vec(edit, 1..6)
}

fn edit(bytes: &mut Vec<u8>, edits: &[Edit]) {
    for edit in edits {
        let len = bytes.len();
        let place = |at: &usize| at % len.max(1);
        match edit {
            Edit::Set(at, byte) if len > 0 => bytes[place(at)] = *byte,
            Edit::Flip(at, bit) if len > 0 => bytes[place(at)] ^= 1 << bit,
            Edit::Insert(at, new) => drop(bytes.splice(place(at)..place(at), new.iter().copied())),
            Edit::Remove(at, n) => drop(bytes.drain(place(at)..(place(at) + n).min(len))),
            Edit::Number(at, number) => {
                // The mark of bincode before a number of eight bytes.
                let new = std::iter::once(253).chain(number.to_le_bytes());
                drop(bytes.splice(place(at)..(place(at) + 1).min(len), new));
            }
            Edit::Set(..) | Edit::Flip(..) => {}
        }
    }
}
