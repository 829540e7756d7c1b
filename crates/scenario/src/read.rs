// SPDX-License-Identifier: GPL-2.0-only
//! From text to the types of the format, and what serde says as diagnostics.

use std::ops::Range;

use serde::Deserialize;
use serde_json::error::Category;
use serde_path_to_error::Segment;

use crate::{
    check::MAX_DIAGNOSTICS,
    compile::compile,
    diagnostic::{Diagnostic, Label, list_of, similar},
    format::Text,
    repair::Repair,
    scenario::Scenario,
    source::{MAX_BYTES, Seg, Source, too_large},
    step::STEPS,
};

/// The version of the format.
pub(crate) const VERSION: i64 = 1;

/// Reads a scenario.
///
/// # Errors
///
/// Everything that is wrong with it, in order of the text; where the text is no JSON, the first place where it is not.
pub fn read(source: &Source) -> Result<Scenario, Vec<Diagnostic>> {
    if source.text.len() > MAX_BYTES {
        return Err(vec![too_large(&source.name, source.text.len() as u64)]);
    }
    if source.text.trim().is_empty() {
        let help = "the smallest scenario is {\"version\": 1, \"title\": \"...\", \"note\": \"...\"}";
        return Err(vec![Diagnostic::new("S003", "the file is empty").at(&source.name, 1, 1).help(help)]);
    }
    check_version(source)?;
    match parse(source) {
        Ok(text) => compile(source, text).map_err(in_order),
        Err((error, path)) => Err(in_order(all_errors(source, error, path))),
    }
}

/// Goes on behind the first error in form.
fn all_errors(source: &Source, error: Diagnostic, path: Vec<Seg>) -> Vec<Diagnostic> {
    let mut repair = Repair::new(source);
    let mut next = Some((error, path));
    let mut errors = Vec::new();
    // An error may explain another one, which is then not shown but takes its turn.
    for _ in 0..2 * MAX_DIAGNOSTICS {
        let Some((error, path)) = next.take() else { break };
        let is_known = repair.explains(&error, &path);
        let goes_on = !matches!(error.code, "S004" | "S005") && repair.without(&error, &path);
        if !is_known {
            errors.push(error);
        }
        if !goes_on || errors.len() >= MAX_DIAGNOSTICS {
            return errors;
        }
        match parse(&repair.source) {
            Ok(text) => {
                let more = compile(&repair.source, text).err().unwrap_or_default();
                errors.extend(more.into_iter().filter(|error| !repair.explains(error, &[])));
            }
            Err(found) => next = Some(found),
        }
    }
    errors
}

/// The errors as they lie in the text.
fn in_order(mut errors: Vec<Diagnostic>) -> Vec<Diagnostic> {
    errors.sort_by_key(|error| error.labels.first().map(|label| label.span.start));
    errors.truncate(MAX_DIAGNOSTICS);
    errors
}

/// Another version may know other fields: they are not judged by this one.
fn check_version(source: &Source) -> Result<(), Vec<Diagnostic>> {
    #[derive(Deserialize)]
    struct Versioned {
        version: i64,
    }
    match serde_json::from_str::<Versioned>(&source.text) {
        Ok(Versioned { version }) if version != VERSION => {
            let label = source.label(&[Seg::Key("version")], "unknown version");
            let message = format!("version {version} of the format is unknown");
            let help = format!("this program reads version {VERSION}");
            Err(vec![Diagnostic::new("S011", message).label(label).help(help)])
        }
        // What is wrong otherwise is found by reading all of it.
        _ => Ok(()),
    }
}

/// The types of the format, or the first error and the path to it.
fn parse(source: &Source) -> Result<Text, (Diagnostic, Vec<Seg>)> {
    let mut from = serde_json::Deserializer::from_str(&source.text);
    let text: Text = match serde_path_to_error::deserialize(&mut from) {
        Ok(text) => text,
        Err(error) => {
            let path: Vec<Seg> = error.path().iter().filter_map(seg).collect();
            return Err((of_serde(source, error.inner(), &path), path));
        }
    };
    from.end().map_err(|error| (of_serde(source, &error, &[]), Vec::new()))?;
    Ok(text)
}

fn seg(segment: &Segment) -> Option<Seg> {
    match segment {
        Segment::Seq { index } => Some(Seg::Index(*index)),
        Segment::Map { key } | Segment::Enum { variant: key } => Some(Seg::Name(key.clone())),
        Segment::Unknown => None,
    }
}

/// What serde says, without the place, which we show.
fn message_of(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

/// The names in backquotes of a message.
pub(crate) fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The content of the string at a place of a text.
pub(crate) fn string_at(text: &str, at: Range<usize>) -> Option<String> {
    serde_json::from_str(text.get(at)?).ok()
}

fn of_serde(source: &Source, error: &serde_json::Error, path: &[Seg]) -> Diagnostic {
    let message = message_of(error);
    let at = source.byte_at(error.line(), error.column());
    if error.classify() != Category::Data {
        return not_a_word(source, &message, path).unwrap_or_else(|| of_syntax(source, message, at));
    }
    if let Some(rest) = message.strip_prefix("unknown field ") {
        return unknown_name(source, path, "S006", "field", rest);
    }
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        return unknown_value(source, path, rest);
    }
    if let Some(step) = message.strip_prefix("unknown step ") {
        return unknown_step(source, path, step.trim_matches('`'));
    }
    if message.starts_with("missing") {
        let text = match quoted(&message).first() {
            Some(field) => format!("has no `{field}`"),
            None => "is empty".to_owned(),
        };
        let label = source
            .locate(path)
            .map(|place| Label { span: place.key.unwrap_or(place.value.start..place.value.start + 1), text });
        let help = match quoted(&message).first() {
            Some(&"version") => Some(format!("write `\"version\": {VERSION}`")),
            Some(&"note") => Some("`note` tells the story of the scenario in prose".to_owned()),
            Some(&"title") => Some("`title` is one line for the list of scenarios".to_owned()),
            _ => None,
        };
        return Diagnostic::new("S007", message).label(label).maybe_help(help);
    }
    if message.starts_with("duplicate") || message.starts_with("second step") {
        // The position is behind the second key.
        let end = source.text.get(..=at).and_then(|text| text.rfind('"')).map_or(at, |quote| quote + 1);
        let start = source.text[..end.saturating_sub(1)].rfind('"').unwrap_or(end.saturating_sub(1));
        let label = Label { span: source.first_line(start..end), text: "once more".to_owned() };
        let first = first_of_name(source, path, &message).filter(|first| first.span.start < label.span.start);
        return Diagnostic::new("S009", message).label(Some(label)).label(first);
    }
    if message.starts_with("more than") {
        return Diagnostic::new("S015", message).label(source.label_key(path, "too many"));
    }
    // The value at the path has the wrong type, or is out of range.
    let is_number = message.starts_with("invalid value: integer") || message.contains("type: floating point");
    let code = if is_number { "S012" } else { "S008" };
    let message = in_words(&message);
    let found = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "));
    let parts = found.and_then(|rest| rest.rsplit_once(", expected "));
    let (message, label) = match parts {
        Some((found, expected)) => {
            (format!("{expected} is expected, and not {found}"), format!("{expected} belongs here"))
        }
        None => (message, "not possible here".to_owned()),
    };
    let label = source.label(path, label).or_else(|| {
        let span = source.first_line(at.saturating_sub(1).min(source.text.len())..source.text.len());
        source.text.is_char_boundary(span.start).then(|| Label { span, text: String::new() })
    });
    Diagnostic::new(code, message).label(label)
}

/// Where a word is expected, serde takes any other value for an error of syntax.
fn not_a_word(source: &Source, message: &str, path: &[Seg]) -> Option<Diagnostic> {
    let value = source.locate(path).filter(|_| message == "expected value")?.value;
    let found = source.text.get(value)?;
    serde_json::from_str::<serde::de::IgnoredAny>(found).ok()?;
    let found = match found.as_bytes().first()? {
        b'{' => "an object",
        b'[' => "a list",
        _ => found,
    };
    let diagnostic = Diagnostic::new("S008", format!("a word in quotes is expected, and not {found}"));
    Some(diagnostic.label(source.label(path, "a word belongs here")))
}

/// A label on the first member of the name that a message says is there twice.
fn first_of_name(source: &Source, path: &[Seg], message: &str) -> Option<Label> {
    let name = Seg::Name((*quoted(message).first()?).to_owned());
    // The path ends at the key, or at the object around it.
    let mut path = path.strip_suffix(std::slice::from_ref(&name)).unwrap_or(path).to_vec();
    path.push(name);
    source.label_key(&path, "first here")
}

/// JSON's words instead of serde's.
fn in_words(message: &str) -> String {
    let mut text = message.to_owned();
    for (serde, json) in [
        ("type: sequence", "type: a list"),
        ("type: map", "type: an object"),
        ("type: null", "type: null"),
        ("type: string ", "type: the text "),
        ("value: string ", "value: the text "),
        ("type: boolean ", "type: "),
        ("type: integer ", "type: the number "),
        ("value: integer ", "value: the number "),
        ("type: floating point ", "type: the number "),
        ("expected a sequence", "expected a list"),
        ("expected a map", "expected an object"),
        ("expected a boolean", "expected true or false"),
        ("expected a step: an object with one key", "expected a step, an object with one key,"),
        ("expected i64", "expected a whole number"),
    ] {
        text = text.replace(serde, json);
    }
    text
}

fn of_syntax(source: &Source, message: String, at: usize) -> Diagnostic {
    if message.contains("recursion limit") {
        let diagnostic = Diagnostic::new("S005", "values are nested too deeply");
        return diagnostic.label(Some(char_at(source, at))).help("at most 127 levels are read");
    }
    let help = match message.as_str() {
        "trailing comma" => Some("JSON has no comma after the last element"),
        "key must be a string" => Some("JSON has keys in double quotes, and no comments"),
        "trailing characters" => Some("a file holds one scenario"),
        _ => None,
    };
    let message = match message.as_str() {
        "expected value" => "a value is expected",
        "trailing characters" => "there is more behind the scenario",
        "trailing comma" => "there is a comma behind the last element",
        "EOF while parsing a value" => "the text ends where a value is expected",
        "EOF while parsing an object" => "the text ends in the middle of an object",
        "EOF while parsing a list" => "the text ends in the middle of a list",
        "EOF while parsing a string" => "the text ends in the middle of a string",
        other => other,
    };
    Diagnostic::new("S004", message).label(Some(char_at(source, at))).maybe_help(help.map(str::to_owned))
}

/// A label on the character at a byte.
fn char_at(source: &Source, at: usize) -> Label {
    let len = source.text[at..].chars().next().filter(|c| *c != '\n').map_or(0, char::len_utf8);
    Label { span: at..at + len, text: "here".to_owned() }
}

/// A key that is none: `rest` is its name, and what is expected.
fn unknown_name(source: &Source, path: &[Seg], code: &'static str, what: &str, rest: &str) -> Diagnostic {
    let names = quoted(rest);
    let name = names.first().copied().unwrap_or_default();
    let known: Vec<&str> =
        names.iter().skip(1).copied().filter(|known| *known != "$schema" && *known != "note").collect();
    // The path ends at the key, or at the object around it.
    let mut key_path = path.to_vec();
    if !matches!(key_path.last(), Some(Seg::Name(last)) if last == name) {
        key_path.push(Seg::Name(name.to_owned()));
    }
    let label = source.label_key(&key_path, format!("unknown {what}"));
    let help = match similar(name, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if known.is_empty() => "the object has no fields".to_owned(),
        None => format!(
            "known are {}",
            known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        ),
    };
    Diagnostic::new(code, format!("unknown {what} `{}`", name.escape_debug())).label(label).help(help)
}

fn unknown_value(source: &Source, path: &[Seg], rest: &str) -> Diagnostic {
    let names = quoted(rest);
    let name = names.first().copied().unwrap_or_default();
    let known = names.get(1..).unwrap_or_default();
    let help = match similar(name, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("possible are {}", list_of(known.iter().copied())),
    };
    let label = source.label(path, "not possible here");
    Diagnostic::new("S008", format!("`{}` is not possible here", name.escape_debug())).label(label).help(help)
}

fn unknown_step(source: &Source, path: &[Seg], name: &str) -> Diagnostic {
    let mut key_path = path.to_vec();
    if !matches!(key_path.last(), Some(Seg::Name(last)) if last == name) {
        key_path.push(Seg::Name(name.to_owned()));
    }
    let label = source.label_key(&key_path, "unknown step");
    let help = match similar(name, STEPS.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "`sim list ops` shows all steps".to_owned(),
    };
    Diagnostic::new("S010", format!("unknown step `{}`", name.escape_debug())).label(label).help(help)
}
