// SPDX-License-Identifier: GPL-2.0-only
//! The static data of net/core/net_namespace.c.

use kernel::{
    Field, Ida, Kernel, ListHead, LlistHead, Mutex, Once, Plain, Pointer, Racy, SpinLock, Work, WorkqueuePtr,
    object,
};

object! {
    /// The file's static variables, and `rtnl_mutex` of net/core/rtnetlink.c.
    pub(crate) struct StaticsPtr("static data", "static data", "static") {
        /// All pernet operations: subsystems first, then devices.
        ///
        /// C: pernet_list, net/core/net_namespace.c:30
        pub(crate) pernet_list: ListHead,
        /// Where the devices begin: a link, or the head if there are none.
        ///
        /// C: first_device, net/core/net_namespace.c:31
        pub(crate) first_device: Plain<ListHead>,
        /// Serialises all changes of the two lists.
        ///
        /// C: net_mutex, net/core/net_namespace.c:32
        pub(crate) net_mutex: Mutex,
        /// All namespaces. Writers hold `net_mutex` and `rtnl_mutex`; readers one of them, or are RCU readers.
        ///
        /// C: net_namespace_list, net/core/net_namespace.c:34
        pub(crate) net_namespace_list: ListHead,
        /// C: init_net_initialized, net/core/net_namespace.c:42
        pub(crate) init_net_initialized: Plain<bool>,
        /// How many slots new arrays get. Written under `net_mutex`, read without.
        ///
        /// C: max_gen_ptrs, net/core/net_namespace.c:49
        pub(crate) max_gen_ptrs: Once<u32>,
        /// Whether the slab cache of namespaces exists.
        ///
        /// C: net_cachep, net/core/net_namespace.c:329
        ///
        /// Deviation: a slab cache has no state in this model.
        pub(crate) net_cachep: Plain<bool>,
        /// C: netns_wq, net/core/net_namespace.c:330
        pub(crate) netns_wq: Plain<WorkqueuePtr>,
        /// C: cleanup_list_lock, net/core/net_namespace.c:414
        pub(crate) cleanup_list_lock: SpinLock,
        /// The namespaces to clean up.
        ///
        /// C: cleanup_list, net/core/net_namespace.c:415
        pub(crate) cleanup_list: ListHead,
        /// Namespaces whose memory the next pass frees: `Patch::DeferNetFree`.
        pub(crate) defer_free_list: LlistHead,
        /// C: net_cleanup_work, net/core/net_namespace.c:484
        pub(crate) net_cleanup_work: Work,
        /// The ids of pernet operations.
        ///
        /// C: net_generic_ids, net/core/net_namespace.c:869
        pub(crate) net_generic_ids: Ida,
        /// net/core/rtnetlink.c
        pub(crate) rtnl_mutex: Mutex,
        /// kernel/ucount.c
        pub(crate) ucounts_lock: SpinLock,
        /// fs/proc/generic.c
        pub(crate) proc_inum_lock: SpinLock,
        /// fs/proc/generic.c
        pub(crate) proc_inum_ida: Ida,
        /// net/core/dev.c
        pub(crate) netdev_chain: ListHead,
    }
}

impl StaticsPtr {
    /// `max_gen_ptrs` as v4.11 accesses it: without a mark.
    pub(crate) fn max_gen_ptrs_unmarked(self) -> Racy<u32> {
        Racy::at(self.max_gen_ptrs().addr())
    }
    /// What the compiler initialises.
    pub(crate) fn init(self, k: &Kernel) {
        let set = |addr: kernel::Addr, value: i64| k.bus.poke(addr, value);
        for head in [self.pernet_list(), self.net_namespace_list(), self.cleanup_list(), self.netdev_chain()]
        {
            set(head.addr(), head.addr().to_value());
            set(head.addr().plus(1), head.addr().to_value());
        }
        set(self.first_device().addr(), self.pernet_list().addr().to_value());
        set(self.max_gen_ptrs().addr(), i64::from(super::INITIAL_NET_GEN_PTRS));
    }
}

object! {
    /// A list head on the stack of a kernel function.
    pub(crate) struct StackListPtr("list head on the stack", "stack list", "stack") {
        pub(crate) head: ListHead,
    }
}

impl StackListPtr {
    /// `struct list_head NAME;`. None where simulated memory ends.
    #[track_caller]
    pub(crate) fn head_on_stack(k: &Kernel) -> Option<ListHead> {
        let list = k.bus.alloc(StackListPtr::layout(), 16)?;
        Some(StackListPtr::at(list).head())
    }
}
