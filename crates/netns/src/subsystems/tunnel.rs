// SPDX-License-Identifier: GPL-2.0-only
//! A tunnel whose receive path looks its namespace's table up; net/ipv4/ip_gre.c, net/ipv4/ip_tunnel.c

use std::rc::Rc;

use kernel::{Addr, Field, Plain, Pointer, function};

use super::{Links, Subsystem, init};
use crate::{NetNs, net::NetPtr, pernet::PernetOpsPtr};

pub(super) const TUNNEL: Subsystem = Subsystem {
    name: "tunnel",
    about: "receives packets: reads its private data as an RCU reader, without any lock (`netif_receive_skb`)",
    stands_for: "net/ipv4/ip_gre.c",
    size: 64,
    receives: true,
    methods: |links, methods| methods.init = init(links, ipgre_init_net),
    ..Subsystem::BASE
};

async fn ipgre_init_net(ns: Rc<NetNs>, net: NetPtr, links: Rc<Links>) -> i32 {
    let k = &ns.k;
    let _f = k.enter(function!("ipgre_init_net"), net.addr().to_value());
    let itn = links.data(&ns, net).await;
    itn.slot(0).write(k, net.addr()).await; // what a packet finds
    0
}

impl NetNs {
    /// `netif_receive_skb()` and the handler of a protocol: a packet comes in, in a namespace. Softirq, or any
    /// context.
    pub async fn netif_receive_skb(&self, ops: PernetOpsPtr, net: NetPtr) {
        let k = &self.k;
        let _f = k.enter(function!("netif_receive_skb"), net.addr().to_value());
        k.rcu_read_lock().await;
        {
            let _f = k.enter(function!("ipgre_rcv"), net.addr().to_value());
            let itn = self.data_of(ops, net).await;
            if !itn.is_null() {
                let bucket: Plain<Addr> = Plain::at(itn.addr());
                bucket.read(k).await;
            }
        }
        k.rcu_read_unlock();
    }
}
