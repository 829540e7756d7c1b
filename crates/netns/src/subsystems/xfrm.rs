// SPDX-License-Identifier: GPL-2.0-only
//! Route cache entries that outlive their namespace by two grace periods: `dst_destroy()`, net/core/dst.c, with the
//! `dst_ops` that net/xfrm/xfrm_policy.c keeps in `struct net`

use std::rc::Rc;

use kernel::{Gfp, Plain, Pointer, RcuFunc, RcuHead, function, object};

use super::{Links, Subsystem, exit};
use crate::{NetNs, net::NetPtr};

pub(super) const XFRM: Subsystem = Subsystem {
    name: "xfrm",
    about: "exit posts an RCU callback that posts another one, which reads the namespace",
    stands_for: "net/xfrm/xfrm_policy.c",
    methods: |links, methods| methods.exit = exit(links, xfrm_net_exit),
    ..Subsystem::BASE
};

object! {
    /// `struct dst_entry *`
    struct DstEntryPtr("struct dst_entry", "dst_entry", "kmalloc") {
        /// To destroy it by.
        rcu_head: RcuHead,
        /// `dst->ops`, which lie in `struct net`.
        ops: Plain<NetPtr>,
    }
}

async fn xfrm_net_exit(ns: Rc<NetNs>, net: NetPtr, _: Rc<Links>) {
    let k = &ns.k;
    let _f = k.enter(function!("xfrm_net_exit"), net.addr().to_value());
    // The entry was made by traffic, long ago.
    let Some(dst) = k.kzalloc::<DstEntryPtr>("dst_entry", Gfp::Kernel).await else { return };
    dst.ops().write(k, net).await;
    let this = Rc::downgrade(&ns);
    let func: RcuFunc = Rc::new(move |_| {
        let this = this.clone();
        Box::pin(async move {
            if let Some(ns) = this.upgrade() {
                ns.xfrm_bundle_release(dst).await;
            }
        })
    });
    k.call_rcu(dst.rcu_head(), func).await;
}

impl NetNs {
    /// The last reference of the bundle is put in a callback: `dst_release()` posts the next one.
    async fn xfrm_bundle_release(&self, dst: DstEntryPtr) {
        let _f = self.k.enter(function!("dst_release"), dst.addr().to_value());
        let this = Rc::downgrade(&self.this());
        let func: RcuFunc = Rc::new(move |_| {
            let this = this.clone();
            Box::pin(async move {
                if let Some(ns) = this.upgrade() {
                    ns.dst_destroy_rcu(dst).await;
                }
            })
        });
        self.k.call_rcu(dst.rcu_head(), func).await;
    }

    /// Calls `dst->ops->destroy()`: reads `struct net`.
    async fn dst_destroy_rcu(&self, dst: DstEntryPtr) {
        let k = &self.k;
        let _f = k.enter(function!("dst_destroy_rcu"), dst.addr().to_value());
        let net = dst.ops().read(k).await;
        net.dev_base_seq().read(k).await;
        k.kfree(dst.addr());
    }
}
