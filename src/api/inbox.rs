//! What awaits somebody, over quorums, proposals and sessions; and waiting until something does.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;

use super::caller::Watch;
use super::dto::{AskInbox, Inbox};
use super::known::Sort;
use super::overview::{Overviews, Question, proposal_for, quorum, seen_at, session_for};
use super::quorum::page_limit;
use super::wait;
use crate::core::kernel::ids::{EntityId, StreamId, StreamKind, VoterId};
use crate::core::kernel::openings::Openings;
use crate::core::voting::proposal::ProposalMachine;
use crate::core::voting::quorum::QuorumMachine;
use crate::core::voting::quorum::event::Electorate;
use crate::core::voting::session::SessionMachine;
use crate::error::Error;
use crate::shell::bus::{Notice, What};
use crate::shell::entity::Action;
use crate::shell::host::Host;
use crate::shell::lock;
use crate::shell::runtime::ask;
use crate::shell::writer::Failure;

/// The newest open questions of each kind that are looked at.
const LOOKED_AT: usize = 10_000;
/// Questions looked at together.
const AT_ONCE: usize = 256;

impl Overviews<'_> {
    /// The open questions that await the vote of somebody: those that end first come first. Waits for one as long as asked,
    /// when there is none.
    ///
    /// # Errors
    /// `invalid_argument` for the time or the limit, and the faults of the store.
    pub async fn inbox(&self, request: AskInbox) -> Result<Inbox, Error> {
        let watch = self.q.allow_waiting("overview.inbox", &request).await?;
        self.q.revealed(Watch::until_over(watch, self.awaiting(request)).await?)
    }

    async fn awaiting(&self, request: AskInbox) -> Result<Inbox, Error> {
        let limit = page_limit(request.limit)?;
        let longest = wait::longest("wait_ms", request.wait_ms.unwrap_or(0))?;
        let host = self.q.host();
        let voter = request.voter_id;
        // Heard from before the first look on, so that nothing is missed between the two.
        let notices = host.bus.subscribe();
        let (mut questions, mut complete) = self.awaited_by(&voter).await?;
        if questions.is_empty()
            && until_awaited(host, notices, Some(voter.clone()), &StreamKind::ALL, longest).await
        {
            (questions, complete) = self.awaited_by(&voter).await?;
        }
        questions.sort_by(|one, other| (one.deadline, &one.id).cmp(&(other.deadline, &other.id)));
        let (now, total) = (seen_at(self.q), questions.len() as u64);
        let questions = questions.into_iter().take(limit).map(|question| question.line(now)).collect();
        let asked = [("voter_id", Some(voter.as_str()), Sort::Voter)];
        let unknown = match total == 0 && complete {
            true => self.q.unknown_names(&asked).await?,
            false => Vec::new(),
        };
        Ok(Inbox { voter_id: voter, now, questions, total, complete, unknown })
    }

    /// Is an open question put to this voter, whether or not it has voted? Of very many the newest are looked at.
    pub(super) async fn is_asked(&self, voter: &VoterId) -> Result<bool, Error> {
        let host = self.q.host();
        if !lock(&host.counters.sessions).of_voter(voter).is_empty() {
            return Ok(true);
        }
        let newest = |open: &Openings| -> Vec<EntityId> {
            open.before(None).take(LOOKED_AT).map(|(_, id)| id.clone()).collect()
        };
        let quorums = newest(&lock(&host.counters.open_quorums).open);
        for id in quorums {
            let voter = voter.clone();
            let asked = ask(host, &host.kinds.quorums, &id, Action::Read, move |view| {
                let opened = view.state.opened.as_ref();
                let of = |electorate: &Electorate| match electorate {
                    Electorate::Closed(_) => electorate.admits(&voter),
                    Electorate::Open => view.state.votes.contains_key(&voter),
                };
                opened.is_some_and(|opened| of(&opened.electorate))
            });
            if asked.await? {
                return Ok(true);
            }
        }
        let proposals = newest(&lock(&host.counters.watch).open);
        for id in proposals {
            let voter = voter.clone();
            let asked = ask(host, &host.kinds.proposals, &id, Action::Read, move |view| {
                let opened = view.state.opened.as_ref();
                let is_named = opened.is_some_and(|opened| opened.participants.contains(&voter));
                is_named || view.state.place_of(&voter).is_some()
            });
            if asked.await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What awaits a voter, and whether everything that is open was looked at.
    async fn awaited_by(&self, voter: &VoterId) -> Result<(Vec<Question>, bool), Error> {
        self.q.settle().await;
        let host = self.q.host();
        drop(host.admit(false)?);
        let newest = |open: &Openings| -> (Vec<EntityId>, bool) {
            (open.before(None).take(LOOKED_AT).map(|(_, id)| id.clone()).collect(), open.len() <= LOOKED_AT)
        };
        let (quorums, all_quorums) = newest(&lock(&host.counters.open_quorums).open);
        let (proposals, all_proposals) = newest(&lock(&host.counters.watch).open);
        let sessions = lock(&host.counters.sessions).of_voter(voter);
        let of = [
            (StreamKind::Quorum, quorums),
            (StreamKind::Proposal, proposals),
            (StreamKind::Session, sessions),
        ];
        let streams =
            of.into_iter().flat_map(|(kind, ids)| ids.into_iter().map(move |id| StreamId::new(kind, id)));
        let streams: Vec<StreamId> = streams.collect();
        let mut questions = Vec::new();
        for some in streams.chunks(AT_ONCE) {
            let asked: Vec<_> = some.iter().map(|stream| awaits(host, stream, voter)).collect();
            for answer in asked {
                questions.extend(answer.await?);
            }
        }
        Ok((questions, all_quorums && all_proposals))
    }
}

/// The question of this stream, if it awaits the vote of this voter.
fn awaits(
    host: &Arc<Host>,
    stream: &StreamId,
    voter: &VoterId,
) -> impl Future<Output = Result<Option<Question>, Failure>> + Send + use<> {
    let (host, stream, voter) = (host.clone(), stream.clone(), voter.clone());
    async move {
        let (id, named) = (stream.id.clone(), stream.id);
        match stream.kind {
            StreamKind::Quorum => {
                ask(&host, &host.kinds.quorums, &id, Action::<QuorumMachine>::Read, move |view| {
                    quorum(&named, view.state).filter(|_| view.state.awaits(&voter))
                })
                .await
            }
            StreamKind::Proposal => {
                ask(&host, &host.kinds.proposals, &id, Action::<ProposalMachine>::Read, move |view| {
                    proposal_for(&named, view.state, &voter).filter(|_| view.state.awaits(&voter))
                })
                .await
            }
            StreamKind::Session => {
                ask(&host, &host.kinds.sessions, &id, Action::<SessionMachine>::Read, move |view| {
                    session_for(&named, view.state, &voter).filter(|_| view.state.awaits(&voter))
                })
                .await
            }
            _ => Ok(None),
        }
    }
}

/// Waits until a question of one of these kinds opens that awaits the vote of this voter, or of anybody, at most so long. Says whether it is
/// time to look again. Time that only moves when told to is not waited for.
pub(super) async fn until_awaited(
    host: &Arc<Host>,
    mut notices: tokio::sync::broadcast::Receiver<Notice>,
    voter: Option<VoterId>,
    kinds: &[StreamKind],
    longest: Duration,
) -> bool {
    if host.clock.is_manual() || longest.is_zero() {
        return false;
    }
    let (asked, kinds) = (host.clone(), kinds.to_vec());
    let opened = async move {
        loop {
            match notices.recv().await {
                Ok(Notice { entity, what: What::Opened | What::Delegated { .. }, .. })
                    if kinds.contains(&entity.kind) =>
                {
                    let Some(voter) = &voter else { return };
                    // What cannot be asked may await it: that is a reason to look, not to go on waiting.
                    if !matches!(awaits(&asked, &entity, voter).await, Ok(None)) {
                        return;
                    }
                }
                Ok(_) => {}
                Err(RecvError::Lagged(_) | RecvError::Closed) => return,
            }
        }
    };
    wait::at_most(host, longest, opened).await.is_some()
}
