//! How far nodes are apart, and which datacenter a job goes to.

use serde::{Deserialize, Serialize};

use crate::core::network::OutOfRange;
use crate::core::network::coordinate::VivaldiConfig;
use crate::core::network::route::RoutingConfig;
use crate::journal::Fault;

/// How far nodes are apart, and which datacenter a job goes to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkConfig {
    /// How round trips make coordinates.
    pub coordinates: VivaldiConfig,
    /// How datacenters are chosen.
    pub routing: RoutingConfig,
}

impl NetworkConfig {
    /// Checks every number.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let fault = |OutOfRange { field, given, expected }| Fault::Config {
            knob: field,
            value: given,
            range: expected.into(),
        };
        self.coordinates.check().and_then(|()| self.routing.check()).map_err(fault)
    }
}
