//! What came out: results, which depend on the files and rules alone, and apart from them how fast it went.

use serde_json::{Value, json};

use super::contest::{Asked, Contest, Verdict};
use super::run::Speed;
use super::story::Story;
use super::votes::{Truth, Votes};
use super::waves::Curve;
use super::weights::Weighed;
use crate::output::{shortened, table};
use quorate_runtime::api::Quorate;
use quorate_runtime::error::Error;

/// Up to this many questions, each one's story is told.
const STORIES: usize = 20;
/// A rule longer than this is cut in tables. The stories and `--json` show it whole.
const LONGEST_RULE: usize = 40;

/// The results of one rule.
#[derive(Debug)]
pub(super) struct Outcome {
    rule: String,
    decided: usize,
    ties: usize,
    undecided: usize,
    /// Questions not put to the vote, for the rule is met before anybody votes, or cannot be met by the voters.
    met_before: usize,
    cannot_be_met: usize,
    /// Correct and all decided questions with a known answer, and all questions with one.
    correct: usize,
    decided_known: usize,
    known: usize,
    votes: u64,
    late_votes: u64,
    stories: Vec<Story>,
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
        let not_asked = |why| contest.asked.iter().filter(|asked| **asked == why).count();
        let mut outcome = Outcome {
            rule: contest.rule.clone(),
            decided: 0,
            ties: 0,
            undecided: 0,
            met_before: not_asked(Asked::MetBefore),
            cannot_be_met: not_asked(Asked::CannotBeMet),
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
            "met_before_any_vote": self.met_before,
            "cannot_be_met": self.cannot_be_met,
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
            shortened(&self.rule, LONGEST_RULE),
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

    /// What the row leaves open: why questions were not put to the vote.
    fn notes(&self) -> String {
        let note = |n: usize, why: &str| match n {
            0 => String::new(),
            n => format!("{}: {why} on {}, not put to the vote\n", self.rule, count(n, "question")),
        };
        note(self.met_before, "met before anybody votes")
            + &note(self.cannot_be_met, "cannot be met by the voters")
    }
}

fn share(part: usize, of: usize) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}

/// Everything a run found.
pub(super) struct Report {
    pub(super) outcomes: Vec<Outcome>,
    pub(super) speeds: Vec<Speed>,
    pub(super) store: &'static str,
    pub(super) truth_unused: usize,
    pub(super) weighed: Weighed,
    pub(super) curve: Curve,
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
                "weights": self.weighed.json(),
                "waves": self.curve.json(),
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
            "{} by {} on {}\n",
            count(votes.rows.len(), "vote"),
            count(votes.workers.len(), "worker"),
            count(votes.questions.len(), "question")
        );
        if votes.repeated > 0 {
            out += &format!("{} of them by a worker who had voted on the question before\n", votes.repeated);
        }
        if self.truth_unused > 0 {
            out += &format!("{} known answers are to questions nobody voted on\n", self.truth_unused);
        }
        out += &self.rules_text();
        out += &self.weighed.text();
        out += &self.curve.text();
        out
    }

    /// The part of the rules, empty without any.
    fn rules_text(&self) -> String {
        if self.outcomes.is_empty() {
            return String::new();
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
        let mut out = String::from("\n");
        out += &table(&header, self.outcomes.iter().map(Outcome::row));
        out.extend(self.outcomes.iter().map(Outcome::notes));
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
                shortened(&outcome.rule, LONGEST_RULE),
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

fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
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
