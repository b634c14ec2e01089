//! The transition table of the [module](super), one arm per row.

use super::command::{Command, Measure, Reply};
use super::event::{Event, Moved};
use super::state::Node;
use super::{CoordinateMachine, MAX_LINKS};
use crate::kernel::Decision;
use crate::kernel::ids::NodeId;
use crate::kernel::rng::Rng;
use crate::kernel::time::Timestamp;
use crate::network::coordinate::application::{Application, ESTIMATES};
use crate::network::coordinate::config::VivaldiConfig;
use crate::network::coordinate::link::Link;
use crate::network::coordinate::point::NetworkCoordinate;
use crate::network::coordinate::rule::{Refused, Residuals, check_dimensions, check_rtt, step};

pub(super) fn decide(
    state: &Node,
    command: Command,
    now: Timestamp,
    config: &VivaldiConfig,
) -> Result<Decision<CoordinateMachine>, Refused> {
    match command {
        Command::Measure(measure) => self::measure(state, *measure, now, config),
        Command::Place(coordinate) => {
            check_dimensions(&coordinate, config)?;
            let placed = Event::Placed { coordinate: coordinate.parts().clone(), at: now };
            Ok(Decision::accept(vec![placed], Reply { coordinate: Some(coordinate.as_of(now)) }))
        }
        Command::Tick => Ok(Decision::answer(Reply { coordinate: state.coordinate() })),
    }
}

/// The steps of [`CoordinateTracker::update_peer_coordinate`](crate::network::coordinate::CoordinateTracker), from what
/// is on record.
fn measure(
    state: &Node,
    measure: Measure,
    now: Timestamp,
    config: &VivaldiConfig,
) -> Result<Decision<CoordinateMachine>, Refused> {
    let rtt = measure.rtt_us as f64 / 1e6;
    check_rtt(rtt, config)?;
    let remote = measure.remote.unwrap_or_else(|| NetworkCoordinate::origin(config, now));
    check_dimensions(&remote, config)?;
    let origin = || NetworkCoordinate::origin(config, now);
    let fits = |at: &NetworkCoordinate| at.dimensions() == config.dimensions;
    // A cluster that changed its dimensions begins anew.
    let local = state.coordinate().filter(fits).unwrap_or_else(origin);
    let published = state.routing_coordinate().filter(fits).unwrap_or_else(origin);

    let known = state.links.get(&measure.peer);
    let recent = known.into_iter().flat_map(|link| link.recent_us.iter().map(|us| *us as f64 / 1e6));
    let mut link = Link::of(recent, known.map(|link| link.measured()));
    let filtered = link.take(rtt, config, now);
    let mut residuals = Residuals::of(state.residuals.iter().copied());
    let mut rng = Rng::new(seed(&measure.node, &measure.peer) ^ local.sample_count());
    let step = step(&local, &remote, filtered, &mut residuals, config, now, &mut rng);
    let since = published.updated_at();
    let mut application = Application::of(published, since, state.estimates.iter().copied());
    application.follow(&step.coordinate, step.predicted_ms, now);

    let Some(measured) = link.measured() else { unreachable!("a link that took a round trip has one") };
    let forgotten = match known.is_none() && state.links.len() >= MAX_LINKS {
        true => state.links.iter().min_by_key(|(_, link)| link.at).map(|(peer, _)| peer.clone()),
        false => None,
    };
    let window = |most: usize| u16::try_from(most).unwrap_or(u16::MAX);
    let moved = Moved {
        peer: measure.peer,
        rtt_us: measure.rtt_us,
        coordinate: step.coordinate.parts().clone(),
        residual: residuals.newest(),
        estimate: step.predicted_ms / 1e3,
        is_published: application.times() > 0,
        srtt_ms: measured.srtt_ms,
        rttvar_ms: measured.rttvar_ms,
        windows: [window(config.filter_window), window(config.residual_window), window(ESTIMATES)],
        forgotten,
        at: now,
    };
    let reply = Reply { coordinate: Some(step.coordinate) };
    Ok(Decision::accept(vec![Event::Moved(Box::new(moved))], reply))
}

/// FNV-1a over both names.
fn seed(node: &NodeId, peer: &NodeId) -> u64 {
    let names = node.as_str().bytes().chain([0]).chain(peer.as_str().bytes());
    names.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
