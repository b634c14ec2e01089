//! A cell lends and borrows capacity: needs wait, offers reserve, tokens carry, leases bring back.
//!
//! ```text
//!                       ┌── it fits, nobody waits ──────────────► granted ── ack ──► acknowledged
//!  request ── need ─────┤                                           ▲ │                │
//!                       ├── queued ── own capacity, or offers ──────┘ ├── release ─────┤
//!                       │     └── deadline, cancel ──► need ended ├── lease ends ──┤──► back to the source
//!                       └── queue full ──► overloaded                 └── revoke ──────┘
//!
//!  offer ──► reserved ──┬── covers a need, alone or with others ──► token of its source (the surplus goes back)
//!                       └── time is up, nobody needs it ──────────► back to the source
//! ```
//!
//! At every cell, for every resource, after every event:
//! *available + reserved by open offers + live tokens made of its capacity = total*.
//! At every budget: *live grants charged to it ≤ its limit*, and of each of its rates in any time
//! *reserved and more than estimated - given back ≤ burst + debt + refill of that time*.
//!
//! One cell is one machine, and so is one [budget]. What concerns several of them is decided at once by
//! [`exchange::decide`] and committed at once. What time does, each decides alone ([`Command::Tick`]): the last instant
//! of a lease, an offer or a wait stands in the state of everybody it concerns, so all let go at the same instant
//! without telling each other.
//!
//! | operation | condition, first that holds | events (on the stream of) | answer or rejection |
//! |---|---|---|---|
//! | any | a number is out of range | – | `Invalid`, `UnknownResource`, `OverBudget` |
//! | Request, Offer, Release | done before under this name | – | as it stands now |
//! | Request, Offer, Release | … but something else was asked | – | `AlreadyExists` |
//! | Request | the cell is overloaded | – | overloaded |
//! | Request | nobody waits, it fits the cell and its budgets | Granted (cell), Charged (budgets) | granted |
//! | Request | `max_pending` needs wait | OverloadRaised (cell) | overloaded |
//! | Request | otherwise | NeedQueued (cell), perhaps Waiting (a budget) | pending, or granted from offers |
//! | Cancel | nothing is known of the need | – | `NeedNotFound` |
//! | Cancel | the need has ended | – | as it ended: granted, expired, cancelled |
//! | Cancel | it waits | NeedCancelled (cell), perhaps WaitEnded (a budget) | cancelled |
//! | Offer | the source has less available | – | insufficient_capacity |
//! | Offer | nobody at the destination waits | – | no_pending_need |
//! | Offer | otherwise | OfferMade (source), OfferReceived (destination) | offered |
//! | Offer | … and the head is covered | Granted (destination), Lent (sources), Charged (budgets) | offered, used |
//! | Ack, Renew, Release, Transfer | the token is not the asking cell's | UseRefused (source) | `NotOwner` |
//! | Ack, Renew, Release, Transfer | it has ended | – | `TokenExpired`, `TokenReleased`, `TokenRevoked` |
//! | Ack | for the first time | Acked (source, holder), Extended (budgets) | acknowledged |
//! | Ack | again | – | acknowledged, duplicate |
//! | Renew | the lease is renewable | Renewed (source, holder), Extended (budgets) | renewed |
//! | Release, Revoke | | Returned (source, holder), Refunded (budgets) | released, revoked |
//! | Transfer | | HandedOver (source, giver), Received (taker) | transferred |
//! | Reserve | done before under this name | – | as it stands now: granted, settled, expired |
//! | Reserve | neither the cell nor a budget over it knows one of the units | – | `UnknownUnit` |
//! | Reserve | no rate of its budgets counts what is asked | – | `Uncounted` |
//! | Reserve | a rate has not enough ready | – | exhausted, never |
//! | Reserve | otherwise | Reserved (all budgets) | granted |
//! | Settle | the reservation is not the asking cell's | – | `NotOwner` |
//! | Settle | settled before, with the same amounts | – | settled, duplicate |
//! | Settle | it has ended otherwise | – | `TokenExpired`, `TokenReleased` |
//! | Settle | otherwise | Settled (all budgets) | settled |
//! | SetRates | | RatesSet (budget) | configured |
//! | Tick | deadlines are over | NeedExpired, OfferClosed, Returned; Refunded, WaitEnded, ReservationExpired | – |
//! | any, Tick | the head of a queue fits now and has no budgets | Granted (cell) | – |
//! | any, Tick | overloaded, and at most `low_water` needs wait | OverloadCleared (cell) | – |
//! | Serve (owed) | the head fits, or offers cover it | Granted and what belongs to it, or NeedBlocked | – |
//! | ReturnOffers (owed) | nobody waits for the resource | OfferClosed (source, destination) | – |
//!
//! Choices, each with its reason:
//!
//! - *First come, first served, for each resource.* A head that cannot be served blocks those behind it: a small need
//!   that overtakes would let a large one starve.
//! - *A need is covered whole by its own cell, or whole by offers.* One that waits costs nobody anything meanwhile.
//! - *Waiting and using have clocks of their own.* The deadline of a need ends with its grant; the lease begins there.
//! - *Time that passed unnoticed serves nobody.* After a pause everything that is over ends first, in the order of the
//!   deadlines; then those who still wait are served, with a full lease from now.
//! - *Overload has two marks.* It begins when the queue is full and ends at `low_water`, so that a cell does not flap.
//! - *A need that is cancelled gives up its place only.* One that was granted in that instant is answered as granted:
//!   what is out is released by whoever holds it, and by nobody in its name.
//! - *What is full or short is an answer.* Only what is wrong is a rejection, and none of them leaves a trace except a
//!   stranger's hand on a token.
//! - *Names are the caller's.* A request names the token its own cell would make, an offer the token it would become;
//!   the core mints nothing.
//!
//! # Source
//! Reservations, tokens and their return: the backpressure of the Daena project. Leases: Gray and Cheriton, *Leases*,
//! SOSP 1989. Several resources at once and limits above them: the multi-dimensional quotas of B. Hindman et al.,
//! *Mesos*, NSDI 2011. Two marks: watermarks of flow control, as in RFC 9293 and the *Reactive Streams* specification.

pub mod amount;
pub mod budget;
pub mod command;
mod decide;
pub mod event;
pub mod exchange;
pub mod kept;
pub mod rate;
pub mod rejection;
pub mod reservation;
pub mod settings;
pub mod shared;
pub mod state;
pub mod stats;
pub mod view;
pub mod world;

pub use amount::Amount;
pub use budget::{Budget, BudgetMachine};
pub use command::{Command, Effect, MakeOffer, OfferFate, Op, Release, Reply, Request, Reserve};
pub use event::Event;
pub use rate::{Bucket, Rate, Units};
pub use rejection::Rejection;
pub use settings::{Lease, Settings};
pub use state::Cell;
pub use stats::CellStats;
pub use world::World;

use crate::kernel::ids::StreamKind;
use crate::kernel::time::Timestamp;
use crate::kernel::{Decision, Machine};

/// Most open offers to one cell.
pub const MAX_OPEN_OFFERS: usize = 1024;

/// The machine of a cell.
#[derive(Debug)]
pub struct CellMachine;

impl Machine for CellMachine {
    const KIND: StreamKind = StreamKind::Cell;
    const STATE_VERSION: u16 = 4;
    type State = Cell;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Rejection = Rejection;
    type Effect = Effect;
    type Context = ();

    fn decide(state: &Cell, command: Command, now: Timestamp, _: &()) -> Result<Decision<Self>, Rejection> {
        decide::decide(state, command, now)
    }

    fn evolve(state: &mut Cell, event: &Event) {
        state.evolve(event);
    }

    fn due(state: &Cell) -> Option<Timestamp> {
        decide::due(state)
    }

    fn owed(state: &Cell) -> Vec<Effect> {
        decide::owed(state)
    }

    fn tick() -> Command {
        Command::Tick
    }
}

#[cfg(test)]
#[path = "cell_test.rs"]
mod tests;
