// SPDX-License-Identifier: GPL-2.0-only
//! Network devices, as far as the life of a namespace depends on them; net/core/dev.c

use kernel::{Addr, Atomic, Completion, Gfp, Plain, Pointer, function, object};

use super::notifier::NetdevEvent;
use crate::{NetNs, net::NetPtr, pernet::PernetOpsPtr};

/// `NETREG_REGISTERED`
const NETREG_REGISTERED: i32 = 1;
/// `NETREG_UNREGISTERING`
const NETREG_UNREGISTERING: i32 = 2;

object! {
    /// `struct net_device *`
    pub(super) struct NetDevicePtr("struct net_device", "net_device", "kmalloc") {
        /// The sum of the per-CPU counts.
        pcpu_refcnt: Atomic,
        /// How far it is between registration and removal. Under rtnl_mutex.
        reg_state: Plain<i32>,
        /// Whose it is.
        ops: Plain<PernetOpsPtr>,
        /// Signalled when the last reference is put.
        released: Completion,
    }
}

impl NetNs {
    /// `alloc_netdev()` and `register_netdev()`: a device of `ops`, found at `place` from then on; or NULL. Process
    /// context; sleeps.
    pub(super) async fn register_netdev(
        &self,
        ops: PernetOpsPtr,
        place: Plain<Addr>,
    ) -> Option<NetDevicePtr> {
        let k = &self.k;
        let _f = k.enter(function!("register_netdev"), 0);
        let dev = k.kzalloc::<NetDevicePtr>("net_device", Gfp::Kernel).await?;
        self.rtnl_lock().await;
        dev.pcpu_refcnt().set(k, 1).await;
        dev.ops().write(k, ops).await;
        dev.reg_state().write(k, NETREG_REGISTERED).await;
        place.write(k, dev.addr()).await; // list_netdevice()
        self.call_netdevice_notifiers(ops, NetdevEvent::Register).await;
        self.rtnl_unlock().await;
        Some(dev)
    }

    /// `unregister_netdev()` and `free_netdev()`. Waits until nobody has a reference any more, without rtnl_mutex:
    /// that is `netdev_run_todo()`. Process context; sleeps.
    pub(super) async fn unregister_netdev(&self, dev: NetDevicePtr) {
        let k = &self.k;
        let _f = k.enter(function!("unregister_netdev"), dev.addr().to_value());
        self.rtnl_lock().await;
        dev.reg_state().write(k, NETREG_UNREGISTERING).await;
        let ops = dev.ops().read(k).await;
        self.call_netdevice_notifiers(ops, NetdevEvent::Unregister).await;
        self.synchronize_net().await;
        self.put_netdev(dev).await;
        self.rtnl_unlock().await;
        self.netdev_wait_allrefs(dev).await;
        k.kfree(dev.addr());
    }

    /// `netdev_wait_allrefs()`. C looks every 250 ms, and complains every 10 s that it is `waiting for lo to become
    /// free`; here the last put wakes it. Process context; sleeps.
    async fn netdev_wait_allrefs(&self, dev: NetDevicePtr) {
        let k = &self.k;
        let _f = k.enter(function!("netdev_wait_allrefs"), dev.addr().to_value());
        while dev.pcpu_refcnt().read(k).await != 0 {
            dev.released().wait(k).await;
        }
    }

    async fn put_netdev(&self, dev: NetDevicePtr) {
        if dev.pcpu_refcnt().dec_and_test(&self.k).await {
            dev.released().complete(&self.k);
        }
    }

    /// `dev_hold()`: a reference to the device that a subsystem has in a namespace. Any context; the caller keeps
    /// the device registered.
    pub async fn dev_hold(&self, ops: PernetOpsPtr, net: NetPtr) {
        let _f = self.k.enter(function!("dev_hold"), net.addr().to_value());
        if let Some(dev) = self.device_of(ops, net).await {
            dev.pcpu_refcnt().inc(&self.k).await;
        }
    }
    /// `dev_put()`. Any context.
    pub async fn dev_put(&self, ops: PernetOpsPtr, net: NetPtr) {
        let _f = self.k.enter(function!("dev_put"), net.addr().to_value());
        if let Some(dev) = self.device_of(ops, net).await {
            self.put_netdev(dev).await;
        }
    }
    /// Whether it has one there that is registered. Under rtnl_mutex.
    pub(super) async fn registered_device_of(&self, ops: PernetOpsPtr, net: NetPtr) -> bool {
        match self.device_of(ops, net).await {
            Some(dev) => dev.reg_state().read(&self.k).await == NETREG_REGISTERED,
            None => false,
        }
    }
    /// The device that a subsystem has in a namespace, if it has one.
    async fn device_of(&self, ops: PernetOpsPtr, net: NetPtr) -> Option<NetDevicePtr> {
        let data = self.data_of(ops, net).await;
        if data.is_null() {
            return None;
        }
        let dev = data.slot(0).read(&self.k).await;
        (!dev.is_null()).then(|| NetDevicePtr::at(dev))
    }
}
