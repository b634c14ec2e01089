//! Many nodes at once: coordinates on measured matrices.

mod matrices;
mod vivaldi;

mod coordinates;
