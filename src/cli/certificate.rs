//! `quorate verify-certificate`: does the certificate of a decision hold? Needs no store.

use std::fs::File;
use std::io::{self, Read};

use clap::ArgMatches;

use super::output::{Output, Stop};
use quorate_runtime::api::certificate::check_certificate;
use quorate_runtime::error::Error;

/// Largest certificate that is read, in bytes.
const MOST_BYTES: u64 = 16 << 20;

/// Checks a file and says what it proves.
pub(super) fn run(matches: &ArgMatches, output: &Output) -> Result<u8, Stop> {
    let name = matches.get_one::<String>("file").ok_or_else(|| Error::missing("file"))?;
    let checked = check_certificate(&read(name)?)?;
    output.reply(&checked)?;
    Ok(0)
}

fn read(name: &str) -> Result<String, Error> {
    let unreadable =
        |e: io::Error| Error::invalid("file", name, "a file that can be read").with("cause", e.to_string());
    let mut text = String::new();
    let mut read = |from: &mut dyn Read| from.take(MOST_BYTES + 1).read_to_string(&mut text);
    if name == "-" {
        read(&mut io::stdin().lock()).map_err(unreadable)?;
    } else {
        read(&mut File::open(name).map_err(unreadable)?).map_err(unreadable)?;
    }
    if text.len() as u64 > MOST_BYTES {
        return Err(Error::invalid("file", name, &format!("up to {MOST_BYTES} bytes")));
    }
    Ok(text)
}
