// SPDX-License-Identifier: GPL-2.0-only
//! Callbacks: their queues, the softirq that runs them, and `rcu_barrier()`'s.

use std::{collections::VecDeque, fmt};

use machine::{Addr, ContextKind, Effect, NewTask, Op, function};

use super::{RCU_INVOKE_CALLBACK, RcuFunc};
use crate::{Completion, Field, Kernel, Pointer, object};

/// How many callbacks are run before others have their turn. kernel/rcu/tree.c
const BLIMIT: u32 = 10;

object! {
    /// One CPU's callbacks.
    pub(super) struct RcuData("struct rcu_data", "rcu_data", "static") {
        /// There are callbacks to run, or a grace period has ended.
        pub(super) pending: Completion,
        /// How many callbacks have not been invoked: kept by the queue, here for its memory ordering.
        qlen: Completion,
    }
}

#[derive(Clone)]
pub(super) enum Callback {
    Kfree(Addr),
    Func(RcuFunc),
    Barrier,
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Callback::Kfree(object) => write!(f, "Kfree({object:?})"),
            Callback::Func(_) => f.write_str("Func"),
            Callback::Barrier => f.write_str("Barrier"),
        }
    }
}

/// A callback that waits.
#[derive(Clone, Debug)]
pub(super) struct Queued {
    pub(super) head: Addr,
    callback: Callback,
    /// The grace period that has to end before; it means nothing in the abstract model.
    pub(super) gp: u64,
}

impl Queued {
    /// What it will free, or what its head lies in.
    pub(super) fn object(&self) -> Addr {
        match self.callback {
            Callback::Kfree(object) => object,
            Callback::Func(_) | Callback::Barrier => self.head,
        }
    }
}

#[derive(Debug)]
pub(super) struct PerCpu {
    pub(super) data: RcuData,
    pub(super) callbacks: VecDeque<Queued>,
}

impl Kernel {
    /// Queues a barrier callback behind the callbacks of every CPU that has some; on how many.
    pub(super) async fn post_barriers(&self) -> i64 {
        let mut busy = Vec::new();
        for (index, cpu) in self.rcu.cpus.borrow().iter().enumerate() {
            let Some(cpu) = cpu else { continue };
            self.bus.say(Effect::Acquire(cpu.data.qlen().addr()));
            if !cpu.callbacks.is_empty() {
                busy.push(index);
            }
        }
        for &cpu in &busy {
            self.queue_callback(u32::try_from(cpu).unwrap_or(0), Addr::NULL, Callback::Barrier).await;
        }
        i64::try_from(busy.len()).unwrap_or(i64::MAX)
    }

    /// Drops what is queued, outside of any execution.
    pub(crate) fn forget_callbacks(&self) {
        let cpus = self.rcu.cpus.take(); // dropped when it is borrowed no more
        drop(cpus);
    }

    /// Whose callbacks the current CPU's are.
    pub(super) fn callback_cpu(&self) -> u32 {
        self.callback_cpu.get().unwrap_or_else(|| self.smp_processor_id())
    }

    /// Suspends only where the machine has no memory for the first callback of a CPU.
    pub(super) async fn queue_callback(&self, cpu: u32, head: Addr, callback: Callback) {
        let index = cpu as usize;
        let is_first = self.rcu.cpus.borrow().get(index).is_none_or(Option::is_none);
        if is_first && !self.start_callbacks(cpu) {
            return self.out_of_memory().await;
        }
        if let Some(Some(per_cpu)) = self.rcu.cpus.borrow_mut().get_mut(index) {
            let gp = match (&callback, per_cpu.callbacks.back()) {
                (Callback::Barrier, Some(last)) => last.gp, // rcu_segcblist_entrain()
                _ => self.next_gp(),
            };
            per_cpu.callbacks.push_back(Queued { head, callback, gp });
            per_cpu.data.pending().complete(self);
        }
    }

    /// The first callback of a CPU makes the context that will run them; whether there is memory for it.
    fn start_callbacks(&self, cpu: u32) -> bool {
        let Some(data) = self.bus.alloc_static(RcuData::layout(), "rcu_data") else { return false };
        let data = RcuData::at(data);
        let mut cpus = self.rcu.cpus.borrow_mut();
        let index = cpu as usize;
        if cpus.len() <= index {
            cpus.resize_with(index + 1, || None);
        }
        cpus[index] = Some(PerCpu { data, callbacks: VecDeque::new() });
        let name = self.bus.intern(&format!("rcuc/{cpu}"));
        let kernel = self.this();
        let task = Box::pin(async move { kernel.rcu_process_callbacks(data, index).await });
        self.bus.spawn(NewTask {
            name,
            idle: Some(data.pending().addr()),
            cpu: Some(cpu),
            context: ContextKind::Softirq,
            task,
        });
        true
    }

    /// `rcu_process_callbacks()`: for ever, the callbacks queued by now, after a grace period.
    async fn rcu_process_callbacks(&self, data: RcuData, cpu: usize) {
        loop {
            data.pending().wait(self).await;
            if self.rcu.gp.get().is_some() {
                self.bus.step(Op::Tick).await; // rcu_check_callbacks() raises the softirq
                self.invoke_rcu_core(data, cpu).await;
                continue;
            }
            let batch = self.rcu.cpus.borrow()[cpu].as_ref().map_or(0, |cpu| cpu.callbacks.len());
            if batch == 0 {
                continue;
            }
            let _f = self.enter(function!("rcu_process_callbacks"), 0);
            self.bus.step(Op::GraceBegin { expedited: false }).await;
            self.bus.step(Op::GraceEnd).await;
            for _ in 0..batch {
                self.invoke_first(cpu).await;
            }
        }
    }

    /// `__rcu_process_callbacks()`: asks for a grace period if there is need, and runs what is due, a batch at a time.
    async fn invoke_rcu_core(&self, data: RcuData, cpu: usize) {
        loop {
            let _f = self.enter(function!("rcu_process_callbacks"), 0);
            let newest =
                self.rcu.cpus.borrow()[cpu].as_ref().and_then(|cpu| cpu.callbacks.back().map(|last| last.gp));
            let Some(newest) = newest else { return };
            let completed = self.note_gp(newest).await;
            for _ in 0..BLIMIT {
                if self.is_due(cpu, completed) {
                    self.invoke_first(cpu).await;
                }
            }
            if !self.is_due(cpu, completed) {
                return;
            }
            drop(_f);
            // Raised again: others may come first.
            data.pending().complete(self);
            data.pending().wait(self).await;
        }
    }

    /// Whether the oldest callback of a CPU has waited for the grace period that it needs.
    fn is_due(&self, cpu: usize, completed: u64) -> bool {
        let cpus = self.rcu.cpus.borrow();
        cpus[cpu].as_ref().and_then(|cpu| cpu.callbacks.front()).is_some_and(|first| first.gp <= completed)
    }

    async fn invoke_first(&self, cpu: usize) {
        let first = self.rcu.cpus.borrow_mut()[cpu].as_mut().and_then(|cpu| cpu.callbacks.front().cloned());
        let Some(Queued { head, callback, .. }) = first else { return };
        match callback {
            Callback::Barrier => self.rcu.state.barrier_completion().complete(self),
            Callback::Kfree(object) => {
                self.bus.read(head.plus(1)).await;
                self.kfree(object);
            }
            Callback::Func(func) => {
                self.bus.read(head.plus(1)).await;
                self.trace(&RCU_INVOKE_CALLBACK, head.to_value(), 0);
                func(head).await;
            }
        }
        // Only now: a barrier waits for callbacks that are running, too. rcu_do_batch() has a barrier here, so that
        // whoever finds nothing queued comes after what has run.
        if let Some(cpu) = self.rcu.cpus.borrow_mut()[cpu].as_mut() {
            cpu.callbacks.pop_front();
            self.bus.say(Effect::Release(cpu.data.qlen().addr()));
        }
    }
}
