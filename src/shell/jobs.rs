//! Jobs, gates and the durations of jobs as actors: what differs between them outside their machines, and where
//! messages between them go.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::access::Asks;
use super::counters::Counters;
use super::dispatches::{note_refusal, refused_number};
use super::entity::Action;
use super::host::{Host, wait};
use super::lock;
use super::pressure::{arrived, know_level, leaders, managers};
use super::runtime::{ask, ask_acting};
use super::writer::Failure;
use crate::core::jobs::durations::{self};
use crate::core::jobs::gate::outbox::{Errand, What};
use crate::core::jobs::gate::{self};
use crate::core::jobs::manager::heard::LatestProgress;
use crate::core::jobs::manager::timeout::Estimate;
use crate::core::jobs::manager::{self as job, JobMachine, Reply, Submit};
use crate::core::jobs::protocol::message::{
    AckOutcome, Body, FinalStatus, Message, Party, ReportAck, TimeoutKind, WorkflowOutcome,
    WorkflowReportAfterDrops,
};
use crate::core::jobs::protocol::token::FenceToken;
use crate::core::jobs::worker::{self};
use crate::core::kernel::ids::{DatacenterId, EntityId, IdError, StreamId, StreamKind};
use crate::core::kernel::time::Timestamp;
use crate::core::load::shed::{Label, MessageKind};
use crate::core::trust::stop::Acting;
use crate::journal::codec::decode;
use crate::journal::{Fault, Store};

/// The datacenter of jobs for which none is named.
pub(crate) const LOCAL: &str = "local";

/// Where the parties of this process listen.
pub(crate) const HERE: &str = "in-process";

/// Records of a job read at a time.
const PAGE: usize = 4096;

/// The stream of a job in a datacenter: `job` where it runs locally, else `job@datacenter`.
pub(crate) fn job_stream(job_id: &EntityId, datacenter: &EntityId) -> Result<EntityId, IdError> {
    if datacenter.as_str() == LOCAL {
        Ok(job_id.clone())
    } else {
        EntityId::stored(format!("{job_id}@{datacenter}"))
    }
}

/// Sends a command to a job and keeps in memory what it says about its progress.
pub(crate) async fn command<R: Send + 'static>(
    caller: &impl Asks,
    stream: &EntityId,
    command: job::Command,
    view: impl FnOnce(super::entity::View<'_, JobMachine>) -> R + Send + 'static,
) -> Result<R, Failure> {
    let host = caller.host();
    know_level(host).await;
    let counters = host.counters.clone();
    let action = Action::Command(command, None);
    ask(caller, &host.kinds.jobs, stream, action, move |seen| {
        if let (Some(Ok(Reply::Progress(Some(noted)))), Some(job_id), Some(datacenter)) =
            (&seen.reply, &seen.state.job_id, &seen.state.datacenter)
        {
            lock(&counters.heard).note(job_id, datacenter, noted.clone());
        }
        view(seen)
    })
    .await
}

/// Hands a message to whom it is for. One that cannot be handed over is as good as lost: what matters is sent again.
pub(crate) async fn deliver(host: &Arc<Host>, message: Message) {
    let (from, signal, job_id) = (message.from.clone(), message.signal, message.job_id.clone());
    let said = (&from, signal.as_ref());
    let taken = match message.to.clone() {
        Party::Gate(_) => match refusal(host, &message) {
            Some(answer) => {
                host.pressure.gate_heard(host.clock.now(), &job_id, said, None);
                send(host, &answer);
                Ok(())
            }
            None => {
                let refused = refused_number(&message);
                let datacenter = DatacenterId::from(&message.datacenter);
                let action = Action::Command(gate::Command::Receive(Box::new(message)), None);
                let heard = ask(host, &host.kinds.gates, &job_id, action, move |view| {
                    let is =
                        |errand: &Errand| Some(errand.number) == refused && errand.what == What::Dispatch;
                    (managers(view.state), view.state.outbox().any(is))
                });
                heard.await.map(|(led, is_dispatch)| {
                    if is_dispatch {
                        note_refusal(host, &job_id, datacenter);
                    }
                    host.pressure.gate_heard(host.clock.now(), &job_id, said, Some(led));
                })
            }
        },
        Party::Manager { datacenter, .. } => match job_stream(&message.job_id, &datacenter) {
            Ok(stream) => receive(host, &stream, message).await,
            Err(error) => {
                tracing::warn!(%error, job = %message.job_id, %datacenter, "message for a job with no name");
                Ok(())
            }
        },
        Party::Worker(worker) => {
            let waits = job_stream(&message.job_id, &message.datacenter).ok();
            let class = class_of(host, &message, waits.as_ref()).await;
            let action = Action::Command(worker::Command::Receive(Box::new(message)), None);
            let also = Acting::default().for_class(class);
            let heard = ask_acting(host, &host.kinds.workers, &worker, action, also, |view| {
                let refused = view.reply.and_then(Result::err);
                (leaders(view.state), refused.and_then(|refused| refused.not_now()))
            });
            heard.await.map(|(led, not_now)| {
                if let (Some(_), Some(job)) = (not_now, waits) {
                    host.waiting.wait(&worker, job);
                }
                host.pressure.worker_heard(host, &worker, said, led)
            })
        }
    };
    if let Err(failure) = taken {
        tracing::warn!(?failure, "message not taken; it is sent again if it matters");
    }
}

/// The class of the job whose work a worker is given, while anything is stopped.
async fn class_of(host: &Arc<Host>, message: &Message, job: Option<&EntityId>) -> Option<EntityId> {
    let given = matches!(message.body, Body::WorkflowDispatch(_)) && host.stops.any();
    let stream = job.filter(|_| given)?;
    let known = ask(host, &host.kinds.jobs, stream, Action::Read, |view| {
        view.state.run.as_ref().and_then(|run| run.terms.class.clone())
    });
    known.await.ok().flatten()
}

/// The answer to progress for which a gate has too much load. Everything else it looks at, whatever the load.
fn refusal(host: &Arc<Host>, message: &Message) -> Option<Message> {
    let Body::JobProgressReport(_) = &message.body else { return None };
    let turned = host.admission.enter(host, Label::of(MessageKind::JobProgress)).err()?;
    let retry_after_ms = u64::try_from(turned.retry_after.as_millis()).unwrap_or(u64::MAX);
    let ack = ReportAck {
        outcome: AckOutcome::Refused { retry_after_ms },
        fence_token: FenceToken::NONE,
        leader_addr: None,
    };
    Some(Message {
        from: message.to.clone(),
        to: message.from.clone(),
        body: Body::ReportAck(ack),
        signal: None,
        ..message.clone()
    })
}

async fn receive(host: &Arc<Host>, stream: &EntityId, message: Message) -> Result<(), Failure> {
    if let Body::WorkflowReport(report)
    | Body::WorkflowReportAfterDrops(WorkflowReportAfterDrops { report, dropped: _ }) = &message.body
    {
        // Before it is answered, so that the answer tells of the level after it.
        arrived(host, report.outcome != WorkflowOutcome::Running).await;
    }
    let said = match Submit::of_dispatch(&message) {
        None => job::Command::Receive(Box::new(message)),
        Some(mut submit) => {
            submit.leader_addr = host.fleet.me().map_or(HERE, EntityId::as_str).to_owned();
            submit.estimate = estimate(host, submit.class.as_ref()).await?;
            job::Command::Submit(Box::new(submit))
        }
    };
    command(host, stream, said, |_| ()).await
}

/// What is known of the durations of a class.
pub(crate) async fn estimate(
    host: &Arc<Host>,
    class: Option<&EntityId>,
) -> Result<Option<Estimate>, Failure> {
    let Some(class) = class else { return Ok(None) };
    let settings = host.config.jobs.learned;
    let known = ask(host, &host.kinds.durations, class, Action::Read, move |view| {
        durations::estimate(view.state, &settings)
    });
    Ok(known.await?.map(|known| Estimate {
        overall_ms: Some(known.overall.limit_us.div_ceil(1_000)),
        stuck_ms: Some(known.stuck.limit_us.div_ceil(1_000)),
        samples: known.evidence.records,
        evidence: format!(
            "{} jobs of the class, {} of them finished; budget {} us x {}/1000, silence {} us x {}/1000",
            known.evidence.records,
            known.evidence.finished,
            known.overall.quantile_us,
            known.overall.factor_permille,
            known.stuck.quantile_us,
            known.stuck.factor_permille,
        ),
    }))
}

/// Progress of the jobs of this node that is not on record.
/// Progress as this process heard it.
pub(in crate::shell) struct InMemory(pub(in crate::shell) Arc<Counters>);

impl LatestProgress for InMemory {
    fn at(&self, job_id: &EntityId, datacenter: &EntityId) -> Option<Timestamp> {
        lock(&self.0.heard).at(job_id, datacenter)
    }

    fn count(&self, job: &EntityId, datacenter: &EntityId, workflow: &EntityId, attempt: u32) -> Option<u64> {
        lock(&self.0.heard).count(job, datacenter, workflow, attempt)
    }
}

pub(in crate::shell) fn send(host: &Host, message: &Message) {
    host.sent.fetch_add(1, Ordering::Relaxed);
    let transport = lock(&host.transport).clone();
    let mut message = message.clone();
    let now = host.clock.now();
    // Two reports may get lost before a gate forgets the level of a manager.
    let to_gates = Duration::from_millis(host.config.jobs.settings.report_period_ms.saturating_mul(3));
    host.pressure.stamp(&mut message, now, to_gates);
    transport.send(message, &host.mailbox);
}

/// Adds how long a job took to what is known of its class.
pub(in crate::shell) async fn learn(host: &Arc<Host>, id: &EntityId) -> Result<(), Failure> {
    let stream = StreamId::new(StreamKind::Job, id.clone());
    let run = host.blocking(move |store| last_run(store, &stream)).await.map_err(Failure::Refused)?;
    let Some((class, record)) = run else { return Ok(()) };
    let action = Action::Command(durations::Command::Record(record), None);
    ask(host, &host.kinds.durations, &class, action, |_| ()).await
}

/// The class of the last run on record, and how it went. The longest pause between signs of life is known to a second:
/// closer ones are not all written down.
fn last_run(store: &dyn Store, stream: &StreamId) -> Result<Option<(EntityId, durations::Record)>, Fault> {
    let (mut after, mut known) = (0, None);
    let (mut began, mut last, mut longest) = (Timestamp::EPOCH, Timestamp::EPOCH, 0);
    let us = |from: Timestamp, to: Timestamp| u64::try_from(to.since(from).as_micros()).unwrap_or(u64::MAX);
    loop {
        let page = wait(store.read(stream, after, PAGE))?;
        let Some(end) = page.last() else { return Ok(known) };
        after = end.seq;
        for record in page {
            let event: job::Event = decode(&record.payload)?;
            let at = event.at();
            match &event {
                job::Event::Submitted(submitted) => {
                    (began, last, longest) = (at, at, 0);
                    known = submitted.terms.class.clone().map(|class| {
                        let ended = durations::Ended::Finished;
                        (class, durations::Record { duration_us: 0, longest_gap_us: 0, ended })
                    });
                }
                job::Event::ProgressNoted(_)
                | job::Event::WorkflowMoved(_)
                | job::Event::ExtensionGranted(_) => {
                    longest = longest.max(us(last, at));
                    last = last.max(at);
                }
                // Nobody could see what happened while nobody served.
                job::Event::Resumed(resumed) => {
                    last = last.plus(std::time::Duration::from_micros(resumed.away_us))
                }
                job::Event::Ended(ended) => {
                    if let Some((_, record)) = &mut known {
                        let silent_us = us(last, ended.closed_at).min(us(began, ended.closed_at));
                        record.duration_us = us(began, ended.closed_at);
                        record.ended = match (ended.status, ended.kind) {
                            (FinalStatus::Completed | FinalStatus::Failed, _) => {
                                longest = longest.max(silent_us);
                                durations::Ended::Finished
                            }
                            (FinalStatus::Cancelled, _) => durations::Ended::Cancelled { silent_us },
                            (FinalStatus::Timeout, Some(TimeoutKind::Stuck)) => {
                                let after = durations::command::Limit::Stuck;
                                durations::Ended::TimedOut { after, silent_us }
                            }
                            (FinalStatus::Timeout, _) => {
                                let after = durations::command::Limit::Overall;
                                durations::Ended::TimedOut { after, silent_us }
                            }
                        };
                        record.longest_gap_us = longest.min(record.alive_us());
                    }
                }
                _ => {}
            }
        }
    }
}
