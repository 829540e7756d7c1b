// SPDX-License-Identifier: GPL-2.0-only
//! Read-copy update; include/linux/rcupdate.h, kernel/rcu/tree.c
//!
//! Callbacks wait on the CPU that queued them, first in, first out, and are run there by a softirq after a grace
//! period; nothing orders those of different CPUs. There are two models behind one interface. In the *abstract* one
//! everybody who waits has a grace period to himself. With [`Kernel::rcu_spawn_gp_kthread()`] there is one grace period
//! at a time, which the kthread begins and ends for all who wait, as in kernel/rcu/tree.c.

mod callbacks;
mod grace;

use std::{
    cell::{OnceCell, RefCell},
    panic::Location,
    pin::Pin,
    rc::Rc,
};

use machine::{Addr, CellKind, Effect, Op, function, tracepoint};

use self::{
    callbacks::{Callback, PerCpu},
    grace::GracePeriods,
};
use crate::{Completion, Field, Kernel, Mutex, Operator, Pointer, SpinLock, future::Maybe, object};

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
        /// Protects the numbers of grace periods: the lock of the root `struct rcu_node`.
        lock: SpinLock,
        /// Somebody needs a grace period.
        gp_wq: Completion,
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

/// What a kernel knows of RCU.
#[derive(Debug)]
pub(crate) struct Rcu {
    state: RcuState,
    cpus: RefCell<Vec<Option<PerCpu>>>,
    /// How often a barrier has begun and ended, to let one serve all who asked before it began.
    begun: std::cell::Cell<u64>,
    ended: std::cell::Cell<u64>,
    /// None in the abstract model.
    gp: OnceCell<GracePeriods>,
}

impl Rcu {
    pub(crate) fn new(bus: &machine::Bus) -> Option<Self> {
        let state = RcuState::at(bus.alloc_static(RcuState::layout(), "rcu_state")?);
        Some(Rcu {
            state,
            cpus: RefCell::default(),
            begun: std::cell::Cell::new(0),
            ended: std::cell::Cell::new(0),
            gp: OnceCell::new(),
        })
    }
}

impl Kernel {
    /// `rcu_read_lock()`. Any context; nests.
    #[track_caller]
    pub fn rcu_read_lock(&self) -> impl Future<Output = ()> {
        // Not by a closure: it would be the place that is reported.
        let begins = self.reader_begins(Location::caller());
        Maybe(if begins { Some(self.bus.step(Op::RcuReadLock)) } else { None })
    }
    /// `rcu_read_unlock()`
    #[track_caller]
    pub fn rcu_read_unlock(&self) {
        if self.reader_ends() {
            self.bus.say(Effect::RcuReadUnlock);
        }
    }
    /// `synchronize_rcu()`: sleeps until all readers that are inside now have left.
    #[track_caller]
    pub fn synchronize_rcu(&self) -> impl Future<Output = ()> {
        self.might_sleep_here("synchronize_rcu");
        let loc = std::panic::Location::caller();
        let is_omitted = self.is_omitted("synchronize_rcu", loc);
        async move {
            if is_omitted {
                return;
            }
            let _f = self.enter(function!("synchronize_rcu"), 0);
            if self.rcu.gp.get().is_some() {
                self.trace(&SYNCHRONIZE_RCU, 0, 0);
                return self.wait_rcu_gp().await;
            }
            self.bus.step_at(Op::GraceBegin { expedited: false }, loc).await;
            self.trace(&SYNCHRONIZE_RCU, 0, 0);
            self.bus.step_at(Op::GraceEnd, loc).await;
        }
    }
    /// `synchronize_rcu_expedited()`: the same without the kthread and its callbacks; other CPUs are interrupted.
    #[track_caller]
    pub fn synchronize_rcu_expedited(&self) -> impl Future<Output = ()> {
        self.might_sleep_here("synchronize_rcu_expedited");
        let loc = std::panic::Location::caller();
        let is_omitted = self.is_omitted("synchronize_rcu_expedited", loc);
        async move {
            if is_omitted {
                return;
            }
            let _f = self.enter(function!("synchronize_rcu_expedited"), 0);
            self.bus.step_at(Op::GraceBegin { expedited: true }, loc).await;
            self.bus.step_at(Op::GraceEnd, loc).await;
        }
    }
    /// `call_rcu()`: runs `func` after a grace period, in softirq context, on this CPU. Any context.
    #[track_caller]
    pub fn call_rcu(&self, head: RcuHead, func: RcuFunc) -> impl Future<Output = ()> {
        let is_omitted = self.is_omitted("call_rcu", Location::caller());
        let write = self.bus.write(head.0.plus(1), 1);
        async move {
            write.await;
            if is_omitted {
                return;
            }
            self.queue_callback(self.callback_cpu(), head.0, Callback::Func(func)).await;
        }
    }
    /// `kfree_rcu()`: frees `object`, which `head` lies in, after a grace period. Any context.
    #[track_caller]
    pub fn kfree_rcu(&self, object: Addr, head: RcuHead) -> impl Future<Output = ()> {
        let loc = Location::caller();
        let damage = self.damage_of("kfree_rcu", loc);
        let write = self.bus.write(head.0.plus(1), 1);
        async move {
            write.await;
            match damage {
                None => {}
                Some(Operator::Weaken) => return self.bus.say_at(Effect::Free(object), loc),
                Some(_) => return,
            }
            self.trace(&KFREE_RCU, object.to_value(), 0);
            self.queue_callback(self.callback_cpu(), head.0, Callback::Kfree(object)).await;
        }
    }
    /// `rcu_barrier()`: sleeps until every callback that is queued now has run. If none is, it does not wait. What
    /// those callbacks queue, it does not wait for.
    #[track_caller]
    pub fn rcu_barrier(&self) -> impl Future<Output = ()> {
        let is_omitted = self.is_omitted("rcu_barrier", Location::caller());
        async move {
            if !is_omitted {
                self.wait_for_callbacks().await;
            }
        }
    }
    async fn wait_for_callbacks(&self) {
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

    /// What callbacks that are queued will free or are about: for those who judge.
    pub fn rcu_references(&self) -> Vec<Addr> {
        let cpus = self.rcu.cpus.borrow();
        cpus.iter().flatten().flat_map(|cpu| cpu.callbacks.iter().map(callbacks::Queued::object)).collect()
    }

    /// The heads of callbacks that are queued and have not run, on all CPUs; NULL for those of barriers.
    pub fn rcu_callback_heads(&self) -> Vec<Addr> {
        let cpus = self.rcu.cpus.borrow();
        cpus.iter().flatten().flat_map(|cpu| cpu.callbacks.iter().map(|queued| queued.head)).collect()
    }
}
