// SPDX-License-Identifier: GPL-2.0-only
//! A device that somebody refers to and forgets, as a leaked dst or neighbour does; the wait for it is that of
//! `netdev_wait_allrefs()`, net/core/dev.c

use std::rc::Rc;

use kernel::{Pointer, function};

use super::{
    Links, Subsystem, exit, init,
    loopback::{loopback_net_exit, loopback_net_init},
};
use crate::{NetNs, net::NetPtr, pernet::PernetOpsPtr};

pub(super) const STUCK_DEVICE: Subsystem = Subsystem {
    name: "stuck-device",
    about: "loopback with a reference that nobody puts: exit waits until a scenario does, by `dev_put`",
    stands_for: "net/core/dev.c",
    size: 8,
    has_device: true,
    methods: |links, methods| {
        methods.init = init(links, stuck_net_init);
        methods.exit = exit(links, loopback_net_exit);
    },
    ..Subsystem::BASE
};

async fn stuck_net_init(ns: Rc<NetNs>, net: NetPtr, links: Rc<Links>) -> i32 {
    let _f = ns.k.enter(function!("stuck_net_init"), net.addr().to_value());
    let error = loopback_net_init(ns.clone(), net, links.clone()).await;
    // The first namespace lives for ever: its device may be referred to.
    if error == 0 && net != ns.init_net {
        ns.dev_hold(PernetOpsPtr::at(links.own.get()), net).await;
    }
    error
}
