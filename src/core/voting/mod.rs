//! How a question is decided: who may vote, by which rule, until when.
//!
//! | module | holds |
//! |---|---|
//! | [`rules`] | vote rules as data, and the formula that tells won from lost as early as possible |
//! | [`topology`] | cells, neighbours and authorities: the electorate of a quorum |
//! | [`quorum`] | a question asked of cells or of named voters |
//! | [`agent`] | who is asked about proposals, and whether its heart beats |
//! | [`proposal`] | a question put to the registered agents |
//! | [`algorithms`] | rules under a name |
//! | [`session`] | a question that holds against voters that lie |
//! | [`voter`] | who may vote in sessions, and how far each is trusted |
//! | [`signature`] | keys, signatures, hashes and canonical bytes |

pub mod agent;
pub mod algorithms;
pub mod proposal;
pub mod quorum;
pub mod rules;
pub mod session;
pub mod signature;
pub mod topology;
pub mod voter;
