// SPDX-License-Identifier: GPL-2.0-only
//! Tasks and their sets of namespaces; include/linux/nsproxy.h, kernel/nsproxy.c
//!
//! Only the network part of a set exists.

use std::rc::Rc;

use kernel::{
    Addr, Atomic, EINVAL, ENOMEM, EPERM, Errno, Field, Gfp, Plain, Pointer, RcuHead, RcuPointer, SpinLock,
    function, object,
};

use crate::{NetNs, net::NetPtr, net_namespace::CLONE_NEWNET, user_namespace::UserNsPtr};

object! {
    /// `struct nsproxy *`
    pub struct NsproxyPtr("struct nsproxy", "nsproxy", "nsproxy") {
        /// References: one for each task that uses it.
        pub count: Atomic,
        /// The network namespace, with one reference to it.
        pub net_ns: Plain<NetPtr>,
    }
}

object! {
    /// `struct task_struct *`
    pub struct TaskPtr("struct task_struct", "task", "task_struct") {
        /// `task_lock()`: protects `nsproxy` against other tasks.
        pub alloc_lock: SpinLock,
        /// Its namespaces; NULL once it has exited.
        pub nsproxy: Plain<NsproxyPtr>,
        /// `cred->user_ns`
        pub user_ns: Plain<UserNsPtr>,
        /// `cred->euid`
        pub euid: Plain<u32>,
        /// Whether CAP_SYS_ADMIN is in `cred->cap_effective`.
        pub cap_sys_admin: Plain<bool>,
        /// References to its memory.
        pub usage: Atomic,
        /// To put the reference of those who find it by pid.
        pub rcu: RcuHead,
    }
}

object! {
    /// `struct pid *`
    pub(crate) struct PidPtr("struct pid", "pid", "pid") {
        /// `tasks[PIDTYPE_PID]`, which has one entry at most.
        pub(crate) task: RcuPointer<TaskPtr>,
        /// To free it by.
        pub(crate) rcu: RcuHead,
    }
}

/// What a new task is to be.
#[derive(Clone, Copy, Debug)]
pub struct Credentials {
    /// Its user namespace.
    pub user_ns: UserNsPtr,
    /// Its effective user.
    pub euid: u32,
    /// Whether it has CAP_SYS_ADMIN there.
    pub cap_sys_admin: bool,
}

impl NetNs {
    /// `find_task_by_vpid()`. In an RCU read section.
    pub(crate) async fn find_task_by_vpid(&self, nr: i32) -> Option<TaskPtr> {
        let pid = self.pids.borrow().get(&nr).copied()?;
        let task = pid.task().dereference(&self.k).await;
        (!task.is_null()).then_some(task)
    }
    /// `get_proc_task()`: a task, with a reference to its memory. Any context.
    pub(crate) async fn get_proc_task(&self, nr: i32) -> Option<TaskPtr> {
        let k = &self.k;
        k.rcu_read_lock().await;
        let task = self.find_task_by_vpid(nr).await;
        if let Some(task) = task {
            task.usage().inc(k).await;
        }
        k.rcu_read_unlock();
        task
    }
    /// `put_task_struct()`. Any context.
    pub(crate) async fn put_task_struct(&self, task: TaskPtr) {
        if task.usage().dec_and_test(&self.k).await {
            self.k.kfree(task.addr());
        }
    }
    /// `current`: the task that the running context stands for.
    pub fn current(&self) -> TaskPtr {
        let id = self.k.bus.current().task;
        self.currents.borrow().get(&id).copied().unwrap_or(self.init_task)
    }
    /// The running context stands for `task` from now on.
    pub fn set_current(&self, task: TaskPtr) {
        let id = self.k.bus.current().task;
        self.currents.borrow_mut().insert(id, task);
    }
    /// `current_euid()`
    pub(crate) async fn current_euid(&self) -> u32 {
        self.current().euid().read(&self.k).await
    }
    /// `current_user_ns()`
    pub(crate) async fn current_user_ns(&self) -> UserNsPtr {
        self.current().user_ns().read(&self.k).await
    }

    /// The task with pid 1: uid 0, all capabilities, in the first namespace. Its set is also held by the idle task.
    pub(crate) fn init_task_static(
        k: &kernel::Kernel,
        init_net: NetPtr,
        init_user_ns: UserNsPtr,
    ) -> Option<TaskPtr> {
        let nsproxy = NsproxyPtr::at(k.bus.alloc_static(NsproxyPtr::layout(), "init_nsproxy")?);
        k.bus.poke(nsproxy.count().addr(), 2);
        k.bus.poke(nsproxy.net_ns().addr(), init_net.addr().to_value());
        let task = TaskPtr::at(k.bus.alloc_static(TaskPtr::layout(), "init_task")?);
        k.bus.poke(task.nsproxy().addr(), nsproxy.addr().to_value());
        k.bus.poke(task.user_ns().addr(), init_user_ns.addr().to_value());
        k.bus.poke(task.cap_sys_admin().addr(), 1);
        k.bus.poke(task.usage().addr(), 2);
        Some(task)
    }
    /// What the boot makes of the pid of the first task.
    pub(crate) fn init_pid_static(k: &kernel::Kernel, task: TaskPtr) -> Option<PidPtr> {
        let pid = PidPtr::at(k.bus.alloc_static(PidPtr::layout(), "init_pid")?);
        k.bus.poke(pid.task().addr(), task.addr().to_value());
        Some(pid)
    }

    /// `create_new_namespaces()`: a new set for `current`, with a new network namespace if `flags` say so.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, or what [`NetNs::copy_net_ns`] says.
    async fn create_new_namespaces(
        &self,
        flags: u64,
        tsk: TaskPtr,
        user_ns: UserNsPtr,
    ) -> Result<NsproxyPtr, Errno> {
        let k = &self.k;
        let _f = k.enter(function!("create_new_namespaces"), tsk.addr().to_value());
        let Some(new_nsp) = k.kzalloc::<NsproxyPtr>("nsproxy", Gfp::Kernel).await else {
            return Err(ENOMEM);
        };
        new_nsp.count().set(k, 1).await;
        let old_net = tsk.nsproxy().read(k).await.net_ns().read(k).await;
        match self.copy_net_ns(flags, user_ns, old_net).await {
            Ok(net) => {
                new_nsp.net_ns().write(k, net).await;
                Ok(new_nsp)
            }
            Err(err) => {
                k.kfree(new_nsp.addr());
                Err(err)
            }
        }
    }

    /// `free_nsproxy()`
    async fn free_nsproxy(&self, ns: NsproxyPtr) {
        let k = &self.k;
        let _f = k.enter(function!("free_nsproxy"), ns.addr().to_value());
        let net = ns.net_ns().read(k).await;
        self.put_net(net).await;
        k.kfree(ns.addr());
    }

    /// `switch_task_namespaces()`: `p` uses `new` from now on. Process context.
    async fn switch_task_namespaces(&self, p: TaskPtr, new: NsproxyPtr) {
        let k = &self.k;
        let _f = k.enter(function!("switch_task_namespaces"), p.addr().to_value());
        k.might_sleep("switch_task_namespaces").await;
        p.alloc_lock().lock(k).await;
        let ns = p.nsproxy().read(k).await;
        p.nsproxy().write(k, new).await;
        p.alloc_lock().unlock(k).await;
        if !ns.is_null() && ns.count().dec_and_test(k).await {
            self.free_nsproxy(ns).await;
        }
    }

    /// clone(2) of `current`, as far as namespaces are concerned: a task `pid` with the same set, or a new one.
    ///
    /// # Errors
    ///
    /// `EPERM` if `current` has no CAP_SYS_ADMIN in the new task's user namespace, and those of
    /// [`NetNs::copy_net_ns`].
    pub async fn clone_task(&self, pid: i32, flags: u64, cred: Credentials) -> Result<TaskPtr, Errno> {
        let k = &self.k;
        let from = self.current();
        let _f = k.enter(function!("copy_process"), from.addr().to_value());
        let Some(tsk) = k.bus.alloc(TaskPtr::layout(), TaskPtr::layout().cells() * 8).map(TaskPtr::at) else {
            self.k.out_of_memory().await;
            return Err(ENOMEM);
        };
        k.bus.name_object(tsk.addr(), &format!("task {pid}"));
        tsk.usage().set(k, 2).await; // one for those who find it, one for itself
        self.get_user_ns(cred.user_ns).await;
        tsk.user_ns().write(k, cred.user_ns).await;
        tsk.euid().write(k, cred.euid).await;
        tsk.cap_sys_admin().write(k, cred.cap_sys_admin).await;
        let old_ns = from.nsproxy().read(k).await;
        tsk.nsproxy().write(k, old_ns).await;
        if let Err(err) = self.copy_namespaces(flags, tsk).await {
            self.put_user_ns(cred.user_ns).await;
            k.kfree(tsk.addr());
            return Err(err);
        }
        // alloc_pid(), attach_pid()
        let Some(struct_pid) = k.bus.alloc(PidPtr::layout(), PidPtr::layout().cells() * 8).map(PidPtr::at)
        else {
            k.out_of_memory().await;
            return Err(ENOMEM);
        };
        self.pids.borrow_mut().insert(pid, struct_pid);
        struct_pid.task().assign(k, tsk).await;
        Ok(tsk)
    }

    /// `copy_namespaces()`: `tsk` is new and still has its parent's set.
    async fn copy_namespaces(&self, flags: u64, tsk: TaskPtr) -> Result<(), Errno> {
        let k = &self.k;
        let _f = k.enter(function!("copy_namespaces"), tsk.addr().to_value());
        let old_ns = tsk.nsproxy().read(k).await;
        if flags & CLONE_NEWNET == 0 {
            old_ns.count().inc(k).await;
            return Ok(());
        }
        let user_ns = tsk.user_ns().read(k).await;
        // It is the parent that must be capable, and that is charged: it is current.
        if !self.ns_capable(user_ns).await {
            return Err(EPERM);
        }
        let new_ns = self.create_new_namespaces(flags, tsk, user_ns).await?;
        tsk.nsproxy().write(k, new_ns).await;
        Ok(())
    }

    /// unshare(2) of `current` with [`CLONE_NEWNET`].
    ///
    /// # Errors
    ///
    /// `EPERM` without CAP_SYS_ADMIN in one's user namespace, and those of [`NetNs::copy_net_ns`].
    pub async fn unshare(&self) -> Result<(), Errno> {
        let _f = self.k.enter(function!("sys_unshare"), 0);
        let current = self.current();
        let user_ns = self.current_user_ns().await;
        if !self.ns_capable(user_ns).await {
            return Err(EPERM);
        }
        let new_nsp = self.create_new_namespaces(CLONE_NEWNET, current, user_ns).await?;
        self.switch_task_namespaces(current, new_nsp).await;
        Ok(())
    }

    /// setns(2) of `current`: `nstype` is the kind of namespace expected, or 0 for any.
    ///
    /// # Errors
    ///
    /// `EBADF`, `EINVAL` for another kind, `EPERM`, `ENOMEM`.
    pub async fn setns(&self, fd: i32, nstype: u64) -> Result<(), Errno> {
        let k = &self.k;
        let _f = k.enter(function!("sys_setns"), i64::from(fd));
        let current = self.current();
        let file = self.proc_ns_fget(fd).await?;
        let ns = file.ns().read(k).await;
        let ops = ns.ops().read(k).await;
        let err = if nstype != 0 && ops.r#type().read(k).await != nstype {
            Err(EINVAL)
        } else {
            let user_ns = self.current_user_ns().await;
            match self.create_new_namespaces(0, current, user_ns).await {
                Err(err) => Err(err),
                Ok(new_nsproxy) => match self.install(new_nsproxy, ns).await {
                    Ok(()) => {
                        self.switch_task_namespaces(current, new_nsproxy).await;
                        Ok(())
                    }
                    Err(err) => {
                        self.free_nsproxy(new_nsproxy).await;
                        Err(err)
                    }
                },
            }
        };
        self.fput(file).await;
        err
    }

    /// `exit_task_namespaces()`: the task is a zombie, and has no namespaces any more.
    pub async fn exit_task_namespaces(&self, p: TaskPtr) {
        let _f = self.k.enter(function!("exit_task_namespaces"), p.addr().to_value());
        self.switch_task_namespaces(p, NsproxyPtr::null()).await;
    }
    /// `release_task()` of a task that has exited: nobody finds it any more, and its credentials are put. RCU readers
    /// may still use its memory.
    pub async fn release_task(&self, nr: i32) {
        let k = &self.k;
        let Some(pid) = self.pids.borrow_mut().remove(&nr) else { return };
        let _f = k.enter(function!("release_task"), i64::from(nr));
        // detach_pid()
        let task = pid.task().dereference_protected(k).await;
        pid.task().assign(k, TaskPtr::null()).await;
        k.kfree_rcu(pid.addr(), pid.rcu()).await;
        let user_ns = task.user_ns().read(k).await;
        self.put_user_ns(user_ns).await;
        let this = self.this();
        let func: kernel::RcuFunc = Rc::new(move |_: Addr| {
            let this = this.clone();
            Box::pin(async move { this.delayed_put_task_struct(task).await })
        });
        k.call_rcu(task.rcu(), func).await;
    }

    /// `delayed_put_task_struct()`: an RCU callback.
    async fn delayed_put_task_struct(&self, tsk: TaskPtr) {
        let _f = self.k.enter(function!("delayed_put_task_struct"), tsk.addr().to_value());
        self.put_task_struct(tsk).await;
        // finish_task_switch() of a task that is dead; one that a context stands for is not.
        if !self.currents.borrow().values().any(|current| *current == tsk) {
            self.put_task_struct(tsk).await;
        }
    }
}
