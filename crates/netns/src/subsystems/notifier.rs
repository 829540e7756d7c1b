// SPDX-License-Identifier: GPL-2.0-only
//! Who wants to hear of network devices: `register_netdevice_notifier()` of net/core/dev.c

use kernel::{Gfp, ListHead, Plain, Pointer, function, object};

use crate::{NetNs, Patch, net::NetPtr, pernet::PernetOpsPtr};

object! {
    /// `struct notifier_block *` of somebody who keeps a count of the devices that there are.
    pub struct NotifierPtr("struct notifier_block", "notifier", "kmalloc") {
        /// In `netdev_chain`, under rtnl_mutex.
        pub(crate) next: ListHead,
        /// The operations whose devices it counts.
        ops: Plain<PernetOpsPtr>,
        /// How many it has heard of that came, less those that went.
        devices: Plain<i32>,
    }
}

/// What is told of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NetdevEvent {
    /// `NETDEV_REGISTER`
    Register,
    /// `NETDEV_UNREGISTER`
    Unregister,
}

impl NetNs {
    /// `register_netdevice_notifier()`: tells of all devices that `ops` have in namespaces on the list, and from now on
    /// of those that come and go. NULL without memory. Process context; sleeps.
    pub async fn register_netdevice_notifier(&self, ops: PernetOpsPtr) -> Option<NotifierPtr> {
        let k = &self.k;
        let _f = k.enter(function!("register_netdevice_notifier"), ops.addr().to_value());
        let nb = k.kzalloc::<NotifierPtr>("notifier", Gfp::Kernel).await?;
        nb.ops().write(k, ops).await;
        self.lock_devices().await;
        self.s.netdev_chain().add_tail(k, nb.next()).await;
        self.tell_of_all(nb, NetdevEvent::Register).await;
        self.unlock_devices().await;
        Some(nb)
    }
    /// `unregister_netdevice_notifier()`: tells it that all devices go that namespaces on the list still have. How many
    /// it counts after that; 0 if it has heard of each as often come as go. Process context; sleeps.
    pub async fn unregister_netdevice_notifier(&self, nb: NotifierPtr) -> i32 {
        let k = &self.k;
        let _f = k.enter(function!("unregister_netdevice_notifier"), nb.addr().to_value());
        self.lock_devices().await;
        nb.next().del(k).await;
        self.tell_of_all(nb, NetdevEvent::Unregister).await;
        self.unlock_devices().await;
        let left = nb.devices().read(k).await;
        k.kfree(nb.addr());
        left
    }

    /// `call_netdevice_notifiers()` of a device of `ops`. Under rtnl_mutex.
    pub(super) async fn call_netdevice_notifiers(&self, ops: PernetOpsPtr, event: NetdevEvent) {
        let k = &self.k;
        let mut link = self.s.netdev_chain().next(k).await;
        while link != self.s.netdev_chain() {
            let nb = NotifierPtr::container_of(k, link, NotifierPtr::next).await;
            if nb.ops().read(k).await == ops {
                self.netdev_event(nb, event).await;
            }
            link = link.next(k).await;
        }
    }

    /// Every namespace on the list has had its device as long as it has been there, and has it until it goes.
    async fn tell_of_all(&self, nb: NotifierPtr, event: NetdevEvent) {
        let ops = nb.ops().read(&self.k).await;
        let mut pos: Option<NetPtr> = self.for_each_net(None).await;
        while let Some(net) = pos {
            if self.registered_device_of(ops, net).await {
                self.netdev_event(nb, event).await;
            }
            pos = self.for_each_net(pos).await;
        }
    }

    /// The notifier's own function.
    async fn netdev_event(&self, nb: NotifierPtr, event: NetdevEvent) {
        let k = &self.k;
        let _f = k.enter(function!("netdev_event"), nb.addr().to_value());
        let devices = nb.devices().read(k).await;
        match event {
            NetdevEvent::Register => nb.devices().write(k, devices + 1).await,
            NetdevEvent::Unregister => {
                k.warn_on_once(devices == 0, "a device goes that never came");
                nb.devices().write(k, devices - 1).await;
            }
        }
    }

    /// Namespaces come on the list and off it under `net_mutex` and rtnl_mutex, but are set up and cleaned up
    /// under `net_mutex` alone: [`Patch::NotifierUnderNetMutex`].
    async fn lock_devices(&self) {
        if self.changes.has(Patch::NotifierUnderNetMutex) {
            self.net_mutex().lock(&self.k).await;
        }
        self.rtnl_lock().await;
    }
    async fn unlock_devices(&self) {
        self.rtnl_unlock().await;
        if self.changes.has(Patch::NotifierUnderNetMutex) {
            self.net_mutex().unlock(&self.k).await;
        }
    }
}
