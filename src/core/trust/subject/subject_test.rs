use super::event::KeyId;
use super::*;
use crate::kernel::ids::EntityId;

fn step(state: &mut Subjects, command: Command) -> Result<Reply, Rejection> {
    let decision = SubjectsMachine::decide(state, command, Timestamp::from_millis(1), &())?;
    decision.events.iter().for_each(|event| state.evolve(event));
    decision.reply
}

fn alice() -> EntityId {
    EntityId::new("alice").unwrap()
}

fn register(key: u8) -> Command {
    Command::Register { data_subject: alice(), key_id: KeyId([key; 16]) }
}

fn shred(reason: &str) -> Command {
    Command::Shred { data_subject: alice(), reason: reason.into(), by: None }
}

#[test]
fn a_key_is_destroyed_only_after_that_was_asked_and_its_name_takes_no_data_again() {
    let mut state = Subjects::default();
    let destroyed = Command::Destroyed { data_subject: alice() };
    assert_eq!(step(&mut state, shred("asked")), Err(Rejection::NotFound));
    assert_eq!(step(&mut state, register(7)), Ok(Reply::Active { key_id: KeyId([7; 16]) }));
    // Another key does not take the place of the one that stands.
    assert_eq!(step(&mut state, register(8)), Ok(Reply::Active { key_id: KeyId([7; 16]) }));
    assert_eq!(step(&mut state, destroyed.clone()), Err(Rejection::NotAsked));
    assert_eq!(step(&mut state, shred("art. 17")), Ok(Reply::Asked { duplicate: false }));
    assert_eq!(state.asked().collect::<Vec<_>>(), [&alice()]);
    assert_eq!(step(&mut state, register(7)), Err(Rejection::Shredded));
    assert_eq!(step(&mut state, shred("once more")), Ok(Reply::Asked { duplicate: true }));
    assert_eq!(step(&mut state, destroyed.clone()), Ok(Reply::Done));
    assert_eq!(step(&mut state, destroyed), Ok(Reply::Done));
    assert_eq!(step(&mut state, register(9)), Err(Rejection::Shredded));
    assert_eq!(state.asked().count(), 0);
    let standing = &state.all[&alice()];
    assert_eq!(standing.asked.as_ref().unwrap().reason, "art. 17");
    assert_eq!(standing.status(), Status::Shredded);
}

#[test]
fn a_key_id_is_read_as_it_is_shown() {
    let id = KeyId([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 254, 255]);
    assert_eq!(id.to_string(), "000102030405060708090a0b0c0dfeff");
    let shown = serde_json::to_string(&id).unwrap();
    assert_eq!(serde_json::from_str::<KeyId>(&shown).unwrap(), id);
}
