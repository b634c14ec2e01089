//! A data folder some of whose bytes were changed: read without being opened, and opened.
#![no_main]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};

use libfuzzer_sys::fuzz_target;
use quorate_core::kernel::ids::{EntityId, StreamId, StreamKind};
use quorate_core::kernel::time::Timestamp;
use quorate_journal::codec::AppendBuilder;
use quorate_journal::{ChainHash, Due, Pending, Store, VerifyCursor};
use quorate_journal::stores::salvage::ReadStore;
use quorate_journal::stores::sled::SledStore;
use quorate_journal::stores::{Durability, StoreOptions};
use tempfile::TempDir;

/// The files that are changed. sled asserts on some of its own damaged files; that is caught when a store is opened, but
/// not by a fuzzer, which ends with the first panic of anybody.
const FILES: [&str; 5] = ["log/0000000000000001.log", "mark", "acknowledged", "FORMAT", "NOTE"];
const COMMITS: u64 = 12;

fn now<T>(mut pending: Pending<'_, T>) -> T {
    match pending.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer.unwrap(),
        Poll::Pending => unreachable!("a store answers when polled once"),
    }
}

fn options(path: &Path) -> StoreOptions {
    StoreOptions { durability: Durability::None, cache_bytes: 8 << 20, ..StoreOptions::at(path) }
}

/// A folder as a kill leaves it.
fn base() -> &'static Path {
    static BASE: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = BASE.get_or_init(|| {
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let (live, path) = (dir.path().join("live"), dir.path().join("base"));
        let store = SledStore::open(&options(&live)).unwrap();
        let epoch = now(store.acquire("fuzz"));
        let stream = StreamId::new(StreamKind::Quorum, EntityId::new("q").unwrap());
        for n in 0..COMMITS {
            let head = now(store.head(&stream));
            let (revision, hash) = head.map_or((0, ChainHash::default()), |head| (head.revision, head.hash));
            let mut append = AppendBuilder::new(stream.clone(), revision, hash);
            append.push(Timestamp::from_millis(n as i64), &("event", n)).unwrap();
            now(store.commit(
                epoch,
                Timestamp::from_millis(n as i64),
                &[append.finish(Due::Unchanged, None)],
            ));
        }
        copy(&live, &path);
        (dir, path)
    });
    path
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let to = to.join(item.file_name());
        if item.path().is_dir() {
            copy(&item.path(), &to)
        } else {
            fs::copy(item.path(), to).map(drop).unwrap()
        }
    }
}

/// Changes the files: which one and how, a place of three bytes, and up to fifteen bytes for it, again and again.
fn change(folder: &Path, mut data: &[u8]) {
    while let [how, high, middle, low, rest @ ..] = data {
        let path = folder.join(FILES[usize::from(*how) % FILES.len()]);
        let mut bytes = fs::read(&path).unwrap_or_default();
        let place = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
        let at = place.checked_rem(bytes.len()).unwrap_or(0);
        let count = usize::from(how / 16).min(rest.len());
        match how % 3 {
            0 => bytes.truncate(at),
            1 => bytes.iter_mut().skip(at).take(512 * count).for_each(|byte| *byte = 0),
            _ => bytes.iter_mut().skip(at).zip(&rest[..count]).for_each(|(byte, new)| *byte = *new),
        }
        fs::write(path, bytes).unwrap();
        data = &rest[count..];
    }
}

fuzz_target!(|data: &[u8]| {
    let dir = tempfile::tempdir_in(base().parent().unwrap()).unwrap();
    let folder = dir.path().join("data");
    copy(base(), &folder);
    change(&folder, data);
    let whole = match ReadStore::open(&folder) {
        Ok(store) => {
            let step = now(store.verify(VerifyCursor::default(), usize::MAX));
            assert_eq!(step.broken.is_none(), store.damage().is_none(), "{:?}", store.damage());
            store.damage().is_none()
        }
        Err(_) => false,
    };
    if let Ok(store) = SledStore::open(&options(&folder)) {
        let report = store.open_report();
        let tip = now(Store::tip(&store));
        assert!(tip.group == COMMITS || !report.dropped.is_empty() || !whole, "silently less: {report:?}");
        assert!(now(store.verify(VerifyCursor::default(), usize::MAX)).broken.is_none());
    }
});
