//! Where a job goes for which no datacenter was named: the router chooses.

use super::dto::{RouteJob, RoutedView};
use super::job::Jobs;
use crate::core::kernel::ids::{DatacenterId, EntityId};
use crate::error::{Error, ErrorKind};

/// A job that goes nowhere: no manager of the datacenter is there, as far as this node knows.
pub(super) fn nobody(datacenter: &EntityId) -> Error {
    let message =
        format!("no manager of the datacenter is there, as far as this node knows. datacenter={datacenter}");
    Error::new(ErrorKind::NoDatacenter, message).with("excluded", vec![datacenter.to_string()])
}

/// What the submitter asks of the router.
pub(super) struct Preferred {
    /// How many datacenters get the job.
    pub(super) count: Option<u64>,
    /// Those that count as nearer.
    pub(super) names: Vec<EntityId>,
}

/// Where a job is to run.
#[derive(Default)]
pub(super) struct Aimed {
    /// In which datacenters; none where it runs here, without a gate.
    pub(super) datacenters: Vec<EntityId>,
    /// Why there, if the router chose.
    pub(super) routed: Option<RoutedView>,
    /// Was it chosen just now?
    pub(super) is_new: bool,
}

impl Jobs<'_> {
    /// Where a job is to run: where its submitter says, else where it runs or ran already, else where the router sends it, else
    /// here.
    ///
    /// # Errors
    /// `no_datacenter` when some are known and none may take it; `invalid_argument` for wishes beside named datacenters,
    /// and the faults of the store.
    pub(super) async fn aim(
        &self,
        job_id: &EntityId,
        named: Vec<EntityId>,
        preferred: Preferred,
    ) -> Result<Aimed, Error> {
        if !named.is_empty() {
            if let Some(count) = preferred.count {
                let expected = "left out where target_datacenters names them";
                return Err(Error::invalid("datacenter_count", count, expected));
            }
            return Ok(Aimed { datacenters: named, ..Aimed::default() });
        }
        if !self.q.datacenters().are_known() || self.is_here(job_id).await? {
            return Ok(Aimed::default());
        }
        // Of a job that has ended too: asked for again, it goes nowhere else.
        if let Some(gate) = self.gate_view(job_id).await? {
            let routed = self.q.routes().routed(job_id).await?;
            return Ok(Aimed { datacenters: gate.target_datacenters, routed, is_new: false });
        }
        let preferred_datacenters = preferred.names.iter().map(DatacenterId::from).collect();
        let routes = self.q.routes();
        let wish = RouteJob {
            datacenter_count: Some(preferred.count.unwrap_or(1)),
            preferred_datacenters,
            ..RouteJob::of(job_id.clone())
        };
        let decision = routes.decide(wish).await?;
        if decision.primary_datacenters.is_empty() {
            routes.cleanup(job_id.clone()).await?;
            return Err(Error::no_datacenter(&decision.excluded));
        }
        let datacenters = decision.primary_datacenters.iter().map(EntityId::from).collect();
        let routed = routes.routed(job_id).await?;
        Ok(Aimed { datacenters, routed, is_new: true })
    }
}
