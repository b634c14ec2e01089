use super::*;
use crate::kernel::driver::Driver;
use crate::kernel::ids::EntityId;
use crate::load::flow::{
    Carries, DropPolicy, DropReason, DropRun, FlowConfig, FlowState, Load, Notice, Transition,
};

type Flows = Driver<FlowMachine>;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn open(config: FlowConfig) -> Command {
    Command::Open { flow_id: EntityId::new("f").unwrap(), config: Box::new(config) }
}

fn small() -> FlowConfig {
    FlowConfig { max_buffer_size: 10, ..FlowConfig::default() }
}

fn opened() -> Flows {
    let mut flow = Flows::default();
    assert_eq!(flow.step(open(small()), at(1)).reply, Ok(Reply { changed: true }));
    flow
}

fn note(notices: Vec<Notice>, totals: FlowTotals) -> Command {
    Command::Note { notices, totals: Box::new(totals), max_buffer_size: 10, max_buffer_bytes: Some(4) }
}

fn names(flow: &mut Flows, command: Command, ms: i64) -> Vec<&'static str> {
    flow.step(command, at(ms)).events.iter().map(Event::name).collect()
}

#[test]
fn a_stream_is_opened_once_and_the_same_again_changes_nothing() {
    let mut flow = opened();
    assert_eq!(flow.step(open(small()), at(2)).reply, Ok(Reply { changed: false }));
    let other = FlowConfig { max_buffer_size: 11, ..small() };
    assert_eq!(flow.step(open(other), at(2)).reply, Err(Rejection::AlreadyExists { closed: false }));
    assert_eq!(names(&mut flow, Command::Close, 3), ["closed"]);
    assert_eq!(names(&mut flow, Command::Close, 4), [""; 0]);
    assert_eq!(flow.step(open(small()), at(5)).reply, Err(Rejection::AlreadyExists { closed: true }));
    assert_eq!(flow.state().closed_at, Some(at(3)));
}

#[test]
fn nothing_can_be_asked_of_a_stream_that_was_never_opened() {
    let commands = [
        Command::Configure(Box::new(small())),
        note(vec![], FlowTotals::default()),
        Command::Revive,
        Command::Close,
    ];
    for command in commands {
        let mut flow = Flows::default();
        let step = flow.step(command, at(1));
        assert_eq!((step.reply, step.events), (Err(Rejection::NotFound), vec![]));
    }
}

#[test]
fn a_configuration_that_does_not_fit_is_refused_at_opening_and_later() {
    let bad = FlowConfig { max_buffer_size: 0, ..small() };
    let refused = |reply: Result<Reply, Rejection>| match reply {
        Err(Rejection::Invalid(e)) => e.field,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(Flows::default().step(open(bad.clone()), at(1)).reply), "max_buffer_size");
    assert_eq!(refused(opened().step(Command::Configure(Box::new(bad)), at(1)).reply), "max_buffer_size");
    let lossy = FlowConfig { carries: Carries::Votes, ..small() };
    assert_eq!(refused(Flows::default().step(open(lossy), at(1)).reply), "drop_policy");
}

#[test]
fn what_a_stream_carries_does_not_change() {
    let votes = FlowConfig { carries: Carries::Votes, drop_policy: DropPolicy::Block, ..small() };
    let mut flow = Flows::default();
    flow.step(open(votes.clone()), at(1)).reply.unwrap();
    let anything = FlowConfig { carries: Carries::Anything, ..votes.clone() };
    let Err(Rejection::Invalid(refused)) = flow.step(Command::Configure(Box::new(anything)), at(2)).reply
    else {
        panic!("a stream of votes became one of anything");
    };
    assert_eq!((refused.field, refused.given.as_str()), ("carries", "anything"));
    let larger = FlowConfig { max_buffer_size: 20, ..votes };
    assert_eq!(names(&mut flow, Command::Configure(Box::new(larger.clone())), 3), ["configured"]);
    assert_eq!(names(&mut flow, Command::Configure(Box::new(larger.clone())), 4), [""; 0]);
    assert_eq!(flow.state().config, larger);
    flow.step(Command::Close, at(5)).reply.unwrap();
    assert_eq!(flow.step(Command::Configure(Box::new(larger)), at(6)).reply, Err(Rejection::Closed));
}

#[test]
fn a_change_tells_from_to_fill_cause_and_when() {
    let mut flow = opened();
    let change = |from, to, messages| {
        let load = Load { messages, bytes: 3 };
        Notice::Transition(Transition { from, to, load, at: at(7), skipped: 2 })
    };
    let changes = vec![
        change(FlowState::Normal, FlowState::Throttled, 7),
        change(FlowState::Paused, FlowState::Dropping, 10),
        change(FlowState::Dropping, FlowState::Paused, 9),
        change(FlowState::Throttled, FlowState::Normal, 6),
    ];
    let step = flow.step(note(changes, FlowTotals::default()), at(8));
    let causes: Vec<_> = step
        .events
        .iter()
        .map(|event| match event {
            Event::StateChanged(change) => change.cause,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(causes, [Cause::Filled, Cause::Overflowed, Cause::Drained, Cause::Drained]);
    let first = StateChanged {
        from: FlowState::Normal,
        to: FlowState::Throttled,
        cause: Cause::Filled,
        buffer_size: 7,
        max_buffer_size: 10,
        buffer_bytes: 3,
        fill_millionths: 750_000,
        skipped: 2,
        at: at(7),
    };
    assert_eq!(step.events[0], Event::StateChanged(first));
    assert_eq!((flow.state().flow_state, flow.state().noted_at), (FlowState::Normal, at(7)));
}

#[test]
fn a_run_of_drops_is_one_record_and_totals_are_recorded_when_they_move() {
    let mut flow = opened();
    let run = DropRun {
        policy: DropPolicy::DropOldest,
        reason: DropReason::Oldest,
        count: 500,
        seqs: Some((3, 502)),
        from: at(2),
        upto: at(9),
    };
    let totals = FlowTotals { sent: 510, evicted_oldest: 500, ..FlowTotals::default() };
    let step = flow.step(note(vec![Notice::Dropped(run)], totals), at(10));
    let expected = Dropped {
        policy: DropPolicy::DropOldest,
        reason: DropReason::Oldest,
        count: 500,
        first_seq: Some(3),
        last_seq: Some(502),
        since: at(2),
        at: at(9),
    };
    let counted = Event::Counted { totals: Box::new(totals), at: at(10) };
    assert_eq!(step.events, [Event::Dropped(expected), counted]);
    assert_eq!(names(&mut flow, note(vec![], totals), 11), [""; 0]);
    assert_eq!(flow.state().totals, totals);
}

#[test]
fn a_new_life_counts_what_was_buffered_as_lost() {
    let mut flow = opened();
    let totals =
        FlowTotals { sent: 20, delivered: 5, evicted_oldest: 4, conflated: 1, ..FlowTotals::default() };
    flow.step(note(vec![], totals), at(2)).reply.unwrap();
    let step = flow.step(Command::Revive, at(9));
    assert_eq!(step.events, [Event::Restarted { life: 1, lost: 10, at: at(9) }]);
    let state = flow.state();
    assert_eq!((state.life, state.totals.lost_in_restart, state.totals.unread()), (1, 10, 0));
    assert_eq!(
        flow.step(Command::Revive, at(10)).events,
        [Event::Restarted { life: 2, lost: 0, at: at(10) }]
    );
}

#[test]
fn totals_account_for_every_message() {
    let totals = FlowTotals {
        sent: 100,
        delivered: 40,
        evicted_oldest: 1,
        cleared: 2,
        shed: 3,
        expired: 4,
        conflated: 5,
        lost_in_restart: 6,
        rejected_newest: 7,
        timed_out: 8,
        refused_closed: 9,
        refused_full: 10,
        refused_too_large: 11,
        cancelled: 12,
        ..FlowTotals::default()
    };
    assert_eq!((totals.evicted(), totals.unread(), totals.returned()), (21, 39, 57));
    assert_eq!((totals.dropped(), totals.offered()), (23, 157));
    assert_eq!(totals.offered(), totals.delivered + totals.unread() + totals.evicted() + totals.returned());
    assert_eq!(totals.drop_rate(), 23.0 / 107.0);
    let both = totals.with(&totals);
    assert_eq!((both.sent, both.cancelled, both.dropped()), (200, 24, 46));
}

#[test]
fn the_record_is_the_fold_of_what_was_stored() {
    let mut live = opened();
    let totals = FlowTotals { sent: 3, ..FlowTotals::default() };
    let mut events = live.step(note(vec![], totals), at(2)).events;
    events.extend(live.step(Command::Revive, at(3)).events);
    events.extend(live.step(Command::Close, at(4)).events);
    let mut again = opened();
    events.iter().for_each(|event| again.replay(event));
    assert_eq!(live.state(), again.state());
}
