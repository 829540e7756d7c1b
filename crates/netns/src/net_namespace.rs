// SPDX-License-Identifier: GPL-2.0-only
//! net/core/net_namespace.c of v4.11, in the order of the file.
//!
//! Every item names the C item that it is ported from, and where it deviates.

mod cleanup;
mod generic;
mod later;
mod lookup;
mod netns_ops;
mod nsid;
mod pernet;
mod rtnl;
mod setup;
mod statics;

pub use generic::{INITIAL_NET_GEN_PTRS, MIN_PERNET_OPS_ID};
pub use nsid::{NETNSA_NSID_NOT_ASSIGNED, RTM_DELNSID, RTM_GETNSID, RTM_NEWNSID};
pub use rtnl::{NETNSA_FD, NETNSA_NSID, NETNSA_PID, NetlinkCallback, RTNL_REGISTER, Request};
pub use setup::CLONE_NEWNET;
pub(crate) use statics::{StackListPtr, StaticsPtr};
