// SPDX-License-Identifier: GPL-2.0-only
//! JSON lines. Every line is an object with a `reason` and the number of the format; fields keep their names and
//! their order.

use std::collections::BTreeMap;

use machine::{Access, Alarm, Bug, Cell, Finding, Loc, TakenLock};
use serde::Serialize;

use crate::{
    Scene,
    finding::{function, function_of_finding, key, title},
    words::{Words, plain_name},
};

/// The format's number. It is raised when a field changes its meaning or goes.
pub const FORMAT: u32 = 1;

/// The verdict of a run, as [`result`] writes it.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome<'a> {
    /// The scenario's file.
    pub file: &'a str,
    /// The run's name.
    pub run: &'a str,
    /// Whether everything was as expected.
    pub ok: bool,
    /// How the execution ended; null if there were several that ended differently.
    pub outcome: Option<&'a str>,
    /// How many operations it had.
    pub steps: u64,
    /// How much virtual time it took, in nanoseconds, null without a clock.
    pub time: Option<u64>,
    /// Its trace hash.
    pub hash: String,
    /// Its seed, if it had one.
    pub seed: Option<u64>,
    /// Its schedule, if it had one.
    pub schedule: Option<&'a str>,
    /// The schedule that repeats it in any case; null if there were several executions.
    pub recorded: Option<&'a str>,
    /// The codes of its findings.
    pub findings: Vec<&'a str>,
    /// What was not as expected.
    pub failures: Vec<String>,
    /// What became of its sweep, if it had one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sweep: Option<String>,
    /// What was so in how many executions, if it had several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seeds: Option<Seeds>,
    /// The command that repeats it.
    pub replay: &'a str,
    /// What is left at the end.
    pub end_state: Vec<&'a str>,
}

/// What became of the executions of a run with seeds.
#[derive(Clone, Debug, Serialize)]
pub struct Seeds {
    /// How many there were.
    pub executions: u64,
    /// How many there should have been.
    pub expected: u64,
    /// How they ended, each of `done`, `deadlock`, `panic`, `stopped`, `limit` that there was.
    pub outcomes: BTreeMap<String, Observation>,
    /// The kinds of findings that there were or that were expected, by their codes.
    pub findings: BTreeMap<String, Observation>,
}

/// In how many executions something was so.
#[derive(Clone, Debug, Serialize)]
pub struct Observation {
    /// In one word: never, sometimes, always.
    pub observation: &'static str,
    /// In a number.
    pub executions: u64,
    /// The seed of the first; null if there is none.
    pub first: Option<u64>,
}

/// What is wrong with a file or an argument, as [`error`] writes it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Message<'a> {
    /// The code of an error in a scenario: `S006`.
    pub code: Option<&'a str>,
    /// What is wrong.
    pub message: &'a str,
    /// Where, if it is about a place in a file.
    pub file: Option<&'a str>,
    /// The line there, from 1.
    pub line: Option<usize>,
    /// The column, from 1, in characters.
    pub column: Option<usize>,
    /// What to do about it.
    pub help: Option<&'a str>,
    /// What people read instead.
    pub rendered: &'a str,
}

#[derive(Serialize)]
struct Line<T> {
    reason: &'static str,
    format: u32,
    #[serde(flatten)]
    content: T,
}

#[derive(Serialize)]
struct Found<'a> {
    file: &'a str,
    run: &'a str,
    code: &'static str,
    /// The same in every run that hits the same bug.
    key: String,
    title: String,
    time: Option<u64>,
    cpu: u32,
    by: Who,
    scenario: Option<Step<'a>>,
    object: Option<Object<'a>>,
    access: Option<&'static str>,
    marked: Option<bool>,
    allocated: Option<Who>,
    freed: Option<Who>,
    earlier: Option<Who>,
    waits_for: Option<&'a str>,
    holders: Vec<Who>,
    /// The one that is taken, if it is about one, and those that are held.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locks: Vec<Lock<'a>>,
    stack: Vec<Call>,
    text: String,
}

/// The step of the scenario that the task was in.
#[derive(Serialize)]
struct Step<'a> {
    path: &'a str,
    line: usize,
}

#[derive(Serialize)]
struct Object<'a> {
    name: &'a str,
    r#type: &'static str,
    cache: &'static str,
    size: usize,
    offset: usize,
    field: Option<&'static str>,
}

#[derive(Serialize)]
struct Who {
    task: String,
    pid: i32,
    function: String,
    #[serde(flatten)]
    place: Option<Place>,
    step: u64,
}

#[derive(Serialize)]
struct Lock<'a> {
    class: &'a str,
    name: Option<String>,
    usage: &'a str,
    taken: Who,
}

/// A line of kernel code.
#[derive(Serialize)]
struct Place {
    file: &'static str,
    line: u32,
}

#[derive(Serialize)]
struct Call {
    function: &'static str,
    argument: String,
    #[serde(flatten)]
    place: Option<Place>,
}

/// The line of a run's verdict.
pub fn result(outcome: &Outcome<'_>) -> String {
    line("result", outcome)
}

/// The line of an error.
pub fn error(message: &Message<'_>) -> String {
    line("error", message)
}

/// The line of what is no error, and worth knowing.
pub fn note(message: &Message<'_>) -> String {
    line("note", message)
}

/// The line of a mutant: the statement, what was done to it, what became of it, and why.
pub fn mutant(site: &str, operator: &str, verdict: &str, why: &str) -> String {
    line("mutant", &Mutant { site, operator, verdict, why })
}

/// A damaged statement.
#[derive(Debug, Serialize)]
struct Mutant<'a> {
    site: &'a str,
    operator: &'a str,
    verdict: &'a str,
    why: &'a str,
}

/// The line of a finding in the run `run`.
pub fn finding(scene: &Scene<'_>, run: &str, finding: &Finding) -> String {
    let Scene { bus, cpu, file, .. } = *scene;
    let place = |loc: Loc| {
        let is_kernel = !(scene.is_of_simulator)(loc);
        is_kernel.then(|| Place { file: loc.file(), line: loc.line() })
    };
    let who = |access: &Access| Who {
        task: bus.name(access.task),
        pid: scene.pid(access.id),
        function: function(scene, access),
        place: place(access.loc),
        step: access.step,
    };
    let words = Words { bus };
    let mut found = Found {
        file,
        run,
        code: finding.code(),
        key: key(scene, finding),
        title: title(scene, finding),
        time: scene.time,
        cpu,
        by: Who { function: function_of_finding(scene, finding), ..who(&finding.by) },
        scenario: scene.step.map(|(path, line)| Step { path, line }),
        object: None,
        access: None,
        marked: None,
        allocated: None,
        freed: None,
        earlier: None,
        waits_for: None,
        holders: Vec::new(),
        locks: Vec::new(),
        stack: Vec::new(),
        text: crate::finding::text(scene, finding),
    };
    found.stack.extend(finding.stack.iter().rev().map(|frame| Call {
        function: frame.function.name,
        argument: words.argument(frame.arg),
        place: place(frame.loc),
    }));
    match &finding.bug {
        Bug::UseAfterFree { cell, kind, allocated, freed } => {
            (found.object, found.access) = (Some(object(cell)), Some(kind.name()));
            (found.allocated, found.freed) = (Some(who(allocated)), Some(who(freed)));
        }
        Bug::DoubleFree { cell, allocated, freed } => {
            (found.object, found.access) = (Some(object(cell)), Some("free"));
            (found.allocated, found.freed) = (Some(who(allocated)), Some(who(freed)));
        }
        Bug::InvalidFree { cell } => (found.object, found.access) = (Some(object(cell)), Some("free")),
        Bug::OutOfBounds { cell, kind, allocated, .. } => {
            (found.object, found.access) = (Some(object(cell)), Some(kind.name()));
            found.allocated = Some(who(allocated));
        }
        Bug::DataRace { cell, kind, marked, earlier, .. } => {
            (found.object, found.access) = (Some(object(cell)), Some(kind.name()));
            (found.marked, found.earlier) = (Some(*marked), Some(who(earlier)));
        }
        Bug::UnorderedFree { cell, used } => {
            (found.object, found.access) = (Some(object(cell)), Some("free"));
            found.earlier = Some(who(used));
        }
        Bug::Deadlock { what, holders, .. } => {
            found.waits_for = Some(what);
            found.holders.extend(holders.iter().map(who));
        }
        Bug::Lockdep(report) => {
            found.object = report.lock.lock.as_ref().map(object);
            let locks = std::iter::once(&report.lock).chain(&report.held);
            found.locks.extend(locks.map(|lock| taken(lock, who(&lock.at))));
        }
        Bug::LocksHeld { held, .. } => {
            found.locks.extend(held.iter().map(|lock| taken(lock, who(&lock.at))));
        }
        Bug::Refcount { cell, .. } => found.object = Some(object(cell)),
        Bug::Watchdog(alarm) => match &**alarm {
            Alarm::HungTask { what, holders, .. } => {
                found.waits_for = Some(what);
                found.holders.extend(holders.iter().map(who));
            }
            Alarm::RcuStall(stall) => {
                found.waits_for = Some("a grace period");
                let cpus = stall.cpus.iter().map(|(_, runs)| runs);
                found.holders.extend(cpus.chain(&stall.tasks).map(who));
            }
            Alarm::SoftLockup { .. } | Alarm::HardLockup { .. } | Alarm::WorkqueueLockup { .. } => {}
        },
        Bug::MemoryLeak { cell, .. } => found.object = Some(object(cell)),
        Bug::SuspiciousRcu { .. } | Bug::ListCorruption { .. } | Bug::Invariant { .. } => {}
        Bug::Oops { .. } | Bug::BadUnlock { .. } | Bug::SleepInAtomic { .. } | Bug::Warning { .. } => {}
    }
    line("finding", found)
}

fn taken(lock: &TakenLock, taken: Who) -> Lock<'_> {
    let name = lock.lock.as_ref().map(ToString::to_string);
    Lock { class: &lock.class, name, usage: &lock.usage, taken }
}

fn object(cell: &Cell) -> Object<'_> {
    Object {
        name: &cell.object,
        r#type: cell.class,
        cache: cell.cache,
        size: cell.size,
        offset: cell.offset,
        field: cell.field.map(plain_name),
    }
}

fn line<T: Serialize>(reason: &'static str, content: T) -> String {
    // Only maps whose keys are no strings cannot be written, and there are none.
    serde_json::to_string(&Line { reason, format: FORMAT, content }).unwrap_or_default()
}
