// SPDX-License-Identifier: GPL-2.0-only
//! The death of a namespace; lines 414 to 497.

use kernel::{Field, Gfp, ListHead, Pointer, function};

use super::{StackListPtr, nsid::RTM_DELNSID};
use crate::{Mutation, NetNs, Patch, Revert, net::NetPtr, pernet::PernetOpsPtr};

impl NetNs {
    /// A cleanup pass: dismantles the namespaces whose last reference was put. Kworker; sleeps.
    ///
    /// C: cleanup_net, net/core/net_namespace.c:417
    pub(crate) async fn cleanup_net(&self) {
        let k = &self.k;
        let _f = k.enter(function!("cleanup_net"), 0);
        let (Some(net_kill_list), Some(net_exit_list)) =
            (StackListPtr::head_on_stack(k), StackListPtr::head_on_stack(k))
        else {
            return self.k.out_of_memory().await;
        };
        net_exit_list.init(k).await;

        // Whoever is put from now on waits for the next pass.
        self.s.cleanup_list_lock().lock_irq(k).await;
        if self.changes.has(Revert::BatchDestruction) {
            self.take_one(net_kill_list).await;
        } else {
            self.s.cleanup_list().replace_init(k, net_kill_list).await;
        }
        self.s.cleanup_list_lock().unlock_irq(k).await;

        self.s.net_mutex().lock(k).await;

        // Nobody shall find them any more.
        self.rtnl_lock().await;
        let mut pos = net_kill_list.next(k).await;
        while pos != net_kill_list {
            let net = NetPtr::container_of(k, pos, NetPtr::cleanup_list).await;
            net.list().del_rcu(k).await;
            net_exit_list.add_tail(k, net.exit_list()).await;
            let mut tmp = self.for_each_net(None).await;
            while let Some(peer) = tmp {
                peer.nsid_lock().lock_bh(k).await;
                let id = self.__peernet2id(peer, net).await;
                if id >= 0 {
                    peer.netns_ids().remove(k, id).await;
                    self.publish_ids(peer).await;
                }
                peer.nsid_lock().unlock_bh(k).await;
                if id >= 0 {
                    self.rtnl_net_notifyid(peer, RTM_DELNSID, id, None, Gfp::Kernel).await;
                }
                tmp = self.for_each_net(tmp).await;
            }
            net.nsid_lock().lock_bh(k).await;
            net.netns_ids().destroy(k).await;
            self.publish_ids(net).await;
            net.nsid_lock().unlock_bh(k).await;
            pos = pos.next(k).await;
        }
        self.rtnl_unlock().await;

        // Walks that have begun in RCU read sections may still reach them; exit methods must not meet these.
        if !self.changes.has(Mutation::NoGracePeriod) {
            k.synchronize_rcu().await;
        }

        let pernet_list = self.s.pernet_list();
        let mut pos = pernet_list.prev(k).await;
        while pos != pernet_list {
            let ops = PernetOpsPtr::container_of(k, pos, PernetOpsPtr::list).await;
            self.ops_exit_list(ops, net_exit_list).await;
            pos = pos.prev(k).await;
        }

        let mut pos = pernet_list.prev(k).await;
        while pos != pernet_list {
            let ops = PernetOpsPtr::container_of(k, pos, PernetOpsPtr::list).await;
            self.ops_free_list(ops, net_exit_list).await;
            pos = pos.prev(k).await;
        }

        self.s.net_mutex().unlock(k).await;

        // No RCU callback that is queued by now uses them any more.
        k.rcu_barrier().await;
        self.net_complete_free().await;

        let mut pos = net_exit_list.next(k).await;
        while pos != net_exit_list {
            let net = NetPtr::container_of(k, pos, NetPtr::exit_list).await;
            pos = pos.next(k).await;
            net.exit_list().del_init(k).await;
            let ucounts = net.ucounts().read(k).await;
            self.dec_net_namespaces(ucounts).await;
            if !self.changes.has(Patch::KeepOwner) {
                let user_ns = net.user_ns().read(k).await;
                self.put_user_ns(user_ns).await;
            }
            if self.changes.has(Revert::PassiveCount) {
                self.net_free(net).await;
            } else {
                self.net_drop_ns(net).await;
            }
        }
        k.kfree(net_kill_list.addr());
        k.kfree(net_exit_list.addr());
    }

    /// Takes one namespace of those that are to be cleaned up, and queues the work again for the others: without
    /// [`Revert::BatchDestruction`] there is a work item for each. Under `cleanup_list_lock`.
    async fn take_one(&self, net_kill_list: ListHead) {
        let k = &self.k;
        net_kill_list.init(k).await;
        let cleanup_list = self.s.cleanup_list();
        if cleanup_list.is_empty(k).await {
            return;
        }
        let oldest = cleanup_list.prev(k).await;
        oldest.del(k).await;
        net_kill_list.add(k, oldest).await;
        if !cleanup_list.is_empty(k).await {
            let netns_wq = self.s.netns_wq().read(k).await;
            k.queue_work(netns_wq, self.s.net_cleanup_work(), self.cleanup_work.clone()).await;
        }
    }

    /// The last reference is gone: leaves the cleanup to process context. Any context.
    ///
    /// C: __put_net, net/core/net_namespace.c:486
    pub(crate) async fn __put_net(&self, net: NetPtr) {
        let k = &self.k;
        let _f = k.enter(function!("__put_net"), net.addr().to_value());
        self.s.cleanup_list_lock().lock_irqsave(k).await;
        let queue = !self.changes.has(Patch::QueueForFirstNet) || self.s.cleanup_list().is_empty(k).await;
        self.s.cleanup_list().add(k, net.cleanup_list()).await;
        self.s.cleanup_list_lock().unlock_irqrestore(k).await;
        if !queue {
            return;
        }

        let netns_wq = self.s.netns_wq().read(k).await;
        k.queue_work(netns_wq, self.s.net_cleanup_work(), self.cleanup_work.clone()).await;
    }
}
