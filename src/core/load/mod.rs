//! Too much work: slow senders down, refuse what can wait, tell the others.
//!
//! | module | holds |
//! |---|---|
//! | [`flow`] | a bounded buffer with thresholds, and what is dropped from it |
//! | [`shed`] | classes of requests, detectors of load, and who is refused |
//! | [`stats`] | numbers of running work in tiers that lose no count, and the level they give |
//! | [`pressure`] | what senders do at each level |
//! | [`record`] | the load of a runtime as an entity |

pub mod flow;
pub mod pressure;
pub mod record;
pub mod shed;
pub mod stats;
