//! What came out: results, which depend on the files and rules alone, and apart from them how fast it went.

use serde_json::{Value, json};

use super::contest::{Contest, Poll, Verdict, standing};
use super::run::{Speed, record};
use super::votes::{Truth, Votes};
use crate::api::Quorate;
use crate::cli::output::table;
use crate::core::time::Timestamp;
use crate::error::Error;

/// Up to this many questions, each one's story is told.
const STORIES: usize = 20;

/// The results of one rule.
#[derive(Debug)]
pub(super) struct Outcome {
    rule: String,
    decided: usize,
    ties: usize,
    undecided: usize,
    /// Correct and all decided questions with a known answer, and all questions with one.
    correct: usize,
    decided_known: usize,
    known: usize,
    votes: u64,
    late_votes: u64,
    stories: Vec<Story>,
}

/// How a question went.
#[derive(Debug)]
struct Story {
    question: String,
    verdict: &'static str,
    answer: Option<String>,
    required: Option<u32>,
    voters: usize,
    decided_by: Option<String>,
    decided_at: Option<Timestamp>,
    counts: Vec<(String, u32)>,
    /// Votes after the close: who, when, and whether for the answer.
    late: Vec<(String, Option<Timestamp>, bool)>,
}

impl Outcome {
    /// Counts what became of the questions under one rule.
    ///
    /// # Errors
    /// The faults of the store.
    pub(super) async fn of(
        contest: &Contest,
        votes: &Votes,
        truth: &Truth,
        q: &Quorate,
    ) -> Result<Self, Error> {
        let ends = contest.polls.iter().filter_map(|poll| poll.end.as_ref());
        let mut outcome = Outcome {
            rule: contest.rule.clone(),
            decided: 0,
            ties: 0,
            undecided: 0,
            correct: 0,
            decided_known: 0,
            known: 0,
            votes: contest.polls.iter().map(|p| votes.questions[p.question].rows.len() as u64).sum(),
            late_votes: ends.map(|end| u64::from(end.late_votes)).sum(),
            stories: Vec::new(),
        };
        for (number, question) in votes.questions.iter().enumerate() {
            let verdict = contest.verdict(number, votes);
            let known = truth.get(&question.name);
            outcome.known += usize::from(known.is_some());
            match verdict {
                Verdict::Decided(answer) => {
                    outcome.decided += 1;
                    outcome.decided_known += usize::from(known.is_some());
                    outcome.correct += usize::from(known == Some(&question.answers[answer]));
                }
                Verdict::Tie => outcome.ties += 1,
                Verdict::Undecided => outcome.undecided += 1,
            }
            if votes.questions.len() <= STORIES {
                outcome.stories.push(Story::of(contest, number, votes, verdict, q).await?);
            }
        }
        Ok(outcome)
    }

    fn json(&self) -> Value {
        let mut out = json!({
            "rule": self.rule,
            "questions": self.decided + self.ties + self.undecided,
            "decided": self.decided,
            "ties": self.ties,
            "undecided": self.undecided,
            "correct": self.correct,
            "accuracy_of_decided": share(self.correct, self.decided_known),
            "accuracy": share(self.correct, self.known),
            "votes_cast": self.votes,
            "late_votes": self.late_votes,
        });
        if !self.stories.is_empty() {
            out["stories"] = self.stories.iter().map(Story::json).collect();
        }
        out
    }

    fn row(&self) -> Vec<String> {
        let shown = |share: Option<f64>| share.map_or("-".into(), |share| format!("{share:.4}"));
        vec![
            self.rule.clone(),
            (self.decided + self.ties + self.undecided).to_string(),
            self.decided.to_string(),
            self.ties.to_string(),
            self.undecided.to_string(),
            shown(share(self.correct, self.decided_known)),
            shown(share(self.correct, self.known)),
            self.votes.to_string(),
            self.late_votes.to_string(),
        ]
    }
}

fn share(part: usize, of: usize) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}

impl Story {
    async fn of(
        contest: &Contest,
        number: usize,
        votes: &Votes,
        verdict: Verdict,
        q: &Quorate,
    ) -> Result<Self, Error> {
        let question = &votes.questions[number];
        let polls = contest.polls_of(number, question);
        let counts = question.answers.iter().cloned().zip(standing(votes, question)).collect();
        let mut story = Story {
            question: question.name.clone(),
            verdict: "undecided",
            answer: None,
            required: polls.first().map(|poll| poll.required),
            voters: question.voters.len(),
            decided_by: None,
            decided_at: None,
            counts,
            late: Vec::new(),
        };
        match verdict {
            Verdict::Decided(answer) => {
                story.verdict = "decided";
                story.answer = Some(question.answers[answer].clone());
                story.tell(&polls[answer], votes.timed, q).await?;
            }
            Verdict::Tie => story.verdict = "tie",
            Verdict::Undecided => {}
        }
        Ok(story)
    }

    /// Fills in when and by whom the poll was decided, and what came after.
    async fn tell(&mut self, poll: &Poll, timed: bool, q: &Quorate) -> Result<(), Error> {
        let decided_by = poll.end.as_ref().and_then(|end| end.decided_by.as_ref());
        self.decided_by = decided_by.map(ToString::to_string);
        for vote in record(q, &poll.id).await? {
            let at = timed.then_some(vote.cast_at);
            if vote.refused {
                self.late.push((vote.voter_id.to_string(), at, vote.vote));
            } else {
                // The last vote that was taken is the one that decided.
                self.decided_at = at;
            }
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let late = |(voter, at, approves): &(String, Option<Timestamp>, bool)| json!({ "worker": voter, "at": at, "approves": approves });
        let count = |(answer, votes): &(String, u32)| json!({ "answer": answer, "votes": votes });
        json!({
            "question": self.question,
            "verdict": self.verdict,
            "answer": self.answer,
            "required": self.required,
            "workers": self.voters,
            "decided_by": self.decided_by,
            "decided_at": self.decided_at,
            "standing": self.counts.iter().map(count).collect::<Vec<_>>(),
            "votes_after_close": self.late.iter().map(late).collect::<Vec<_>>(),
        })
    }

    fn text(&self, rule: &str) -> String {
        let counts: Vec<String> = self.counts.iter().map(|(answer, n)| format!("{answer} {n}")).collect();
        let counts = counts.join(", ");
        let mut out = format!("{} ({rule}): ", self.question);
        match (&self.answer, self.required) {
            (Some(answer), Some(required)) => {
                let by = self.decided_by.as_deref().unwrap_or("nobody");
                let on = self.decided_at.map(|at| format!(" on {}", day(at))).unwrap_or_default();
                out += &format!(
                    "{answer}, decided{on} by the vote of {by}: {required} of {} workers needed\n",
                    self.voters
                );
                let late = self.late.iter().map(|(voter, at, approves)| {
                    let at = at.map(|at| format!(" {}", day(at))).unwrap_or_default();
                    format!("{voter}{at}{}", if *approves { "" } else { " (against)" })
                });
                let late: Vec<String> = late.collect();
                let late = if late.is_empty() { "none".into() } else { late.join(", ") };
                out += &format!("  votes after the close: {late}\n");
            }
            (_, Some(required)) => {
                out += &format!("{}, {required} of {} workers needed. {counts}\n", self.verdict, self.voters);
            }
            (_, None) => {
                out +=
                    &format!("undecided, the rule needs more than its {} workers. {counts}\n", self.voters);
            }
        }
        out
    }
}

/// An instant, as a date alone when it is a midnight.
fn day(at: Timestamp) -> String {
    let text = at.to_string();
    text.strip_suffix("T00:00:00Z").map_or(text.clone(), str::to_owned)
}

/// Everything a run found.
pub(super) struct Report {
    pub(super) outcomes: Vec<Outcome>,
    pub(super) speeds: Vec<Speed>,
    pub(super) store: &'static str,
    pub(super) truth_unused: usize,
}

impl Report {
    /// `{"results": …, "speed": …}`.
    pub(super) fn json(&self, votes: &Votes) -> Value {
        let speed = |(outcome, speed): (&Outcome, &Speed)| {
            json!({
                "rule": outcome.rule,
                "votes_sent": speed.latencies.len(),
                "seconds": speed.took.as_secs_f64(),
                "votes_per_second": per_second(speed),
                "latency_p50_ms": percentile(speed, 50),
                "latency_p99_ms": percentile(speed, 99),
                "quorums_resumed": speed.resumed,
            })
        };
        json!({
            "results": {
                "votes": votes.rows.len(),
                "repeated_votes": votes.repeated,
                "questions": votes.questions.len(),
                "workers": votes.workers.len(),
                "truth_unused": self.truth_unused,
                "rules": self.outcomes.iter().map(Outcome::json).collect::<Vec<_>>(),
            },
            "speed": {
                "store": self.store,
                "rules": self.outcomes.iter().zip(&self.speeds).map(speed).collect::<Vec<_>>(),
            },
        })
    }

    /// The same for people.
    pub(super) fn text(&self, votes: &Votes) -> String {
        let mut out = format!(
            "{} votes by {} workers on {} questions\n",
            votes.rows.len(),
            votes.workers.len(),
            votes.questions.len()
        );
        if votes.repeated > 0 {
            out += &format!("{} of them by a worker who had voted on the question before\n", votes.repeated);
        }
        if self.truth_unused > 0 {
            out += &format!("{} known answers are to questions nobody voted on\n", self.truth_unused);
        }
        let header = [
            "rule",
            "questions",
            "decided",
            "ties",
            "undecided",
            "accuracy of decided",
            "accuracy",
            "votes cast",
            "late votes",
        ];
        out += "\n";
        out += &table(&header, self.outcomes.iter().map(Outcome::row));
        for outcome in &self.outcomes {
            if !outcome.stories.is_empty() {
                out += "\n";
            }
            for story in &outcome.stories {
                out += &story.text(&outcome.rule);
            }
        }
        out += &format!("\nspeed of this run, store {}\n", self.store);
        let ms = |ms: Option<f64>| ms.map_or("-".into(), |ms| format!("{ms:.2} ms"));
        let rows = self.outcomes.iter().zip(&self.speeds).map(|(outcome, speed)| {
            vec![
                outcome.rule.clone(),
                speed.latencies.len().to_string(),
                per_second(speed).map_or("-".into(), |rate| format!("{rate:.0}")),
                ms(percentile(speed, 50)),
                ms(percentile(speed, 99)),
            ]
        });
        out += &table(&["rule", "votes sent", "votes/s", "durable p50", "durable p99"], rows);
        out
    }
}

fn per_second(speed: &Speed) -> Option<f64> {
    let seconds = speed.took.as_secs_f64();
    (!speed.latencies.is_empty() && seconds > 0.0).then(|| speed.latencies.len() as f64 / seconds)
}

/// A percentile of the latencies, in milliseconds (nearest rank).
fn percentile(speed: &Speed, percent: usize) -> Option<f64> {
    let mut sorted = speed.latencies.clone();
    let rank = (sorted.len() * percent).div_ceil(100).checked_sub(1)?;
    let (_, value, _) = sorted.select_nth_unstable(rank);
    Some(f64::from(*value) / 1_000.0)
}
