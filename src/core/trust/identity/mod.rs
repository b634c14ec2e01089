//! An identity: who calls, proved by a credential, and what that allows.
//!
//! ```text
//!  credential ──► identity ──► scope of the operation? ──► party the request acts as? ──► served
//!  token, uid        │              no: not_authorized, scope       no: not_authorized, party
//!                    └ none, expired, revoked: not_authenticated
//! ```
//!
//! | state | command | condition | events | answer |
//! |---|---|---|---|---|
//! | – | Create | | Created, TokenIssued if one is asked for | Done |
//! | active | Create | | – | `AlreadyExists` |
//! | active | Rotate | the others end at once | TokenRevoked of each, TokenIssued | Done |
//! | active | Rotate | fewer than [`MAX_TOKENS`] live tokens | TokensEnding if that is news, TokenIssued | Done |
//! | active | Rotate | else | – | `TooManyTokens` |
//! | active | Grant | it changes something | Granted | Done |
//! | active | Grant | else | – | Done |
//! | active, expired | Revoke | | Revoked | Done |
//! | active | RevokeToken | live token of this number | TokenRevoked | Done |
//! | active | RevokeToken | token that is over | – | Done |
//! | active | RevokeToken | else | – | `UnknownToken` |
//! | revoked | Revoke | | – | Done |
//! | revoked, expired | Rotate, Grant, RevokeToken | | – | `Over` |
//! | revoked | Create | | – | `AlreadyExists`: a name is never used twice |
//! | active | Use | the last one on record is [`USE_EVERY`] old | Used | Done |
//! | any | Refuse | | Refused | Done |
//! | active | Tick | a token has expired | TokenExpired | – |
//! | active | Tick | the identity has expired | Expired | – |
//! | – | everything but Create and Tick | | – | `NotFound` |
//!
//! What a token is does not come in here: only its hash does. [`check`](check::permits) says what an identity may do, and
//! reads its arguments alone; [`Directory`] finds the identity of a credential.

pub mod check;
pub mod command;
mod decide;
pub mod directory;
pub mod event;
pub mod scope;
pub mod state;

use std::time::Duration;

pub use command::{Command, Rejection, Reply};
pub use directory::Directory;
pub use event::{Event, PublicKey, TokenHash};
pub use scope::{Party, PartyKind, Reach, Scope};
pub use state::{Identity, Token};

use crate::kernel::ids::StreamKind;
use crate::kernel::time::Timestamp;
use crate::kernel::{Decision, Machine};

/// Most tokens of one identity that are live at the same time.
pub const MAX_TOKENS: usize = 8;
/// Most scopes, parties or uids of one identity.
pub const MAX_LISTED: usize = 1_000;
/// Longest name of an identity, in bytes: it stands with every record made under it.
pub const MAX_NAME: usize = 64;
/// The use of an identity is put on record again after this long; in between it is only remembered.
pub const USE_EVERY: Duration = Duration::from_secs(3_600);

/// The machine of an identity.
#[derive(Debug)]
pub struct IdentityMachine;

impl Machine for IdentityMachine {
    const KIND: StreamKind = StreamKind::Identity;
    const STATE_VERSION: u16 = 1;
    type State = Identity;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Rejection = Rejection;
    type Effect = ();
    type Context = ();

    fn decide(
        state: &Identity,
        command: Command,
        now: Timestamp,
        (): &(),
    ) -> Result<Decision<Self>, Rejection> {
        decide::decide(state, command, now)
    }

    fn evolve(state: &mut Identity, event: &Event) {
        state.evolve(event);
    }

    fn due(state: &Identity) -> Option<Timestamp> {
        state.due()
    }

    fn owed(_state: &Identity) -> Vec<()> {
        Vec::new()
    }

    fn tick() -> Command {
        Command::Tick
    }
}

#[cfg(test)]
#[path = "identity_test.rs"]
mod tests;
