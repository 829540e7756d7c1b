// SPDX-License-Identifier: GPL-2.0-only
//! Hung tasks, lock balance and sleeping where one may not; kernel/hung_task.c, kernel/locking/lockdep.c,
//! kernel/sched/core.c

use machine::{Access, Op};

use super::{Report, function_of_finding};
use crate::words::lock_names;

impl Report<'_> {
    pub(super) fn hung_task(&mut self, what: &str, op: Op, holders: &[Access]) {
        self.title();
        let by = self.finding.by;
        let comm = self.words.bus.name(by.task);
        let state = if op.sleeps() { "D" } else { "R" };
        let (pid, cpu) = (self.scene.pid(by.id), self.scene.cpu);
        self.line(&format!("task:{comm:<15} state:{state} pid:{pid:<5} cpu:{cpu}"));
        self.call_trace();
        self.line("");
        self.waits_for(what, op);
        if holders.is_empty() {
            self.line("Nobody holds it, and nobody who could still run will signal it.");
        }
        self.held_by(holders);
    }

    /// What a task waits for.
    pub(super) fn waits_for(&mut self, what: &str, op: Op) {
        let (verb, what) = match op {
            Op::Lock(addr, how) => (lock_names(how).0, self.words.cell(addr)),
            Op::Wait(addr) => ("wait_for_completion", self.words.cell(addr)),
            Op::GraceEnd => ("synchronize_rcu", what.to_owned()),
            Op::Sleep(_) => ("msleep", what.to_owned()),
            _ => ("to run on", what.to_owned()),
        };
        self.line(&format!("It waits for {what} ({verb})."));
    }
    /// Who has it.
    pub(super) fn held_by(&mut self, holders: &[Access]) {
        for holder in holders {
            let task = self.task(holder);
            self.line(&format!("Held by {task} since step {}:", holder.step));
            self.access_at(holder);
        }
    }

    pub(super) fn bad_unlock(&mut self, what: &str) {
        self.line("=====================================");
        self.title();
        self.line("-------------------------------------");
        let (by, task) = (self.finding.by, self.task(&self.finding.by));
        self.line(&format!("{task} is trying to release lock ({what}) at:"));
        let function = function_of_finding(self.scene, self.finding);
        self.line(&self.at(&function, by.loc));
        self.line("but it does not hold it!");
        self.line("");
        self.line("stack backtrace:");
        self.cpu_line();
        self.call_trace();
    }

    pub(super) fn sleep_in_atomic(&mut self, preempt_count: u32, irqs_disabled: bool, rcu_nesting: u32) {
        self.title();
        let (pid, name) = (self.scene.pid(self.finding.by.id), self.words.bus.name(self.finding.by.task));
        let (atomic, irqs) = (u32::from(preempt_count > 0), u32::from(irqs_disabled));
        self.line(&format!(
            "in_atomic(): {atomic}, irqs_disabled(): {irqs}, non_block: 0, pid: {pid}, name: {name}"
        ));
        self.line(&format!("preempt_count: {preempt_count:x}, expected: 0"));
        self.line(&format!("RCU nest depth: {rcu_nesting}, expected: 0"));
        self.cpu_line();
        self.call_trace();
    }
}
