use super::*;
use crate::kernel::ids::EntityId;

fn step(state: &mut Retention, command: Command) -> Result<Reply, Rejection> {
    let decision = RetentionMachine::decide(state, command, Timestamp::from_millis(1), &())?;
    decision.events.iter().for_each(|event| state.evolve(event));
    decision.reply
}

#[test]
fn what_is_held_is_covered_until_it_is_let_go_and_not_longer() {
    let id = |text: &str| EntityId::new(text).unwrap();
    let keep = |scope| Command::Keep { scope, reason: "case 7".into(), by: None };
    let mut state = Retention::default();
    assert_eq!(step(&mut state, keep(Scope::Entity(id("q")))), Ok(Reply::Held { duplicate: false }));
    assert_eq!(step(&mut state, keep(Scope::Entity(id("q")))), Ok(Reply::Held { duplicate: true }));
    let other = Command::Keep { scope: Scope::Entity(id("q")), reason: "case 9".into(), by: None };
    assert_eq!(step(&mut state, other), Err(Rejection::HeldFor { reason: "case 7".into() }));
    assert!(state.holding("quorum", &id("q")).is_some());
    assert!(state.holding("quorum", &id("r")).is_none());
    assert_eq!(step(&mut state, keep(Scope::Kind("job".into()))), Ok(Reply::Held { duplicate: false }));
    assert!(state.holding("job", &id("r")).is_some());
    let go = Command::LetGo { scope: Scope::Entity(id("q")), by: None };
    assert_eq!(step(&mut state, go.clone()), Ok(Reply::Released));
    assert_eq!(step(&mut state, go), Err(Rejection::NotFound));
    assert!(state.holding("quorum", &id("q")).is_none());
    assert_eq!(step(&mut state, keep(Scope::All)), Ok(Reply::Held { duplicate: false }));
    assert!(state.holding("session", &id("x")).is_some());
}
