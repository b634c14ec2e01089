//! How an entity stood: the events of its log up to some point, folded by the machine that decided them.

use serde::Serialize;

use super::super::Quorate;
use super::super::agent::health_view;
use super::super::capacity_view::{budget_view, capacity_view};
use super::super::consensus::result_view;
use super::super::dto::{PastState, RecordedState, StateAt};
use super::super::identity;
use super::super::job_view::job_view;
use super::super::network_view::{coordinate_view, route_view};
use super::super::quorum_view::status_view;
use super::super::session_view;
use super::super::sought::kind_meant;
use super::super::voter::voter_view;
use super::{PAGE, kind_of, stream_of};
use crate::core::capacity::cell::{BudgetMachine, CellMachine};
use crate::core::jobs::durations::DurationsMachine;
use crate::core::jobs::gate::GateMachine;
use crate::core::jobs::manager::JobMachine;
use crate::core::jobs::worker::WorkerMachine;
use crate::core::kernel::Machine;
use crate::core::kernel::driver::Driver;
use crate::core::kernel::ids::{BudgetId, CellId, EntityId, NodeId, Resource, StreamId, StreamKind, VoterId};
use crate::core::kernel::time::Timestamp;
use crate::core::load::flow::record::FlowMachine;
use crate::core::load::record::LoadMachine;
use crate::core::network::coordinate::record::CoordinateMachine;
use crate::core::network::datacenter::DatacentersMachine;
use crate::core::network::member::record::MemberMachine;
use crate::core::network::route::record::RouteMachine;
use crate::core::trust::hook::HookMachine;
use crate::core::trust::identity::IdentityMachine;
use crate::core::trust::retention::RetentionMachine;
use crate::core::trust::stop::StopsMachine;
use crate::core::voting::agent::AgentMachine;
use crate::core::voting::algorithms::AlgorithmsMachine;
use crate::core::voting::proposal::ProposalMachine;
use crate::core::voting::quorum::QuorumMachine;
use crate::core::voting::session::SessionMachine;
use crate::core::voting::topology::TopologyMachine;
use crate::core::voting::voter::VoterMachine;
use crate::error::{Error, ErrorKind};
use crate::journal::codec::decode;
use crate::journal::{Fault, Position, Seq, Store};
use crate::shell::host::wait;

/// A point of the past.
#[derive(Clone, Copy, Debug)]
enum Point {
    Seq(Seq),
    Position(Position),
    At(Timestamp),
}

impl Point {
    fn of(request: &StateAt) -> Result<Self, Error> {
        match (request.seq, request.position, request.at) {
            (Some(seq), None, None) => Ok(Point::Seq(seq)),
            (None, Some(position), None) => Ok(Point::Position(position)),
            (None, None, Some(at)) => Ok(Point::At(at)),
            (seq, _, _) => Err(Error::invalid("seq", seq, "one of seq, position and at")),
        }
    }
}

/// What a log comes to up to a point.
enum Past<M: Machine> {
    /// This, seen from this instant.
    Stood(Box<Driver<M>>, Timestamp),
    /// Nothing yet: it began then.
    Before(Timestamp),
    /// The point is beyond the end: the last number there is.
    Beyond(u64),
    /// Nothing is recorded under this name.
    Never,
}

fn fold<M: Machine>(store: &dyn Store, stream: &StreamId, point: Point) -> Result<Past<M>, Fault> {
    if let Point::Position(position) = point {
        let tip = wait(store.tip())?.position;
        if position > tip {
            return Ok(Past::Beyond(tip));
        }
    }
    let mut driver = Driver::<M>::new(M::Context::default());
    let (mut last, mut began) = (None, None);
    loop {
        let page = wait(store.read(stream, driver.revision(), PAGE))?;
        let is_end = page.is_empty();
        for record in page {
            began = began.or(Some(record.at));
            let is_later = match point {
                Point::Seq(seq) => record.seq > seq,
                Point::Position(position) => record.position > position,
                Point::At(at) => record.at > at,
            };
            if is_later {
                return Ok(stood(driver, point, last, began));
            }
            driver.replay(&decode(&record.payload)?);
            last = Some(record.at);
        }
        if is_end {
            return Ok(match point {
                Point::Seq(seq) if began.is_some() && seq > driver.revision() => {
                    Past::Beyond(driver.revision())
                }
                Point::Seq(_) | Point::Position(_) | Point::At(_) => stood(driver, point, last, began),
            });
        }
    }
}

fn stood<M: Machine>(
    driver: Driver<M>,
    point: Point,
    last: Option<Timestamp>,
    began: Option<Timestamp>,
) -> Past<M> {
    match (last, began, point) {
        (Some(_), _, Point::At(at)) => Past::Stood(Box::new(driver), at),
        (Some(last), _, Point::Seq(_) | Point::Position(_)) => Past::Stood(Box::new(driver), last),
        (None, Some(began), _) => Past::Before(began),
        (None, None, _) => Past::Never,
    }
}

/// The point that a request names, of this entity.
struct Asked<'a> {
    q: &'a Quorate,
    stream: StreamId,
    point: Point,
}

impl Asked<'_> {
    async fn fold<M: Machine>(&self) -> Result<(M::State, Timestamp), Error> {
        let (stream, point) = (self.stream.clone(), self.point);
        let now = self.q.host().clock.latest();
        if let Point::At(at) = point
            && at > now
        {
            return Err(Error::invalid(
                "at",
                at.to_string(),
                &format!("an instant up to now, which is {now}"),
            ));
        }
        match self.q.host().blocking(move |store| fold::<M>(store, &stream, point)).await? {
            Past::Stood(driver, at) => Ok((driver.state().clone(), at)),
            Past::Before(began) => {
                let message = format!("it did not exist yet. began_at={began}");
                let error = Error::new(ErrorKind::NotFound, message);
                Err(error.with("began_at", began.to_string()))
            }
            Past::Beyond(last) => {
                let (field, given) = match self.point {
                    Point::Position(position) => ("position", position),
                    Point::Seq(seq) => ("seq", seq),
                    Point::At(_) => ("at", 0),
                };
                Err(Error::invalid(field, given, &format!("a number up to {last}, which is the last one")))
            }
            Past::Never => Err(missing()),
        }
    }

    async fn recorded<M: Machine>(&self) -> Result<PastState, Error> {
        self.shown(&self.fold::<M>().await?.0)
    }

    fn shown(&self, state: &impl Serialize) -> Result<PastState, Error> {
        let state = serde_json::to_value(state).map_err(|e| {
            Error::new(ErrorKind::StoreError, format!("the state cannot be written as JSON. cause={e}"))
        })?;
        let kind = self.stream.kind.name().to_owned();
        Ok(PastState::Recorded(Box::new(RecordedState { kind, entity_id: self.stream.id.clone(), state })))
    }
}

fn missing() -> Error {
    Error::new(ErrorKind::NotFound, "nothing was recorded under this kind and id then")
}

/// How an entity stood.
pub(super) async fn state_at(q: &Quorate, request: StateAt) -> Result<PastState, Error> {
    let point = Point::of(&request)?;
    let kind = request.kind.as_deref().map(kind_of).transpose()?;
    let (host, id) = (q.host(), request.entity_id);
    let kind = kind_meant(host, kind, &id).await?;
    let stream = host.blocking(move |store| stream_of(store, kind, &id)).await?;
    let (kind, id) = (stream.kind, stream.id.clone());
    let asked = Asked { q, stream, point };
    let sight = q.sight();
    match kind {
        StreamKind::Quorum => {
            let (state, now) = asked.fold::<QuorumMachine>().await?;
            Ok(PastState::Quorum(Box::new(status_view(&id, &state, now)?)))
        }
        StreamKind::Proposal => {
            let (state, now) = asked.fold::<ProposalMachine>().await?;
            Ok(PastState::Proposal(Box::new(result_view(&id, &state, now)?)))
        }
        StreamKind::Job => {
            let (state, now) = asked.fold::<JobMachine>().await?;
            let mut view = job_view(&state, now, None).ok_or_else(missing)?;
            if let Some(sight) = sight {
                sight.job(&mut view);
            }
            Ok(PastState::Job(Box::new(view)))
        }
        StreamKind::Cell => {
            let (state, _) = asked.fold::<CellMachine>().await?;
            let cell: CellId = same(&id, CellId::stored)?;
            let defaults = host.config.capacity.settings();
            let status = state.status(cell, &Resource::capacity(), &defaults);
            Ok(PastState::Cell(Box::new(capacity_view(status))))
        }
        StreamKind::Session => {
            let (state, _) = asked.fold::<SessionMachine>().await?;
            Ok(PastState::Session(Box::new(session_view::result_view(&state)?)))
        }
        StreamKind::Voter => {
            let (state, now) = asked.fold::<VoterMachine>().await?;
            Ok(PastState::Voter(Box::new(voter_view(&state, now)?)))
        }
        StreamKind::Agent => {
            let (state, now) = asked.fold::<AgentMachine>().await?;
            match health_view(same(&id, VoterId::stored)?, &state, now, None) {
                Ok(health) => Ok(PastState::Agent(Box::new(health))),
                // It was struck off, or was not watched: its record says so.
                Err(_) => asked.shown(&state),
            }
        }
        StreamKind::Budget => {
            let (state, now) = asked.fold::<BudgetMachine>().await?;
            let budget: BudgetId = same(&id, BudgetId::stored)?;
            Ok(PastState::Budget(Box::new(budget_view(budget, &state, now))))
        }
        StreamKind::Gate => {
            let (state, now) = asked.fold::<GateMachine>().await?;
            let mut status = state.status(now).ok_or_else(missing)?;
            if let Some(sight) = sight {
                sight.gate(&mut status);
            }
            asked.shown(&status)
        }
        StreamKind::Worker => {
            let (state, _) = asked.fold::<WorkerMachine>().await?;
            let mut status = state.status().ok_or_else(missing)?;
            if let Some(sight) = sight {
                sight.worker(&id, &mut status);
            }
            asked.shown(&status)
        }
        StreamKind::Identity => {
            let (state, now) = asked.fold::<IdentityMachine>().await?;
            Ok(PastState::Identity(Box::new(identity::view(&id, &state, None, now))))
        }
        StreamKind::Route => {
            let (state, now) = asked.fold::<RouteMachine>().await?;
            let config = &host.config.network.routing;
            let view = route_view(id, &state, config, now).ok_or_else(missing)?;
            Ok(PastState::Route(Box::new(view)))
        }
        StreamKind::Coordinate => {
            let (state, now) = asked.fold::<CoordinateMachine>().await?;
            let at = state.coordinate().ok_or_else(missing)?;
            let config = &host.config.network.coordinates;
            let view = coordinate_view(NodeId::from(&id), &at, config, now);
            Ok(PastState::Coordinate(Box::new(view)))
        }
        StreamKind::Topology => asked.recorded::<TopologyMachine>().await,
        StreamKind::Algorithms => asked.recorded::<AlgorithmsMachine>().await,
        StreamKind::Flow => asked.recorded::<FlowMachine>().await,
        StreamKind::Load => asked.recorded::<LoadMachine>().await,
        StreamKind::Durations => asked.recorded::<DurationsMachine>().await,
        StreamKind::Datacenter => asked.recorded::<DatacentersMachine>().await,
        StreamKind::Stops => asked.recorded::<StopsMachine>().await,
        StreamKind::Retention => asked.recorded::<RetentionMachine>().await,
        StreamKind::Member => asked.recorded::<MemberMachine>().await,
        StreamKind::Hook => asked.recorded::<HookMachine>().await,
    }
}

/// The id of an entity as that of what it is.
fn same<T>(
    id: &EntityId,
    read: impl FnOnce(String) -> Result<T, crate::core::kernel::ids::IdError>,
) -> Result<T, Error> {
    read(id.to_string()).map_err(|e| Error::invalid("entity_id", id.as_str(), &e.to_string()))
}
