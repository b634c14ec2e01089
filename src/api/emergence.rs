//! What a crowd did beyond its votes: patterns in how a session was voted.

use serde_json::{Value, json};

use super::Quorate;
use super::dto::{Diagnosis, EmergenceReport, EmergenceSignal, ScanEmergence};
use super::session_plan::whole;
use crate::core::kernel::time::micros;
use crate::core::voting::emergence::{Pattern, Round, Sensitivity, Signal, Target, diagnose, factor, scan};
use crate::core::voting::session::{Opened, Rejection, Session};
use crate::error::{Error, ErrorKind};
use crate::shell::entity::Action;
use crate::shell::runtime::ask;

/// How sensitive a scan is that says nothing about it.
const USUAL: f64 = 0.80;

/// Looking for what a crowd does beyond its votes.
#[derive(Clone, Copy, Debug)]
pub struct Emergence<'a> {
    pub(super) q: &'a Quorate,
}

impl Emergence<'_> {
    /// Looks for patterns in the counted votes of a session, open or ended. Advisory: it changes nothing.
    ///
    /// # Errors
    /// `invalid_argument` for a sensitivity or outcome out of range, `not_found`, and the faults of the store.
    pub async fn scan(&self, request: ScanEmergence) -> Result<EmergenceReport, Error> {
        self.q.allow("emergence.scan", &request).await?;
        let given = request.sensitivity.unwrap_or(USUAL);
        let sensitivity =
            Sensitivity::new(given).map_err(|_| Error::invalid("sensitivity", given, "0.10 to 0.99"))?;
        if let Some(outcome) = request.outcome
            && !(0.0..=1.0).contains(&outcome)
        {
            return Err(Error::invalid("outcome", outcome, "0 to 1"));
        }
        let host = self.q.host();
        let outcome = request.outcome;
        let seen = ask(host, &host.kinds.sessions, &request.session_id, Action::Read, move |view| {
            view.state.scene(outcome).map(|scene| (scene, options(view.state)))
        });
        let (scene, options) = seen.await?.ok_or(Rejection::NotFound)?;
        let signals = scan(&scene, given).map_err(|e| Error::new(ErrorKind::StoreError, e.to_string()))?;
        let votes: &[_] = scene.rounds.last().map_or(&[], |round: &Round| round.votes.as_slice());
        let found = diagnose(votes, scene.winner);
        Ok(EmergenceReport {
            session_id: request.session_id,
            sensitivity: given,
            significance: sensitivity.alpha,
            least_effect: sensitivity.effect,
            rounds: u32::try_from(scene.rounds.len()).unwrap_or(u32::MAX),
            votes: u32::try_from(votes.len()).unwrap_or(u32::MAX),
            emergence_factor: whole(factor(&signals)),
            signals: signals.iter().map(|signal| signal_view(signal, &options)).collect(),
            diagnosis: Diagnosis {
                entropy: whole(found.entropy),
                effective_opinions: whole(found.opinions),
                polarisation: whole(found.polarisation),
                dissenters: found.dissenters,
            },
        })
    }
}

/// The names of the options, by their numbers in a scene.
fn options(state: &Session) -> Vec<String> {
    let candidates = |opened: &Opened| -> Vec<String> {
        opened.terms.candidates.iter().map(|one| one.candidate_id.as_str().to_owned()).collect()
    };
    let named = state.opened.as_deref().map(candidates).unwrap_or_default();
    if named.is_empty() { ["for", "against", "abstain"].map(str::to_owned).to_vec() } else { named }
}

fn signal_view(signal: &Signal, options: &[String]) -> EmergenceSignal {
    let option = |number: u32| -> Value {
        let name = usize::try_from(number).ok().and_then(|at| options.get(at));
        name.map_or(Value::Null, |name| name.as_str().into())
    };
    let (voters, details) = match &signal.pattern {
        Pattern::Synchronization { voters, window } => {
            (voters.clone(), json!({ "window_us": micros(*window) }))
        }
        Pattern::Cascade { initiator, influenced, lasted } => {
            let voters = std::iter::once(initiator).chain(influenced).cloned().collect();
            (voters, json!({ "initiator": initiator, "duration_us": micros(*lasted) }))
        }
        Pattern::CollectiveIntelligence { complexity } => {
            (Vec::new(), json!({ "complexity": whole(*complexity) }))
        }
        Pattern::Convergence { target, rate, settled_after } => {
            let target = match target {
                Target::Score(score) => json!({ "score": whole(*score) }),
                Target::Option(number) => json!({ "option": option(*number) }),
            };
            let details = json!({
                "target": target, "rate_per_second": whole(*rate), "settled_after_us": micros(*settled_after),
            });
            (Vec::new(), details)
        }
        Pattern::Anomaly { voters, .. } => (voters.iter().cloned().collect(), json!({})),
        Pattern::Swarm { movers, .. } => (Vec::new(), json!({ "movers": movers })),
    };
    EmergenceSignal {
        pattern: signal.pattern.name().to_owned(),
        strength: whole(signal.strength),
        p_value: signal.p_value.map(whole),
        confidence: signal.p_value.map(|p| whole(1_000_000_u64.saturating_sub(p))),
        n: signal.n,
        null_model: signal.null_model.to_owned(),
        voters,
        details,
    }
}
