// SPDX-License-Identifier: GPL-2.0-only
//! Objects of the scenario's own, private data of operations, callbacks, and where tasks meet.

use std::rc::Rc;

use kernel::{
    Addr, Atomic, Completion, Effect, Gfp, Plain, Pointer, RcuFunc, RcuHead, Work, WorkFunc, function, object,
};
use netns::PernetOpsPtr;

use crate::{
    execute::{Me, need},
    step::{Access, Action, Allocate, CallRcu, GfpText, NetGeneric, Step},
    values::{ObjectRef, OpsRef},
    world::{NamedCompletion, Value, World},
};

object! {
    /// An object of a scenario.
    struct ObjectPtr("object", "object", "kmalloc") {
        /// What steps read and write.
        data: Plain<i64>,
        /// To free it by.
        rcu: RcuHead,
    }
}

object! {
    /// What `call_rcu` of a scenario is about.
    struct PostedPtr("struct posted", "posted", "kmalloc") {
        /// Its head.
        rcu: RcuHead,
    }
}

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

/// What `allocate` asks for, if the scenario does not say.
const DEFAULT_BYTES: usize = 64;

impl World {
    fn object(&self, name: &ObjectRef) -> Option<ObjectPtr> {
        match self.get(name.name.slot) {
            Value::Object(addr) => Some(ObjectPtr::at(addr)),
            _ => None,
        }
    }

    pub(crate) async fn object_step(&self, step: &Step) {
        let k = self.k();
        match &step.action {
            Action::Allocate(s) => self.allocate(step, s).await,
            Action::Free(s) => k.kfree(need!(self, self.object(&s.object)).addr()),
            Action::KfreeRcu(s) => {
                let object = need!(self, self.object(&s.object));
                k.kfree_rcu(object.addr(), object.rcu()).await;
            }
            Action::Read(s) => {
                let object = need!(self, self.object(&s.object));
                let _f = k.enter(function!("read_object"), object.addr().to_value());
                object.data().read(k).await;
            }
            Action::Write(s) => {
                let object = need!(self, self.object(&s.object));
                let _f = k.enter(function!("write_object"), object.addr().to_value());
                object.data().write(k, 1).await;
            }
            _ => {}
        }
    }

    async fn allocate(&self, step: &Step, s: &Allocate) {
        let gfp = if s.gfp == GfpText::Atomic { Gfp::Atomic } else { Gfp::Kernel };
        let bytes = s.bytes.map_or(DEFAULT_BYTES, |bytes| bytes.usize());
        let got = self.k().kzalloc_layout(ObjectPtr::layout(), bytes, "object", gfp).await;
        self.set(s.r#as.name.slot, got.map_or(Value::Null, Value::Object));
        self.gives(step, &s.expect, got.map_or(Value::Null, |_| Value::Bool(true)));
    }

    /// `net_generic()`, and an access to what it gives.
    pub(crate) async fn look_up_data(&self, step: &Step, s: &NetGeneric, me: Me) {
        let (ns, k) = (&self.ns, self.k());
        let net = need!(self, self.net(&s.net, me));
        let ops = need!(self, self.operations(s.ops.name.index()));
        let data = ns.net_generic(net, need!(self, ns.pernet_id(ops))).await;
        if !data.is_null() {
            match s.access {
                Access::Read => drop(data.first().read(k).await),
                Access::Write => data.first().write(k, 1).await,
                Access::None => {}
            }
        }
        if let Some(name) = &s.r#as {
            let bound = if data.is_null() { Value::Null } else { Value::Object(data.addr()) };
            self.set(name.name.slot, bound);
        }
        self.gives(step, &s.expect, if data.is_null() { Value::Null } else { Value::Bool(true) });
    }

    pub(crate) async fn library_step(&self, step: &Step, me: Me) {
        let ns = &self.ns;
        let operations = |ops: &OpsRef| -> Option<PernetOpsPtr> { self.operations(ops.name.index()) };
        match &step.action {
            Action::DevHold(s) => {
                let net = need!(self, self.net(&s.net, me));
                ns.dev_hold(need!(self, operations(&s.ops)), net).await;
            }
            Action::DevPut(s) => {
                let net = need!(self, self.net(&s.net, me));
                ns.dev_put(need!(self, operations(&s.ops)), net).await;
            }
            Action::NetifReceiveSkb(s) => {
                let net = need!(self, self.net(&s.net, me));
                ns.netif_receive_skb(need!(self, operations(&s.ops)), net).await;
            }
            Action::HelperUnregister(s) => {
                ns.nf_conntrack_helper_unregister(need!(self, operations(&s.ops))).await;
            }
            _ => {}
        }
    }

    /// `call_rcu()` on a new object, which the callback frees. The callback is code of the module that posts it.
    pub(crate) async fn post(&self, s: &CallRcu, me: Me) {
        let k = self.k();
        let bytes = PostedPtr::layout().cells() * 8;
        let Some(posted) = k.bus.alloc(PostedPtr::layout(), bytes).map(PostedPtr::at) else {
            return self.no_memory().await;
        };
        let me = match &s.module {
            Some(module) => Me { module: Some(module.name.index()), ..me },
            None => me,
        };
        // The function is where the module is now.
        let text = me.module.and_then(|module| self.module_text(module));
        let (world, body) = (self.this.clone(), s.steps.share());
        let func: RcuFunc = Rc::new(move |_| {
            let (world, body) = (world.upgrade(), body.share());
            Box::pin(async move {
                if let Some(world) = world {
                    if let Some(text) = text {
                        text.read(world.k()).await;
                    }
                    world.run_body(&body.0, me).await;
                    world.k().kfree(posted.addr());
                }
            })
        });
        k.call_rcu(posted.rcu(), func).await;
    }

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

/// The first word of a module's core memory: its functions.
pub(crate) type Text = Plain<Addr>;
