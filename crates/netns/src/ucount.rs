// SPDX-License-Identifier: GPL-2.0-only
//! Limits for users, in every user namespace up to the first; kernel/ucount.c

use kernel::{Atomic, Gfp, Plain, Pointer, function, object};

use crate::{NetNs, user_namespace::UserNsPtr};

object! {
    /// `struct ucounts *`: what one user has in one user namespace.
    pub struct UcountsPtr("struct ucounts", "ucounts", "kmalloc") {
        /// The user namespace; no reference.
        pub ns: Plain<UserNsPtr>,
        /// The user.
        pub uid: Plain<u32>,
        /// References, under `ucounts_lock`.
        pub count: Plain<i64>,
        /// `ucount[UCOUNT_NET_NAMESPACES]`
        pub net_namespaces: Atomic,
    }
}

impl NetNs {
    /// `find_ucounts()`. Under `ucounts_lock`.
    async fn find_ucounts(&self, ns: UserNsPtr, uid: u32) -> Option<UcountsPtr> {
        let k = &self.k;
        let all = self.ucounts.borrow().clone();
        for ucounts in all {
            if ucounts.uid().read(k).await == uid && ucounts.ns().read(k).await == ns {
                return Some(ucounts);
            }
        }
        None
    }

    /// `get_ucounts()`: the record of a user, with a reference. Process context.
    pub(crate) async fn get_ucounts(&self, ns: UserNsPtr, uid: u32) -> Option<UcountsPtr> {
        let k = &self.k;
        let _f = k.enter(function!("get_ucounts"), ns.addr().to_value());
        let lock = self.s.ucounts_lock();
        lock.lock_irq(k).await;
        let mut found = self.find_ucounts(ns, uid).await;
        if found.is_none() {
            lock.unlock_irq(k).await;
            let new = k.kzalloc::<UcountsPtr>("ucounts", Gfp::Kernel).await?;
            new.ns().write(k, ns).await;
            new.uid().write(k, uid).await;
            lock.lock_irq(k).await;
            found = self.find_ucounts(ns, uid).await;
            if found.is_some() {
                k.kfree(new.addr());
            } else {
                self.ucounts.borrow_mut().push(new);
                found = Some(new);
            }
        }
        if let Some(ucounts) = found {
            let count = ucounts.count().read(k).await;
            ucounts.count().write(k, count + 1).await;
        }
        lock.unlock_irq(k).await;
        found
    }

    /// `put_ucounts()`. Any context.
    pub(crate) async fn put_ucounts(&self, ucounts: UcountsPtr) {
        let k = &self.k;
        let _f = k.enter(function!("put_ucounts"), ucounts.addr().to_value());
        let lock = self.s.ucounts_lock();
        lock.lock_irqsave(k).await;
        let count = ucounts.count().read(k).await - 1;
        ucounts.count().write(k, count).await;
        if count == 0 {
            self.ucounts.borrow_mut().retain(|other| *other != ucounts);
        }
        lock.unlock_irqrestore(k).await;
        if count == 0 {
            k.kfree(ucounts.addr());
        }
    }

    /// `inc_ucount(ns, uid, UCOUNT_NET_NAMESPACES)`: none if a limit is reached here or in an ancestor.
    pub(crate) async fn inc_ucount(&self, ns: UserNsPtr, uid: u32) -> Option<UcountsPtr> {
        let k = &self.k;
        let _f = k.enter(function!("inc_ucount"), ns.addr().to_value());
        let ucounts = self.get_ucounts(ns, uid).await?;
        let mut iter = ucounts;
        while !iter.is_null() {
            let tns = iter.ns().read(k).await;
            let max = tns.max_net_namespaces().read(k).await;
            if !iter.net_namespaces().inc_below(k, max).await {
                self.undo_inc(ucounts, iter).await;
                self.put_ucounts(ucounts).await;
                return None;
            }
            iter = tns.ucounts().read(k).await;
        }
        Some(ucounts)
    }

    async fn undo_inc(&self, first: UcountsPtr, bad: UcountsPtr) {
        let k = &self.k;
        let mut iter = first;
        while iter != bad {
            iter.net_namespaces().dec(k).await;
            iter = iter.ns().read(k).await.ucounts().read(k).await;
        }
    }

    /// `dec_ucount(ucounts, UCOUNT_NET_NAMESPACES)`. Any context.
    pub(crate) async fn dec_ucount(&self, ucounts: UcountsPtr) {
        let k = &self.k;
        let _f = k.enter(function!("dec_ucount"), ucounts.addr().to_value());
        let mut iter = ucounts;
        while !iter.is_null() {
            let dec = iter.net_namespaces().dec_if_positive(k).await;
            k.warn_on_once(dec < 0, "dec < 0");
            iter = iter.ns().read(k).await.ucounts().read(k).await;
        }
        self.put_ucounts(ucounts).await;
    }
}
