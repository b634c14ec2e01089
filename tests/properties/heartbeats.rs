//! What is recorded of an agent is what a naive monitor would tell that looks at every single check.
//!
//! The naive monitor knows no due instants, no votes that are looked up, and no sleep: it hears everything at once and
//! loops over all checks. The machine ticks when it is due, looks votes up, and wakes after a restart only when
//! something makes it.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use quorate_core::kernel::driver::Driver;
use quorate_core::kernel::ids::VoterId;
use quorate_core::kernel::time::{Downtime, Timestamp};
use quorate_core::voting::agent::command::{Again, Asked};
use quorate_core::voting::agent::{AgentMachine, Command, Directory, Event, Grade, LastVote, Settings};
use quorate_journal::codec::{decode, encode};

/// When, from what and to what a grade changed.
type Change = (i64, Grade, Grade);

#[derive(Clone, Debug)]
enum Act {
    Wait(i64),
    Beat,
    Vote,
    /// Watch it; with true, judge its silence from now on, else from its first beat on.
    Start(Settings, bool),
    Stop,
    Leave,
    /// The process dies and serves again this many microseconds later.
    Restart(i64),
}

/// Microseconds near a multiple of the smallest interval, so that "exactly at" and "one before" are common.
fn pause() -> impl Strategy<Value = i64> {
    (0..16i64, -1..=1i64).prop_map(|(steps, off)| (steps * 50_000 + off).max(0))
}

fn settings() -> impl Strategy<Value = Settings> {
    (1..=3u32, 1..=5u32, 1..=7u32, 1..=4u32).prop_map(|(interval, failure_threshold, check, history_size)| {
        Settings {
            interval_ms: interval * 100,
            failure_threshold,
            check_period_ms: 50 + check * 50,
            history_size,
        }
    })
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => pause().prop_map(Act::Wait),
        6 => Just(Act::Beat),
        4 => Just(Act::Vote),
        2 => (settings(), any::<bool>()).prop_map(|(settings, judged)| Act::Start(settings, judged)),
        1 => Just(Act::Stop),
        1 => Just(Act::Leave),
        2 => pause().prop_map(Act::Restart),
    ]
}

/// Looks at every check instant, in a loop.
#[derive(Default)]
struct Naive {
    watch: Option<NaiveWatch>,
    told: Vec<Change>,
}

struct NaiveWatch {
    settings: Settings,
    next_check: i64,
    reference: i64,
    last_told: Grade,
    judged: bool,
}

impl NaiveWatch {
    fn grade(&self, now: i64) -> Grade {
        if !self.judged {
            return Grade::Healthy;
        }
        let whole_intervals = (now - self.reference) / (i64::from(self.settings.interval_ms) * 1_000);
        match whole_intervals {
            n if n >= i64::from(self.settings.failure_threshold) => Grade::Failed,
            0 => Grade::Healthy,
            1 => Grade::Degraded,
            _ => Grade::Critical,
        }
    }

    fn tell(&mut self, now: i64, told: &mut Vec<Change>) {
        let grade = self.grade(now);
        if grade != self.last_told {
            told.push((now, self.last_told, grade));
            self.last_told = grade;
        }
    }

    /// The checks up to `now`, told only when somebody is there to tell.
    fn checks(&mut self, now: i64, mut told: Option<&mut Vec<Change>>) {
        while self.next_check <= now {
            if let Some(told) = &mut told {
                self.tell(self.next_check, told);
            }
            self.next_check += i64::from(self.settings.check_period_ms) * 1_000;
        }
    }
}

impl Naive {
    fn pass(&mut self, now: i64) {
        if let Some(watch) = &mut self.watch {
            watch.checks(now, Some(&mut self.told));
        }
    }

    fn hear(&mut self, now: i64, beat: bool) {
        if let Some(watch) = &mut self.watch {
            watch.reference = now;
            watch.judged |= beat;
            watch.tell(now, &mut self.told);
        }
    }

    fn start(&mut self, settings: Settings, judged: bool, now: i64) {
        let next_check = now + i64::from(settings.check_period_ms) * 1_000;
        if self.watch.as_ref().is_none_or(|watch| !watch.judged) {
            let last_told = Grade::Healthy;
            self.watch = Some(NaiveWatch { settings, next_check, reference: now, last_told, judged });
        }
    }

    fn restart(&mut self, began: i64) {
        if let Some(watch) = &mut self.watch {
            watch.checks(began - 1, None);
            if watch.judged && watch.reference < began {
                watch.reference = began;
                watch.last_told = Grade::Healthy;
            }
            self.pass(began);
        }
    }
}

/// The machine with what surrounds it in the runtime.
struct Real {
    agent: Driver<AgentMachine>,
    directory: Arc<Mutex<Directory>>,
    began: Timestamp,
    /// Not loaded since the process began.
    asleep: bool,
    events: Vec<Event>,
}

fn ann() -> VoterId {
    VoterId::new("ann").unwrap()
}

fn us(us: i64) -> Timestamp {
    Timestamp::from_micros(us)
}

impl Real {
    fn new() -> Self {
        let directory = Arc::new(Mutex::new(Directory::default()));
        let asked = directory.clone();
        let agent = Driver::new(LastVote::of(move |id| asked.lock().unwrap().last_vote(id)));
        Real { agent, directory, began: us(0), asleep: false, events: Vec::new() }
    }

    fn learn(&mut self, events: Vec<Event>) {
        events.iter().for_each(|event| self.directory.lock().unwrap().apply(&ann(), event));
        self.events.extend(events);
    }

    fn wake(&mut self) {
        if std::mem::take(&mut self.asleep) {
            let events = self.agent.resume(Downtime::none(self.began)).events;
            self.learn(events);
        }
    }

    /// What the timers do until `now`.
    fn pass(&mut self, now: i64) {
        while let Some(due) = self.agent.due().filter(|due| *due <= us(now)) {
            // What fell due while nothing ran is looked at when the process begins.
            let at = due.max(self.began);
            self.wake();
            let events = self.agent.settle(at).events;
            self.learn(events);
            assert!(self.agent.due().is_none_or(|next| next > at), "a tick must move what is due");
        }
    }

    fn ask(&mut self, command: Command, now: i64) -> bool {
        self.wake();
        let step = self.agent.step(command, us(now));
        self.learn(step.events);
        step.reply.is_ok_and(|reply| reply.changed)
    }

    fn vote(&mut self, now: i64) {
        self.directory.lock().unwrap().voted(&ann(), us(now));
        let unwell = self.directory.lock().unwrap().is_given_up(&ann());
        if unwell {
            self.ask(Command::Tick, now);
        }
    }

    fn restart(&mut self, began: i64) {
        self.began = us(began);
        self.asleep = true;
        let unwell = |p: &quorate_core::voting::agent::directory::Presence| {
            p.watch.as_ref().is_some_and(|watch| watch.recorded != Grade::Healthy)
        };
        if self.directory.lock().unwrap().get(&ann()).is_some_and(unwell) {
            self.wake();
        }
        self.pass(began);
    }

    fn recorded(&self) -> Vec<Change> {
        let change = |event: &Event| match event {
            Event::GradeChanged(change) => Some((change.at.as_micros(), change.from, change.to)),
            _ => None,
        };
        self.events.iter().filter_map(change).collect()
    }
}

/// Runs the script through both; compares the grade after every act and the changes at the end.
fn run(acts: &[Act]) -> Result<Real, TestCaseError> {
    let (mut real, mut naive) = (Real::new(), Naive::default());
    let mut now = 0;
    for act in acts {
        match act {
            Act::Wait(us) => {
                now += us;
                naive.pass(now);
                real.pass(now);
            }
            Act::Beat => {
                naive.hear(now, true);
                prop_assert_eq!(real.ask(Command::Beat { metadata: None }, now), naive.watch.is_some());
            }
            Act::Vote => {
                naive.hear(now, false);
                real.vote(now);
            }
            Act::Start(settings, judged) => {
                let asked = Asked { settings: *settings, explicit: *judged, again: Again::default() };
                naive.start(*settings, *judged, now);
                real.ask(Command::Register { agent_id: ann(), asked }, now);
                real.ask(Command::StartMonitoring(asked), now);
            }
            Act::Stop | Act::Leave => {
                let command = if matches!(act, Act::Stop) { Command::StopMonitoring } else { Command::Leave };
                naive.watch = None;
                real.ask(command, now);
            }
            Act::Restart(down) => {
                now += down;
                naive.restart(now);
                real.restart(now);
            }
        }
        let expected = naive.watch.as_ref().map(|watch| watch.grade(now));
        prop_assert_eq!(real.directory.lock().unwrap().grade(&ann(), us(now), real.began), expected);
    }
    prop_assert_eq!(real.recorded(), naive.told);
    Ok(real)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn recorded_changes_are_those_a_monitor_tells_that_looks_at_every_check(
        first in settings(),
        acts in prop::collection::vec(act(), 0..60),
    ) {
        let mut script = vec![Act::Start(first, true)];
        script.extend(acts);
        run(&script)?;
    }

    #[test]
    fn replay_of_stored_bytes_gives_the_live_agent_and_the_live_directory(
        first in settings(),
        acts in prop::collection::vec(act(), 0..40),
    ) {
        let mut script = vec![Act::Start(first, true)];
        // Votes are on the record of what they were cast in; replayed here, they would be missing.
        script.extend(acts.into_iter().filter(|act| !matches!(act, Act::Vote)));
        let real = run(&script)?;
        let (mut agent, mut directory) = (Driver::<AgentMachine>::default(), Directory::default());
        for event in &real.events {
            let stored: Event = decode(&encode(event).unwrap()).unwrap();
            prop_assert_eq!(&stored, event);
            agent.replay(&stored);
            directory.apply(&ann(), &stored);
        }
        prop_assert_eq!(agent.state(), real.agent.state());
        prop_assert_eq!(&directory, &*real.directory.lock().unwrap());
        let kept: Directory = decode(&encode(&directory).unwrap()).unwrap();
        prop_assert_eq!(kept, directory);
    }
}
