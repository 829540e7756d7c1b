// SPDX-License-Identifier: GPL-2.0-only
//! Tasks, each of their copies, with everything looked up that is referred to.

use machine::Clock;

use super::user_ns;
use crate::{
    check::{Checker, MAX_STEPS},
    diagnostic::Diagnostic,
    format::{TaskText, interrupt_name},
    scenario::{MachineConfig, Task},
    source::Seg,
};

/// Tasks, copies counted.
const MAX_TASKS: usize = 4096;

/// A task, or a copy of one.
#[derive(Debug)]
pub(super) struct TaskCopy {
    /// Its place in the list of tasks.
    pub(super) index: usize,
    /// Which copy it is, from 1; none if it is the only one.
    pub(super) copy: Option<u32>,
    pub(super) name: String,
    pub(super) text: TaskText,
}

/// Every copy of every task: `NAME-1`, `NAME-2` ...
pub(super) fn copies(cx: &mut Checker<'_>, tasks: Vec<TaskText>) -> Vec<TaskCopy> {
    let mut all = Vec::new();
    for (index, text) in tasks.into_iter().enumerate() {
        let Some(copies) = text.copies else {
            all.push(TaskCopy { index, copy: None, name: text.name.clone(), text });
            continue;
        };
        let too_many = if all.len() + copies.usize() > MAX_TASKS {
            Some(format!("there are more than {MAX_TASKS} tasks"))
        } else if text.steps.count().saturating_mul(copies.usize()) > MAX_STEPS {
            Some(format!("there are more than {MAX_STEPS} steps"))
        } else {
            None
        };
        if let Some(message) = too_many {
            let diagnostic = Diagnostic::new("S015", message);
            let path = [Seg::Key("tasks"), Seg::Index(index), Seg::Key("copies")];
            cx.within(path, |cx| cx.report(diagnostic.help("copies count"), "too many"));
            return all;
        }
        for copy in 1..=copies.u32() {
            let name = format!("{}-{copy}", text.name);
            all.push(TaskCopy { index, copy: Some(copy), name, text: text.clone() });
        }
    }
    all
}

pub(super) fn tasks(cx: &mut Checker<'_>, copies: Vec<TaskCopy>, machine: &MachineConfig) -> Vec<Task> {
    let (cpus, is_timed) = (machine.cpus, machine.clock != Clock::Untimed);
    let mut all = Vec::new();
    for TaskCopy { index, copy, name, text: task } in copies {
        let mut of_task = None;
        cx.within([Seg::Key("tasks"), Seg::Index(index)], |cx| {
            cx.within_copy(copy, |cx| {
                if let Some(cpu) = task.cpu.filter(|cpu| cpu.u32() >= cpus) {
                    let message = format!("there is no CPU {}: the machine has {cpus}", cpu.0);
                    let path = [Seg::Key("machine"), Seg::Key("cpus")];
                    let declared = cx.label_of(&path, format!("CPUs 0 to {}", cpus - 1));
                    let diagnostic = Diagnostic::new("S033", message).label(declared);
                    cx.within([Seg::Key("cpu")], |cx| cx.report(diagnostic, "no such CPU"));
                }
                if task.after.is_some() && !is_timed {
                    let diagnostic = Diagnostic::new("S050", "`after` has no effect without a clock");
                    let help = "add `\"clock\": \"timed\"` to the machine";
                    cx.within([Seg::Key("after")], |cx| cx.report_key(diagnostic.help(help), "no effect"));
                }
                check_begin(cx, &task, machine);
                if let Some(name) = interrupt_name(task.context.kind()) {
                    check_interrupt(cx, name, &task);
                }
                of_task = user_ns(cx, "user_ns", task.user_ns.as_deref());
            });
        });
        all.push(Task {
            name,
            context: task.context.kind(),
            cpu: task.cpu.map(|cpu| cpu.u32()),
            uid: task.uid.map_or(0, |uid| uid.u32()),
            user_ns: of_task,
            cap_sys_admin: task.cap_sys_admin,
            after: task.after.map(|time| time.0 * u64::from(copy.unwrap_or(1))),
            steps: task.steps,
        });
    }
    all
}

/// A task begins before the run ends.
fn check_begin(cx: &mut Checker<'_>, task: &TaskText, machine: &MachineConfig) {
    let Some(after) = task.after.filter(|_| machine.clock != Clock::Untimed) else { return };
    let (copies, end) = (task.copies.map_or(1, |copies| copies.u64()), machine.max_time);
    let last = after.0 * copies;
    if last >= end {
        let who =
            if copies > 1 { format!("copy {copies} of `{}`", task.name) } else { format!("`{}`", task.name) };
        let message = format!("{who} would begin after {last} ns, and the run ends after {end} ns");
        let path = [Seg::Key("machine"), Seg::Key("max_time")];
        let diagnostic = Diagnostic::new("S050", message).label(cx.label_of(&path, "the end"));
        cx.within([Seg::Key("after")], |cx| cx.report(diagnostic, "never begins"));
    }
}

/// An interrupt runs on one CPU, for nobody.
fn check_interrupt(cx: &mut Checker<'_>, name: &str, task: &TaskText) {
    if task.cpu.is_none() {
        let diagnostic = Diagnostic::new("S034", format!("{name} runs on one CPU"));
        cx.within([Seg::Key("context")], |cx| cx.report(diagnostic.help("add `\"cpu\": 0`"), "on which?"));
    }
    for (key, is_given) in [("uid", task.uid.is_some()), ("user_ns", task.user_ns.is_some())] {
        if is_given {
            let diagnostic = Diagnostic::new("S034", format!("{name} is no process, and has no `{key}`"));
            cx.within([Seg::Key(key)], |cx| cx.report_key(diagnostic, "of whom?"));
        }
    }
}
