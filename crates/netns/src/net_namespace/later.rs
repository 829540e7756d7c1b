// SPDX-License-Identifier: GPL-2.0-only
//! What kernels later than v4.11 do: requests about the ids of another namespace, [`Patch::TargetNsid`], and lookups of
//! ids without a lock, [`Patch::RcuNsidLookups`]. And what one may do: [`Patch::ForgetIdsOfFailedSetup`].

use kernel::{EACCES, EINVAL, Errno, Gfp, Idr, Pointer};

use super::{
    nsid::{NETNSA_NSID_NOT_ASSIGNED, RTM_DELNSID},
    rtnl::{RTGENMSG, RTNL_NET_POLICY, Request},
};
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
    /// Shows what was done to the ids of `net` to those who look without a lock. Under `nsid_lock`.
    pub(super) async fn publish_ids(&self, net: NetPtr) {
        if self.changes.has(Patch::RcuNsidLookups) {
            net.netns_ids().publish(&self.k, net.netns_ids_root()).await;
        }
    }
    /// Begins to look at the ids of `net`: takes `nsid_lock`, or is an RCU reader.
    pub(super) async fn ids_lock(&self, net: NetPtr) {
        match self.changes.has(Patch::RcuNsidLookups) {
            true => self.k.rcu_read_lock().await,
            false => net.nsid_lock().lock_bh(&self.k).await,
        }
    }
    pub(super) async fn ids_unlock(&self, net: NetPtr) {
        match self.changes.has(Patch::RcuNsidLookups) {
            true => self.k.rcu_read_unlock(),
            false => net.nsid_lock().unlock_bh(&self.k).await,
        }
    }
    /// With [`Patch::ForgetIdsOfFailedSetup`]: nobody has an id for `net` any more, and it has none for others. Process
    /// context; takes `rtnl_mutex`.
    pub(super) async fn forget_ids_of(&self, net: NetPtr) {
        let k = &self.k;
        self.rtnl_lock().await;
        let mut pos = self.for_each_net(None).await;
        while let Some(peer) = pos {
            peer.nsid_lock().lock_bh(k).await;
            let id = self.__peernet2id(peer, net).await;
            if id >= 0 {
                peer.netns_ids().remove(k, id).await;
                self.publish_ids(peer).await;
            }
            peer.nsid_lock().unlock_bh(k).await;
            if id >= 0 {
                self.rtnl_net_notifyid(peer, RTM_DELNSID, id, None, Gfp::Kernel).await;
            }
            pos = self.for_each_net(pos).await;
        }
        net.nsid_lock().lock_bh(k).await;
        net.netns_ids().destroy(k).await;
        self.publish_ids(net).await;
        net.nsid_lock().unlock_bh(k).await;
        self.rtnl_unlock().await;
    }
    /// `peernet2id()` with [`Patch::RcuNsidLookups`]. Any context.
    pub(super) async fn peernet2id_rcu(&self, net: NetPtr, peer: NetPtr) -> i32 {
        self.ids_lock(net).await;
        let mut found = NETNSA_NSID_NOT_ASSIGNED;
        let mut from = 0;
        while let Some((id, entry)) = self.next_id(net, from).await {
            if self.net_eq_idr(id, entry, peer) != 0 {
                found = id;
                break;
            }
            let Some(next) = id.checked_add(1) else { break };
            from = next;
        }
        self.ids_unlock(net).await;
        found
    }
    /// The first id of `net` that is at least `from`, and whose it is. Between the two before.
    pub(super) async fn next_id(&self, net: NetPtr, from: i32) -> Option<(i32, NetPtr)> {
        let entry = match self.changes.has(Patch::RcuNsidLookups) {
            true => Idr::next_rcu(&self.k, net.netns_ids_root(), from).await,
            false => net.netns_ids().next(&self.k, from).await,
        };
        entry.map(|(id, peer)| (id, NetPtr::at(peer)))
    }

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
