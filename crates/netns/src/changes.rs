// SPDX-License-Identifier: GPL-2.0-only
//! Changes to v4.11 that a scenario can select: later fixes, earlier ones taken back, deliberate damage.

use std::{collections::BTreeSet, fmt};

macro_rules! changes {
    ($(#[$doc:meta])* $name:ident {
        $($(#[doc = $variant_doc:literal])* $variant:ident = $text:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[doc = $variant_doc])* $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &[$name] = &[$($name::$variant,)*];
            /// What scenarios call it.
            pub fn name(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }
            /// What it is, for people.
            pub fn words(self) -> &'static str {
                match self { $($name::$variant => concat!($($variant_doc),*).trim_ascii(),)* }
            }
            /// The one of this name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|change| change.name() == name)
            }
        }
    };
}

changes! {
    /// A fix that can be applied to v4.11: upstream's, or one that docs/findings.md proposes.
    Patch {
        /// 21b594435005 ("net: Fix double free and memory corruption in get_net_ns_by_id()"), 2017, CVE-2017-15129:
        /// takes a reference only to a namespace that is alive.
        GetLiveNetById = "get_live_net_by_id",
        /// a26ff37e624d ("net: fix out-of-bounds access in ops_init"), 2024, CVE-2024-36883: reads `max_gen_ptrs`
        /// once for the size and the length of an array.
        ReadMaxGenPtrsOnce = "read_max_gen_ptrs_once",
        /// d266935ac43d ("net: fix UAF issue in nfqnl_nf_hook_drop() when ops_init() failed"), 2022, CVE-2022-50780:
        /// clears the slot of an operation whose init method fails. And of one whose slot does not exist: see
        /// `clear_assigned_slots_only`.
        ClearSlotOfFailedInit = "clear_slot_of_failed_init",
        /// 71ab9c3e2253 ("net: fix UaF in netns ops registration error path"), 2023, CVE-2023-52999: the fix before,
        /// only where the slot was assigned.
        ClearAssignedSlotsOnly = "clear_assigned_slots_only",
        /// 0f6ede9fbc74 ("net: defer final 'struct net' free in netns dismantle"), 2024, CVE-2024-56658: memory of
        /// namespaces is freed after the barrier of the next pass.
        DeferNetFree = "defer_net_free",
        /// d4e4fdf9e4a2 ("netns: fix GFP flags in rtnl_net_notifyid()"), 2019: who asks for an id says whether he may
        /// sleep.
        NotifyidGfp = "notifyid_gfp",
        /// 7866cc57b51c ("netns: add and use net_ns_barrier"), 2017: a module waits for cleanup passes before it goes.
        NetNsBarrier = "net_ns_barrier",
        /// 328fbe747ad4 ("net: Close race between {un, }register_netdevice_notifier() and setup_net()/cleanup_net()"),
        /// 2018: who wants to hear of devices waits for namespaces that are set up or cleaned up.
        NotifierUnderNetMutex = "notifier_under_net_mutex",
        /// 8349efd90397 ("net: Queue net_cleanup_work only if there is first net added"), 2018: no empty passes.
        QueueForFirstNet = "queue_for_first_net",
        /// 6e77cc4710ea ("net: Convert net_namespace to new IDA API"), 2018: without memory for an id, a registration
        /// fails.
        NewIdaApi = "new_ida_api",
        /// "net/net_namespace: Check the return value of register_pernet_subsys()", 2019: the kernel does not boot
        /// without inode numbers for namespaces.
        CheckNetNsOps = "check_net_ns_ops",
        /// b5082df8019a ("net: Initialise init_net.count to 1"), 2017: references may be taken before the subsystem
        /// boots.
        InitNetCount = "init_net_count",
        /// d7d99872c144 ("netns: add pre_exit method to struct pernet_operations"), 2019: a grace period passes before
        /// exit methods, also where operations are removed or a creation fails.
        PreExit = "pre_exit",
        /// 2d4bc93368f5 ("netlink: extended ACK reporting"), 2017: acks say whether the request is cut off, and carry
        /// attributes where the socket asked for them.
        ExtendedAck = "extended_ack",
        /// "netns: define extack error msg for nsis cmds", 2017 (4.13): errors of nsid requests have words, and an id
        /// that is taken is EEXIST, no longer ENOSPC.
        NsidExtack = "nsid_extack",
        /// 7212462fa6fd ("netlink: don't send unknown nsid"), 2017: a listener to all namespaces is told only ids that
        /// there are; but what was said to one sticks to the message for the others: see `clear_nsid_is_set`.
        SendKnownNsid = "send_known_nsid",
        /// 70f8592ee905, 2026: that is decided for each listener anew.
        ClearNsidIsSet = "clear_nsid_is_set",
        /// 2dce224f469f ("netns: protect netns ID lookups with RCU"), 2020: who asks for an id takes no lock.
        RcuNsidLookups = "rcu_nsid_lookups",
        /// 0642840b8bb0 ("af_netlink: ensure that NLMSG_DONE never fails in dumps"), 2017: `NLMSG_DONE` stands in the
        /// last page of a dump if it fits.
        DoneInLastPage = "done_in_last_page",
        /// "netns: add support of NETNSA_TARGET_NSID" and "netns: enable to dump full nsid translation table", 2018
        /// (5.0): requests about the ids of another namespace.
        TargetNsid = "target_nsid",
        /// "netns: enable to specify a nsid for a get request", 2018 (5.0): asks whether an id is assigned.
        GetByNsid = "get_by_nsid",
        /// 993e4c929a07 ("netns: fix NLM_F_ECHO mechanism for RTM_NEWNSID"), 2019: a notification names the request
        /// that caused it, and who sent that gets it on demand.
        EchoNewnsid = "echo_newnsid",
        /// bf9f1baa279f ("net: add dedicated kmem_cache for typical/small skb->head"), 2023: small messages take more
        /// of a receive buffer.
        SmallSkbHeads = "small_skb_heads",
        /// 1514b06aff16 ("netns: no longer hold RTNL in rtnl_net_dumpid()"), 2024: a page of ids returns 0, and so is
        /// the only one.
        DumpidReturnsZero = "dumpid_returns_zero",
        /// "netns: finish a dump of ids when all are reported", 2026, not upstream: with the change before, a page of
        /// ids returns its length until all are reported.
        DumpidReturnsLength = "dumpid_returns_length",
        /// "netns: resume a dump of ids by id", 2026, not upstream: ids that come and go during a dump shift no
        /// others.
        DumpidResumesById = "dumpid_resumes_by_id",
        /// "netns: refuse init methods that return a positive number", 2026, not upstream: it counts as -EINVAL, so
        /// that all callers agree that it has failed.
        InitReturnsNoPositive = "init_returns_no_positive",
        /// "netns: clear the slot of private data that is freed", 2026, not upstream: who gets the id of operations
        /// that have gone finds NULL.
        ClearFreedSlots = "clear_freed_slots",
        /// "netns: keep first_device off removed operations", 2026, not upstream: also when a device is removed as a
        /// subsystem.
        FirstDeviceMovesOn = "first_device_moves_on",
        /// "netns: grow arrays for every id", 2026, not upstream: also for operations without private data.
        GrowForEveryId = "grow_for_every_id",
        /// "netns: forget the ids of a namespace that fails", 2026, not upstream: a creation that fails removes its ids
        /// from other namespaces, as a cleanup pass does.
        ForgetIdsOfFailedSetup = "forget_ids_of_failed_setup",
        /// "netns: keep the owner as long as struct net", 2026, not upstream: its reference is dropped when the memory
        /// of the namespace is freed.
        KeepOwner = "keep_owner",
        /// ae8f160e7eb2 ("netlink: Fix wraparounds of sk->sk_rmem_alloc."), 2025, with a3c4a125ec72: a message that
        /// would overfill a receive buffer is refused, no longer the one behind it.
        CountBeforeRcvbufCheck = "count_before_rcvbuf_check",
    }
}

impl Patch {
    /// Whether it is a fix of Linux, and not one that is proposed here.
    pub fn is_upstream(self) -> bool {
        !self.words().contains("not upstream")
    }
}

changes! {
    /// A fix that v4.11 has, and that can be taken back.
    Revert {
        /// "netns: publish net_generic correctly", 2016: without it, a larger array is published before the new
        /// subsystem's data stands in it.
        PublishNetGenericCorrectly = "publish_net_generic_correctly",
        /// 7281a66590bf ("net: allow to kill a task which waits net_mutex in copy_new_ns"), 2016: without it, a
        /// task that waits for `net_mutex` cannot be killed.
        KillableNetMutex = "killable_net_mutex",
        /// cfc44a4d147e ("net: check dead netns for peernet2id_alloc()"), 2016: without it, a dead namespace is given
        /// ids for others.
        CheckDeadNetns = "check_dead_netns",
        /// "netns: notify netns id events", 2015, as it would be with the message sent under `nsid_lock`: who
        /// delivers it wants the lock as well.
        NotifyOutsideLock = "notify_outside_lock",
        /// f8c46cb39079 ("netns: do not call pernet ops for not yet set up init_net namespace"), 2016: without it, and
        /// without CONFIG_NET_NS, operations that are registered before boot are set up at once.
        InitNetNotSetUp = "init_net_not_set_up",
        /// a685e08987d1 ("Delay struct net freeing while there's a sysfs instance refering to it"), 2011: without it,
        /// memory of a namespace is freed under who has a passive reference.
        PassiveCount = "passive_count",
        /// 2b035b399707 ("net: Batch network namespace destruction"), 2009: without it, a pass cleans one namespace.
        BatchDestruction = "batch_destruction",
        /// fba143c66abb ("netns: avoid disabling irq for netns id"), 2016, as 8d7e5dee972f had it in 2020 until
        /// e1f469cd5866: without it, `peernet2id()` takes `nsid_lock` by a plain `spin_lock()`.
        NsidLockBh = "nsid_lock_bh",
    }
}

changes! {
    /// A damage that nobody has made, to see that it is noticed.
    Mutation {
        /// `peernet2id_alloc()` reads the peer's count before it takes `nsid_lock`.
        CountBeforeNsidLock = "count_before_nsid_lock",
        /// `peernet2id_alloc()` does not look at the peer's count.
        NoPeerCount = "no_peer_count",
        /// `net_assign_generic()` takes an array for large enough that ends before the slot.
        SlotBehindArray = "slot_behind_array",
        /// `cleanup_net()` does not wait for a grace period.
        NoGracePeriod = "no_grace_period",
    }
}

/// What is different from v4.11.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// A later fix is there.
    Patch(Patch),
    /// An earlier fix is not.
    Revert(Revert),
    /// Something else is wrong.
    Mutation(Mutation),
}

impl From<Patch> for Change {
    fn from(patch: Patch) -> Self {
        Change::Patch(patch)
    }
}
impl From<Revert> for Change {
    fn from(revert: Revert) -> Self {
        Change::Revert(revert)
    }
}
impl From<Mutation> for Change {
    fn from(mutation: Mutation) -> Self {
        Change::Mutation(mutation)
    }
}

impl fmt::Display for Change {
    /// As in a sum that begins with v4.11: `+ PATCH`, `- REVERT`, `! MUTATION`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Patch(patch) => write!(f, "+ {}", patch.name()),
            Change::Revert(revert) => write!(f, "- {}", revert.name()),
            Change::Mutation(mutation) => write!(f, "! {}", mutation.name()),
        }
    }
}

/// The changes of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes(BTreeSet<Change>);

impl Changes {
    /// v4.11 as it is.
    pub fn none() -> Self {
        Changes::default()
    }
    /// Whether this is one of them.
    pub fn has(&self, change: impl Into<Change>) -> bool {
        self.0.contains(&change.into())
    }
}

impl<C: Into<Change>> FromIterator<C> for Changes {
    fn from_iter<I: IntoIterator<Item = C>>(changes: I) -> Self {
        Changes(changes.into_iter().map(Into::into).collect())
    }
}
