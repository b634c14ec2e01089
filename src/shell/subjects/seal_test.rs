use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn key(byte: u8) -> SubjectKey {
    SubjectKey::new(&[byte; SECRET])
}

fn alice() -> EntityId {
    EntityId::new("alice").unwrap()
}

const PLACE: SealedPlace<'_> = SealedPlace { kind: "proposal", entity: "p-1", field: "proposal" };

fn sealed(text: &str) -> String {
    key(1).seal(&alice(), PLACE, Form::Json, text).unwrap()
}

#[test]
fn a_sealed_text_opens_in_its_own_place_under_its_own_key_alone() {
    let text = sealed("{\"name\":\"Alice\"}");
    let read = Sealed::parse(&text).unwrap();
    assert_eq!((read.subject.as_str(), read.kind, read.form), ("alice", "proposal", Form::Json));
    assert_eq!(key(1).open(&read, "p-1").as_deref(), Some("{\"name\":\"Alice\"}"));
    assert_eq!(key(1).open(&read, "p-2"), None);
    assert_eq!(key(2).open(&read, "p-1"), None);
    let bob = EntityId::new("bob").unwrap();
    for (subject, place, form) in [
        (&bob, PLACE, Form::Json),
        (&alice(), SealedPlace { kind: "quorum", ..PLACE }, Form::Json),
        (&alice(), SealedPlace { field: "reason", ..PLACE }, Form::Json),
        (&alice(), PLACE, Form::Text),
    ] {
        // The body of one place under the head of another.
        let elsewhere = head(subject, place.kind, place.field, form);
        let moved = format!("{elsewhere}{}", read.body);
        assert_eq!(key(1).open(&Sealed::parse(&moved).unwrap(), "p-1"), None, "{moved}");
    }
}

#[test]
fn a_nonce_is_never_used_for_two_texts_and_is_the_same_for_one() {
    let nonce = |text: &str| {
        let sealed = sealed(text);
        BASE64.decode(Sealed::parse(&sealed).unwrap().body).unwrap()[..NONCE].to_vec()
    };
    let nonces: BTreeSet<Vec<u8>> = (0..10_000).map(|n| nonce(&format!("text {n}"))).collect();
    assert_eq!(nonces.len(), 10_000);
    assert_eq!(nonce("text 1"), nonce("text 1"));
    // The same text in another place is sealed under another nonce.
    let other = SealedPlace { entity: "p-2", ..PLACE };
    let elsewhere = key(1).seal(&alice(), other, Form::Json, "text 1").unwrap();
    let elsewhere = BASE64.decode(Sealed::parse(&elsewhere).unwrap().body).unwrap();
    assert_ne!(elsewhere[..NONCE], nonce("text 1")[..]);
}

#[test]
fn the_marks_in_a_record_are_those_of_its_data_subjects() {
    let bytes = format!("\u{1}x{}\u{2}{}", sealed("a"), sealed("b"));
    assert_eq!(marks_in(bytes.as_bytes()), [mark_of(&alice()), mark_of(&alice())]);
    assert_eq!(marks_in(b"quorate-sealed:1:no end"), Vec::<&str>::new());
}

proptest! {
    /// Whatever is sealed is opened again, and any changed byte of it is noticed.
    #[test]
    fn what_is_sealed_is_opened_and_a_changed_byte_is_noticed(text in ".{0,200}", at in any::<prop::sample::Index>(), flip in 1u8..128) {
        let sealed = sealed(&text);
        prop_assert_eq!(key(1).open(&Sealed::parse(&sealed).unwrap(), "p-1"), Some(text));
        let mut bytes = sealed.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(changed) = String::from_utf8(bytes)
            && let Some(read) = Sealed::parse(&changed)
        {
            prop_assert_eq!(key(1).open(&read, "p-1"), None);
        }
    }

    /// Bytes that are no sealed text are none.
    #[test]
    fn any_text_is_taken_apart_or_refused(text in ".{0,80}") {
        let _ = Sealed::parse(&text);
        let _ = Sealed::parse(&format!("{MARK}{text}"));
        let _ = marks_in(text.as_bytes());
    }
}
