// SPDX-License-Identifier: GPL-2.0-only
//! Where tasks of a scenario meet, and work that others wait behind.

use std::rc::Rc;

use kernel::{Atomic, Completion, Effect, Pointer, Work, WorkFunc, function, object};

use crate::world::{NamedCompletion, World};

object! {
    /// Where tasks meet.
    pub(crate) struct NamedBarrier("struct barrier", "barrier", "module") {
        /// Whoever comes changes it: what tasks did before they came, all know when they go on.
        come: Atomic,
    }
}

object! {
    /// Stands on the stack of who waits at a barrier.
    pub(crate) struct WaiterPtr("struct barrier_waiter", "barrier_waiter", "stack") {
        /// The last one has come.
        done: Completion,
    }
}

object! {
    /// Work that does nothing but wait.
    struct DelayedWorkPtr("struct delaying_work", "delaying_work", "kmalloc") {
        /// It is queued before other work.
        work: Work,
    }
}

impl World {
    /// Waits at a barrier until as many tasks have come as it is for.
    pub(crate) async fn meet(&self, barrier: usize, tasks: usize) {
        let k = self.k();
        let Some(named) = self.barriers.borrow().get(barrier).copied() else { return };
        let _f = k.enter(function!("barrier"), named.addr().to_value());
        k.bus.say(Effect::MightSleep("barrier"));
        let Some(waiter) = k.bus.alloc(WaiterPtr::layout(), 8).map(WaiterPtr::at) else {
            return self.no_memory().await;
        };
        named.come().xchg(k, 1).await;
        {
            let mut all = self.waiters.borrow_mut();
            let waiting = all.entry(barrier).or_default();
            waiting.push(waiter);
            if waiting.len() == tasks {
                waiting.drain(..).for_each(|waiter| waiter.done().complete(k));
            }
        }
        waiter.done().wait(k).await;
        k.kfree(waiter.addr());
    }

    /// Keeps the worker of cleanup passes busy until a completion, or for a time: what is queued behind waits.
    pub(crate) async fn delay_work(&self, until: Option<NamedCompletion>, time: u64) {
        let k = self.k();
        let wq = self.ns.netns_wq();
        let bytes = DelayedWorkPtr::layout().cells() * 8;
        let Some(delaying) = k.bus.alloc(DelayedWorkPtr::layout(), bytes).map(DelayedWorkPtr::at) else {
            return self.no_memory().await;
        };
        let world = self.this.clone();
        let func: WorkFunc = Rc::new(move || {
            let world = world.upgrade();
            Box::pin(async move {
                if let Some(world) = world {
                    let _f = world.k().enter(function!("delay_work"), delaying.addr().to_value());
                    match until {
                        Some(until) => drop(until.done().wait(world.k()).await),
                        None => world.k().sleep(time).await,
                    }
                    world.k().kfree(delaying.addr());
                }
            })
        });
        k.queue_work(wq, delaying.work(), func).await;
    }
}
