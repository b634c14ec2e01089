//! Who is calling, and what that allows.
//!
//! | module | holds |
//! |---|---|
//! | [`identity`] | an identity: its credentials, its scopes, the parties it may act as |

pub mod identity;
