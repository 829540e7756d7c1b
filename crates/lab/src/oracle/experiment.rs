// SPDX-License-Identifier: GPL-2.0-only
//! Conformance: the port against experiments on a real kernel.
//!
//! A file of experiments is one JSON object: what was done to a kernel of the 6.18 series, request by request, and
//! every byte that came back. The port does the same; with the profile of v4.11, what is expected follows by rules
//! from what was recorded, and with that of 6.18, the port has the patches that make the difference.

mod adapt;
mod exchange;
mod input;
mod message;
mod others;
mod play;

use netns::{Changes, Patch};
use serde_json::{Map, Value};

use super::{Difference, Line, Verdict};
use adapt::Adapter;
use input::{Operation, Refusal};
use play::{Played, play};

/// Which kernel the port is to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// v4.11 as it is.
    #[default]
    V4_11,
    /// The kernel that was recorded: with all patches that it has.
    V6_18,
}

impl Profile {
    fn patches(self) -> Changes {
        match self {
            Profile::V4_11 => Changes::none(),
            Profile::V6_18 => {
                let is_there = |patch: &Patch| *patch != Patch::ClearNsidIsSet && patch.is_upstream(); // 2026
                Changes::from_iter(Patch::ALL.iter().copied().filter(is_there))
            }
        }
    }
}

/// What the experiments that are recorded here do not say of themselves.
const KNOWN: &str = include_str!("../../tests/recordings/real-kernel-nsid-known.json");

/// The experiments of a file; none if it is no such file.
pub fn experiments(text: &str) -> Option<Vec<Value>> {
    let mut file: Value = serde_json::from_str(text).ok()?;
    match file.get_mut("experiments")?.take() {
        Value::Array(experiments) => Some(experiments),
        _ => None,
    }
}

/// Runs every experiment of a file; none if it is no such file.
pub fn run_experiments(text: &str, profile: Profile) -> Option<impl Iterator<Item = Line>> {
    let all = experiments(text)?;
    Some((1..).zip(all).map(move |(number, experiment)| run_experiment(number, &experiment, profile)))
}

/// Runs one experiment: the one of this number in its file, counted from 1.
pub fn run_experiment(number: usize, experiment: &Value, profile: Profile) -> Line {
    let text = |key: &str| experiment[key].as_str().unwrap_or_default().to_owned();
    let verdict = match observe_experiment(experiment, profile) {
        Ok(observed) => match judge_experiment(experiment, &observed, profile) {
            Ok(()) => Verdict::Agree,
            Err(difference) => Verdict::Differ(difference),
        },
        Err(verdict) => verdict,
    };
    Line { number, id: text("id"), title: text("title"), verdict }
}

/// What the port does in an experiment. Results that the file holds are not looked at.
///
/// # Errors
///
/// The verdict, where it cannot be run.
pub fn observe_experiment(experiment: &Value, profile: Profile) -> Result<Vec<Value>, Verdict> {
    if let Some(why) = known(experiment)["skip"].as_str() {
        return Err(Verdict::Skipped(why.to_owned()));
    }
    let operations = input::parse(experiment).map_err(|refusal| match refusal {
        Refusal::Unmodelled(why) => Verdict::Skipped(why),
        Refusal::Invalid(why) => Verdict::Invalid(why),
    })?;
    let Played { outputs, trouble } = play(&operations, profile.patches());
    match trouble {
        None => Ok(outputs),
        Some(why) => Err(Verdict::Invalid(format!("step {}: {why}", outputs.len() + 1))),
    }
}

/// What is known of an experiment beside what it says.
fn known(experiment: &Value) -> Value {
    let is_it = |known: &&Value| known["id"] == experiment["id"] && known["title"] == experiment["title"];
    experiments(KNOWN).into_iter().flatten().find(|known| is_it(&known)).unwrap_or(Value::Null)
}

/// Compares what was observed with what the kernel of this profile does.
///
/// # Errors
///
/// The first difference.
pub fn judge_experiment(experiment: &Value, observed: &[Value], profile: Profile) -> Result<(), Difference> {
    let none = Vec::new();
    let steps = experiment["steps"].as_array().unwrap_or(&none);
    let Ok(operations) = input::parse(experiment) else {
        let (original, port) = ("operations".to_owned(), "none".to_owned());
        return Err(Difference { operation: 0, what: "steps".to_owned(), original, port });
    };
    let mut adapter = Adapter::default();
    for (index, operation) in operations.iter().enumerate() {
        let recorded = recorded(operation, &steps[index]);
        let expected = match profile {
            Profile::V4_11 => adapter.adapt(operation, &recorded).unwrap_or(recorded),
            Profile::V6_18 => recorded,
        };
        let port = observed.get(index).unwrap_or(&Value::Null);
        if let Some(what) = difference(&expected, port) {
            return Err(Difference {
                operation: index,
                original: expected[&what].to_string(),
                port: port[&what].to_string(),
                what,
            });
        }
    }
    Ok(())
}

/// What differs between two outputs.
fn difference(expected: &Value, port: &Value) -> Option<String> {
    let Some(fields) = expected.as_object() else { return Some(String::new()) };
    let port_keys = port.as_object().into_iter().flatten().map(|(key, _)| key);
    let keys = fields.keys().chain(port_keys);
    let same = |key: &str| match key {
        "pairs" => same_pairs(&expected[key], &port[key]),
        _ => expected[key] == port[key],
    };
    keys.into_iter().find(|key| !same(key)).cloned()
}

/// Who wins a race differs from run to run; that there is one winner each time does not.
fn same_pairs(expected: &Value, port: &Value) -> bool {
    let none = Map::new();
    let (expected, port) = (expected.as_object().unwrap_or(&none), port.as_object().unwrap_or(&none));
    let sum = |pairs: &Map<String, Value>| pairs.values().filter_map(Value::as_u64).sum::<u64>();
    sum(expected) == sum(port) && port.keys().all(|pair| expected.contains_key(pair))
}

/// What was recorded of an operation, in the form of an output.
fn recorded(operation: &Operation, step: &Value) -> Value {
    let keys: &[&str] = match operation {
        Operation::Request(_) => &["result", "replies"],
        Operation::Dump(_) => &["ids", "datagrams", "result", "replies"],
        Operation::DumpAfter(_) => &["pages", "ids_reported", "ids_live", "ids_are_a_prefix"],
        Operation::Notified(_) => &["messages", "count"],
        Operation::Overrun => &["sent", "received", "sequence"],
        Operation::Unprivileged(_) | Operation::Userns(_) => &["results"],
        Operation::Race(_) => return without(step, &["op", "note"]),
        _ => &[],
    };
    let mut output = Map::new();
    for key in keys {
        output.insert((*key).to_owned(), step[key].clone());
    }
    let mut output = Value::Object(output);
    if let Some(replies) = output.get_mut("replies") {
        *replies = digits(replies);
    }
    for message in output.get_mut("messages").and_then(Value::as_array_mut).into_iter().flatten() {
        *message = without(message, &["decoded"]);
    }
    if matches!(operation, Operation::Unprivileged(_)) {
        for result in output["results"].as_array_mut().into_iter().flatten() {
            // Which port it was is not said.
            let replies = digits(&result["replies"]);
            let without_port = |hex: &Value| match hex.as_str() {
                Some(hex) if hex.is_ascii() && hex.len() >= 32 => {
                    Value::from(format!("{}00000000{}", &hex[..24], &hex[32..]))
                }
                _ => hex.clone(),
            };
            let replies: Vec<Value> = replies.as_array().into_iter().flatten().map(without_port).collect();
            *result = serde_json::json!({ "replies": replies });
        }
    }
    output
}

/// Of messages, their bytes.
fn digits(messages: &Value) -> Value {
    match messages.as_array() {
        Some(messages) => messages.iter().map(|message| message["hex"].clone()).collect(),
        None => Value::Null,
    }
}

fn without(value: &Value, keys: &[&str]) -> Value {
    let fields = value.as_object().into_iter().flatten();
    let kept = fields.filter(|(key, _)| !keys.contains(&key.as_str()));
    Value::Object(kept.map(|(key, value)| (key.clone(), value.clone())).collect())
}
