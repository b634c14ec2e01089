//! Capacity as whole units: who holds how much of what, on whose budget, and until when.

pub mod cell;
