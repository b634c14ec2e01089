//! How single questions went: who decided them when, and which votes came too late.

use serde_json::{Value, json};

use super::contest::{Asked, Contest, Poll, Verdict, standing};
use super::votes::Votes;
use quorate_runtime::api::Quorate;
use quorate_runtime::api::dto::{AuditVoteView, EntityHistory};
use quorate_runtime::core::kernel::ids::EntityId;
use quorate_runtime::core::kernel::time::Timestamp;
use quorate_runtime::error::Error;

/// How a question went.
#[derive(Debug)]
pub(super) struct Story {
    question: String,
    verdict: &'static str,
    asked: Asked,
    answer: Option<String>,
    required: Option<u32>,
    voters: usize,
    decided_by: Option<String>,
    decided_at: Option<Timestamp>,
    counts: Vec<(String, u32)>,
    /// Votes after the close: who, when, and whether for the answer.
    late: Vec<(String, Option<Timestamp>, bool)>,
}

impl Story {
    /// What became of a question, with what its record says about it.
    ///
    /// # Errors
    /// The faults of the store.
    pub(super) async fn of(
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
            asked: contest.asked[number],
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

    /// For machines.
    pub(super) fn json(&self) -> Value {
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

    /// For people.
    pub(super) fn text(&self, rule: &str) -> String {
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
                let why = match self.asked {
                    Asked::MetBefore => "is met before anybody votes",
                    Asked::CannotBeMet | Asked::From(_) => "cannot be met",
                };
                out += &format!("undecided, the rule {why} among {} workers. {counts}\n", self.voters);
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

/// Every vote and refused attempt on a quorum's record, in order.
async fn record(q: &Quorate, id: &EntityId) -> Result<Vec<AuditVoteView>, Error> {
    let mut votes = Vec::new();
    let mut cursor = None;
    loop {
        let request = EntityHistory { kind: None, entity_id: id.clone(), limit: Some(1000), cursor };
        let page = q.history().entity(request).await?;
        votes.extend(page.votes);
        cursor = page.next_cursor;
        if !page.more {
            return Ok(votes);
        }
    }
}
