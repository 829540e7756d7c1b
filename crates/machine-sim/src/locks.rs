// SPDX-License-Identifier: GPL-2.0-only
//! Locks, completions, and what marked accesses pass on.

use machine::{Addr, Bug, Kind, Loc, Locking, Section, TaskId};

use crate::{clock::Released, memory::Spot, shadow::Mark, sim::Sim};

/// `-EINTR`
const EINTR: i64 = -4;

/// What a cell is beside its value: a lock, a count, a word that passes on what happened before.
#[derive(Debug, Default)]
pub(crate) struct Sync {
    pub(crate) holder: Option<Mark>,
    pub(crate) count: i64,
    pub(crate) released: Released,
    /// The tasks that have announced to lock it or to wait for it, in the order in which they came.
    pub(crate) first_waiter: Option<u32>,
    pub(crate) last_waiter: Option<u32>,
}

impl Sim {
    /// The table entry of a lock, count or word, made if there is none. None for what lies behind an object.
    #[inline]
    pub(crate) fn sync_of(&mut self, addr: Addr) -> Option<usize> {
        self.sync_at(self.spot(addr)?)
    }
    #[inline]
    pub(crate) fn sync_at(&mut self, spot: Spot) -> Option<usize> {
        let cell = spot.cell()?;
        if self.cells[cell].sync == 0 {
            self.cells[cell].sync = self.free_syncs.pop().unwrap_or_else(|| {
                self.syncs.push(Sync::default());
                (self.syncs.len() - 1) as u32
            });
        }
        Some(self.cells[cell].sync as usize)
    }
    /// The object that this entry was about is gone. Whoever still waits there goes on to wait.
    pub(crate) fn give_back_sync(&mut self, sync: u32) {
        let entry = &mut self.syncs[sync as usize];
        if entry.first_waiter.is_none() {
            std::mem::take(entry).released.give_back(&mut self.clocks);
            self.free_syncs.push(sync);
        }
    }
    /// The same, if there is one.
    #[inline]
    pub(crate) fn sync_of_known(&self, addr: Addr) -> Option<usize> {
        self.known_sync(self.spot(addr)?)
    }
    #[inline]
    pub(crate) fn known_sync(&self, spot: Spot) -> Option<usize> {
        let sync = self.cells[spot.cell()?].sync as usize;
        (sync != 0).then_some(sync)
    }

    pub(crate) fn disable(&mut self, task: usize, section: Section) {
        if section == Section::Irq {
            self.tasks[task].irqs_go_off(self.time.now);
        }
        *self.tasks[task].count_of(section) += 1;
        self.cpus.changed = true;
    }
    pub(crate) fn enable(&mut self, task: usize, section: Section) {
        let count = self.tasks[task].count_of(section);
        *count = count.saturating_sub(1);
        self.cpus.changed = true;
    }
    /// `__local_bh_enable_ip()` runs softirqs, with interrupts on: it warns where they are off.
    pub(crate) fn check_bh_enable(&mut self, task: usize, loc: Loc) {
        if self.tasks[task].irqs_disabled() && !std::mem::replace(&mut self.warned_of_bh, true) {
            self.found(task, Bug::Warning { what: "in_irq() || irqs_disabled()" }, loc);
        }
    }

    /// What the holder of a lock keeps off its CPU; nothing if it may sleep. include/linux/spinlock_api_smp.h
    #[inline]
    fn change_sections(&mut self, task: usize, how: Locking, change: fn(&mut u32)) {
        let task = &mut self.tasks[task];
        match how {
            Locking::Mutex | Locking::MutexKillable => return,
            Locking::Spin => {}
            Locking::SpinBh => change(&mut task.bh_count),
            Locking::SpinIrq | Locking::SpinIrqSave => {
                task.irqs_go_off(self.time.now);
                change(&mut task.irq_count);
            }
        }
        change(&mut task.preempt_count);
        self.cpus.changed = true;
    }

    pub(crate) fn lock(&mut self, task: usize, addr: Addr, how: Locking, loc: Loc) -> Option<i64> {
        let spot = self.used(task, addr, Kind::Write, loc)?;
        let Some(sync) = self.sync_at(spot) else { return Some(0) }; // behind an object is nothing
        self.stop_waiting(task, sync);
        if self.syncs[sync].holder.is_some() {
            return Some(EINTR); // only a task that is killed gets here
        }
        self.syncs[sync].holder = Some(self.mark(task, loc));
        self.syncs[sync].released.acquire(&mut self.clocks, self.tasks[task].clock);
        self.change_sections(task, how, |count| *count += 1);
        self.look_again(sync);
        Some(0)
    }

    pub(crate) fn unlock(&mut self, task: usize, addr: Addr, how: Locking, loc: Loc) {
        let Some(spot) = self.used(task, addr, Kind::Write, loc) else { return };
        let Some(sync) = self.sync_at(spot) else { return };
        if self.syncs[sync].holder.is_none_or(|holder| holder.at.task as usize != task) {
            let what = self.cell(addr).to_string();
            return self.found(task, Bug::BadUnlock { what }, loc);
        }
        self.syncs[sync].holder = None;
        self.syncs[sync].released.replace(&mut self.clocks, self.tasks[task].clock, task);
        if how == Locking::SpinBh {
            self.check_bh_enable(task, loc);
        }
        self.change_sections(task, how, |count| *count = count.saturating_sub(1));
        self.look_again(sync);
    }

    pub(crate) fn is_locked(&mut self, task: usize, addr: Addr, loc: Loc) -> Option<i64> {
        let spot = self.used(task, addr, Kind::Read, loc)?;
        Some(self.known_sync(spot).map_or(0, |sync| i64::from(self.syncs[sync].holder.is_some())))
    }

    pub(crate) fn wait(&mut self, task: usize, addr: Addr, loc: Loc) -> Option<i64> {
        let spot = self.used(task, addr, Kind::Write, loc)?;
        let Some(sync) = self.sync_at(spot) else { return Some(0) };
        self.stop_waiting(task, sync);
        let count = std::mem::take(&mut self.syncs[sync].count);
        self.syncs[sync].released.acquire(&mut self.clocks, self.tasks[task].clock);
        self.look_again(sync);
        Some(count)
    }

    pub(crate) fn complete(&mut self, task: usize, addr: Addr, loc: Loc) {
        let Some(spot) = self.used(task, addr, Kind::Write, loc) else { return };
        let Some(sync) = self.sync_at(spot) else { return };
        self.syncs[sync].count += 1;
        self.syncs[sync].released.add(&mut self.clocks, self.tasks[task].clock, task);
        self.look_again(sync);
    }

    pub(crate) fn release(&mut self, task: usize, addr: Addr, loc: Loc) {
        let Some(spot) = self.used(task, addr, Kind::Write, loc) else { return };
        let Some(sync) = self.sync_at(spot) else { return };
        self.syncs[sync].released.add(&mut self.clocks, self.tasks[task].clock, task);
    }

    pub(crate) fn acquire(&mut self, task: usize, addr: Addr, loc: Loc) {
        let Some(spot) = self.used(task, addr, Kind::Read, loc) else { return };
        let Some(sync) = self.sync_at(spot) else { return };
        self.syncs[sync].released.acquire(&mut self.clocks, self.tasks[task].clock);
    }

    pub(crate) fn kill(&mut self, task: TaskId) {
        let task = task.index();
        if task >= self.tasks.len() {
            return;
        }
        self.tasks[task].killed = true;
        if let Some(machine::Announced { op: machine::Op::Lock(_, Locking::MutexKillable), .. }) =
            self.announced[task]
        {
            self.wake(task);
        }
    }
}
