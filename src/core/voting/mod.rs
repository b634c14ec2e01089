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
//! | [`reliability`] | how far each voter can be relied on: sources of weights |
//! | [`judgement`] | what came to light of a voter when it was told what was right |
//! | [`independence`] | how many independent voices there are behind a number of heads |
//! | [`attacks`] | patterns in votes that honest voters hardly make |
//! | [`emergence`] | what a crowd does beyond its votes |
//! | [`selection`] | choosing among candidates by eight criteria |
//! | [`gates`] | what must be looked at before a decision is acted upon |
//! | [`statistics`] | exact tests and robust measures |
//! | [`waves`] | asking only as many as are needed |
//! | [`session`] | a question that holds against voters that lie |
//! | [`voter`] | who may vote in sessions, and how far each is trusted |
//! | [`extension`] | votes that are taken longer than was said |
//! | [`people`] | places that go to somebody else, and being told again |
//! | [`mandate`] | the one operation that a decision allows, and what was used of it |
//! | [`signature`] | keys, signatures, hashes and canonical bytes |

pub mod agent;
pub mod algorithms;
pub mod attacks;
pub mod emergence;
pub mod extension;
pub mod gates;
pub mod independence;
pub mod judgement;
pub mod mandate;
pub mod people;
pub mod proposal;
pub mod quorum;
pub mod reliability;
pub mod rules;
pub mod selection;
pub mod session;
pub mod signature;
pub mod statistics;
pub mod topology;
pub mod voter;
pub mod waves;
