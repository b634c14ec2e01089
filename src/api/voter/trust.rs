//! What had been right, what weights follow from it, and the keys of voters.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::super::dto::{
    EndedKeyView, GateView, GatesView, KeyTaken, LearnedView, RotateKey, TellTruth, TruthTaken, TruthView,
    WeightsView,
};
use super::super::quorum::{MAX_LABEL, MAX_REASON, check_label, check_sentence};
use super::super::session_plan::{millionths, whole};
use super::Voters;
use crate::core::kernel::Machine;
use crate::core::kernel::ids::{CandidateId, EntityId, VoterId};
use crate::core::kernel::time::Timestamp;
use crate::core::trust::identity::check::Need;
use crate::core::voting::judgement::{Judgement, context_of};
use crate::core::voting::reliability::factors::FACTORS;
use crate::core::voting::reliability::{Past, described, read};
use crate::core::voting::session::{self, Elector, Judge, Session, SessionMachine, Weighed};
use crate::core::voting::statistics::Unfit;
use crate::core::voting::voter::{self, Command, Judged, Record, Voter};
use crate::error::Error;
use crate::shell::entity::Action;
use crate::shell::hosts::tell_voters;
use crate::shell::lock;
use crate::shell::runtime::ask;

/// The parts of a context that measures know.
const CONTEXT: [&str; 5] = ["volatility", "volume", "spread", "trend_strength", "noise_level"];

fn share(field: &str, given: f64) -> Result<u32, Error> {
    // A share is at most a million of millionths.
    Ok(millionths(field, given, 1.0)? as u32)
}

fn unfit(unfit: Unfit) -> Error {
    Error::invalid(&unfit.field, unfit.value, &unfit.range)
}

/// The parts of a context that measures know, in millionths; none where it has none of them.
///
/// # Errors
/// `invalid_argument` for one that is no number from 0 to 1.
pub(in crate::api) fn context_parts(context: Option<&Map<String, Value>>) -> Result<Option<[u32; 5]>, Error> {
    let Some(context) = context.filter(|context| CONTEXT.iter().any(|name| context.contains_key(*name)))
    else {
        return Ok(None);
    };
    let mut parts = [0; 5];
    for (part, name) in parts.iter_mut().zip(CONTEXT) {
        let Some(value) = context.get(name) else { continue };
        let field = format!("context.{name}");
        let given = value.as_f64().ok_or_else(|| Error::invalid(&field, value.clone(), "0 to 1"))?;
        *part = share(&field, given)?;
    }
    Ok(Some(parts))
}

/// What is known of an elector beside how it stands in the electorate.
#[derive(Debug)]
pub(in crate::api) struct Known {
    pub(in crate::api) declared: u64,
    pub(in crate::api) on_probation: bool,
    pub(in crate::api) record: Record,
}

impl Known {
    pub(in crate::api) fn of(state: &Voter) -> Self {
        let declared = state.registered.as_ref().map_or(0, |registered| registered.weight);
        let on_probation = matches!(state.standing, voter::Standing::Probation { .. });
        Known { declared, on_probation, record: state.record.clone() }
    }
}

/// Gives electors the powers that a source learns from what is on record of them.
///
/// # Errors
/// `invalid_argument` for a source that there is not, a parameter outside its range, or too little on record for it.
pub(in crate::api) fn weigh(
    text: &str,
    electors: &mut [Elector],
    known: &[Known],
    context: Option<[u32; 5]>,
    now: Timestamp,
) -> Result<Weighed, Error> {
    let source = read(text).map_err(unfit)?;
    let (described, version) = described(text).map_err(unfit)?;
    let mut past = Past { now, context: context.map(context_of), ..Past::default() };
    // Both answers are known of every question, and every elector, also one that was never judged.
    let names = ["against", "for"];
    for name in names {
        past.history.option(name);
    }
    let mut answers: Vec<(Timestamp, &EntityId, &VoterId, Judgement)> = Vec::new();
    for (elector, known) in electors.iter().zip(known) {
        let voter = &elector.voter_id;
        past.history.voter_known(voter);
        past.declared.insert(voter.clone(), known.declared);
        past.conduct.insert(voter.clone(), known.record.conduct());
        let judged = known.record.judged.iter();
        answers.extend(judged.map(|judged| (judged.at, &judged.question, voter, judged.judgement)));
    }
    answers.sort_by(|a, b| (a.0, a.1, a.2).cmp(&(b.0, b.1, b.2)));
    let (mut questions, mut count) = (BTreeSet::new(), 0_u32);
    for (_, question, voter, judgement) in answers {
        let Some(said) = judgement.said else { continue };
        past.history.vote(question.as_str(), voter, names[usize::from(said)]);
        past.history.outcome(question.as_str(), names[usize::from(judgement.truth)]).map_err(unfit)?;
        questions.insert(question);
        count = count.saturating_add(1);
    }
    let learned = source.learn(&past).map_err(unfit)?;
    for (elector, known) in electors.iter_mut().zip(known) {
        let weight = learned.weights.get(&elector.voter_id).copied().unwrap_or(0);
        // A voter on probation counts half, whatever was learned of it.
        elector.power = if known.on_probation { weight / 2 } else { weight };
        elector.uncapped = elector.power;
    }
    let questions = u32::try_from(questions.len()).unwrap_or(u32::MAX);
    Ok(Weighed { source: described, version, questions, answers: count })
}

/// What an answer says of the truth; nothing where for and against is asked and it says neither.
fn said(truth: &CandidateId, answer: &CandidateId) -> Option<bool> {
    match (truth.as_str(), answer.as_str()) {
        ("for" | "against", "for") => Some(true),
        ("for" | "against", "against") => Some(false),
        ("for" | "against", _) => None,
        (truth, answer) => Some(truth == answer),
    }
}

impl Voters<'_> {
    /// Tells what had been right in an ended session, or of a question asked elsewhere. Its voters are judged by it once, and
    /// sessions that open from then on with learned weights are weighed by that. The same again changes nothing.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `not_decided` for a session that is open, `already_exists` when something else was
    /// told before, `not_eligible` for who is a voter of the question itself, and the faults of the store.
    pub async fn feedback(&self, request: TellTruth) -> Result<TruthTaken, Error> {
        self.q.allow("voter.feedback", &request).await?;
        check_label("by", request.by.as_deref(), MAX_LABEL)?;
        let ratings = request.ratings.clone().unwrap_or_default().into_iter();
        let ratings = ratings.map(|(voter, rating)| Ok((voter, share("ratings", rating)?)));
        let ratings = ratings.collect::<Result<BTreeMap<_, _>, Error>>()?;
        match (request.session_id.clone(), request.question_id.clone()) {
            (Some(id), None) => self.of_session(id, request, ratings).await,
            (None, Some(id)) => self.of_question(id, request, ratings).await,
            (given, _) => {
                let told = if given.is_some() { "both" } else { "neither" };
                Err(Error::invalid("session_id", told, "one of session_id and question_id"))
            }
        }
    }

    async fn of_session(
        &self,
        id: EntityId,
        request: TellTruth,
        ratings: BTreeMap<VoterId, u32>,
    ) -> Result<TruthTaken, Error> {
        if request.answers.is_some() {
            return Err(Error::invalid(
                "answers",
                "answers",
                "nothing, for a session: its votes are its answers",
            ));
        }
        let host = self.q.host();
        let context = ask(host, &host.kinds.sessions, &id, Action::Read, |view| {
            let text = view.state.opened.as_ref()?.context.clone()?;
            serde_json::from_str::<Map<String, Value>>(&text).ok()
        });
        // Sessions may be opened with any context; one that measures cannot read says nothing to them.
        let context = context_parts(context.await?.as_ref()).unwrap_or_default();
        let judge = Judge {
            truth: request.truth.as_str().to_owned(),
            score: request.score.map(|score| share("score", score)).transpose()?,
            ratings,
            context,
            by: request.by,
            tellers: self.q.own_voters(),
        };
        let action = Action::Command(session::Command::Judge(Box::new(judge)), None);
        let asked = ask(host, &host.kinds.sessions, &id, action, |view| match view.reply {
            Some(Ok(session::Reply::Judged { duplicate })) => Ok((duplicate, voters_of(view.state))),
            Some(Err(rejection)) => Err(Error::from(rejection)),
            Some(Ok(_)) | None => Err(session::Rejection::NotFound.into()),
        });
        let (duplicate, voters) = asked.await??;
        // Who has told it goes on after the voters know; the effect does the same, and whoever comes second changes nothing.
        let owed =
            ask(host, &host.kinds.sessions, &id, Action::Read, |view| SessionMachine::owed(view.state));
        for effect in owed.await? {
            if let session::Effect::Tell(reports) = effect {
                tell_voters(host, id.clone(), reports).await?;
            }
        }
        Ok(TruthTaken { session_id: Some(id), question_id: None, truth: request.truth, voters, duplicate })
    }

    async fn of_question(
        &self,
        id: EntityId,
        request: TellTruth,
        ratings: BTreeMap<VoterId, u32>,
    ) -> Result<TruthTaken, Error> {
        let answers = request.answers.clone().filter(|answers| !answers.is_empty());
        let answers = answers.ok_or_else(|| Error::missing("answers"))?;
        if request.score.is_some() {
            return Err(Error::invalid(
                "score",
                "a score",
                "nothing, for a question that was asked elsewhere",
            ));
        }
        if let Some(stranger) = ratings.keys().find(|voter| !answers.contains_key(*voter)) {
            return Err(Error::invalid("ratings", stranger.as_str(), "voters that answered"));
        }
        let own =
            self.q.own_voters().into_iter().chain(request.by.clone().and_then(|by| VoterId::new(by).ok()));
        if let Some(voter) = own.into_iter().find(|voter| answers.contains_key(voter)) {
            return Err(session::Rejection::OwnCause { voter }.into());
        }
        let host = self.q.host();
        let truth = request.truth.as_str() != "against";
        let mut judgements = Vec::with_capacity(answers.len());
        for (voter, answer) in answers {
            if !lock(&host.counters.voters).contains(&voter) {
                return Err(Error::from(voter::Rejection::NotRegistered).with("voter_id", voter.as_str()));
            }
            let rating = ratings.get(&voter).copied();
            let judgement = Judgement { truth, said: said(&request.truth, &answer), rating, part: None };
            judgements.push((voter, judgement));
        }
        // Nothing is told before it is known that nothing else was told of any of them.
        for (voter, judgement) in &judgements {
            let (question, judgement) = (id.clone(), *judgement);
            let held = ask(host, &host.kinds.voters, &EntityId::from(voter), Action::Read, move |view| {
                view.state.record.gold.get(&question).is_some_and(|(_, held)| *held != judgement)
            });
            if held.await? {
                return Err(voter::Rejection::JudgedOtherwise { question: id }.into());
            }
        }
        let mut duplicate = true;
        let voters = judgements.iter().map(|(voter, _)| voter.clone()).collect();
        for (voter, judgement) in judgements {
            let command = Command::Judge { question: id.clone(), judgement, by: request.by.clone() };
            let action = Action::Command(command, None);
            let asked = ask(host, &host.kinds.voters, &EntityId::from(&voter), action, |view| view.reply);
            match asked.await? {
                Some(Ok(voter::Reply::Known(_))) => {}
                Some(Err(rejection)) => return Err(rejection.into()),
                Some(Ok(_)) | None => duplicate = false,
            }
        }
        Ok(TruthTaken { session_id: None, question_id: Some(id), truth: request.truth, voters, duplicate })
    }

    /// Lets another key take the place of the one a voter signs with: by the signature of that one, or by an admin. From
    /// when it is answered, the old key signs no vote any more.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `nothing_done` for a voter without a key, `already_exists` for a key of another
    /// voter, or one this voter had before, `not_authorized`, and the faults of the store.
    pub async fn rotate(&self, request: RotateKey) -> Result<KeyTaken, Error> {
        self.q.allow("voter.rotate", &request).await?;
        let RotateKey { voter_id, public_key: to, signature, by, reason } = request;
        check_label("by", by.as_deref(), MAX_LABEL)?;
        check_sentence("reason", reason.as_deref(), MAX_REASON)?;
        if signature.is_none() {
            // Who has not the old key has to be one who may do everything.
            self.q.allow_as("voter.rotate", Need::Admin)?;
        }
        let host = self.q.host();
        if !lock(&host.counters.voters).contains(&voter_id) {
            return Err(voter::Rejection::NotRegistered.into());
        }
        let was_own = {
            let mut voters = lock(&host.counters.voters);
            let was_own = voters.is_own(&to, &voter_id);
            if !voters.claim(to, &voter_id) {
                return Err(super::shared_key());
            }
            was_own
        };
        let action = Action::Command(Command::Rotate { to, signature, by, reason }, None);
        let id = EntityId::from(&voter_id);
        let asked = ask(host, &host.kinds.voters, &id, action, |view| {
            let duplicate = match view.reply {
                Some(Ok(voter::Reply::Known(_))) => true,
                Some(Ok(_)) => false,
                Some(Err(rejection)) => return Err(Error::from(rejection)),
                None => return Err(voter::Rejection::NotRegistered.into()),
            };
            let public_key = view.state.key().ok_or(voter::Rejection::NoKey)?;
            let ended = view.state.ended_keys.iter().map(|ended| EndedKeyView {
                version: ended.version,
                public_key: ended.key,
                ended_at: ended.at,
            });
            let (ended, key_version) = (ended.collect(), view.state.key_version());
            Ok(KeyTaken {
                voter_id: VoterId::from(&id_of(view.state)?),
                public_key,
                key_version,
                ended,
                duplicate,
            })
        });
        let taken = asked.await.map_err(Error::from).and_then(|answer| answer);
        // A key that ended stays this voter's.
        if taken.is_err() && !was_own {
            lock(&host.counters.voters).unclaim(&to, &voter_id);
        }
        taken
    }
}

fn id_of(state: &Voter) -> Result<EntityId, Error> {
    let registered = state.registered.as_ref().ok_or(voter::Rejection::NotRegistered)?;
    Ok(EntityId::from(&registered.voter_id))
}

fn voters_of(state: &Session) -> Vec<VoterId> {
    let told = state.truth.iter().flat_map(|told| &told.judged);
    told.map(|(voter, _)| voter.clone()).collect()
}

/// What a voter's answers were worth, as it is shown; none before anything was told.
pub(in crate::api) fn learned_view(record: &Record) -> Option<LearnedView> {
    let last: &Judged = record.judged.back()?;
    let right = |wanted: fn(bool) -> bool| {
        let answers = record.judged.iter().filter_map(|judged| judged.judgement.is_right());
        u32::try_from(answers.filter(|right| wanted(*right)).count()).unwrap_or(u32::MAX)
    };
    let named = FACTORS.iter().zip(last.factors);
    Some(LearnedView {
        judged: record.count,
        answers: right(|_| true),
        right: right(|right| right),
        weight: whole(last.weight),
        factors: named.map(|((name, _), factor)| ((*name).to_owned(), whole(factor))).collect(),
        bias: record.bias() as f64 / 1e6,
    })
}

/// Where the powers of a session come from, as it is shown.
pub(in crate::api) fn weights_view(state: &Session) -> Option<WeightsView> {
    let Weighed { source, version, questions, answers } = state.weighed.as_deref().cloned()?;
    Some(WeightsView { source, version, questions, answers })
}

/// What had been right, as it is shown.
pub(in crate::api) fn truth_view(state: &Session) -> Option<TruthView> {
    let told = state.truth.as_deref()?;
    let (truth, score) = (told.truth.name().to_owned(), whole(told.score.into()));
    Some(TruthView { truth, score, by: told.by.clone(), at: told.at })
}

/// What the gates found, as it is shown; none where none look.
pub(in crate::api) fn gates_view(state: &Session) -> Option<GatesView> {
    let gated = state.gated.as_deref()?;
    let gate = state.gate.as_deref();
    let findings = gate.into_iter().flat_map(|gate| &gate.findings);
    let failed = findings.filter(|finding| finding.verdict > crate::core::voting::gates::Verdict::Pass);
    Some(GatesView {
        gates: gated.gates.clone(),
        verdict: gate.map(|gate| gate.verdict.name().to_owned()),
        failed: failed
            .map(|finding| GateView {
                gate: finding.gate.clone(),
                input: finding.input.clone(),
                threshold: finding.threshold.clone(),
                verdict: finding.verdict.name().to_owned(),
            })
            .collect(),
        remedies: state.remedies.clone(),
        retry_of: gated.retry_of.clone(),
    })
}
