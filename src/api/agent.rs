//! Operations on agents and their heartbeats.

use std::future::Future;

use serde_json::Value;

use super::Quorate;
use super::cursor;
use super::dto::{
    AgentHealth, AgentHistory, AgentHistoryPage, AgentLeft, AgentMonitored, AgentPage, AgentRef,
    AgentRegistered, AgentStats, AgentUnmonitored, AgentView, Beat, BeatView, Beaten, HealthDistribution,
    ListAgents, MonitorAgent, RegisterAgent, WatchView,
};
use super::history::check_span;
use super::json;
use super::quorum::page_limit;
use crate::core::kernel::ids::{EntityId, StreamKind, VoterId};
use crate::core::kernel::time::Timestamp;
use crate::core::voting::agent::command::{Again, Asked};
use crate::core::voting::agent::grade::Bounds;
use crate::core::voting::agent::state::KeptBeat;
use crate::core::voting::agent::{Agent, Command, Rejection, Reply, Settings};
use crate::error::{Error, ErrorKind};
use crate::shell::entity::{Action, View};
use crate::shell::host::Host;
use crate::shell::lock;
use crate::shell::runtime::ask;

/// Words that stand where an id would in HTTP paths.
const RESERVED: [&str; 4] = ["register", "stats", "history", "list"];

/// Operations on agents and their heartbeats.
#[derive(Clone, Copy, Debug)]
pub struct Agents<'a> {
    pub(super) q: &'a Quorate,
}

impl Agents<'_> {
    /// Registers an agent and watches it from now on. Durable on return. An agent that is registered stays as it is, and
    /// the answer says so; what the request gives must be so then, unless it is to `replace` what is.
    ///
    /// Its silence is judged from its first beat on; from now on if that is asked for, with `monitor` or a setting.
    ///
    /// # Errors
    /// `invalid_argument` for a setting out of bounds or a reserved id, `already_exists` for an agent that is registered
    /// with other settings, `limit_exceeded`, and the faults of the store.
    pub async fn register(&self, request: RegisterAgent) -> Result<AgentRegistered, Error> {
        self.q.allow("agent.register", &request).await?;
        let RegisterAgent {
            agent_id,
            interval_ms,
            failure_threshold,
            check_period_ms,
            history_size,
            monitor,
            replace,
        } = request;
        if RESERVED.contains(&agent_id.as_str()) {
            let expected = format!("an id other than {}", RESERVED.join(", "));
            return Err(Error::invalid("agent_id", agent_id.as_str(), &expected));
        }
        let host = self.q.host();
        let given = [interval_ms, failure_threshold, check_period_ms, history_size];
        let judged = monitor.or(given.iter().any(Option::is_some).then_some(true));
        let again = Again { implied: monitor.is_none(), ..again(given, judged, replace) };
        let asked = Asked { settings: settings(host, given)?, explicit: judged.unwrap_or(false), again };
        {
            let directory = lock(&host.counters.agents);
            let registered = directory.registered().len() as u64;
            let limit = host.config.heartbeat.max_agents;
            if registered >= limit && directory.get(&agent_id).is_none() {
                let message = format!("too many agents. registered={registered}, limit={limit}");
                return Err(Error::new(ErrorKind::LimitExceeded, message)
                    .with("field", "agent_id")
                    .with("limit", limit));
            }
        }
        let command = Command::Register { agent_id: agent_id.clone(), asked };
        let id = agent_id.clone();
        let registered = self.command(&agent_id, command, move |state, reply| AgentRegistered {
            agent_id: id,
            registered: reply.changed,
            replaced: reply.replaced,
            monitored: state.watch.is_some(),
            judged: state.watch.as_ref().is_some_and(|watch| watch.judged),
            watch: watch_view(&state.settings),
        });
        registered.await
    }

    /// Strikes an agent off. Durable on return; its beats stay on record. Again, it changes nothing, and the answer says
    /// so.
    ///
    /// # Errors
    /// `not_found` when it was never registered, and the faults of the store.
    pub async fn leave(&self, agent_id: &VoterId) -> Result<AgentLeft, Error> {
        self.q.allow("agent.leave", &AgentRef { agent_id: agent_id.clone() }).await?;
        let id = agent_id.clone();
        let left = move |_: &Agent, reply: Reply| AgentLeft { agent_id: id, left: reply.changed };
        self.command(agent_id, Command::Leave, left).await
    }

    /// Says that an agent is alive. Durable on return.
    ///
    /// The beat is on its way when this returns, before the future is polled: many may be awaited together.
    ///
    /// # Errors
    /// `invalid_argument` for metadata of more than 16 KiB or with a number that may have been rounded, `not_found` when
    /// the agent is not registered or not monitored, and the faults of the store.
    pub fn beat(&self, beat: Beat) -> impl Future<Output = Result<Beaten, Error>> + Send + use<> {
        let allowed = self.q.allow_now("agent.beat", &beat);
        let Beat { agent_id, metadata } = beat;
        let checked = metadata.as_ref().map_or(Ok(()), |metadata| json::check_members("metadata", metadata));
        let metadata = metadata.map(|map| Value::Object(map).to_string());
        let host = self.q.host();
        let entity = EntityId::from(&agent_id);
        let action = Action::Command(Command::Beat { metadata }, None);
        let sent = checked.map(|()| {
            allowed.map(|()| {
                ask(host, &host.kinds.agents, &entity, action, move |view| {
                    let health = view.state.grade(view.now, None);
                    replied(view.reply).map(|reply| Beaten { agent_id, recorded: reply.changed, health })
                })
            })
        });
        async move {
            match sent? {
                Ok(sent) => Ok(sent.await??),
                Err(refused) => Err(refused.await),
            }
        }
    }

    /// How an agent is doing at this instant, to the microsecond.
    ///
    /// # Errors
    /// `not_found` when the agent is not registered or not monitored, and the faults of the store.
    pub async fn health(&self, agent_id: &VoterId) -> Result<AgentHealth, Error> {
        self.q.allow("agent.health", &()).await?;
        let host = self.q.host();
        let (id, counters) = (agent_id.clone(), host.counters.clone());
        let entity = EntityId::from(agent_id);
        ask(host, &host.kinds.agents, &entity, Action::Read, move |view| {
            let voted = lock(&counters.agents).last_vote(&id);
            health_view(id, view.state, view.now, voted)
        })
        .await?
    }

    /// Watches a registered agent from now on, and judges its silence. Durable on return. One whose silence is judged
    /// stays as it is, and the answer says so; what the request gives must be so then, unless it is to `replace` what is.
    ///
    /// # Errors
    /// `invalid_argument` for a setting out of bounds, `not_found` when the agent is not registered, `already_exists` when
    /// its silence is judged by other settings, and the faults of the store.
    pub async fn monitor(&self, request: MonitorAgent) -> Result<AgentMonitored, Error> {
        self.q.allow("agent.monitor", &request).await?;
        let MonitorAgent { agent_id, interval_ms, failure_threshold, check_period_ms, history_size, replace } =
            request;
        let given = [interval_ms, failure_threshold, check_period_ms, history_size];
        let again = again(given, Some(true), replace);
        let asked = Asked { settings: settings(self.q.host(), given)?, explicit: true, again };
        let id = agent_id.clone();
        let monitored = move |state: &Agent, reply: Reply| AgentMonitored {
            agent_id: id,
            started: reply.changed,
            replaced: reply.replaced,
            monitored: state.watch.is_some(),
            watch: watch_view(&state.settings),
        };
        self.command(&agent_id, Command::StartMonitoring(asked), monitored).await
    }

    /// Watches an agent no longer; it stays registered. Durable on return.
    ///
    /// # Errors
    /// `not_found` when the agent is not registered, and the faults of the store.
    pub async fn unmonitor(&self, agent_id: &VoterId) -> Result<AgentUnmonitored, Error> {
        self.q.allow("agent.unmonitor", &AgentRef { agent_id: agent_id.clone() }).await?;
        let id = agent_id.clone();
        let stopped = move |state: &Agent, reply: Reply| AgentUnmonitored {
            agent_id: id,
            stopped: reply.changed,
            monitored: state.watch.is_some(),
        };
        self.command(agent_id, Command::StopMonitoring, stopped).await
    }

    /// The newest kept beats of an agent in a range of time, oldest first. They outlast leaving.
    ///
    /// # Errors
    /// `invalid_argument` for the limit, `not_found` when the agent was never registered, and the faults of the store.
    pub async fn history(&self, request: AgentHistory) -> Result<AgentHistoryPage, Error> {
        self.q.allow("agent.history", &request).await?;
        let AgentHistory { agent_id, since, until, limit } = request;
        let limit = page_limit(limit)?;
        check_span(since, until)?;
        let host = self.q.host();
        let entity = EntityId::from(&agent_id);
        ask(host, &host.kinds.agents, &entity, Action::Read, move |view| {
            if view.state.registered_at.is_none() {
                return Err(Rejection::NotRegistered.into());
            }
            let inside = |beat: &&KeptBeat| {
                since.is_none_or(|since| beat.at >= since) && until.is_none_or(|until| beat.at <= until)
            };
            let inside: Vec<&KeptBeat> = view.state.history.iter().filter(inside).collect();
            let older = inside.len().saturating_sub(limit);
            Ok(AgentHistoryPage {
                agent_id,
                beats: inside.iter().skip(older).map(|beat| beat_view(beat)).collect(),
                total_available: inside.len() as u64,
                total_heartbeats: view.state.total_beats,
            })
        })
        .await?
    }

    /// A page of the registered agents.
    ///
    /// # Errors
    /// `invalid_argument` for limit or cursor, `store_error` when the store refuses work.
    pub async fn list(&self, request: ListAgents) -> Result<AgentPage, Error> {
        self.q.allow("agent.list", &request).await?;
        let limit = page_limit(request.limit)?;
        let host = self.q.host();
        drop(host.admit(false)?);
        cursor::check(host, StreamKind::Agent, request.cursor.as_ref().map(VoterId::as_str)).await?;
        let (now, began) = (host.clock.now(), host.hears_since());
        let directory = lock(&host.counters.agents);
        let mut rest = directory.registered_after(request.cursor.as_ref());
        let agents: Vec<AgentView> = rest
            .by_ref()
            .take(limit)
            .map(|(id, presence)| AgentView {
                agent_id: id.clone(),
                health: presence.grade(now, began),
                monitored: presence.watch.is_some(),
                judged: presence.watch.as_ref().is_some_and(|watch| watch.judged),
                last_heartbeat: presence.last_beat.max(presence.last_vote),
                registered_at: presence.registered_at,
            })
            .collect();
        let more = rest.next().is_some();
        let next_cursor =
            agents.last().map(|agent| agent.agent_id.clone()).or_else(|| request.cursor.clone());
        Ok(AgentPage { agents, total_available: directory.registered().len() as u64, next_cursor, more })
    }

    /// How many agents there are, how they are doing at this instant, and how often they beat.
    ///
    /// # Errors
    /// `store_error` when the store refuses work.
    pub async fn stats(&self) -> Result<AgentStats, Error> {
        self.q.allow("agent.stats", &()).await?;
        let host = self.q.host();
        drop(host.admit(false)?);
        let directory = lock(&host.counters.agents);
        let grades = directory.distribution(host.clock.now(), host.hears_since());
        Ok(AgentStats {
            total_agents: directory.registered().len() as u64,
            monitored_agents: grades.healthy + grades.degraded + grades.critical + grades.failed,
            health_distribution: HealthDistribution {
                healthy: grades.healthy,
                degraded: grades.degraded,
                critical: grades.critical,
                failed: grades.failed,
            },
            total_heartbeats: directory.total_heartbeats(),
        })
    }

    /// Decides a command and answers with what `view` makes of the state after it.
    async fn command<R: Send + 'static>(
        &self,
        agent_id: &VoterId,
        command: Command,
        view: impl FnOnce(&Agent, Reply) -> R + Send + 'static,
    ) -> Result<R, Error> {
        let host = self.q.host();
        let action = Action::Command(command, None);
        let answer = ask(host, &host.kinds.agents, &EntityId::from(agent_id), action, move |seen| {
            let View { state, reply, .. } = seen;
            replied(reply).map(|reply| view(state, reply))
        });
        Ok(answer.await??)
    }
}

/// The answer to a command; there is always one.
fn replied(reply: Option<Result<Reply, Rejection>>) -> Result<Reply, Rejection> {
    reply.unwrap_or(Err(Rejection::NotRegistered))
}

fn again(given: [Option<i64>; 4], judged: Option<bool>, replace: Option<bool>) -> Again {
    let replace = replace.unwrap_or(false);
    Again { given: given.map(|setting| setting.is_some()), judged, implied: false, replace }
}

/// The settings asked for, in the order of [`Settings`], with the configured ones for those left out.
fn settings(host: &Host, given: [Option<i64>; 4]) -> Result<Settings, Error> {
    let defaults = host.config.heartbeat.settings();
    let pick =
        |bounds: Bounds, given: Option<i64>, default: u32| given.map_or(Ok(default), |n| bounds.check(n));
    let [interval_ms, failure_threshold, check_period_ms, history_size] = given;
    Ok(Settings {
        interval_ms: pick(Settings::INTERVAL_MS, interval_ms, defaults.interval_ms)?,
        failure_threshold: pick(Settings::FAILURE_THRESHOLD, failure_threshold, defaults.failure_threshold)?,
        check_period_ms: pick(Settings::CHECK_PERIOD_MS, check_period_ms, defaults.check_period_ms)?,
        history_size: pick(Settings::HISTORY_SIZE, history_size, defaults.history_size)?,
    })
}

fn watch_view(settings: &Settings) -> WatchView {
    WatchView {
        interval_ms: settings.interval_ms,
        failure_threshold: settings.failure_threshold,
        check_period_ms: settings.check_period_ms,
        history_size: settings.history_size,
    }
}

pub(super) fn health_view(
    agent_id: VoterId,
    state: &Agent,
    now: Timestamp,
    voted: Option<Timestamp>,
) -> Result<AgentHealth, Error> {
    if !state.registered {
        return Err(Rejection::NotRegistered.into());
    }
    let (Some(watch), Some(health), Some(silence)) =
        (&state.watch, state.grade(now, voted), state.silence(now, voted))
    else {
        return Err(Rejection::NotMonitored.into());
    };
    Ok(AgentHealth {
        agent_id,
        health,
        last_heartbeat: state.last_heard.max(voted),
        elapsed_ms: u64::try_from(silence.as_millis()).unwrap_or(u64::MAX),
        monitored: true,
        judged: watch.judged,
        monitored_since: watch.since,
        registered_at: state.registered_at,
        total_heartbeats: state.total_beats,
        watch: watch_view(&state.settings),
    })
}

fn beat_view(beat: &KeptBeat) -> BeatView {
    let metadata = beat.metadata.as_ref().and_then(|text| serde_json::from_str(text).ok());
    BeatView { at: beat.at, metadata }
}
