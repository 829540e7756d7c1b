// SPDX-License-Identifier: GPL-2.0-only
//! Scenarios out of nothing, over the whole language: the JSON Schema is the grammar, so that a step or a field that is
//! added to the language is generated without a word here.
//!
//! The schema does not say which names there are. The kind of a name is known by the words that the schema has for it
//! ([`names`]), and what does not go together is mended afterwards ([`mend`]).

mod mend;
mod names;
mod special;

use serde_json::{Map, Value, json};

use self::names::Names;
use crate::dice::Dice;

/// How deep steps lie in steps.
const MAX_DEPTH: usize = 3;
/// Steps of one scenario, those that mend it not counted.
const MAX_STEPS: usize = 80;

/// Makes scenarios.
#[derive(Debug)]
pub struct Generator {
    schema: Value,
    steps: Vec<String>,
}

/// Where in a scenario something is made.
#[derive(Clone, Copy, Debug, Default)]
struct At {
    /// How many steps it is in.
    depth: usize,
    /// Whether there is a namespace `self`.
    has_self: bool,
    /// Whether it runs for no process.
    in_interrupt: bool,
}

/// A scenario that is being made.
struct Making<'g, 'b> {
    generator: &'g Generator,
    dice: Dice<'b>,
    names: Names,
    steps: usize,
}

impl Generator {
    /// One for the language as it is.
    ///
    /// # Errors
    ///
    /// The schema is not what it was.
    pub fn new() -> Result<Self, String> {
        let schema: Value = serde_json::from_str(&scenario::schema()).map_err(|error| error.to_string())?;
        let steps = schema["definitions"]["step"]["properties"].as_object();
        let steps = steps.ok_or("the schema has no steps")?;
        let steps = steps.keys().filter(|key| !is_prose(key)).cloned().collect();
        Ok(Generator { schema, steps })
    }

    /// The scenario that these bytes stand for.
    pub fn scenario(&self, bytes: &[u8]) -> Value {
        let mut dice = Dice::new(bytes);
        let names = Names::new(&mut dice);
        let mut making = Making { generator: self, dice, names, steps: 0 };
        let root = self.schema["properties"].as_object().cloned().unwrap_or_default();
        let mut scenario = Map::new();
        // In this order: what is declared first is what the rest speaks of.
        for key in
            ["version", "title", "note", "machine", "user_namespaces", "pernet", "modules", "tasks", "setup"]
        {
            let is_there = matches!(key, "version" | "title" | "note" | "tasks") || !making.dice.one_in(3);
            if let Some(schema) = root.get(key).filter(|_| is_there) {
                scenario.insert(key.to_owned(), making.field("scenario", key, schema, At::default()));
            }
        }
        for (key, schema) in &root {
            let is_there = !scenario.contains_key(key) && !is_prose(key) && !making.dice.one_in(3);
            if is_there && !matches!(key.as_str(), "setup" | "pernet" | "modules" | "user_namespaces") {
                scenario.insert(key.clone(), making.field("scenario", key, schema, At::default()));
            }
        }
        mend::mend(&mut scenario, &making.names, &mut making.dice);
        Value::Object(scenario)
    }
}

fn is_prose(key: &str) -> bool {
    matches!(key, "note" | "$schema")
}

impl Making<'_, '_> {
    /// The value of a field of the type `of`.
    fn field(&mut self, of: &str, key: &str, schema: &Value, at: At) -> Value {
        let at = match (of, key) {
            ("pernet_operations", "init" | "exit") | ("for_each_net" | "for_each_net_rcu", "steps") => {
                At { has_self: true, ..at }
            }
            ("pernet_operations", "exit_batch") | ("module", _) => At { has_self: false, ..at },
            _ => at,
        };
        match self.special(of, key, schema) {
            Some(value) => value,
            None => self.value(schema, at),
        }
    }

    fn value(&mut self, schema: &Value, at: At) -> Value {
        if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/definitions/")) {
            let schema = &self.generator.schema["definitions"][name];
            return match name {
                "step" => self.step(at),
                _ if schema.get("properties").is_some() => self.object(name, schema, at),
                _ => self.value(schema, at), // words
            };
        }
        if let Some(value) = schema.get("const") {
            return value.clone();
        }
        if let Some(values) = schema["enum"].as_array() {
            let values: Vec<&Value> = values.iter().filter(|value| !value.is_null()).collect();
            return self.dice.pick(&values).cloned().unwrap_or_default();
        }
        if schema["anyOf"][0].get("defaultSnippets").is_some() {
            return json!(self.names.event(schema, &mut self.dice));
        }
        for key in ["anyOf", "oneOf", "allOf"] {
            if let Some(schemas) = schema[key].as_array() {
                let schemas: Vec<&Value> = schemas.iter().filter(|schema| schema["type"] != "null").collect();
                return self.dice.pick(&schemas).map_or(Value::Null, |schema| self.value(schema, at));
            }
        }
        let description = schema["description"].as_str().unwrap_or_default();
        match self.kind_of(schema).as_str() {
            "object" => self.object("", schema, at),
            "array" => {
                let n = self.dice.below(if schema["items"]["$ref"] == "#/definitions/step" { 8 } else { 4 });
                (0..n).map(|_| self.value(&schema["items"], at)).collect()
            }
            "integer" => {
                let bound = |key: &str, or: i64| schema[key].as_i64().unwrap_or(or);
                // Where a pointer is expected, a number is an error.
                let most = if description.contains("(a namespace)") { -1 } else { i64::MAX };
                json!(self.dice.number(bound("minimum", i64::from(i32::MIN)), bound("maximum", most)))
            }
            "boolean" => json!(self.dice.one_in(2)),
            "null" => Value::Null,
            _ => json!(self.names.text(description, schema, at.has_self, &mut self.dice)),
        }
    }
    /// One of the types that a value may have. Absent is not null.
    fn kind_of(&mut self, schema: &Value) -> String {
        let is_expectation =
            schema["description"].as_str().is_some_and(|text| text.starts_with("What it gives"));
        let types: Vec<&str> = match &schema["type"] {
            Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
            one => one.as_str().into_iter().collect(),
        };
        let types: Vec<&str> = types.into_iter().filter(|one| *one != "null" || is_expectation).collect();
        self.dice.pick(&types).unwrap_or("object").to_owned()
    }

    fn object(&mut self, of: &str, schema: &Value, at: At) -> Value {
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut object = Map::new();
        let at = match of {
            "task" => {
                let in_interrupt = self.dice.one_in(5);
                self.names.in_interrupt = in_interrupt;
                At { in_interrupt, ..at }
            }
            _ => at,
        };
        for (key, schema) in schema["properties"].as_object().into_iter().flatten() {
            let is_there = required.contains(&key.as_str()) || self.is_wanted(of, key);
            if is_there && !is_prose(key) {
                object.insert(key.clone(), self.field(of, key, schema, at));
            }
        }
        if schema["additionalProperties"].is_object() {
            for _ in 0..self.dice.below(3) {
                let name = self.names.any_binding(&mut self.dice);
                object.insert(name, self.value(&schema["additionalProperties"], at));
            }
        }
        Value::Object(object)
    }

    /// Whether a field that may be left out is given.
    fn is_wanted(&mut self, of: &str, key: &str) -> bool {
        match (of, key) {
            (_, "steps" | "as" | "until") => !self.dice.one_in(6),
            ("run", "seed" | "schedule" | "patches") => self.dice.one_in(2),
            ("run", _) | ("machine", _) | (_, "expect") => self.dice.one_in(5),
            _ => self.dice.one_in(3),
        }
    }

    fn step(&mut self, at: At) -> Value {
        self.steps += 1;
        let mut name = "cond_resched".to_owned();
        for _ in 0..8 {
            let all: Vec<&String> = self.generator.steps.iter().collect();
            name = self.dice.pick(&all).cloned().unwrap_or(name);
            let is_deep = at.depth >= MAX_DEPTH || self.steps >= MAX_STEPS;
            let has_steps = |name: &str| matches!(name, "loop" | "takes" | "rcu_read" | "call_rcu");
            let is_walk = name.starts_with("for_each_net");
            let needs_process = matches!(name.as_str(), "unshare" | "setns" | "clone" | "exit" | "open");
            if !(is_deep && (has_steps(&name) || is_walk) || at.in_interrupt && needs_process) {
                break;
            }
            name = "cond_resched".to_owned();
        }
        let schema = &self.generator.schema["definitions"][name.as_str()];
        let inside = self.object(&name, schema, At { depth: at.depth + 1, ..at });
        let inside = if inside.is_object() { inside } else { json!({}) };
        json!({ name: inside })
    }
}
