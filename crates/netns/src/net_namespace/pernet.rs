// SPDX-License-Identifier: GPL-2.0-only
//! Registration of pernet operations; lines 562 and 803 to 1001.

use kernel::{EAGAIN, ENOMEM, ListHead, Pointer, function};

use super::{MIN_PERNET_OPS_ID, StackListPtr};
use crate::{
    NetNs, Patch, Revert,
    pernet::{Methods, PernetOpsPtr},
};

/// The file's own operations: inode numbers.
///
/// C: net_ns_ops, net/core/net_namespace.c:562
pub(crate) fn net_ns_ops() -> Methods {
    Methods { name: "net_ns_ops".into(), is_net_ns_ops: true, ..Methods::default() }
}

impl NetNs {
    /// Links an operation before `list` and sets it up in all namespaces; if that fails in one, nowhere. 0, or what
    /// failed. Under `net_mutex`.
    ///
    /// C: __register_pernet_operations, net/core/net_namespace.c:804
    /// C: __register_pernet_operations, net/core/net_namespace.c:844
    async fn __register_pernet_operations(&self, list: ListHead, ops: PernetOpsPtr) -> i32 {
        let k = &self.k;
        let _f = k.enter(function!("__register_pernet_operations"), ops.addr().to_value());
        if !self.config.net_ns {
            let at_once = self.changes.has(Revert::InitNetNotSetUp);
            if !at_once && !self.s.init_net_initialized().read(k).await {
                list.add_tail(k, ops.list()).await;
                return 0;
            }
            return self.ops_init(ops, self.init_net).await;
        }

        let Some(net_exit_list) = StackListPtr::head_on_stack(k) else {
            self.k.out_of_memory().await;
            return 0;
        };
        net_exit_list.init(k).await;
        list.add_tail(k, ops.list()).await;
        let has_init = self.methods_of(ops).await.has_init();
        let has_data = !ops.id().read(k).await.is_null() && ops.size().read(k).await != 0;
        let mut error = 0;
        let has_slot = self.changes.has(Patch::GrowForEveryId) && !ops.id().read(k).await.is_null();
        if has_init || has_data || has_slot {
            let mut pos = self.for_each_net(None).await;
            while let Some(net) = pos {
                error = self.ops_init(ops, net).await;
                if error != 0 {
                    break;
                }
                net_exit_list.add_tail(k, net.exit_list()).await;
                pos = self.for_each_net(pos).await;
            }
        }
        if error != 0 {
            // What was set up is undone.
            ops.list().del(k).await;
            self.wait_before_exit().await;
            self.ops_exit_list(ops, net_exit_list).await;
            self.ops_free_list(ops, net_exit_list).await;
        }
        k.kfree(kernel::Field::addr(net_exit_list));
        error
    }

    /// Under `net_mutex`.
    ///
    /// C: __unregister_pernet_operations, net/core/net_namespace.c:830
    /// C: __unregister_pernet_operations, net/core/net_namespace.c:855
    async fn __unregister_pernet_operations(&self, ops: PernetOpsPtr) {
        let k = &self.k;
        let _f = k.enter(function!("__unregister_pernet_operations"), ops.addr().to_value());
        let Some(net_exit_list) = StackListPtr::head_on_stack(k) else { return self.k.out_of_memory().await };
        net_exit_list.init(k).await;
        if self.changes.has(Patch::FirstDeviceMovesOn) && self.s.first_device().read(k).await == ops.list() {
            let next = ops.list().next(k).await;
            self.s.first_device().write(k, next).await;
        }
        if self.config.net_ns {
            ops.list().del(k).await;
            let mut pos = self.for_each_net(None).await;
            while let Some(net) = pos {
                net_exit_list.add_tail(k, net.exit_list()).await;
                pos = self.for_each_net(pos).await;
            }
            self.wait_before_exit().await;
            self.ops_exit_list(ops, net_exit_list).await;
            self.ops_free_list(ops, net_exit_list).await;
        } else if !self.s.init_net_initialized().read(k).await {
            ops.list().del(k).await;
        } else {
            net_exit_list.add(k, self.init_net.exit_list()).await;
            self.wait_before_exit().await;
            self.ops_exit_list(ops, net_exit_list).await;
            self.ops_free_list(ops, net_exit_list).await;
        }
        k.kfree(kernel::Field::addr(net_exit_list));
    }

    /// Readers of the receive path leave before exit methods take away what they use: [`Patch::PreExit`]. Sleeps.
    pub(super) async fn wait_before_exit(&self) {
        if self.changes.has(Patch::PreExit) {
            self.k.synchronize_rcu().await;
        }
    }

    /// Under `net_mutex`; sleeps.
    ///
    /// C: register_pernet_operations, net/core/net_namespace.c:871
    async fn register_pernet_operations(&self, list: ListHead, ops: PernetOpsPtr) -> i32 {
        let k = &self.k;
        let _f = k.enter(function!("register_pernet_operations"), ops.addr().to_value());
        let id = ops.id().read(k).await;
        if !id.is_null() {
            let new = loop {
                match self.s.net_generic_ids().get_new_above(k, MIN_PERNET_OPS_ID).await {
                    Ok(new) => break new,
                    Err(EAGAIN) => {
                        // In v4.11, whether it worked or not.
                        if !k.ida_pre_get().await && self.changes.has(Patch::NewIdaApi) {
                            return ENOMEM.negated();
                        }
                    }
                    Err(error) => return error.negated(),
                }
            };
            id.value().write(k, new).await;
            let unmarked = self.s.max_gen_ptrs_unmarked();
            let max_gen_ptrs = unmarked.read(k).await.max(new + 1);
            if self.changes.has(Patch::ReadMaxGenPtrsOnce) {
                self.s.max_gen_ptrs().write(k, max_gen_ptrs).await;
            } else {
                unmarked.write(k, max_gen_ptrs).await;
            }
        }
        let error = self.__register_pernet_operations(list, ops).await;
        if error != 0 {
            k.rcu_barrier().await;
            if !id.is_null() {
                let id = id.value().read(k).await;
                self.s.net_generic_ids().remove(k, id).await;
            }
        }
        error
    }

    /// Under `net_mutex`; sleeps.
    ///
    /// C: unregister_pernet_operations, net/core/net_namespace.c:898
    async fn unregister_pernet_operations(&self, ops: PernetOpsPtr) {
        let k = &self.k;
        let _f = k.enter(function!("unregister_pernet_operations"), ops.addr().to_value());
        self.__unregister_pernet_operations(ops).await;
        k.rcu_barrier().await;
        let id = ops.id().read(k).await;
        if !id.is_null() {
            let id = id.value().read(k).await;
            self.s.net_generic_ids().remove(k, id).await;
        }
    }

    /// Registers a subsystem: its init method is called for every namespace that exists or will be created, before
    /// those of devices. 0, or an error. Process context; sleeps.
    ///
    /// C: register_pernet_subsys, net/core/net_namespace.c:926
    pub async fn register_pernet_subsys(&self, ops: PernetOpsPtr) -> i32 {
        let k = &self.k;
        let _f = k.enter(function!("register_pernet_subsys"), ops.addr().to_value());
        self.s.net_mutex().lock(k).await;
        let first_device = self.s.first_device().read(k).await;
        let error = self.register_pernet_operations(first_device, ops).await;
        self.s.net_mutex().unlock(k).await;
        error
    }

    /// Process context; sleeps.
    ///
    /// C: unregister_pernet_subsys, net/core/net_namespace.c:945
    pub async fn unregister_pernet_subsys(&self, ops: PernetOpsPtr) {
        let k = &self.k;
        let _f = k.enter(function!("unregister_pernet_subsys"), ops.addr().to_value());
        self.s.net_mutex().lock(k).await;
        self.unregister_pernet_operations(ops).await;
        self.s.net_mutex().unlock(k).await;
    }

    /// Registers a device: as a subsystem, but after all of them, so that it is dismantled before them. 0, or an
    /// error. Process context; sleeps.
    ///
    /// C: register_pernet_device, net/core/net_namespace.c:972
    pub async fn register_pernet_device(&self, ops: PernetOpsPtr) -> i32 {
        let k = &self.k;
        let _f = k.enter(function!("register_pernet_device"), ops.addr().to_value());
        self.s.net_mutex().lock(k).await;
        let error = self.register_pernet_operations(self.s.pernet_list(), ops).await;
        if error == 0 && self.s.first_device().read(k).await == self.s.pernet_list() {
            self.s.first_device().write(k, ops.list()).await;
        }
        self.s.net_mutex().unlock(k).await;
        error
    }

    /// Process context; sleeps.
    ///
    /// C: unregister_pernet_device, net/core/net_namespace.c:993
    pub async fn unregister_pernet_device(&self, ops: PernetOpsPtr) {
        let k = &self.k;
        let _f = k.enter(function!("unregister_pernet_device"), ops.addr().to_value());
        self.s.net_mutex().lock(k).await;
        let first_device = self.s.first_device().read(k).await;
        if ops.list() == first_device {
            let next = first_device.next(k).await;
            self.s.first_device().write(k, next).await;
        }
        self.unregister_pernet_operations(ops).await;
        self.s.net_mutex().unlock(k).await;
    }
}
