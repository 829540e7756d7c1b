// SPDX-License-Identifier: GPL-2.0-only
//! Private data of pernet operations, and their methods; lines 44 to 155.

use kernel::{Addr, EINVAL, ENOMEM, Errno, Field, Gfp, ListHead, Pointer, Racy, function};

use crate::{
    Mutation, NetNs, Patch, Revert,
    net::{GenericPtr, NetPtr},
    pernet::{PernetDataPtr, PernetOpsPtr},
};

/// The lowest id: those below alias the header of `struct net_generic`.
///
/// C: MIN_PERNET_OPS_ID, net/core/net_namespace.c:44
pub const MIN_PERNET_OPS_ID: u32 = 3;

/// C: INITIAL_NET_GEN_PTRS, net/core/net_namespace.c:47
pub const INITIAL_NET_GEN_PTRS: u32 = 13;

impl NetNs {
    /// A new array. Process context; no lock, so that `max_gen_ptrs` may grow between the two times it is read.
    ///
    /// C: net_alloc_generic, net/core/net_namespace.c:51
    pub(crate) async fn net_alloc_generic(&self) -> Option<GenericPtr> {
        let k = &self.k;
        let _f = k.enter(function!("net_alloc_generic"), 0);
        let once = self.changes.has(Patch::ReadMaxGenPtrsOnce);
        let max_gen_ptrs = if once {
            self.s.max_gen_ptrs().read(k).await
        } else {
            self.s.max_gen_ptrs_unmarked().read(k).await
        };
        let generic_size = max_gen_ptrs as usize * 8;
        let ng = k
            .kzalloc_layout(GenericPtr::layout(), generic_size, "gen", Gfp::Kernel)
            .await
            .map(GenericPtr::at);
        if let Some(ng) = ng {
            let len = if once { max_gen_ptrs } else { self.s.max_gen_ptrs_unmarked().read(k).await };
            ng.len().write(k, len).await;
        }
        ng
    }

    /// Stores the private data of operation `id`, in a larger array if need be. Under `net_mutex`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`
    ///
    /// C: net_assign_generic, net/core/net_namespace.c:63
    pub(crate) async fn net_assign_generic(&self, net: NetPtr, id: u32, data: Addr) -> Result<(), Errno> {
        let k = &self.k;
        let _f = k.enter(function!("net_assign_generic"), net.addr().to_value());
        let locked = self.s.net_mutex().is_locked(k).await;
        k.bug_on(!locked, "!mutex_is_locked(&net_mutex)").await;
        k.bug_on(id < MIN_PERNET_OPS_ID, "id < MIN_PERNET_OPS_ID").await;

        let old_ng = net.r#gen().dereference_protected(k).await;
        let old_len = old_ng.len().read(k).await;
        let is_behind = old_len == id && self.changes.has(Mutation::SlotBehindArray);
        if old_len > id || is_behind {
            old_ng.ptr(id).write(k, data).await;
            return Ok(());
        }
        let Some(ng) = self.net_alloc_generic().await else { return Err(ENOMEM) };

        // Readers walk the array in RCU read sections, and a slot that is set does not change: so the array is
        // copied, and the old one freed when they have left it.
        for slot in MIN_PERNET_OPS_ID..old_len {
            let data = k.bus.read(old_ng.addr().plus(slot as usize)).await;
            k.bus.write(ng.addr().plus(slot as usize), data).await;
        }
        let published_early = self.changes.has(Revert::PublishNetGenericCorrectly);
        let slot = ng.addr().plus(id as usize);
        if published_early {
            net.r#gen().assign(k, ng).await;
            Racy::at(slot).write(k, data).await; // a reader may come in between
        } else {
            k.bus.write(slot, data.to_value()).await;
            net.r#gen().assign(k, ng).await;
        }
        k.kfree_rcu(old_ng.addr(), old_ng.rcu()).await;
        Ok(())
    }

    /// The private data of operation `id` in a namespace; NULL if there is none. Any context. As in v4.11, an id that
    /// was never assigned is not noticed.
    ///
    /// C: net_generic, include/net/netns/generic.h
    pub async fn net_generic(&self, net: NetPtr, id: u32) -> PernetDataPtr {
        let k = &self.k;
        let _f = k.enter(function!("net_generic"), net.addr().to_value());
        k.rcu_read_lock().await;
        let ng = net.r#gen().dereference(k).await;
        let ptr = ng.ptr(id).read(k).await;
        k.rcu_read_unlock();
        PernetDataPtr::at(ptr)
    }

    /// Sets up one operation in a namespace: 0, or what its method returned, or `-ENOMEM`. Under `net_mutex`.
    ///
    /// C: ops_init, net/core/net_namespace.c:101
    pub(crate) async fn ops_init(&self, ops: PernetOpsPtr, net: NetPtr) -> i32 {
        let k = &self.k;
        let _f = k.enter(function!("ops_init"), ops.addr().to_value());
        let mut data = Addr::NULL;
        let mut err = 0;
        let mut is_assigned = true;
        let id = ops.id().read(k).await;
        let size = ops.size().read(k).await;
        if !id.is_null() && size != 0 {
            let Some(new) = k.kzalloc_layout(PernetDataPtr::layout(), size, "data", Gfp::Kernel).await else {
                return ENOMEM.negated();
            };
            data = new;
            let id = id.value().read(k).await;
            if let Err(errno) = self.net_assign_generic(net, id, data).await {
                err = errno.negated();
                is_assigned = false;
            }
        } else if !id.is_null() && self.changes.has(Patch::GrowForEveryId) {
            let id = id.value().read(k).await;
            if let Err(errno) = self.net_assign_generic(net, id, data).await {
                err = errno.negated();
            }
        }
        if err == 0 {
            err = self.call_init(ops, net).await;
            if err > 0 && self.changes.has(Patch::InitReturnsNoPositive) {
                err = EINVAL.negated();
            }
            if err == 0 {
                return 0;
            }
        }
        // In v4.11 the slot keeps its pointer: CVE-2022-50780.
        let clears = self.changes.has(Patch::ClearSlotOfFailedInit) && !data.is_null();
        if clears && (is_assigned || !self.changes.has(Patch::ClearAssignedSlotsOnly)) {
            let id = id.value().read(k).await;
            let ng = net.r#gen().dereference_protected(k).await;
            ng.ptr(id).write(k, Addr::NULL).await;
        }
        k.kfree(data);
        err
    }

    /// `ops->init(net)`, if there is one.
    async fn call_init(&self, ops: PernetOpsPtr, net: NetPtr) -> i32 {
        let methods = self.methods_of(ops).await;
        let err = match &methods.init {
            _ if methods.is_net_ns_ops => self.net_ns_net_init(net).await,
            Some(init) => init(self.this(), net).await,
            None => return 0,
        };
        if err == 0 {
            self.was_set_up(ops, &methods, net);
        }
        err
    }

    /// Frees the private data of one operation in a namespace. The slot keeps its pointer.
    ///
    /// C: ops_free, net/core/net_namespace.c:128
    pub(crate) async fn ops_free(&self, ops: PernetOpsPtr, net: NetPtr) {
        let k = &self.k;
        let _f = k.enter(function!("ops_free"), net.addr().to_value());
        let id = ops.id().read(k).await;
        if !id.is_null() && ops.size().read(k).await != 0 {
            let id = id.value().read(k).await;
            let data = self.net_generic(net, id).await;
            if self.changes.has(Patch::ClearFreedSlots) {
                let ng = net.r#gen().dereference_protected(k).await;
                ng.ptr(id).write(k, Addr::NULL).await;
            }
            k.kfree(data.addr());
        }
    }

    /// Calls the exit methods of one operation for a list of namespaces. Under `net_mutex`.
    ///
    /// C: ops_exit_list, net/core/net_namespace.c:135
    pub(crate) async fn ops_exit_list(&self, ops: PernetOpsPtr, net_exit_list: ListHead) {
        let k = &self.k;
        let _f = k.enter(function!("ops_exit_list"), ops.addr().to_value());
        let methods = self.methods_of(ops).await;
        self.is_torn_down(ops, &methods, net_exit_list);
        if methods.has_exit() {
            let mut pos = net_exit_list.next(k).await;
            while pos != net_exit_list {
                let net = NetPtr::container_of(k, pos, NetPtr::exit_list).await;
                match &methods.exit {
                    Some(exit) => exit(self.this(), net).await,
                    None => self.net_ns_net_exit(net).await,
                }
                pos = pos.next(k).await;
            }
        }
        if let Some(exit_batch) = methods.exit_batch {
            exit_batch(self.this(), net_exit_list).await;
        }
    }

    /// Frees the private data of one operation in a list of namespaces.
    ///
    /// C: ops_free_list, net/core/net_namespace.c:147
    pub(crate) async fn ops_free_list(&self, ops: PernetOpsPtr, net_exit_list: ListHead) {
        let k = &self.k;
        let _f = k.enter(function!("ops_free_list"), ops.addr().to_value());
        if ops.size().read(k).await != 0 && !ops.id().read(k).await.is_null() {
            let mut pos = net_exit_list.next(k).await;
            while pos != net_exit_list {
                let net = NetPtr::container_of(k, pos, NetPtr::exit_list).await;
                self.ops_free(ops, net).await;
                pos = pos.next(k).await;
            }
        }
    }
}
