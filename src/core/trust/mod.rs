//! Who is calling, what that allows, who is told, what is stopped, and what is kept.
//!
//! | module | holds |
//! |---|---|
//! | [`hook`] | what is on record, posted to a URL |
//! | [`identity`] | an identity: its credentials, its scopes, the parties it may act as |
//! | [`retention`] | what nobody may remove from the journal, and what was removed |
//! | [`stop`] | what may not be done until those who were named let it go on |
//! | [`subject`] | whose data is sealed, and whose key was destroyed |

pub mod hook;
pub mod identity;
pub mod retention;
pub mod stop;
pub mod subject;
