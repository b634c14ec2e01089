//! Jobs: what gates, managers and workers say about them, and the tokens that tell leaders from former leaders.

pub mod message;
pub mod token;
