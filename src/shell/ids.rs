//! Where new ids come from: random ones, or a seeded sequence when a run is to be repeatable.

use std::sync::Mutex;

use super::lock;
use crate::core::kernel::ids::EntityId;
use crate::core::kernel::rng::Rng;
use crate::core::kernel::shards::OneShard;
use crate::journal::Epoch;

/// Mints ids: those of a shard are such that what they name is on it.
#[derive(Debug)]
pub(crate) struct IdSource {
    source: Source,
    within: Option<OneShard>,
}

#[derive(Debug)]
enum Source {
    /// Version 4 UUIDs from the OS.
    Random,
    /// Version 4 UUIDs from a seed.
    Seeded(Mutex<Rng>),
}

impl IdSource {
    /// Seeded when a seed is given; each ownership of the journal mints ids of its own.
    pub(crate) fn new(seed: Option<u64>, epoch: Epoch, within: Option<OneShard>) -> Self {
        let source = match seed {
            Some(seed) => {
                let life = Rng::new(epoch).next_u64();
                Source::Seeded(Mutex::new(Rng::new(seed ^ life)))
            }
            None => Source::Random,
        };
        IdSource { source, within }
    }

    /// 256 random bits from the OS; from the seed only in virtual time, where nothing is worth a secret.
    ///
    /// # Errors
    /// When the OS gives none.
    pub(crate) fn mint_secret(&self, in_virtual_time: bool) -> Result<[u8; 32], getrandom::Error> {
        let mut secret = [0; 32];
        match &self.source {
            Source::Seeded(rng) if in_virtual_time => {
                let mut rng = lock(rng);
                secret.chunks_mut(16).for_each(|half| half.copy_from_slice(&rng.next_bytes()));
            }
            Source::Seeded(_) | Source::Random => getrandom::fill(&mut secret)?,
        }
        Ok(secret)
    }

    /// A fresh id.
    pub(crate) fn mint(&self) -> EntityId {
        loop {
            let id = self.any();
            if self.within.as_ref().is_none_or(|shard| shard.holds(id.as_str())) {
                return id;
            }
        }
    }

    fn any(&self) -> EntityId {
        let uuid = match &self.source {
            Source::Random => uuid::Uuid::new_v4(),
            Source::Seeded(rng) => uuid::Builder::from_random_bytes(lock(rng).next_bytes()).into_uuid(),
        };
        match EntityId::new(uuid.to_string()) {
            Ok(id) => id,
            Err(e) => unreachable!("a UUID is a valid id: {e}"),
        }
    }
}
