//! The book of the project, compiled in so that its links are checked.
//!
//! | page | answers |
//! |---|---|
//! | [`architecture`] | how is it built, and what happens between a call and its answer? |
//! | [`journal_format`] | what is on disk, byte by byte? |
//! | [`guarantees`] | what is promised, under which conditions, and which test shows it? |
//! | [`outcomes`] | what does a command exit with, and when does HTTP say `success`? |
//! | [`glossary`] | what do the words mean? |
//! | [`sources`] | what was taken from where? |

#[doc = include_str!("architecture.md")]
pub mod architecture {}

#[doc = include_str!("journal_format.md")]
pub mod journal_format {}

#[doc = include_str!("guarantees.md")]
pub mod guarantees {}

#[doc = include_str!("outcomes.md")]
pub mod outcomes {}

#[doc = include_str!("glossary.md")]
pub mod glossary {}

#[doc = include_str!("sources.md")]
pub mod sources {}
