// SPDX-License-Identifier: GPL-2.0-only
//! The loopback device of every namespace; drivers/net/loopback.c, and `default_device_exit_batch()` of
//! net/core/dev.c

use std::rc::Rc;

use kernel::{ENOMEM, Pointer, function};

use super::{Links, Subsystem, exit, init, netdevice::NetDevicePtr};
use crate::{NetNs, net::NetPtr, pernet::PernetOpsPtr};

pub(super) const LOOPBACK: Subsystem = Subsystem {
    name: "loopback",
    about: "registers a device in init; exit unregisters it, and waits until nobody refers to it",
    stands_for: "drivers/net/loopback.c",
    size: 8,
    has_device: true,
    methods: |links, methods| {
        methods.init = init(links, loopback_net_init);
        methods.exit = exit(links, loopback_net_exit);
    },
    ..Subsystem::BASE
};

pub(super) async fn loopback_net_init(ns: Rc<NetNs>, net: NetPtr, links: Rc<Links>) -> i32 {
    let k = &ns.k;
    let _f = k.enter(function!("loopback_net_init"), net.addr().to_value());
    // C has a pointer of its own for it in struct net: loopback_dev.
    let place = links.data(&ns, net).await.slot(0);
    match ns.register_netdev(PernetOpsPtr::at(links.own.get()), place).await {
        Some(_) => 0,
        None => ENOMEM.negated(),
    }
}

pub(super) async fn loopback_net_exit(ns: Rc<NetNs>, net: NetPtr, links: Rc<Links>) {
    let k = &ns.k;
    let _f = k.enter(function!("default_device_exit"), net.addr().to_value());
    let dev = links.data(&ns, net).await.slot(0).read(k).await;
    ns.unregister_netdev(NetDevicePtr::at(dev)).await;
}
