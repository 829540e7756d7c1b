// SPDX-License-Identifier: GPL-2.0-only
//! User namespaces, as owners of network namespaces; include/linux/user_namespace.h, kernel/user_namespace.c
//!
//! A user namespace whose last reference is put is freed at once; v4.11 leaves that to a work item.

use kernel::{
    Atomic, ENOMEM, ENOSPC, EPERM, Errno, Field, Gfp, Once, Plain, Pointer, function, object, tracepoint,
};

use crate::{NetNs, net::NsCommon, ucount::UcountsPtr};

tracepoint! {
    /// The last reference to a user namespace was put.
    pub USER_NS_FREE, "free_user_ns", ["user_ns", ""]
}

object! {
    /// `struct user_namespace *`
    pub struct UserNsPtr("struct user_namespace", "user_ns", "user_namespace") {
        /// References.
        pub count: Atomic,
        /// The user namespace that it was created in; NULL for the first.
        pub parent: Plain<UserNsPtr>,
        /// Who created it.
        pub owner: Plain<u32>,
        /// How deep it is nested.
        pub level: Plain<u32>,
        /// What it is charged to; NULL for the first.
        pub ucounts: Plain<UcountsPtr>,
        /// `ucount_max[UCOUNT_NET_NAMESPACES]`
        pub max_net_namespaces: Once<i64>,
    }
}

/// Deeper nesting is refused.
const MAX_LEVEL: u32 = 32;

impl NetNs {
    /// `get_user_ns()`
    pub async fn get_user_ns(&self, ns: UserNsPtr) -> UserNsPtr {
        let _f = self.k.enter(function!("get_user_ns"), ns.addr().to_value());
        ns.count().inc(&self.k).await;
        ns
    }
    /// `put_user_ns()`: frees it with the last reference, and then perhaps its ancestors. Any context.
    pub async fn put_user_ns(&self, ns: UserNsPtr) {
        let k = &self.k;
        let _f = k.enter(function!("put_user_ns"), ns.addr().to_value());
        let mut ns = ns;
        while !ns.is_null() && ns.count().dec_and_test(k).await {
            // free_user_ns()
            let parent = ns.parent().read(k).await;
            let ucounts = ns.ucounts().read(k).await;
            k.trace(&USER_NS_FREE, ns.addr().to_value(), 0);
            k.kfree(ns.addr());
            if !ucounts.is_null() {
                self.put_ucounts(ucounts).await;
            }
            ns = parent;
        }
    }
    /// `ns_get_owner()`: the owner of a namespace, with a reference, for `ioctl(NS_GET_USERNS)`. Process context; the
    /// caller has a reference to the namespace.
    ///
    /// # Errors
    ///
    /// `EPERM` unless the caller's user namespace is the owner, or an ancestor of it.
    pub async fn ns_get_owner(&self, ns: NsCommon) -> Result<UserNsPtr, Errno> {
        let k = &self.k;
        let _f = k.enter(function!("ns_get_owner"), ns.addr().to_value());
        let my_user_ns = self.current_user_ns().await;
        let owner = self.netns_owner(ns).await;
        let mut p = owner;
        while p != my_user_ns {
            if p.is_null() {
                return Err(EPERM);
            }
            p = p.parent().read(k).await;
        }
        Ok(self.get_user_ns(owner).await)
    }
    /// `create_user_ns()`: a child of `parent`, owned by `uid`, that allows `max` network namespaces.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if it would be nested too deeply or cannot be charged, `ENOMEM`.
    pub async fn create_user_ns(&self, parent: UserNsPtr, uid: u32, max: i64) -> Result<UserNsPtr, Errno> {
        let k = &self.k;
        let _f = k.enter(function!("create_user_ns"), parent.addr().to_value());
        let level = parent.level().read(k).await;
        if level > MAX_LEVEL {
            return Err(ENOSPC);
        }
        // inc_user_namespaces(): only its record matters here, as its counts of user namespaces are not limited.
        let Some(ucounts) = self.get_ucounts(parent, uid).await else { return Err(ENOSPC) };
        let Some(ns) = k.kzalloc::<UserNsPtr>("userns", Gfp::Kernel).await else {
            self.put_ucounts(ucounts).await;
            return Err(ENOMEM);
        };
        ns.count().set(k, 1).await;
        self.get_user_ns(parent).await;
        ns.parent().write(k, parent).await;
        ns.level().write(k, level + 1).await;
        ns.owner().write(k, uid).await;
        ns.ucounts().write(k, ucounts).await;
        ns.max_net_namespaces().write(k, max).await;
        Ok(ns)
    }
    /// What the compiler makes of `init_user_ns`.
    pub(crate) fn init_user_ns_static(k: &kernel::Kernel, max: i64) -> Option<UserNsPtr> {
        let ns = UserNsPtr::at(k.bus.alloc_static(UserNsPtr::layout(), "init_user_ns")?);
        k.bus.poke(ns.count().addr(), 3);
        k.bus.poke(ns.max_net_namespaces().addr(), max);
        Some(ns)
    }

    /// `ns_capable(target, CAP_SYS_ADMIN)`: by `cap_capable()` of security/commoncap.c.
    pub async fn ns_capable(&self, target: UserNsPtr) -> bool {
        let task = self.current();
        let k = &self.k;
        let own = task.user_ns().read(k).await;
        let euid = task.euid().read(k).await;
        let mut ns = target;
        loop {
            if ns == own {
                return task.cap_sys_admin().read(k).await;
            }
            if ns == self.init_user_ns {
                return false;
            }
            let parent = ns.parent().read(k).await;
            if parent == own && ns.owner().read(k).await == euid {
                return true; // the owner of a child may do everything in it
            }
            ns = parent;
        }
    }
}
