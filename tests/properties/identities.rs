//! Laws of identities: what one may do agrees with a naive reading of its grants as text, replay of stored bytes is the
//! live machine, and the directory finds by a credential whom a plain search over all identities finds.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use quorate_core::kernel::driver::Driver;
use quorate_core::kernel::ids::EntityId;
use quorate_core::kernel::time::Timestamp;
use quorate_core::trust::identity::check::{Missing, Need, permits};
use quorate_core::trust::identity::command::{Create, Grant, Refuse};
use quorate_core::trust::identity::{
    Command, Directory, Event, Identity, IdentityMachine, Party, PartyKind, Scope,
};
use quorate_journal::codec::{decode, encode};

const OPERATIONS: [(&str, Need); 5] = [
    ("quorum.vote", Need::Write),
    ("quorum.status", Need::Read),
    ("job.cancel", Need::Write),
    ("history.query", Need::Read),
    ("identity.create", Need::Admin),
];
const SCOPES: [&str; 10] = [
    "admin",
    "read",
    "quorum.*",
    "quorum.vote",
    "quorum.status",
    "job.*",
    "history.query",
    "identity.*",
    "identity.create",
    "job.cancel",
];
const PARTIES: [&str; 9] =
    ["*", "voter:a", "voter:ab", "voter:a*", "voter:*", "worker:a", "worker:a*", "agent:b", "cell:*"];
const IDS: [&str; 5] = ["a", "ab", "b", "self", "*"];

/// What an identity may do, read from the texts as somebody would who only has the manual.
fn naive(
    scopes: &[&str],
    parties: &[&str],
    operation: &str,
    need: Need,
    acting: &[(Option<PartyKind>, &str)],
) -> &'static str {
    let (noun, _) = operation.split_once('.').unwrap();
    let covers = scopes.iter().any(|scope| {
        *scope == "admin"
            || (need != Need::Admin
                && (*scope == operation
                    || *scope == format!("{noun}.*")
                    || (need == Need::Read && *scope == "read")))
    });
    if !covers {
        return "scope";
    }
    let may = |kind: Option<PartyKind>, id: &str| {
        parties.iter().any(|party| {
            let fits = |pattern: &str| match pattern.strip_suffix('*') {
                Some(prefix) => id.starts_with(prefix),
                None => id == pattern,
            };
            match (party.split_once(':'), kind) {
                (None, _) => true,
                (Some((_, pattern)), None) => fits(pattern),
                (Some((named, pattern)), Some(kind)) => named == kind.name() && fits(pattern),
            }
        }) || (kind.is_none() && id == "self")
    };
    if acting.iter().all(|(kind, id)| may(*kind, id)) { "" } else { "party" }
}

fn identity(scopes: &[&str], parties: &[&str]) -> Identity {
    let mut driver = Driver::<IdentityMachine>::default();
    let create = Create {
        scopes: scopes.iter().map(|text| Scope::parse(text).unwrap()).collect(),
        acts_as: parties.iter().map(|text| Party::parse(text).unwrap()).collect(),
        ..Create::default()
    };
    driver.step(Command::Create(Box::new(create)), Timestamp::EPOCH);
    driver.state().clone()
}

fn some<T: Copy + std::fmt::Debug + 'static>(from: &'static [T]) -> impl Strategy<Value = Vec<T>> {
    prop::collection::vec(prop::sample::select(from), 0..4)
}

fn acting() -> impl Strategy<Value = Vec<(Option<PartyKind>, &'static str)>> {
    let kind = prop::option::of(prop::sample::select(PartyKind::ALL.to_vec()));
    prop::collection::vec((kind, prop::sample::select(IDS.to_vec())), 0..3)
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::EPOCH.plus(Duration::from_secs(seconds))
}

fn command() -> impl Strategy<Value = Command> {
    let end = || prop::option::of((0..40u64).prop_map(at));
    let hash = || (0..6u8).prop_map(|byte| [byte; 32]);
    let uids = || prop::collection::btree_set(0..3u32, 0..3);
    prop_oneof![
        3 => (prop::option::of((hash(), end())), end(), uids()).prop_map(|(token, expires_at, uids)| {
            Command::Create(Box::new(Create { token, expires_at, uids, ..Create::default() }))
        }),
        3 => (hash(), (0..40u64).prop_map(at), end())
            .prop_map(|(hash, others_end, expires_at)| Command::Rotate { hash, others_end, expires_at }),
        2 => (end(), prop::option::of(uids())).prop_map(|(expires_at, uids)| {
            Command::Grant(Box::new(Grant { expires_at, uids, ..Grant::default() }))
        }),
        1 => Just(Command::Revoke { reason: None }),
        2 => (0..5u32).prop_map(|number| Command::RevokeToken { number }),
        1 => Just(Command::Use),
        1 => Just(Command::Refuse(Box::new(Refuse {
            operation: "quorum.vote".into(),
            subject: None,
            kind: None,
            party_id: "b".into(),
        }))),
        1 => Just(Command::Tick),
    ]
}

proptest! {
    #[test]
    fn the_check_agrees_with_the_grants_as_text(
        scopes in some(&SCOPES),
        parties in some(&PARTIES),
        operation in prop::sample::select(OPERATIONS.to_vec()),
        acting in acting(),
    ) {
        let identity = identity(&scopes, &parties);
        let (name, need) = operation;
        let missing = match permits(&identity, "self", name, need, &acting) {
            Ok(()) => "",
            Err(Missing::Scope(_)) => "scope",
            Err(Missing::Party(_)) => "party",
        };
        prop_assert_eq!(missing, naive(&scopes, &parties, name, need, &acting));
    }

    /// Whoever is given more may do no less, and what is missing is enough.
    #[test]
    fn what_is_missing_is_what_has_to_be_granted(
        scopes in some(&SCOPES),
        parties in some(&PARTIES),
        operation in prop::sample::select(OPERATIONS.to_vec()),
        acting in acting(),
    ) {
        let (name, need) = operation;
        let (mut scopes, mut parties): (Vec<String>, Vec<String>) =
            (scopes.iter().map(|s| (*s).to_owned()).collect(), parties.iter().map(|p| (*p).to_owned()).collect());
        // One scope and each party at most.
        for _ in 0..=acting.len() + 1 {
            let texts = |all: &[String]| all.to_vec();
            let (held, names) = (texts(&scopes), texts(&parties));
            let held: Vec<&str> = held.iter().map(String::as_str).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            match permits(&identity(&held, &names), "self", name, need, &acting) {
                Ok(()) => return Ok(()),
                Err(Missing::Scope(scope)) => scopes.push(scope.to_string()),
                // A party of no kind is granted as one of any kind.
                Err(Missing::Party(Party { kind, reach })) => {
                    let kind = kind.unwrap_or(PartyKind::Agent);
                    parties.push(format!("{}:{}", kind.name(), reach.text()));
                }
            }
        }
        prop_assert!(false, "never enough: {:?} {:?}", scopes, parties);
    }

    #[test]
    fn replay_is_live_and_the_directory_finds_what_a_search_finds(
        script in prop::collection::vec((0..3usize, command(), 0..4u64), 0..40),
    ) {
        let names: Vec<EntityId> = (0..3).map(|n| EntityId::new(format!("i{n}")).unwrap()).collect();
        let mut live: BTreeMap<EntityId, Driver<IdentityMachine>> =
            names.iter().map(|name| (name.clone(), Driver::default())).collect();
        let mut stored: BTreeMap<EntityId, Vec<Vec<u8>>> = BTreeMap::new();
        let mut directory = Directory::default();
        let mut now = 0;
        for (who, command, pause) in script {
            now += pause;
            let name = &names[who];
            // A token is random: no two are the same.
            let is_taken = |hash: &[u8; 32]| live.values().any(|d| d.state().tokens.iter().any(|t| t.hash.0 == *hash));
            match &command {
                Command::Create(create) if create.token.as_ref().is_some_and(|(hash, _)| is_taken(hash)) => continue,
                Command::Rotate { hash, .. } if is_taken(hash) => continue,
                _ => {}
            }
            let step = live.get_mut(name).unwrap().step(command, at(now));
            for event in &step.events {
                directory.apply(name, event);
                stored.entry(name.clone()).or_default().push(encode(event).unwrap());
            }
            for (name, driver) in &live {
                let mut replayed = Driver::<IdentityMachine>::default();
                for bytes in stored.get(name).into_iter().flatten() {
                    replayed.replay(&decode::<Event>(bytes).unwrap());
                }
                prop_assert_eq!(replayed.state(), driver.state());
            }
            for byte in 0..6u8 {
                let found = directory.by_token(&[byte; 32]).map(|(name, number, _)| (name.clone(), number));
                let sought = live.iter().find_map(|(name, driver)| {
                    let token = driver.state().tokens.iter().find(|token| token.hash.0 == [byte; 32])?;
                    Some((name.clone(), token.number))
                });
                prop_assert_eq!(found, sought);
            }
            for uid in 0..3 {
                let mut claim = live.iter().filter(|(_, driver)| {
                    let state = driver.state();
                    state.is_active(at(now)) && state.granted.as_ref().is_some_and(|granted| granted.uids.contains(&uid))
                });
                let only = claim.next().filter(|_| claim.next().is_none()).map(|(name, _)| name);
                prop_assert_eq!(directory.by_uid(uid, at(now)), only);
            }
            let used = live.values().any(|driver| driver.state().exists());
            prop_assert_eq!(directory.is_used(), used);
        }
    }
}
