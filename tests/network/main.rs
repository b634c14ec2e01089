//! Many nodes at once: coordinates on measured matrices, membership on a lossy network in virtual time, routes by both.

mod cluster;
mod focas;
mod matrices;
mod ours;
mod scenarios;
mod vivaldi;

mod coordinates;
mod members;
mod records;
mod routes;
