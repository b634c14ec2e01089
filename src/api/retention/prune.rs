//! Pruning: a data folder written anew without entities that have ended, while nobody serves it.
//!
//! ```text
//!  held folder ──► verified, with its newest checkpoint ──► chosen by the rule, less what is on hold
//!       └──► new folder: what is kept, leaves of what is not, and one record that says so ──► in its place
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use quorate_proofs::Hash;
use quorate_proofs::entry::Entry;
use quorate_proofs::tree::Tree;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::backup::now;
use super::super::on_thread;
use super::super::quorum::check_sentence;
use crate::core::jobs::gate::GateMachine;
use crate::core::jobs::manager::JobMachine;
use crate::core::jobs::worker::WorkerMachine;
use crate::core::kernel::ids::{EntityId, StreamId, StreamKind};
use crate::core::kernel::time::Timestamp;
use crate::core::trust::hook::HookMachine;
use crate::core::trust::retention::{Event, Pruned, Retention, RetentionMachine, Rule};
use crate::core::voting::proposal::ProposalMachine;
use crate::core::voting::quorum::QuorumMachine;
use crate::core::voting::session::SessionMachine;
use crate::error::Error;
use crate::journal::codec::AppendBuilder;
use crate::journal::{Due, Fault, Position, Store, VerifyCursor};
use crate::shell::host::wait;
use crate::shell::hosts::retention_id;
use crate::shell::log_files;
use crate::shell::memory::{is_over, read_state};
use crate::shell::subjects;
use crate::shell::supervisor::recovery::count_to_prune;
use crate::shell::transparency::{Nowhere, extend};
use crate::store::prune::Held;

/// Kinds whose entities end.
pub const KINDS_THAT_END: [StreamKind; 5] =
    [StreamKind::Quorum, StreamKind::Proposal, StreamKind::Session, StreamKind::Job, StreamKind::Gate];
/// The longest that anything can have ended ago.
pub const OLDEST: Duration = Duration::from_secs(366_000 * 86_400);
/// Most bytes of who prunes.
const MAX_BY: usize = 256;
/// Index entries, and groups, read at a time.
const PAGE: usize = 4_096;
/// Most entities on hold that are named.
const MOST_NAMED: usize = 100;

/// What to prune.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PruneRule {
    /// What ended so long ago, or longer; at most [`OLDEST`].
    pub older_than: Option<Duration>,
    /// Of these kinds alone; of every kind that ends, when empty. A job goes with its gate, so that either name means both.
    pub kinds: Vec<String>,
    /// Except those of each kind that ended last, so many.
    pub keep_last: Option<u64>,
    /// Who does it, up to 256 bytes; on record.
    pub by: Option<String>,
}

/// Ended entities of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PrunedKind {
    /// The kind.
    pub kind: String,
    /// How many of it.
    pub entities: u64,
    /// Their records.
    pub records: u64,
}

/// An entity that the rule chose and that a hold keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeptByHold {
    /// Its kind and id.
    pub entity: String,
    /// What is held: `all`, `kind:KIND` or `entity:ID`.
    pub hold: String,
    /// Why.
    pub reason: String,
}

/// What was pruned, or would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PruneReport {
    /// The folder.
    pub folder: PathBuf,
    /// Nothing was changed: this is what would be.
    pub dry_run: bool,
    /// Which pruning of this journal it is, from 1; none when nothing is to be pruned.
    pub pruning: Option<u64>,
    /// The rule in words.
    pub rule: String,
    /// What goes, by kind.
    pub kinds: Vec<PrunedKind>,
    /// How many entities that is.
    pub entities: u64,
    /// How many records that is.
    pub records: u64,
    /// Records there are.
    pub of_records: u64,
    /// The first 100 entities that the rule chose and that a hold keeps.
    pub held: Vec<KeptByHold>,
    /// How many those are in all.
    pub held_entities: u64,
    /// How many of them are not named; left out when all are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub held_unnamed: u64,
    /// Bytes on disk before.
    pub bytes_before: u64,
    /// Bytes on disk after; none for what only would be.
    pub bytes_after: Option<u64>,
    /// The old folder could not be removed: what is left of it lies here, and is of no use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_over: Option<PathBuf>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What the rule chose.
#[derive(Default)]
struct Chosen {
    streams: HashSet<StreamId>,
    kinds: BTreeMap<&'static str, (u64, u64)>,
    held: Vec<KeptByHold>,
    held_entities: u64,
    first: Position,
    last: Position,
}

/// Prunes a data folder, or with `dry_run` says what would be pruned. `progress` hears how many commit groups of how many are done.
///
/// # Errors
/// `invalid_argument` for a kind that does not end, for an age above [`OLDEST`] and for who is no name; `store_locked` while the folder has an owner, `store_corrupt` for a journal
/// that does not fit its hashes or its newest checkpoint: nothing is pruned of it; `store_error` when a disk does not answer.
pub async fn prune(
    folder: PathBuf,
    rule: PruneRule,
    dry_run: bool,
    mut progress: impl FnMut(u64, u64) + Send + 'static,
) -> Result<PruneReport, Error> {
    for kind in &rule.kinds {
        if !KINDS_THAT_END.iter().any(|known| known.name() == kind) {
            let names = KINDS_THAT_END.map(StreamKind::name).join(", ");
            let expected = format!("one of {names}: entities of the others do not end");
            return Err(Error::invalid("kind", kind.as_str(), &expected));
        }
    }
    check_sentence("by", rule.by.as_deref(), MAX_BY)?;
    if let Some(age) = rule.older_than.filter(|age| *age > OLDEST) {
        let expected = format!("at most {} days", OLDEST.as_secs() / 86_400);
        return Err(Error::invalid("older-than", format!("{} days", age.as_secs() / 86_400), &expected));
    }
    on_thread(move || prune_here(&folder, &rule, dry_run, &mut progress)).await
}

fn prune_here(
    folder: &Path,
    given: &PruneRule,
    dry_run: bool,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<PruneReport, Fault> {
    // Before it is opened: an open database takes room ahead.
    let bytes_before = bytes_of(folder);
    let held = Held::take(folder)?;
    let store = held.store();
    let tip = wait(store.tip())?;
    let at = now().max(tip.at);
    check(store, held.folder())?;
    let retention = read_state::<RetentionMachine>(store, &stream())?;
    let rule = Rule {
        older_than_ms: given.older_than.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
        kinds: meant(&given.kinds),
        keep_last: given.keep_last,
    };
    let chosen = choose(store, &rule, &retention, at)?;
    let number = retention.prunings.last_key_value().map_or(0, |(last, _)| *last) + 1;
    let records = chosen.kinds.values().map(|(_, records)| records).sum();
    let kinds = chosen.kinds.iter().map(|(kind, (entities, records))| PrunedKind {
        kind: (*kind).to_owned(),
        entities: *entities,
        records: *records,
    });
    let mut report = PruneReport {
        folder: folder.to_owned(),
        dry_run,
        pruning: (records > 0).then_some(number),
        rule: rule.to_string(),
        kinds: kinds.collect(),
        entities: chosen.streams.len() as u64,
        records,
        of_records: tip.position,
        held_unnamed: chosen.held_entities - chosen.held.len() as u64,
        held: chosen.held,
        held_entities: chosen.held_entities,
        bytes_before,
        bytes_after: None,
        left_over: None,
    };
    if dry_run || records == 0 {
        return Ok(report);
    }
    let epoch = wait(store.acquire("quorate prune"))?;
    let counted = count_to_prune(store)?;
    let mut rewrite = held.begin(number)?;
    rewrite.keep_projection(&counted.form, tip.position, &counted.bytes.0)?;
    loop {
        let (done, of) = rewrite
            .step(&held, &|stream| chosen.streams.contains(stream), &|record| Entry::from(record).leaf().0)?;
        progress(done, of);
        if done >= of {
            break;
        }
    }
    let event = Event::Pruned(Box::new(Pruned {
        number,
        rule,
        entities: chosen.kinds.iter().map(|(kind, (entities, _))| ((*kind).to_owned(), *entities)).collect(),
        records,
        first_position: chosen.first,
        last_position: chosen.last,
        upto: tip.position,
        root: hex(&root(store, tip.position)?),
        tip_hash: tip.hash.to_string(),
        by: given.by.clone(),
        at,
        counted,
    }));
    let head = wait(store.head(&stream()))?;
    let (expected, hash) = head.map_or((0, Default::default()), |head| (head.revision, head.hash));
    let mut append = AppendBuilder::new(stream(), expected, hash);
    append.push_by(at, None, &event)?;
    rewrite.add_last(epoch, at, &append.finish(Due::Unchanged, None))?;
    let place = held.folder().to_owned();
    let removed = held.replace_by(rewrite, epoch, |into| {
        log_files::take_along(&place, into)?;
        subjects::take_along(&place, into)
    })?;
    report.bytes_after = Some(bytes_of(&place));
    if !removed {
        let mut left = place.into_os_string();
        left.push(".pruning");
        report.left_over = Some(left.into());
    }
    Ok(report)
}

/// The kinds that are meant: a job and its gate are one thing to whoever names either.
fn meant(named: &[String]) -> Vec<String> {
    let both = [StreamKind::Job.name(), StreamKind::Gate.name()];
    let mut kinds = named.to_vec();
    if kinds.iter().any(|kind| both.contains(&kind.as_str())) {
        kinds.extend(
            both.iter().filter(|kind| !named.iter().any(|name| name == *kind)).map(|kind| (*kind).to_owned()),
        );
    }
    kinds
}

fn stream() -> StreamId {
    StreamId::new(StreamKind::Retention, retention_id())
}

fn hex(hash: &Hash) -> String {
    hash.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn root(store: &dyn Store, size: Position) -> Result<Hash, Fault> {
    let mut tree = Tree::new(Nowhere);
    let misfit = |e: &dyn std::fmt::Display| Fault::Corrupt { what: e.to_string() };
    extend(&mut tree, store, size).map_err(|e| misfit(&e))?;
    tree.root().map_err(|e| misfit(&e))
}

/// Checks every hash of a journal, and that it is the one whose newest checkpoint was signed: who prunes another would hide
/// for good what was done to it.
fn check(store: &dyn Store, folder: &Path) -> Result<(), Fault> {
    let mut cursor = VerifyCursor::default();
    loop {
        let step = wait(store.verify(cursor, PAGE))?;
        if let Some(broken) = step.broken {
            let what =
                format!("nothing is pruned of a damaged journal: {}. group={}", broken.why, broken.group);
            return Err(Fault::Corrupt { what });
        }
        cursor = step.cursor;
        if step.done {
            break;
        }
    }
    let (key, checkpoint) = (log_files::key_text(folder)?, log_files::checkpoint_text(folder)?);
    if let (Some(key), Some(checkpoint)) = (key, checkpoint)
        && !log_files::begins_with(store, &key, &checkpoint)?
    {
        let what = "nothing is pruned of a journal that is not the one whose checkpoint was signed; `quorate history verify` \
                    says more";
        return Err(Fault::Corrupt { what: what.into() });
    }
    Ok(())
}

/// The name of a job or gate, without its datacenter.
fn job_of(stream: &StreamId) -> Option<&str> {
    let id = stream.id.as_str();
    match stream.kind {
        StreamKind::Job => Some(id.rsplit_once('@').map_or(id, |(job, _)| job)),
        StreamKind::Gate => Some(id),
        _ => None,
    }
}

/// Why what a hook has not posted yet stays.
const UNDELIVERED: &str = "it may not have been posted yet";

/// The hooks that were not removed, and how far each has come.
fn hooks(store: &dyn Store) -> Result<Vec<(EntityId, Position)>, Fault> {
    let (mut streams, mut after) = (BTreeSet::new(), 0);
    loop {
        let page = wait(store.scan(after, PAGE))?;
        let Some(last) = page.last() else { break };
        after = last.position;
        let of_hooks = page.into_iter().filter(|record| record.stream.kind == StreamKind::Hook);
        streams.extend(of_hooks.map(|record| record.stream));
    }
    let mut hooks = Vec::new();
    for stream in streams {
        let hook = read_state::<HookMachine>(store, &stream)?;
        if hook.exists() && !hook.is_removed() {
            hooks.push((stream.id, hook.position));
        }
    }
    Ok(hooks)
}

/// Jobs of which something goes on, or that a worker still knows.
fn jobs_under_way(store: &dyn Store) -> Result<BTreeSet<String>, Fault> {
    let (mut jobs, mut after) = (BTreeSet::new(), None);
    loop {
        let page = wait(store.deadlines(after, PAGE))?;
        let Some(last) = page.last().cloned() else { return Ok(jobs) };
        for (_, stream) in &page {
            jobs.extend(job_of(stream).map(str::to_owned));
            if stream.kind == StreamKind::Worker {
                let worker = read_state::<WorkerMachine>(store, stream)?;
                jobs.extend(worker.jobs.iter().map(|(job, _)| job.as_str().to_owned()));
            }
        }
        after = Some(last);
    }
}

fn choose(store: &dyn Store, rule: &Rule, retention: &Retention, now: Timestamp) -> Result<Chosen, Fault> {
    let (under_way, owed) = (jobs_under_way(store)?, hooks(store)?);
    let (mut seen, mut ended) = (HashSet::new(), BTreeMap::<StreamKind, u64>::new());
    let mut candidates: Vec<StreamId> = Vec::new();
    // Ended entities of each job, and those of them that are chosen: a job goes as a whole.
    let mut families: HashMap<String, (u64, u64)> = HashMap::new();
    let mut chosen = Chosen::default();
    let mut before = Position::MAX;
    loop {
        let page = wait(store.settled_before(before, PAGE))?;
        let Some(oldest) = page.last() else { break };
        before = oldest.position;
        for end in page {
            // The newest end of an entity comes first.
            if !KINDS_THAT_END.contains(&end.stream.kind) || !seen.insert(end.stream.clone()) {
                continue;
            }
            if !is_ended(store, &end.stream, now)? {
                continue;
            }
            let family = job_of(&end.stream).map(str::to_owned);
            if let Some(job) = &family {
                families.entry(job.clone()).or_default().0 += 1;
            }
            let count = ended.entry(end.stream.kind).or_default();
            *count += 1;
            let is_last = rule.keep_last.is_some_and(|last| *count <= last);
            let age = u64::try_from(now.since(end.at).as_micros() / 1_000).unwrap_or(0);
            let is_young = rule.older_than_ms.is_some_and(|least| age < least);
            let kind = end.stream.kind.name();
            if is_last
                || is_young
                || !rule.kinds.is_empty() && !rule.kinds.iter().any(|wanted| wanted == kind)
            {
                continue;
            }
            // By the id by which people know it, or by its own.
            let hold = retention.holding(kind, &held_id(&end.stream));
            let hold = hold.or_else(|| retention.holding(kind, &end.stream.id));
            let hold = hold.map(|hold| (hold.scope.to_string(), hold.reason.clone()));
            let awaited = owed.iter().find(|(_, delivered)| end.position > *delivered);
            let kept =
                hold.or_else(|| awaited.map(|(hook, _)| (format!("hook {hook}"), UNDELIVERED.to_owned())));
            if let Some((hold, reason)) = kept {
                chosen.held_entities += 1;
                if chosen.held.len() < MOST_NAMED {
                    chosen.held.push(KeptByHold { entity: end.stream.to_string(), hold, reason });
                }
                continue;
            }
            if let Some(job) = family {
                if under_way.contains(&job) {
                    continue;
                }
                families.entry(job).or_default().1 += 1;
            }
            candidates.push(end.stream);
        }
    }
    for stream in candidates {
        if job_of(&stream).is_some_and(|job| families.get(job).is_some_and(|(all, going)| all != going)) {
            continue;
        }
        let records = wait(store.head(&stream))?.map_or(0, |head| head.revision);
        let (first, last) =
            (wait(store.read(&stream, 0, 1))?, wait(store.read(&stream, records.saturating_sub(1), 1))?);
        let (Some(first), Some(last)) = (first.first(), last.first()) else { continue };
        let count = chosen.kinds.entry(stream.kind.name()).or_default();
        count.0 += 1;
        count.1 += records;
        chosen.first = if chosen.first == 0 { first.position } else { chosen.first.min(first.position) };
        chosen.last = chosen.last.max(last.position);
        chosen.streams.insert(stream);
    }
    Ok(chosen)
}

/// The id by which people know an entity.
fn held_id(stream: &StreamId) -> EntityId {
    job_of(stream).and_then(|job| EntityId::stored(job).ok()).unwrap_or_else(|| stream.id.clone())
}

fn is_ended(store: &dyn Store, stream: &StreamId, now: Timestamp) -> Result<bool, Fault> {
    match stream.kind {
        StreamKind::Quorum => is_over::<QuorumMachine>(store, stream, now),
        StreamKind::Proposal => is_over::<ProposalMachine>(store, stream, now),
        StreamKind::Session => is_over::<SessionMachine>(store, stream, now),
        StreamKind::Job => is_over::<JobMachine>(store, stream, now),
        StreamKind::Gate => is_over::<GateMachine>(store, stream, now),
        StreamKind::Topology
        | StreamKind::Agent
        | StreamKind::Algorithms
        | StreamKind::Cell
        | StreamKind::Budget
        | StreamKind::Worker
        | StreamKind::Flow
        | StreamKind::Load
        | StreamKind::Durations
        | StreamKind::Voter
        | StreamKind::Identity
        | StreamKind::Datacenter
        | StreamKind::Route
        | StreamKind::Coordinate
        | StreamKind::Stops
        | StreamKind::Hook
        | StreamKind::Member
        | StreamKind::Subjects
        | StreamKind::Retention => Ok(false),
    }
}

/// Bytes that a folder takes on disk.
fn bytes_of(folder: &Path) -> u64 {
    let Ok(items) = fs::read_dir(folder) else { return 0 };
    let size = |item: fs::DirEntry| match item.metadata() {
        Ok(meta) if meta.is_dir() => bytes_of(&item.path()),
        #[cfg(unix)]
        Ok(meta) => std::os::unix::fs::MetadataExt::blocks(&meta) * 512,
        #[cfg(not(unix))]
        Ok(meta) => meta.len(),
        Err(_) => 0,
    };
    items.flatten().map(size).sum()
}
