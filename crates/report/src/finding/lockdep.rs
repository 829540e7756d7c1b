// SPDX-License-Identifier: GPL-2.0-only
//! Lockdep and suspicious RCU usage; kernel/locking/lockdep.c

use machine::{Access, Leaving, LockProblem, LockReport, TakenLock, UsedClass};

use super::Report;
use crate::address;

impl Report<'_> {
    pub(super) fn lockdep(&mut self, report: &LockReport) {
        let title = report.title();
        let rule = title.len();
        self.line(&"=".repeat(rule));
        self.line(&title);
        self.line(&"-".repeat(rule));
        let task = self.task(&self.finding.by);
        match &report.problem {
            LockProblem::Circular { held, .. } | LockProblem::Recursive { held } => {
                self.line(&format!("{task} is trying to acquire lock:"));
                self.lock(&report.lock);
                self.line("");
                self.line("but task is already holding lock:");
                self.lock(held);
            }
            LockProblem::Inconsistent { was, registered, now } => {
                self.line(&format!("inconsistent {{{}}} -> {{{}}} usage.", was.name(), now.name()));
                self.line(&format!("{task} {} takes:", state(report)));
                self.lock(&report.lock);
                self.line(&format!("{{{}}} state was registered at:", was.name()));
                self.place(registered);
            }
            LockProblem::IrqUnsafe { held: Some(held), .. } => {
                self.line(&format!("{task} {} is trying to acquire:", state(report)));
                self.lock(&report.lock);
                self.line("");
                self.line("and this task is already holding:");
                self.lock(held);
                self.line("which would create a new lock dependency:");
                let (from, to) = (class(held), class(&report.lock));
                self.line(&format!(" {from} -> {to}"));
            }
            LockProblem::IrqUnsafe { held: None, .. } => {
                self.line(&format!("{task} just changed the state of lock:"));
                self.lock(&report.lock);
            }
        }
        self.rest(report);
    }

    /// How the locks hang together, and what may come of it.
    fn rest(&mut self, report: &LockReport) {
        let lock = &report.lock.class;
        match &report.problem {
            LockProblem::Circular { held, chain } => {
                self.line("");
                self.line("which lock already depends on the new lock.");
                self.line("");
                self.line("the existing dependency chain (in reverse order) is:");
                for (n, link) in chain.iter().enumerate().rev() {
                    self.line("");
                    self.line(&format!("-> #{} ({}){{{}}}:", n + 1, link.class, link.usage));
                    self.place(&link.at);
                }
                self.line("");
                self.line(&format!("-> #0 {}:", class(&report.lock)));
                self.place(&report.lock.at);
                self.other_info();
                if chain.len() > 1 {
                    self.line("Chain exists of:");
                    let links: Vec<&str> = chain.iter().map(|link| link.class.as_str()).collect();
                    self.line(&format!("  {lock} --> {}", links.join(" --> ")));
                    self.line("");
                }
                // Of a longer chain the kernel shows the last link as well.
                let other = chain.iter().nth_back(1).map_or(lock, |link| &link.class);
                let held = &held.class;
                self.two_cpus(&[(0, held), (1, other), (1, held), (0, lock)], &[]);
            }
            LockProblem::Recursive { held } => {
                self.other_info();
                self.one_cpu(&[&format!("lock({});", held.class), &format!("lock({lock});")]);
                self.line(" May be due to missing lock nesting notation");
                self.line("");
            }
            LockProblem::Inconsistent { .. } => {
                self.other_info();
                self.one_cpu(&[&format!("lock({lock});"), "<Interrupt>", &format!("  lock({lock});")]);
            }
            LockProblem::IrqUnsafe { irq, safe, not_safe, .. } => {
                self.irq_unsafe(irq, safe, not_safe, report);
            }
        }
        self.held_locks(&report.held);
        self.line("");
        self.line("stack backtrace:");
        self.cpu_line();
        self.call_trace();
    }

    fn irq_unsafe(&mut self, irq: &str, safe: &UsedClass, not_safe: &UsedClass, report: &LockReport) {
        self.line("");
        match &report.problem {
            LockProblem::IrqUnsafe { held: Some(_), .. } => {
                self.line(&format!("but this new dependency connects a {irq}-irq-safe lock:"));
            }
            _ if report.lock.class == safe.class => {
                self.line(&format!(
                    "but this lock took another, {irq}-unsafe lock in the past. The safe one:"
                ));
            }
            _ => self.line(&format!("but this lock was taken by another, {irq}-safe lock in the past:")),
        }
        self.line(&format!(" ({}){{{}}}", safe.class, safe.usage));
        self.line(&format!("... which became {irq}-irq-safe at:"));
        self.place(&safe.at);
        self.line("");
        self.line(&format!("to a {irq}-irq-unsafe lock:"));
        self.line(&format!(" ({}){{{}}}", not_safe.class, not_safe.usage));
        self.line(&format!("... which became {irq}-irq-unsafe at:"));
        self.place(&not_safe.at);
        self.other_info();
        let (safe, not_safe) = (&safe.class, &not_safe.class);
        self.two_cpus(
            &[(0, not_safe), (1, safe), (1, not_safe)],
            &["<Interrupt>", &format!("  lock({safe});")],
        );
    }

    /// Locks that are held where none may be.
    pub(super) fn locks_held(&mut self, leaving: Leaving, held: &[TakenLock]) {
        let title = leaving.title();
        self.line(&"=".repeat(title.len()));
        self.line(title);
        self.line(&"-".repeat(title.len()));
        let task = self.task(&self.finding.by);
        match leaving {
            Leaving::ToUserMode => self.line(&format!("{task} is leaving the kernel with locks still held!")),
            Leaving::Task => self.line(&format!("{task} ends with locks still held!")),
            Leaving::Work => self.line(&format!("{task} has run a work item that leaves locks held!")),
        }
        self.held_locks(held);
        self.line("");
        self.line("stack backtrace:");
        self.cpu_line();
        self.call_trace();
    }

    pub(super) fn suspicious_rcu(&mut self, what: &str) {
        self.line("=============================");
        self.line("WARNING: suspicious RCU usage");
        self.line("-----------------------------");
        let by = self.finding.by;
        let place = self.scene.place(by.loc).map(|place| format!("{place} ")).unwrap_or_default();
        self.line(&format!("{place}{what}!"));
        self.line("");
        self.line("stack backtrace:");
        self.cpu_line();
        self.call_trace();
    }

    /// ` ffff888004000160 (&net->nsid_lock){+.+.}, at: peernet2id  crates/netns/src/...`
    fn lock(&mut self, lock: &TakenLock) {
        let line = self.lock_line(lock);
        self.line(&line);
    }
    fn lock_line(&self, lock: &TakenLock) -> String {
        let address = lock.lock.as_ref().map_or(String::new(), |cell| {
            let addr = address::of_object(self.words.bus, cell) + cell.offset as u64;
            format!("{addr:016x} ")
        });
        format!("{address}{}, at:{}", class(lock), self.at(lock.at.function, lock.at.loc))
    }
    fn held_locks(&mut self, held: &[TakenLock]) {
        let task = self.task(&self.finding.by);
        match held.len() {
            0 => return self.line(&format!("no locks held by {task}.")),
            1 => self.line(&format!("1 lock held by {task}:")),
            n => self.line(&format!("{n} locks held by {task}:")),
        }
        for (n, lock) in held.iter().enumerate() {
            let line = self.lock_line(lock);
            self.line(&format!(" #{n}: {line}"));
        }
    }
    /// Where something was seen first, and by whom.
    fn place(&mut self, at: &Access) {
        self.line(&format!("  by task {}, step {}:", self.task(at), at.step));
        self.line(&format!("  {}", self.at(at.function, at.loc)));
    }
    fn other_info(&mut self) {
        self.line("");
        self.line("other info that might help us debug this:");
        self.line("");
    }
    fn one_cpu(&mut self, what: &[&str]) {
        self.line(" Possible unsafe locking scenario:");
        self.line("");
        self.line("       CPU0");
        self.line("       ----");
        for what in what {
            self.line(&format!("  {what}"));
        }
        self.deadlock();
    }
    /// Locks that two CPUs take, in this order, and what then happens on the first of them.
    fn two_cpus(&mut self, locks: &[(usize, &String)], then: &[&str]) {
        let kind = if then.is_empty() { "unsafe locking" } else { "interrupt unsafe locking" };
        self.line(&format!(" Possible {kind} scenario:"));
        self.line("");
        self.line("       CPU0                    CPU1");
        self.line("       ----                    ----");
        for (n, (cpu, lock)) in locks.iter().enumerate() {
            let indent = if *cpu == 0 { "  " } else { "                               " };
            if !then.is_empty() && n == 1 {
                self.line(&format!("{indent}local_irq_disable();"));
            }
            self.line(&format!("{indent}lock({lock});"));
        }
        for what in then {
            self.line(&format!("  {what}"));
        }
        self.deadlock();
    }
    fn deadlock(&mut self) {
        self.line("");
        self.line(" *** DEADLOCK ***");
        self.line("");
    }
}

/// `(net_mutex){+.+.}`
fn class(lock: &TakenLock) -> String {
    format!("({}){{{}}}", lock.class, lock.usage)
}

/// `[HC0[0]:SC1[1]:HE1:SE0]`: the interrupts that the task is in, and whether more may arrive.
fn state(report: &LockReport) -> String {
    let hardirq = report.preempt_count >> 16;
    let softirq = (report.preempt_count & 0xff00) >> 8;
    let inside = |is: bool| u32::from(is);
    format!(
        "[HC{}[{hardirq}]:SC{}[{softirq}]:HE{}:SE{}]",
        inside(hardirq > 0),
        inside(softirq & 1 > 0),
        inside(!report.irqs_disabled),
        inside(softirq == 0)
    )
}
