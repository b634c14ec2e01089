use super::*;
use crate::Due;
use crate::codec::AppendBuilder;
use quorate_core::kernel::ids::{EntityId, StreamKind};

fn now<T>(mut pending: Pending<'_, T>) -> Result<T, Fault> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match pending.as_mut().poll(&mut context) {
        std::task::Poll::Ready(answer) => answer,
        std::task::Poll::Pending => panic!("the memory store answers at once"),
    }
}

fn append(name: &str, revision: Seq, hash: ChainHash, event: &str) -> Append {
    let stream = StreamId::new(StreamKind::Quorum, EntityId::new(name).unwrap());
    let mut builder = AppendBuilder::new(stream, revision, hash);
    builder.push(Timestamp::EPOCH, &event).unwrap();
    builder.finish(Due::Unchanged, None)
}

#[test]
fn committed_groups_survive_a_crash_and_the_new_handle_is_not_closed() {
    let store = MemoryStore::new();
    let epoch = now(store.acquire("a")).unwrap();
    let first = append("q", 0, ChainHash::default(), "one");
    now(store.commit(epoch, Timestamp::EPOCH, std::slice::from_ref(&first))).unwrap();
    now(store.close()).unwrap();
    assert!(matches!(now(store.commit(epoch, Timestamp::EPOCH, &[])), Err(Fault::Unavailable { .. })));
    let store = store.reopen();
    assert_eq!(now(store.head(&first.stream)).unwrap().unwrap().revision, 1);
    let second = append("q", 1, first.hash, "two");
    assert_eq!(now(store.commit(epoch, Timestamp::EPOCH, &[second])).unwrap(), [Appended::Done(2)]);
}

#[test]
fn a_flipped_bit_is_pinned_to_its_record() {
    let store = MemoryStore::new();
    let epoch = now(store.acquire("a")).unwrap();
    let first = append("q", 0, ChainHash::default(), "first");
    let second = append("q", 1, first.hash, "second");
    now(store.commit(epoch, Timestamp::EPOCH, &[first.clone(), second])).unwrap();
    assert_eq!(now(store.verify(VerifyCursor::default(), 9)).unwrap().broken, None);
    {
        let mut disk = lock(&store.disk);
        let mut bytes = disk.groups[0].to_vec();
        let at = bytes.windows(6).position(|w| w == b"second").unwrap();
        bytes[at] ^= 1;
        disk.groups[0] = bytes.into();
    }
    let broken = now(store.verify(VerifyCursor::default(), 9)).unwrap().broken.unwrap();
    assert_eq!((broken.group, broken.position, broken.record), (1, Some(2), Some((first.stream, 2))));
}

#[test]
fn the_journal_clock_never_goes_back() {
    let store = MemoryStore::new();
    let epoch = now(store.acquire("a")).unwrap();
    let late = Timestamp::from_millis(50);
    let first = append("q", 0, ChainHash::default(), "one");
    now(store.commit(epoch, late, std::slice::from_ref(&first))).unwrap();
    now(store.commit(epoch, Timestamp::EPOCH, &[append("q", 1, first.hash, "two")])).unwrap();
    assert_eq!(now(store.tip()).unwrap().at, late);
}
