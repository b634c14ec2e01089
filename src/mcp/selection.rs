//! Which operations are shown as tools. A model that sees a hundred tools chooses badly, so only those that an agent needs
//! are shown when nobody says which.

use quorate_runtime::api::nouns::NOUNS;
use quorate_runtime::api::ops::Operation;
use quorate_runtime::error::Error;

/// What an agent needs, and why. A way that begins with a tool of this list ends with one: who takes a job keeps it, says how
/// it gets on and ends it; who holds capacity longer than its lease renews it. Where two tools show the same, the wider one
/// stands here: the inbox holds questions of all kinds and waits for one, so `consensus.open` is left out; the log of one
/// entity is asked for far more often than all of history. `agent.beat` is for programs with a timer, and `agent.list` says
/// little that an open question does not, which names whom it waits for.
pub const CORE: &[(&str, &str)] = &[
    ("consensus.request", "An agent asks the others before it acts."),
    ("consensus.vote", "An agent that is asked answers."),
    ("consensus.result", "Whoever asked comes back for the decision, also in another session."),
    ("overview.inbox", "An agent finds out what awaits its vote, whoever asked and however."),
    ("quorum.start", "A person or a named group is asked, not all agents."),
    ("quorum.vote", "The answer of one of that group."),
    ("quorum.list", "Whoever comes back finds the questions again whose ids it lost."),
    ("quorum.status", "Who has voted and who is awaited, without waiting."),
    ("quorum.wait", "What depends on the approval goes on when it is there."),
    ("quorum.cancel", "A question that is not wanted any more must not be approved by accident."),
    ("agent.register", "Only those who are registered are asked."),
    ("capacity.request", "Shared limits hold only when everybody asks first."),
    ("capacity.release", "What is not given back is missing for all others until its lease ends."),
    ("capacity.renew", "Work that takes longer than the lease keeps what it uses."),
    ("capacity.reserve", "What is limited per minute or day is asked for before it is used."),
    ("capacity.settle", "What was estimated too high is there for others at once."),
    ("job.submit", "Work that must outlive the agent gets a name."),
    ("job.acquire", "One of several agents does a thing, and the others know who."),
    ("job.renew", "Whoever works longer than the lease stays the one who does."),
    ("job.progress", "The others see that the work gets on, and what was done when it stops."),
    ("job.complete", "Work that is done must not be begun again by another."),
    ("job.release", "Another may go on at once instead of after the lease."),
    ("job.status", "What became of the work."),
    ("history.entity", "How a decision came about, vote by vote."),
];

/// Which operations are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Selection {
    /// Those of [`CORE`].
    #[default]
    Core,
    /// Every one.
    All,
    /// Those of these nouns.
    Nouns(Vec<String>),
}

impl Selection {
    /// Reads `core`, `all`, or nouns with commas between them.
    ///
    /// # Errors
    /// `invalid_argument` naming the word that is none of them.
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text.trim() {
            "core" => return Ok(Selection::Core),
            "all" => return Ok(Selection::All),
            _ => {}
        }
        let nouns: Vec<&str> = text.split(',').map(str::trim).collect();
        let is_noun = |word: &str| NOUNS.iter().any(|(noun, _)| *noun == word);
        match nouns.iter().find(|word| !is_noun(word)) {
            Some(word) => {
                let known: Vec<&str> = NOUNS.iter().map(|(noun, _)| *noun).collect();
                let expected = format!("core, all, or nouns with commas between them: {}", known.join(", "));
                Err(Error::invalid("tools", *word, &expected))
            }
            None => Ok(Selection::Nouns(nouns.into_iter().map(str::to_owned).collect())),
        }
    }

    /// Is the operation shown?
    pub fn has(&self, op: &Operation) -> bool {
        match self {
            Selection::Core => CORE.iter().any(|(name, _)| *name == op.name),
            Selection::All => true,
            Selection::Nouns(nouns) => {
                op.name.split_once('.').is_some_and(|(noun, _)| nouns.iter().any(|named| named == noun))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_runtime::api::ops::{OPERATIONS, find};

    #[test]
    fn what_an_agent_needs_is_in_the_table_and_says_why() {
        for (name, why) in CORE {
            assert!(find(name).is_ok(), "{name}");
            assert!(why.ends_with('.') && why.len() > 20, "{name}: {why}");
        }
        let shown = OPERATIONS.iter().filter(|op| Selection::Core.has(op)).count();
        assert!((15..=24).contains(&shown), "{shown}");
    }

    #[test]
    fn nouns_are_read_and_other_words_are_refused() {
        assert_eq!(Selection::parse("core"), Ok(Selection::Core));
        assert_eq!(Selection::parse(" all "), Ok(Selection::All));
        let two = Selection::parse("quorum, job").unwrap();
        let shown: Vec<&str> = OPERATIONS.iter().filter(|op| two.has(op)).map(|op| op.name).collect();
        assert!(shown.contains(&"job.why") && shown.contains(&"quorum.start"));
        assert!(shown.iter().all(|name| name.starts_with("quorum.") || name.starts_with("job.")));
        for text in ["", "quorum,", "quorums", "core,quorum", "quorum.start"] {
            let error = Selection::parse(text).unwrap_err();
            assert_eq!(error.detail("field"), Some(&"tools".into()), "{text}");
        }
    }
}
