//! Proofs over what happened: that nothing was changed, that a record is in the log, and that the log only grew.

use quorate_proofs::Refusal;
use quorate_proofs::checkpoint::PublicKey;
use quorate_proofs::proof::{CONSISTENCY, INCLUSION};
use serde::Deserialize;
use serde_json::Value;

use super::dto::{
    BrokenView, CheckpointCheck, ConsistencyProof, EventView, LogCheckpoint, ProveConsistency, ProveRecord,
    RecordProof, Verified, VerifyHistory,
};
use super::event_view::event_view;
use super::history::{History, kind_of, stream_of};
use crate::error::{Error, ErrorKind};
use crate::journal::{Record, VerifyCursor};
use crate::shell::host::{Host, wait};
use crate::shell::transparency::{Contained, LogError, Signed};

/// Commit groups checked at a time.
const VERIFY_PAGE: usize = 1024;
/// What to do with a folder that does not open.
const ADVICE: &str = "`quorate recover DIR --to NEW` writes everything that is sound to a new folder; \
                      `--accept-loss` opens this one";

impl History<'_> {
    /// Checks every hash, link, position and sequence of the whole journal, and that it begins with what the newest
    /// checkpoint in the folder was signed over. `progress` hears how many commit groups are checked so far.
    ///
    /// # Errors
    /// The faults of the store; a broken journal is a result, not an error.
    pub async fn verify(&self, progress: impl FnMut(u64)) -> Result<Verified, Error> {
        self.verify_against(VerifyHistory::default(), progress).await
    }

    /// The same, and whether the journal contains a checkpoint that was kept elsewhere. One that it does not contain makes
    /// `ok` false.
    ///
    /// # Errors
    /// `invalid_argument` for a public key that is none; as [`History::verify`].
    pub async fn verify_against(
        &self,
        request: VerifyHistory,
        mut progress: impl FnMut(u64),
    ) -> Result<Verified, Error> {
        self.q.allow("history.verify", &request).await?;
        let key = request.public_key.as_deref().map(public_key).transpose()?;
        let mut at = VerifyCursor::default();
        let refusal = self.q.recovery_report().store.refusal.as_ref().map(|why| format!("{why}. {ADVICE}"));
        let (at, broken) = loop {
            let from = std::mem::take(&mut at);
            let step = self.q.host().blocking(move |store| wait(store.verify(from, VERIFY_PAGE))).await?;
            at = step.cursor;
            progress(at.group);
            if step.done || step.broken.is_some() {
                break (at, step.broken);
            }
        };
        let asked = request.checkpoint.is_some();
        let (log, given) = match &broken {
            // What cannot be read cannot be compared; the chain says where it breaks.
            Some(_) => {
                let why = || Some("the journal is broken before that".to_owned());
                (None, asked.then(|| Contained { size: None, why: why() }))
            }
            None => {
                let given: Vec<String> = request.checkpoint.into_iter().collect();
                let (own, mut all) = on_log(self.q.host(), move |host| {
                    host.transparency.contained(host.store.as_ref(), key.as_ref(), &given)
                })
                .await?;
                (own, all.pop())
            }
        };
        let fits = |check: &Option<Contained>| check.as_ref().is_none_or(|check| check.why.is_none());
        Ok(Verified {
            ok: broken.is_none() && fits(&log) && fits(&given),
            groups: at.group,
            records: at.position,
            streams: at.streams.len() as u64,
            tip_hash: at.hash.to_string(),
            broken: broken.map(|b| BrokenView {
                group: b.group,
                position: b.position,
                entity: b.record.as_ref().map(|(stream, _)| stream.to_string()),
                seq: b.record.map(|(_, seq)| seq),
                why: b.why,
            }),
            opens: refusal.is_none(),
            refusal,
            log: log.map(check_view),
            checkpoint: given.map(check_view),
        })
    }

    /// Signs a checkpoint over everything that is durable now, unless the newest is that already, and gives it. In a folder
    /// that is only read it gives the newest there is.
    ///
    /// # Errors
    /// `store_corrupt` when the journal is not what was signed before, `not_found` when a folder that is only read has no
    /// log, and the faults of the store.
    pub async fn checkpoint(&self) -> Result<LogCheckpoint, Error> {
        self.q.allow("history.checkpoint", &()).await?;
        let signed = on_log(self.q.host(), |host| host.transparency.advance(host.store.as_ref())).await?;
        let Signed { key, checkpoint, size } = signed;
        Ok(LogCheckpoint { origin: key.name().to_owned(), size, public_key: key.to_string(), checkpoint })
    }

    /// The proof that a record is in the log, under a checkpoint over everything that is durable now.
    ///
    /// # Errors
    /// `invalid_argument` unless a position, or an entity and a seq, are given; `not_found` for a record that is not there; as
    /// [`History::checkpoint`].
    pub async fn prove(&self, request: ProveRecord) -> Result<RecordProof, Error> {
        self.q.allow("history.prove", &request).await?;
        let kind = request.kind.as_deref().map(kind_of).transpose()?;
        let position = match (request.position, request.entity_id, request.seq) {
            (Some(position), None, None) => position,
            (None, Some(id), Some(seq)) => {
                let missing = || Error::new(ErrorKind::NotFound, "there is no such record").with("seq", seq);
                let before = seq.checked_sub(1).ok_or_else(missing)?;
                let found = self.q.host().blocking(move |store| {
                    let stream = stream_of(store, kind, &id)?;
                    wait(store.read(&stream, before, 1))
                });
                found.await?.pop().ok_or_else(missing)?.position
            }
            (position, _, _) => {
                return Err(Error::invalid(
                    "position",
                    position,
                    "a position alone, or an entity_id and a seq",
                ));
            }
        };
        let show = request.show.unwrap_or(true);
        let (proof, record) = on_log(self.q.host(), move |host| {
            host.transparency.inclusion(host.store.as_ref(), position, show)
        })
        .await?;
        let event = if show { Some(event_view(record)?) } else { None };
        let hides =
            |sight: super::hidden::Sight| event.clone().is_some_and(|mut event| sight.event(&mut event));
        if self.q.sight().is_some_and(hides) {
            // The bytes of the record would show what the event may not.
            let kept_back = on_log(self.q.host(), move |host| {
                host.transparency.inclusion(host.store.as_ref(), position, false)
            });
            return Ok(RecordProof { proof: kept_back.await?.0, event: None });
        }
        Ok(RecordProof { proof, event })
    }

    /// The proof that the log goes on from an older checkpoint: everything before it is there, unchanged and in its place.
    ///
    /// # Errors
    /// `invalid_argument` for a text that is no checkpoint of this log; `store_corrupt` when the log does not go on from it; as
    /// [`History::checkpoint`].
    pub async fn prove_consistency(&self, request: ProveConsistency) -> Result<ConsistencyProof, Error> {
        self.q.allow("history.consistency", &request).await?;
        let proof = on_log(self.q.host(), move |host| {
            host.transparency.consistency(host.store.as_ref(), request.old_checkpoint)
        });
        Ok(ConsistencyProof { proof: proof.await? })
    }
}

/// Does something with the log, on a thread that may block.
async fn on_log<T: Send + 'static>(
    host: &std::sync::Arc<Host>,
    act: impl FnOnce(&Host) -> Result<T, LogError> + Send + 'static,
) -> Result<T, Error> {
    let at_work = host.clone();
    host.blocking(move |_| Ok(act(&at_work))).await?.map_err(error_of)
}

fn error_of(error: LogError) -> Error {
    let message = error.to_string();
    match error {
        LogError::Fault(fault) => fault.into(),
        LogError::Refused(Refusal::Outside { field, given, low, high }) => {
            Error::invalid(field, given, &format!("{low} to {high}"))
        }
        LogError::Refused(Refusal::Tile { .. }) => Error::new(ErrorKind::StoreError, message),
        LogError::Refused(Refusal::Malformed { .. } | Refusal::Unsigned { .. } | Refusal::Misfit { .. }) => {
            Error::invalid("old_checkpoint", message, "a checkpoint that this log has signed")
        }
        LogError::Diverged(_) => Error::new(ErrorKind::StoreCorrupt, message),
        LogError::NoRecord(_) | LogError::NoLog => Error::new(ErrorKind::NotFound, message),
    }
}

fn check_view(check: Contained) -> CheckpointCheck {
    CheckpointCheck { contained: check.why.is_none(), size: check.size, why: check.why }
}

fn public_key(text: &str) -> Result<PublicKey, Error> {
    PublicKey::from_text(text).map_err(|e| Error::invalid("public_key", text, &e.to_string()))
}

/// What a proof has shown.
#[derive(Clone, Debug, PartialEq)]
pub enum CheckedProof {
    /// A record is in the log.
    Record {
        /// The name of the log.
        origin: String,
        /// How many records the checkpoint is signed over.
        size: u64,
        /// Place of the record in the global order.
        position: u64,
        /// Kind of the entity.
        kind: String,
        /// Which entity.
        entity_id: String,
        /// Place in the log of the entity.
        seq: u64,
        /// What happened; `None` when it is kept back.
        event: Option<Box<EventView>>,
    },
    /// The log goes on from an older checkpoint.
    Consistency {
        /// The name of the log.
        origin: String,
        /// How many records the older checkpoint is signed over.
        old_size: u64,
        /// How many the newer one.
        size: u64,
    },
}

/// Checks the text of a proof with the public key that is trusted. Needs no store and no runtime.
///
/// # Errors
/// `malformed_request` for a text that is no proof; `invalid_argument` for a key that is none; `proof_invalid` for a proof that
/// does not hold, with the reason.
pub fn check_proof(text: &str, key: &str) -> Result<CheckedProof, Error> {
    let key = public_key(key)?;
    let value: Value = super::json::read(text)?;
    let malformed = |why: String| Error::new(ErrorKind::MalformedRequest, format!("this is no proof. {why}"));
    let refused = |refusal: Refusal| Error::new(ErrorKind::ProofInvalid, refusal.to_string());
    let format = value["proof"]["format"].as_str().unwrap_or_default().to_owned();
    match format.as_str() {
        INCLUSION => {
            let file = RecordProof::deserialize(value).map_err(|e| malformed(e.to_string()))?;
            let shown = file.proof.check(&key).map_err(refused)?;
            let entry = shown.entry;
            let recorded = shown.payload.map(|payload| Record {
                position: entry.position,
                stream: entry.stream.clone(),
                seq: entry.seq,
                at: entry.at,
                by: shown.by.clone(),
                payload,
                hash: entry.record_hash,
                settles: false,
            });
            let recorded = recorded.map(event_view).transpose()?;
            // The event beside the proof is for reading: it must say what the proven bytes say.
            if file.event.is_some() && file.event != recorded {
                let why = "the event beside the proof is not the one that the record holds";
                return Err(Error::new(ErrorKind::ProofInvalid, why));
            }
            Ok(CheckedProof::Record {
                origin: key.name().to_owned(),
                size: shown.checkpoint.size,
                position: entry.position,
                kind: entry.stream.kind.name().to_owned(),
                entity_id: entry.stream.id.to_string(),
                seq: entry.seq,
                event: recorded.map(Box::new),
            })
        }
        CONSISTENCY => {
            let file = ConsistencyProof::deserialize(value).map_err(|e| malformed(e.to_string()))?;
            let (old, new) = file.proof.check(&key).map_err(refused)?;
            Ok(CheckedProof::Consistency {
                origin: key.name().to_owned(),
                old_size: old.size,
                size: new.size,
            })
        }
        other => Err(malformed(format!("format={other:?}, expected={INCLUSION:?} or {CONSISTENCY:?}"))),
    }
}
