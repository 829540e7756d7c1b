// SPDX-License-Identifier: GPL-2.0-only
//! Who may change the table of sockets while messages are multicast; net/netlink/af_netlink.c
//!
//! A broadcast counts itself as a user of the table, and who changes the table waits until there is none.

use kernel::{Atomic, Completion, Pointer, SpinLock, function, object};

use crate::NetNs;

object! {
    /// The static data of net/netlink/af_netlink.c.
    pub(crate) struct NlTablePtr("netlink table", "nl_table", "static") {
        /// Protects the table. C's is a `rwlock_t`, whose readers only count themselves.
        nl_table_lock: SpinLock,
        /// Broadcasts that walk over the sockets.
        nl_table_users: Atomic,
        /// Protects `nl_table_wait`.
        wait_lock: SpinLock,
    }
}

object! {
    /// `wait_queue_t`: an entry of `nl_table_wait`.
    pub(crate) struct WaitPtr("wait_queue_t", "wait", "stack") {
        woken: Completion,
    }
}

impl NetNs {
    /// `netlink_table_grab()`: waits until nobody walks over the sockets, and takes `nl_table_lock`. Process context;
    /// sleeps.
    pub(crate) async fn netlink_table_grab(&self) {
        let k = &self.k;
        let _f = k.enter(function!("netlink_table_grab"), 0);
        let table = self.netlink.table;
        k.might_sleep("netlink_table_grab").await;
        table.nl_table_lock().lock_irq(k).await;
        // C's `atomic_read()` is followed by what depends on it: that orders, too.
        if table.nl_table_users().read_acquire(k).await == 0 {
            return;
        }
        let Some(wait) = k.bus.alloc(WaitPtr::layout(), 8).map(WaitPtr::at) else {
            return k.out_of_memory().await;
        };
        self.netlink.table_wait.borrow_mut().push(wait);
        while table.nl_table_users().read_acquire(k).await != 0 {
            table.nl_table_lock().unlock_irq(k).await;
            wait.woken().wait(k).await;
            table.nl_table_lock().lock_irq(k).await;
        }
        table.wait_lock().lock_irqsave(k).await;
        self.netlink.table_wait.borrow_mut().retain(|other| *other != wait);
        table.wait_lock().unlock_irqrestore(k).await;
        k.kfree(wait.addr());
    }

    /// `netlink_table_ungrab()`
    pub(crate) async fn netlink_table_ungrab(&self) {
        self.netlink.table.nl_table_lock().unlock_irq(&self.k).await;
        self.wake_up_table_wait().await;
    }

    /// `netlink_lock_table()`: the sockets stay until [`NetNs::netlink_unlock_table`]. Any context.
    pub(crate) async fn netlink_lock_table(&self) {
        let (k, table) = (&self.k, self.netlink.table);
        table.nl_table_lock().lock(k).await;
        table.nl_table_users().inc(k).await;
        table.nl_table_lock().unlock(k).await;
    }

    /// `netlink_unlock_table()`
    pub(crate) async fn netlink_unlock_table(&self) {
        if self.netlink.table.nl_table_users().dec_and_test(&self.k).await {
            self.wake_up_table_wait().await;
        }
    }

    /// `wake_up(&nl_table_wait)`. C wakes one; whoever is woken too early waits again.
    async fn wake_up_table_wait(&self) {
        let (k, table) = (&self.k, self.netlink.table);
        if self.netlink.table_wait.borrow().is_empty() {
            return;
        }
        table.wait_lock().lock_irqsave(k).await;
        for wait in self.netlink.table_wait.borrow().iter() {
            wait.woken().complete(k);
        }
        table.wait_lock().unlock_irqrestore(k).await;
    }
}
