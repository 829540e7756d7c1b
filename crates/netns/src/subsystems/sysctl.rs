// SPDX-License-Identifier: GPL-2.0-only
//! A table of settings for every namespace; `sysctl_core_net_ops`, net/core/sysctl_net_core.c

use std::rc::Rc;

use kernel::{ENOMEM, Gfp, Plain, Pointer, function, object};

use super::{Links, Subsystem, exit, init};
use crate::{NetNs, net::NetPtr};

pub(super) const SYSCTL: Subsystem = Subsystem {
    name: "sysctl",
    about: "init copies a table of settings for the namespace, exit frees it",
    stands_for: "net/core/sysctl_net_core.c",
    size: 8,
    methods: |links, methods| {
        methods.init = init(links, sysctl_core_net_init);
        methods.exit = exit(links, sysctl_core_net_exit);
    },
    ..Subsystem::BASE
};

object! {
    /// `struct ctl_table *`
    struct CtlTablePtr("struct ctl_table", "ctl_table", "kmalloc") {
        /// `net.core.somaxconn`
        somaxconn: Plain<i32>,
    }
}

/// The default. include/uapi/linux/socket.h
const SOMAXCONN: i32 = 128;

async fn sysctl_core_net_init(ns: Rc<NetNs>, net: NetPtr, links: Rc<Links>) -> i32 {
    let k = &ns.k;
    let _f = k.enter(function!("sysctl_core_net_init"), net.addr().to_value());
    let Some(tbl) = k.kzalloc::<CtlTablePtr>("ctl_table", Gfp::Kernel).await else {
        return ENOMEM.negated();
    };
    tbl.somaxconn().write(k, SOMAXCONN).await;
    links.data(&ns, net).await.slot(0).write(k, tbl.addr()).await;
    0
}

async fn sysctl_core_net_exit(ns: Rc<NetNs>, net: NetPtr, links: Rc<Links>) {
    let k = &ns.k;
    let _f = k.enter(function!("sysctl_core_net_exit"), net.addr().to_value());
    let tbl = links.data(&ns, net).await.slot(0).read(k).await;
    k.kfree(tbl);
}
