//! A job at its gate beside a naive one that keeps plain numbers and looks at every instant that could matter, and the
//! laws of its log. Messages come doubled, late, out of order or not at all; processes die.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use quorate_core::jobs::gate::{
    Command, Effect, Event, Gate, GateMachine, Settings, Target, TimeoutPolicy, Track, errand,
};
use quorate_core::jobs::manager as job;
use quorate_core::jobs::protocol::message::{
    AckOutcome, Body, FinalStatus, JobDispatch, JobFinalStatus, JobLeaderTransfer, JobProgressReport,
    JobTimeoutReport, Leader, Message, Party, ReportAck, TimeoutKind,
};
use quorate_core::jobs::protocol::token::{FenceToken, GateEpoch};
use quorate_core::kernel::driver::Driver;
use quorate_core::kernel::ids::EntityId;
use quorate_core::kernel::time::{Downtime, Gap, Timestamp};
use quorate_journal::codec::{decode, encode};

const MS: i64 = 1_000;
const STUCK: i64 = 6 * MS;
const ABANDON: i64 = 15 * MS;

#[derive(Clone, Debug)]
enum Act {
    Wait(i64),
    Progress {
        dc: usize,
        token: u64,
        seq: u64,
        recent: bool,
        completed: u64,
        extensions_ms: u64,
    },
    Over {
        dc: usize,
        token: u64,
    },
    Final {
        dc: usize,
        token: u64,
        status: FinalStatus,
        provisional: bool,
    },
    Leads {
        dc: usize,
        token: u64,
        node: u64,
    },
    /// An answer to one of the messages that were ever sent, counted from the last.
    Answer {
        back: usize,
        outcome: AckOutcome,
        token: u64,
    },
    Cancel,
    Transfer(u64),
    Track,
    Crash(i64),
}

#[derive(Clone, Debug)]
struct Script {
    dcs: usize,
    timeout_ms: Option<u64>,
    policy: TimeoutPolicy,
    acts: Vec<Act>,
}

fn pause() -> impl Strategy<Value = i64> {
    (0..9i64, -1..=1i64).prop_map(|(ms, off)| (ms * MS + off).max(0))
}

fn status() -> impl Strategy<Value = FinalStatus> {
    use FinalStatus::{Cancelled, Completed, Failed, Timeout};
    prop::sample::select(vec![Completed, Completed, Failed, Cancelled, Timeout])
}

fn answer() -> impl Strategy<Value = AckOutcome> {
    prop_oneof![
        3 => Just(AckOutcome::Accepted),
        2 => Just(AckOutcome::Stale),
        1 => Just(AckOutcome::UnknownJob),
        1 => status().prop_map(AckOutcome::AlreadyFinal),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let dc = 0..3usize;
    let token = 0..5u64;
    prop_oneof![
        10 => pause().prop_map(Act::Wait),
        8 => (dc.clone(), token.clone(), 0..6u64, any::<bool>(), 0..4u64, 0..3u64).prop_map(
            |(dc, token, seq, recent, completed, extensions_ms)| {
                Act::Progress { dc, token, seq, recent, completed, extensions_ms }
            }
        ),
        4 => (dc.clone(), token.clone()).prop_map(|(dc, token)| Act::Over { dc, token }),
        4 => (dc.clone(), token.clone(), status(), prop::bool::weighted(0.3))
            .prop_map(|(dc, token, status, provisional)| Act::Final { dc, token, status, provisional }),
        2 => (dc, token.clone(), 0..2u64).prop_map(|(dc, token, node)| Act::Leads { dc, token, node }),
        6 => (0..6usize, answer(), token).prop_map(|(back, outcome, token)| Act::Answer { back, outcome, token }),
        1 => Just(Act::Cancel),
        1 => (0..2u64).prop_map(Act::Transfer),
        2 => Just(Act::Track),
        2 => pause().prop_map(Act::Crash),
    ]
}

fn script() -> impl Strategy<Value = Script> {
    let timeout = prop::option::of(4..30u64);
    let policy = prop::sample::select(TimeoutPolicy::ALL.to_vec());
    (1..=3usize, timeout, policy, prop::collection::vec(act(), 1..60))
        .prop_map(|(dcs, timeout_ms, policy, acts)| Script { dcs, timeout_ms, policy, acts })
}

fn id(name: &str) -> EntityId {
    EntityId::new(name).unwrap()
}

fn name(dc: usize) -> EntityId {
    id(["a", "b", "c"][dc])
}

fn node(incarnation: u64) -> Leader {
    Leader { node: id("m"), incarnation }
}

fn us(us: i64) -> Timestamp {
    Timestamp::from_micros(us)
}

/// The leader of a token, so that one token has one leader, except where a transfer lies.
fn leader(token: u64) -> Leader {
    node(token)
}

struct World {
    gate: Driver<GateMachine>,
    now: i64,
    log: Vec<Event>,
    sent: Vec<Message>,
}

impl World {
    fn keep(&mut self, events: Vec<Event>, effects: Vec<Effect>) {
        self.log.extend(events);
        let outbox: BTreeSet<u64> = self.gate.state().outbox().map(|errand| errand.number).collect();
        for Effect::Send(message) in effects {
            let from_outbox = matches!(
                message.body,
                Body::JobDispatch(_)
                    | Body::JobGlobalTimeout(_)
                    | Body::JobLeaderGateTransfer(_)
                    | Body::JobCancelRequest(_)
            );
            // What comes from elsewhere than the outbox is asked of whoever reports on what was withdrawn from it.
            let is_answer =
                matches!(message.body, Body::JobCancelRequest(_)) && !outbox.contains(&message.number);
            if from_outbox && !is_answer {
                assert!(outbox.contains(&message.number), "what is sent stands in the outbox");
                self.check_token(&message);
                self.sent.push(*message);
            }
        }
        let state = self.gate.state();
        assert_eq!(errand(state, us(self.now)).is_some(), !outbox.is_empty());
    }

    fn check_token(&self, message: &Message) {
        let run = self.gate.state().run.as_ref().unwrap();
        if let Body::JobGlobalTimeout(told) = &message.body {
            let dc = &run.datacenters[&message.datacenter];
            assert!(told.fence_token == dc.fence_token || told.fence_token == FenceToken::NONE);
            assert_eq!(told.gate_epoch, self.gate.state().gate_epoch);
        }
    }

    fn step(&mut self, command: Command) {
        let step = self.gate.step(command, us(self.now));
        if step.reply.is_err() {
            let written = step.events.iter().map(Event::name);
            let only = ["fence_rejected", "declared", "abandoned", "finished"];
            assert!(written.into_iter().all(|name| only.contains(&name)), "{:?}", step.events);
        }
        self.keep(step.events, step.effects);
    }

    fn wait(&mut self, span: i64) {
        let end = self.now + span;
        while let Some(due) = self.gate.due().filter(|due| due.as_micros() <= end) {
            self.now = self.now.max(due.as_micros());
            let settled = self.gate.settle(us(self.now));
            assert!(!settled.events.is_empty(), "a tick that is due moves something");
            self.keep(settled.events, settled.effects);
        }
        self.now = end;
    }

    /// The process dies; another one reads the log, or a snapshot, and serves after a while.
    fn crash(&mut self, down: i64) {
        let mut replayed = Gate::default();
        for event in &self.log {
            let stored: Event = decode(&encode(event).unwrap()).unwrap();
            <GateMachine as quorate_core::kernel::Machine>::evolve(&mut replayed, &stored);
        }
        let stored: Gate = decode(&encode(self.gate.state()).unwrap()).unwrap();
        assert_eq!(&replayed, self.gate.state(), "replay is live");
        assert_eq!(stored, replayed);
        self.gate = Driver::default().restore(stored, self.log.len() as u64);
        let last_alive = us(self.now);
        self.now += down;
        let away = Downtime { last_alive, began: us(self.now), gap: Gap::Restart };
        let resumed = self.gate.resume(away);
        self.keep(resumed.events, resumed.effects);
        self.wait(0);
    }
}

fn track(script: &Script) -> Track {
    let targets = (0..script.dcs).map(|dc| Target {
        datacenter: name(dc),
        manager: node(0),
        manager_addr: "m".to_owned(),
    });
    Track {
        job_id: id("j"),
        gate: Leader { node: id("g"), incarnation: 0 },
        gate_addr: "g".to_owned(),
        targets: targets.collect(),
        plan: JobDispatch {
            timeout_ms: script.timeout_ms,
            stuck_threshold_ms: 1,
            workflows: Vec::new(),
            class: None,
            timeout_rule: "gate_coordinated".to_owned(),
            settings: job::Settings::default(),
            gate_epoch: GateEpoch::NONE,
            gate_addr: "gate:1".into(),
        },
        payloads: Default::default(),
        settings: Settings {
            stuck_ms: (STUCK / MS) as u64,
            abandon_ms: (ABANDON / MS) as u64,
            dc_timeout_policy: script.policy,
        },
    }
}

fn message(dc: usize, from: u64, number: u64, body: Body) -> Command {
    let from = Party::Manager { datacenter: name(dc), node: node(from) };
    let to = Party::Gate(id("g"));
    Command::Receive(Box::new(Message {
        job_id: id("j"),
        datacenter: name(dc),
        from,
        to,
        number,
        body,
        signal: None,
    }))
}

/// How one datacenter stands, in plain numbers.
#[derive(Clone, Debug, Default)]
struct NaiveDc {
    token: u64,
    leader: u64,
    stale_upto: u64,
    seq: Option<u64>,
    completed: u64,
    known: bool,
    extensions: u64,
    last_progress: i64,
    over: bool,
    claim: Option<(FinalStatus, u64)>,
    ended: Option<FinalStatus>,
}

/// What is owed to a datacenter: its kind, and the number it last went out under.
type Owed = BTreeMap<(usize, &'static str), u64>;

#[derive(Debug, Default)]
struct Naive {
    now: i64,
    running: bool,
    ever: bool,
    timeout: Option<i64>,
    policy: TimeoutPolicy,
    submitted: i64,
    dcs: Vec<NaiveDc>,
    declared: bool,
    cancelled: bool,
    silent_since: i64,
    told: Vec<(i64, String)>,
}

impl Naive {
    fn track(&mut self, script: &Script) {
        // The same again, live or ended, changes nothing.
        if self.ever {
            return;
        }
        let before = std::mem::take(&mut self.dcs);
        let dc = |n: usize| {
            let token = before.get(n).map_or(0, |dc: &NaiveDc| dc.token);
            NaiveDc { token, stale_upto: token, last_progress: self.now, ..NaiveDc::default() }
        };
        self.dcs = (0..script.dcs).map(dc).collect();
        (self.running, self.ever, self.declared, self.cancelled) = (true, true, false, false);
        self.submitted = self.now;
        self.timeout = script.timeout_ms.map(|ms| ms as i64 * MS);
        self.policy = script.policy;
    }

    fn open(&self) -> Vec<&NaiveDc> {
        self.dcs.iter().filter(|dc| dc.ended.is_none()).collect()
    }

    fn is_over(dc: &NaiveDc) -> bool {
        dc.ended == Some(FinalStatus::Timeout)
            || (dc.ended.is_none() && dc.claim.map_or(dc.over, |(status, _)| status == FinalStatus::Timeout))
    }

    /// The rule that holds right now.
    fn holds(&self) -> Option<&'static str> {
        let open = self.open();
        let age = self.now - self.submitted;
        let most = self.dcs.iter().map(|dc| dc.extensions as i64 * MS).max().unwrap_or(0);
        let runs: Vec<_> = open.iter().filter(|dc| !Self::is_over(dc)).collect();
        let over = self.dcs.iter().filter(|dc| Self::is_over(dc)).count();
        let plain = self.dcs.iter().any(|dc| Self::is_over(dc) && dc.extensions == 0);
        match () {
            () if open.is_empty() => None,
            () if self.timeout.is_some_and(|timeout| age > timeout + most) => Some("overall"),
            () if !runs.is_empty() && runs.iter().all(|dc| self.now - dc.last_progress >= STUCK) => {
                Some("all_stuck")
            }
            () if self.policy == TimeoutPolicy::Majority && over * 2 > self.dcs.len() => {
                Some("majority_timed_out")
            }
            () if self.policy == TimeoutPolicy::Any && over > 0 => Some("any_timed_out"),
            () if self.policy == TimeoutPolicy::AnyWithoutExtensions && plain => Some("any_timed_out"),
            () if runs.is_empty() => Some("none_running"),
            () => None,
        }
    }

    fn look(&mut self) {
        if !self.running {
            return;
        }
        if !self.declared
            && !self.cancelled
            && let Some(rule) = self.holds()
        {
            self.declared = true;
            self.silent_since = self.now;
            self.told.push((self.now, rule.to_owned()));
        }
        let given_up = (self.declared || self.cancelled) && self.now - self.silent_since >= ABANDON;
        if self.open().is_empty() || given_up {
            self.running = false;
            let count = |status| self.dcs.iter().filter(|dc| dc.ended == Some(status)).count();
            let silent = self.open().len();
            let status = match () {
                () if count(FinalStatus::Completed) == self.dcs.len() => "completed",
                () if self.declared => "timeout",
                () if count(FinalStatus::Failed) > 0 => "failed",
                () if count(FinalStatus::Cancelled) > 0 || silent > 0 => "cancelled",
                () => "timeout",
            };
            self.told.push((self.now, status.to_owned()));
        }
    }

    /// Looks at every instant up to the end at which a rule could begin to hold.
    fn wait(&mut self, span: i64) {
        let end = self.now + span;
        self.look();
        loop {
            let most = self.dcs.iter().map(|dc| dc.extensions as i64 * MS).max().unwrap_or(0);
            let stuck = self.dcs.iter().map(|dc| dc.last_progress + STUCK);
            let over = self.timeout.map(|timeout| self.submitted + timeout + most + 1);
            let instants = stuck.chain(over).chain([self.silent_since + ABANDON]);
            let Some(at) = instants.filter(|at| *at > self.now && *at <= end).min() else { break };
            self.now = at;
            self.look();
        }
        self.now = end;
        self.look();
    }

    fn crash(&mut self, down: i64) {
        self.now += down;
        let open = self.dcs.iter_mut().filter(|dc| dc.ended.is_none());
        open.for_each(|dc| dc.last_progress += down);
        self.silent_since += down;
        self.look();
    }

    /// Notes who leads; false when the message is stale or for nobody.
    fn fence(&mut self, n: usize, token: u64) -> bool {
        let known = self.ever && n < self.dcs.len();
        if !known || token < self.dcs[n].token || token <= self.dcs[n].stale_upto {
            return false;
        }
        self.adopt(n, token, token);
        self.running
    }

    fn adopt(&mut self, n: usize, token: u64, leader: u64) {
        let dc = &mut self.dcs[n];
        if token > dc.token {
            (dc.token, dc.leader, dc.seq) = (token, leader, None);
        }
    }

    fn act(&mut self, act: &Act, script: &Script, owed: &Owed, sent: &[(usize, &'static str, u64)]) {
        match *act {
            Act::Wait(span) => self.wait(span),
            Act::Crash(down) => self.crash(down),
            Act::Track => self.track(script),
            Act::Transfer(_) => {}
            Act::Cancel => {
                if self.running && !self.declared && !self.cancelled {
                    (self.cancelled, self.silent_since) = (true, self.now);
                }
            }
            Act::Progress { dc, token, seq, recent, completed, extensions_ms } => {
                if self.fence(dc, token) {
                    let now = self.now;
                    let dc = &mut self.dcs[dc];
                    if dc.ended.is_none() && dc.seq.is_none_or(|old| seq > old) {
                        let moved =
                            recent || completed > dc.completed || extensions_ms > dc.extensions || !dc.known;
                        let extensions = extensions_ms.max(dc.extensions);
                        if moved || completed != dc.completed {
                            dc.seq = Some(seq);
                        }
                        if moved {
                            dc.last_progress = now;
                        }
                        (dc.completed, dc.extensions, dc.known) = (completed, extensions, true);
                    }
                }
            }
            Act::Over { dc, token } => {
                if self.fence(dc, token) {
                    let dc = &mut self.dcs[dc];
                    if dc.claim.is_none_or(|(status, by)| token > by && status != FinalStatus::Timeout) {
                        (dc.over, dc.claim) = (true, None);
                    }
                }
            }
            Act::Final { dc, token, status, provisional } => {
                if self.fence(dc, token) {
                    let now = self.now;
                    let dc = &mut self.dcs[dc];
                    let repeat = dc.claim.is_some_and(|(old, _)| old == status);
                    if dc.ended.is_none() && !provisional {
                        dc.ended = Some(status);
                    } else if dc.ended.is_none() && !repeat {
                        (dc.claim, dc.last_progress) = (Some((status, token)), now);
                    }
                }
            }
            Act::Leads { dc, token, node } => {
                let known = self.ever && dc < self.dcs.len();
                if known && token > self.dcs[dc].token && token > self.dcs[dc].stale_upto {
                    self.adopt(dc, token, node);
                }
            }
            Act::Answer { back, outcome, token } => {
                let Some((dc, kind, number)) = sent.len().checked_sub(back + 1).map(|at| sent[at]) else {
                    return;
                };
                if !self.running || owed.get(&(dc, kind)) != Some(&number) {
                    return;
                }
                let fresh = token > self.dcs[dc].stale_upto;
                let unheard = self.dcs[dc].token <= self.dcs[dc].stale_upto;
                let of_another = token >= self.dcs[dc].token;
                let to_end = match kind {
                    "global_timeout" => Some(FinalStatus::Timeout),
                    "cancel" => Some(FinalStatus::Cancelled),
                    _ => None,
                };
                match (outcome, to_end) {
                    // The run never came there.
                    (AckOutcome::UnknownJob, Some(end)) if unheard || of_another => {
                        self.dcs[dc].ended = Some(end);
                    }
                    // It ended there under a leadership that was replaced.
                    (AckOutcome::AlreadyFinal(_), Some(end)) if unheard && !fresh => {
                        self.dcs[dc].ended = Some(end);
                    }
                    (AckOutcome::AlreadyFinal(status), _) => {
                        self.adopt(dc, token, token);
                        self.dcs[dc].ended = Some(status);
                    }
                    (AckOutcome::Accepted, _) if kind != "cancel" => self.adopt(dc, token, token),
                    (AckOutcome::Stale, _) if !["dispatch", "cancel"].contains(&kind) => {
                        self.adopt(dc, token, token);
                    }
                    (
                        AckOutcome::Accepted
                        | AckOutcome::Stale
                        | AckOutcome::UnknownJob
                        | AckOutcome::Refused { .. },
                        _,
                    ) => {}
                }
            }
        }
        self.look();
    }
}

fn command(act: &Act, script: &Script, sent: &[Message]) -> Option<Command> {
    let addr = || "m".to_owned();
    Some(match *act {
        Act::Wait(_) | Act::Crash(_) => return None,
        Act::Track => Command::Track(Box::new(track(script))),
        Act::Transfer(n) => {
            Command::Transfer { to: Leader { node: id("h"), incarnation: n }, addr: "h".to_owned() }
        }
        Act::Cancel => Command::Cancel { requester_id: "ann".to_owned(), reason: "enough".to_owned() },
        Act::Progress { dc, token, seq, recent, completed, extensions_ms } => {
            let report = JobProgressReport {
                manager: leader(token),
                manager_addr: addr(),
                workflows_total: 3,
                workflows_completed: completed,
                workflows_failed: 0,
                has_recent_progress: recent,
                timestamp_ms: 0,
                fence_token: FenceToken::shown(token),
                total_extensions_granted_ms: extensions_ms,
                max_worker_extension_ms: 0,
                workers_with_extensions: 0,
                report_seq: seq,
                elapsed_ms: 0,
                idle_ms: 0,
            };
            message(dc, token, 0, Body::JobProgressReport(report))
        }
        Act::Over { dc, token } => {
            let report = JobTimeoutReport {
                manager: leader(token),
                manager_addr: addr(),
                reason: String::new(),
                kind: TimeoutKind::Stuck,
                elapsed_ms: 0,
                effective_timeout_ms: None,
                fence_token: FenceToken::shown(token),
            };
            message(dc, token, 1, Body::JobTimeoutReport(report))
        }
        Act::Final { dc, token, status, provisional } => {
            let report = JobFinalStatus {
                manager: leader(token),
                status,
                reason: String::new(),
                kind: None,
                fence_token: FenceToken::shown(token),
                provisional,
            };
            message(dc, token, 2, Body::JobFinalStatus(report))
        }
        Act::Leads { dc, token, node: n } => {
            let transfer = JobLeaderTransfer {
                new_leader: node(n),
                new_leader_addr: addr(),
                fence_token: FenceToken::shown(token),
                elapsed_ms: 0,
                idle_ms: 0,
            };
            message(dc, n, 3, Body::JobLeaderTransfer(transfer))
        }
        Act::Answer { back, outcome, token } => {
            let to = &sent[sent.len().checked_sub(back + 1)?];
            let dc = ["a", "b", "c"].iter().position(|name| *name == to.datacenter.as_str())?;
            let ack = ReportAck { outcome, fence_token: FenceToken::shown(token), leader_addr: None };
            let body = match to.body {
                Body::JobGlobalTimeout(_) => Body::GlobalTimeoutAck(ack),
                _ => Body::ReportAck(ack),
            };
            message(dc, token, to.number, body)
        }
    })
}

fn kind(message: &Message) -> (usize, &'static str, u64) {
    let dc = ["a", "b", "c"].iter().position(|name| *name == message.datacenter.as_str()).unwrap();
    let kind = match message.body {
        Body::JobDispatch(_) => "dispatch",
        Body::JobGlobalTimeout(_) => "global_timeout",
        Body::JobLeaderGateTransfer(_) => "gate_transfer",
        _ => "cancel",
    };
    (dc, kind, message.number)
}

/// What was declared, and how it ended, with the instants.
fn told(log: &[Event]) -> Vec<(i64, String)> {
    let tell = |event: &Event| match event {
        Event::Declared { rule, at, .. } => Some((at.as_micros(), rule.name().to_owned())),
        Event::Finished { status, at, .. } => Some((at.as_micros(), status.name().to_owned())),
        _ => None,
    };
    log.iter().filter_map(tell).collect()
}

fn run(script: &Script) -> (World, Naive) {
    let mut world = World { gate: Driver::default(), now: 0, log: Vec::new(), sent: Vec::new() };
    let mut naive = Naive::default();
    for act in std::iter::once(&Act::Track).chain(&script.acts) {
        let sent: Vec<_> = world.sent.iter().map(kind).collect();
        let owed = world.gate.state().outbox().map(|errand| {
            let dc = ["a", "b", "c"].iter().position(|name| *name == errand.datacenter.as_str()).unwrap();
            ((dc, errand.what.name()), errand.number)
        });
        let owed: Owed = owed.collect();
        naive.act(act, script, &owed, &sent);
        match act {
            Act::Wait(span) => world.wait(*span),
            Act::Crash(down) => world.crash(*down),
            other => {
                let command = command(other, script, &world.sent);
                command.into_iter().for_each(|command| world.step(command));
            }
        }
        assert_eq!(told(&world.log), naive.told, "after {act:?} at {}", world.now);
        check_datacenters(world.gate.state(), &naive);
    }
    (world, naive)
}

fn check_datacenters(gate: &Gate, naive: &Naive) {
    for (n, dc) in naive.dcs.iter().enumerate() {
        let real = &gate.datacenters().unwrap()[&name(n)];
        assert_eq!((real.fence_token.get(), real.own_final()), (dc.token, dc.ended), "{n}");
        if gate.run.is_some() {
            assert_eq!(real.totals.extensions_ms, dc.extensions);
            if dc.ended.is_none() {
                assert_eq!(real.last_progress.as_micros(), dc.last_progress, "{n}");
            }
        }
    }
}

/// One decision and one end a run; tokens and epochs only grow; every datacenter ended or was given up.
fn invariant_the_log_is_lawful(log: &[Event], script: &Script) {
    let mut tokens: BTreeMap<EntityId, FenceToken> = BTreeMap::new();
    let mut epoch = GateEpoch::NONE;
    let (mut declared, mut finished, mut ended) = (0, 1, BTreeSet::new());
    let (mut submitted, mut slack) = (0, 0);
    for event in log {
        let late = ["tracked", "late_final", "leader_changed", "fence_rejected"].contains(&event.name());
        assert!(finished == 0 || late, "nothing follows the end: {event:?}");
        match event {
            Event::Tracked(tracked) => {
                assert_eq!(std::mem::take(&mut finished), 1, "a run begins when none is under way");
                assert!(tracked.gate_epoch > std::mem::replace(&mut epoch, tracked.gate_epoch));
                (declared, ended, slack) = (0, BTreeSet::new(), 0);
                submitted = tracked.at.as_micros();
            }
            Event::GateTransferred { gate_epoch, .. } => {
                assert!(*gate_epoch > std::mem::replace(&mut epoch, *gate_epoch));
            }
            Event::Resumed { gate_epoch, away_us, .. } => {
                assert!(*gate_epoch > std::mem::replace(&mut epoch, *gate_epoch));
                slack += *away_us as i64;
            }
            Event::LeaderChanged { datacenter, fence_token, .. } => {
                let before = tokens.insert(datacenter.clone(), *fence_token);
                assert!(Some(*fence_token) >= before);
            }
            Event::DatacenterEnded { datacenter, provisional, .. } => {
                assert!(!ended.contains(datacenter), "a final status is not overwritten");
                if !provisional {
                    ended.insert(datacenter.clone());
                }
            }
            Event::Declared { .. } => declared += 1,
            Event::Abandoned { datacenters, .. } => ended.extend(datacenters.iter().cloned()),
            Event::Finished { at, .. } => {
                finished += 1;
                assert_eq!(ended.len(), script.dcs, "every datacenter ended or was given up, on record");
                let longest = script.timeout_ms.map(|ms| (ms + 2) as i64 * MS + ABANDON + 1 + slack);
                assert!(longest.is_none_or(|longest| at.as_micros() - submitted <= longest));
            }
            Event::Progressed { .. }
            | Event::DatacenterTimedOut { .. }
            | Event::Delivered { .. }
            | Event::CancelRequested { .. }
            | Event::CancelDelivered { .. }
            | Event::FenceRejected(_)
            | Event::Rebuilt(_)
            | Event::Recalled { .. }
            | Event::EpochAdopted { .. }
            | Event::LateFinal { .. }
            | Event::Redirected { .. }
            | Event::TakenOver { .. }
            | Event::GateReplaced { .. }
            | Event::LeadershipAsked { .. }
            | Event::Moved { .. }
            | Event::DatacenterLost { .. }
            | Event::DatacenterBack { .. }
            | Event::PayloadNoted { .. } => {}
        }
        assert!(declared <= 1 && finished <= 1, "{log:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn a_gate_decides_as_a_naive_one_would_and_its_log_is_lawful(script in script()) {
        let (world, _) = run(&script);
        invariant_the_log_is_lawful(&world.log, &script);
    }

    #[test]
    fn every_job_with_a_budget_ends_and_leaves_nothing_behind(mut script in script()) {
        let budget = *script.timeout_ms.get_or_insert(9);
        script.acts.push(Act::Wait((budget as i64 + 2) * MS + 1 + ABANDON));
        let (world, _) = run(&script);
        let state = world.gate.state();
        prop_assert_eq!((state.run.is_none(), world.gate.due()), (true, None));
        prop_assert_eq!(state.outbox().count(), 0);
        invariant_the_log_is_lawful(&world.log, &script);
    }

    #[test]
    fn the_same_script_gives_the_same_bytes(script in script()) {
        let bytes = |world: World| world.log.iter().flat_map(|event| encode(event).unwrap()).collect::<Vec<u8>>();
        prop_assert_eq!(bytes(run(&script).0), bytes(run(&script).0));
    }
}
