// SPDX-License-Identifier: GPL-2.0-only
//! What those who judge see: the state of the subsystem, read without an access.
//!
//! Nothing here is seen by a checker or a driver. What is read may be damaged: every walk ends.

use std::collections::BTreeSet;

use kernel::{Addr, Field, ListHead, Pointer, Value};

use crate::{
    NetNs,
    net::{NetPtr, NsCommon},
    nsfs::{FilePtr, NsfsPtr},
    nsproxy::{NsproxyPtr, TaskPtr},
    pernet::{PernetIdPtr, PernetOpsPtr},
    ucount::UcountsPtr,
    user_namespace::UserNsPtr,
};

/// The entries of a list, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<P> {
    /// What was found, up to where the list is damaged.
    pub entries: Vec<P>,
    /// Whether the walk came back to the head.
    pub closed: bool,
}

/// The array of private data of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenericView {
    /// Where it is.
    pub array: Addr,
    /// How many slots it claims to have.
    pub len: u32,
    /// How many bytes it was allocated with.
    pub bytes: usize,
    /// The slots that are in these bytes, the first three included.
    pub slots: Vec<Addr>,
}

/// A record of kernel/ucount.c.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UcountsView {
    /// The record.
    pub ucounts: UcountsPtr,
    /// Of which user namespace.
    pub ns: UserNsPtr,
    /// Of which user.
    pub uid: u32,
    /// References.
    pub count: i64,
    /// Network namespaces charged.
    pub net_namespaces: i64,
}

/// A task that can be found by its pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskView {
    /// Its number.
    pub pid: i32,
    /// The task.
    pub task: TaskPtr,
    /// Its set of namespaces; NULL once it has exited.
    pub nsproxy: NsproxyPtr,
    /// Its network namespace; NULL once it has exited.
    pub net: NetPtr,
}

/// An open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileView {
    /// Its descriptor.
    pub fd: i32,
    /// The file.
    pub file: FilePtr,
    /// The network namespace that it is of, if it is of one.
    pub net: Option<NetPtr>,
}

impl NetNs {
    /// What tables of this subsystem and of the kernel refer to that are not in simulated memory: from what is always
    /// there, and from an idr to what it holds.
    pub fn references(&self) -> (Vec<Addr>, Vec<(Addr, Addr)>) {
        let mut roots = self.k.ida_references();
        roots.extend(self.k.rcu_references());
        roots.extend(self.ucounts.borrow().iter().map(|ucounts| ucounts.addr()));
        roots.extend(self.pids.borrow().values().map(|pid| pid.addr()));
        roots.extend(self.currents.borrow().values().map(|task| task.addr()));
        roots.extend(self.files.borrow().values().map(|file| file.addr()));
        roots.extend(self.netlink.listeners.borrow().iter().map(|socket| socket.net.addr()));
        (roots, self.k.idr_references())
    }
    pub(crate) fn peek<V: Value>(&self, field: impl Field) -> V {
        V::from_value(self.k.bus.peek(field.addr()))
    }

    /// The entries of a list, found by `member`. Ends at a link that leads nowhere, that is no such entry's, or that
    /// was met before.
    pub fn walk<P: Pointer>(&self, head: ListHead, member: fn(P) -> ListHead) -> Listed<P> {
        let mut listed = Listed { entries: Vec::new(), closed: false };
        let mut met = BTreeSet::new();
        let mut link: ListHead = self.peek(head);
        while link != head {
            let entry = P::at(link.addr().object());
            let is_entry = member(entry) == link
                && self.k.bus.inspect(|memory| {
                    memory.object(link.addr()).is_some_and(|object| std::ptr::eq(object.layout, P::layout()))
                });
            if !is_entry || !met.insert(link.addr()) {
                return listed;
            }
            listed.entries.push(entry);
            link = self.peek(link);
        }
        listed.closed = true;
        listed
    }
    /// `net_namespace_list`
    pub fn listed_nets(&self) -> Listed<NetPtr> {
        self.walk(self.s.net_namespace_list(), NetPtr::list)
    }
    /// `cleanup_list`: namespaces that no pass has taken yet.
    pub fn nets_to_clean_up(&self) -> Listed<NetPtr> {
        self.walk(self.s.cleanup_list(), NetPtr::cleanup_list)
    }
    /// `pernet_list`
    pub fn pernet_operations(&self) -> Listed<PernetOpsPtr> {
        self.walk(self.s.pernet_list(), PernetOpsPtr::list)
    }
    /// `ops->size`
    pub fn size_of(&self, ops: PernetOpsPtr) -> usize {
        self.peek(ops.size())
    }
    /// `first_device`: an operation, or none if it is the head of the list.
    pub fn first_device(&self) -> Option<PernetOpsPtr> {
        let link: ListHead = self.peek(self.s.first_device());
        (link != self.s.pernet_list()).then(|| PernetOpsPtr::at(link.addr().object()))
    }
    /// The id of an operation, if it wants one. 0 before it is registered.
    pub fn pernet_id(&self, ops: PernetOpsPtr) -> Option<u32> {
        let id: PernetIdPtr = self.peek(ops.id());
        (!id.is_null()).then(|| self.peek(id.value()))
    }
    /// `net_generic_ids`
    pub fn generic_ids(&self) -> Vec<u32> {
        self.s.net_generic_ids().ids(&self.k)
    }
    /// `max_gen_ptrs`
    pub fn max_gen_ptrs(&self) -> u32 {
        self.peek(self.s.max_gen_ptrs())
    }
    /// `init_net_initialized`
    pub fn init_net_initialized(&self) -> bool {
        self.peek(self.s.init_net_initialized())
    }
    /// Inode numbers that are taken, counted from [`crate::PROC_DYNAMIC_FIRST`].
    pub fn inums(&self) -> Vec<u32> {
        self.s.proc_inum_ida().ids(&self.k)
    }

    fn live<P: Pointer>(&self) -> Vec<P> {
        self.k.bus.inspect(|memory| {
            let of_type = memory.live().filter(|(_, object)| std::ptr::eq(object.layout, P::layout()));
            of_type.map(|(addr, _)| P::at(addr)).collect()
        })
    }
    /// Every `struct net` that is not freed, the first included, in the order of its memory.
    pub fn live_nets(&self) -> Vec<NetPtr> {
        self.live()
    }
    /// Every `struct user_namespace` that is not freed, the first included.
    pub fn live_user_namespaces(&self) -> Vec<UserNsPtr> {
        self.live()
    }
    /// Every `struct nsproxy` that is not freed, the first included.
    pub fn live_nsproxies(&self) -> Vec<NsproxyPtr> {
        self.live()
    }
    /// Every nsfs inode that is not freed.
    pub fn live_nsfs(&self) -> Vec<NsfsPtr> {
        self.live()
    }
    /// Whether the memory behind a pointer is freed, or was never there.
    pub fn is_freed(&self, addr: Addr) -> bool {
        self.k.bus.inspect(|memory| memory.place(addr).map_or(true, |place| place.freed))
    }
    /// What a pointer leads to, in words: `net 3`, `init_net`.
    pub fn describe(&self, addr: Addr) -> String {
        self.k.bus.inspect(|memory| memory.describe(addr))
    }

    /// `atomic_read(&net->count)`
    pub fn count_of(&self, net: NetPtr) -> i64 {
        self.peek(net.count())
    }
    /// `atomic_read(&net->passive)`
    pub fn passive_of(&self, net: NetPtr) -> i64 {
        self.peek(net.passive())
    }
    /// `net->user_ns`
    pub fn user_ns_of(&self, net: NetPtr) -> UserNsPtr {
        self.peek(net.user_ns())
    }
    /// `net->ucounts`
    pub fn ucounts_of(&self, net: NetPtr) -> UcountsPtr {
        self.peek(net.ucounts())
    }
    /// `net->ns.inum`
    pub fn inum_of(&self, net: NetPtr) -> u32 {
        self.peek(net.ns().inum())
    }
    /// `net->ns.stashed`
    pub fn stashed_of(&self, net: NetPtr) -> Addr {
        self.peek(net.ns().stashed())
    }
    /// The ids that a namespace has given to others, ascending.
    pub fn nsids_of(&self, net: NetPtr) -> Vec<(i32, NetPtr)> {
        net.netns_ids().entries(&self.k).into_iter().map(|(id, peer)| (id, NetPtr::at(peer))).collect()
    }
    /// The array of private data of a namespace, if it has one.
    pub fn generic_of(&self, net: NetPtr) -> Option<GenericView> {
        let array: crate::GenericPtr = self.peek(net.r#gen());
        let bytes = self.k.bus.inspect(|memory| memory.object(array.addr()).map(|object| object.bytes))?;
        let slots = (0..bytes / 8).map(|slot| self.peek(kernel::Plain::<Addr>::at(array.addr().plus(slot))));
        Some(GenericView { array: array.addr(), len: self.peek(array.len()), bytes, slots: slots.collect() })
    }

    /// All records of kernel/ucount.c, in order of creation.
    pub fn ucounts(&self) -> Vec<UcountsView> {
        let all = self.ucounts.borrow();
        let view = |&ucounts: &UcountsPtr| UcountsView {
            ucounts,
            ns: self.peek(ucounts.ns()),
            uid: self.peek(ucounts.uid()),
            count: self.peek(ucounts.count()),
            net_namespaces: self.peek(ucounts.net_namespaces()),
        };
        all.iter().map(view).collect()
    }
    /// The task that is found by a pid, without an access.
    pub fn task(&self, nr: i32) -> Option<TaskPtr> {
        let pid = self.pids.borrow().get(&nr).copied()?;
        let task: TaskPtr = self.peek(pid.task());
        (!task.is_null()).then_some(task)
    }
    /// All tasks that can be found, by pid.
    pub fn tasks(&self) -> Vec<TaskView> {
        let pids: Vec<i32> = self.pids.borrow().keys().copied().collect();
        let view = |pid: i32| {
            let task = self.task(pid)?;
            let nsproxy: NsproxyPtr = self.peek(task.nsproxy());
            let net = if nsproxy.is_null() { NetPtr::null() } else { self.peek(nsproxy.net_ns()) };
            Some(TaskView { pid, task, nsproxy, net })
        };
        pids.into_iter().filter_map(view).collect()
    }
    /// All open files, by descriptor.
    pub fn files(&self) -> Vec<FileView> {
        let files = self.files.borrow();
        let view = |(&fd, &file): (&i32, &FilePtr)| {
            let inode: NsfsPtr = self.peek(file.inode());
            let ns: NsCommon = self.peek(file.ns());
            let net = (!inode.is_null()).then(|| NetPtr::at(ns.addr().object()));
            FileView { fd, file, net }
        };
        files.iter().map(view).collect()
    }
}

impl NetNs {
    /// Whether a file is that of a namespace, of whatever kind.
    pub fn is_of_namespace(&self, file: FilePtr) -> bool {
        let ns: NsCommon = self.peek(file.ns());
        !ns.addr().is_null()
    }
}
