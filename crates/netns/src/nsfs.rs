// SPDX-License-Identifier: GPL-2.0-only
//! Files of namespaces, and their inode numbers; fs/nsfs.c, fs/proc/generic.c
//!
//! All tasks share one table of file descriptors. A namespace's dentry and inode are one object.

use kernel::{
    Addr, Atomic, EBADF, EINVAL, ENOENT, ENOMEM, ENOSPC, EPERM, Errno, Field, Gfp, Plain, Pointer, RcuHead,
    RcuPointer, function, object, tracepoint,
};

use crate::{
    NetNs,
    net::{NsCommon, ProcNsOperationsPtr},
    nsproxy::{NsproxyPtr, TaskPtr},
};

tracepoint! {
    /// `ns_alloc_inum()`, counted from `PROC_DYNAMIC_FIRST`
    pub INUM_ALLOC, "proc_alloc_inum", ["inum", ""]
}
tracepoint! {
    /// `ns_free_inum()`, counted from `PROC_DYNAMIC_FIRST`
    pub INUM_FREE, "proc_free_inum", ["inum", ""]
}

/// `PROC_DYNAMIC_FIRST`: inode numbers below are fixed.
pub const PROC_DYNAMIC_FIRST: u32 = 0xF000_0000;

object! {
    /// The dentry and inode of a namespace's file.
    pub struct NsfsPtr("nsfs inode", "nsfs inode", "inode_cache") {
        /// `d_lockref`
        pub count: Atomic,
        /// The namespace, with a reference to it.
        pub ns: Plain<NsCommon>,
        /// To free it by.
        pub rcu: RcuHead,
    }
}

object! {
    /// `struct file *`
    pub struct FilePtr("struct file", "file", "filp") {
        /// References.
        pub f_count: Atomic,
        /// The inode, if it is the file of a namespace.
        pub inode: Plain<NsfsPtr>,
        /// `get_proc_ns(file_inode(file))`
        pub ns: Plain<NsCommon>,
        /// To free it by.
        pub rcu: RcuHead,
    }
}

object! {
    /// `struct uts_namespace *`: a namespace of another kind.
    pub struct UtsNsPtr("struct uts_namespace", "uts_ns", "uts_ns") {
        /// What namespaces of all kinds have in common.
        pub ns: NsCommon,
    }
}

/// `CLONE_NEWUTS`
pub const CLONE_NEWUTS: u64 = 0x0400_0000;

/// What to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// `/proc/PID/ns/net`
    Net(i32),
    /// `/proc/PID/ns/uts`
    Uts,
    /// An ordinary file.
    Plain,
}

impl NetNs {
    /// open(2): the lowest free descriptor from 3. Process context.
    ///
    /// # Errors
    ///
    /// `ENOENT` for a task that does not exist or has exited, and without CONFIG_NET_NS; `ENOMEM`.
    pub async fn open(&self, what: Open) -> Result<i32, Errno> {
        let k = &self.k;
        let _f = k.enter(function!("sys_open"), 0);
        let (inode, ns) = match what {
            Open::Plain => (NsfsPtr::null(), NsCommon::at(Addr::NULL)),
            Open::Uts => (NsfsPtr::null(), self.init_uts_ns.ns()),
            Open::Net(_) if !self.config.net_ns => return Err(ENOENT),
            Open::Net(pid) => {
                let task = self.get_proc_task(pid).await.ok_or(ENOENT)?;
                let inode = self.ns_get_path(task).await;
                self.put_task_struct(task).await;
                let inode = inode?;
                (inode, inode.ns().read(k).await)
            }
        };
        let Some(file) = k.bus.alloc(FilePtr::layout(), FilePtr::layout().cells() * 8).map(FilePtr::at)
        else {
            self.k.out_of_memory().await;
            return Err(ENOMEM);
        };
        file.inode().write(k, inode).await;
        file.ns().write(k, ns).await;
        file.f_count().xchg(k, 1).await; // fd_install(): ordered before those who find it
        let mut files = self.files.borrow_mut();
        let fd = (3..).find(|fd| !files.contains_key(fd)).unwrap_or(i32::MAX);
        files.insert(fd, file);
        Ok(fd)
    }
    /// close(2). Process context.
    ///
    /// # Errors
    ///
    /// `EBADF`
    pub async fn close(&self, fd: i32) -> Result<(), Errno> {
        let _f = self.k.enter(function!("sys_close"), i64::from(fd));
        let file = self.files.borrow_mut().remove(&fd).ok_or(EBADF)?;
        self.fput(file).await;
        Ok(())
    }

    /// `ns_get_path()`: the inode of the namespace of a task, made if none is open.
    async fn ns_get_path(&self, task: TaskPtr) -> Result<NsfsPtr, Errno> {
        let k = &self.k;
        let _f = k.enter(function!("ns_get_path"), task.addr().to_value());
        loop {
            let Some(ns) = self.netns_get(task).await else { return Err(ENOENT) };
            k.rcu_read_lock().await;
            // C's plain `atomic_long_read()` is ordered by the dependency on the pointer.
            let stashed = RcuPointer::<NsfsPtr>::at(ns.stashed().addr()).dereference(k).await;
            if !stashed.is_null() && stashed.count().inc_not_zero(k).await {
                k.rcu_read_unlock();
                self.netns_put(ns).await;
                return Ok(stashed);
            }
            k.rcu_read_unlock();
            let Some(inode) = k.kzalloc::<NsfsPtr>("nsfs", Gfp::Kernel).await else {
                self.netns_put(ns).await;
                return Err(ENOMEM);
            };
            inode.count().set(k, 1).await;
            inode.ns().write(k, ns).await;
            if ns.stashed().cmpxchg(k, Addr::NULL, inode.addr()).await.is_null() {
                return Ok(inode);
            }
            // Somebody else was faster: once more.
            self.evict(inode).await;
        }
    }

    /// `nsfs_evict()`
    async fn evict(&self, inode: NsfsPtr) {
        let k = &self.k;
        let _f = k.enter(function!("nsfs_evict"), inode.addr().to_value());
        let ns = inode.ns().read(k).await;
        self.ops_put(ns).await;
        // Who reads `stashed` may still try to take a reference.
        k.kfree_rcu(inode.addr(), inode.rcu()).await;
    }

    /// `fput()`: the last one closes the file, and perhaps the last file of a namespace.
    ///
    /// C leaves that to the way back to user mode, where the caller holds no lock.
    pub(crate) async fn fput(&self, file: FilePtr) {
        let k = &self.k;
        let _f = k.enter(function!("fput"), file.addr().to_value());
        if !file.f_count().dec_and_test(k).await {
            return;
        }
        let inode = file.inode().read(k).await;
        if !inode.is_null() && inode.count().dec_and_test(k).await {
            // ns_prune_dentry()
            let ns = inode.ns().read(k).await;
            ns.stashed().write(k, Addr::NULL).await;
            self.evict(inode).await;
        }
        // file_free()
        k.kfree_rcu(file.addr(), file.rcu()).await;
    }

    /// `fget()`: the file behind a descriptor, with a reference to it.
    async fn fget(&self, fd: i32) -> Option<FilePtr> {
        let k = &self.k;
        k.rcu_read_lock().await;
        let found = self.files.borrow().get(&fd).copied();
        let file = match found {
            Some(file) if file.f_count().inc_not_zero(k).await => Some(file), // get_file_rcu()
            _ => None,
        };
        k.rcu_read_unlock();
        file
    }

    /// `proc_ns_fget()`: the file of a namespace, with a reference to the file.
    ///
    /// # Errors
    ///
    /// `EBADF`, `EINVAL` for another kind of file.
    pub(crate) async fn proc_ns_fget(&self, fd: i32) -> Result<FilePtr, Errno> {
        let k = &self.k;
        let _f = k.enter(function!("proc_ns_fget"), i64::from(fd));
        let file = self.fget(fd).await.ok_or(EBADF)?;
        if file.ns().read(k).await.addr().is_null() {
            self.fput(file).await;
            return Err(EINVAL);
        }
        Ok(file)
    }

    /// `ns->ops->put(ns)`
    async fn ops_put(&self, ns: NsCommon) {
        let ops = ns.ops().read(&self.k).await;
        ops.r#type().read(&self.k).await; // where a namespace without operations is noticed
        if ops == self.netns_operations {
            self.netns_put(ns).await;
        }
    }
    /// `ns->ops->install(nsproxy, ns)`
    pub(crate) async fn install(&self, nsproxy: NsproxyPtr, ns: NsCommon) -> Result<(), Errno> {
        let ops = ns.ops().read(&self.k).await;
        ops.r#type().read(&self.k).await;
        if ops == self.netns_operations {
            return self.netns_install(nsproxy, ns).await;
        }
        // utsns_install(): its owner is the first user namespace.
        let own = self.current_user_ns().await;
        let may = self.ns_capable(self.init_user_ns).await && self.ns_capable(own).await;
        if may { Ok(()) } else { Err(EPERM) }
    }

    /// `ns_alloc_inum()`
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `ENOSPC`
    pub(crate) async fn ns_alloc_inum(&self, ns: NsCommon) -> Result<(), Errno> {
        let k = &self.k;
        let _f = k.enter(function!("ns_alloc_inum"), ns.addr().to_value());
        ns.stashed().write(k, Addr::NULL).await;
        let inum = loop {
            // proc_alloc_inum()
            if !k.ida_pre_get().await {
                return Err(ENOMEM);
            }
            self.s.proc_inum_lock().lock_irq(k).await;
            let inum = self.s.proc_inum_ida().get_new_above(k, 0).await;
            self.s.proc_inum_lock().unlock_irq(k).await;
            match inum {
                Ok(inum) => break inum,
                Err(kernel::EAGAIN) => {}
                Err(_) => return Err(ENOSPC),
            }
        };
        ns.inum().write(k, PROC_DYNAMIC_FIRST.wrapping_add(inum)).await;
        k.trace(&INUM_ALLOC, i64::from(inum), 0);
        Ok(())
    }

    /// `ns_free_inum()`
    pub(crate) async fn ns_free_inum(&self, ns: NsCommon) {
        let k = &self.k;
        let _f = k.enter(function!("ns_free_inum"), ns.addr().to_value());
        let inum = ns.inum().read(k).await.wrapping_sub(PROC_DYNAMIC_FIRST);
        self.s.proc_inum_lock().lock_irqsave(k).await;
        self.s.proc_inum_ida().remove(k, inum).await;
        self.s.proc_inum_lock().unlock_irqrestore(k).await;
        k.trace(&INUM_FREE, i64::from(inum), 0);
    }

    /// What the compiler makes of `init_uts_ns`.
    pub(crate) fn init_uts_ns_static(k: &kernel::Kernel) -> Option<UtsNsPtr> {
        let ops =
            ProcNsOperationsPtr::at(k.bus.alloc_static(ProcNsOperationsPtr::layout(), "utsns_operations")?);
        k.bus.poke(ops.r#type().addr(), CLONE_NEWUTS.cast_signed());
        let ns = UtsNsPtr::at(k.bus.alloc_static(UtsNsPtr::layout(), "init_uts_ns")?);
        k.bus.poke(ns.ns().ops().addr(), ops.addr().to_value());
        Some(ns)
    }
}
