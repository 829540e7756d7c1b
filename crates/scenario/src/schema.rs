// SPDX-License-Identifier: GPL-2.0-only
//! The format as a JSON Schema, for editors: made of the types that are parsed.
//!
//! Structs and words derive theirs. Here are those of the types that are read by hand, and of texts whose words are
//! known. Draft 7 is what editors understand.

use std::borrow::Cow;

use netns::SUBSYSTEMS;
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde_json::{Map, Value, json};

use crate::{
    body::{Body, Step},
    check::{AnyRef, Kind},
    event_forms::EVENTS,
    format::Text,
    functions::FUNCTIONS,
    members::{List, Members},
    observation::Observation,
    step::step_schemas,
    time::{MAX_TIME, Time},
    values::{Count, Expect, Expected, Gives, Lines, Name, Note, Number, Of, Or, Range, Role, Seed, Times},
    vocabulary::{ALLOC_KINDS, FINDINGS},
    words::{AllocKind, Hex, InFunction},
};

/// The schema, as a file holds it.
pub fn schema() -> String {
    let schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<Text>();
    let mut schema = schema.to_value();
    tidy(&mut schema, true);
    // Only maps whose keys are no strings cannot be written, and there are none.
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

/// Takes out what only bothers who completes: nothing as a default, and `$schema` in every object.
fn tidy(schema: &mut Value, is_top: bool) {
    match schema {
        Value::Object(members) => {
            if members.get("default") == Some(&Value::Null) {
                members.remove("default");
            }
            let own = members.get_mut("properties").and_then(|properties| properties.get_mut("$schema"));
            if let Some(Value::Object(own)) = own.filter(|_| !is_top) {
                own.insert("doNotSuggest".to_owned(), Value::Bool(true));
            }
            members.values_mut().for_each(|member| tidy(member, false));
        }
        Value::Array(elements) => elements.iter_mut().for_each(|element| tidy(element, false)),
        _ => {}
    }
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
    [R: Role] Of<R> = "name", _generator => {
        let mut schema = json_schema!({"type": "string", "description": of_name(R::KIND, R::DECLARES)});
        if let Some(always) = always_there(R::KIND).filter(|_| !R::DECLARES) {
            schema.insert("examples".to_owned(), json!([always]));
        }
        schema
    };
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
    [] AllocKind = "kind of allocations", _generator => one_of(ALLOC_KINDS.iter().copied());
    [] InFunction = "function", _generator => json_schema!({"enum": FUNCTIONS});
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
        let names: Vec<String> = properties.keys().cloned().collect();
        // Of a name that is none, an editor is to say just that, and not that the first of all steps is missing.
        json_schema!({
            "description": "A step: an object with one key.",
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
            "if": {"propertyNames": {"enum": names}},
            "then": {"oneOf": one_of},
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

/// What has a name without being declared.
fn always_there(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Net => Some("init_net"),
        Kind::UserNs => Some("init_user_ns"),
        _ => None,
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

/// One of some words, each with what it means.
fn one_of<'w>(words: impl IntoIterator<Item = (&'w str, &'w str)>) -> Schema {
    let words = words.into_iter().map(|(word, means)| json!({"const": word, "description": means}));
    json_schema!({"type": "string", "oneOf": words.collect::<Vec<Value>>()})
}
fn list_of(items: Schema) -> Schema {
    json_schema!({"type": "array", "items": items})
}
fn optional(schema: Schema) -> Schema {
    json_schema!({"anyOf": [schema, {"type": "null"}]})
}

/// A subsystem of the library.
pub(crate) fn subsystem(_: &mut SchemaGenerator) -> Schema {
    optional(one_of(SUBSYSTEMS.iter().map(|subsystem| (subsystem.name, subsystem.about))))
}
/// A kernel function.
pub(crate) fn function(_: &mut SchemaGenerator) -> Schema {
    optional(json_schema!({"enum": FUNCTIONS}))
}
macro_rules! changes {
    ($($(#[$doc:meta])* $all:ident, $of_run:ident => $kind:ident;)*) => {
        $(
            $(#[$doc])*
            pub(crate) fn $all(_: &mut SchemaGenerator) -> Schema {
                list_of(one_of(netns::$kind::ALL.iter().map(|change| (change.name(), change.words()))))
            }
            /// The same, where nothing is not the same as none.
            pub(crate) fn $of_run(generator: &mut SchemaGenerator) -> Schema {
                optional($all(generator))
            }
        )*
    };
}
changes! {
    /// Names of patches.
    patches, patches_of_run => Patch;
    /// Names of fixes that can be taken back.
    reverts, reverts_of_run => Revert;
    /// Names of deliberate damage.
    mutations, mutations_of_run => Mutation;
}
/// Kinds of findings: a list, or a word on each.
pub(crate) fn findings(generator: &mut SchemaGenerator) -> Schema {
    let mut properties = notes(generator);
    for (code, means) in FINDINGS {
        let mut word = generator.subschema_for::<Observation>();
        word.insert("description".to_owned(), json!(means));
        properties.insert((*code).to_owned(), word.to_value());
    }
    let words = json!({"type": "object", "properties": properties, "additionalProperties": false});
    json_schema!({"anyOf": [list_of(one_of(FINDINGS.iter().copied())), words]})
}
/// Kernel functions.
pub(crate) fn functions(_: &mut SchemaGenerator) -> Schema {
    list_of(json_schema!({"enum": FUNCTIONS}))
}
/// `notify ${1:NET} ${2:MESSAGE}`: what editors insert, with places to fill in.
fn snippet(form: &str) -> String {
    let places = form.split(' ').enumerate().map(|(n, word)| match n {
        0 => word.to_owned(),
        n => format!("${{{n}:{word}}}"),
    });
    places.collect::<Vec<String>>().join(" ")
}
/// Events: their names, with other words behind some of them.
pub(crate) fn events(_: &mut SchemaGenerator) -> Schema {
    let event = |(form, when): &(&str, &str)| {
        let name = form.split(' ').next().unwrap_or(form);
        let snippet = json!({"label": form, "description": when, "body": snippet(form)});
        json!({
            "pattern": format!("^{name}( |$)"),
            "patternErrorMessage": "There is no such event; `sim list events` shows them.",
            "description": when,
            "defaultSnippets": [snippet],
        })
    };
    let forms: Vec<Value> = EVENTS.iter().map(event).collect();
    list_of(json_schema!({"type": "string", "anyOf": forms}))
}
