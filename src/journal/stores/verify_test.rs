use std::sync::Arc;

use super::super::heads::Entry;
use super::super::memory::MemoryStore;
use super::super::walk::GroupBytes;
use super::*;
use crate::codec::AppendBuilder;
use crate::{ChainHash, Due, Pending, Store};
use quorate_core::kernel::ids::{EntityId, IdempotencyKey, StreamKind};
use quorate_core::kernel::time::Timestamp;

fn now<T>(mut pending: Pending<'_, T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match pending.as_mut().poll(&mut context) {
        std::task::Poll::Ready(answer) => answer.unwrap(),
        std::task::Poll::Pending => panic!("the store answers when polled once"),
    }
}

/// The groups of a journal, one of them changed.
struct Changed<'a> {
    groups: &'a [Arc<[u8]>],
    tip: Tip,
    changed: (u64, Arc<[u8]>),
}

impl View for Changed<'_> {
    fn tip(&self) -> Tip {
        self.tip.clone()
    }

    fn entry(&self, _: &StreamId) -> Result<Option<Entry>, Fault> {
        Err(Fault::Corrupt { what: "not asked for".into() })
    }

    fn key(&self, _: &IdempotencyKey) -> Result<Option<StreamId>, Fault> {
        Ok(None)
    }

    fn group(&self, number: u64) -> Result<Option<GroupBytes>, Fault> {
        let bytes = match number {
            _ if number == self.changed.0 => self.changed.1.clone(),
            _ => self.groups[number as usize - 1].clone(),
        };
        let sound = Group::parse_checked(&bytes).is_ok();
        Ok(Some(GroupBytes { sound, ..GroupBytes::whole(bytes) }))
    }
}

/// A journal of 30 groups, each of up to three streams in turn.
fn journal() -> MemoryStore {
    let store = MemoryStore::new();
    let epoch = now(store.acquire("test"));
    let mut heads = [(0, ChainHash::default()); 3];
    for n in 0..30_u64 {
        let group: Vec<_> = (0..=n % 3)
            .map(|k| {
                let (revision, hash) = heads[k as usize];
                let stream = StreamId::new(StreamKind::Quorum, EntityId::new(format!("q{k}")).unwrap());
                let mut append = AppendBuilder::new(stream, revision, hash);
                (0..2).for_each(|event| {
                    append.push(Timestamp::from_micros(n as i64), &format!("mark-{n}-{k}-{event}")).unwrap()
                });
                let append = append.finish(Due::Unchanged, None);
                heads[k as usize] = (revision + 2, append.hash);
                append
            })
            .collect();
        now(store.commit(epoch, Timestamp::from_micros(n as i64), &group));
    }
    store
}

#[test]
fn a_walk_from_the_middle_finds_what_is_broken_from_there_on_and_believes_what_stands_before() {
    let store = journal();
    let tip = now(store.tip());
    let groups = now(store.groups(0, usize::MAX));
    let first_of = |number: u64| Group::parse(&groups[number as usize - 1]).unwrap().header.first_position;
    for from in 1..=tip.position {
        let begin = now(store.verify_from(from));
        let begins = Group::parse(&groups[begin.group as usize]).unwrap().header;
        assert!((begins.first_position..=begins.last_position()).contains(&from), "{from}");
        assert_eq!((begin.position + 1, begin.began), (begins.first_position, begin.group));
        let end = now(store.verify(begin, usize::MAX));
        assert_eq!((end.broken, end.cursor.position, end.done), (None, tip.position, true), "{from}");
    }
    for number in [2, 9, 17, 30] {
        // A byte of the payload of its first record.
        let mut bytes = groups[number as usize - 1].to_vec();
        let at = bytes.windows(5).position(|five| five == b"mark-").unwrap();
        bytes[at] ^= 0x40;
        let view = Changed { groups: &groups, tip: tip.clone(), changed: (number, Arc::from(bytes)) };
        for from in [1, first_of(number), tip.position.min(first_of(number) + 8)] {
            let begin = now(store.verify_from(from));
            let begins_before = begin.group < number;
            let mut cursor = begin;
            let broken = loop {
                if cursor.group == tip.group {
                    break None;
                }
                if let Some(broken) = check_group(&view, &mut cursor).unwrap() {
                    break Some(broken);
                }
            };
            match broken {
                Some(broken) => {
                    assert!(begins_before, "group {number} from {from}");
                    assert_eq!(broken.group, number, "{broken:?}");
                    assert!(broken.position.unwrap() >= first_of(number), "{broken:?}");
                    assert!(broken.record.is_some(), "{broken:?}");
                }
                None => assert!(!begins_before, "group {number} from {from}"),
            }
        }
    }
}
