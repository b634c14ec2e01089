//! The book of the project, compiled in so that its links are checked.
//!
//! | page | answers |
//! |---|---|
//! | [`operations`] | which operations are there, with their HTTP paths? |
//! | [`errors`] | what does an error or an exit code mean, and what to do? |
//! | [`mcp`] | how does an agent that speaks MCP come in? |
//! | [`configuration`] | which settings are there? |
//! | [`operating`] | how to run, restart, back up and repair? |
//! | [`hooks`] | how is what happens posted to another server, and how does that one know who sends? |
//! | [`page`] | what does the page for people show, and who may see it? |
//! | [`fleet`] | how does another machine take over, and what is promised when what fails? |
//! | [`rules`] | how are questions decided? |
//! | [`weights`] | how far are voters relied on, and how many voices are there? |
//! | [`sessions`] | how is decided when voters may lie, and what does that hold against? |
//! | [`certificate_format`] | what does a certificate of a decision hold, byte by byte? |
//! | [`capacity`] | how is capacity shared? |
//! | [`jobs`] | how does a job run once? |
//! | [`python`] | how does a Python program use it? |
//! | [`load`] | how do senders slow down, and what is refused under overload? |
//! | [`network`] | how far apart are nodes, who is there, and where does a job go? |
//! | [`proofs`] | what can be proven about the history, and what not? |
//! | [`performance`] | how fast is it, beside which baseline? |
//! | [`extending`] | how to add a rule, a policy, a store? How is it tested? |
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

#[doc = include_str!("proofs.md")]
pub mod proofs {}

#[doc = include_str!("sources.md")]
pub mod sources {}

#[doc = include_str!("operations.md")]
pub mod operations {}

#[doc = include_str!("errors.md")]
pub mod errors {}

#[doc = include_str!("mcp.md")]
pub mod mcp {}

#[doc = include_str!("configuration.md")]
pub mod configuration {}

#[doc = include_str!("operating.md")]
pub mod operating {}

#[doc = include_str!("hooks.md")]
pub mod hooks {}

#[doc = include_str!("page.md")]
pub mod page {}
#[doc = include_str!("fleet.md")]
pub mod fleet {}

#[doc = include_str!("rules.md")]
pub mod rules {}

#[doc = include_str!("weights.md")]
pub mod weights {}
#[doc = include_str!("sessions.md")]
pub mod sessions {}

#[doc = include_str!("certificate_format.md")]
pub mod certificate_format {}

#[cfg(any(not(doctest), feature = "runtime"))]
#[doc = include_str!("capacity.md")]
pub mod capacity {}

#[doc = include_str!("jobs.md")]
pub mod jobs {}

#[cfg(any(not(doctest), feature = "flow"))]
#[doc = include_str!("load.md")]
pub mod load {}

#[doc = include_str!("network.md")]
pub mod network {}

#[doc = include_str!("performance.md")]
pub mod performance {}

#[doc = include_str!("extending.md")]
pub mod extending {}

#[doc = include_str!("python.md")]
pub mod python {}
