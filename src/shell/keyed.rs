//! What an idempotency key was first used for, read from the journal.

use serde::de::DeserializeOwned;

use super::host::{Host, wait};
use crate::core::kernel::ids::StreamId;
use crate::core::kernel::keyed::KeyedRequest;
use crate::journal::Fault;
use crate::journal::codec::decode;

/// The request that opened an entity stands right behind what else was asked for with it, in one of its first records, if
/// anywhere: after the opening, the operation it allows, the answer it asks for, and its reminders.
const RECORDS: usize = 5;

/// The request with a key that opened an entity; none when it was opened before requests were kept.
///
/// # Errors
/// The faults of the store.
pub(crate) async fn keyed_request<E: DeserializeOwned>(
    host: &Host,
    stream: &StreamId,
    find: impl Fn(&E) -> Option<KeyedRequest> + Send + 'static,
) -> Result<Option<KeyedRequest>, Fault> {
    let stream = stream.clone();
    host.blocking(move |store| {
        for record in wait(store.read(&stream, 0, RECORDS))? {
            if let Some(kept) = find(&decode(&record.payload)?) {
                return Ok(Some(kept));
            }
        }
        Ok(None)
    })
    .await
}
