//! Leases of jobs, over all of them. How one is taken, kept and given back is told at the [jobs](super::job).

use super::Quorate;

/// Operations on leases.
#[derive(Clone, Copy, Debug)]
pub struct Leases<'a> {
    pub(super) q: &'a Quorate,
}
