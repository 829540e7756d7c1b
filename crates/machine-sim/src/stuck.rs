// SPDX-License-Identifier: GPL-2.0-only
//! When nothing can go on: who waits for ever, for what, and who has it.

use machine::{Access, Announced, Bug, Driver, Op, TaskId};

use crate::{config::Outcome, sim::Sim};

impl Sim {
    /// Nothing can go on: is anybody left waiting who should not be?
    #[cold]
    pub(crate) fn find_stuck<D: Driver + ?Sized>(&mut self, driver: &mut D) -> Outcome {
        let mut outcome = Outcome::Done;
        for task in 0..self.tasks.len() {
            let Some(Announced { op, loc }) = self.announced[task] else { continue };
            let possible = self.tasks[task].ready; // it lacks only a CPU
            if !possible && matches!(op, Op::Wait(addr) if self.tasks[task].idle == Some(addr)) {
                continue;
            }
            driver.stuck(TaskId(task as u32), op);
            let (what, holders) = self.waits_for(task, op);
            self.found(task, Bug::Deadlock { what, op, holders }, loc);
            outcome = Outcome::Deadlock;
        }
        self.tell(driver);
        outcome
    }

    /// What a task waits for that has announced `op`, and who has it.
    pub(crate) fn waits_for(&self, task: usize, op: Op) -> (String, Vec<Access>) {
        let possible = self.tasks[task].ready;
        match op {
            Op::Lock(addr, _) if !possible => {
                let holder = self.sync_of_known(addr).and_then(|sync| self.syncs[sync].holder);
                let holders = holder.map(|mark| self.access_of(mark)).into_iter().collect();
                (self.cell(addr).to_string(), holders)
            }
            Op::Wait(addr) if !possible => (self.cell(addr).to_string(), Vec::new()),
            Op::GraceEnd if !possible => {
                let readers = self.grace_waits_for(task);
                let inside = readers.filter_map(|reader| self.tasks[reader.index()].reader);
                let mut holders: Vec<Access> = inside.map(|(_, mark)| self.access_of(mark)).collect();
                let busy = self.grace_waits_for_cpus(task).filter_map(|cpu| self.who_has(cpu));
                let others: Vec<Access> =
                    busy.filter(|who| holders.iter().all(|reader| reader.id != who.id)).collect();
                holders.extend(others);
                ("a grace period".to_owned(), holders)
            }
            Op::Sleep(_) if !possible => ("time to pass".to_owned(), Vec::new()),
            _ => {
                let cpu = self.tasks[task].bound.unwrap_or(self.tasks[task].cpu);
                (format!("CPU {cpu}"), self.who_has(cpu as usize).into_iter().collect())
            }
        }
    }

    /// Who runs on a CPU, and what it does not get past.
    pub(crate) fn who_has(&self, cpu: usize) -> Option<Access> {
        let who = self.cpus.all[cpu].top()?.index();
        let Announced { loc, .. } = self.announced[who]?;
        Some(self.access_of(self.mark(who, loc)))
    }
}
