//! `quorate history export` and `quorate history verify-export`: what happened, as a file that proves itself.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command};
use indicatif::ProgressBar;
use serde_json::{Map, Value, json};

use super::args;
use super::backup::ask;
use super::ops::{self, Place};
use super::output::{Output, Stop};
use quorate_runtime::api::dto::{
    EventPage, EventView, ExportLine, ExportManifest, LogCheckpoint, ProvenRecords, PrunedSpan, RetentionView,
};
use quorate_runtime::api::export::{EXPORT, ExportCheck};
use quorate_runtime::api::ops::{OPERATIONS, Operation, find};
use quorate_runtime::error::{Error, ErrorKind};
use quorate_runtime::journal::chain::RunningDigest;
use quorate_runtime::shell::clock::Stopwatch;

/// The operation whose filters an export has.
const FILTERS: &str = "history.query";
/// Filters that an export has in another form.
const OWN: [&str; 2] = ["limit", "cursor"];
/// Events asked for at a time.
const PAGE: u64 = 500;
/// The columns of an export as CSV.
const COLUMNS: [&str; 12] = [
    "position",
    "kind",
    "entity_id",
    "seq",
    "at",
    "event",
    "refused",
    "identity",
    "hash",
    "previous_hash",
    "bytes",
    "proof",
];
/// The last line of a file is looked for in so many of its last bytes.
const MANIFEST_BYTES: u64 = 1 << 20;

/// What `quorate history export --help` says.
const ABOUT: &str = "\
Write what happened into a file that can be checked without the store: a line for each event, as `history query` shows it, \
with its record, the hash before it, and what leads from it to the log; at the end a manifest with the checkpoint under which all \
of it is proven. The filters are those of `history query`; --from and --upto name positions.

What is written ends where the newest checkpoint does. An export of everything is `whole`: `verify-export` then shows that no record \
is missing, and no line needs a proof of its own. Of a part it shows that every line is in the log as it stands here, not that \
nothing was left out.

As CSV the manifest is FILE.manifest.json, and what happened stands in the last column, `data`. Parquet is not written: \
DuckDB, Polars and pandas read both forms, and write it.";

/// The two commands below the noun `history`.
pub(super) fn commands() -> [Command; 2] {
    let filters = OPERATIONS.iter().find(|op| op.name == FILTERS);
    let fields = filters.into_iter().flat_map(Operation::fields);
    let number = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("POSITION").value_parser(clap::value_parser!(u64)).help(help)
    };
    let export = Command::new("export")
        .about("Write what happened into a file that can be checked without the store")
        .long_about(ABOUT)
        .args(fields.filter(|field| !OWN.contains(&field.name.as_str())).map(|field| args::field_arg(&field)))
        .arg(args::path("to", "FILE", "A new file; - writes lines of JSON to stdout").required(true))
        .arg(
            Arg::new("format")
                .long("format")
                .value_name("jsonl|csv")
                .value_parser(PossibleValuesParser::new(["jsonl", "csv"]))
                .default_value("jsonl")
                .help("Lines of JSON, or a table"),
        )
        .arg(number("from", "The first position; 1 when left out"))
        .arg(number("upto", "The last position; the newest that is signed when left out"));
    let verify =
        Command::new("verify-export")
            .alias("verify_export")
            .about("Check an export without a store, and name the first record that does not hold")
            .arg(
                Arg::new("file")
                    .value_name("FILE")
                    .value_parser(clap::value_parser!(PathBuf))
                    .required(true)
                    .help("The export, in either form"),
            )
            .arg(
                Arg::new("public-key").long("public-key").value_name("KEY").required(true).help(
                    "The public key of the log, as `history checkpoint` showed it to somebody you trust",
                ),
            );
    [args::with_place(export), verify]
}

/// What was asked for, and how much of it there is.
struct Range {
    filter: Map<String, Value>,
    from: u64,
    upto: u64,
    whole: bool,
    log: LogCheckpoint,
    /// What was pruned of it.
    pruned: Vec<PrunedSpan>,
}

impl Range {
    fn of(matches: &ArgMatches, filter: Map<String, Value>, log: LogCheckpoint) -> Result<Self, Error> {
        let from = matches.get_one::<u64>("from").copied().unwrap_or(1);
        let given = matches.get_one::<u64>("upto").copied();
        if from == 0 || from > log.size.max(1) {
            return Err(Error::invalid("from", from, &format!("1 to {}, which is signed", log.size.max(1))));
        }
        if let Some(upto) = given.filter(|upto| *upto < from) {
            return Err(Error::invalid("upto", upto, &format!("a position from {from} on")));
        }
        let upto = given.unwrap_or(log.size).min(log.size);
        let whole = filter.is_empty() && from == 1 && upto == log.size;
        Ok(Range { filter, from, upto, whole, log, pruned: Vec::new() })
    }

    fn manifest(&self, count: u64, tip_hash: Option<String>, lines_hash: String) -> ExportManifest {
        ExportManifest {
            format: EXPORT.into(),
            from: self.from,
            upto: self.upto,
            filter: self.filter.clone(),
            count,
            whole: self.whole,
            public_key: self.log.public_key.clone(),
            checkpoint: self.log.checkpoint.clone(),
            tip_hash,
            lines_hash,
            pruned: self.pruned.clone(),
        }
    }

    /// Takes in what a page says was pruned. Each page tells of its own places.
    fn was_pruned(&mut self, spans: Vec<PrunedSpan>) {
        for span in spans.into_iter().filter(|span| span.from_position <= self.upto) {
            match self.pruned.iter_mut().find(|known| known.pruning == span.pruning) {
                Some(known) => {
                    known.records += span.records;
                    known.upto_position = span.upto_position;
                }
                None => self.pruned.push(span),
            }
        }
    }
}

/// Writes an export.
pub(super) async fn export(matches: &ArgMatches, output: &Output) -> Result<u8, Stop> {
    let to = matches.get_one::<PathBuf>("to").cloned().ok_or_else(|| Error::missing("to"))?;
    let is_csv = matches.get_one::<String>("format").is_some_and(|format| format == "csv");
    let op = find(FILTERS)?;
    let filter = ops::fields(op, &OWN, matches)?;
    let place = Place::asked(op, &filter, matches, Stopwatch::start()).await?;
    let mut range = Range::of(matches, filter, ask(&place, "history.checkpoint", Map::new()).await?)?;
    if range.whole {
        // What was pruned cannot be written, so the lines do not make the tree.
        let retention: RetentionView = ask(&place, "retention.list", Map::new()).await?;
        range.whole = retention.prunings.is_empty();
    }
    let mut file = Written::begin(&to, is_csv)?;
    let bar = if std::io::stderr().is_terminal() {
        ProgressBar::new(range.upto - range.from.min(range.upto))
    } else {
        ProgressBar::hidden()
    };
    let (mut after, mut more) = (range.from - 1, true);
    while more && after < range.upto {
        let mut fields = range.filter.clone();
        fields.insert("limit".into(), PAGE.into());
        // As it is stored: what is proven is what the record holds, and an export outlives the key.
        fields.insert("sealed".into(), true.into());
        let last = fields.get("upto_position").and_then(Value::as_u64).unwrap_or(u64::MAX);
        fields.insert("upto_position".into(), last.min(range.upto).into());
        fields.insert("cursor".into(), after.to_string().into());
        let mut page: EventPage = ask(&place, FILTERS, fields).await?;
        more = page.more;
        range.was_pruned(page.pruned);
        // A cursor is a position, and perhaps what stands there.
        let end =
            page.next_cursor.as_deref().and_then(|cursor| cursor.split('-').next()?.parse::<u64>().ok());
        page.events.retain(|event| event.position <= range.upto);
        // A page without an event still says how far it looked.
        after = end.or(page.events.last().map(|event| event.position)).unwrap_or(range.upto).max(after);
        if page.events.is_empty() {
            continue;
        }
        let positions: Vec<u64> = page.events.iter().map(|event| event.position).collect();
        let fields = json!({ "positions": positions, "log_size": range.log.size, "paths": !range.whole });
        let fields = fields.as_object().cloned().unwrap_or_default();
        let proven: ProvenRecords = ask(&place, "history.prove_records", fields).await?;
        for (event, record) in page.events.into_iter().zip(proven.records) {
            let (previous_hash, bytes, proof) = (record.previous_hash, record.bytes, record.proof);
            file.add(&ExportLine { event, previous_hash, bytes, proof })?;
        }
        bar.set_position(after - range.from + 1);
    }
    bar.finish_and_clear();
    place.close().await?;
    let manifest = file.finish(&range)?;
    if to != Path::new("-") {
        let reply = serde_json::to_value(&manifest).map_err(|e| unwritten(&to, &e.to_string()))?;
        output.reply(&reply)?;
    }
    Ok(0)
}

fn unwritten(path: &Path, cause: &str) -> Error {
    Error::new(
        ErrorKind::StoreError,
        format!("the export cannot be written. path={}, cause={cause}", path.display()),
    )
}

/// An export in the making.
struct Written {
    place: PathBuf,
    /// Where it stands until it is whole; none on stdout.
    partial: Option<PathBuf>,
    to: Box<dyn Write>,
    is_csv: bool,
    digest: RunningDigest,
    count: u64,
    tip_hash: Option<String>,
}

impl Written {
    fn begin(place: &Path, is_csv: bool) -> Result<Self, Error> {
        let is_stdout = place == Path::new("-");
        if is_stdout && is_csv {
            return Err(Error::invalid("to", "-", "a file: the manifest of a table stands beside it"));
        }
        let mut written = Written {
            place: place.to_owned(),
            partial: None,
            to: Box::new(io::stdout()),
            is_csv,
            digest: RunningDigest::default(),
            count: 0,
            tip_hash: None,
        };
        if !is_stdout {
            if place.exists() {
                let expected = "the name of a new file: an export replaces nothing";
                return Err(Error::invalid("to", place.display().to_string(), expected));
            }
            let mut name = place.as_os_str().to_owned();
            name.push(".partial");
            let partial = PathBuf::from(name);
            let file = File::create(&partial).map_err(|e| unwritten(&partial, &e.to_string()))?;
            written.to = Box::new(BufWriter::new(file));
            written.partial = Some(partial);
        }
        if is_csv {
            let header: Vec<&str> = COLUMNS.iter().copied().chain(["data"]).collect();
            written.row(header.iter().map(|column| (*column).to_owned()).collect())?;
        }
        Ok(written)
    }

    fn row(&mut self, cells: Vec<String>) -> Result<(), Error> {
        let mut line = csv::Writer::from_writer(Vec::new());
        line.write_record(&cells).map_err(|e| unwritten(&self.place, &e.to_string()))?;
        let bytes = line.into_inner().map_err(|e| unwritten(&self.place, &e.to_string()))?;
        self.put(&bytes)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.digest.update(bytes);
        self.to.write_all(bytes).map_err(|e| unwritten(&self.place, &e.to_string()))
    }

    fn add(&mut self, line: &ExportLine) -> Result<(), Error> {
        self.count += 1;
        self.tip_hash = Some(line.event.hash.clone());
        if self.is_csv {
            return self.row(cells(line));
        }
        let text = serde_json::to_string(line).map_err(|e| unwritten(&self.place, &e.to_string()))?;
        self.put(format!("{text}\n").as_bytes())
    }

    fn finish(mut self, range: &Range) -> Result<ExportManifest, Error> {
        let manifest = range.manifest(self.count, self.tip_hash.clone(), self.digest.finish().to_string());
        let failed = |e: &dyn std::fmt::Display| unwritten(&self.place, &e.to_string());
        let text = json!({ "manifest": manifest }).to_string() + "\n";
        if self.is_csv {
            std::fs::write(beside(&self.place), &text).map_err(|e| failed(&e))?;
        } else {
            self.to.write_all(text.as_bytes()).map_err(|e| failed(&e))?;
        }
        self.to.flush().map_err(|e| failed(&e))?;
        if let Some(partial) = &self.partial {
            let synced = File::open(partial).and_then(|file| file.sync_all());
            synced.and_then(|()| std::fs::rename(partial, &self.place)).map_err(|e| failed(&e))?;
        }
        Ok(manifest)
    }
}

/// Where the manifest of a table stands.
fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".manifest.json");
    PathBuf::from(name)
}

fn cells(line: &ExportLine) -> Vec<String> {
    let event = &line.event;
    vec![
        event.position.to_string(),
        event.kind.clone(),
        event.entity_id.to_string(),
        event.seq.to_string(),
        event.at.to_string(),
        event.event.clone(),
        event.refused.to_string(),
        event.identity.clone().unwrap_or_default(),
        event.hash.clone(),
        line.previous_hash.clone(),
        line.bytes.clone().unwrap_or_default(),
        line.proof.as_ref().map(|hashes| hashes.join(" ")).unwrap_or_default(),
        event.data.to_string(),
    ]
}

/// The line that a row of a table stands for.
fn line_of(row: &csv::StringRecord, whole: bool) -> Option<ExportLine> {
    let cell = |at: usize| row.get(at).unwrap_or_default().to_owned();
    let some = |text: String| (!text.is_empty()).then_some(text);
    let at: quorate_runtime::core::kernel::time::Timestamp = serde_json::from_value(cell(4).into()).ok()?;
    Some(ExportLine {
        event: EventView {
            position: cell(0).parse().ok()?,
            kind: cell(1),
            entity_id: serde_json::from_value(cell(2).into()).ok()?,
            seq: cell(3).parse().ok()?,
            at,
            at_ms: at.as_millis(),
            event: cell(5),
            data: serde_json::from_str(&cell(12)).ok()?,
            refused: cell(6).parse().ok()?,
            identity: some(cell(7)),
            hash: cell(8),
        },
        previous_hash: cell(9),
        bytes: some(cell(10)),
        // A log of one record has the empty path.
        proof: (!whole).then(|| cell(11).split_whitespace().map(str::to_owned).collect()),
    })
}

fn unread(path: &Path, cause: &str) -> Error {
    let what = format!("the export cannot be read. path={}, cause={cause}", path.display());
    Error::new(ErrorKind::InvalidArgument, what).with("field", "file")
}

/// Checks an export.
pub(super) fn verify(matches: &ArgMatches, output: &Output) -> Result<u8, Stop> {
    let file = matches.get_one::<PathBuf>("file").cloned().ok_or_else(|| Error::missing("file"))?;
    let key = matches.get_one::<String>("public-key").map_or("", String::as_str);
    let mut opened = File::open(&file).map_err(|e| unread(&file, &e.to_string()))?;
    let mut first = [0];
    let length = opened.read(&mut first).map_err(|e| unread(&file, &e.to_string()))?;
    let is_csv = length == 1 && first[0] != b'{';
    let manifest = if is_csv {
        let path = beside(&file);
        std::fs::read_to_string(&path).map_err(|e| unread(&path, &e.to_string()))?
    } else {
        last_line(&mut opened).map_err(|e| unread(&file, &e.to_string()))?
    };
    let malformed = |why: String| {
        Error::new(
            ErrorKind::MalformedRequest,
            format!("this is no export, or its manifest is missing. {why}"),
        )
    };
    let value: Value = serde_json::from_str(&manifest).map_err(|e| malformed(e.to_string()))?;
    let read: ExportManifest =
        serde_json::from_value(value["manifest"].clone()).map_err(|e| malformed(e.to_string()))?;
    let whole = read.whole;
    let mut check = ExportCheck::begin(read, key)?;
    opened.seek(SeekFrom::Start(0)).map_err(|e| unread(&file, &e.to_string()))?;
    let lines = BufReader::new(opened);
    if is_csv {
        table(&mut check, lines, &file, whole)?
    } else {
        json_lines(&mut check, lines, &file, &manifest)?
    }
    let checked = check.finish()?;
    let mut reply = serde_json::to_value(&checked).map_err(|e| unread(&file, &e.to_string()))?;
    reply["holds"] = true.into();
    output.reply(&reply)?;
    Ok(0)
}

/// The last line of a file, with its end.
fn last_line(file: &mut File) -> io::Result<String> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(MANIFEST_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(MANIFEST_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let body = text.strip_suffix('\n').unwrap_or(&text);
    Ok(body.rsplit('\n').next().unwrap_or_default().to_owned())
}

fn json_lines(
    check: &mut ExportCheck,
    mut lines: impl BufRead,
    file: &Path,
    manifest: &str,
) -> Result<(), Error> {
    let mut number = 0u64;
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).map_err(|e| unread(file, &e.to_string()))? == 0 {
            return Ok(());
        }
        number += 1;
        if line.trim_end_matches('\n') == manifest {
            continue;
        }
        check.digest(line.as_bytes());
        let bad = |why: &str| {
            Error::new(
                ErrorKind::ProofInvalid,
                format!("the export does not hold: a line is none of an export, {why}. line={number}"),
            )
            .with("line", number)
        };
        let value: Value = serde_json::from_str(&line).map_err(|e| bad(&e.to_string()))?;
        let read: ExportLine = serde_json::from_value(value.clone()).map_err(|e| bad(&e.to_string()))?;
        // What is not read is not checked, so nothing else may stand in it.
        if serde_json::to_value(&read).ok() != Some(value) {
            return Err(bad("it holds something else"));
        }
        check.add(&read)?;
    }
}

fn table(check: &mut ExportCheck, lines: impl BufRead, file: &Path, whole: bool) -> Result<(), Error> {
    let mut bytes = Vec::new();
    let mut lines = lines;
    let mut number = 0u64;
    let bad = |number: u64, why: &str| {
        let line = number.saturating_sub(1);
        Error::new(ErrorKind::ProofInvalid, format!("the export does not hold: {why}. line={line}"))
            .with("line", line)
    };
    // Rows are read one by one, so that their bytes are known; a cell may hold an end of a line.
    loop {
        bytes.clear();
        loop {
            let read = lines.read_until(b'\n', &mut bytes).map_err(|e| unread(file, &e.to_string()))?;
            let quotes = bytes.iter().filter(|byte| **byte == b'"').count();
            if read == 0 || quotes % 2 == 0 {
                break;
            }
        }
        if bytes.is_empty() {
            return Ok(());
        }
        number += 1;
        check.digest(&bytes);
        let mut rows = csv::ReaderBuilder::new().has_headers(false).from_reader(&bytes[..]);
        let row =
            rows.records().next().and_then(Result::ok).ok_or_else(|| bad(number, "a row cannot be read"))?;
        if number == 1 {
            let expected: Vec<&str> = COLUMNS.iter().copied().chain(["data"]).collect();
            if row.iter().ne(expected.iter().copied()) {
                return Err(bad(1, "its columns are not those of an export"));
            }
            continue;
        }
        let line = line_of(&row, whole).ok_or_else(|| bad(number, "a row is none of an export"))?;
        if cells(&line).iter().map(String::as_str).ne(row.iter()) {
            return Err(bad(number, "a row holds something else"));
        }
        check.add(&line)?;
    }
}
