//! The settings of a server in a file of TOML: every knob by the name of its field.
//!
//! ```text
//!  listen = "127.0.0.1:7171"
//!  data = "/var/lib/quorate"
//!  [http]                     quorate_http::Options
//!  body_timeout_ms = 30000
//!  [runtime.quorum]           quorate::Config
//!  max_open = 100000
//! ```
//!
//! What the file does not name has its default. A name that is not there is refused with the one that is meant.

use std::path::Path;

use quorate_http::Options;
use quorate_runtime::api::nearest::nearest;
use quorate_runtime::api::ops::parse;
use quorate_runtime::config::Config;
use quorate_runtime::error::Error;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// The settings of `quorate serve`.
#[derive(Debug)]
pub(super) struct Settings {
    /// The address to listen on.
    pub(super) listen: String,
    /// The data folder.
    pub(super) data: Option<String>,
    /// Those of the door.
    pub(super) http: Options,
    /// Those of the runtime.
    pub(super) runtime: Config,
}

/// Names that are set otherwise: where the folder is, and whether it is made.
const ELSEWHERE: [&str; 2] = ["runtime.store_options.path", "runtime.store_options.create"];

/// All settings as they are when nobody sets any.
fn defaults() -> Result<Value, Error> {
    let mut runtime = plain(&Config { store: super::open::persistent()?.name.into(), ..Config::default() })?;
    if let Some(options) = runtime["store_options"].as_object_mut() {
        options.shift_remove("path");
        options.shift_remove("create");
    }
    Ok(json!({
        "listen": "127.0.0.1:7171", "data": null, "http": plain(&Options::default())?, "runtime": runtime,
    }))
}

fn plain(settings: &impl Serialize) -> Result<Value, Error> {
    serde_json::to_value(settings).map_err(|e| Error::invalid("config", e.to_string(), "settings"))
}

/// The settings in a file.
///
/// # Errors
/// `invalid_argument` naming the file, or the setting, its value and what is expected.
fn read(path: &Path) -> Result<Settings, Error> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|e| {
        Error::invalid("config", shown.as_str(), "a file that can be read").with("cause", e.to_string())
    })?;
    of_text(&text).map_err(|e| e.with("file", shown))
}

/// The settings in a file, or all defaults without one.
///
/// # Errors
/// As [`read`].
pub(super) fn read_or_default(path: Option<&Path>) -> Result<Settings, Error> {
    path.map_or_else(|| of_text(""), read)
}

fn of_text(text: &str) -> Result<Settings, Error> {
    let table: toml::Table =
        text.parse().map_err(|e: toml::de::Error| Error::invalid("config", e.message(), "TOML"))?;
    let given = plain(&table)?;
    let mut all = defaults()?;
    overlay("", &mut all, given)?;
    let text = |value: &Value, name: &str| match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        other => Err(Error::invalid(name, other.clone(), "a text")),
    };
    let mut options = all["runtime"]["store_options"].take();
    // Where the folder is comes from `data`; a server makes one that is not there.
    options["path"] = Value::Null;
    options["create"] = true.into();
    all["runtime"]["store_options"] = options;
    Ok(Settings {
        listen: text(&all["listen"], "listen")?.unwrap_or_default(),
        data: text(&all["data"], "data")?,
        http: section("http", all["http"].take())?,
        runtime: section("runtime", all["runtime"].take())?,
    })
}

/// Reads a section of which every name is known.
fn section<T: DeserializeOwned>(name: &str, value: Value) -> Result<T, Error> {
    let Value::Object(fields) = value else { return Err(Error::invalid(name, value, "a table")) };
    parse(fields).map_err(|e| {
        let text = |of: &str| e.detail(of).and_then(Value::as_str).unwrap_or_default().to_owned();
        let given = e.detail("value").cloned().unwrap_or_default();
        Error::invalid(&format!("{name}.{}", text("field")), given, &text("expected"))
    })
}

/// Puts what is given in place of what is there.
fn overlay(at: &str, all: &mut Value, given: Value) -> Result<(), Error> {
    let (Value::Object(all), Value::Object(given)) = (&mut *all, &given) else {
        if all.is_object() {
            return Err(Error::invalid(at, given, "a table"));
        }
        *all = given;
        return Ok(());
    };
    for (name, value) in given {
        let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        match all.get_mut(name) {
            Some(there) => overlay(&path, there, value.clone())?,
            None if ELSEWHERE.contains(&path.as_str()) => {
                return Err(Error::invalid(&path, value.clone(), "data = \"DIR\" or --data DIR instead"));
            }
            None => {
                return Err(Error::invalid(
                    &path,
                    value.clone(),
                    &format!("a setting; {}", meant(all, name)),
                ));
            }
        }
    }
    Ok(())
}

/// The name that may have been meant.
fn meant(all: &Map<String, Value>, name: &str) -> String {
    match nearest(all.keys().map(String::as_str), name) {
        Some(known) => format!("did you mean {known}?"),
        None => format!("there are {}", all.keys().cloned().collect::<Vec<_>>().join(", ")),
    }
}

/// Every setting with its default, as a file.
///
/// # Errors
/// Never, unless a setting has no text.
pub(super) fn written() -> Result<String, Error> {
    let mut text = "# Every setting of `quorate serve --config FILE`, with its default.\n".to_owned();
    write("", &defaults()?, &mut text);
    Ok(text)
}

fn write(at: &str, all: &Value, text: &mut String) {
    let Some(all) = all.as_object() else { return };
    if !at.is_empty() && all.values().any(|value| !value.is_object()) {
        text.push_str(&format!("\n[{at}]\n"));
    }
    for (name, value) in all.iter().filter(|(_, value)| !value.is_object()) {
        match value {
            // TOML has no word for nothing.
            Value::Null => text.push_str(&format!("# {name} = \n")),
            value => text.push_str(&format!("{name} = {}\n", inline(value))),
        }
    }
    for (name, value) in all.iter().filter(|(_, value)| value.is_object()) {
        let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        write(&path, value, text);
    }
}

/// A value on one line. Numbers and texts are written alike in JSON and TOML.
fn inline(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", "))
        }
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            let fields = fields.map(|(name, value)| format!("{name} = {}", inline(value)));
            format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
        plain => plain.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_as_the_defaults() {
        let text = written().unwrap();
        let read = of_text(&text).unwrap();
        assert_eq!(plain(&read.runtime).unwrap()["quorum"], plain(&Config::default()).unwrap()["quorum"]);
        assert_eq!(plain(&read.http).unwrap(), plain(&Options::default()).unwrap());
        assert!(text.lines().count() > 90, "{text}");
        assert_eq!(of_text("").unwrap().listen, read.listen);
        read.runtime.check().unwrap();
    }

    #[test]
    fn a_setting_is_set_and_the_others_stay() {
        let text = "listen = '127.0.0.1:1'\n[runtime.quorum]\nmax_open = 7\n[http]\nbody_timeout_ms = 250\n\
                    [runtime.jobs.settings.retry]\nfirst_ms = 5";
        let read = of_text(text).unwrap();
        assert_eq!((read.listen.as_str(), read.runtime.quorum.max_open), ("127.0.0.1:1", 7));
        assert_eq!(read.http.body_timeout.as_millis(), 250);
        assert_eq!(read.runtime.jobs.settings.retry.first_ms, 5);
        assert_eq!(read.runtime.quorum.max_voters, Config::default().quorum.max_voters);
    }

    #[test]
    fn a_name_or_value_that_is_none_is_named_with_what_is_meant() {
        for (text, field, says) in [
            ("listn = 'x'", "listn", "did you mean listen?"),
            ("[runtime.quorum]\nmax_opne = 7", "runtime.quorum.max_opne", "did you mean max_open?"),
            ("[runtime]\nfoo = 7", "runtime.foo", "there are store"),
            (
                "[runtime.quorum]\nmax_open = 'many'",
                "runtime.quorum.max_open",
                "given=\"many\", expected a whole number, at least 0",
            ),
            (
                "[runtime.quorum]\nmax_open = -1",
                "runtime.quorum.max_open",
                "given=-1, expected a whole number, at least 0",
            ),
            ("[runtime]\nquorum = 3", "runtime.quorum", "a table"),
            ("[http]\nworkers = 1.5", "http.workers", "given=1.5, expected a whole number, at least 0"),
            ("data = 3", "data", "a text"),
            ("[runtime.store_options]\npath = 'x'", "runtime.store_options.path", "--data DIR"),
            ("x", "config", "TOML"),
        ] {
            let error = of_text(text).unwrap_err();
            assert_eq!(error.detail("field"), Some(&field.into()), "{text}: {error}");
            assert!(error.to_string().contains(says), "{text}: {error}");
        }
    }
}
