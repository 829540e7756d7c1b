// SPDX-License-Identifier: GPL-2.0-only
//! net/core/net_namespace.c of Linux v4.11, ported once to run on any machine, and as much as it touches of nsproxy,
//! nsfs, user namespaces, rtnetlink and netlink.
//!
//! The port mirrors C: the same functions, names, order and statements. References are counted by hand, pointers may
//! dangle, locks own no data, and v4.11's bugs are in it. Every `.await` is a place where another CPU may run, or
//! where an access may fault; code without one is atomic.

mod changes;
mod history;
mod inspect;
mod invariants;
mod mutants;
mod net;
mod net_namespace;
mod netlink;
mod nlmsg;
mod nsfs;
mod nsproxy;
mod pernet;
mod refs;
mod rtnetlink;
mod subsystems;
mod ucount;
mod user_namespace;

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fmt,
    rc::{Rc, Weak},
};

use kernel::{Field, Kernel, ListHead, Mutex, Pointer, TaskId, WorkFunc, WorkqueuePtr};

pub use changes::{Change, Changes, Mutation, Patch, Revert};
pub use inspect::{FileView, GenericView, Listed, TaskView, UcountsView};
pub use invariants::Broken;
pub use mutants::{WRAPPERS, is_mutated, name_of};
pub use net::{GenericPtr, NetPtr, NsCommon, ProcNsOperationsPtr};
pub use net_namespace::{
    CLONE_NEWNET, INITIAL_NET_GEN_PTRS, MIN_PERNET_OPS_ID, NETNSA_FD, NETNSA_NSID, NETNSA_NSID_NOT_ASSIGNED,
    NETNSA_PID, NetlinkCallback, RTM_DELNSID, RTM_GETNSID, RTM_NEWNSID, RTNL_REGISTER, Request,
};
pub use netlink::{
    Datagram, Listener, NETLINK_BROADCAST, NETLINK_DELIVER, NETLINK_SET_ERR, NETLINK_UNICAST, Netlink,
    NetlinkLog, RTNLGRP_NSID, SK_ERR, SkbPtr, SocketOptions,
};
pub use nlmsg::{Buffer, Header, NLM_F_MULTI, NLMSG_HDRLEN};
pub use nsfs::{CLONE_NEWUTS, FilePtr, INUM_ALLOC, INUM_FREE, NsfsPtr, Open, PROC_DYNAMIC_FIRST};
pub use nsproxy::{Credentials, NsproxyPtr, TaskPtr};
pub use pernet::{Exit, ExitBatch, Init, Methods, PernetDataPtr, PernetIdPtr, PernetOpsPtr, Running};
pub use rtnetlink::{FIRST_PAGE, Page};
pub use subsystems::{Links, NotifierPtr, SUBSYSTEMS, Subsystem, Uses};
pub use ucount::UcountsPtr;
pub use user_namespace::{USER_NS_FREE, UserNsPtr};

/// How the kernel is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// CONFIG_NET_NS
    pub net_ns: bool,
    /// `user.max_net_namespaces` of the first user namespace.
    pub max_net_namespaces: i64,
}

impl Default for Config {
    fn default() -> Self {
        Config { net_ns: true, max_net_namespaces: 1000 }
    }
}

/// The network-namespace subsystem of one kernel: its static data, and that of what it touches.
pub struct NetNs {
    /// The kernel.
    pub k: Rc<Kernel>,
    /// How it is configured.
    pub config: Config,
    /// What is changed of v4.11.
    pub changes: Changes,
    /// The first namespace.
    ///
    /// C: init_net, net/core/net_namespace.c:37
    pub init_net: NetPtr,
    /// The first user namespace.
    pub init_user_ns: UserNsPtr,
    /// The task with pid 1.
    pub init_task: TaskPtr,
    /// Netlink.
    pub netlink: Netlink,
    s: net_namespace::StaticsPtr,
    netns_operations: ProcNsOperationsPtr,
    init_uts_ns: nsfs::UtsNsPtr,
    cleanup_work: WorkFunc,
    methods: RefCell<Vec<Methods>>,
    /// The hash table of kernel/ucount.c, in order of creation.
    ucounts: RefCell<Vec<UcountsPtr>>,
    pids: RefCell<BTreeMap<i32, nsproxy::PidPtr>>,
    currents: RefCell<BTreeMap<TaskId, TaskPtr>>,
    files: RefCell<BTreeMap<i32, FilePtr>>,
    history: history::History,
    this: Weak<NetNs>,
}

impl fmt::Debug for NetNs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NetNs({:?})", self.config)
    }
}

impl NetNs {
    /// The kernel as the boot loader finds it: static data, one task, and nothing initialised. None without memory.
    pub fn new(k: Rc<Kernel>, config: Config, changes: Changes) -> Option<Rc<Self>> {
        let statics = k.bus.alloc_static(net_namespace::StaticsPtr::layout(), "static data")?;
        let s = net_namespace::StaticsPtr::at(statics);
        s.init(&k);
        let init_net = NetPtr::at(k.bus.alloc_static(NetPtr::layout(), "init_net")?);
        if changes.has(Patch::InitNetCount) {
            k.bus.poke(init_net.count().addr(), 1);
        }
        let init_user_ns = NetNs::init_user_ns_static(&k, config.max_net_namespaces)?;
        let init_task = NetNs::init_task_static(&k, init_net, init_user_ns)?;
        let init_pid = NetNs::init_pid_static(&k, init_task)?;
        let netns_operations = NetNs::netns_operations(&k)?;
        let init_uts_ns = NetNs::init_uts_ns_static(&k)?;
        let netlink = Netlink::new(&k)?;
        let bus = k.bus.clone();
        let ns = Rc::new_cyclic(|this: &Weak<NetNs>| {
            let of_work = this.clone();
            let cleanup_work: WorkFunc = Rc::new(move || {
                let this = of_work.upgrade();
                Box::pin(async move {
                    if let Some(this) = this {
                        this.cleanup_net().await;
                    }
                })
            });
            NetNs {
                k,
                config,
                changes,
                init_net,
                init_user_ns,
                init_task,
                netlink,
                s,
                netns_operations,
                init_uts_ns,
                cleanup_work,
                methods: RefCell::default(),
                ucounts: RefCell::default(),
                pids: RefCell::new(BTreeMap::from([(1, init_pid)])),
                currents: RefCell::default(),
                files: RefCell::default(),
                history: history::History::default(),
                this: this.clone(),
            }
        });
        bus.keep(ns.clone());
        Some(ns)
    }
    pub(crate) fn this(&self) -> Rc<NetNs> {
        self.this.upgrade().expect("whoever calls holds the subsystem")
    }
    /// The lock over creation, cleanup and registration: for those who judge.
    pub fn net_mutex(&self) -> Mutex {
        self.s.net_mutex()
    }
    /// The lock of rtnetlink: for those who judge.
    pub fn rtnl_mutex(&self) -> Mutex {
        self.s.rtnl_mutex()
    }
    /// The lock of `cleanup_list`: for those who judge.
    pub fn cleanup_list_lock(&self) -> kernel::SpinLock {
        self.s.cleanup_list_lock()
    }
    /// Which workqueue runs cleanup passes; NULL before boot. Without an access.
    pub fn netns_wq(&self) -> WorkqueuePtr {
        WorkqueuePtr::at(kernel::Addr::from_value(self.k.bus.peek(self.s.netns_wq().addr())))
    }
    /// `net_cleanup_work`
    pub fn net_cleanup_work(&self) -> kernel::Work {
        self.s.net_cleanup_work()
    }
    /// The heads of the lists of namespaces, of operations, and of namespaces to clean up: for those who judge.
    pub fn list_heads(&self) -> [ListHead; 3] {
        [self.s.net_namespace_list(), self.s.pernet_list(), self.s.cleanup_list()]
    }
}
