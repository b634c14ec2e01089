//! Laws of the load's and the flows' records: the level beside a naive twin, exact instants, replay is live.

use proptest::prelude::*;
use quorate_core::kernel::Machine;
use quorate_core::kernel::driver::Driver;
use quorate_core::kernel::ids::EntityId;
use quorate_core::kernel::time::Timestamp;
use quorate_core::load::flow::record::{Command as FlowCommand, FlowMachine, FlowTotals};
use quorate_core::load::flow::{
    DropPolicy, DropReason, DropRun, FlowConfig, FlowState, Load, Notice, Transition,
};
use quorate_core::load::record::{Command, Event, LoadMachine};
use quorate_core::load::stats::{Level, Sample};

fn at(us: i64) -> Timestamp {
    Timestamp::from_micros(us)
}

/// Every single sample that was taken, and nothing else.
#[derive(Default)]
struct Twin(Vec<i64>);

impl Twin {
    fn young(&mut self, now: i64) -> usize {
        self.0.retain(|taken| now - taken < 60_000_000);
        self.0.len()
    }

    fn level(&mut self, now: i64) -> Level {
        match self.young(now) {
            0..700 => Level::None,
            700..850 => Level::Throttle,
            850..950 => Level::Batch,
            _ => Level::Reject,
        }
    }

    /// Takes samples of this instant; gives how many.
    fn record(&mut self, count: usize, critical: bool, now: i64) -> u64 {
        let mut taken = 0;
        for _ in 0..count {
            if self.level(now) != Level::Reject || critical {
                if self.0.len() >= 1_000 {
                    self.0.remove(0);
                }
                self.0.push(now);
                taken += 1;
            }
        }
        taken
    }
}

#[derive(Clone, Debug)]
enum Step {
    Record {
        count: usize,
        critical: bool,
    },
    Wait(i64),
    /// Until just before, or at, the instant at which the level falls.
    UntilDue {
        before: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1usize..400, prop::bool::weighted(0.2)).prop_map(|(count, critical)| Step::Record { count, critical }),
        2 => (0i64..40_000_000).prop_map(Step::Wait),
        2 => prop::bool::ANY.prop_map(|before| Step::UntilDue { before }),
    ]
}

fn totals() -> impl Strategy<Value = FlowTotals> {
    (0u64..50, 0u64..50, 0u64..50).prop_map(|(delivered, lost, unread)| FlowTotals {
        sent: delivered + lost + unread,
        delivered,
        evicted_oldest: lost,
        ..FlowTotals::default()
    })
}

fn flow_command() -> impl Strategy<Value = FlowCommand> {
    let config = (0usize..4, prop::bool::ANY).prop_map(|(max_buffer_size, block)| {
        let drop_policy = if block { DropPolicy::Block } else { DropPolicy::DropOldest };
        Box::new(FlowConfig { max_buffer_size, drop_policy, ..FlowConfig::default() })
    });
    let notice = prop_oneof![
        (0u64..9).prop_map(|skipped| Notice::Transition(Transition {
            from: FlowState::Normal,
            to: FlowState::Paused,
            load: Load { messages: 3, bytes: 0 },
            at: at(5),
            skipped,
        })),
        (1u64..9).prop_map(|count| Notice::Dropped(DropRun {
            policy: DropPolicy::DropOldest,
            reason: DropReason::Oldest,
            count,
            seqs: Some((0, count)),
            from: at(1),
            upto: at(5),
        })),
    ];
    let note = (prop::collection::vec(notice, 0..3), totals()).prop_map(|(notices, totals)| {
        FlowCommand::Note { notices, totals: Box::new(totals), max_buffer_size: 3, max_buffer_bytes: None }
    });
    prop_oneof![
        2 => config.clone().prop_map(|config| FlowCommand::Open { flow_id: EntityId::new("f").unwrap(), config }),
        2 => config.prop_map(FlowCommand::Configure),
        4 => note,
        1 => Just(FlowCommand::Revive),
        1 => Just(FlowCommand::Close),
        1 => Just(FlowCommand::Tick),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_level_is_that_of_a_plain_list_and_changes_at_the_exact_instant(
        steps in prop::collection::vec(step(), 1..25)
    ) {
        let mut node = Driver::<LoadMachine>::default();
        let (mut twin, mut now) = (Twin::default(), 1_000_000);
        let mut log = Vec::new();
        for step in steps {
            match step {
                Step::Record { count, critical } => {
                    let sample = Sample { critical, ..Sample::of(1.0, at(now)) };
                    let done = node.step(Command::Record(vec![sample; count]), at(now));
                    let taken = twin.record(count, critical, now);
                    let reply = done.reply.unwrap();
                    prop_assert_eq!((reply.taken, reply.refused), (taken, count as u64 - taken));
                    log.extend(done.events);
                }
                Step::Wait(us) => now += us,
                Step::UntilDue { before } => {
                    if let Some(due) = node.due() {
                        now = now.max(due.as_micros() - i64::from(before));
                    }
                }
            }
            let settled = node.settle(at(now)).events;
            let falls = settled.iter().all(|event| matches!(event, Event::LevelChanged { .. }));
            prop_assert!(falls, "only the level changes by itself");
            prop_assert!(node.due().is_none_or(|due| due > at(now)), "settling terminates");
            log.extend(settled);
            prop_assert_eq!(node.state().level, twin.level(now));
        }
        let mut again = Driver::<LoadMachine>::default();
        log.iter().for_each(|event| again.replay(event));
        prop_assert_eq!(again.state(), node.state());
    }

    #[test]
    fn the_record_of_a_flow_is_the_fold_of_its_log_and_a_life_ends_with_nothing_unread(
        commands in prop::collection::vec(flow_command(), 1..30)
    ) {
        let mut flow = Driver::<FlowMachine>::default();
        let mut log = Vec::new();
        for (us, command) in commands.into_iter().enumerate() {
            let (opened, closed) = (flow.state().opened.is_some(), flow.state().closed_at);
            let revives = matches!(command, FlowCommand::Revive);
            let done = flow.step(command, at(us as i64));
            prop_assert_eq!(done.reply.is_err() && !done.events.is_empty(), false, "a rejection writes nothing");
            prop_assert!(opened || flow.state().opened.is_some() || done.events.is_empty());
            prop_assert!(closed.is_none() || flow.state().closed_at == closed, "closed stays closed");
            prop_assert!(flow.state().opened.is_none() || flow.state().config.check().is_ok());
            if revives && done.reply.is_ok() {
                prop_assert_eq!(flow.state().totals.unread(), 0);
            }
            log.extend(done.events);
        }
        let mut again = Driver::<FlowMachine>::default();
        log.iter().for_each(|event| again.replay(event));
        prop_assert_eq!(again.state(), flow.state());
        prop_assert!(FlowMachine::due(flow.state()).is_none());
    }
}
