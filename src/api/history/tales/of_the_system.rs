//! The sentences of what the system keeps of itself: what is stopped, what is kept, who is told, who belongs to it.

use super::Lines;

pub(super) const STOPS: Lines = &[
    (
        "engaged",
        "stop {stop_id} holds {scope} from then on; {release.need} of {release.voters} let it go on[; {by} engaged it][: {reason}]",
    ),
    (
        "released",
        "stop {stop_id} was released by {kind} {decision_id}, which {supporters} were for[; {by} asked for it]",
    ),
];

pub(super) const RETENTION: Lines = &[
    ("held", "nothing in {scope} is pruned from then on: {reason}[; {by} asked for it]"),
    ("released", "{scope} may be pruned again[; {by} asked for it]"),
    (
        "pruned",
        "{records} records of ended entities were pruned, at positions {first_position} to {last_position}[; {by} did it]",
    ),
];

pub(super) const HOOK: Lines = &[
    (
        "registered",
        "registered to post what is recorded behind position {position} and fits its filter[, for {owner}]",
    ),
    ("keyed", "a secret signs its requests"),
    ("delivered", "~everything that fits up to position {position} was delivered"),
    ("failed", "~an attempt failed, number {failures} in a row: {reason}[; the next one is at {retry_at}]"),
    ("disabled", "nothing more is attempted: {reason:name}"),
    ("resumed", "it is attempted again from then on"),
    ("removed", "removed; what stands behind position {position} was not delivered"),
];

pub(super) const MEMBER: Lines = &[
    ("discovered", "was heard of[; {said_by} said so]"),
    ("confirmed", "was heard from, and is OK from then on"),
    ("removed", "is no longer known: {reason}"),
    ("moved", "was {from} and is {to}, under incarnation {incarnation}, as {said_by} found or said"),
    ("role_learned", "is a {role}"),
    ("found", "was found {standing.state} by a process that began, under incarnation {standing.incarnation}"),
    ("incarnation_raised", "speaks with incarnation {incarnation}"),
    ("began", "began as {role} in {datacenter}, reached at {address}, with the keys {keys}"),
    ("keys_changed", "has the keys {keys}; the first one seals[; new are {added}][; {dropped} open no more]"),
    ("left", "said that it leaves"),
    (
        "merged",
        "changed {changes} times since {since}: suspected {suspected} times, dead {died} times, back {returned} times, \
         discovered {discovered} times and removed {removed} times[; at the end it was {standing.state}]",
    ),
    ("name_claimed", "two nodes use this name: at {held}, which counts, and at {claimed}"),
    ("unnamed", "{changes} changes of members that had no place to wait stand in no record of theirs"),
];

pub(super) const SUBJECTS: Lines = &[
    ("registered", "data of {data_subject} is sealed with key {key_id} from then on"),
    ("shred_asked", "the key of {data_subject} is to be destroyed: {reason}[; {by} asked for it]"),
    ("shredded", "no key of {data_subject} is kept any more, and nothing sealed with it is opened"),
];
