// SPDX-License-Identifier: GPL-2.0-only
//! Connection tracking with helpers that live in modules: net/netfilter/nf_conntrack_core.c and
//! net/netfilter/nf_conntrack_helper.c

use std::rc::Rc;

use kernel::{Addr, Field, Plain, Pointer, function};

use super::{Links, Subsystem, Uses, exit, init};
use crate::{NetNs, Patch, net::NetPtr, pernet::PernetOpsPtr};

pub(super) const CONNTRACK: Subsystem = Subsystem {
    name: "conntrack",
    about: "has a connection with a helper of the module that it `uses`; exit calls the helper's destroy()",
    stands_for: "net/netfilter/nf_conntrack_helper.c",
    size: 8,
    uses: Uses::Module,
    methods: |links, methods| {
        methods.init = init(links, nf_conntrack_init_net);
        methods.exit = exit(links, nf_conntrack_cleanup_net);
    },
    ..Subsystem::BASE
};

/// A connection is tracked at once: what traffic does in C.
async fn nf_conntrack_init_net(ns: Rc<NetNs>, net: NetPtr, links: Rc<Links>) -> i32 {
    let k = &ns.k;
    let _f = k.enter(function!("nf_conntrack_init_net"), net.addr().to_value());
    links.data(&ns, net).await.slot(0).write(k, links.uses.get()).await;
    0
}

async fn nf_conntrack_cleanup_net(ns: Rc<NetNs>, net: NetPtr, links: Rc<Links>) {
    let k = &ns.k;
    let _f = k.enter(function!("nf_conntrack_cleanup_net"), net.addr().to_value());
    let helper = links.data(&ns, net).await.slot(0).read(k).await;
    if !helper.is_null() {
        let _f = k.enter(function!("nf_ct_helper_destroy"), net.addr().to_value());
        let text: Plain<Addr> = Plain::at(helper);
        text.read(k).await; // runs code of the module
    }
}

impl NetNs {
    /// `nf_conntrack_helper_unregister()`: no connection uses the helper any more, in any namespace that is on the
    /// list. A helper's module calls it in its exit function. Process context; sleeps.
    pub async fn nf_conntrack_helper_unregister(&self, ops: PernetOpsPtr) {
        let k = &self.k;
        let _f = k.enter(function!("nf_conntrack_helper_unregister"), ops.addr().to_value());
        k.synchronize_rcu().await;
        self.rtnl_lock().await;
        let mut pos = self.for_each_net(None).await;
        while let Some(net) = pos {
            let data = self.data_of(ops, net).await;
            if !data.is_null() {
                data.slot(0).write(k, Addr::NULL).await; // unhelp()
            }
            pos = self.for_each_net(pos).await;
        }
        self.rtnl_unlock().await;
        if self.changes.has(Patch::NetNsBarrier) {
            // A namespace that is off the list may not have run its exit methods yet.
            let _f = k.enter(function!("net_ns_barrier"), 0);
            self.net_mutex().lock(k).await;
            self.net_mutex().unlock(k).await;
        }
    }
}
