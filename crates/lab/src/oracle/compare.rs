// SPDX-License-Identifier: GPL-2.0-only
//! What the port did against what the original did.

use std::fmt;

use serde_json::Value;

use super::Observed;

/// The first difference between two runs of a sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// At which operation, from 0.
    pub operation: usize,
    /// What differs: `result`, `event 3`, `state.nets`.
    pub what: String,
    /// The recording's.
    pub original: String,
    /// The port's.
    pub port: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "operation {}, {}", self.operation, self.what)?;
        writeln!(f, "  original: {}", self.original)?;
        write!(f, "  port:     {}", self.port)
    }
}

fn differ(operation: usize, what: impl Into<String>, original: &Value, port: &Value) -> Difference {
    Difference { operation, what: what.into(), original: original.to_string(), port: port.to_string() }
}

/// Compares everything that was recorded, operation by operation.
pub(super) fn compare(recording: &Value, observed: &Observed) -> Result<(), Difference> {
    let none = Vec::new();
    let list = |key: &str| recording[key].as_array().unwrap_or(&none);
    let (results, events, states) = (list("results"), list("events"), list("states"));
    for (i, result) in results.iter().enumerate() {
        let port = observed.events.get(i).map_or(&[][..], Vec::as_slice);
        compare_events(i, events.get(i).and_then(Value::as_array).unwrap_or(&none), port)?;
        let port = observed.results.get(i).unwrap_or(&Value::Null);
        if result != port {
            return Err(differ(i, "result", result, port));
        }
        for state in states.iter().filter(|state| state["after"] == i) {
            let port = observed.states.get(i).unwrap_or(&Value::Null);
            compare_states(i, &state["state"], port)?;
        }
    }
    let ub = recording["ub"].as_str();
    if ub.map(normal) != observed.ub.as_deref().map(normal) {
        let port = Value::from(observed.ub.clone());
        return Err(differ(results.len().saturating_sub(1), "end", &recording["ub"], &port));
    }
    if observed.results.len() != results.len() {
        let text = format!("{} operations", results.len());
        let port = format!("{} operations", observed.results.len());
        return Err(differ(results.len(), "length", &text.into(), &port.into()));
    }
    Ok(())
}

/// An endless loop is one, wherever the recorder lost its patience.
fn normal(ub: &str) -> &str {
    if ub.starts_with("endless loop") { "endless loop" } else { ub }
}

fn compare_events(i: usize, original: &[Value], port: &[Value]) -> Result<(), Difference> {
    let is_cut = |event: &Value| event[0] == "truncated";
    // Of an endless loop, the first hundred events are recorded.
    let cut = original.iter().position(is_cut).or_else(|| {
        let loops = original
            .last()
            .and_then(|event| event["ub"].as_str())
            .is_some_and(|ub| ub.starts_with("endless"));
        loops.then(|| original.len() - 1)
    });
    let to_compare = cut.unwrap_or_else(|| original.len().max(port.len()));
    for n in 0..to_compare {
        let (original, port) = (original.get(n).unwrap_or(&Value::Null), port.get(n).unwrap_or(&Value::Null));
        if original != port {
            return Err(differ(i, format!("event {n}"), original, port));
        }
    }
    Ok(())
}

/// Every field of the recording but the number of tree nodes.
fn compare_states(i: usize, original: &Value, port: &Value) -> Result<(), Difference> {
    let Some(fields) = original.as_object() else { return Ok(()) };
    for (key, original) in fields {
        let mut original = original.clone();
        if let Some(live) = original.as_object_mut().filter(|_| key == "live") {
            live.remove("node");
        }
        if original != port[key] {
            return Err(differ(i, format!("state.{key}"), &original, &port[key]));
        }
    }
    let extra = port.as_object().into_iter().flatten().find(|(key, _)| !fields.contains_key(*key));
    match extra {
        Some((key, value)) => Err(differ(i, format!("state.{key}"), &Value::Null, value)),
        None => Ok(()),
    }
}
