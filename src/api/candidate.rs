//! Choosing among candidates: what is declared of each, and choices that are on record with their reasons.

use std::collections::BTreeMap;

use super::Quorate;
use super::dto::{CandidateRegistered, CandidatesSelected, ChosenView, RegisterCandidate, SelectCandidates};
use super::quorum::{MAX_LABEL, check_label};
use super::session_plan::{millionths, whole};
use crate::core::kernel::ids::{EntityId, VoterId};
use crate::core::voting::reliability::factors::Context;
use crate::core::voting::selection::{self, Rated, Selection, Settings, Wanted};
use crate::core::voting::statistics::Unfit;
use crate::core::voting::voter::{Command, Considered, Profile, Rejection, Reply};
use crate::error::{Error, ErrorKind};
use crate::shell::entity::Action;
use crate::shell::lock;
use crate::shell::runtime::ask;

/// Most candidates of one choice, and most metrics or traits of one candidate.
const MOST: (usize, usize) = (1_000, 64);
/// Greatest amount of a metric.
const METRIC: f64 = 1e9;

/// Operations on candidates.
#[derive(Clone, Copy, Debug)]
pub struct Candidates<'a> {
    pub(super) q: &'a Quorate,
}

fn unfit(unfit: Unfit) -> Error {
    Error::invalid(&unfit.field, unfit.value, &unfit.range)
}

fn share(field: &str, given: f64) -> Result<u32, Error> {
    // A share is at most a million of millionths.
    Ok(millionths(field, given, 1.0)? as u32)
}

fn check_names<'n>(field: &str, names: impl ExactSizeIterator<Item = &'n String>) -> Result<(), Error> {
    if names.len() > MOST.1 {
        return Err(Error::invalid(field, names.len(), &format!("up to {}", MOST.1)));
    }
    names.into_iter().try_for_each(|name| check_label(field, Some(name), MAX_LABEL))
}

fn profile(request: &RegisterCandidate) -> Result<Profile, Error> {
    check_label("kind", Some(&request.kind), MAX_LABEL)?;
    let (metrics, traits) = (request.metrics.iter().flatten(), request.traits.iter().flatten());
    let metrics: BTreeMap<&String, &f64> = metrics.collect();
    let traits: BTreeMap<&String, &f64> = traits.collect();
    check_names("metrics", metrics.keys().copied())?;
    check_names("traits", traits.keys().copied())?;
    let metric = |(name, value): (&String, &f64)| {
        let field = format!("metrics.{name}");
        let magnitude = millionths(&field, value.abs(), METRIC)?;
        let magnitude = i64::try_from(magnitude).unwrap_or(i64::MAX);
        Ok((name.clone(), if *value < 0.0 { -magnitude } else { magnitude }))
    };
    let of_trait =
        |(name, value): (&String, &f64)| Ok((name.clone(), share(&format!("traits.{name}"), *value)?));
    Ok(Profile {
        kind: request.kind.clone(),
        fitness: share("fitness", request.fitness)?,
        metrics: metrics.into_iter().map(metric).collect::<Result<_, Error>>()?,
        traits: traits.into_iter().map(of_trait).collect::<Result<_, Error>>()?,
    })
}

fn settings(request: &SelectCandidates) -> Result<Settings, Error> {
    let usual = Settings::default();
    let mut criteria = usual.criteria.clone();
    let known: Vec<&str> = criteria.iter().map(|criterion| criterion.name).collect();
    let given = request.criteria.iter().flatten().map(|(name, _)| ("criteria", name));
    let defaulted = request.defaults.iter().flatten().map(|(name, _)| ("defaults", name));
    if let Some((field, name)) = given.chain(defaulted).find(|(_, name)| !known.contains(&name.as_str())) {
        return Err(Error::invalid(field, name.as_str(), &format!("one of {}", known.join(", "))));
    }
    for criterion in &mut criteria {
        if let Some(weight) = request.criteria.as_ref().and_then(|given| given.get(criterion.name)) {
            criterion.weight = *weight;
        }
        criterion.default = request.defaults.as_ref().and_then(|given| given.get(criterion.name)).copied();
    }
    let wanted = request.wanted.iter().flatten().map(|(name, wanted)| {
        (name.clone(), Wanted { weight: wanted.weight, floor: wanted.floor.unwrap_or(0.0) })
    });
    let affinity = request.affinity.iter().flatten().map(|(name, row)| {
        let five = <[f64; 5]>::try_from(row.as_slice());
        let five = five.map_err(|_| Error::invalid("affinity", row.len(), "five numbers for each trait"))?;
        Ok((name.clone(), five))
    });
    let settings = Settings {
        criteria,
        least_fitness: request.least_fitness.unwrap_or(usual.least_fitness),
        wanted: wanted.collect(),
        context: request.context.as_ref().map(|context| Context {
            volatility: context.volatility.unwrap_or(0.0),
            volume: context.volume.unwrap_or(0.0),
            spread: context.spread.unwrap_or(0.0),
            trend_strength: context.trend_strength.unwrap_or(0.0),
            noise_level: context.noise_level.unwrap_or(0.0),
        }),
        affinity: affinity.collect::<Result<_, Error>>()?,
        sensitivity: request.sensitivity.unwrap_or(usual.sensitivity),
        maximum: request.maximum.map_or(usual.maximum, |most| most as usize),
        diversity: request.diversity.unwrap_or(usual.diversity),
        strict: request.strict.unwrap_or(usual.strict),
    };
    settings.check().map_err(unfit)?;
    Ok(settings)
}

fn shown(parts: &BTreeMap<String, u64>) -> BTreeMap<String, f64> {
    parts.iter().map(|(name, part)| (name.clone(), whole(*part))).collect()
}

fn chosen_view(one: &Rated) -> ChosenView {
    ChosenView {
        candidate_id: VoterId::from(&one.id),
        kind: one.kind.clone(),
        utility: whole(one.utility),
        criteria: whole(one.criteria),
        contributions: shown(&one.contributions),
        traits: whole(one.traits),
        suitability: whole(one.suitability),
        emergence: whole(one.emergence),
    }
}

impl Candidates<'_> {
    /// Declares what there is to choose a registered voter by; a later declaration takes the place of an earlier one. Durable
    /// on return.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found` for a voter that is not registered, and the faults of the store.
    pub async fn register(&self, request: RegisterCandidate) -> Result<CandidateRegistered, Error> {
        self.q.allow("candidate.register", &request).await?;
        check_label("by", request.by.as_deref(), MAX_LABEL)?;
        let profile = profile(&request)?;
        let host = self.q.host();
        let command = Command::Profile { profile: profile.clone(), by: request.by };
        let id = EntityId::from(&request.candidate_id);
        let asked = ask(host, &host.kinds.voters, &id, Action::Command(command, None), |view| view.reply);
        let duplicate = match asked.await? {
            Some(Ok(reply)) => matches!(reply, Reply::Known(_)),
            Some(Err(rejection)) => return Err(rejection.into()),
            None => return Err(Rejection::NotRegistered.into()),
        };
        let metrics = profile.metrics.iter().map(|(name, value)| (name.clone(), *value as f64 / 1e6));
        let traits = profile.traits.iter().map(|(name, value)| (name.clone(), whole((*value).into())));
        Ok(CandidateRegistered {
            candidate_id: request.candidate_id,
            kind: profile.kind.clone(),
            fitness: whole(profile.fitness.into()),
            metrics: metrics.collect(),
            traits: traits.collect(),
            duplicate,
        })
    }

    /// Chooses among candidates. Each has the choice on its record, with its place and what spoke for it, or with why it was
    /// not chosen; durable on return. Under one id one choice is made.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found` for a voter that is no candidate, `already_exists` where a choice of this id came out
    /// otherwise, and the faults of the store.
    pub async fn select(&self, request: SelectCandidates) -> Result<CandidatesSelected, Error> {
        self.q.allow("candidate.select", &request).await?;
        check_label("by", request.by.as_deref(), MAX_LABEL)?;
        let settings = settings(&request)?;
        let host = self.q.host();
        let named = request.candidates.is_some();
        let voters = request.candidates.clone();
        let mut voters = voters.unwrap_or_else(|| lock(&host.counters.voters).eligible());
        voters.sort();
        voters.dedup();
        let mut candidates = Vec::new();
        for voter in &voters {
            let known = lock(&host.counters.voters).contains(voter);
            let seen = ask(host, &host.kinds.voters, &EntityId::from(voter), Action::Read, |view| {
                view.state.profile.clone()
            });
            let profile = if known { seen.await? } else { None };
            match profile {
                Some(profile) => candidates.push(profile.candidate(voter)),
                None if !named => {}
                None => {
                    let message = format!("no candidate of this id is registered. candidate_id={voter}");
                    return Err(Error::new(ErrorKind::NotFound, message).with("field", "candidates"));
                }
            }
        }
        if candidates.is_empty() || candidates.len() > MOST.0 {
            let expected = format!("1 to {} candidates", MOST.0);
            return Err(Error::invalid("candidates", candidates.len(), &expected));
        }
        let selection = selection::select(&candidates, &settings).map_err(unfit)?;
        let selection_id = request.selection_id.clone().unwrap_or_else(|| host.ids.mint());
        let asked = SelectCandidates { selection_id: None, candidates: None, by: None, ..request.clone() };
        let text = serde_json::to_string(&asked).unwrap_or_default();
        let now = host.clock.now();
        let count = u32::try_from(candidates.len()).unwrap_or(u32::MAX);
        let (mut left_out, mut duplicate) = (BTreeMap::new(), true);
        let mut records = Vec::with_capacity(candidates.len());
        for candidate in &candidates {
            let mut considered = Considered {
                selection_id: selection_id.clone(),
                place: None,
                why: None,
                utility: None,
                contributions: BTreeMap::new(),
                candidates: count,
                settings: text.clone(),
                by: request.by.clone(),
                at: now,
            };
            match selection.chosen.iter().position(|one| one.id == candidate.id) {
                Some(at) => {
                    let one = &selection.chosen[at];
                    considered.place = u32::try_from(at + 1).ok();
                    considered.utility = Some(one.utility);
                    considered.contributions = one.contributions.clone();
                }
                None => {
                    let why = why_not(&selection, candidate, settings.maximum);
                    left_out.insert(VoterId::from(&candidate.id), why.clone());
                    considered.why = Some(why);
                }
            }
            records.push((candidate.id.clone(), considered));
        }
        // Nothing is put on record of anybody before it is known that it agrees with what is.
        for (id, considered) in &records {
            let meant = considered.clone();
            let differs = ask(host, &host.kinds.voters, id, Action::Read, move |view| {
                view.state
                    .considered
                    .iter()
                    .any(|held| held.selection_id == meant.selection_id && !held.agrees_with(&meant))
            });
            if differs.await? {
                return Err(Rejection::ChosenOtherwise { selection_id }.into());
            }
        }
        for (id, considered) in records {
            let action = Action::Command(Command::Consider(Box::new(considered)), None);
            match ask(host, &host.kinds.voters, &id, action, |view| view.reply).await? {
                Some(Ok(Reply::Known(_))) => {}
                Some(Err(rejection)) => return Err(rejection.into()),
                Some(Ok(_)) | None => duplicate = false,
            }
        }
        Ok(CandidatesSelected {
            selection_id,
            voters: selection.chosen.iter().map(|one| VoterId::from(&one.id)).collect(),
            chosen: selection.chosen.iter().map(chosen_view).collect(),
            left_out,
            shortfall: u32::try_from(selection.shortfall).unwrap_or(u32::MAX),
            front: selection.front.iter().map(VoterId::from).collect(),
            effective_kinds: whole(selection.effective_kinds),
            least_distance: selection.least_distance.map(whole),
            duplicate,
        })
    }
}

/// Why a candidate was not chosen.
fn why_not(selection: &Selection, candidate: &selection::Candidate, maximum: usize) -> String {
    match selection.excluded.get(&candidate.id) {
        Some(excluded) => excluded.to_string(),
        None if selection.chosen.len() >= maximum => {
            format!("others were better, or less like those chosen before. maximum={maximum}")
        }
        None => "it is too much like one that was chosen".to_owned(),
    }
}
