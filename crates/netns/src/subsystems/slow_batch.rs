// SPDX-License-Identifier: GPL-2.0-only
//! A method `exit_batch` that takes long, as `nf_conntrack_cleanup_net_list()` does, which walks the whole table again
//! and again until every connection of the namespaces is gone; net/netfilter/nf_conntrack_core.c

use std::rc::Rc;

use kernel::{ListHead, function};

use super::{Links, Subsystem, exit_batch};
use crate::NetNs;

pub(super) const SLOW_BATCH: Subsystem = Subsystem {
    name: "slow-batch",
    about: "exit_batch sleeps for the `time` that is given, under net_mutex",
    stands_for: "net/netfilter/nf_conntrack_core.c",
    takes_time: true,
    methods: |links, methods| methods.exit_batch = exit_batch(links, nf_conntrack_cleanup_net_list),
    ..Subsystem::BASE
};

async fn nf_conntrack_cleanup_net_list(ns: Rc<NetNs>, _: ListHead, links: Rc<Links>) {
    let _f = ns.k.enter(function!("nf_conntrack_cleanup_net_list"), 0);
    ns.k.sleep(links.time.get()).await;
}
