// SPDX-License-Identifier: GPL-2.0-only
//! Objects of the scenario's own, private data of operations, and callbacks.

use std::rc::Rc;

use kernel::{Plain, Pointer, RcuFunc, RcuHead, function, object};
use netns::{NotifierPtr, PernetOpsPtr};

use crate::{
    body::Step,
    execute::{Me, need},
    step::{Action, Allocate, CallRcu, NetGeneric},
    values::{ObjectRef, OpsRef},
    words::Access,
    world::{Value, World},
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
            Action::Free(s) => {
                let object = need!(self, self.object(&s.object)).addr();
                let _f = k.enter(function!("free_object"), object.to_value());
                k.kfree(object);
            }
            Action::KfreeRcu(s) => {
                let object = need!(self, self.object(&s.object));
                let _f = k.enter(function!("kfree_rcu"), object.addr().to_value());
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
        let gfp = s.gfp.flags();
        let bytes = s.bytes.map_or(DEFAULT_BYTES, |bytes| bytes.usize());
        let _f = self.k().enter(function!("allocate_object"), 0);
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
            let of = data.addr().to_value();
            match s.access {
                Access::Read => {
                    let _f = k.enter(function!("read_net_generic"), of);
                    data.first().read(k).await;
                }
                Access::Write => {
                    let _f = k.enter(function!("write_net_generic"), of);
                    data.first().write(k, 1).await;
                }
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
            Action::RegisterNotifier(s) => {
                let ops = need!(self, operations(&s.ops));
                let notifier = ns.register_netdevice_notifier(ops).await;
                self.set(s.r#as.name.slot, notifier.map_or(Value::Null, |nb| Value::Object(nb.addr())));
            }
            Action::UnregisterNotifier(s) => {
                let notifier = NotifierPtr::at(need!(self, self.object(&s.object)).addr());
                let left = ns.unregister_netdevice_notifier(notifier).await;
                self.gives(step, &s.expect, Value::Number(left.into()));
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
}
