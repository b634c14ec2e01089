//! `quorate <noun> <verb>`: one operation, against a data folder or a running server; and the lists.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ArgMatches;
use indicatif::ProgressBar;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use super::output::{Output, Stop, narrow_table, table};
use super::remote::{self, Server};
use super::{args, fit, human, open, wait};
#[cfg(unix)]
use quorate_http::Listeners;
use quorate_runtime::api::Quorate;
use quorate_runtime::api::ops::{self, Method, OPERATIONS, Operation};
use quorate_runtime::api::outcome::{not_done, outcome_of};
use quorate_runtime::api::shards::group::SHARD;
use quorate_runtime::core::kernel::time::Timestamp;
use quorate_runtime::core::voting::rules::{Parameter, RULES};
use quorate_runtime::error::{Error, ErrorKind};
use quorate_runtime::shell::clock::Stopwatch;

/// Where an operation is carried out.
#[derive(Debug)]
pub(super) enum Place {
    /// On a data folder that this process opened.
    Folder {
        /// The folder.
        q: Quorate,
        /// What answers others that name the folder meanwhile.
        served: Option<quorate_http::Server>,
    },
    /// On a running server.
    Server(Server),
}

impl Place {
    pub(super) async fn asked(
        op: &'static Operation,
        fields: &Map<String, Value>,
        matches: &ArgMatches,
        since: Stopwatch,
    ) -> Result<Self, Error> {
        let data = match (matches.get_one::<String>("url"), matches.get_one::<PathBuf>("data")) {
            (Some(url), _) => return Ok(Place::Server(Server::at(url, matches)?)),
            (None, Some(data)) => data.clone(),
            (None, None) => match named_outside()? {
                Some(Named::Url(url)) => return Ok(Place::Server(Server::at(&url, matches)?)),
                Some(Named::Data(data)) => data,
                None => {
                    let expected =
                        "--data DIR or --url URL, or QUORATE_DATA or QUORATE_URL in the environment";
                    return Err(Error::invalid("data", Value::Null, expected));
                }
            },
        };
        let step = async || match owner_of(&data) {
            Some(owner) => Ok(Place::Server(owner)),
            None => Place::open(op, fields, matches, &data).await,
        };
        open::when_free(since, open::COMMAND, step).await
    }

    /// Opens the folder.
    async fn open(
        op: &'static Operation,
        fields: &Map<String, Value>,
        matches: &ArgMatches,
        data: &Path,
    ) -> Result<Self, Error> {
        let mut config = open::folder(data, op.founds, matches)?;
        if op.asks {
            let q = Quorate::open_to_read(config.clone()).await?;
            if op.only_reads(fields) || has_ended(op, &q, fields).await {
                open::tell(&q.recovery_report().store);
                return Ok(Place::Folder { q, served: None });
            }
            q.close().await?;
        }
        // A command leads nothing: tokens it was given, and those it gives out, outlive it.
        config.jobs.take_over = false;
        let q = Quorate::open(config).await?;
        open::tell(&q.recovery_report().store);
        // Whom this waits for must be able to come in.
        let served = if (op.waits)(fields) { serve_folder(&q, data) } else { None };
        Ok(Place::Folder { q, served })
    }

    /// Can nobody else do anything in the folder while this command waits?
    pub(super) fn shuts_others_out(&self) -> bool {
        matches!(self, Place::Folder { served: None, .. })
    }

    /// Carries out an operation.
    ///
    /// # Errors
    /// Those of the operation, and of the way to the server.
    pub(super) async fn call(
        &self,
        op: &'static Operation,
        fields: Map<String, Value>,
    ) -> Result<Value, Error> {
        match self {
            Place::Folder { q, .. } => op.call(q.clone(), fields).await,
            Place::Server(server) => {
                let server = server.clone();
                aside(move || remote::call(&server, op, fields)).await
            }
        }
    }

    /// Has the owner of the folder gone away without hearing the request? Then somebody else may be, or become, its owner.
    fn has_lost_its_owner(&self, error: &Stop) -> bool {
        match (self, error) {
            #[cfg(unix)]
            (Place::Server(Server::Owner(..)), Stop::Failed(error)) => {
                error.detail(remote::UNHEARD).is_some()
            }
            _ => false,
        }
    }

    /// Is something missing in a folder that is only read? Says on stderr when an end is shown that has passed.
    fn missing(&self, output: &Output) -> Result<bool, Stop> {
        let Place::Folder { q, .. } = self else { return Ok(false) };
        let report = q.recovery_report();
        if report.overdue > 0 && !output.is_json() {
            let (count, at) = (report.overdue, q.now());
            output.complain(&format!(
                "note: shown as recorded up to {at}; {count} deadlines have passed since, and are settled when the folder is next served\n"
            ))?;
        }
        Ok(!report.store.dropped.is_empty())
    }

    /// Lets go of the folder.
    pub(super) async fn close(self) -> Result<(), Error> {
        match self {
            Place::Folder { q, served } => {
                let stopped = match served {
                    Some(server) => server.stop().await,
                    None => Ok(()),
                };
                q.close().await.and(stopped)
            }
            Place::Server(_) => Ok(()),
        }
    }
}

/// The exit code of an outcome that is still to come.
const STILL_OPEN: u8 = 20;

/// Has what is to be waited for ended, as far as is recorded? Then whoever asks for it need not own the folder, whose owner
/// settles everything else whose time is over.
async fn has_ended(op: &'static Operation, q: &Quorate, fields: &Map<String, Value>) -> bool {
    match op.call(q.clone(), fields.clone()).await {
        Ok(reply) => outcome_of(op, &reply).is_some_and(|outcome| outcome.exit != STILL_OPEN),
        // Told when it is asked for in earnest.
        Err(_) => false,
    }
}

/// What a server is asked, on a thread of its own, which the end of the program does not wait for: so a signal is heard at
/// once.
pub(super) async fn aside<T: Send + 'static>(
    ask: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let (done, answer) = oneshot::channel();
    std::thread::spawn(move || done.send(ask()));
    let lost = |_| Err(Error::new(ErrorKind::StoreError, "the request was cut off"));
    answer.await.unwrap_or_else(lost)
}

/// Where operations are carried out when no flag says it.
#[derive(Debug)]
pub(super) enum Named {
    /// On the server at this URL.
    Url(String),
    /// On this folder.
    Data(PathBuf),
}

/// What the environment names.
///
/// # Errors
/// `invalid_argument` when it names two.
pub(super) fn named_outside() -> Result<Option<Named>, Error> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    match (set("QUORATE_URL"), set("QUORATE_DATA")) {
        (Some(url), None) => Ok(Some(Named::Url(url.to_string_lossy().into_owned()))),
        (None, Some(data)) => Ok(Some(Named::Data(data.into()))),
        (None, None) => Ok(None),
        (Some(url), Some(_)) => {
            let expected = "one of QUORATE_URL and QUORATE_DATA, or a flag that says which";
            Err(Error::invalid("url", url.to_string_lossy(), expected))
        }
    }
}

/// The process that has opened this folder and answers for it, if any.
#[cfg(unix)]
pub(super) fn owner_of(folder: &Path) -> Option<Server> {
    quorate_runtime::owner::connect(folder).ok().map(|_| Server::Owner(folder.to_owned(), None))
}

#[cfg(not(unix))]
pub(super) fn owner_of(_: &Path) -> Option<Server> {
    None
}

/// Answers for the folder while this command waits; not where the folder takes no socket.
pub(super) fn serve_folder(q: &Quorate, folder: &Path) -> Option<quorate_http::Server> {
    #[cfg(unix)]
    {
        let socket = quorate_runtime::owner::OwnerSocket::listen(folder).ok()?;
        let listeners = Listeners { folder: Some(socket), ..Listeners::default() };
        quorate_http::serve_on(q.clone(), listeners, quorate_http::Options::default()).ok()
    }
    #[cfg(not(unix))]
    {
        let _ = (q, folder);
        None
    }
}

/// Columns of a terminal with room for the method and path of operations.
const WITH_PATHS: usize = 140;
/// Columns of a terminal with room for the sources of vote rules.
const WITH_SOURCES: usize = 118;

/// Runs one operation. What was asked for and did not come about gives the exit code of its outcome; a journal that
/// `history verify` finds broken or in a folder that does not open, and a folder in which something is missing, that of
/// a damaged store.
pub(super) async fn run(name: &str, matches: &ArgMatches, output: &Output) -> Result<u8, Stop> {
    let op = ops::find(name)?;
    let fields = fields(op, &[], matches)?;
    let reads = op.only_reads(&fields);
    let began = Stopwatch::start();
    let (missing, reply) = loop {
        let place = Place::asked(op, &fields, matches, began).await?;
        let missing = place.missing(output)?;
        let reply = call(&place, op, fields.clone(), output).await;
        if let Err(error) = &reply
            && place.has_lost_its_owner(error)
            && began.elapsed() < open::COMMAND.most
        {
            tokio::time::sleep(open::COMMAND.every).await;
            continue;
        }
        let closed = place.close().await;
        let reply = reply?;
        closed?;
        break (missing, reply);
    };
    match signed_text(op, &reply).filter(|_| !output.is_json()) {
        Some((key, text)) => output.text(&format!("{text}\npublic key: {key}\n"))?,
        None => output.reply(&reply)?,
    }
    let unsound = op.name == "history.verify" && (reply["ok"] == false || reply["opens"] == false);
    if unsound || reads && missing {
        return Ok(ErrorKind::StoreCorrupt.entry().exit);
    }
    let undone = not_done(op, &reply).map(|error| error.kind().entry().exit);
    Ok(undone.or(outcome_of(op, &reply).map(|told| told.exit)).unwrap_or(0))
}

/// The public key and the text of a checkpoint, to be kept as they are: a table would fold the lines, and the signature would
/// not fit any more. Both are made of letters, digits, `+/=` and spaces.
fn signed_text<'r>(op: &Operation, reply: &'r Value) -> Option<(&'r str, &'r str)> {
    let is_plain =
        |text: &&str| text.chars().all(|c| c == '\n' || c == '\u{2014}' || c.is_ascii_graphic() || c == ' ');
    let text = |name: &str| reply[name].as_str().filter(is_plain);
    (op.name == "history.checkpoint").then_some(())?;
    Some((text("public_key")?, text("checkpoint")?))
}

async fn call(
    place: &Place,
    op: &'static Operation,
    fields: Map<String, Value>,
    output: &Output,
) -> Result<Value, Stop> {
    match (op.name, place) {
        ("consensus.request", _) => wait::request(place, op, fields, output).await,
        ("capacity.request", _) => wait::need(place, op, fields, output).await,
        _ if (op.waits)(&fields) => wait::interruptible(place.call(op, fields)).await,
        ("history.verify", Place::Folder { q, .. }) if std::io::stderr().is_terminal() => {
            Ok(verify(q, fields).await?)
        }
        _ => Ok(place.call(op, fields).await?),
    }
}

async fn verify(q: &Quorate, fields: Map<String, Value>) -> Result<Value, Error> {
    let request = serde_json::from_value(Value::Object(fields))
        .map_err(|e| Error::new(ErrorKind::InvalidArgument, e.to_string()))?;
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(100));
    let told = |groups| bar.set_message(format!("{groups} commit groups checked"));
    let verified = q.history().verify_against(request, told).await;
    bar.finish_and_clear();
    serde_json::to_value(verified?)
        .map_err(|e| Error::new(ErrorKind::StoreError, format!("reply cannot be written as JSON: {e}")))
}

/// The request that the flags spell; these fields have no flag.
pub(super) fn fields(
    op: &Operation,
    without: &[&str],
    matches: &ArgMatches,
) -> Result<Map<String, Value>, Error> {
    let mut request = Map::new();
    for field in op.fields().into_iter().filter(|field| !without.contains(&field.name.as_str())) {
        let is_subject = op.subject() == Some(field.name.as_str());
        let alone = if is_subject { matches.get_many::<String>(args::SUBJECT) } else { None };
        let Some(texts) = alone.or_else(|| matches.get_many::<String>(&args::field_id(&field))) else {
            continue;
        };
        let is_instant = is_instant(op, &field.name);
        let read = |text: &String| {
            if is_instant && human::instant_from(&field.name, text, human::now()).is_none() {
                check_instant(&field.name, text)?;
            }
            let instant = || human::instant_from(&field.name, text, human::now()).filter(|_| is_instant);
            match human::in_units(&field.name, text) {
                Some(number) => Ok(number),
                None => op.field_from_text(&field.name, instant().as_ref().unwrap_or(text)),
            }
        };
        let values: Result<Vec<Value>, Error> = texts.map(read).collect();
        let mut values = values?;
        let value = if values.len() == 1 {
            values.remove(0)
        } else {
            // A list may be given in several parts.
            let parts = values.into_iter().flat_map(|value| match value {
                Value::Array(items) => items,
                single => vec![single],
            });
            parts.collect()
        };
        request.insert(field.name, value);
    }
    if let Ok(Some(shard)) = matches.try_get_one::<u16>(args::SHARD_FLAG) {
        request.insert(SHARD.to_owned(), (*shard).into());
    }
    Ok(request)
}

/// A text that is neither a distance to now nor an instant is refused with all that can be said here.
fn check_instant(field: &str, text: &str) -> Result<(), Error> {
    if Timestamp::parse(text).is_ok() {
        return Ok(());
    }
    let distance = if field == "deadline" { "10m or 2h30m from now" } else { "10m or 2h30m ago" };
    Err(Error::invalid(field, text, &format!("{distance}, YYYY-MM-DD, or RFC 3339 to the microsecond")))
}

/// Does the field take an instant?
fn is_instant(op: &Operation, field: &str) -> bool {
    let schema = (op.request)().to_value();
    let property = &schema["properties"][field];
    let variants = property["anyOf"].as_array().into_iter().flatten().chain([property]);
    let target = |one: &Value| match one["$ref"].as_str().and_then(|place| place.strip_prefix('#')) {
        Some(place) => schema.pointer(place).cloned().unwrap_or_default(),
        None => one.clone(),
    };
    variants.map(target).any(|one| one["format"] == "date-time")
}

/// Lists the operations.
pub(super) fn list(output: &Output) -> Result<u8, Stop> {
    let method = |op: &Operation| match op.method {
        Method::Get => "GET",
        Method::Post => "POST",
    };
    let path = |op: &Operation| format!("/api/v1{}", op.path);
    if output.is_json() {
        let line = |op: &Operation| {
            let acts: Vec<&str> = op.acts.iter().map(|acts| acts.field()).collect();
            json!({ "name": op.name, "method": method(op), "path": path(op), "summary": op.summary,
                "scope": op.scope.name(), "acts": acts,
                "request": (op.request)().to_value(), "reply": (op.reply)().to_value() })
        };
        output.reply(&json!({ "operations": OPERATIONS.iter().map(line).collect::<Vec<_>>() }))?;
    } else {
        if fit::width() < WITH_PATHS {
            let rows = OPERATIONS.iter().map(|op| vec![op.name.into(), op.summary.into()]);
            output.text(&narrow_table(columns(), &["name", "summary"], rows))?;
            return output.text("(method, path: see --json, or in 140 columns)\n").map(|()| 0);
        }
        let rows =
            OPERATIONS.iter().map(|op| vec![op.name.into(), method(op).into(), path(op), op.summary.into()]);
        output.text(&table(&["name", "method", "path", "summary"], rows))?;
    }
    Ok(0)
}

/// The columns of the terminal, as tables count them.
pub(super) fn columns() -> u16 {
    u16::try_from(fit::width()).unwrap_or(u16::MAX)
}

/// Lists the vote rules.
pub(super) fn rules(output: &Output) -> Result<u8, Stop> {
    if output.is_json() {
        let line = |rule: &quorate_runtime::core::voting::rules::RuleEntry| {
            let parameter = |p: &Parameter| json!({ "name": p.name, "summary": p.summary });
            json!({ "name": rule.name, "summary": rule.summary,
                "parameters": rule.parameters.iter().map(parameter).collect::<Vec<_>>(),
                "law": rule.law.text(), "source": rule.source })
        };
        output.reply(&json!({ "rules": RULES.iter().map(line).collect::<Vec<_>>() }))?;
    } else {
        let rows = RULES.iter().map(|rule| {
            let names: Vec<&str> = rule.parameters.iter().map(|p| p.name).collect();
            vec![rule.name.into(), names.join(", "), rule.summary.into(), rule.source.into()]
        });
        if fit::width() < WITH_SOURCES {
            let rows = rows.map(|mut row: Vec<String>| {
                row.truncate(3);
                row
            });
            output.text(&narrow_table(columns(), &["name", "parameters", "summary"], rows))?;
            return output.text("(source: see --json, or in 118 columns)\n").map(|()| 0);
        }
        output.text(&narrow_table(columns(), &["name", "parameters", "summary", "source"], rows))?;
    }
    Ok(0)
}
