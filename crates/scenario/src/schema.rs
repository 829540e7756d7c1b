// SPDX-License-Identifier: GPL-2.0-only
//! The format as a JSON Schema, for editors: made of the types that are parsed.
//!
//! Structs and words derive theirs. Here are those of the types that are read by hand, and of texts whose words are
//! known. Draft 7 is what editors understand.

use std::borrow::Cow;

use netns::{Patch, SUBSYSTEMS};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde_json::{Map, Value, json};

use crate::{
    body::{Body, Step},
    check::{ALLOC_KINDS, AnyRef, Kind},
    compile::FINDINGS,
    event_forms::EVENTS,
    format::Text,
    functions::FUNCTIONS,
    members::{List, Members},
    step::step_schemas,
    time::{MAX_TIME, Time},
    values::{Count, Expect, Expected, Gives, Lines, Name, Note, Number, Of, Or, Range, Role, Seed, Times},
    words::{AllocKind, Hex},
};

/// The schema, as a file holds it.
pub fn schema() -> String {
    let schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<Text>();
    // Only maps whose keys are no strings cannot be written, and there are none.
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

/// Types that are written where they are used.
macro_rules! inline {
    ($([$($generic:tt)*] $ty:ty = $name:literal, $generator:ident => $schema:expr;)*) => {$(
        impl<$($generic)*> JsonSchema for $ty {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema($generator: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    )*};
}

inline! {
    [] Note = "note", _generator => json_schema!({
        "type": "string",
        "description": "For readers and editors: it means nothing.",
    });
    [const MIN: i64, const MAX: i64] Number<MIN, MAX> = "number", _generator =>
        json_schema!({"type": "integer", "minimum": MIN, "maximum": MAX});
    [] Seed = "seed", _generator => json_schema!({"type": "integer", "minimum": 0, "maximum": u64::MAX});
    [R: Role] Of<R> = "name", _generator =>
        json_schema!({"type": "string", "description": of_name(R::KIND, R::DECLARES)});
    [R: Role] Or<R> = "number or name", _generator => json_schema!({
        "type": ["integer", "string"],
        "minimum": i32::MIN,
        "maximum": i32::MAX,
        "description": format!("{} Or its number.", of_name(R::KIND, false)),
    });
    [G: Gives] Expect<G> = "expectation", _generator => expectation::<G>();
    [] Times = "times", _generator =>
        json_schema!({"anyOf": [{"type": "integer", "minimum": 1}, {"const": "forever"}]});
    [] Lines = "lines", _generator =>
        json_schema!({"type": ["string", "array"], "items": {"type": "string"}});
    [] Count = "count", generator => json_schema!({
        "anyOf": [{"type": "integer", "minimum": 0}, generator.subschema_for::<Range>()],
    });
    [] AllocKind = "kind of allocations", _generator => json_schema!({"enum": ALLOC_KINDS});
    [] Time = "time", _generator => json_schema!({
        "type": ["integer", "string"],
        "minimum": 0,
        "maximum": MAX_TIME,
        "pattern": "^[0-9]+(ns|us|ms|s)$",
        "description": "Virtual nanoseconds, or a time like `10ms` (ns, us, ms, s); an hour at most.",
    });
    [] Hex = "bytes", _generator => json_schema!({
        "type": "string",
        "description": "Pairs of hexadecimal digits.",
        "pattern": "^\\s*([0-9A-Fa-f]\\s*[0-9A-Fa-f]\\s*)*$",
    });
    [] AnyRef = "binding", _generator =>
        json_schema!({"type": "string", "description": "A name that a step binds by `as`."});
    [T: JsonSchema] Members<T> = "members", generator => json_schema!({
        "type": "object",
        "properties": notes(generator),
        "additionalProperties": generator.subschema_for::<T>(),
    });
    [T: JsonSchema, const MAX: usize] List<T, MAX> = "list", generator =>
        json_schema!({"type": "array", "items": generator.subschema_for::<T>(), "maxItems": MAX});
    [] Body = "steps", generator => json_schema!({
        "type": "array",
        "items": generator.subschema_for::<Step>(),
        "description": "Steps, one after the other.",
    });
}

impl JsonSchema for Step {
    fn schema_name() -> Cow<'static, str> {
        "step".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let steps = step_schemas(generator);
        let one_of: Vec<Value> = steps.iter().map(|(name, _)| json!({"required": [name]})).collect();
        let mut properties = notes(generator);
        properties.extend(steps.into_iter().map(|(name, schema)| (name.to_owned(), schema.to_value())));
        json_schema!({
            "description": "A step: an object with one key.",
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
            "oneOf": one_of,
        })
    }
}

/// What every object may have.
fn notes(generator: &mut SchemaGenerator) -> Map<String, Value> {
    let note = || generator.subschema_for::<Note>().to_value();
    ["note", "$schema"].map(str::to_owned).into_iter().zip(std::iter::repeat_with(note)).collect()
}

/// What a field says of the name that it holds.
fn of_name(kind: Kind, declares: bool) -> String {
    let what = kind.words();
    match kind {
        Kind::Completion if declares => {
            "The name of a completion; `wait_for_completion` waits for it.".to_owned()
        }
        _ if declares => format!("Binds the {what} to this name, for the whole scenario."),
        Kind::Net => {
            "A namespace: `init_net`, what a step binds by `as`, or `self` where there is one.".to_owned()
        }
        Kind::Ops => format!("Pernet operations; {}.", kind.how_to_declare()),
        _ => format!("A {what}; {}.", kind.how_to_declare()),
    }
}

/// What can be expected of a step that gives `G`.
fn expectation<G: Gives>() -> Schema {
    let name = || Name::from("");
    let mut types = Vec::new();
    if G::can_be(&Expected::Number(1)) || G::can_be(&Expected::Number(-1)) {
        types.push("integer");
    }
    if G::can_be(&Expected::Error(-1)) || G::can_be(&Expected::Net(name())) {
        types.push("string");
    }
    if G::can_be(&Expected::Bool(true)) {
        types.push("boolean");
    }
    if G::can_be(&Expected::Null) {
        types.push("null");
    }
    json_schema!({"type": types, "description": format!("What it gives: {}.", G::WORDS)})
}

fn words(words: impl IntoIterator<Item = &'static str>) -> Schema {
    let words: Vec<&str> = words.into_iter().collect();
    json_schema!({"type": "array", "items": {"enum": words}})
}

/// A subsystem of the library.
pub(crate) fn subsystem(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = SUBSYSTEMS.iter().map(|subsystem| subsystem.name).collect();
    optional_word(&names)
}
/// A kernel function.
pub(crate) fn function(_: &mut SchemaGenerator) -> Schema {
    optional_word(FUNCTIONS)
}
fn optional_word(words: &[&str]) -> Schema {
    json_schema!({"anyOf": [{"enum": words}, {"type": "null"}]})
}
/// Names of patches.
pub(crate) fn patches(_: &mut SchemaGenerator) -> Schema {
    words(Patch::ALL.iter().map(|patch| patch.name()))
}
/// Names of patches, where nothing is not the same as none.
pub(crate) fn patches_of_run(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({"anyOf": [patches(generator), {"type": "null"}]})
}
/// Kinds of findings.
pub(crate) fn findings(_: &mut SchemaGenerator) -> Schema {
    words(FINDINGS.iter().copied())
}
/// Kernel functions.
pub(crate) fn functions(_: &mut SchemaGenerator) -> Schema {
    words(FUNCTIONS.iter().copied())
}
/// Events: their names, with other words behind some of them.
pub(crate) fn events(_: &mut SchemaGenerator) -> Schema {
    let names = EVENTS.iter().map(|(form, _)| form.split(' ').next().unwrap_or(form));
    let pattern = format!("^({})( |$)", names.collect::<Vec<_>>().join("|"));
    let examples: Vec<&str> = EVENTS.iter().map(|(form, _)| *form).collect();
    json_schema!({"type": "array", "items": {"type": "string", "pattern": pattern, "examples": examples}})
}
