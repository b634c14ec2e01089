//! Opens the polls, casts the votes, reads how it ended: many requests in flight, answers as they come.

use std::future::Future;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinSet;

use super::contest::Contest;
use super::votes::{Row, Votes};
use crate::api::Quorate;
use crate::api::dto::{EntityHistory, QuorumRef, Vote};
use crate::core::ids::EntityId;
use crate::core::time::Timestamp;
use crate::error::{Error, ErrorKind};
use crate::shell::clock::Stopwatch;

/// Requests in flight at the same time.
pub(super) const WINDOW: usize = 512;

/// How fast the votes of a contest went in this run.
#[derive(Clone, Debug, Default)]
pub(super) struct Speed {
    /// How long the votes took, all together.
    pub(super) took: Duration,
    /// For each vote, microseconds from the call to the durable answer.
    pub(super) latencies: Vec<u32>,
    /// Quorums that an earlier run had opened.
    pub(super) resumed: usize,
}

/// Casts the votes on the polls of contests.
pub(super) struct Runner<'a> {
    pub(super) q: &'a Quorate,
    pub(super) votes: &'a Votes,
    pub(super) timeout_seconds: f64,
}

/// Runs futures with at most [`WINDOW`] in flight. They begin in order; `done` hears the answers as they come.
async fn each<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    work: impl Iterator<Item = F>,
    mut done: impl FnMut(T) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut flying = JoinSet::new();
    let lost = |e| Error::new(ErrorKind::StoreError, format!("a request was lost. cause={e}"));
    for next in work {
        while flying.len() >= WINDOW {
            if let Some(landed) = flying.join_next().await {
                done(landed.map_err(lost)?)?;
            }
        }
        flying.spawn(next);
    }
    while let Some(landed) = flying.join_next().await {
        done(landed.map_err(lost)?)?;
    }
    Ok(())
}

impl Runner<'_> {
    /// Opens the polls and casts every vote that no earlier run has cast.
    ///
    /// # Errors
    /// The faults of the store; `invalid_argument` when the journal is ahead of the first vote's time.
    pub(super) async fn run(&self, contests: &mut [Contest]) -> Result<Vec<Speed>, Error> {
        let mut speeds = vec![Speed::default(); contests.len()];
        for (contest, speed) in contests.iter_mut().zip(&mut speeds) {
            let known = self.open(contest).await?;
            speed.resumed = known.len();
            self.look_back(contest, &known).await?;
        }
        self.cast(contests, &mut speeds).await?;
        for contest in contests {
            self.read_ends(contest).await?;
        }
        Ok(speeds)
    }

    /// Opens every poll; answers which were open or closed before.
    async fn open(&self, contest: &Contest) -> Result<Vec<usize>, Error> {
        let first = self.votes.rows.first().map_or(Timestamp::EPOCH, |row| row.at);
        let too_late = self.votes.timed && self.q.now() > first;
        let bar = progress("opening", contest.polls.len());
        let work = contest.polls.iter().enumerate().map(|(number, poll)| {
            let (q, id) = (self.q.clone(), poll.id.clone());
            let request = (!too_late).then(|| poll.request(&contest.rule, self.votes, self.timeout_seconds));
            async move {
                let opened = match request {
                    Some(request) => q.quorums().start(request).await.map(|_| false),
                    None => q.quorums().status(&id).await.map(|_| true),
                };
                (number, opened)
            }
        });
        let mut known = Vec::new();
        let opened = each(work, |(number, opened)| {
            bar.inc(1);
            match opened {
                Ok(false) => {}
                Ok(true) => known.push(number),
                Err(e) if e.kind() == ErrorKind::AlreadyExists => known.push(number),
                Err(e) if e.kind() == ErrorKind::NotFound => {
                    let message = format!(
                        "the journal is ahead of the first vote, whose time is past there; use another folder. \
                         journal={}, first_vote={first}",
                        self.q.now()
                    );
                    return Err(Error::new(ErrorKind::InvalidArgument, message));
                }
                Err(e) => return Err(e),
            }
            Ok(())
        });
        opened.await?;
        bar.finish_and_clear();
        Ok(known)
    }

    /// Finds out how far earlier runs came with these polls.
    async fn look_back(&self, contest: &mut Contest, known: &[usize]) -> Result<(), Error> {
        let bar = progress("looking back", known.len());
        let work: Vec<_> = known
            .iter()
            .map(|number| {
                let (q, id, number) = (self.q.clone(), contest.polls[*number].id.clone(), *number);
                async move { (number, record(&q, &id).await) }
            })
            .collect();
        each(work.into_iter(), |(number, record)| {
            let poll = &mut contest.polls[number];
            poll.on_record = poll.cast_before(self.votes, &record?);
            bar.inc(1);
            Ok(())
        })
        .await?;
        bar.finish_and_clear();
        Ok(())
    }

    async fn cast(&self, contests: &[Contest], speeds: &mut [Speed]) -> Result<(), Error> {
        let total: usize = contests.iter().map(|contest| self.polled(contest)).sum();
        let bar = progress("voting", total);
        let watch = Stopwatch::start();
        // Without times, all votes are of one time.
        for together in self.votes.rows.chunk_by(|a, b| a.at == b.at) {
            if self.votes.timed {
                self.q.advance_to(together[0].at).await?;
            }
            let work = together.iter().flat_map(|row| {
                contests
                    .iter()
                    .enumerate()
                    .flat_map(move |(number, contest)| self.ballots(number, contest, row))
            });
            each(work, |(contest, took, answer): (usize, Duration, Result<_, Error>)| {
                bar.inc(1);
                speeds[contest].latencies.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
                match answer {
                    Ok(_) => Ok(()),
                    // Late: it is on record as such.
                    Err(e) if e.kind() == ErrorKind::QuorumClosed => Ok(()),
                    Err(e) => Err(e),
                }
            })
            .await?;
        }
        for speed in speeds {
            speed.took = watch.elapsed();
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// How many ballots a contest takes, of which earlier runs may have cast some.
    pub(super) fn polled(&self, contest: &Contest) -> usize {
        contest.polls.iter().map(|poll| self.votes.questions[poll.question].rows.len()).sum()
    }

    /// One vote, put to each poll of its question that has not had it. It is under way when its future is made.
    fn ballots<'a>(
        &'a self,
        number: usize,
        contest: &'a Contest,
        row: &'a Row,
    ) -> impl Iterator<Item = impl Future<Output = (usize, Duration, Result<(), Error>)> + Send + use<>> + 'a
    {
        let question = row.question as usize;
        let polls = contest.polls_of(question, &self.votes.questions[question]);
        polls.iter().filter(|poll| row.nth >= poll.on_record).map(move |poll| {
            let watch = Stopwatch::start();
            let sent = self.q.quorums().vote(Vote {
                quorum_id: poll.id.clone(),
                voter_id: self.votes.voter(row).clone(),
                vote: row.answer as usize == poll.answer,
                confidence: 1.0,
            });
            async move {
                let answer = sent.await;
                (number, watch.elapsed(), answer.map(|_| ()))
            }
        })
    }

    async fn read_ends(&self, contest: &mut Contest) -> Result<(), Error> {
        let bar = progress("counting", contest.polls.len());
        let asked: Vec<QuorumRef> =
            contest.polls.iter().map(|poll| QuorumRef { quorum_id: poll.id.clone() }).collect();
        let work = asked.into_iter().enumerate().map(|(number, asked)| {
            let q = self.q.clone();
            async move { (number, q.quorums().status(&asked.quorum_id).await) }
        });
        each(work, |(number, status)| {
            contest.polls[number].end = Some(status?.into());
            bar.inc(1);
            Ok(())
        })
        .await?;
        bar.finish_and_clear();
        Ok(())
    }
}

/// Every vote and refused attempt on a quorum's record, in order.
pub(super) async fn record(q: &Quorate, id: &EntityId) -> Result<Vec<crate::api::dto::AuditVoteView>, Error> {
    let mut votes = Vec::new();
    let mut cursor = None;
    loop {
        let request = EntityHistory { kind: None, entity_id: id.clone(), limit: Some(1000), cursor };
        let page = q.history().entity(request).await?;
        votes.extend(page.votes);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(votes);
        }
    }
}

/// A bar on stderr; nothing is drawn unless that is a terminal.
fn progress(what: &'static str, total: usize) -> ProgressBar {
    let bar = ProgressBar::new(total as u64).with_message(what);
    match ProgressStyle::with_template("{msg:>12} {wide_bar} {pos}/{len} {per_sec} eta {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
