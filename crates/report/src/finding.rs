// SPDX-License-Identifier: GPL-2.0-only
//! Findings in the shape in which the kernel's own tools report them. The first line of each is the line that people
//! search a log for.

mod explain;
mod kasan;
mod kcsan;
mod key;
mod kmemleak;
mod lockdep;
mod oops;
mod tasks;
mod title;
mod watchdog;

use std::fmt::Write as _;

use machine::{Access, Bug, Finding, Loc};

use self::title::timed_title;
pub(crate) use self::title::{function, function_of_finding};
pub use self::{
    explain::{EXPLANATIONS, explain},
    key::key,
    title::title,
};
use crate::{Scene, words::Words};

/// The line above and below what KASAN and KCSAN report.
const RULE: &str = "==================================================================";

/// A report as it grows.
struct Report<'a> {
    words: Words<'a>,
    scene: &'a Scene<'a>,
    finding: &'a Finding,
    text: String,
}

/// The report of a finding.
pub fn text(scene: &Scene<'_>, finding: &Finding) -> String {
    let mut report = Report { words: Words { bus: scene.bus }, scene, finding, text: String::new() };
    match &finding.bug {
        Bug::UseAfterFree { .. } | Bug::DoubleFree { .. } => report.kasan(),
        Bug::InvalidFree { .. } | Bug::OutOfBounds { .. } => report.kasan(),
        Bug::DataRace { .. } | Bug::UnorderedFree { .. } => report.kcsan(),
        Bug::Deadlock { what, op, holders } => report.hung_task(what, *op, holders),
        Bug::BadUnlock { what } => report.bad_unlock(what),
        Bug::SleepInAtomic { preempt_count, irqs_disabled, rcu_nesting, .. } => {
            report.sleep_in_atomic(*preempt_count, *irqs_disabled, *rcu_nesting);
        }
        Bug::Warning { .. } => report.warning(),
        Bug::Lockdep(lock) => report.lockdep(lock),
        Bug::LocksHeld { leaving, held } => report.locks_held(*leaving, held),
        Bug::ListCorruption { .. } | Bug::Refcount { .. } => report.warning(),
        Bug::SuspiciousRcu { what } => report.suspicious_rcu(what),
        Bug::Watchdog(alarm) => report.alarm(alarm),
        Bug::MemoryLeak { .. } => report.unreferenced(),
        Bug::Invariant { .. } => report.invariant(),
        Bug::Oops { fault, target } => report.oops(*fault, target),
    }
    report.text
}

/// A finding of which an earlier one has told everything but the place: a use of the same object after it was freed.
/// A kernel shows only the first of these.
pub fn is_of_same_object(earlier: &Finding, finding: &Finding) -> bool {
    match (&earlier.bug, &finding.bug) {
        (Bug::UseAfterFree { cell: first, .. }, Bug::UseAfterFree { cell, .. }) => {
            first.object == cell.object
        }
        _ => false,
    }
}

/// The same in one line, for [those](is_of_same_object) that need no more.
pub fn line(scene: &Scene<'_>, finding: &Finding) -> String {
    let by = finding.by;
    let title = timed_title(scene, finding);
    format!("{title}, by task {}/{}, step {}", scene.bus.name(by.task), scene.pid(by.id), by.step)
}

impl Report<'_> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }
    /// The line that people search a log for, and when it would stand there.
    fn title(&mut self) {
        let title = timed_title(self.scene, self.finding);
        self.line(&title);
    }
    /// `lookup/101`
    fn task(&self, access: &Access) -> String {
        format!("{}/{}", self.words.bus.name(access.task), self.scene.pid(access.id))
    }
    /// Who met it, and where.
    fn cpu_line(&mut self) {
        let by = self.finding.by;
        let comm = self.words.bus.name(by.task);
        let pid = self.scene.pid(by.id);
        let line = format!("CPU: {} PID: {pid} Comm: {comm} Step: {}", self.scene.cpu, by.step);
        self.line(&line);
    }
    /// The functions that the task was in, innermost first.
    fn call_trace(&mut self) {
        self.line("Call Trace:");
        self.frames();
    }
    fn frames(&mut self) {
        let (by, stack) = (self.finding.by, &self.finding.stack);
        let mut frames = Vec::new();
        let mut step = self.scene.step();
        if stack.is_empty() {
            frames.push(self.at(&function_of_finding(self.scene, self.finding), by.loc));
        }
        if self.scene.callers >= stack.len() {
            // It has called none of these.
            frames.extend(step.take().map(|(path, place)| format!(" {path}  {place}")));
        }
        for (index, frame) in stack.iter().enumerate().rev() {
            // Of the innermost function the very line is known, of the others where they begin.
            let loc = if index + 1 == stack.len() { by.loc } else { frame.loc };
            let function = format!("{}({})", frame.function.name, self.words.argument(frame.arg));
            match step.take_if(|_| index == self.scene.callers) {
                // A function that stands for the step itself.
                Some((path, place)) if self.scene.place(loc).is_none() => {
                    frames.push(format!(" {function}  {place}, {path}"));
                }
                Some((path, place)) => {
                    frames.extend([self.at(&function, loc), format!(" {path}  {place}")]);
                }
                None => frames.push(self.at(&function, loc)),
            }
        }
        for frame in frames {
            self.line(&frame);
        }
    }
    /// ` put_net  crates/netns/src/refs.rs:17`
    fn at(&self, function: &str, loc: Loc) -> String {
        match self.scene.place(loc) {
            Some(place) => format!(" {function}  {place}"),
            None => format!(" {function}"),
        }
    }
    /// `Freed by task put/100:` and the function.
    fn access(&mut self, what: &str, access: &Access) {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = write!(text, "{what} by task {}, step {}:", self.task(access), access.step);
        self.line(&text);
        self.access_at(access);
    }
    /// ` put_net  crates/netns/src/refs.rs:17`
    fn access_at(&mut self, access: &Access) {
        self.line(&self.at(&function(self.scene, access), access.loc));
    }
}
