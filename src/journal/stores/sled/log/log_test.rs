use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use super::scan::{Scan, scan};
use super::segment::SegmentHeader;
use super::*;
use crate::codec::AppendBuilder;
use crate::group::GroupBuilder;
use crate::stores::Durability;
use crate::{ChainHash, Due};
use quorate_core::kernel::ids::{EntityId, StreamId, StreamKind};
use quorate_core::kernel::rng::Rng;
use quorate_core::kernel::time::Timestamp;

const IDENTITY: Identity = [7; 16];
const START: Place = Place { segment: 1, offset: SECTOR as u64 };

/// A chain of groups, one record each.
#[derive(Default)]
struct Groups {
    number: u64,
    hash: ChainHash,
}

impl Groups {
    fn next(&mut self, event: &str) -> Arc<[u8]> {
        self.number += 1;
        let stream = StreamId::new(StreamKind::Quorum, EntityId::new(format!("q{}", self.number)).unwrap());
        let mut append = AppendBuilder::new(stream, 0, ChainHash::default());
        append.push(Timestamp::EPOCH, &event).unwrap();
        let mut builder = GroupBuilder::new(self.number, self.number, 1, Timestamp::EPOCH, &self.hash);
        builder.push(&append.finish(Due::Unchanged, None), 0);
        let (bytes, hash) = builder.finish();
        self.hash = hash;
        bytes.into()
    }
}

fn options(dir: &Path) -> Options {
    Options { dir: dir.to_owned(), identity: IDENTITY, durability: Durability::Process }
}

fn read(dir: &Path) -> Scan {
    scan(dir, &IDENTITY, START, Some((0, ChainHash::default())), 0).unwrap()
}

fn file(dir: &Path, number: u64) -> PathBuf {
    segment::path(dir, number)
}

fn numbers(scan: &Scan) -> Vec<u64> {
    scan.groups().map(|group| group.header.number).collect()
}

fn text(bytes: usize) -> String {
    (0..bytes).map(|n| char::from(b'a' + (n % 23) as u8)).collect()
}

/// A log of frames with events of these lengths, one group each.
fn written(dir: &Path, events: &[usize]) -> Groups {
    let mut groups = Groups::default();
    let mut log = Log::begin(options(dir), 1).unwrap();
    for event in events {
        let number = groups.number + 1;
        log.append(number, &[groups.next(&text(*event))]).unwrap();
    }
    groups
}

#[test]
fn what_was_written_is_read_and_gone_on_with() {
    let dir = TempDir::new().unwrap();
    let mut groups = written(dir.path(), &[10, 2_000, 500]);
    let found = read(dir.path());
    assert_eq!((numbers(&found), found.trouble.is_none()), (vec![1, 2, 3], true));
    assert!(found.frames.iter().all(|frame| frame.sealed));
    let mut log = Log::resume(options(dir.path()), (found.end, found.size), found.end.offset, None).unwrap();
    log.append(4, &[groups.next("four"), groups.next("five")]).unwrap();
    let found = read(dir.path());
    assert_eq!((numbers(&found), found.frames.len()), (vec![1, 2, 3, 4, 5], 4));
}

#[test]
fn segments_roll_and_a_frame_may_be_larger_than_one() {
    let dir = TempDir::new().unwrap();
    written(dir.path(), &[200_000, 30_000, 100_000, 3_000_000, 5, 40_000_000, 7]);
    let found = read(dir.path());
    assert!(found.trouble.is_none(), "{:?}", found.trouble);
    assert_eq!(numbers(&found), [1, 2, 3, 4, 5, 6, 7]);
    assert!(found.end.segment > 3, "{}", found.end);
    for path in segment::numbers(dir.path()).unwrap().into_iter().map(|number| file(dir.path(), number)) {
        let bytes = fs::read(path).unwrap();
        assert_eq!(SegmentHeader::read(&bytes).unwrap().size, bytes.len() as u64);
    }
}

#[test]
fn sectors_of_zeros_are_part_of_a_frame() {
    let dir = TempDir::new().unwrap();
    let mut groups = Groups::default();
    let mut log = Log::begin(options(dir.path()), 1).unwrap();
    let zeros = String::from_utf8(vec![0; 6_000]).unwrap();
    log.append(1, &[groups.next(&zeros)]).unwrap();
    let found = read(dir.path());
    assert_eq!((numbers(&found), found.trouble.is_none()), (vec![1], true));
    // Cut off in the middle and unsealed it is still an unfinished write, and whole it is none.
    let whole = fs::read(file(dir.path(), 1)).unwrap();
    let end = found.end.offset as usize;
    let mut bytes = whole.clone();
    bytes[end - 32..end].fill(0);
    fs::write(file(dir.path(), 1), &bytes).unwrap();
    assert_eq!(numbers(&read(dir.path())), [1]);
    bytes[end - SECTOR..end].fill(0);
    fs::write(file(dir.path(), 1), &bytes).unwrap();
    assert!(!read(dir.path()).trouble.unwrap().damage);
}

/// Every subset of the sectors of the last write may have reached the disk before the power went.
#[test]
fn every_image_of_a_write_that_was_cut_off_is_told_from_damage() {
    let dir = TempDir::new().unwrap();
    written(dir.path(), &[10, 700, 3_000]);
    let whole = fs::read(file(dir.path(), 1)).unwrap();
    let found = read(dir.path());
    let (start, end) = (found.frames[2].place.offset as usize, found.end.offset as usize);
    let sectors = (end - start) / SECTOR;
    for kept in 0..1u32 << sectors {
        let mut bytes = whole.clone();
        bytes[end - 32..end].fill(0);
        for sector in (0..sectors).filter(|sector| kept & 1 << sector == 0) {
            bytes[start + sector * SECTOR..][..SECTOR].fill(0);
        }
        fs::write(file(dir.path(), 1), &bytes).unwrap();
        let found = read(dir.path());
        assert!(found.trouble.as_ref().is_none_or(|trouble| !trouble.damage), "{kept:b}: {found:?}");
        let whole_frame = kept == (1 << sectors) - 1;
        assert_eq!(numbers(&found).len(), if whole_frame { 3 } else { 2 }, "{kept:b}");
        // It is wiped, and the log goes on.
        let upto = found.trouble.as_ref().map_or(found.end.offset, |trouble| trouble.upto);
        let unsealed = found.frames.last().filter(|frame| !frame.sealed).map(|frame| frame.place);
        assert_eq!(unsealed.is_some(), whole_frame);
        drop(Log::resume(options(dir.path()), (found.end, found.size), upto, unsealed).unwrap());
        let again = read(dir.path());
        assert!(again.trouble.is_none() && again.frames.iter().all(|frame| frame.sealed), "{kept:b}");
        // With its seal it was acknowledged.
        if !whole_frame {
            bytes[end - 32..end].copy_from_slice(&whole[end - 32..end]);
            fs::write(file(dir.path(), 1), &bytes).unwrap();
            assert!(read(dir.path()).trouble.unwrap().damage, "{kept:b}");
        }
    }
}

#[test]
fn a_flip_of_any_byte_loses_nothing_in_silence() {
    let dir = TempDir::new().unwrap();
    written(dir.path(), &[10, 700, 3_000]);
    let path = file(dir.path(), 1);
    let whole = fs::read(&path).unwrap();
    let end = read(dir.path()).end.offset as usize;
    let mut rng = Rng::new(5);
    let mut damaged = 0;
    // All of the header and of the first frame, and a sample of the others.
    for at in (0..100).chain(SECTOR..2 * SECTOR).chain((2 * SECTOR..end).step_by(13)) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (rng.next_u64() % 8);
        fs::write(&path, &bytes).unwrap();
        let found = read(dir.path());
        let damage = found.trouble.as_ref().is_some_and(|trouble| trouble.damage);
        damaged += usize::from(damage);
        assert!(damage || numbers(&found) == [1, 2, 3], "byte {at}: {found:?}");
    }
    // The others are padding and seals of frames that are whole.
    assert!(damaged > 600, "{damaged}");
}

#[test]
fn a_flip_behind_the_end_is_wiped_or_refused() {
    let dir = TempDir::new().unwrap();
    written(dir.path(), &[10]);
    let path = file(dir.path(), 1);
    let whole = fs::read(&path).unwrap();
    let end = read(dir.path()).end.offset as usize;
    for at in [end, end + 511, end + 512, end + 5_000, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 4;
        fs::write(&path, &bytes).unwrap();
        let found = read(dir.path());
        assert_eq!(numbers(&found), [1]);
        assert_eq!(found.trouble.unwrap().damage, at < end + SECTOR, "byte {at}");
    }
}

#[test]
fn the_streams_groups_and_positions_of_a_gap_are_named() {
    let dir = TempDir::new().unwrap();
    written(dir.path(), &[10, 700, 3_000, 9]);
    let path = file(dir.path(), 1);
    let mut bytes = fs::read(&path).unwrap();
    let at = read(dir.path()).frames[1].place.offset as usize;
    bytes[at + 600] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let found = read(dir.path());
    assert_eq!(numbers(&found), [1]);
    let trouble = found.trouble.unwrap();
    assert!(trouble.damage);
    assert_eq!(
        trouble.lost.to_string(),
        "groups 2 to 4, positions 2 to 4, of quorum/q2, quorum/q3, quorum/q4"
    );
}

#[test]
fn a_file_that_is_missing_cut_or_swapped_is_damage() {
    let dir = TempDir::new().unwrap();
    written(dir.path(), &[200_000, 200_000, 900_000, 5]);
    let found = read(dir.path());
    assert_eq!((numbers(&found).len(), found.end.segment), (4, 3));
    let files: Vec<_> = (1..=3).map(|number| fs::read(file(dir.path(), number)).unwrap()).collect();
    let check = |what: &str| {
        let found = read(dir.path());
        assert!(found.trouble.is_some_and(|trouble| trouble.damage), "{what}");
    };
    for number in 1..=3u64 {
        let bytes = &files[number as usize - 1];
        let path = file(dir.path(), number);
        fs::remove_file(&path).unwrap();
        check(&format!("{number} is missing"));
        for length in [0, 100, SECTOR, bytes.len() / 2, bytes.len() - 1] {
            fs::write(&path, &bytes[..length]).unwrap();
            check(&format!("{number} is cut to {length}"));
        }
        for other in (1..=3u64).filter(|other| *other != number) {
            fs::write(&path, &files[other as usize - 1]).unwrap();
            check(&format!("{number} is {other}"));
        }
        fs::write(&path, vec![0; bytes.len()]).unwrap();
        check(&format!("{number} is zeros"));
        fs::write(&path, bytes).unwrap();
    }
    assert!(read(dir.path()).trouble.is_none());
}

#[test]
fn nothing_of_another_log_or_another_place_is_taken() {
    let (dir, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    written(dir.path(), &[10, 700]);
    written(other.path(), &[10, 700, 900]);
    // The same log, so the same bytes: what is copied on the right place is the log.
    fs::copy(file(other.path(), 1), file(dir.path(), 1)).unwrap();
    assert_eq!(numbers(&read(dir.path())), [1, 2, 3]);
    // On another place, or under another identity, it is nothing.
    let mut bytes = fs::read(file(dir.path(), 1)).unwrap();
    let found = read(dir.path());
    let (start, end) = (found.frames[2].place.offset as usize, found.end.offset as usize);
    let frame = bytes[start..end].to_vec();
    bytes[end..end + frame.len()].copy_from_slice(&frame);
    fs::write(file(dir.path(), 1), &bytes).unwrap();
    assert_eq!(numbers(&read(dir.path())), [1, 2, 3]);
    assert!(read(dir.path()).trouble.unwrap().damage);
    let foreign = scan(other.path(), &[8; 16], START, None, 0).unwrap();
    assert!(foreign.frames.is_empty() && foreign.trouble.unwrap().damage);
}
