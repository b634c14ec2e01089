//! What is known of an identity.

use serde::{Deserialize, Serialize};

use super::event::{Event, Granted, TokenHash};
use super::scope::{Party, Scope};
use crate::kernel::time::Timestamp;

/// An identity; the default was never made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// What it may do.
    pub granted: Option<Granted>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// Its tokens that are not over, in the order of their numbers.
    pub tokens: Vec<Token>,
    /// How many tokens it ever had.
    pub issued: u32,
    /// How it ended, if it did.
    pub end: Option<End>,
    /// When its use was last put on record.
    pub last_used: Option<Timestamp>,
    /// Attempts that were refused and put on record.
    pub refused: u64,
}

/// A live token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its number, from 1.
    pub number: u32,
    /// Its hash.
    pub hash: TokenHash,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it ends, if it does.
    pub expires_at: Option<Timestamp>,
}

/// How an identity ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// When.
    pub at: Timestamp,
    /// Somebody ended it; otherwise its time was over.
    pub revoked: bool,
    /// Why, as far as somebody said.
    pub reason: Option<String>,
}

impl Token {
    /// Is it over at this instant?
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

impl Identity {
    /// Was it ever made?
    pub fn exists(&self) -> bool {
        self.granted.is_some()
    }

    /// May it do anything at this instant?
    pub fn is_active(&self, now: Timestamp) -> bool {
        let expires_at = self.granted.as_ref().map(|granted| granted.expires_at);
        expires_at.is_some_and(|end| end.is_none_or(|end| end > now)) && self.end.is_none()
    }

    /// What it may do.
    pub fn scopes(&self) -> impl Iterator<Item = &Scope> {
        self.granted.iter().flat_map(|granted| &granted.scopes)
    }

    /// In whose name.
    pub fn parties(&self) -> impl Iterator<Item = &Party> {
        self.granted.iter().flat_map(|granted| &granted.acts_as)
    }

    /// The token of this number, unless it is over.
    pub fn token(&self, number: u32) -> Option<&Token> {
        self.tokens.iter().find(|token| token.number == number)
    }

    /// When something of it ends next.
    pub(super) fn due(&self) -> Option<Timestamp> {
        if self.end.is_some() {
            return None;
        }
        let own = self.granted.as_ref().and_then(|granted| granted.expires_at);
        self.tokens.iter().filter_map(|token| token.expires_at).chain(own).min()
    }

    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Created(granted) => {
                self.created_at = Some(granted.at);
                self.granted = Some((**granted).clone());
            }
            Event::Granted(granted) => self.granted = Some((**granted).clone()),
            Event::TokenIssued { number, hash, expires_at, at } => {
                self.issued = *number;
                self.tokens.push(Token {
                    number: *number,
                    hash: *hash,
                    issued_at: *at,
                    expires_at: *expires_at,
                });
            }
            Event::TokensEnding { ends_at, .. } => {
                for token in &mut self.tokens {
                    token.expires_at = Some(token.expires_at.map_or(*ends_at, |end| end.min(*ends_at)));
                }
            }
            Event::TokenRevoked { number, .. } => self.tokens.retain(|token| token.number != *number),
            Event::TokenExpired { numbers, .. } => {
                self.tokens.retain(|token| !numbers.contains(&token.number));
            }
            Event::Used { at } => self.last_used = Some(*at),
            Event::Refused(_) => self.refused += 1,
            Event::Revoked { reason, at } => self.over(*at, true, reason.clone()),
            Event::Expired { at } => self.over(*at, false, None),
        }
    }

    fn over(&mut self, at: Timestamp, revoked: bool, reason: Option<String>) {
        self.tokens.clear();
        self.end = Some(End { at, revoked, reason });
    }
}
