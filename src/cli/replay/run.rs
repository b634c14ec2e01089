//! Opens the polls, casts the votes, reads how it ended: many requests in flight, answers as they come.

use std::future::Future;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinSet;

use super::contest::{Contest, Poll};
use super::votes::{Row, Votes};
use quorate_runtime::api::Quorate;
use quorate_runtime::api::dto::Vote;
use quorate_runtime::core::kernel::ids::EntityId;
use quorate_runtime::core::kernel::time::Timestamp;
use quorate_runtime::error::{Error, ErrorKind};
use quorate_runtime::shell::clock::Stopwatch;

/// Requests in flight at the same time.
const WINDOW: usize = 512;

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
        for (contest, speed) in contests.iter().zip(&mut speeds) {
            self.open(contest).await?;
            speed.resumed = contest.polls.iter().filter(|poll| poll.known).count();
        }
        self.cast(contests, &mut speeds).await?;
        for contest in contests {
            self.read_ends(contest).await?;
        }
        Ok(speeds)
    }

    /// Opens every poll that no earlier run has opened.
    async fn open(&self, contest: &Contest) -> Result<(), Error> {
        let first = self.votes.rows.first().map_or(Timestamp::EPOCH, |row| row.at);
        let fresh: Vec<&Poll> = contest.polls.iter().filter(|poll| !poll.known).collect();
        if self.votes.timed && self.q.now() > first && !fresh.is_empty() {
            let message = format!(
                "the journal is ahead of the first vote, whose time is past there; use another folder. \
                 journal={}, first_vote={first}",
                self.q.now()
            );
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        let bar = progress("opening", fresh.len());
        let work = fresh.into_iter().map(|poll| {
            let (q, request) =
                (self.q.clone(), poll.request(&contest.spec, self.votes, self.timeout_seconds));
            async move { q.quorums().start(request).await.map(|_| ()) }
        });
        each(work, |opened| {
            bar.inc(1);
            opened
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

    /// How many ballots are still to be cast.
    fn polled(&self, contest: &Contest) -> usize {
        let left = |poll: &Poll| self.votes.questions[poll.question].rows.len() - poll.on_record as usize;
        contest.polls.iter().map(left).sum()
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
                data_subject: None,
                quorum_id: poll.id.clone(),
                voter_id: self.votes.voter(row).clone(),
                vote: row.answer as usize == poll.answer,
                confidence: 1.0,
                reason: None,
            });
            async move {
                let answer = sent.await;
                (number, watch.elapsed(), answer.map(|_| ()))
            }
        })
    }

    async fn read_ends(&self, contest: &mut Contest) -> Result<(), Error> {
        let open = contest.polls.iter().enumerate().filter(|(_, poll)| poll.end.is_none());
        let asked: Vec<(usize, EntityId)> = open.map(|(number, poll)| (number, poll.id.clone())).collect();
        let bar = progress("counting", asked.len());
        let work = asked.into_iter().map(|(number, id)| {
            let q = self.q.clone();
            async move { (number, q.quorums().status(&id).await) }
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

/// A bar on stderr; nothing is drawn unless that is a terminal.
fn progress(what: &'static str, total: usize) -> ProgressBar {
    let bar = ProgressBar::new(total as u64).with_message(what);
    match ProgressStyle::with_template("{msg:>12} {wide_bar} {pos}/{len} {per_sec} eta {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
