//! What gates, managers and workers say to each other, and the tokens by which a late message is known.

mod body;
pub mod limits;
pub mod message;
pub mod payload;
pub mod recall;
pub mod token;
