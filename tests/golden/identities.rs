//! The events of identities.

use quorate_core::trust::identity::event::{self as identity, Granted, Refused, RefusedFor};
use quorate_core::trust::identity::{Party, PartyKind, PublicKey, Scope, TokenHash};

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
