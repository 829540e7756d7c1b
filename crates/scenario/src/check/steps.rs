// SPDX-License-Identifier: GPL-2.0-only
//! What must be true of steps and their fields beside their names.

use netns::{SUBSYSTEMS, Subsystem, Uses};

use super::{Checker, Kind};
use crate::{
    diagnostic::{Diagnostic, list_of, similar},
    format::interrupt_name,
    functions,
    source::Seg,
    step::{Action, Barrier, Takes},
    values::{OpsRef, Or, errnos},
    vocabulary::{ALLOC_KINDS, words_of},
};

impl Checker<'_> {
    /// What must be true of a step beside its fields.
    pub(crate) fn check_step(&mut self, action: &Action) {
        match action {
            Action::NetNsInit(_) if self.boots => {
                let diagnostic = Diagnostic::new("S030", "the kernel has booted before the first step")
                    .help("with `\"boot\": false`, the scenario boots it itself");
                self.report_key(diagnostic, "boots it again");
            }
            Action::NetGeneric(step) => {
                let slot = self.slot(Kind::Ops, &step.ops.name.text);
                let has_id =
                    slot.and_then(|slot| self.operations.get(slot as usize)).is_none_or(|(id, _)| *id);
                if !has_id {
                    let name = &step.ops.name.text;
                    let path = self.declared(Kind::Ops, name).map(<[Seg]>::to_vec).unwrap_or_default();
                    let declared = self.source.label_key(&path, "declared without an `id`");
                    let message = format!("`{name}` has no id to look its data up by");
                    let diagnostic = Diagnostic::new("S031", message).label(declared);
                    self.within([Seg::Key("ops")], |cx| {
                        cx.report(diagnostic.help("add `\"id\": true` and a `size`"), "needs an id");
                    });
                }
            }
            Action::Reap(step) if matches!(step.pid, Or::Number(1)) => {
                let diagnostic = Diagnostic::new("S042", "the process with pid 1 is never reaped")
                    .help("tasks of the scenario have pids from 100, and exit before they are reaped");
                self.within([Seg::Key("pid")], |cx| cx.report(diagnostic, "the first process"));
            }
            Action::DevHold(step) => self.check_library(&step.ops, "device", |of| of.has_device),
            Action::RegisterNotifier(step) => self.check_library(&step.ops, "device", |of| of.has_device),
            Action::DevPut(step) => self.check_library(&step.ops, "device", |of| of.has_device),
            Action::NetifReceiveSkb(step) => {
                self.check_library(&step.ops, "function that receives packets", |of| of.receives);
            }
            Action::HelperUnregister(step) => {
                self.check_library(&step.ops, "connections with helpers", |of| of.uses == Uses::Module);
            }
            Action::Barrier(step) => self.check_barrier(step),
            Action::Takes(step) => self.check_takes(step),
            Action::DelayWork(step) if step.until.is_some() == step.time.is_some() => {
                let diagnostic = Diagnostic::new("S049", "work is held up until a completion, or for a time");
                let help = "add `\"until\": COMPLETION` or `\"time\": \"10ms\"`";
                self.report_key(diagnostic.help(help), "until when?");
            }
            _ => {
                let interrupt = interrupt_name(self.context).filter(|_| action.needs_process());
                if let Some(name) = interrupt {
                    let diagnostic = Diagnostic::new("S034", format!("{name} is no process"));
                    let help =
                        "it has no namespaces of its own to leave, and nothing to fork or to open files with";
                    self.report_key(diagnostic.help(help), "needs one");
                }
            }
        }
    }
    /// There is a time to compare, and something to compare it with.
    fn check_takes(&mut self, step: &Takes) {
        if !self.is_timed {
            let diagnostic = Diagnostic::new("S050", "without a clock nothing takes any time")
                .help("add `\"clock\": \"timed\"` to the machine");
            self.report_key(diagnostic, "no effect");
        }
        match (step.at_least, step.at_most) {
            (None, None) => {
                let diagnostic = Diagnostic::new("S051", "no time is expected");
                self.report_key(diagnostic.help("add `at_least` or `at_most`"), "how long?");
            }
            (Some(least), Some(most)) if least.0 > most.0 => {
                let diagnostic = Diagnostic::new("S051", "nothing takes longer than it takes");
                self.within([Seg::Key("at_least")], |cx| cx.report(diagnostic, "more than `at_most`"));
            }
            _ => {}
        }
    }
    /// Operations must be of a subsystem that has something.
    fn check_library(&mut self, ops: &OpsRef, what: &str, has: fn(&Subsystem) -> bool) {
        let name = &ops.name.text;
        let Some(slot) = self.slot(Kind::Ops, name) else { return };
        if self.operations.get(slot as usize).is_none_or(|(_, library)| library.is_some_and(has)) {
            return;
        }
        let with: Vec<&str> = SUBSYSTEMS.iter().filter(|of| has(of)).map(|of| of.name).collect();
        let help = format!("of the library, {} would do", with.join(" or "));
        let path = self.declared(Kind::Ops, name).map(<[Seg]>::to_vec).unwrap_or_default();
        let declared = self.source.label_key(&path, "declared here");
        let diagnostic =
            Diagnostic::new("S045", format!("`{name}` has no {what}")).label(declared).help(help);
        self.within([Seg::Key("ops")], |cx| cx.report(diagnostic, "has none"));
    }
    /// All who meet must agree on how many they are.
    fn check_barrier(&mut self, step: &Barrier) {
        let Some(slot) = self.slot(Kind::Barrier, &step.name.name.text) else { return };
        match self.meetings.get(slot as usize) {
            Some(&tasks) if tasks != 0 && tasks != step.tasks.0 => {
                let message = format!("`{}` is a barrier for {tasks} tasks elsewhere", step.name.name.text);
                let path = self.declared(Kind::Barrier, &step.name.name.text).map(<[Seg]>::to_vec);
                let first = self.source.label(&path.unwrap_or_default(), "first here");
                let diagnostic = Diagnostic::new("S046", message).label(first);
                self.within([Seg::Key("tasks")], |cx| cx.report(diagnostic, "not so many"));
            }
            _ => {
                let slot = slot as usize;
                self.meetings.resize(self.meetings.len().max(slot + 1), 0);
                self.meetings[slot] = step.tasks.0;
            }
        }
    }
    /// There must be a function of this name.
    pub(crate) fn check_function(&mut self, name: &str) {
        if let Some(help) = functions::help_for(name).filter(|_| !self.is_full()) {
            let message = format!("there is no kernel function `{}`", name.escape_debug());
            self.report(Diagnostic::new("S040", message).help(help), "unknown function");
        }
    }
    pub(crate) fn check_alloc_kind(&mut self, kind: &str) {
        if !words_of(ALLOC_KINDS).any(|known| known == kind) {
            let message = format!("there is no kind of allocations `{}`", kind.escape_debug());
            let help = match similar(kind, words_of(ALLOC_KINDS)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("the kinds are {}", words_of(ALLOC_KINDS).collect::<Vec<_>>().join(", ")),
            };
            self.report(Diagnostic::new("S028", message).help(help), "unknown kind");
        }
    }
    pub(crate) fn bad_hex(&mut self) {
        let diagnostic = Diagnostic::new("S029", "the bytes are not pairs of hexadecimal digits")
            .help("spaces between them are allowed: `\"00000000 0800 0100\"`");
        self.report(diagnostic, "not hexadecimal");
    }
    pub(crate) fn unknown_errno(&mut self, name: &str) {
        let message = format!("there is no error `-{}`", name.escape_debug());
        let help = match similar(name, errnos()) {
            Some(meant) => format!("did you mean `-{meant}`?"),
            None => format!("known are {}; others can be given as negative numbers", list_of(errnos())),
        };
        self.report(Diagnostic::new("S026", message).help(help), "unknown error");
    }
    pub(crate) fn impossible_expectation(&mut self, words: &str) {
        let diagnostic =
            Diagnostic::new("S027", "the step never gives this").help(format!("expected is {words}"));
        self.report(diagnostic, "can never be");
    }
}
