//! A journal in a schema of its own, and a load that knows what it was promised.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use quorate_core::kernel::ids::{EntityId, IdempotencyKey, StreamId, StreamKind};
use quorate_core::kernel::time::Timestamp;
use quorate_journal::codec::AppendBuilder;
use quorate_journal::stores::postgres::PostgresStore;
use quorate_journal::stores::{DatabaseUrl, StoreOptions};
use quorate_journal::{
    Append, Appended, ChainHash, Due, Epoch, Fault, Pending, Position, Store, VerifyCursor,
};

/// Stores answer while they are polled.
pub fn now<T>(mut pending: Pending<'_, T>) -> Result<T, Fault> {
    match pending.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("a store answers when polled once"),
    }
}

pub fn options(url: &str) -> StoreOptions {
    let url = DatabaseUrl::of(url).unwrap();
    StoreOptions { lease: Duration::from_millis(600), ..StoreOptions::in_database(url) }
}

pub fn open(url: &str) -> Result<Arc<dyn Store>, Fault> {
    Ok(Arc::new(PostgresStore::open(&options(url))?))
}

/// Appends to streams in turn, one event each; every third with a key.
#[derive(Clone)]
pub struct Load {
    name: String,
    heads: Vec<(u64, ChainHash)>,
    /// How many were made.
    pub next: usize,
    /// The last position that was acknowledged.
    pub position: Position,
}

impl Load {
    pub fn new(name: &str) -> Self {
        Load { name: name.into(), heads: vec![(0, ChainHash::default()); 7], next: 0, position: 0 }
    }

    pub fn stream(&self, n: usize) -> StreamId {
        StreamId::new(StreamKind::Quorum, EntityId::new(format!("{}-{n}", self.name)).unwrap())
    }

    pub fn append(&mut self) -> Append {
        let n = self.next % self.heads.len();
        let stream = self.stream(n);
        let (revision, hash) = &mut self.heads[n];
        let mut builder = AppendBuilder::new(stream, *revision, *hash);
        builder.push(Timestamp::from_millis(self.next as i64), &format!("event {}", self.next)).unwrap();
        let due = if self.next.is_multiple_of(5) {
            Due::Clear
        } else {
            Due::At(Timestamp::from_millis(self.next as i64))
        };
        let key = self.next.is_multiple_of(3).then(|| format!("{}-key-{}", self.name, self.next));
        let append = builder.finish(due, key.map(|key| IdempotencyKey::new(key).unwrap()));
        (*revision, *hash) = (*revision + 1, append.hash);
        self.next += 1;
        append
    }

    /// Commits a group of so many; every position must be the next one.
    pub fn commit(&mut self, store: &dyn Store, epoch: Epoch, size: usize) -> Result<(), Fault> {
        let mut ahead = self.clone();
        let group: Vec<_> = (0..size).map(|_| ahead.append()).collect();
        let answers = now(store.commit(epoch, Timestamp::EPOCH, &group))?;
        for answer in answers {
            ahead.position += 1;
            assert_eq!(answer, Appended::Done(ahead.position));
        }
        *self = ahead;
        Ok(())
    }

    /// What was acknowledged is there, nothing twice and nothing else, and the chains hold.
    pub fn check(&self, store: &dyn Store) {
        assert_eq!(now(store.tip()).unwrap().position, self.position);
        for (n, (revision, hash)) in self.heads.iter().enumerate() {
            let head = now(store.head(&self.stream(n))).unwrap();
            assert_eq!(head.map(|head| (head.revision, head.hash)).unwrap_or_default(), (*revision, *hash));
        }
        let step = now(store.verify(VerifyCursor::default(), usize::MAX)).unwrap();
        assert_eq!((step.done, step.broken), (true, None));
        assert_eq!(now(store.scan(0, usize::MAX)).unwrap().len() as u64, self.position);
    }
}
