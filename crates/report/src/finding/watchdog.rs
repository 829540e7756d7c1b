// SPDX-License-Identifier: GPL-2.0-only
//! What the kernel's watchdogs print; kernel/hung_task.c, kernel/watchdog.c, kernel/watchdog_hld.c, kernel/rcu/tree.c,
//! kernel/workqueue.c

use machine::{Access, Alarm, Detected, RcuStall};

use super::{Report, title::function};

impl Report<'_> {
    pub(super) fn alarm(&mut self, alarm: &Alarm) {
        match alarm {
            Alarm::HungTask { what, op, holders, .. } => {
                self.title();
                self.line("\"echo 0 > /proc/sys/kernel/hung_task_timeout_secs\" disables this message.");
                let by = self.finding.by;
                let (comm, pid) = (self.words.bus.name(by.task), self.scene.pid(by.id));
                self.line(&format!("{comm:<15.15} D{:>5} {pid:>5}", 0));
                self.call_trace();
                self.line("");
                self.waits_for(what, *op);
                self.held_by(holders);
            }
            Alarm::SoftLockup { .. } | Alarm::HardLockup { .. } => {
                self.title();
                self.cpu_line();
                self.call_trace();
            }
            Alarm::RcuStall(stall) => self.rcu_stall(stall),
            Alarm::WorkqueueLockup { pending, .. } => self.workqueue_state(pending),
        }
    }

    /// `print_cpu_stall()`, `print_other_cpu_stall()`, and the stacks of those that are to blame.
    fn rcu_stall(&mut self, stall: &RcuStall) {
        self.title();
        let jiffies = stall.jiffies;
        if !stall.tasks.is_empty() {
            let pids: String =
                stall.tasks.iter().map(|task| format!(" P{}", self.scene.pid(task.id))).collect();
            let last = stall.nr_cpus.saturating_sub(1);
            self.line(&format!("\tTasks blocked on level-0 rcu_node (CPUs 0-{last}):{pids}"));
        }
        for (cpu, _) in &stall.cpus {
            self.line(&format!("\t{cpu}-...: ({jiffies} ticks this GP)"));
        }
        match stall.detected {
            Detected::ByOther(cpu) => self.line(&format!("\t(detected by {cpu}, t={jiffies} jiffies)")),
            Detected::BySelf | Detected::Expedited => self.line(&format!("\t (t={jiffies} jiffies)")),
        }
        self.cpu_line();
        self.call_trace();
        let by = self.finding.by.id; // whose stack stands above
        for (cpu, runs) in stall.cpus.iter().filter(|(_, runs)| runs.id != by) {
            let task = self.task(runs);
            self.line(&format!("It waits for CPU {cpu}, where {task} runs:"));
            self.access_at(runs);
        }
        for reader in &stall.tasks {
            let task = self.task(reader);
            self.line(&format!("It waits for {task}, a reader since step {}:", reader.step));
            self.access_at(reader);
        }
    }

    /// `show_workqueue_state()`
    fn workqueue_state(&mut self, pending: &[(String, Access)]) {
        self.title();
        self.line("Showing busy workqueues and worker pools:");
        for (work, by) in pending {
            let (task, function) = (self.task(by), function(self.scene, by));
            self.line(&format!("    pending: {work}"));
            self.line(&format!("      queued by task {task} in {function}, step {}", by.step));
        }
    }
}
