// SPDX-License-Identifier: GPL-2.0-only
//! What nsfs and setns(2) know of network namespaces; lines 1003 to 1054.

use kernel::{EPERM, Errno, Field, Pointer, function};

use crate::{
    NetNs,
    net::{NetPtr, NsCommon, ProcNsOperationsPtr},
    net_namespace::CLONE_NEWNET,
    nsproxy::{NsproxyPtr, TaskPtr},
    user_namespace::UserNsPtr,
};

impl NetNs {
    /// The namespace of a task, with a reference to it; none if the task has exited.
    ///
    /// C: netns_get, net/core/net_namespace.c:1004
    pub(crate) async fn netns_get(&self, task: TaskPtr) -> Option<NsCommon> {
        let k = &self.k;
        let _f = k.enter(function!("netns_get"), task.addr().to_value());
        let mut net = None;
        task.alloc_lock().lock(k).await;
        let nsproxy = task.nsproxy().read(k).await;
        if !nsproxy.is_null() {
            let of_task = nsproxy.net_ns().read(k).await;
            net = Some(self.get_net(of_task).await);
        }
        task.alloc_lock().unlock(k).await;
        net.map(NetPtr::ns)
    }

    /// C: to_net_ns, net/core/net_namespace.c:1018
    pub(crate) fn to_net_ns(&self, ns: NsCommon) -> NetPtr {
        let _f = self.k.enter(function!("to_net_ns"), ns.addr().to_value());
        NetPtr::at(ns.addr().object())
    }

    /// C: netns_put, net/core/net_namespace.c:1023
    pub(crate) async fn netns_put(&self, ns: NsCommon) {
        let _f = self.k.enter(function!("netns_put"), ns.addr().to_value());
        self.put_net(self.to_net_ns(ns)).await;
    }

    /// Puts a namespace into a set that no task uses yet.
    ///
    /// # Errors
    ///
    /// `EPERM` without CAP_SYS_ADMIN over the namespace's owner and over one's own user namespace.
    ///
    /// C: netns_install, net/core/net_namespace.c:1028
    pub(crate) async fn netns_install(&self, nsproxy: NsproxyPtr, ns: NsCommon) -> Result<(), Errno> {
        let k = &self.k;
        let _f = k.enter(function!("netns_install"), ns.addr().to_value());
        let net = self.to_net_ns(ns);
        let owner = net.user_ns().read(k).await;
        if !self.ns_capable(owner).await || !self.ns_capable(self.current_user_ns().await).await {
            return Err(EPERM);
        }
        let old = nsproxy.net_ns().read(k).await;
        self.put_net(old).await;
        self.get_net(net).await;
        nsproxy.net_ns().write(k, net).await;
        Ok(())
    }

    /// C: netns_owner, net/core/net_namespace.c:1041
    pub async fn netns_owner(&self, ns: NsCommon) -> UserNsPtr {
        let _f = self.k.enter(function!("netns_owner"), ns.addr().to_value());
        self.to_net_ns(ns).user_ns().read(&self.k).await
    }

    /// What the compiler makes of the table of operations.
    ///
    /// C: netns_operations, net/core/net_namespace.c:1046
    ///
    /// Deviation: its methods are found by the address of the table.
    pub(crate) fn netns_operations(k: &kernel::Kernel) -> Option<ProcNsOperationsPtr> {
        let table =
            ProcNsOperationsPtr::at(k.bus.alloc_static(ProcNsOperationsPtr::layout(), "netns_operations")?);
        k.bus.poke(table.r#type().addr(), CLONE_NEWNET.cast_signed());
        Some(table)
    }
}
