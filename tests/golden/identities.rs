//! The events of identities.

use quorate_core::kernel::ids::{EntityId, VoterId};
use quorate_core::trust::hook::event::{self as hook, Disabling};
use quorate_core::trust::identity::event::{self as identity, Granted, Refused, RefusedFor};
use quorate_core::trust::identity::{Party, PartyKind, PublicKey, Scope, TokenHash};
use quorate_core::trust::{retention, stop, subject};

use crate::events::{at, variants};

pub(crate) fn all() -> Vec<identity::Event> {
    let scope = |text: &str| Scope::parse(text).unwrap();
    let party = |text: &str| Party::parse(text).unwrap();
    let granted = Granted {
        scopes: ["admin", "read", "quorum.*", "consensus.vote"].map(scope).into(),
        acts_as: ["voter:窓", "agent:a*", "worker:w", "holder:h", "cell:*", "*"].map(party).into(),
        public_key: Some(PublicKey([7; 32])),
        uids: [0, 300, u32::MAX].into(),
        expires_at: Some(at(i64::MAX)),
        at: at(-5),
    };
    let nothing = Granted {
        scopes: [].into(),
        acts_as: [].into(),
        public_key: None,
        uids: [].into(),
        expires_at: None,
        at: at(6),
    };
    let refused = |kind, entity_id: Option<&str>| {
        identity::Event::Refused(Box::new(Refused {
            operation: "quorum.vote".into(),
            entity_id: entity_id.map(str::to_owned),
            reason: RefusedFor::NotAuthorized,
            missing: Party::one(kind, "bob"),
            party_id: "bob".into(),
            at: at(9),
        }))
    };
    vec![
        identity::Event::Created(Box::new(granted)),
        identity::Event::TokenIssued {
            number: 300,
            hash: TokenHash([8; 32]),
            expires_at: Some(at(1)),
            at: at(2),
        },
        identity::Event::TokensEnding { ends_at: at(3), at: at(4) },
        identity::Event::TokenRevoked { number: 1, at: at(5) },
        identity::Event::TokenExpired { numbers: vec![2, 300], at: at(6) },
        identity::Event::Granted(Box::new(nothing)),
        identity::Event::Used { at: at(7) },
        refused(Some(PartyKind::Voter), Some("窓")),
        refused(None, None),
        identity::Event::Revoked { reason: Some("é".into()), at: at(10) },
        identity::Event::Expired { at: at(11) },
    ]
}

variants!(variants_of of identity::Event: Created, TokenIssued, TokensEnding, TokenRevoked, TokenExpired, Granted, Used,
    Refused, Revoked, Expired);

pub(crate) fn stops() -> Vec<stop::Event> {
    let id = |text: &str| EntityId::new(text).unwrap();
    let engaged = |number: u64, scope| {
        stop::Event::Engaged(Box::new(stop::Engaged {
            stop_id: id("halt"),
            number,
            scope,
            release: stop::Release { voters: vec![VoterId::new("ann").unwrap()], need: 1 },
            by: Some("ops".into()),
            reason: Some("é".into()),
            at: at(12),
        }))
    };
    vec![
        engaged(1, stop::Scope::Everything),
        engaged(2, stop::Scope::Party(id("窓"))),
        engaged(300, stop::Scope::Prefix("billing-".into())),
        engaged(4, stop::Scope::JobClass(id("migrate"))),
        stop::Event::Released(Box::new(stop::Released {
            stop_id: id("halt"),
            kind: "session".into(),
            decision_id: id("d"),
            supporters: vec![VoterId::new("ann").unwrap()],
            by: None,
            at: at(13),
        })),
    ]
}

variants!(stop_variants of stop::Event: Engaged, Released);

pub(crate) fn retentions() -> Vec<retention::Event> {
    let held = |scope, by: Option<&str>| {
        let (reason, by) = ("case é".to_owned(), by.map(str::to_owned));
        retention::Event::Held(Box::new(retention::Held { scope, reason, by, at: at(14) }))
    };
    let id = EntityId::new("窓").unwrap();
    let bytes = retention::event::Kept(vec![1, 2, 250, 251, 252]);
    vec![
        held(retention::Scope::All, None),
        held(retention::Scope::Kind("quorum".into()), Some("ops")),
        held(retention::Scope::Entity(id.clone()), None),
        retention::Event::Released(Box::new(retention::Released {
            scope: retention::Scope::Entity(id),
            by: Some("ops".into()),
            at: at(15),
        })),
        retention::Event::Pruned(Box::new(retention::Pruned {
            number: 1,
            rule: retention::Rule {
                older_than_ms: Some(86_400_000),
                kinds: vec!["job".into()],
                keep_last: Some(300),
            },
            entities: [("job".to_owned(), 2)].into(),
            records: 700,
            first_position: 3,
            last_position: 900,
            upto: 1_000,
            root: "ab".into(),
            tip_hash: "cd".into(),
            by: Some("ops".into()),
            at: at(16),
            counted: retention::Counted { form: "counters".into(), bytes },
        })),
    ]
}

variants!(retention_variants of retention::Event: Held, Released, Pruned);

pub(crate) fn subjects() -> Vec<subject::Event> {
    let data_subject = EntityId::new("窓").unwrap();
    let asked = |by: Option<&str>| {
        subject::Event::ShredAsked(Box::new(subject::ShredAsked {
            data_subject: data_subject.clone(),
            reason: "art. 17 é".into(),
            by: by.map(str::to_owned),
            at: at(18),
        }))
    };
    vec![
        subject::Event::Registered(Box::new(subject::Registered {
            data_subject: data_subject.clone(),
            key_id: subject::event::KeyId([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 250, 251, 252, 253]),
            at: at(17),
        })),
        asked(None),
        asked(Some("dpo")),
        subject::Event::Shredded(Box::new(subject::Shredded { data_subject, at: at(19) })),
    ]
}

variants!(subject_variants of subject::Event: Registered, ShredAsked, Shredded);

pub(crate) fn hooks() -> Vec<hook::Event> {
    let id = |text: &str| EntityId::new(text).unwrap();
    let registered = |hook_id: &str, owner: Option<&str>| {
        hook::Event::Registered(Box::new(hook::Registered {
            hook_id: id(hook_id),
            url: "https://hooks.example.com/in?x=1".into(),
            filter: r#"{"kind":"quorum"}"#.into(),
            owner: owner.map(id),
            position: 300,
            at: at(1),
        }))
    };
    let failed = |reason, retry_at| {
        hook::Event::Failed(Box::new(hook::Failed {
            position: 300,
            failures: 2,
            reason,
            retry_at,
            at: at(4),
        }))
    };
    use hook::Reason::*;
    let reasons =
        [NotResolved, AddressRefused, NotConnected, NotTrusted, TimedOut, Broken, Status(503), Unread];
    let mut all = vec![
        registered("h", None),
        registered("窓", Some("ann")),
        hook::Event::Keyed { secret: hook::Secret((0..24).collect()), at: at(2) },
        hook::Event::Delivered { position: 301, count: 1, at: at(3) },
    ];
    all.extend(reasons.map(|reason| failed(reason, Some(at(5)))));
    all.extend([
        failed(TimedOut, None),
        hook::Event::Disabled { reason: Disabling::Gone, at: at(6) },
        hook::Event::Disabled { reason: Disabling::OwnerMayNot, at: at(6) },
        hook::Event::Resumed { at: at(7) },
        hook::Event::Removed { position: 301, at: at(8) },
    ]);
    all
}

variants!(hook_variants of hook::Event: Registered, Keyed, Delivered, Failed, Disabled, Resumed, Removed);
