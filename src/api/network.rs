//! Operations on coordinates, datacenters and routes: how far nodes are apart, how datacenters are, where a job goes.

use super::Quorate;
use super::dto::{
    AcceptRoute, CoordinateEstimate, CoordinateView, DatacenterList, DatacenterRef, DatacenterRemoved,
    DatacenterView, EstimateCoordinate, ListDatacenters, RouteChanged, RouteFailed, RouteFailure, RouteJob,
    RouteRef, RouteState, UpdateCoordinate, UpdateDatacenter,
};
use super::known::Sort;
use super::network_view::{
    coordinate_view, datacenter_view, estimate_view, parts, route_view, routed_view, rtt_us, unexpected,
};
use crate::core::jobs::gate;
use crate::core::kernel::ids::{EntityId, NodeId, StreamId, StreamKind};
use crate::core::network::coordinate::NetworkCoordinate;
use crate::core::network::coordinate::record::{self as coordinate, Measure};
use crate::core::network::datacenter::{self, Change};
use crate::core::network::route::record::{self as route, Ask, FailureReason};
use crate::core::network::route::{HealthBucket, RoutingDecision};
use crate::error::Error;
use crate::shell::access::Access;
use crate::shell::dispatches::seen;
use crate::shell::entity::Action;
use crate::shell::host::wait;
use crate::shell::hosts::datacenters_id;
use crate::shell::jobs::LOCAL;
use crate::shell::lock;
use crate::shell::runtime::ask;

/// Operations on the coordinates of nodes.
#[derive(Clone, Copy, Debug)]
pub struct Coordinates<'a> {
    pub(super) q: &'a Quorate,
}

/// Operations on datacenters.
#[derive(Clone, Copy, Debug)]
pub struct Datacenters<'a> {
    pub(super) q: &'a Quorate,
}

/// Operations on the routes of jobs.
#[derive(Clone, Copy, Debug)]
pub struct Routes<'a> {
    pub(super) q: &'a Quorate,
}

/// What a node has on record.
async fn node(host: &Access, node: &NodeId) -> Result<coordinate::Node, Error> {
    let id = EntityId::from(node);
    Ok(ask(host, &host.kinds.coordinates, &id, Action::Read, |view| view.state.clone()).await?)
}

async fn place(host: &Access, node: &NodeId, at: NetworkCoordinate) -> Result<NetworkCoordinate, Error> {
    tell_node(host, node, coordinate::Command::Place(Box::new(at))).await
}

async fn tell_node(
    host: &Access,
    node: &NodeId,
    said: coordinate::Command,
) -> Result<NetworkCoordinate, Error> {
    let id = EntityId::from(node);
    let action = Action::Command(said, None);
    let told = ask(host, &host.kinds.coordinates, &id, action, |view| match view.reply {
        Some(Ok(reply)) => reply.coordinate.ok_or_else(unexpected),
        Some(Err(refused)) => Err(Error::from(refused)),
        None => Err(unexpected()),
    });
    told.await?
}

impl Coordinates<'_> {
    /// Moves a node's coordinate by a round trip it measured, or says where it stands. Durable on return.
    ///
    /// # Errors
    /// `invalid_argument` for a round trip that is none, or a coordinate that is out of range, and the faults of the
    /// store.
    pub async fn update(&self, request: UpdateCoordinate) -> Result<CoordinateView, Error> {
        self.q.allow("coordinate.update", &request).await?;
        let (host, now) = (self.q.host(), self.q.now());
        let UpdateCoordinate { from, to, rtt_ms, vivaldi_coord } = request;
        let given = vivaldi_coord.map(|given| parts(given, now)).transpose()?;
        let moved = match (to, rtt_ms, given) {
            (Some(to), Some(_), _) if to == from => {
                return Err(Error::invalid("to", to.as_str(), "another node than from"));
            }
            (Some(to), Some(rtt_ms), given) => {
                let rtt_us = rtt_us(rtt_ms)?;
                let remote = match given {
                    Some(given) => Some(place(host, &to, given).await?),
                    None => node(host, &to).await?.coordinate(),
                };
                let measure = Measure { node: from.clone(), peer: to, remote, rtt_us };
                tell_node(host, &from, coordinate::Command::Measure(Box::new(measure))).await?
            }
            (Some(_), None, _) => return Err(Error::missing("rtt_ms")),
            (None, Some(_), _) => return Err(Error::missing("to")),
            (None, None, None) => return Err(Error::missing("to")),
            (None, None, Some(given)) => place(host, &from, given).await?,
        };
        Ok(coordinate_view(from, &moved, &host.config.network.coordinates, self.q.now()))
    }

    /// How far two nodes are apart, as far as is known. Nodes that are not known are no error: the upper bound is then
    /// 200 ms.
    ///
    /// # Errors
    /// The faults of the store.
    pub async fn estimate(&self, request: EstimateCoordinate) -> Result<CoordinateEstimate, Error> {
        self.q.allow("coordinate.estimate", &request).await?;
        let host = self.q.host();
        let (from, to) = (node(host, &request.from).await?, node(host, &request.to).await?);
        Ok(estimate_view(request, &from, &to, &host.config.network.coordinates, self.q.now()))
    }
}

impl Datacenters<'_> {
    fn here(&self) -> NodeId {
        NodeId::from(&self.q.host().config.jobs.node)
    }

    /// Says how a datacenter is. Durable on return.
    ///
    /// # Errors
    /// `invalid_argument` naming the number out of range, `unknown_datacenter` for one that is not configured,
    /// `limit_exceeded`, and the faults of the store.
    pub async fn update(&self, request: UpdateDatacenter) -> Result<DatacenterView, Error> {
        self.q.allow("datacenter.update", &request).await?;
        let host = self.q.host();
        let named = EntityId::from(&request.datacenter_id);
        if named.as_str().contains('@') {
            return Err(Error::invalid("datacenter_id", named.as_str(), "a name without @"));
        }
        let known = &host.config.jobs.datacenters;
        if !known.is_empty() && named.as_str() != LOCAL && !known.contains(&named) {
            return Err(gate::Rejection::UnknownDatacenter { datacenter: named }.into());
        }
        let health_bucket = request.health_bucket.as_deref().map(bucket).transpose()?;
        let now = self.q.now();
        let coordinate = match (request.vivaldi_coord, &request.leader_id) {
            (Some(given), _) => Some(parts(given, now)?),
            (None, Some(leader)) => node(host, leader).await?.coordinate(),
            (None, None) => None,
        };
        let change = Change {
            datacenter_id: request.datacenter_id.clone(),
            health_bucket,
            available_cores: request.available_cores,
            total_cores: request.total_cores,
            queue_depth: request.queue_depth,
            lhm_multiplier: request.lhm_multiplier,
            circuit_breaker_pressure: request.circuit_breaker_pressure,
            total_managers: request.total_managers,
            healthy_managers: request.healthy_managers,
            leader: request.leader_id,
            coordinate,
            rtt_ucb_ms: request.rtt_ucb_ms,
            coordinate_quality: request.coordinate_quality,
        };
        self.tell(datacenter::Command::Update(Box::new(change))).await?;
        let (all, candidates, _) = seen(host, &self.here()).await?;
        let at = candidates.iter().find(|candidate| candidate.datacenter_id == request.datacenter_id);
        let heard = all.known.get(&request.datacenter_id);
        at.zip(heard).map(|(at, heard)| datacenter_view(at, heard)).ok_or_else(unexpected)
    }

    async fn tell(&self, said: datacenter::Command) -> Result<(), Error> {
        let host = self.q.host();
        let action = Action::Command(said, None);
        let told = ask(host, &host.kinds.datacenters, &datacenters_id(), action, |view| match view.reply {
            Some(Ok(_)) => Ok(()),
            Some(Err(refused)) => Err(Error::from(refused)),
            None => Err(unexpected()),
        });
        told.await?
    }

    /// Forgets a datacenter: no job goes there any more. Durable on return.
    ///
    /// # Errors
    /// `unknown_datacenter`, and the faults of the store.
    pub async fn remove(&self, request: DatacenterRef) -> Result<DatacenterRemoved, Error> {
        self.q.allow("datacenter.remove", &request).await?;
        self.tell(datacenter::Command::Remove(request.datacenter_id.clone())).await?;
        Ok(DatacenterRemoved { datacenter_id: request.datacenter_id })
    }

    /// Every datacenter, as a gate sees it.
    ///
    /// # Errors
    /// The faults of the store.
    pub async fn list(&self, request: ListDatacenters) -> Result<DatacenterList, Error> {
        self.q.allow("datacenter.list", &request).await?;
        let named = request.from.as_ref().map(NodeId::as_str);
        let unknown = self.q.unknown_names(&[("from", named, Sort::Node)]).await?;
        let from = request.from.unwrap_or_else(|| self.here());
        let (all, candidates, converged) = seen(self.q.host(), &from).await?;
        let heard = all.known.values().zip(&candidates);
        let datacenters = heard.map(|(heard, at)| datacenter_view(at, heard)).collect();
        Ok(DatacenterList { datacenters, from, converged, unknown })
    }

    /// Is any datacenter known?
    pub(super) fn are_known(&self) -> bool {
        !lock(&self.q.host().counters.datacenters).known.is_empty()
    }
}

fn bucket(name: &str) -> Result<HealthBucket, Error> {
    HealthBucket::from_name(name).ok_or_else(|| {
        let names = HealthBucket::ALL.map(HealthBucket::name).join(", ");
        Error::invalid("health_bucket", name, &format!("one of {names}"))
    })
}

impl Routes<'_> {
    /// Decides where a job goes, from what the datacenters last said, and keeps that. Durable on return.
    ///
    /// # Errors
    /// `invalid_argument`, `stale_token`, `pruned` for a job that was, and the faults of the store. Where no datacenter may take the job, both lists
    /// are empty and the reason says so.
    pub async fn job(&self, request: RouteJob) -> Result<RoutingDecision, Error> {
        self.q.allow("route.job", &request).await?;
        self.decide(request).await
    }

    /// The one way in which a datacenter is chosen.
    pub(super) async fn decide(&self, request: RouteJob) -> Result<RoutingDecision, Error> {
        let host = self.q.host();
        let targets = match request.datacenter_count {
            None => None,
            Some(count @ 1..=100) => usize::try_from(count).ok(),
            Some(count) => return Err(Error::invalid("datacenter_count", count, "1 to 100")),
        };
        let from = request.from.unwrap_or_else(|| NodeId::from(&host.config.jobs.node));
        // A job that was pruned goes nowhere any more; if it had a gate, that went with it.
        let own = [StreamKind::Job, StreamKind::Gate].map(|kind| StreamId::new(kind, request.job_id.clone()));
        host.blocking(move |store| own.iter().try_for_each(|stream| wait(store.head(stream)).map(drop)))
            .await?;
        let (_, candidates, _) = seen(host, &from).await?;
        let ask_for = Ask {
            job: request.job_id.clone(),
            fence: request.fence_token,
            // Whoever has not settled sees only distances that are said, and those hold for it too.
            is_converged: candidates.iter().any(|candidate| candidate.has_coordinate),
            candidates,
            preferred: request.preferred_datacenters.into_iter().collect(),
            dispatched: lock(&host.counters.dispatched).clone(),
            targets,
        };
        match self.tell(&request.job_id, route::Command::Decide(Box::new(ask_for))).await? {
            route::Reply::Decided(decision) => Ok(*decision),
            route::Reply::Cools { .. } | route::Reply::Changed(_) => Err(unexpected()),
        }
    }

    async fn tell(&self, job_id: &EntityId, said: route::Command) -> Result<route::Reply, Error> {
        let host = self.q.host();
        let action = Action::Command(said, None);
        let told = ask(host, &host.kinds.routes, job_id, action, |view| match view.reply {
            Some(Ok(reply)) => Ok(reply),
            Some(Err(refused)) => Err(Error::from(refused)),
            None => Err(unexpected()),
        });
        told.await?
    }

    /// Says that a datacenter did not take a job: for this job its score counts double for two minutes. Durable on return.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found` for a job of which nothing is kept, `unknown_datacenter` for one that was in no list,
    /// `stale_token`, and the faults of the store.
    pub async fn failure(&self, request: RouteFailure) -> Result<RouteFailed, Error> {
        self.q.allow("route.failure", &request).await?;
        let RouteFailure { job_id, datacenter_id, reason, fence_token } = request;
        let reason = match reason.as_deref() {
            None => FailureReason::Refused,
            Some(name) => FailureReason::from_name(name).ok_or_else(|| {
                let names = FailureReason::ALL.map(FailureReason::name).join(", ");
                Error::invalid("reason", name, &format!("one of {names}"))
            })?,
        };
        let said = route::Command::Fail { datacenter: datacenter_id.clone(), reason, fence: fence_token };
        match self.tell(&job_id, said).await? {
            route::Reply::Cools { until } => {
                Ok(RouteFailed { job_id, datacenter_id, reason: reason.name().into(), cooldown_until: until })
            }
            route::Reply::Decided(_) | route::Reply::Changed(_) => Err(unexpected()),
        }
    }

    /// Says which datacenter took a job: it is where the job goes from now on. Durable on return.
    ///
    /// # Errors
    /// `not_found` for a job of which nothing is kept, `unknown_datacenter` for one that was in no list, and the faults of
    /// the store.
    pub async fn accept(&self, request: AcceptRoute) -> Result<RouteChanged, Error> {
        self.q.allow("route.accept", &request).await?;
        let said = route::Command::Accept { datacenter: request.datacenter_id };
        let reply = self.tell(&request.job_id, said).await?;
        Ok(RouteChanged { job_id: request.job_id, changed: reply == route::Reply::Changed(true) })
    }

    /// Forgets what is kept for a job, as when it ended. Durable on return; repeating it changes nothing.
    ///
    /// # Errors
    /// The faults of the store.
    pub async fn forget(&self, request: RouteRef) -> Result<RouteChanged, Error> {
        self.q.allow("route.forget", &request).await?;
        self.cleanup(request.job_id).await
    }

    pub(super) async fn cleanup(&self, job_id: EntityId) -> Result<RouteChanged, Error> {
        let reply = self.tell(&job_id, route::Command::Forget).await?;
        Ok(RouteChanged { job_id, changed: reply == route::Reply::Changed(true) })
    }

    /// How the route of a job stands.
    ///
    /// # Errors
    /// `not_found` for a job that was never routed, and the faults of the store.
    pub async fn state(&self, request: RouteRef) -> Result<RouteState, Error> {
        self.q.allow("route.state", &request).await?;
        let host = self.q.host();
        let (config, job_id) = (host.config.network.routing.clone(), request.job_id.clone());
        let read = ask(host, &host.kinds.routes, &request.job_id, Action::Read, move |view| {
            route_view(job_id, view.state, &config, view.now)
        });
        read.await?.ok_or_else(|| route::Rejection::Unknown.into())
    }

    /// Where a job was sent, and why; none where no router chose.
    pub(super) async fn routed(&self, job_id: &EntityId) -> Result<Option<super::dto::RoutedView>, Error> {
        let host = self.q.host();
        let chosen = ask(host, &host.kinds.routes, job_id, Action::Read, |view| {
            view.state.chosen.as_ref().map(routed_view)
        });
        Ok(chosen.await?)
    }
}
