//! The file `FORMAT`: which layout a data folder has.
//!
//! ```text
//! DIR/FORMAT   "quorate store 2" · "check " and the first 16 bytes of blake3 of the line before, in hexadecimal
//! ```
//!
//! A newer layout is believed only under a check that fits, so that damage is never taken for it. Folders from before
//! there was a check have the first line alone. When the file does not read as either, the rest of the folder says
//! whether it is ours, and which layout it has.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::log::{SECTOR, scan, segment};
use super::{acknowledged, mark, moved};
use crate::Fault;
use crate::chain::digest;

/// The layout of the folder this program writes and reads.
pub(in crate::stores) const NEWEST: u32 = 2;
/// The layout of a folder whose journal was pruned: the same, with groups that earlier programs do not read.
pub(in crate::stores) const PRUNED: u32 = 3;
/// The layout of a folder whose journal is kept by fjall, pruned or not. It has `fjall` in place of `log` and `sled`.
pub(in crate::stores) const FJALL: u32 = 4;
/// The oldest layout that is converted when it is opened.
const OLDEST: u32 = 1;
/// Bytes of the file that are read; it has fewer.
const LONGEST: usize = 4096;
const PREFIX: &str = "quorate store ";
/// A folder with FORMAT.new and only these was left by a crash while it was made, and counts as empty.
const UNFINISHED: [&str; 11] = [
    "LOCK",
    "FORMAT.new",
    "ring",
    "sled",
    "log",
    "fjall",
    "mark",
    "mark.new",
    acknowledged::NAME,
    moved::NAME,
    moved::NEW,
];
/// What may stand in a folder before anything of a store does: who has it, and where its journal is to come from.
const BEFORE: [&str; 3] = ["LOCK", moved::NAME, moved::NEW];

/// What stands in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::stores) enum Format {
    /// No folder, an empty one, or one whose making was cut off.
    Nothing,
    /// A store.
    Layout {
        /// Its layout.
        number: u32,
        /// `FORMAT` has its check.
        checked: bool,
    },
    /// A store that does not say which layout it has.
    Damaged {
        /// What is wrong, as a sentence.
        what: String,
        /// The layout that the rest of the folder has.
        looks_like: u32,
    },
}

/// The text of the file for a layout.
pub(in crate::stores) fn text(number: u32) -> String {
    let line = format!("{PREFIX}{number}\n");
    let check: String = digest(line.as_bytes()).0[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{line}check {check}\n")
}

/// Looks at a folder and changes nothing.
///
/// # Errors
/// [`Fault::Foreign`] for anything that is no store, [`Fault::NewerVersion`] for a store of a later program,
/// [`Fault::Unavailable`] when the disk does not answer.
pub(in crate::stores) fn look(path: &Path) -> Result<Format, Fault> {
    let foreign = || Err(Fault::Foreign { path: path.display().to_string() });
    match fs::metadata(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Format::Nothing),
        Err(e) => return Err(unavailable("folder cannot be looked at", path, &e)),
        Ok(meta) if !meta.is_dir() => return foreign(),
        Ok(_) => {}
    }
    let file = path.join("FORMAT");
    let bytes = match segment::read_upto(&file, LONGEST) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == ErrorKind::NotFound => {
            let list =
                || fs::read_dir(path)?.map(|item| Ok(item?.file_name())).collect::<io::Result<Vec<_>>>();
            let names = list().map_err(|e| unavailable("folder cannot be listed", path, &e))?;
            let ours = names.iter().all(|name| UNFINISHED.iter().any(|ours| name == *ours));
            // Left by a crash before anything was written, or while it was.
            let begun = names.iter().all(|name| BEFORE.iter().any(|before| name == *before))
                || names.iter().any(|name| name == "FORMAT.new");
            let signs = Signs::of(path);
            return if ours && begun && !holds_records(path)? {
                Ok(Format::Nothing)
            } else if signs.any() {
                let what = "the file FORMAT is missing".to_owned();
                Ok(Format::Damaged { what, looks_like: signs.layout() })
            } else {
                foreign()
            };
        }
        Err(e) => return Err(unavailable("file cannot be read", &file, &e)),
    };
    let said = String::from_utf8_lossy(&bytes);
    let number = said.lines().next().and_then(|line| line.strip_prefix(PREFIX)?.parse::<u32>().ok());
    let signs = Signs::of(path);
    match number {
        Some(number) if text(number).as_bytes() == bytes => match number {
            OLDEST..=FJALL => return Ok(Format::Layout { number, checked: true }),
            _ if number > FJALL => return Err(Fault::NewerVersion { found: number, supported: FJALL }),
            _ => {}
        },
        // From before there was a check: the rest of the folder must not contradict.
        Some(number @ OLDEST..=NEWEST)
            if format!("{PREFIX}{number}\n").as_bytes() == bytes && signs.permit(number) =>
        {
            return Ok(Format::Layout { number, checked: false });
        }
        None if !signs.any() && !said.starts_with(PREFIX) => return foreign(),
        _ => {}
    }
    let said: String = said.chars().take(80).collect();
    Ok(Format::Damaged {
        what: format!("the file FORMAT does not say which format the folder has. text={said:?}"),
        looks_like: signs.layout(),
    })
}

/// Whether a folder without `FORMAT` holds what nothing writes before there is one.
fn holds_records(path: &Path) -> Result<bool, Fault> {
    let log = path.join("log");
    let numbers = if log.exists() { segment::numbers(&log)? } else { Vec::new() };
    for number in numbers {
        if !scan::is_empty(&log, number)? {
            return Ok(true);
        }
    }
    Ok(mark::read(path).is_ok_and(|(_, mark)| mark.archived.group > 0))
}

/// What of a store stands in a folder.
struct Signs {
    ring: bool,
    sled: bool,
    fjall: bool,
    /// Mark or log, which the first layout does not have.
    second: bool,
}

impl Signs {
    fn of(path: &Path) -> Self {
        let marked = segment::read_upto(&path.join("mark"), 2 * SECTOR)
            .is_ok_and(|bytes| bytes.chunks(SECTOR).any(|slot| slot.starts_with(mark::MAGIC)));
        let logged = segment::numbers(&path.join("log")).is_ok_and(|numbers| !numbers.is_empty());
        let database = |name: &str| path.join(name).join("db").is_file();
        // The engine makes it first of all.
        let fjall = path.join("fjall").join("keyspaces").is_dir();
        Signs { ring: database("ring"), sled: database("sled"), fjall, second: marked || logged }
    }

    fn any(&self) -> bool {
        self.ring || self.sled || self.fjall || self.second
    }

    /// In the middle of a conversion a folder may have either layout.
    fn permit(&self, number: u32) -> bool {
        if self.fjall {
            return false;
        }
        if number == 1 { self.ring || !self.second } else { self.second || !self.ring }
    }

    /// The ring is removed before anything is written by the second layout.
    fn layout(&self) -> u32 {
        match (self.fjall, self.ring) {
            (true, _) => FJALL,
            (false, true) => 1,
            (false, false) => NEWEST,
        }
    }
}

fn unavailable(what: &str, path: &Path, error: &io::Error) -> Fault {
    Fault::Unavailable { reason: format!("{what}. path={}, error={error}", path.display()) }
}
