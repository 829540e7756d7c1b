// SPDX-License-Identifier: GPL-2.0-only
//! Hooks whose removal asks another subsystem to drop what it has queued: `nf_unregister_net_hook()`,
//! net/netfilter/core.c, and `nfqnl_nf_hook_drop()`, net/netfilter/nfnetlink_queue.c

use std::rc::Rc;

use kernel::{Pointer, function};

use super::{Links, Subsystem, Uses, exit};
use crate::{NetNs, net::NetPtr, pernet::PernetOpsPtr};

pub(super) const NETFILTER_HOOK: Subsystem = Subsystem {
    name: "netfilter-hook",
    about: "exit reads the private data of the operations that it `uses`, if they have some",
    stands_for: "net/netfilter/nfnetlink_queue.c",
    uses: Uses::Operations,
    methods: |links, methods| methods.exit = exit(links, nf_unregister_net_hook),
    ..Subsystem::BASE
};

async fn nf_unregister_net_hook(ns: Rc<NetNs>, net: NetPtr, links: Rc<Links>) {
    let k = &ns.k;
    let _f = k.enter(function!("nf_unregister_net_hook"), net.addr().to_value());
    let queue = PernetOpsPtr::at(links.uses.get());
    if queue.is_null() {
        return; // its module is not loaded
    }
    let _f = k.enter(function!("nfqnl_nf_hook_drop"), net.addr().to_value());
    let q = ns.data_of(queue, net).await;
    if !q.is_null() {
        q.first().read(k).await; // the table of instances
    }
}
