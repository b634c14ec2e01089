//! The doors of a journal of several shards: a request that is sent elsewhere goes there, as it is, so that a repeat is known as
//! such. While a shard is taken over nobody has it; then the request is tried again like one that no server heard.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};

use super::again::{CUT_OFF, UNHEARD, Way};
use super::client::Client;
use super::{ConnectOptions, client_of};
use crate::api::ops::Operation;
use crate::error::{Error, ErrorKind};

/// How often one request is sent on: shards may change hands meanwhile.
const HOPS: usize = 4;

/// The server that was named, and those it sent to.
#[derive(Debug)]
pub(super) struct Doors {
    home: Arc<Client>,
    options: ConnectOptions,
    others: Mutex<BTreeMap<String, Arc<Client>>>,
}

impl Doors {
    pub(super) fn new(options: ConnectOptions) -> Result<Self, Error> {
        let home = Arc::new(client_of(&options)?);
        Ok(Doors { home, options, others: Mutex::default() })
    }

    /// The server that was named.
    pub(super) fn home(&self) -> &Arc<Client> {
        &self.home
    }

    /// Where the error sends to. Never from where a certificate was asked for to where none is.
    fn sent_to(&self, error: &Error) -> Option<Arc<Client>> {
        let address = error.detail("address")?.as_str()?;
        let scheme = |url: &str| url.split_once("://").map(|(scheme, _)| scheme.to_owned());
        if self.options.url().and_then(scheme) != scheme(address) {
            return None;
        }
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = others.get(address) {
            return Some(known.clone());
        }
        let client = client_of(&ConnectOptions { to: address.into(), ..self.options.clone() }).ok()?;
        Some(others.entry(address.to_owned()).or_insert_with(|| Arc::new(client)).clone())
    }

    /// The others, where the one that was named is away.
    fn instead(&self) -> Vec<Arc<Client>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

impl Way for Doors {
    async fn once(&self, op: &'static Operation, fields: Map<String, Value>) -> Result<Value, Error> {
        let mut instead = None;
        let mut at = self.home.clone();
        let mut hops = 0;
        loop {
            let error = match at.call(op, fields.clone()).await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            match error.kind() {
                ErrorKind::ShardUnowned => return Err(error.with(UNHEARD, true)),
                ErrorKind::OwnedElsewhere => {
                    let Some(next) = self.sent_to(&error) else { return Err(error) };
                    hops += 1;
                    if hops > HOPS {
                        return Err(error.with(UNHEARD, true));
                    }
                    at = next;
                }
                _ if error.detail(UNHEARD).is_some() && error.detail(CUT_OFF).is_none() => {
                    // Any of them knows who has the shard.
                    let Some(next) = instead.get_or_insert_with(|| self.instead()).pop() else {
                        return Err(error);
                    };
                    at = next;
                }
                _ => return Err(error),
            }
        }
    }
}
