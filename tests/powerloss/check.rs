//! Builds images of a recording and opens each: is everything there, and nothing twice?

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use quorate::Quorate;
use quorate_core::kernel::rng::Rng;
use quorate_core::kernel::time::Timestamp;
use quorate_runtime::config::{ClockConfig, Config};

use super::audit::{Acknowledged, all_comes_back, audit};
use super::child;
use super::disk::{Disk, KEEPS};
use super::former;
use super::record::{Event, Recording};

/// Panics seen in this process, also those that somebody caught.
pub static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Counts panics from here on.
pub fn count_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        before(panic);
    }));
}

/// A fault that is planted into what the disk was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    Nothing,
    /// The syncs of the file that commits wait for are not made.
    SkippedSyncs,
    /// One write of a commit fails; whoever made it does not look, and the sync after it succeeds.
    SwallowedWriteError,
}

/// One image and what became of it.
#[derive(Debug)]
pub struct Checked {
    pub number: usize,
    pub phase: &'static str,
    pub about: String,
    /// Nothing, or what is wrong.
    pub wrong: Option<String>,
    /// How much was acknowledged before the power went.
    pub acknowledged: usize,
}

/// A place to cut, in the order of the record.
struct Cut {
    at: usize,
    number: usize,
}

pub struct Images<'r> {
    pub recording: &'r Recording,
    /// When the recorded processes had ended: images are opened at this instant.
    pub clock: Timestamp,
    pub seed: u64,
    pub planted: Planted,
}

impl Images<'_> {
    /// Checks the images numbered `first` to `first + count`.
    pub fn check(&self, first: usize, count: usize, scratch: &Path, mut told: impl FnMut(Checked)) {
        let events = &self.recording.events;
        let mut rng = Rng::new(self.seed ^ (first as u64) << 20);
        let mut disk = Disk::new(self.recording);
        disk.skipped = self.plant(&mut rng);
        let mut acknowledged = BTreeSet::new();
        let mut heard = 0;
        for Cut { at, number } in self.cuts(first, count, &mut rng) {
            disk.advance(at);
            for event in &events[heard..at] {
                if let Event::Said(line) = event {
                    acknowledged.extend(line.lines().filter_map(Acknowledged::parse));
                }
            }
            heard = at;
            let keep = KEEPS[rng.next_u64() as usize % KEEPS.len()];
            let image = scratch.join("image");
            let names = disk.image(keep, &mut rng, &image);
            let copy = scratch.join("copy");
            copy_dir(&image, &copy);
            let phase = self.phase(at, &disk);
            let deep = rng.next_u64().is_multiple_of(16);
            let again = rng.next_u64().is_multiple_of(4);
            let wrong = self.open(&image, &acknowledged, again, deep).err();
            if wrong.is_some() {
                let kept =
                    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("image-{}-{number}", self.seed));
                let _ = fs::remove_dir_all(&kept);
                copy_dir(&copy, &kept);
            }
            fs::remove_dir_all(&image).unwrap();
            fs::remove_dir_all(&copy).unwrap();
            let about = format!("cut before event {at}, {keep:?}, {names}, seed {}", self.seed);
            told(Checked { number, phase, about, wrong, acknowledged: acknowledged.len() });
        }
    }

    fn open(
        &self,
        image: &Path,
        acknowledged: &BTreeSet<Acknowledged>,
        again: bool,
        deep: bool,
    ) -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.unwrap();
        let panics = PANICS.load(Ordering::Relaxed);
        let checked = runtime.block_on(async {
            let done = tokio::time::timeout(Duration::from_secs(60), async {
                self.open_once(image, acknowledged, false).await?;
                if again {
                    self.open_once(image, acknowledged, true)
                        .await
                        .map_err(|e| format!("opened again: {e}"))?;
                }
                if deep {
                    all_comes_back(image).await.map_err(|e| format!("a day later: {e}"))?;
                }
                Ok(())
            });
            done.await.unwrap_or_else(|_| Err("hangs".to_owned()))
        });
        runtime.shutdown_timeout(Duration::from_secs(5));
        let panicked = PANICS.load(Ordering::Relaxed) - panics;
        if panicked > 0 {
            return Err(format!("panics: {panicked}, and then {checked:?}"));
        }
        checked
    }

    async fn open_once(
        &self,
        image: &Path,
        acknowledged: &BTreeSet<Acknowledged>,
        close: bool,
    ) -> Result<(), String> {
        let config = Config { clock: ClockConfig::Manual(self.clock), ..child::config(image) };
        let q =
            Quorate::open(config).await.map_err(|e| format!("does not open: {}: {e}", e.kind().name()))?;
        let mut sound = audit(&q, acknowledged).await;
        if self.recording.start.is_some() && sound.is_ok() {
            sound = has_records(&q, former::RECORDS).await;
        }
        if close {
            q.close().await.map_err(|e| format!("does not close: {e}"))?;
        } else {
            q.crash().await;
        }
        sound
    }

    /// Instants at which the power goes: anywhere, and more often where something has just become sure or must be.
    fn cuts(&self, first: usize, count: usize, rng: &mut Rng) -> Vec<Cut> {
        let events = &self.recording.events;
        let of = |is: fn(&Event) -> bool| -> Vec<usize> {
            events.iter().enumerate().filter(|(_, event)| is(event)).map(|(at, _)| at).collect()
        };
        let said = of(|event| matches!(event, Event::Said(_)));
        let syncs = of(|event| matches!(event, Event::SyncBegan { .. } | Event::SyncEnded { .. }));
        let names = of(|event| {
            matches!(
                event,
                Event::Started
                    | Event::Renamed { .. }
                    | Event::Linked { .. }
                    | Event::Unlinked { .. }
                    | Event::MadeDir { .. }
                    | Event::RemovedDir { .. }
                    | Event::Sized { .. }
                    | Event::Opened { made: true, .. }
            )
        });
        let database = self.files(|path| path.ends_with("sled/db") || path.starts_with("fjall/keyspaces"));
        let archived: Vec<usize> = events
            .iter()
            .enumerate()
            .filter(|(_, event)| matches!(event, Event::Written { file, .. } if database.contains(file)))
            .map(|(at, _)| at)
            .collect();
        let mut cuts: Vec<Cut> = (first..first + count)
            .map(|number| {
                let mut below = |n: usize| (rng.next_u64() % n as u64) as usize;
                let at = match below(10) {
                    0..=2 => said[below(said.len())] + 1,
                    3 | 4 => syncs[below(syncs.len())] + below(3),
                    5 | 6 => names[below(names.len())] + below(8),
                    7 | 8 => archived[below(archived.len())] + below(8),
                    _ => below(events.len()),
                };
                Cut { at: at.min(events.len()), number }
            })
            .collect();
        cuts.sort_by_key(|cut| cut.at);
        cuts
    }

    fn phase(&self, at: usize, disk: &Disk<'_>) -> &'static str {
        let life = |event: &Event| match event {
            Event::Started => Some("opening"),
            Event::Said(line) if line.contains("ACK closed") => Some("closed"),
            Event::Said(line) if line.contains("ACK closing") => Some("closing"),
            Event::Said(_) => Some("load"),
            _ => None,
        };
        match self.recording.events[..at].iter().rev().find_map(life).unwrap_or("opening") {
            "load" if disk.is_archiving() => "archiving",
            other => other,
        }
    }

    /// The events a planted fault makes not happen.
    fn plant(&self, rng: &mut Rng) -> std::collections::HashSet<usize> {
        let events = &self.recording.events;
        // What commits wait for.
        let log = self.files(|path| path.starts_with("log") || path.extension().is_some_and(|e| e == "jnl"));
        let is_log = |file: &u64| log.contains(file);
        match self.planted {
            Planted::Nothing => Default::default(),
            Planted::SkippedSyncs => {
                let skipped = events
                    .iter()
                    .enumerate()
                    .filter(|(_, event)| matches!(event, Event::SyncEnded { file, .. } if is_log(file)));
                skipped.map(|(at, _)| at).collect()
            }
            Planted::SwallowedWriteError => {
                let first = events.iter().position(|event| matches!(event, Event::Said(_))).unwrap_or(0);
                let writes: Vec<usize> = events
                    .iter()
                    .enumerate()
                    .skip(first)
                    .filter(|(_, event)| {
                        matches!(event, Event::Written { file, bytes, .. } if is_log(file) && bytes.len() > 600)
                    })
                    .map(|(at, _)| at)
                    .collect();
                [writes[rng.next_u64() as usize % writes.len()]].into()
            }
        }
    }

    /// The files the children opened under such paths.
    fn files(&self, is: impl Fn(&Path) -> bool) -> BTreeSet<u64> {
        let opened = self.recording.events.iter().filter_map(|event| match event {
            Event::Opened { file, path, is_dir: false, .. } if is(path) => Some(*file),
            _ => None,
        });
        opened.collect()
    }
}

/// The journal verifies, which was shown, and is not shorter than it was.
async fn has_records(q: &Quorate, least: u64) -> Result<(), String> {
    let verified = q.history().verify(|_| ()).await.map_err(|e| e.to_string())?;
    if verified.records < least {
        return Err(format!("lost: {} of {least} records are left", verified.records));
    }
    Ok(())
}

pub fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let target: PathBuf = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy_dir(&item.path(), &target);
        } else {
            fs::copy(item.path(), target).unwrap();
        }
    }
}
