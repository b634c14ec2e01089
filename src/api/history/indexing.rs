//! The terms by which a record is found, and who has them put into the index.
//!
//! A record that fits a filter has the terms of the filter; that it has them does not say that it fits, so it is read and looked
//! at as any other. Everything that is said in a record is a term, whatever member it is said in, so that the members which a
//! filter looks at may change. What is said elsewhere, as the cell of a quorum in its first record, is a term of each record of
//! the log.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::super::event_view::event_view;
use super::about::{Abouts, about};
use super::lore;
use crate::core::kernel::ids::{MAX_ID_BYTES, StreamKind};
use crate::error::Error;
use crate::journal::{Fault, Record, Store};
use crate::shell::host::Host;
use crate::shell::index::{Index, term};
use crate::shell::subjects::seal::marks_in;

/// Parts of what is said.
const TEXT: u8 = 0;
const KIND: u8 = 1;
const EVENT: u8 = 2;
const IDENTITY: u8 = 3;
const SUBJECT: u8 = 4;

/// The index is brought up to date so long after the first record behind it.
const AFTER: Duration = Duration::from_millis(900);
/// What entities are about is remembered of so many; above it all are forgotten, and read again.
const ABOUTS: usize = 65_536;

/// The term of what is said somewhere in a record; none for what is longer than any name.
pub(super) fn text(said: &str) -> Option<u64> {
    (said.len() <= MAX_ID_BYTES).then(|| term(TEXT, said))
}

/// The term of an identity under which records were made.
pub(super) fn identity(by: &str) -> u64 {
    term(IDENTITY, by)
}

/// The term of what is sealed for a data subject, by how all of it begins.
pub(super) fn sealed(mark: &str) -> u64 {
    term(SUBJECT, mark)
}

/// The term of a kind.
pub(super) fn kind(kind: StreamKind) -> u64 {
    term(KIND, kind.name())
}

/// The term of an event, by the name it is shown under.
pub(super) fn event(name: &str) -> u64 {
    term(EVENT, name)
}

/// Puts the terms of a record behind the others.
fn terms_of(
    store: &dyn Store,
    abouts: &mut Abouts,
    record: Record,
    terms: &mut Vec<u64>,
) -> Result<(), Fault> {
    let stream = record.stream.clone();
    terms.extend(record.by.as_ref().map(|by| identity(by.as_str())));
    terms.push(kind(stream.kind));
    terms.extend(text(stream.id.as_str()));
    if stream.kind == StreamKind::Job {
        let place = stream.id.as_str().rsplit_once('@').map(|(_, place)| place);
        terms.extend(place.and_then(text));
    }
    if !lore::of(stream.kind).about.is_empty() {
        if abouts.len() >= ABOUTS {
            abouts.clear();
        }
        terms.extend(about(store, abouts, &stream)?.as_deref().and_then(text));
    }
    terms.extend(marks_in(&record.payload).into_iter().map(sealed));
    let view = event_view(record)?;
    terms.push(event(&view.event));
    said(&view.data, terms);
    Ok(())
}

/// The terms of every text and every name of a member.
fn said(data: &Value, terms: &mut Vec<u64>) {
    match data {
        Value::String(said) => terms.extend(text(said)),
        Value::Array(items) => items.iter().for_each(|item| said(item, terms)),
        Value::Object(fields) => {
            for (name, value) in fields {
                terms.extend(text(name));
                said(value, terms);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Brings the index up to date, as far as it is done here.
fn advance(index: &Index, store: &dyn Store, stop: &dyn Fn() -> bool) -> Result<(), Fault> {
    let mut abouts = Abouts::new();
    index.advance(store, &mut |record, terms| terms_of(store, &mut abouts, record, terms), stop)
}

/// The index, brought up to date where nobody else does that.
pub(super) async fn at_hand(host: &Host) -> Result<Option<Arc<Index>>, Error> {
    let index = host.index.clone();
    if host.clock.is_manual() && !host.reads_only {
        let made = index.clone();
        let advanced = move |store: &dyn Store| {
            tell(advance(&made, store, &|| false));
            Ok(())
        };
        host.blocking(advanced).await?;
    }
    Ok(Some(index))
}

/// A record that cannot be read is found by whoever asks for it, and no question fails for the index.
fn tell(done: Result<(), Fault>) {
    if let Err(fault) = done {
        tracing::warn!(%fault, "the index of history does not go on; questions read more for it");
    }
}

/// Has the index brought up to date from now on. Where time stands, whoever asks does that.
pub(in crate::api) fn keep_indexed(host: &Arc<Host>) {
    if !host.reads_only && !host.clock.is_manual() {
        host.tokio.spawn(follow(host.clone()));
    }
}

/// Brings the index up to date until the runtime closes.
async fn follow(host: Arc<Host>) {
    let mut bell = host.bell.subscribe();
    // What an earlier process did not come to index.
    bell.mark_changed();
    while bell.changed().await.is_ok() {
        tokio::time::sleep(AFTER).await;
        if host.is_closing() || host.writer.failure().is_some() {
            return;
        }
        bell.mark_unchanged();
        let at_work = host.clone();
        let done = tokio::task::spawn_blocking(move || {
            let stop = || at_work.is_closing() || at_work.writer.failure().is_some();
            tell(advance(&at_work.index, at_work.store.as_ref(), &stop));
        });
        if done.await.is_err() {
            return;
        }
    }
}
