// SPDX-License-Identifier: GPL-2.0-only
//! References to namespaces, and walks over all of them; include/net/net_namespace.h

use kernel::{ListHead, Pointer, function};

use crate::{NetNs, net::NetPtr};

impl NetNs {
    /// Takes a reference, whatever the count is. Any context.
    ///
    /// C: get_net, include/net/net_namespace.h
    pub async fn get_net(&self, net: NetPtr) -> NetPtr {
        let k = &self.k;
        let _f = k.enter(function!("get_net"), net.addr().to_value());
        if self.config.net_ns {
            net.count().inc(k).await;
        }
        net
    }
    /// Takes a reference unless the count has reached zero. Any context.
    ///
    /// C: maybe_get_net, include/net/net_namespace.h
    pub async fn maybe_get_net(&self, net: NetPtr) -> Option<NetPtr> {
        let k = &self.k;
        let _f = k.enter(function!("maybe_get_net"), net.addr().to_value());
        if !self.config.net_ns || net.count().inc_not_zero(k).await { Some(net) } else { None }
    }
    /// Drops a reference; the last one leads to the cleanup of the namespace. Any context.
    ///
    /// C: put_net, include/net/net_namespace.h
    pub async fn put_net(&self, net: NetPtr) {
        let k = &self.k;
        let _f = k.enter(function!("put_net"), net.addr().to_value());
        if self.config.net_ns && net.count().dec_and_test(k).await {
            self.__put_net(net).await;
        }
    }
    /// Whether two namespaces are the same. Without namespaces, all are.
    ///
    /// C: net_eq, include/net/net_namespace.h
    pub fn net_eq(&self, net1: NetPtr, net2: NetPtr) -> bool {
        let _f = self.k.enter(function!("net_eq"), net1.addr().to_value());
        !self.config.net_ns || net1 == net2
    }
    /// The namespace behind a link of `net_namespace_list`; none behind the last. Under `rtnl_mutex` or `net_mutex`.
    /// A walk begins with `None`.
    ///
    /// C: for_each_net, include/net/net_namespace.h
    pub async fn for_each_net(&self, previous: Option<NetPtr>) -> Option<NetPtr> {
        let k = &self.k;
        let link = self.link_of(previous).next(k).await;
        self.net_of(link).await
    }
    /// The same in an RCU read section: namespaces may come and go meanwhile.
    ///
    /// C: for_each_net_rcu, include/net/net_namespace.h
    pub async fn for_each_net_rcu(&self, previous: Option<NetPtr>) -> Option<NetPtr> {
        let k = &self.k;
        let link = self.link_of(previous).next_rcu(k).await;
        self.net_of(link).await
    }

    fn link_of(&self, net: Option<NetPtr>) -> ListHead {
        net.map_or(self.s.net_namespace_list(), NetPtr::list)
    }
    async fn net_of(&self, link: ListHead) -> Option<NetPtr> {
        if link == self.s.net_namespace_list() {
            return None;
        }
        Some(NetPtr::container_of(&self.k, link, NetPtr::list).await)
    }
}
