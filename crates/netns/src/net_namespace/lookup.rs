// SPDX-License-Identifier: GPL-2.0-only
//! Lookups by file descriptor and by process; lines 499 to 565.

use kernel::{EINVAL, ESRCH, Errno, Pointer, function};

use crate::{NetNs, net::NetPtr};

impl NetNs {
    /// The namespace of an open namespace file, with a reference to it. Process context.
    ///
    /// # Errors
    ///
    /// `EBADF`, `EINVAL` for another kind of file, or without CONFIG_NET_NS.
    ///
    /// C: get_net_ns_by_fd, net/core/net_namespace.c:499
    /// C: get_net_ns_by_fd, net/core/net_namespace.c:520
    pub async fn get_net_ns_by_fd(&self, fd: i32) -> Result<NetPtr, Errno> {
        let k = &self.k;
        let _f = k.enter(function!("get_net_ns_by_fd"), i64::from(fd));
        if !self.config.net_ns {
            return Err(EINVAL);
        }
        let file = self.proc_ns_fget(fd).await?;
        let ns = file.ns().read(k).await;
        let net = if ns.ops().read(k).await == self.netns_operations {
            Ok(self.get_net(self.to_net_ns(ns)).await)
        } else {
            Err(EINVAL)
        };
        self.fput(file).await;
        net
    }

    /// The namespace of a process, with a reference to it. Any context but interrupts.
    ///
    /// # Errors
    ///
    /// `ESRCH` if there is no such process, or if it has exited.
    ///
    /// C: get_net_ns_by_pid, net/core/net_namespace.c:527
    pub async fn get_net_ns_by_pid(&self, pid: i32) -> Result<NetPtr, Errno> {
        let k = &self.k;
        let _f = k.enter(function!("get_net_ns_by_pid"), i64::from(pid));
        let mut net = Err(ESRCH);
        k.rcu_read_lock().await;
        if let Some(tsk) = self.find_task_by_vpid(pid).await {
            tsk.alloc_lock().lock(k).await;
            let nsproxy = tsk.nsproxy().read(k).await;
            if !nsproxy.is_null() {
                let of_task = nsproxy.net_ns().read(k).await;
                net = Ok(self.get_net(of_task).await);
            }
            tsk.alloc_lock().unlock(k).await;
        }
        k.rcu_read_unlock();
        net
    }

    /// `net_ns_ops.init`: gives a namespace its inode number. Under `net_mutex`.
    ///
    /// C: net_ns_net_init, net/core/net_namespace.c:549
    pub(crate) async fn net_ns_net_init(&self, net: NetPtr) -> i32 {
        let k = &self.k;
        let _f = k.enter(function!("net_ns_net_init"), net.addr().to_value());
        if self.config.net_ns {
            net.ns().ops().write(k, self.netns_operations).await;
        }
        match self.ns_alloc_inum(net.ns()).await {
            Ok(()) => 0,
            Err(err) => err.negated(),
        }
    }

    /// `net_ns_ops.exit`
    ///
    /// C: net_ns_net_exit, net/core/net_namespace.c:557
    pub(crate) async fn net_ns_net_exit(&self, net: NetPtr) {
        let _f = self.k.enter(function!("net_ns_net_exit"), net.addr().to_value());
        self.ns_free_inum(net.ns()).await;
    }
}
