//! Calls that fail: while a store is opened, and under load.

use std::collections::BTreeSet;
use std::path::Path;

use quorate::Quorate;
use quorate_core::kernel::rng::Rng;

use super::audit::{Acknowledged, audit};
use super::record::{Event, Life, Recording};
use super::{STORES, check, child, scratch, shim};

/// What the processes of this record were told had taken effect.
fn acknowledged(home: &Path) -> BTreeSet<Acknowledged> {
    let recording = Recording::read(home);
    let lines = recording.events.iter().filter_map(|event| match event {
        Event::Said(line) => Some(line.as_str()),
        _ => None,
    });
    lines.flat_map(str::lines).filter_map(Acknowledged::parse).collect()
}

async fn audited(folder: &Path, acknowledged: &BTreeSet<Acknowledged>) -> Result<(), String> {
    let q = Quorate::open(child::config(folder)).await.map_err(|e| format!("does not open: {e}"))?;
    let sound = audit(&q, acknowledged).await;
    q.close().await.map_err(|e| format!("does not close: {e}"))?;
    sound
}

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
/// Calls an opening makes, about.
const CALLS: u64 = 60;

/// One call of an opening fails, whichever: the next opening finds everything.
#[tokio::test(flavor = "multi_thread")]
async fn one_failed_call_while_opening_locks_nobody_out() {
    if shim::library().is_none() {
        return;
    }
    for store in STORES {
        fail_while_opening(store).await;
    }
}

async fn fail_while_opening(store: &str) {
    let made = scratch();
    Recording::make(made.path(), store, &[Life::Killed(200)], None);
    let before = acknowledged(made.path());
    let mut rng = Rng::new(std::process::id().into());
    let mut broken = Vec::new();
    for n in 0..24 {
        let home = scratch();
        check::copy_dir(&made.path().join("data"), &home.path().join("data"));
        let errno = if n % 2 == 0 { EIO } else { ENOSPC };
        let fail = format!("{}:{}:{errno}:1", ["wszno", "w", "s", "no"][n % 4], rng.next_u64() % CALLS);
        Recording::make(home.path(), store, &[Life::Killed(1)], Some(&fail));
        if let Err(why) = audited(&home.path().join("data"), &before).await {
            broken.push(format!("{store}, {fail}: {why}"));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Calls fail under load, once or from then on: nothing is acknowledged that is not there afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_around_a_failed_call_is_there() {
    if shim::library().is_none() {
        return;
    }
    for store in STORES {
        fail_under_load(store).await;
    }
}

async fn fail_under_load(store: &str) {
    let mut rng = Rng::new(std::process::id().into());
    let mut broken = Vec::new();
    for n in 0..16 {
        let home = scratch();
        let errno = if n % 2 == 0 { EIO } else { ENOSPC };
        let count = if n % 3 == 0 { 1 } else { 1_000_000 };
        let fail = format!("{}:{}:{errno}:{count}", ["w", "s", "wz", "ws"][n % 4], 60 + rng.next_u64() % 300);
        Recording::make(home.path(), store, &[Life::Killed(400)], Some(&fail));
        let told = acknowledged(home.path());
        if let Err(why) = audited(&home.path().join("data"), &told).await {
            broken.push(format!("{store}, {fail}, {} acknowledged: {why}", told.len()));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
