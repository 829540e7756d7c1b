// SPDX-License-Identifier: GPL-2.0-only
//! Changes to v4.11 that a scenario can select: upstream's fixes, and one enum for each kind of change.

use std::collections::BTreeSet;

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
    /// An upstream fix that can be applied to v4.11.
    Patch {
        /// 21b594435005 ("net: Fix double free and memory corruption in get_net_ns_by_id()"), 2017, CVE-2017-15129:
        /// takes a reference only to a namespace that is alive.
        GetLiveNetById = "get_live_net_by_id",
        /// a26ff37e624d ("net: fix out-of-bounds access in ops_init"), 2024, CVE-2024-36883: reads `max_gen_ptrs`
        /// once for the size and the length of an array.
        ReadMaxGenPtrsOnce = "read_max_gen_ptrs_once",
        /// 2d4bc93368f5 ("netlink: extended ACK reporting"), 2017: acks say whether the request is cut off, and carry
        /// attributes where the socket asked for them.
        ExtendedAck = "extended_ack",
        /// "netns: define extack error msg for nsis cmds", 2017 (4.13): errors of nsid requests have words, and an id
        /// that is taken is EEXIST, no longer ENOSPC.
        NsidExtack = "nsid_extack",
        /// 7212462fa6fd ("netlink: don't send unknown nsid"), 2017: a listener to all namespaces is told only ids that
        /// there are.
        SendKnownNsid = "send_known_nsid",
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
        /// ae8f160e7eb2 ("netlink: Fix wraparounds of sk->sk_rmem_alloc."), 2025, with a3c4a125ec72: a message that
        /// would overfill a receive buffer is refused, no longer the one behind it.
        CountBeforeRcvbufCheck = "count_before_rcvbuf_check",
    }
}

/// The changes of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patches(BTreeSet<Patch>);

impl Patches {
    /// v4.11 as it is.
    pub fn none() -> Self {
        Patches::default()
    }
    /// Whether a fix is applied.
    pub fn has(&self, patch: Patch) -> bool {
        self.0.contains(&patch)
    }
}

impl FromIterator<Patch> for Patches {
    fn from_iter<I: IntoIterator<Item = Patch>>(patches: I) -> Self {
        Patches(patches.into_iter().collect())
    }
}
