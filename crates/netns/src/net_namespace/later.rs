// SPDX-License-Identifier: GPL-2.0-only
//! What requests may say to kernels later than v4.11: the ids of another namespace, [`Patch::TargetNsid`].

use kernel::{EACCES, EINVAL, Errno};

use super::rtnl::{RTGENMSG, RTNL_NET_POLICY, Request};
use crate::{
    NetNs, Patch,
    net::NetPtr,
    nlmsg::{Attributes, NlaType, attribute_offset, get_s32, nlmsg_parse},
};

/// `NETNSA_TARGET_NSID` of later kernels.
pub(super) const NETNSA_TARGET_NSID: u16 = 4;
/// `NETNSA_CURRENT_NSID` of later kernels.
pub(super) const NETNSA_CURRENT_NSID: u16 = 5;

/// The same with [`Patch::TargetNsid`].
const LATER_POLICY: [NlaType; 6] =
    [NlaType::Unspec, NlaType::S32, NlaType::U32, NlaType::U32, NlaType::S32, NlaType::Unspec];

impl NetNs {
    /// The attributes that the kernel knows.
    pub(super) fn attributes_of<'a>(&self, request: &'a Request) -> Result<Attributes<'a, 6>, Errno> {
        if self.changes.has(Patch::TargetNsid) {
            return nlmsg_parse(&request.payload, RTGENMSG, &LATER_POLICY);
        }
        let [none, nsid, pid, fd] = nlmsg_parse(&request.payload, RTGENMSG, &RTNL_NET_POLICY)?;
        Ok([none, nsid, pid, fd, None, None])
    }

    /// `rtnl_get_net_ns_capable()` of later kernels: the namespace that `net` calls `id`, for who may administer it.
    pub(super) async fn target_of(&self, net: NetPtr, id: i32) -> Result<NetPtr, Errno> {
        let target = self.get_net_ns_by_id(net, id).await.ok_or(EINVAL)?;
        if !self.ns_capable(target.user_ns().read(&self.k).await).await {
            self.put_net(target).await;
            return Err(EACCES);
        }
        Ok(target)
    }

    /// Whose ids a dump tells, with a reference to it, if not those of the socket's own namespace.
    pub(super) async fn dump_target(&self, request: &Request) -> Result<Option<NetPtr>, Errno> {
        if !self.changes.has(Patch::TargetNsid) || !request.strict {
            return Ok(None);
        }
        let tb = self.attributes_of(request)?;
        if let Some(nla) = (1..6).find(|nla| *nla != NETNSA_TARGET_NSID && tb[usize::from(*nla)].is_some()) {
            self.set_ext_ack("Unsupported attribute in dump request", request.offset(nla));
            return Err(EINVAL);
        }
        let Some(id) = tb[usize::from(NETNSA_TARGET_NSID)] else { return Ok(None) };
        let target = self.target_of(request.net, get_s32(id)).await;
        if target.is_err() {
            self.set_ext_ack("Invalid target network namespace id", request.offset(NETNSA_TARGET_NSID));
        }
        target.map(Some)
    }
}

impl Request {
    /// Where an attribute begins, from the netlink header on.
    pub(super) fn offset(&self, nla: u16) -> Option<u32> {
        attribute_offset(&self.payload, RTGENMSG, nla)
    }
    pub(super) fn asks_for_target(&self) -> bool {
        self.offset(NETNSA_TARGET_NSID).is_some()
    }
}
