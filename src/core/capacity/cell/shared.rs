//! A value that is cheap to copy and is really copied only when one of the copies is written to.
//!
//! A decision works on copies of the states it concerns and most often touches little of them. With its parts shared,
//! copying a cell costs a handful of counters, whatever waits there and however much is lent; the decision pays for
//! what it changes. Applying its events afterwards costs no copy at all, since by then the decision's own is gone.
//!
//! Stored as the value itself.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value, shared with the copies of it until it is written to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Shared<T>(Arc<T>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Shared(self.0.clone())
    }
}

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Shared(Arc::new(value))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

impl<'a, T> IntoIterator for &'a Shared<T>
where
    &'a T: IntoIterator,
{
    type Item = <&'a T as IntoIterator>::Item;
    type IntoIter = <&'a T as IntoIterator>::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        self.0.as_ref().into_iter()
    }
}

impl<T: Serialize> Serialize for Shared<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Shared<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Shared::from)
    }
}

#[test]
fn a_copy_that_is_written_to_leaves_the_other_as_it_was() {
    let first = Shared::from(vec![1]);
    let mut second = first.clone();
    assert!(Arc::ptr_eq(&first.0, &second.0));
    second.push(2);
    assert_eq!((first.as_slice(), second.as_slice()), (&[1][..], &[1, 2][..]));
    let stored = serde_json::to_string(&second).unwrap();
    assert_eq!(stored, "[1,2]");
    assert_eq!(serde_json::from_str::<Shared<Vec<i32>>>(&stored).unwrap(), second);
}
