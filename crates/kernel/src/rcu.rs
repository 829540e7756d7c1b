// SPDX-License-Identifier: GPL-2.0-only
//! Read-copy update; include/linux/rcupdate.h, kernel/rcu/tree.c
//!
//! This is the *abstract* model: a grace period ends when the readers that were inside have left. Callbacks wait on
//! the CPU that queued them, first in, first out, and are run there by a softirq after a grace period; nothing
//! orders those of different CPUs.

use std::{cell::RefCell, collections::VecDeque, fmt, pin::Pin, rc::Rc};

use machine::{Addr, CellKind, ContextKind, Effect, NewTask, Op, function, tracepoint};

use crate::{Completion, Field, Kernel, Mutex, Pointer, future::done, object};

tracepoint! {
    /// An object will be freed after a grace period.
    pub KFREE_RCU, "kfree_rcu", ["object", ""]
}
tracepoint! {
    /// `synchronize_rcu()` has begun to wait.
    pub SYNCHRONIZE_RCU, "synchronize_rcu", ["", ""]
}
tracepoint! {
    /// `rcu_barrier()` was called.
    pub RCU_BARRIER, "rcu_barrier", ["", ""]
}
tracepoint! {
    /// A callback is invoked.
    pub RCU_INVOKE_CALLBACK, "rcu_invoke_callback", ["head", ""]
}

object! {
    /// Static data of kernel/rcu/tree.c.
    struct RcuState("struct rcu_state", "rcu_state", "static") {
        /// Serialises `rcu_barrier()`.
        barrier_mutex: Mutex,
        /// Signalled by every barrier callback.
        barrier_completion: Completion,
    }
}

object! {
    /// One CPU's callbacks.
    struct RcuData("struct rcu_data", "rcu_data", "static") {
        /// There are callbacks to run.
        pending: Completion,
    }
}

/// `struct rcu_head`: `next` and `func`, embedded in what a callback is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RcuHead(Addr);

impl Field for RcuHead {
    const CELLS: usize = 2;
    const KIND: CellKind = CellKind::Plain;
    fn at(addr: Addr) -> Self {
        RcuHead(addr)
    }
    fn addr(self) -> Addr {
        self.0
    }
}

/// A function that a callback runs, in softirq context, with the head that was queued.
pub type RcuFunc = Rc<dyn Fn(Addr) -> Pin<Box<dyn Future<Output = ()>>>>;

#[derive(Clone)]
enum Callback {
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

#[derive(Debug)]
struct PerCpu {
    data: RcuData,
    callbacks: VecDeque<(Addr, Callback)>,
}

/// What a kernel knows of RCU.
#[derive(Debug)]
pub(crate) struct Rcu {
    state: RcuState,
    cpus: RefCell<Vec<Option<PerCpu>>>,
    /// How often a barrier has begun and ended, to let one serve all who asked before it began.
    begun: std::cell::Cell<u64>,
    ended: std::cell::Cell<u64>,
}

impl Rcu {
    pub(crate) fn new(bus: &machine::Bus) -> Option<Self> {
        let state = RcuState::at(bus.alloc_static(RcuState::layout(), "rcu_state")?);
        Some(Rcu {
            state,
            cpus: RefCell::default(),
            begun: std::cell::Cell::new(0),
            ended: std::cell::Cell::new(0),
        })
    }
}

impl Kernel {
    /// `rcu_read_lock()`. Any context; nests.
    #[track_caller]
    pub fn rcu_read_lock(&self) -> impl Future<Output = ()> {
        done(self.bus.step(Op::RcuReadLock))
    }
    /// `rcu_read_unlock()`
    #[track_caller]
    pub fn rcu_read_unlock(&self) {
        self.bus.say(Effect::RcuReadUnlock);
    }
    /// `synchronize_rcu()`: sleeps until all readers that are inside now have left.
    #[track_caller]
    pub fn synchronize_rcu(&self) -> impl Future<Output = ()> {
        self.might_sleep_here("synchronize_rcu");
        let loc = std::panic::Location::caller();
        async move {
            let _f = self.enter(function!("synchronize_rcu"), 0);
            self.bus.step_at(Op::GraceBegin, loc).await;
            self.trace(&SYNCHRONIZE_RCU, 0, 0);
            self.bus.step_at(Op::GraceEnd, loc).await;
        }
    }
    /// `call_rcu()`: runs `func` after a grace period, in softirq context, on this CPU. Any context.
    #[track_caller]
    pub fn call_rcu(&self, head: RcuHead, func: RcuFunc) -> impl Future<Output = ()> {
        let write = self.bus.write(head.0.plus(1), 1);
        async move {
            write.await;
            self.queue_callback(self.callback_cpu(), head.0, Callback::Func(func)).await;
        }
    }
    /// `kfree_rcu()`: frees `object`, which `head` lies in, after a grace period. Any context.
    #[track_caller]
    pub fn kfree_rcu(&self, object: Addr, head: RcuHead) -> impl Future<Output = ()> {
        let write = self.bus.write(head.0.plus(1), 1);
        async move {
            write.await;
            self.trace(&KFREE_RCU, object.to_value(), 0);
            self.queue_callback(self.callback_cpu(), head.0, Callback::Kfree(object)).await;
        }
    }
    /// `rcu_barrier()`: sleeps until every callback that is queued now has run. If none is, it does not wait. What
    /// those callbacks queue, it does not wait for.
    pub async fn rcu_barrier(&self) {
        let _f = self.enter(function!("rcu_barrier"), 0);
        self.trace(&RCU_BARRIER, 0, 0);
        let snapshot = self.rcu.begun.get();
        self.rcu.state.barrier_mutex().lock(self).await;
        // A barrier that began after we were called has done our work.
        if self.rcu.ended.get() <= snapshot {
            self.rcu.begun.set(self.rcu.begun.get() + 1);
            let mut waiting = self.post_barriers().await;
            while waiting > 0 {
                waiting -= self.rcu.state.barrier_completion().wait(self).await;
            }
            self.rcu.ended.set(self.rcu.begun.get());
        }
        self.rcu.state.barrier_mutex().unlock(self).await;
    }
    /// The lock that serialises `rcu_barrier()`: for those who judge.
    pub fn rcu_barrier_mutex(&self) -> Mutex {
        self.rcu.state.barrier_mutex()
    }
    /// How many callbacks are queued and have not run, on all CPUs.
    pub fn rcu_callbacks_pending(&self) -> usize {
        let cpus = self.rcu.cpus.borrow();
        cpus.iter().flatten().map(|cpu| cpu.callbacks.len()).sum()
    }

    /// The heads of callbacks that are queued and have not run, on all CPUs; NULL for those of barriers.
    pub fn rcu_callback_heads(&self) -> Vec<Addr> {
        let cpus = self.rcu.cpus.borrow();
        cpus.iter().flatten().flat_map(|cpu| cpu.callbacks.iter().map(|(head, _)| *head)).collect()
    }

    /// Queues a barrier callback behind the callbacks of every CPU that has some; on how many.
    async fn post_barriers(&self) -> i64 {
        let busy: Vec<usize> = {
            let cpus = self.rcu.cpus.borrow();
            let has_some = |cpu: &usize| cpus[*cpu].as_ref().is_some_and(|cpu| !cpu.callbacks.is_empty());
            (0..cpus.len()).filter(has_some).collect()
        };
        for &cpu in &busy {
            self.queue_callback(u32::try_from(cpu).unwrap_or(0), Addr::NULL, Callback::Barrier).await;
        }
        i64::try_from(busy.len()).unwrap_or(i64::MAX)
    }

    /// Whose callbacks the current CPU's are.
    fn callback_cpu(&self) -> u32 {
        self.callback_cpu.get().unwrap_or_else(|| self.smp_processor_id())
    }

    /// Suspends only where the machine has no memory for the first callback of a CPU.
    async fn queue_callback(&self, cpu: u32, head: Addr, callback: Callback) {
        let index = cpu as usize;
        let is_first = self.rcu.cpus.borrow().get(index).is_none_or(Option::is_none);
        if is_first && !self.start_callbacks(cpu) {
            return self.out_of_memory().await;
        }
        if let Some(Some(per_cpu)) = self.rcu.cpus.borrow_mut().get_mut(index) {
            per_cpu.callbacks.push_back((head, callback));
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
            let batch = self.rcu.cpus.borrow()[cpu].as_ref().map_or(0, |cpu| cpu.callbacks.len());
            if batch == 0 {
                continue;
            }
            let _f = self.enter(function!("rcu_process_callbacks"), 0);
            self.bus.step(Op::GraceBegin).await;
            self.bus.step(Op::GraceEnd).await;
            for _ in 0..batch {
                self.invoke_first(cpu).await;
            }
        }
    }

    async fn invoke_first(&self, cpu: usize) {
        let first = self.rcu.cpus.borrow_mut()[cpu].as_mut().and_then(|cpu| cpu.callbacks.front().cloned());
        let Some((head, callback)) = first else { return };
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
        // Only now: a barrier waits for callbacks that are running, too.
        if let Some(cpu) = self.rcu.cpus.borrow_mut()[cpu].as_mut() {
            cpu.callbacks.pop_front();
        }
    }
}
