// SPDX-License-Identifier: GPL-2.0-only
//! `struct net` and `struct net_generic`; include/net/net_namespace.h, include/net/netns/generic.h

use kernel::{
    Addr, Atomic, Field, Idr, ListHead, LlistNode, Once, Plain, Pointer, Racy, RcuHead, RcuPointer, SpinLock,
    Value, object,
};

use crate::{ucount::UcountsPtr, user_namespace::UserNsPtr};

object! {
    /// `struct net *`
    ///
    /// C: struct net, include/net/net_namespace.h
    ///
    /// Deviation: only the fields that the ported file uses.
    pub struct NetPtr("struct net", "net", "net_namespace") {
        /// To decide when the memory should be freed.
        pub passive: Atomic,
        /// To decide when the namespace should be shut down.
        pub count: Atomic,
        /// Links of `net_namespace_list`.
        pub list: ListHead,
        /// Links of `cleanup_list`, and of the kill list of a pass.
        pub cleanup_list: ListHead,
        /// Links of the list that exit methods are called for.
        pub exit_list: ListHead,
        /// The owner.
        pub user_ns: Plain<UserNsPtr>,
        /// What it is charged to.
        pub ucounts: Plain<UcountsPtr>,
        /// Protects `netns_ids`.
        pub nsid_lock: SpinLock,
        /// The ids of its peers.
        pub netns_ids: Idr,
        /// What namespaces of all kinds have in common.
        pub ns: NsCommon,
        /// Counts changes of the device list.
        pub dev_base_seq: Plain<u32>,
        /// The private data of pernet operations, by id.
        pub r#gen: RcuPointer<GenericPtr>,
        /// Links of the list of those that the next pass frees: `Patch::DeferNetFree`.
        pub defer_free_list: LlistNode,
        /// By which RCU readers find its ids: `Patch::RcuNsidLookups`.
        pub netns_ids_root: RcuPointer<i64>,
    }
}

object! {
    /// `struct net_generic *`: the length and an RCU head, which the first three slots of the array alias.
    ///
    /// C: struct net_generic, include/net/netns/generic.h
    pub struct GenericPtr("struct net_generic", "net_generic", "kmalloc") {
        /// The number of slots.
        pub len: Plain<u32>,
        /// To free it by.
        pub rcu: RcuHead,
    }
}

impl GenericPtr {
    /// `->ptr[id]`. Readers and the writer share it without a lock.
    pub fn ptr(self, id: u32) -> Racy<Addr> {
        Racy::at(self.addr().plus(id as usize))
    }
}

/// `struct ns_common`, and a pointer to one; include/linux/ns_common.h
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NsCommon(Addr);

impl Field for NsCommon {
    const CELLS: usize = 3;
    const KIND: kernel::CellKind = kernel::CellKind::Marked;
    const PARTS: &'static [&'static str] = &["stashed", "ops", "inum"];
    fn at(addr: Addr) -> Self {
        NsCommon(addr)
    }
    fn addr(self) -> Addr {
        self.0
    }
}

impl Value for NsCommon {
    fn to_value(self) -> i64 {
        self.0.to_value()
    }
    fn from_value(value: i64) -> Self {
        NsCommon(Addr::from_value(value))
    }
}

impl NsCommon {
    /// The dentry of its file, while one is open.
    pub fn stashed(self) -> Once<Addr> {
        Once::at(self.0)
    }
    /// The operations of its kind.
    pub fn ops(self) -> Plain<ProcNsOperationsPtr> {
        Plain::at(self.0.plus(1))
    }
    /// Its inode number.
    pub fn inum(self) -> Plain<u32> {
        Plain::at(self.0.plus(2))
    }
}

object! {
    /// `const struct proc_ns_operations *`; include/linux/proc_ns.h
    pub struct ProcNsOperationsPtr("struct proc_ns_operations", "proc_ns_operations", "static") {
        /// The flag of clone(2) for this kind of namespaces.
        pub r#type: Plain<u64>,
    }
}
