// SPDX-License-Identifier: GPL-2.0-only
//! Grace periods one at a time, by a kthread; `rcu_gp_kthread()`, kernel/rcu/tree.c

use std::{cell::Cell, rc::Rc};

use machine::{Addr, ContextKind, NewTask, Op, function};

use super::{RcuFunc, RcuHead, callbacks::Callback};
use crate::{Completion, Field, Kernel, Pointer, object};

object! {
    /// `struct rcu_synchronize *`
    struct RcuSynchronizePtr("struct rcu_synchronize", "rcu_synchronize", "stack") {
        /// Queued as any callback.
        head: RcuHead,
        /// It has run.
        completion: Completion,
    }
}

/// Numbers of grace periods, from 1.
#[derive(Debug)]
pub(super) struct GracePeriods {
    /// The last one that has begun. `rcu_state.gpnum`
    begun: Cell<u64>,
    /// The last one that has ended. `rcu_state.completed`
    completed: Cell<u64>,
    /// The last one that somebody has asked for.
    needed: Cell<u64>,
    /// Nanoseconds from the begin of a grace period to the first look for CPUs that are idle.
    first_fqs: u64,
}

impl Kernel {
    /// `rcu_spawn_gp_kthread()`: from now on there is one grace period at a time, for all who wait. `hz` is
    /// CONFIG_HZ. While the kernel boots.
    pub fn rcu_spawn_gp_kthread(&self, name: &str, hz: u32, cpus: u32) {
        // RCU_JIFFIES_TILL_FORCE_QS, RCU_JIFFIES_FQS_DIV
        let jiffies = 1 + u64::from(hz > 250) + u64::from(hz > 500) + u64::from(cpus / 256);
        let first_fqs = jiffies * 1_000_000_000 / u64::from(hz.max(1));
        let numbers = [Cell::new(0), Cell::new(0), Cell::new(0)];
        let [begun, completed, needed] = numbers;
        if self.rcu.gp.set(GracePeriods { begun, completed, needed, first_fqs }).is_err() {
            return; // there is one already
        }
        let kernel = self.this();
        let task = Box::pin(async move { kernel.rcu_gp_kthread().await });
        self.bus.spawn(NewTask {
            name: self.bus.intern(name),
            idle: Some(self.rcu.state.gp_wq().addr()),
            cpu: None,
            context: ContextKind::Process,
            task,
        });
    }

    /// `rcu_gp_kthread()`
    async fn rcu_gp_kthread(&self) {
        let state = &self.rcu.state;
        let Some(gp) = self.rcu.gp.get() else { return };
        let _f = self.enter(function!("rcu_gp_kthread"), 0);
        loop {
            state.gp_wq().wait(self).await;
            while gp.needed.get() > gp.completed.get() {
                {
                    let _f = self.enter(function!("rcu_gp_init"), gp.begun.get().cast_signed() + 1);
                    self.bus.step(Op::GraceBegin { expedited: false }).await;
                    gp.begun.set(gp.begun.get() + 1);
                }
                // CPUs that were idle all the time do not say so: rcu_gp_fqs() finds them.
                self.bus.step(Op::Sleep(gp.first_fqs)).await;
                self.bus.step(Op::GraceEnd).await;
                self.rcu_gp_cleanup(gp).await;
            }
        }
    }

    /// `rcu_gp_cleanup()`: what waits for this grace period is due.
    async fn rcu_gp_cleanup(&self, gp: &GracePeriods) {
        let _f = self.enter(function!("rcu_gp_cleanup"), gp.begun.get().cast_signed());
        let state = &self.rcu.state;
        state.lock().lock_irq(self).await;
        gp.completed.set(gp.begun.get());
        let waiting: Vec<_> = {
            let cpus = self.rcu.cpus.borrow();
            let waiting = cpus.iter().flatten().filter(|cpu| !cpu.callbacks.is_empty());
            waiting.map(|cpu| cpu.data.pending()).collect()
        };
        for pending in waiting {
            pending.complete(self);
        }
        state.lock().unlock_irq(self).await;
    }

    /// The grace period that a callback has to wait for that is queued now. `rcu_cbs_completed()`
    pub(super) fn next_gp(&self) -> u64 {
        // One that goes on may have begun before.
        self.rcu.gp.get().map_or(0, |gp| gp.begun.get() + 1)
    }

    /// `note_gp_changes()`: asks for the grace period `newest` if it is to come; the last one that has ended.
    pub(super) async fn note_gp(&self, newest: u64) -> u64 {
        let state = &self.rcu.state;
        let Some(gp) = self.rcu.gp.get() else { return u64::MAX };
        state.lock().lock_irqsave(self).await;
        let completed = gp.completed.get();
        if newest > completed.max(gp.needed.get()) {
            gp.needed.set(newest);
            state.gp_wq().complete(self); // rcu_gp_kthread_wake()
        }
        state.lock().unlock_irqrestore(self).await;
        completed
    }

    /// `wait_rcu_gp()`: sleeps until a callback has run that is queued now.
    pub(super) async fn wait_rcu_gp(&self) {
        let Some(rs) = self.bus.alloc(RcuSynchronizePtr::layout(), 24).map(RcuSynchronizePtr::at) else {
            return self.out_of_memory().await;
        };
        let kernel = self.this();
        let wakeme_after_rcu: RcuFunc = Rc::new(move |_: Addr| {
            let kernel = kernel.clone();
            Box::pin(async move { rs.completion().complete(&kernel) })
        });
        let head = rs.head().addr();
        self.bus.write(head.plus(1), 1).await;
        self.queue_callback(self.callback_cpu(), head, Callback::Func(wakeme_after_rcu)).await;
        rs.completion().wait(self).await;
        self.kfree(rs.addr());
    }
}
