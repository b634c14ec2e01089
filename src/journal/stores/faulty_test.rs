use super::*;
use crate::codec::AppendBuilder;
use crate::stores::memory::MemoryStore;
use crate::{ChainHash, Due};
use quorate_core::kernel::ids::{EntityId, StreamKind};

fn now<T>(mut pending: Pending<'_, T>) -> Result<T, Fault> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match pending.as_mut().poll(&mut context) {
        std::task::Poll::Ready(answer) => answer,
        std::task::Poll::Pending => panic!("the memory store answers at once"),
    }
}

fn append(name: &str) -> Append {
    let stream = StreamId::new(StreamKind::Quorum, EntityId::new(name).unwrap());
    let mut builder = AppendBuilder::new(stream, 0, ChainHash::default());
    builder.push(Timestamp::EPOCH, &"event").unwrap();
    builder.finish(Due::Unchanged, None)
}

#[test]
fn each_kind_leaves_what_it_says_and_later_calls_work_unless_cut() {
    for (kind, records, later_work) in [
        (FaultKind::FailBefore, 0, true),
        (FaultKind::FailAfter, 4, true),
        (FaultKind::CutBefore, 0, false),
        (FaultKind::CutAfter, 4, false),
        (FaultKind::CutInside, 2, false),
    ] {
        let memory = MemoryStore::new();
        let store = FaultyStore::with_fault(Arc::new(memory.reopen()), 2, kind);
        let epoch = now(store.acquire("a")).unwrap();
        let group = ["a", "b", "c", "d"].map(append);
        let answer = now(store.commit(epoch, Timestamp::EPOCH, &group));
        assert!(matches!(answer, Err(Fault::Unavailable { .. })), "{kind:?}");
        assert_eq!(now(memory.tip()).unwrap().position, records, "{kind:?}");
        assert_eq!(now(store.tip()).is_ok(), later_work, "{kind:?}");
        assert_eq!(store.calls(), 3);
    }
}

#[test]
fn a_cut_inside_a_commit_does_not_part_joined_appends() {
    let memory = MemoryStore::new();
    let store = FaultyStore::with_fault(Arc::new(memory.reopen()), 2, FaultKind::CutInside);
    let epoch = now(store.acquire("a")).unwrap();
    let mut group = ["a", "b", "c", "d"].map(append);
    group[2].joined = true;
    assert!(now(store.commit(epoch, Timestamp::EPOCH, &group)).is_err());
    assert_eq!(now(memory.tip()).unwrap().position, 1);
}
