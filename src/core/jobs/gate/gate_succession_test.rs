//! One gate after another: who takes the job of a gate that is gone, and what the one that comes back may still do.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use super::rebuild::{recall, told};
use super::*;
use crate::jobs::gate::{Others, Seat};
use crate::jobs::protocol::message::JobLeaderGateTransfer;

const BLOCK: u64 = 1 << 20;

/// What a node thinks of the others.
#[derive(Default)]
struct View {
    me: String,
    gone: Mutex<BTreeSet<EntityId>>,
}

impl Others for View {
    fn is_other(&self, gate: &EntityId) -> bool {
        gate.as_str() != self.me
    }

    fn is_gone(&self, gate: &EntityId) -> bool {
        self.gone.lock().unwrap().contains(gate)
    }
}

/// A gate of this name, which sees nobody gone yet.
fn gate(name: &str) -> (G, Arc<View>) {
    let view = Arc::new(View { me: name.to_owned(), gone: Mutex::default() });
    let seat = Seat { gate: node(name), addr: format!("{name}:1"), others: view.clone() };
    (G::new(Datacenters::default().at(Some(seat))), view)
}

fn goes(view: &View, name: &str) {
    view.gone.lock().unwrap().insert(id(name));
}

/// What `dc` tells of a job that this gate leads under this epoch.
fn led(dc: &str, gate: &str, epoch: u64) -> Command {
    let mut told = told(dc, 20_000);
    told.gate.gate_id = id(gate);
    (told.gate.epoch, told.highest_epoch) = (GateEpoch::shown(epoch), GateEpoch::shown(epoch));
    recall(dc, told)
}

fn transfers(step: &Step<GateMachine>) -> Vec<JobLeaderGateTransfer> {
    let of = |message: Message| match message.body {
        Body::JobLeaderGateTransfer(transfer) => Some(transfer),
        _ => None,
    };
    sent(step).into_iter().filter_map(of).collect()
}

fn elsewhere(gate: &str, epoch: u64) -> Rejection {
    Rejection::LedElsewhere { gate: id(gate), gate_epoch: GateEpoch::shown(epoch) }
}

#[test]
fn the_job_of_a_gate_that_is_gone_is_led_by_another_above_all_that_one_may_mint() {
    let (mut h, view) = gate("h");
    goes(&view, "g");
    let step = h.step(led("a", "g", 5), us(500 * S));
    assert_eq!(names(&step), ["rebuilt", "leader_changed", "recalled"]);
    let run = h.state().run.as_ref().unwrap();
    assert_eq!((&run.gate, run.gate_addr.as_str()), (&node("h"), "h:1"));
    assert_eq!(h.state().gate_epoch, GateEpoch::shown(BLOCK));
    let told = transfers(&step);
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told.iter().all(|told| told.new_gate == node("h") && told.gate_epoch.get() == BLOCK));
    // It goes in turn, and so on.
    let (mut i, view) = gate("i");
    goes(&view, "h");
    i.step(led("a", "h", BLOCK + 7), us(600 * S));
    assert_eq!(i.state().gate_epoch, GateEpoch::shown(2 * BLOCK));
}

#[test]
fn a_gate_that_is_not_gone_as_far_as_is_known_has_no_successor() {
    let (mut h, view) = gate("h");
    let step = h.step(led("a", "g", 5), us(500 * S));
    assert_eq!((step.events.len(), step.effects.len()), (0, 0), "{step:?}");
    assert!(h.state().run.is_none());
    goes(&view, "g");
    assert_eq!(names(&h.step(led("a", "g", 5), us(501 * S)))[0], "rebuilt");
}

#[test]
fn a_gate_that_was_replaced_does_nothing_more_about_the_job() {
    let (mut g, _) = gate("g");
    g.step(Command::Track(Box::new(asked(&["a", "b"], Some(100_000), Settings::default()))), us(0));
    let step = g.step(led("a", "h", BLOCK), us(20 * S));
    assert_eq!(names(&step), ["gate_replaced"]);
    let status = g.state();
    assert_eq!((g.due(), status.outbox().count(), status.status(us(20 * S))), (None, 0, None));
    assert_eq!(status.leads(), Err(elsewhere("h", BLOCK)));
    let again = asked(&["a", "b"], Some(100_000), Settings::default());
    let (requester_id, reason) = ("ann".to_owned(), String::new());
    for command in [
        Command::Track(Box::new(again)),
        Command::Cancel { requester_id, reason },
        Command::AskLeads,
        Command::Transfer { to: node("x"), addr: "x:1".into() },
        progress("a", report("a", 1)),
    ] {
        let step = g.step(command, us(21 * S));
        assert_eq!((step.reply, step.events.len()), (Err(elsewhere("h", BLOCK)), 0));
    }
    // A new life of it leads nothing either.
    let resumed = g.resume(Downtime { last_alive: us(21 * S), began: us(500 * S), gap: Gap::Restart });
    assert_eq!((resumed.events.len(), g.due()), (0, None));
    // A manager that is behind still takes it for the leader: that one is settled by the successor.
    let behind = g.step(led("b", "g", 1), us(501 * S));
    assert_eq!((behind.events.len(), behind.effects.len()), (0, 0), "{behind:?}");
}

#[test]
fn a_gate_that_was_replaced_leads_again_when_its_successor_is_gone() {
    let (mut g, view) = gate("g");
    g.step(Command::Track(Box::new(asked(&["a", "b", "c"], Some(100_000), Settings::default()))), us(0));
    g.step(led("a", "h", BLOCK), us(20 * S));
    goes(&view, "h");
    let step = g.step(led("a", "h", BLOCK + 1), us(30 * S));
    assert_eq!(names(&step)[0], "rebuilt");
    assert_eq!((g.state().gate_epoch, g.state().leads()), (GateEpoch::shown(2 * BLOCK), Ok(())));
    assert!(transfers(&step).iter().all(|told| told.new_gate == node("g")));
}

#[test]
fn of_two_gates_that_both_lead_the_lower_one_is_replaced() {
    let (mut g, _) = gate("g");
    let (mut h, view) = gate("h");
    g.step(Command::Track(Box::new(asked(&["a", "b", "c"], Some(100_000), Settings::default()))), us(0));
    goes(&view, "g");
    h.step(led("a", "g", 1), us(20 * S));
    view.gone.lock().unwrap().clear();
    // `b` was not reached by `h`, and tells it so; `a` tells `g`.
    let step = h.step(led("b", "g", 1), us(21 * S));
    assert!(!names(&step).contains(&"gate_replaced"), "{step:?}");
    assert_eq!(h.state().leads(), Ok(()));
    assert_eq!(names(&g.step(led("a", "h", BLOCK), us(22 * S))), ["gate_replaced"]);
}

#[test]
fn a_gate_that_was_away_asks_everybody_whether_it_still_leads() {
    let (mut g, _) = gate("g");
    g.step(Command::Track(Box::new(asked(&["a", "b"], Some(100_000), Settings::default()))), us(0));
    for dc in ["a", "b"] {
        g.step(progress(dc, report(dc, 1)), us(S));
    }
    assert_eq!(errands(&g), []);
    let step = g.step(Command::AskLeads, us(30 * S));
    assert_eq!(names(&step), ["leadership_asked"]);
    let told = transfers(&step);
    assert_eq!(told.len(), 2);
    assert!(
        told.iter().all(|told| (told.gate_epoch.get(), &told.new_gate)
            == (1, &asked(&["a"], None, Settings::default()).gate))
    );
    assert_eq!(g.state().gate_epoch, GateEpoch::shown(1), "it leads under the epoch it had");
}

#[test]
fn a_process_that_is_no_node_knows_no_other_gate() {
    let mut gate = G::default();
    let step = gate.step(led("a", "g", 5), us(500 * S));
    assert_eq!((names(&step)[0], gate.state().gate_epoch), ("rebuilt", GateEpoch::shown(6)));
}

#[test]
fn of_two_gates_to_which_a_job_was_submitted_the_one_of_the_greater_name_leads_it() {
    let submit = |gate: &str| {
        let asked = asked(&["a", "b", "c"], Some(100_000), Settings::default());
        Command::Track(Box::new(Track { gate: node(gate), ..asked }))
    };
    let (mut g, _) = gate("g");
    let (mut h, _) = gate("h");
    g.step(submit("g"), us(0));
    h.step(submit("h"), us(0));
    // `a` has it from `g`, and `b` from `h`.
    assert_eq!(names(&g.step(led("b", "h", 1), us(S))), ["gate_replaced"]);
    let step = h.step(led("a", "g", 1), us(S));
    assert_eq!(names(&step)[0], "epoch_adopted");
    assert_eq!((h.state().gate_epoch.get(), h.state().leads()), (BLOCK, Ok(())));
}

#[test]
fn a_job_that_goes_to_another_manager_is_handed_out_under_the_epoch_of_the_gate_that_leads() {
    let (mut h, view) = gate("h");
    goes(&view, "g");
    h.step(led("a", "g", 5), us(500 * S));
    let dc = h.state().datacenters().unwrap()[&id("a")].clone();
    let take_over = Command::TakeOver {
        datacenter: id("a"),
        from: dc.leader,
        to: node("n"),
        addr: "n:1".to_owned(),
        plan: Box::new(told("a", 0).plan()),
        reason: "it is dead".to_owned(),
    };
    let step = h.step(take_over, us(501 * S));
    let handed: Vec<_> = sent(&step)
        .into_iter()
        .filter_map(|message| match message.body {
            Body::JobDispatch(dispatch) => Some((dispatch.led.get(), dispatch.charter.epoch.get())),
            _ => None,
        })
        .collect();
    assert_eq!(handed, [(BLOCK, 3)]);
}
