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
