// SPDX-License-Identifier: GPL-2.0-only
//! Conformance: the port against recordings of the original C file.
//!
//! A recording is a file of JSON lines, one sequence of operations each, with every result, event and state that
//! v4.11's `net/core/net_namespace.c`, compiled for user space, had. The runner sees only the operations; what the
//! port did is compared when it has done all of them.

mod compare;
mod contexts;
mod events;
mod execute;
mod experiment;
mod names;
mod pernet;
mod state;
mod tasks;

use std::{cell::RefCell, rc::Rc};

use kernel::{Kernel, Points, Slab};
use machine_sim::{Checks, Config, Preempt, Sim};
use netns::{Changes, NetNs};
use serde_json::Value;

pub use compare::Difference;
use contexts::Contexts;
use execute::Actor;
pub use experiment::{
    Profile, experiments, judge_experiment, observe_experiment, run_experiment, run_experiments,
};

/// What became of one sequence.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The port did what the original did.
    Agree,
    /// It did not.
    Differ(Difference),
    /// It was not run, for this reason.
    Skipped(String),
    /// The line is no sequence.
    Invalid(String),
}

/// One line of a recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The number of the line, from 1.
    pub number: usize,
    /// The name of the sequence.
    pub id: String,
    /// What it is about.
    pub title: String,
    /// What became of it.
    pub verdict: Verdict,
}

/// What a run of the operations of one sequence showed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// The result of each operation that was completed, and null for the one that was not.
    pub results: Vec<Value>,
    /// The events during each.
    pub events: Vec<Vec<Value>>,
    /// The state after each.
    pub states: Vec<Value>,
    /// How it ended early: undefined behaviour, an oops, a panic, an endless loop.
    pub ub: Option<String>,
}

/// Runs every sequence of a recording.
pub fn run_file(text: &str) -> impl Iterator<Item = Line> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(index, line)| run_line(index + 1, line))
}

/// Runs one sequence: line `number` of a recording, counted from 1.
pub fn run_line(number: usize, line: &str) -> Line {
    let invalid = |why: String| Line {
        number,
        id: String::new(),
        title: String::new(),
        verdict: Verdict::Invalid(why),
    };
    let recording: Value = match serde_json::from_str(line) {
        Ok(recording) => recording,
        Err(error) => return invalid(error.to_string()),
    };
    let text = |key: &str| recording[key].as_str().unwrap_or_default().to_owned();
    let (Some(ops), Some(_)) = (recording["ops"].as_array(), recording["results"].as_array()) else {
        return invalid("a sequence has `ops` and `results`".to_owned());
    };
    let verdict = match unmodelled(ops) {
        Some(why) => Verdict::Skipped(why.to_owned()),
        None => {
            let observed = observe(ops, recording["config"] != "n");
            match judge(&recording, &observed) {
                Ok(()) => Verdict::Agree,
                Err(difference) => Verdict::Differ(difference),
            }
        }
    };
    Line { number, id: text("id"), title: text("title"), verdict }
}

/// Compares everything that a recording holds with what was observed.
///
/// # Errors
///
/// The first difference.
pub fn judge(recording: &Value, observed: &Observed) -> Result<(), Difference> {
    compare::compare(recording, observed)
}

/// Why a sequence cannot be judged: it makes allocations fail that the model does not make.
fn unmodelled(ops: &[Value]) -> Option<&'static str> {
    let nested = |op: &Value| {
        ["do", "exit_do", "batch_do"]
            .into_iter()
            .map(|key| &op[key])
            .chain([&op["init"]["do"]])
            .filter_map(Value::as_array)
            .find_map(|ops| unmodelled(ops))
    };
    ops.iter().find_map(|op| match (op["op"].as_str(), op["kind"].as_str()) {
        (Some("fail_alloc"), Some("node")) => Some("tree nodes are not modelled (docs/MODEL.md)"),
        (Some("fail_alloc"), Some("any")) => {
            Some("tree nodes are not modelled, and `any` includes them (docs/MODEL.md)")
        }
        _ => nested(op),
    })
}

/// Runs operations, one after the other, and writes down what can be seen of them.
pub fn observe(ops: &[Value], net_ns: bool) -> Observed {
    let config = Config {
        cpus: 64, // every context has one of its own
        preempt: Preempt::Full,
        slab: Slab::Exact,
        checks: Checks { kasan: true, kcsan: false },
        points: Points { might_sleep: true, release: true, ..Points::default() },
        max_steps: 500_000,
        ..Config::default()
    };
    let observed = Rc::new(RefCell::new(Observed::default()));
    let mut sim = Sim::new(config);
    let mut contexts = Contexts::new(sim.bus(), observed.clone());
    let (shared, ops) = (contexts.shared(), ops.to_vec());
    let outcome = sim.run(&mut contexts, |bus| async move {
        let kernel = Kernel::new(&bus);
        kernel.run_work_by_hand();
        kernel.offload_callbacks(0);
        let config = netns::Config { net_ns, max_net_namespaces: 1000 };
        let Some(ns) = NetNs::new(kernel, config, Changes::none()) else { return };
        Actor::new(ns, shared).run(&ops).await;
    });
    contexts.ended(outcome);
    drop(contexts);
    drop(sim);
    observed.take()
}
