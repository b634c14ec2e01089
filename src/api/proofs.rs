//! Proofs over what happened: that nothing was changed, that a record is in the log, and that the log only grew.

mod part;

use std::collections::BTreeMap;

use quorate_proofs::Refusal;
use quorate_proofs::checkpoint::{PublicKey, check_form};
use quorate_proofs::cosignature::WitnessKey;
use quorate_proofs::proof::{CONSISTENCY, INCLUSION};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Quorate;
use super::dto::{
    BrokenView, CheckpointCheck, ConsistencyProof, EventView, LogCheckpoint, ProveConsistency, ProveRecord,
    RecordProof, Verified, VerifyHistory,
};
use super::event_view::event_view;
use super::hidden::{Sight, is_secret};
use super::history::{History, kind_of, stream_of};
use super::sought::kind_meant;
use crate::core::kernel::ids::{StreamId, StreamKind};
use crate::core::trust::retention::RetentionMachine;
use crate::error::{Error, ErrorKind};
use crate::journal::{Broken, Fault, Record, Store, VerifyCursor};
use crate::shell::host::{Host, wait};
use crate::shell::hosts::retention_id;
use crate::shell::memory::read_state;
use crate::shell::transparency::{Compared, Contained, LogError, Signed};

/// Commit groups checked at a time.
const VERIFY_PAGE: usize = 1024;
/// What to do with a folder that does not open.
const ADVICE: &str = "`quorate recover DIR --to NEW` writes everything that is sound to a new folder; \
                      `--accept-loss` opens this one";

/// Records are gone of which no pruning says that it took them, or are there of which one says so.
fn unsaid(store: &dyn Store, found: &BTreeMap<u64, u64>) -> Result<Option<String>, Fault> {
    let stream = StreamId::new(StreamKind::Retention, retention_id());
    let prunings = read_state::<RetentionMachine>(store, &stream)?.prunings;
    let said: BTreeMap<u64, u64> = prunings
        .iter()
        .filter(|(_, pruning)| pruning.records > 0)
        .map(|(number, p)| (*number, p.records))
        .collect();
    let differs = said.keys().chain(found.keys()).find(|number| said.get(number) != found.get(number));
    Ok(differs.map(|number| {
        let count = |of: &BTreeMap<u64, u64>| of.get(number).copied().unwrap_or(0);
        format!(
            "as many records are gone as no pruning says. pruning={number}, said={}, found={}",
            count(&said),
            count(found)
        )
    }))
}

/// Why the folder cannot be opened, and what to do.
fn refusal(q: &Quorate) -> Option<String> {
    q.recovery_report().store.refusal.as_ref().map(|why| format!("{why}. {ADVICE}"))
}

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
    /// `invalid_argument` for a public key or a checkpoint that is none, and for a checkpoint without a key to check it by; as
    /// [`History::verify`].
    pub async fn verify_against(
        &self,
        request: VerifyHistory,
        mut progress: impl FnMut(u64),
    ) -> Result<Verified, Error> {
        self.q.allow("history.verify", &request).await?;
        let key = request.public_key.as_deref().map(public_key).transpose()?;
        if let Some(part) = part::asked(&request)? {
            return part::verify(self.q, part, key, progress).await;
        }
        let given = request.checkpoint.map(|text| whole_checkpoint("checkpoint", text)).transpose()?;
        let mut at = VerifyCursor::default();
        let refusal = refusal(self.q);
        let (at, broken) = loop {
            let from = std::mem::take(&mut at);
            let step = self.q.host().blocking(move |store| wait(store.verify(from, VERIFY_PAGE))).await?;
            at = step.cursor;
            progress(at.group);
            if step.done || step.broken.is_some() {
                break (at, step.broken);
            }
        };
        let (pruned, broken) = match broken {
            None => {
                let found = at.pruned.clone();
                let unsaid = self.q.host().blocking(move |store| unsaid(store, &found)).await?;
                let broken = |why| Broken { group: at.group, position: None, record: None, why };
                (at.pruned.values().sum::<u64>(), unsaid.map(broken))
            }
            broken => (at.pruned.values().sum(), broken),
        };
        let given: Vec<String> = given.into_iter().collect();
        let compared = match &broken {
            // What cannot be read cannot be compared; the chain says where it breaks.
            Some(_) => {
                let why = || Some("the journal is broken before that".to_owned());
                let unread = |_: &String| Contained { size: None, why: why() };
                Compared { given: given.iter().map(unread).collect(), ..Compared::default() }
            }
            None => {
                on_log(self.q.host(), move |host| {
                    host.transparency.contained(host.store.as_ref(), key.as_ref(), &given)
                })
                .await?
            }
        };
        let Compared { own: log, unread: log_unread, given } = compared;
        let given = given.into_iter().next();
        let fits = |check: &Option<Contained>| check.as_ref().is_none_or(|check| check.why.is_none());
        Ok(Verified {
            ok: broken.is_none() && fits(&log) && fits(&given),
            groups: at.group,
            records: at.position,
            pruned: (pruned > 0).then_some(pruned),
            streams: at.streams.len() as u64,
            tip_hash: at.hash.to_string(),
            broken: broken.map(broken_view),
            opens: refusal.is_none(),
            refusal,
            log: log.map(check_view),
            log_unread,
            checkpoint: given.map(check_view),
            part: None,
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
    /// `invalid_argument` unless a position, or an entity and a seq, are given, and for an id that more than one kind has
    /// where no kind is given; `not_found` for a record that is not there; as
    /// [`History::checkpoint`].
    pub async fn prove(&self, request: ProveRecord) -> Result<RecordProof, Error> {
        self.q.allow("history.prove", &request).await?;
        let kind = request.kind.as_deref().map(kind_of).transpose()?;
        let position = match (request.position, request.entity_id, request.seq) {
            (Some(position), None, None) => position,
            (None, Some(id), Some(seq)) => {
                let missing = || Error::new(ErrorKind::NotFound, "there is no such record").with("seq", seq);
                let before = seq.checked_sub(1).ok_or_else(missing)?;
                let kind = kind_meant(self.q.host(), kind, &id).await?;
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
        let hides = |sight: Sight| event.clone().is_some_and(|mut event| sight.event(&mut event));
        if event.as_ref().is_some_and(is_secret) || self.q.sight().is_some_and(hides) {
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
        let old = whole_checkpoint("old_checkpoint", request.old_checkpoint)?;
        let proof = on_log(self.q.host(), move |host| {
            let asked = old.clone();
            match host.transparency.consistency(host.store.as_ref(), asked) {
                Err(LogError::Refused(refusal @ Refusal::Unsigned { .. })) => {
                    Ok(Err(not_one("old_checkpoint", old, "a checkpoint that this log has signed", &refusal)))
                }
                proof => proof.map(Ok),
            }
        });
        Ok(ConsistencyProof { proof: proof.await?? })
    }
}

/// Does something with the log, on a thread that may block.
pub(super) async fn on_log<T: Send + 'static>(
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
        LogError::Refused(
            Refusal::Tile { .. }
            | Refusal::Malformed { .. }
            | Refusal::Unsigned { .. }
            | Refusal::Misfit { .. },
        ) => Error::new(ErrorKind::StoreError, message),
        LogError::NoKey(_) => Error::invalid(
            "public_key",
            Value::Null,
            "the public key of the log, for the checkpoint that is given",
        )
        .with("cause", message),
        LogError::Diverged(_) => Error::new(ErrorKind::StoreCorrupt, message),
        LogError::NoRecord(_) => Error::new(ErrorKind::NotFound, message),
        LogError::NoLog => Error::new(ErrorKind::NotFound, message).advising(
            "serve the folder once (`quorate serve --data DIR`), and ask while it is served or after",
        ),
    }
}

fn broken_view(broken: Broken) -> BrokenView {
    BrokenView {
        group: broken.group,
        position: broken.position,
        entity: broken.record.as_ref().map(|(stream, _)| stream.to_string()),
        seq: broken.record.map(|(_, seq)| seq),
        why: broken.why,
    }
}

fn check_view(check: Contained) -> CheckpointCheck {
    CheckpointCheck { contained: check.why.is_none(), size: check.size, why: check.why }
}

pub(super) fn public_key(text: &str) -> Result<PublicKey, Error> {
    let expected = "the public key of a log, NAME+HASH+BASE64, as `history checkpoint` gives it";
    PublicKey::from_text(text).map_err(|e| not_one("public_key", text.to_owned(), expected, &e))
}

/// A given text as a checkpoint. The end of its last line may be missing: `$(cat FILE)` of a shell takes it away.
fn whole_checkpoint(field: &str, mut text: String) -> Result<String, Error> {
    if !text.ends_with('\n') {
        text.push('\n');
    }
    match check_form(&text) {
        Ok(()) => Ok(text),
        Err(e) => {
            Err(not_one(field, text, "the whole text of a checkpoint, as `history checkpoint` gives it", &e))
        }
    }
}

fn not_one(field: &str, text: String, expected: &str, refusal: &Refusal) -> Error {
    Error::invalid(field, text.trim_end(), expected).with("cause", refusal.to_string())
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
            let mut file = RecordProof::deserialize(value).map_err(|e| malformed(e.to_string()))?;
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
            // Older proofs do not flag what was refused.
            if let (Some(beside), Some(proven)) = (&mut file.event, &recorded) {
                beside.refused |= proven.refused;
            }
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

/// Checks the newest checkpoint in a data folder by the key beside it, and gives how many records it is signed over; none when
/// the folder has no log, 0 when nothing is signed yet. Reads two small files, and not the journal.
///
/// # Errors
/// `proof_invalid` for a checkpoint that the key did not sign, `store_corrupt` for a key that is none, `store_error` when a file
/// cannot be read.
#[cfg(feature = "store-sled")]
pub fn signed_size(folder: &std::path::Path) -> Result<Option<u64>, Error> {
    use crate::shell::log_files;
    let Some(key) = log_files::public_key(folder)? else { return Ok(None) };
    let Some(text) = log_files::checkpoint_text(folder)? else { return Ok(Some(0)) };
    match key.read(&text) {
        Ok(checkpoint) => Ok(Some(checkpoint.size)),
        Err(refusal) => Err(Error::new(ErrorKind::ProofInvalid, refusal.to_string())),
    }
}

/// What a checkpoint says, and who saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckedCheckpoint {
    /// The name of the log.
    pub origin: String,
    /// How many records it is signed over.
    pub size: u64,
    /// The root of the tree over them, in base64.
    pub root: String,
    /// The witnesses that were asked for, each of which saw it.
    pub witnesses: Vec<WitnessSeen>,
}

/// That a witness saw a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WitnessSeen {
    /// Its name.
    pub witness: String,
    /// When, by its own clock, in seconds since 1970.
    pub time: u64,
}

/// Checks a signed checkpoint with the public key of the log, and with those of witnesses (C2SP tlog-cosignature), all of which must
/// have cosigned it. Needs no store and no runtime.
///
/// # Errors
/// `invalid_argument` for a key that is none; `malformed_request` for a text that is no checkpoint; `proof_invalid` without the
/// signature of the log, or of a witness, that fits.
pub fn check_checkpoint(text: &str, key: &str, witnesses: &[String]) -> Result<CheckedCheckpoint, Error> {
    let key = public_key(key)?;
    let refused = |refusal: Refusal| match refusal {
        Refusal::Malformed { .. } => Error::new(ErrorKind::MalformedRequest, refusal.to_string()),
        other => Error::new(ErrorKind::ProofInvalid, other.to_string()),
    };
    let checkpoint = key.read(text).map_err(refused)?;
    let mut seen = Vec::with_capacity(witnesses.len());
    for witness in witnesses {
        let witness = WitnessKey::from_text(witness)
            .map_err(|e| Error::invalid("witness", witness.as_str(), &e.to_string()))?;
        let (_, cosignature) = witness.read(&key, text).map_err(refused)?;
        seen.push(WitnessSeen { witness: cosignature.witness, time: cosignature.time });
    }
    Ok(CheckedCheckpoint {
        origin: key.name().to_owned(),
        size: checkpoint.size,
        root: checkpoint.root.to_string(),
        witnesses: seen,
    })
}
