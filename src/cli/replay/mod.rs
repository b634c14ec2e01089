//! `quorate replay`: recorded votes through real quorums on a real journal.
//!
//! ```text
//!  votes     the files (table: their CSV)
//!  contest   a rule: its polls, and what became of each question
//!  past      what a run that was killed left behind
//!  run       opens the polls, casts the votes, reads the ends
//!  report    results and speed, and for short files each question's story
//!  weights   what learned weights make of the same votes, without quorums
//!  waves     how many of the votes would have been enough
//! ```
//!
//! A poll's id follows from the file, the rule, the question and the answer, and a poll's record tells how many of
//! its votes were cast. So a run that was killed goes on where it was, and ends with the same results.

mod contest;
mod past;
mod report;
mod run;
mod story;
mod table;
mod votes;
mod waves;
pub(super) mod weights;

use std::path::PathBuf;
use std::time::Duration;

use clap::ArgMatches;
use serde_json::Value;

use super::open::{Place, persistent};
use super::output::{Output, Stop};
use super::signals::Signals;
use contest::Contest;
use quorate_runtime::api::Quorate;
use quorate_runtime::config::{ClockConfig, Config};
use quorate_runtime::core::kernel::time::Timestamp;
use quorate_runtime::core::voting::rules::{Param, RULES, RuleSpec};
use quorate_runtime::error::Error;
use quorate_runtime::store::STORES;
use report::{Outcome, Report};
use run::Runner;
use votes::{Truth, Votes, read_truth};
use waves::Curve;
use weights::Weighed;

/// How long quorums stay open when votes have no times: a century, so that no deadline interferes.
const UNTIMED: Duration = Duration::from_secs(100 * 365 * 86_400);
/// How long quorums stay open after the last vote's time.
const MARGIN: Duration = Duration::from_secs(86_400);

/// Replays a file of votes.
pub(super) async fn run(matches: &ArgMatches, output: &Output) -> Result<u8, Stop> {
    let path = matches
        .get_one::<PathBuf>("votes")
        .ok_or_else(|| Error::invalid("votes", Value::Null, "a CSV file of votes"))?;
    let votes = Votes::read(path)?;
    let truth = matches.get_one::<PathBuf>("truth").map(|path| read_truth(path)).transpose()?;
    let truth = truth.unwrap_or_default();
    let sources = weights::asked(matches)?;
    let bounds = waves::asked(matches)?;
    let wave = matches.get_one::<u32>("wave-size").copied().unwrap_or(1);
    let gold = matches.get_one::<usize>("gold").copied().unwrap_or(0);
    let contests: Result<Vec<Contest>, Error> =
        rules(matches)?.into_iter().map(|rule| Contest::new(rule, &votes)).collect();
    let place = Place::asked(matches, persistent().unwrap_or(&STORES[0]))?;
    let contests = contests?;
    let weighed = Weighed::of(&sources, &votes, &truth, gold)?;
    let curve = Curve::of(&bounds, wave, &votes, &truth)?;
    let mut signals = Signals::listen()?;
    let mut report = tokio::select! {
        report = replay(&place, &votes, &truth, contests) => report?,
        // The runtime ends cleanly and a temporary folder is removed; with --data, the same command goes on.
        () = signals.next() => return Err(Stop::Interrupted),
    };
    report.weighed = weighed;
    report.curve = curve;
    if output.is_json() {
        output.reply(&report.json(&votes))?;
    } else {
        output.text(&report.text(&votes))?;
    }
    Ok(0)
}

/// The rules asked for, each once; without any, and without weights and waves, every rule of the table with its plain
/// parameters.
fn rules(matches: &ArgMatches) -> Result<Vec<RuleSpec>, Error> {
    let asked = matches.get_many::<String>("rule").into_iter().flatten().cloned();
    let required =
        matches.get_many::<String>("required").into_iter().flatten().map(|n| format!("required:{n}"));
    let mut rules: Vec<RuleSpec> = Vec::new();
    for text in asked.chain(required) {
        let rule = read_rule(&text)?;
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    if rules.is_empty() && !matches.contains_id("weights") && !matches.contains_id("waves") {
        rules.extend(RULES.iter().map(|entry| (entry.sample)()));
    }
    Ok(rules)
}

/// Reads `name`, `name:value` or a rule as JSON.
fn read_rule(text: &str) -> Result<RuleSpec, Error> {
    if !text.trim_start().starts_with('{') {
        return Ok(RuleSpec::from_text(text));
    }
    let refused = |why: &str| Error::invalid("rule", text, why);
    let param: Param = serde_json::from_str(text).map_err(|e| refused(&format!("JSON: {e}")))?;
    RuleSpec::from_param(&param).map_err(refused)
}

async fn replay(
    place: &Place,
    votes: &Votes,
    truth: &Truth,
    mut contests: Vec<Contest>,
) -> Result<Report, Error> {
    let asked: std::collections::HashSet<&str> = votes.questions.iter().map(|q| q.name.as_str()).collect();
    let truth_unused = truth.keys().filter(|question| !asked.contains(question.as_str())).count();
    let mut report = Report {
        outcomes: Vec::new(),
        speeds: Vec::new(),
        store: place.store_name(),
        truth_unused,
        weighed: Weighed::default(),
        curve: Curve::default(),
    };
    if contests.is_empty() {
        return Ok(report);
    }
    let first = votes.rows.first().map_or(Timestamp::EPOCH, |row| row.at);
    let last = votes.rows.last().map_or(first, |row| row.at);
    let timeout = if votes.timed { last.since(first) + MARGIN } else { UNTIMED };
    let mut config = Config { store: place.store_name().into(), ..Config::default() };
    if votes.timed {
        config.clock = ClockConfig::Manual(first);
    }
    let electorate = votes.questions.iter().map(|question| question.voters.len()).max().unwrap_or_default();
    config.quorum.max_timeout = timeout.max(config.quorum.max_timeout);
    config.quorum.max_voters = u32::try_from(electorate).unwrap_or(u32::MAX).max(config.quorum.max_voters);
    config.quorum.max_open = u64::MAX;
    let q = Quorate::open_with(config, place.open(false).await?).await?;
    let runner = Runner { q: &q, votes, timeout_seconds: timeout.as_secs_f64() };
    past::look_back(&q, &mut contests, votes).await?;
    if votes.timed {
        // Time passes once, for all rules together.
        report.speeds = runner.run(&mut contests).await?;
    } else {
        for contest in &mut contests {
            report.speeds.extend(runner.run(std::slice::from_mut(contest)).await?);
        }
    }
    for contest in &contests {
        report.outcomes.push(Outcome::of(contest, votes, truth, &q).await?);
    }
    q.close().await?;
    Ok(report)
}
