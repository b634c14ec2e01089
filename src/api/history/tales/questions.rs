//! The sentences of quorums and proposals.

use super::Lines;

pub(super) const QUORUM: Lines = &[
    (
        "opened",
        "opened: {required_votes} approvals are needed until {deadline}[, of {electorate.closed:count} voters]\
         [, about cell {cell_id}][; it follows {parent}, which timed out]",
    ),
    (
        "opened_by_rule",
        "opened under the rule {rule.rule} until {opened.deadline}[, of {opened.electorate.closed:count} voters]\
         [, about cell {opened.cell_id}][; it follows {opened.parent}, which timed out]",
    ),
    ("keyed", "the request that opened it bore a name, so that a repeat is known"),
    ("vote_cast", "{voter_id} voted {vote:vote} ({counting})[: {reason}]"),
    ("vote_refused", "{voter_id} was refused a vote {vote:vote}: {refusal}[; it said: {reason}]"),
    (
        "closed",
        "closed as {state} as of {closed_at}, with {tally.approvals} for and {tally.rejections} against\
         [; the vote of {decided_by} decided][; ended by {cancelled_by}][: {reason}]",
    ),
    (
        "extended",
        "votes are taken until {deadline}, not only until {before}[; {by} asked for it][: {reason}]",
    ),
    ("fallback_opened", "the global quorum {child_id} was opened in its place"),
    ("fallback_failed", "the global quorum {child_id} could not be opened in its place: {reason}"),
];

pub(super) const PROPOSAL: Lines = &[
    (
        "opened",
        "put to {participants:count} participants under the algorithm {algorithm} until {deadline}\
         [; left out for their health: {excluded}][; failed already: {absent}]",
    ),
    ("broadcast", "{reached} participants were told[; not reached: {unreached}]"),
    ("keyed", "the request that opened it bore a name, so that a repeat is known"),
    ("handed", "taken from the inboxes of {voter_ids}"),
    ("vote_cast", "{voter_id} voted {vote}[ with the answer {value}][: {reason}]"),
    (
        "vote_refused",
        "{voter_id} was refused a vote {vote}: {refusal}[; its answer: {value}][; it said: {reason}]",
    ),
    ("answer_asked", "a vote for it must bring an answer, of the shape {shape:name}"),
    ("delegated", "{from} handed its place on to {to}, who votes in the place of {place}[: {reason}]"),
    ("reminders_asked", "those whose votes are outstanding are told again every {every_ms} ms"),
    ("reminded", "{voter_ids} were told again[; {by} asked for it]"),
    ("told", "{voter_ids:count} were to be told; taken by {taken:count} of them"),
    ("absence_changed", "{voter_id} is absent: {absent}"),
    (
        "extended",
        "votes are taken until {deadline}, not only until {before}[; {by} asked for it][: {reason}]",
    ),
    (
        "closed",
        "closed as {decision} as of {closed_at}, with {votes.0} for, {votes.1} against and {votes.2} abstaining\
         [; the vote of {decided_by} decided][; cause: {cause}]",
    ),
    (
        "mandated",
        "its decision allows {tool} and nothing else, {uses} times[, until {expires_at}][, under fence {fence}]",
    ),
    ("spent", "its decision was used, use {number}[; {by} asked for it][, under fence {fence}]"),
    ("redeemed", "use {number} of its decision was bound to job {job_id}, which it lets begin"),
];
