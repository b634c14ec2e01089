//! The supervisors: small actors that watch over the others and decide nothing about the domain.
//!
//! | actor | job | decides anything? |
//! |---|---|---|
//! | [`timeouts`] | one wheel of deadlines; pokes what is due; puts idle actors to sleep | no |
//! | [`restart`] | hears of deaths; back-off and budget; wakes what died | only about restarts |
//! | [`recovery`] | at open: counters, deadlines, and everything owed or overdue, before the first command | no |

pub(crate) mod deadlines;
pub(crate) mod recovery;
pub(crate) mod restart;
pub(crate) mod timeouts;

// Here and not in the file it tests, which the benches include too.
#[cfg(test)]
mod deadlines_test;
