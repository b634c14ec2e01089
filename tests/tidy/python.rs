//! What of the Python package is made from the tables: its exceptions, the types of its replies, and what a type checker
//! sees of its operations.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use quorate_runtime::api::nouns::NOUNS;
use quorate_runtime::api::ops::{OPERATIONS, Operation};
use quorate_runtime::error::KINDS;
use serde_json::{Map, Value};

/// Words that no name in Python can be.
const KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def",
    "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is",
    "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

/// Nouns that have more than their operations.
const MORE: [(&str, &str); 2] = [("capacity", "CapacityHolds"), ("job", "JobLeases")];

const MADE: &str =
    "Made from the tables of the runtime by\n`QUORATE_REWRITE_GOLDEN=1 cargo test --test tidy python`.";

/// The files, and what they hold.
pub fn files(errors_page: &str) -> [(&'static str, String); 3] {
    [
        ("src/python/quorate/errors.py", errors(errors_page)),
        ("src/python/quorate/replies.py", replies()),
        ("src/python/quorate/_operations.pyi", operations()),
    ]
}

fn name(word: &str) -> String {
    if KEYWORDS.contains(&word) { format!("{word}_") } else { word.to_owned() }
}

fn class(word: &str) -> String {
    let capital = |part: &str| {
        let mut letters = part.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    };
    word.split('_').map(capital).collect()
}

/// One line of a docstring: nothing in it ends the docstring.
fn line(text: &str) -> String {
    let text = unlinked(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    text.replace('\\', "\\\\").replace("\"\"\"", "'''").replace('`', "``")
}

/// A text without the addresses of its links.
fn unlinked(text: &str) -> String {
    let parts = text.split_once('[').and_then(|(before, rest)| Some((before, rest.split_once(']')?)));
    let Some((before, (shown, rest))) = parts else { return text.to_owned() };
    match rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        Some((_, after)) => format!("{before}{shown}{}", unlinked(after)),
        None => format!("{before}[{shown}]{}", unlinked(rest)),
    }
}

// ---- exceptions

fn errors(page: &str) -> String {
    let mut out = format!(
        "\"\"\"What could not be done: one class of exception for each kind of error.\n\n{MADE}\n\"\"\"\n\n{ERRORS}"
    );
    for kind in KINDS {
        let row = page.lines().find(|row| row.starts_with(&format!("| `{}` |", kind.name)));
        let doing = row.and_then(|row| row.trim_end_matches('|').rsplit('|').next()).unwrap_or_default();
        let (class, retry) = (class(kind.name), if kind.retry { "True" } else { "False" });
        let _ = write!(
            out,
            "\n\nclass {class}(Error):\n    \"\"\"What to do: {}.\"\"\"\n\n    kind = \"{}\"\n    retryable = {retry}\n",
            line(doing),
            kind.name
        );
    }
    out.push_str("\n\n_CLASSES: dict[str, type[Error]] = {\n");
    for kind in KINDS {
        let _ = writeln!(out, "    \"{}\": {},", kind.name, class(kind.name));
    }
    out.push_str("}\n\n__all__ = [\n    \"Error\",\n");
    for kind in KINDS {
        let _ = writeln!(out, "    \"{}\",", class(kind.name));
    }
    out.push_str("]\n");
    out
}

const ERRORS: &str = r#"from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Error(Exception):
    """An operation was not carried out. The class says the kind; one of its own has no kind that this version knows."""

    #: The name of the kind, the same at every door.
    kind: str = "error"
    #: May the same request succeed later?
    retryable: bool = False
    #: The sentence.
    message: str
    #: What else is told, such as `field`, `value` and `expected`.
    details: dict[str, Any]

    def __init__(self, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = dict(details or {})

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


def of(error: Mapping[str, Any]) -> Error:
    """The exception for an error as every door tells it."""
    details = dict(error)
    kind, message = details.pop("kind", "error"), details.pop("message", "")
    made = _CLASSES.get(kind, Error)(message, details)
    made.kind = kind
    return made
"#;

// ---- types

/// Whose type it is: what is given may be any list or mapping, what is answered is the one that JSON has.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Given,
    Answered,
}

impl Side {
    fn list(self) -> &'static str {
        if self == Side::Given { "Sequence" } else { "list" }
    }

    fn map(self) -> &'static str {
        if self == Side::Given { "Mapping" } else { "dict" }
    }
}

/// The type that a schema stands for.
fn hint(schema: &Value, side: Side) -> String {
    if let Some(place) = schema["$ref"].as_str() {
        let named = place.rsplit('/').next().unwrap_or_default();
        return if side == Side::Given { "Mapping[str, Any]".into() } else { named.to_owned() };
    }
    if let Some(words) = schema["enum"].as_array() {
        let literals: Vec<String> =
            words.iter().filter_map(Value::as_str).map(|w| format!("\"{w}\"")).collect();
        let null = if words.iter().any(Value::is_null) { " | None" } else { "" };
        return format!("Literal[{}]{null}", literals.join(", "));
    }
    if let Some(word) = schema["const"].as_str() {
        return format!("Literal[\"{word}\"]");
    }
    let variants = schema["anyOf"].as_array().or(schema["oneOf"].as_array());
    if let Some(variants) = variants {
        return union(variants.iter().map(|variant| hint(variant, side)));
    }
    match &schema["type"] {
        Value::String(one) => plain(one, schema, side),
        Value::Array(several) => {
            union(several.iter().filter_map(Value::as_str).map(|one| plain(one, schema, side)))
        }
        _ => "Any".into(),
    }
}

fn union(types: impl Iterator<Item = String>) -> String {
    let mut all: Vec<String> = Vec::new();
    for one in types.flat_map(|t| t.split(" | ").map(str::to_owned).collect::<Vec<_>>()) {
        if !all.contains(&one) {
            all.push(one);
        }
    }
    if all.iter().any(|one| one == "Any") { "Any".into() } else { all.join(" | ") }
}

fn plain(one: &str, schema: &Value, side: Side) -> String {
    let inner = |of: &Value| if of.is_object() { hint(of, side) } else { "Any".into() };
    match one {
        "string" => "str".into(),
        "integer" => "int".into(),
        "number" => "float".into(),
        "boolean" => "bool".into(),
        "null" => "None".into(),
        "array" => format!("{}[{}]", side.list(), inner(&schema["items"])),
        "object" => {
            let named = schema["properties"].as_object().is_some_and(|p| !p.is_empty());
            let values = if named { "Any".into() } else { inner(&schema["additionalProperties"]) };
            format!("{}[str, {values}]", side.map())
        }
        _ => "Any".into(),
    }
}

fn title(schema: &Value) -> &str {
    schema["title"].as_str().unwrap_or_default()
}

/// The types of all replies by name, with what they are made of.
fn reply_types() -> BTreeMap<String, Value> {
    let mut types = BTreeMap::new();
    for op in OPERATIONS {
        let schema = (op.reply)().to_value();
        for (name, part) in schema["$defs"].as_object().into_iter().flatten() {
            types.insert(name.clone(), part.clone());
        }
        types.insert(title(&schema).to_owned(), schema);
    }
    types
}

fn replies() -> String {
    let mut out = format!(
        "\"\"\"The types of what operations answer. A field that is not there has nothing to say.\n\n{MADE}\n\"\"\"\n\n\
         from __future__ import annotations\n\nfrom typing import Any, Literal, TypedDict, Union\n"
    );
    let types = reply_types();
    let mut unions = String::new();
    for (name, schema) in &types {
        let empty = Map::new();
        let fields = schema["properties"].as_object().unwrap_or(&empty);
        if fields.is_empty() {
            let whole = hint(schema, Side::Answered);
            let parts: Vec<&str> = whole.split(" | ").collect();
            let _ = if parts.len() > 1 {
                writeln!(unions, "{name} = Union[{}]", parts.join(", "))
            } else {
                writeln!(unions, "{name} = {whole}")
            };
            continue;
        }
        out.push_str(&typed_dict(name, schema, fields));
    }
    let _ = write!(out, "\n\n{unions}\n__all__ = [\n");
    for name in types.keys() {
        let _ = writeln!(out, "    \"{name}\",");
    }
    out.push_str("]\n");
    out
}

fn typed_dict(name: &str, schema: &Value, fields: &Map<String, Value>) -> String {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let is_sure = |field: &str| required.iter().any(|r| r == field);
    let about = line(schema["description"].as_str().unwrap_or(name));
    let spelt = fields.keys().any(|field| KEYWORDS.contains(&field.as_str()));
    let (sure, other): (Vec<_>, Vec<_>) = fields.iter().partition(|(field, _)| is_sure(field));
    if spelt {
        let table = |part: &[(&String, &Value)]| {
            let entry = |(field, schema): &(&String, &Value)| {
                format!("    \"{field}\": {:?},\n", hint(schema, Side::Answered).replace('"', "'"))
            };
            part.iter().map(entry).collect::<String>()
        };
        return format!(
            "\n\n_{name} = TypedDict(\"_{name}\", {{\n{}}})\n_{name}Other = TypedDict(\"_{name}Other\", {{\n{}}}, \
             total=False)\n\n\nclass {name}(_{name}, _{name}Other):\n    \"\"\"{about}\"\"\"\n",
            table(&sure),
            table(&other)
        );
    }
    let body = |part: &[(&String, &Value)]| {
        let mut out = String::new();
        for (field, schema) in part {
            let told = line(schema["description"].as_str().unwrap_or_default());
            if !told.is_empty() {
                let _ = writeln!(out, "    #: {told}");
            }
            let _ = writeln!(out, "    {field}: {}", hint(schema, Side::Answered));
        }
        out
    };
    match (sure.is_empty(), other.is_empty()) {
        (_, true) => format!("\n\nclass {name}(TypedDict):\n    \"\"\"{about}\"\"\"\n\n{}", body(&sure)),
        (true, false) => {
            format!("\n\nclass {name}(TypedDict, total=False):\n    \"\"\"{about}\"\"\"\n\n{}", body(&other))
        }
        (false, false) => format!(
            "\n\nclass _{name}(TypedDict):\n{}\n\nclass {name}(_{name}, total=False):\n    \"\"\"{about}\"\"\"\n\n{}",
            body(&sure),
            body(&other)
        ),
    }
}

// ---- operations

fn operations() -> String {
    let mut out = format!(
        "\"\"\"What a type checker sees of the operations.\n\n{MADE}\n\"\"\"\n\nfrom collections.abc import Mapping, Sequence\n\
         from typing import Any, Literal\n\nfrom quorate import replies\nfrom quorate._core import AsyncCore, Core\n\
         from quorate._guards import AsyncCapacityHolds, AsyncJobLeases, CapacityHolds, JobLeases\n"
    );
    for (prefix, core) in [("", "Core"), ("Async", "AsyncCore")] {
        for (noun, about) in NOUNS {
            let more = MORE.iter().find(|(named, _)| named == noun);
            let base = more.map(|(_, base)| format!("({prefix}{base})")).unwrap_or_default();
            let _ = write!(
                out,
                "\nclass {prefix}{}{base}:\n    \"\"\"{}.\"\"\"\n\n    def __init__(self, core: {core}) -> None: ...\n",
                class(noun),
                line(about)
            );
            let of_noun = |op: &&Operation| op.name.split('.').next() == Some(noun);
            for op in OPERATIONS.iter().filter(of_noun) {
                out.push_str(&method(op, prefix.is_empty()));
            }
        }
        let _ = write!(out, "\nclass {prefix}Nouns:\n    \"\"\"One attribute for each noun.\"\"\"\n\n");
        for (noun, about) in NOUNS {
            let _ = writeln!(out, "    {noun}: {prefix}{}\n    \"\"\"{}.\"\"\"", class(noun), line(about));
        }
        let _ = writeln!(out, "\n    def __init__(self, core: {core}) -> None: ...");
    }
    out
}

fn method(op: &Operation, waits: bool) -> String {
    let schema = (op.request)().to_value();
    let mut fields = op.fields();
    let subject = op.subject();
    fields.sort_by_key(|field| (Some(field.name.as_str()) != subject, !field.required));
    let mut given = vec!["self".to_owned()];
    let mut told = String::new();
    let mut is_keyword = false;
    for field in &fields {
        if Some(field.name.as_str()) != subject && !is_keyword {
            is_keyword = true;
            given.push("*".into());
        }
        let kind = hint(&schema["properties"][&field.name], Side::Given);
        let kind = if field.required || kind == "Any" || kind.ends_with("None") {
            kind
        } else {
            format!("{kind} | None")
        };
        let otherwise = if field.required { "" } else { " = None" };
        given.push(format!("{}: {kind}{otherwise}", name(&field.name)));
        let _ = write!(told, "\n        :param {}: {}", name(&field.name), line(&field.description));
    }
    let reply = (op.reply)().to_value();
    let (start, verb) =
        (if waits { "def" } else { "async def" }, op.name.split('.').nth(1).unwrap_or_default());
    let mut summary = line(op.summary);
    if let Some(first) = summary.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let end = if told.is_empty() { "" } else { "\n        " };
    let gap = if told.is_empty() { "" } else { "\n" };
    format!(
        "\n    {start} {}(\n        {},\n    ) -> replies.{}:\n        \"\"\"{summary}: ``{}``.{gap}{told}{end}\"\"\"\n",
        name(verb),
        given.join(",\n        "),
        title(&reply),
        op.name
    )
}

#[test]
fn names_that_python_has_taken_get_another_end() {
    assert_eq!((name("class"), name("classes")), ("class_".into(), "classes".into()));
    assert_eq!(class("not_token_owner"), "NotTokenOwner");
    assert_eq!(line("see [e], [a](b.md),\n or [c](d)\u{60}x\u{60}"), "see [e], a, or c``x``");
}

#[test]
fn a_schema_becomes_the_type_that_json_has() {
    let of = |schema: Value, side| hint(&schema, side);
    let names = serde_json::json!({ "type": ["array", "null"], "items": { "type": "string" } });
    assert_eq!(of(names.clone(), Side::Given), "Sequence[str] | None");
    assert_eq!(of(names, Side::Answered), "list[str] | None");
    let word = serde_json::json!({ "type": ["string", "null"], "enum": ["a", null] });
    assert_eq!(of(word, Side::Given), "Literal[\"a\"] | None");
    let either = serde_json::json!({ "anyOf": [{ "$ref": "#/$defs/X" }, { "type": "null" }] });
    assert_eq!(of(either.clone(), Side::Answered), "X | None");
    assert_eq!(of(either, Side::Given), "Mapping[str, Any] | None");
    assert_eq!(of(serde_json::json!({ "description": "any" }), Side::Given), "Any");
}
