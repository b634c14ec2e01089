//! `quorate replay`.
use clap::ArgMatches;

use super::output::{Output, Stop};
pub(super) async fn run(_: &ArgMatches, _: &Output) -> Result<u8, Stop> {
    Ok(0)
}
