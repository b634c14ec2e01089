//! Recorded votes of real people with known answers: what is learned from them, and what it is worth.
//!
//! The files lie beside the project and are not part of it. Where they are absent every test here says so and checks
//! nothing.

mod accuracy;
mod copies;
mod data;
mod liars;
mod waves;
