// SPDX-License-Identifier: GPL-2.0-only
//! The birth of a namespace; lines 275 to 411 and 759 to 801.

use kernel::{ENOMEM, ENOSPC, Errno, Field, Gfp, Pointer, function};

use super::{StackListPtr, pernet::net_ns_ops, rtnl::RTNL_REGISTER};
use crate::{
    NetNs, Patch, Revert,
    net::NetPtr,
    net_namespace::{RTM_GETNSID, RTM_NEWNSID},
    pernet::PernetOpsPtr,
    ucount::UcountsPtr,
    user_namespace::UserNsPtr,
};

/// A new network namespace. include/uapi/linux/sched.h
pub const CLONE_NEWNET: u64 = 0x4000_0000;

impl NetNs {
    /// Runs the init methods for a namespace: 0, or what the last of them returned. If that is negative, all that
    /// was done is undone. Under `net_mutex`; sleeps.
    ///
    /// C: setup_net, net/core/net_namespace.c:278
    pub(crate) async fn setup_net(&self, net: NetPtr, user_ns: UserNsPtr) -> i32 {
        let k = &self.k;
        let _f = k.enter(function!("setup_net"), net.addr().to_value());
        net.count().set(k, 1).await;
        net.passive().set(k, 1).await;
        net.dev_base_seq().write(k, 1).await;
        net.user_ns().write(k, user_ns).await;
        net.netns_ids().init(k).await;
        net.nsid_lock().init(k).await;

        let mut error = 0;
        let pernet_list = self.s.pernet_list();
        let mut pos = pernet_list.next(k).await;
        while pos != pernet_list {
            let ops = PernetOpsPtr::container_of(k, pos, PernetOpsPtr::list).await;
            error = self.ops_init(ops, net).await;
            if error < 0 {
                self.undo_setup(net, ops).await;
                break;
            }
            pos = pos.next(k).await;
        }
        error
    }

    /// `out_undo` of `setup_net()`: exits, from the operation before the one that failed backwards; then frees.
    async fn undo_setup(&self, net: NetPtr, failed: PernetOpsPtr) {
        let k = &self.k;
        let Some(net_exit_list) = StackListPtr::head_on_stack(k) else { return self.k.out_of_memory().await };
        net_exit_list.init(k).await;
        net_exit_list.add(k, net.exit_list()).await;
        self.wait_before_exit().await;
        let pernet_list = self.s.pernet_list();
        let mut pos = failed.list().prev(k).await;
        while pos != pernet_list {
            let ops = PernetOpsPtr::container_of(k, pos, PernetOpsPtr::list).await;
            self.ops_exit_list(ops, net_exit_list).await;
            pos = pos.prev(k).await;
        }
        let mut pos = failed.list().prev(k).await;
        while pos != pernet_list {
            let ops = PernetOpsPtr::container_of(k, pos, PernetOpsPtr::list).await;
            self.ops_free_list(ops, net_exit_list).await;
            pos = pos.prev(k).await;
        }
        k.rcu_barrier().await;
        k.kfree(net_exit_list.addr());
    }

    /// Charges a namespace to a user; none if there are too many.
    ///
    /// C: inc_net_namespaces, net/core/net_namespace.c:319
    async fn inc_net_namespaces(&self, ns: UserNsPtr) -> Option<UcountsPtr> {
        let _f = self.k.enter(function!("inc_net_namespaces"), ns.addr().to_value());
        let uid = self.current_euid().await;
        self.inc_ucount(ns, uid).await
    }

    /// C: dec_net_namespaces, net/core/net_namespace.c:324
    pub(crate) async fn dec_net_namespaces(&self, ucounts: UcountsPtr) {
        let _f = self.k.enter(function!("dec_net_namespaces"), ucounts.addr().to_value());
        self.dec_ucount(ucounts).await;
    }

    /// Process context; no lock.
    ///
    /// C: net_alloc, net/core/net_namespace.c:332
    async fn net_alloc(&self) -> Option<NetPtr> {
        let k = &self.k;
        let _f = k.enter(function!("net_alloc"), 0);
        let ng = self.net_alloc_generic().await?;
        let Some(net) = k.kzalloc::<NetPtr>("net", Gfp::Kernel).await else {
            k.kfree(ng.addr());
            return None;
        };
        net.r#gen().assign(k, ng).await;
        Some(net)
    }

    /// C: net_free, net/core/net_namespace.c:354
    pub(super) async fn net_free(&self, net: NetPtr) {
        let k = &self.k;
        let _f = k.enter(function!("net_free"), net.addr().to_value());
        let ng = net.r#gen().access(k).await;
        k.kfree(ng.addr());
        if self.changes.has(Patch::KeepOwner) {
            let user_ns = net.user_ns().read(k).await;
            if !user_ns.is_null() {
                self.put_user_ns(user_ns).await;
            }
        }
        if self.changes.has(Patch::DeferNetFree) {
            self.s.defer_free_list().add(k, net.defer_free_list()).await;
        } else {
            k.kfree(net.addr());
        }
    }

    /// `net_complete_free()` of [`Patch::DeferNetFree`]: frees what was left to this pass.
    pub(super) async fn net_complete_free(&self) {
        let k = &self.k;
        if !self.changes.has(Patch::DeferNetFree) {
            return;
        }
        let _f = k.enter(function!("net_complete_free"), 0);
        let mut pos = self.s.defer_free_list().del_all(k).await;
        while !pos.is_null() {
            let net = NetPtr::container_of(k, pos, NetPtr::defer_free_list).await;
            pos = pos.next().read(k).await;
            k.kfree(net.addr());
        }
    }

    /// Drops a reference to the memory of a namespace; NULL is none. Any context.
    ///
    /// C: net_drop_ns, net/core/net_namespace.c:360
    pub async fn net_drop_ns(&self, p: NetPtr) {
        let k = &self.k;
        let _f = k.enter(function!("net_drop_ns"), p.addr().to_value());
        if !p.is_null() && p.passive().dec_and_test(k).await {
            self.net_free(p).await;
        }
    }

    /// A new namespace owned by `user_ns`, or without [`CLONE_NEWNET`] another reference to `old_net`. Process
    /// context; sleeps.
    ///
    /// # Errors
    ///
    /// `ENOSPC` over the owner's limit, `ENOMEM`, `EINTR` if killed while waiting for `net_mutex`, or what an init
    /// method returned.
    ///
    /// C: copy_net_ns, net/core/net_namespace.c:367
    ///
    /// Deviation: without CONFIG_NET_NS, the inline function of the header: EINVAL, or `old_net` without a reference.
    pub async fn copy_net_ns(
        &self,
        flags: u64,
        user_ns: UserNsPtr,
        old_net: NetPtr,
    ) -> Result<NetPtr, Errno> {
        let k = &self.k;
        let _f = k.enter(function!("copy_net_ns"), old_net.addr().to_value());
        if !self.config.net_ns {
            return if flags & CLONE_NEWNET != 0 { Err(kernel::EINVAL) } else { Ok(old_net) };
        }
        if flags & CLONE_NEWNET == 0 {
            return Ok(self.get_net(old_net).await);
        }

        let Some(ucounts) = self.inc_net_namespaces(user_ns).await else { return Err(ENOSPC) };

        let Some(net) = self.net_alloc().await else {
            self.dec_net_namespaces(ucounts).await;
            return Err(ENOMEM);
        };

        self.get_user_ns(user_ns).await;

        let locked = if self.changes.has(Revert::KillableNetMutex) {
            self.s.net_mutex().lock(k).await;
            Ok(())
        } else {
            self.s.net_mutex().lock_killable(k).await
        };
        if let Err(err) = locked {
            self.net_free(net).await;
            self.dec_net_namespaces(ucounts).await;
            self.put_user_ns(user_ns).await;
            return Err(err);
        }

        net.ucounts().write(k, ucounts).await;
        let rv = self.setup_net(net, user_ns).await;
        if rv == 0 {
            self.rtnl_lock().await;
            self.s.net_namespace_list().add_tail_rcu(k, net.list()).await;
            self.rtnl_unlock().await;
        }
        self.s.net_mutex().unlock(k).await;
        if rv < 0 {
            if self.changes.has(Patch::ForgetIdsOfFailedSetup) {
                self.forget_ids_of(net).await;
            }
            self.dec_net_namespaces(ucounts).await;
            if !self.changes.has(Patch::KeepOwner) {
                self.put_user_ns(user_ns).await;
            }
            self.net_drop_ns(net).await;
            return Err(Errno::from_negated(rv));
        }
        // A positive one is taken for success, and the namespace is on no list.
        Ok(net)
    }

    /// Boots the subsystem. Process context, once, before anybody creates a namespace.
    ///
    /// C: net_ns_init, net/core/net_namespace.c:759
    pub async fn net_ns_init(&self) -> i32 {
        let k = &self.k;
        let _f = k.enter(function!("net_ns_init"), 0);
        if self.config.net_ns {
            if k.should_fail("kmem_cache", Gfp::Kernel).await {
                k.panic("no slab cache").await; // SLAB_PANIC
            }
            self.s.net_cachep().write(k, true).await;
            match k.create_singlethread_workqueue("netns").await {
                Some(wq) => self.s.netns_wq().write(k, wq).await,
                None => k.panic("Could not create netns workq").await,
            }
        }

        let init_net = self.init_net;
        match self.net_alloc_generic().await {
            Some(ng) => init_net.r#gen().assign(k, ng).await,
            None => k.panic("Could not allocate generic netns").await,
        }

        self.s.net_mutex().lock(k).await;
        if self.setup_net(init_net, self.init_user_ns).await != 0 {
            k.panic("Could not setup the initial network namespace").await;
        }

        self.s.init_net_initialized().write(k, true).await;

        self.rtnl_lock().await;
        self.s.net_namespace_list().add_tail_rcu(k, init_net.list()).await;
        self.rtnl_unlock().await;

        self.s.net_mutex().unlock(k).await;

        let Some(ops) = self.new_pernet_operations(net_ns_ops(), false, 0).await else {
            self.k.out_of_memory().await;
            return 0;
        };
        let error = self.register_pernet_subsys(ops).await; // v4.11 does not look
        if error != 0 && self.changes.has(Patch::CheckNetNsOps) {
            k.panic("Could not register network namespace subsystems").await;
        }

        k.trace(&RTNL_REGISTER, i64::from(RTM_NEWNSID), 0);
        k.trace(&RTNL_REGISTER, i64::from(RTM_GETNSID), 1);
        0
    }
}
