// SPDX-License-Identifier: GPL-2.0-only
//! Ids of peers; lines 157 to 273.

use kernel::{Errno, Gfp, Pointer, function};

use crate::{Mutation, NetNs, Patch, Revert, net::NetPtr};

/// No id is assigned. include/uapi/linux/net_namespace.h
pub const NETNSA_NSID_NOT_ASSIGNED: i32 = -1;

/// What stands for the id 0 in a walk that 0 would not end.
///
/// C: NET_ID_ZERO, net/core/net_namespace.c:175
const NET_ID_ZERO: i32 = -1;

/// `RTM_NEWNSID`. include/uapi/linux/rtnetlink.h
pub const RTM_NEWNSID: u16 = 88;
/// `RTM_DELNSID`
pub const RTM_DELNSID: u16 = 89;
/// `RTM_GETNSID`
pub const RTM_GETNSID: u16 = 90;

impl NetNs {
    /// Assigns `peer` an id in `net`: `reqid`, or the lowest that is free if it is negative. Under `nsid_lock`.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if the id is taken.
    ///
    /// C: alloc_netid, net/core/net_namespace.c:158
    pub(crate) async fn alloc_netid(&self, net: NetPtr, peer: NetPtr, reqid: i32) -> Result<i32, Errno> {
        let k = &self.k;
        let _f = k.enter(function!("alloc_netid"), net.addr().to_value());
        let (mut min, mut max) = (0, 0);
        if reqid >= 0 {
            min = reqid;
            max = reqid.wrapping_add(1);
        }
        let id = net.netns_ids().alloc(k, peer.addr(), min, max).await;
        self.publish_ids(net).await;
        id
    }

    /// Whether an entry of an id table is `peer`: its id if so, but not 0, which would not end the walk.
    ///
    /// C: net_eq_idr, net/core/net_namespace.c:176
    pub(super) fn net_eq_idr(&self, id: i32, net: NetPtr, peer: NetPtr) -> i32 {
        let _f = self.k.enter(function!("net_eq_idr"), net.addr().to_value());
        match self.net_eq(net, peer) {
            true if id == 0 => NET_ID_ZERO,
            true => id,
            false => 0,
        }
    }

    /// `idr_for_each(&net->netns_ids, net_eq_idr, peer)`
    async fn find_peer(&self, net: NetPtr, peer: NetPtr) -> i32 {
        let mut from = 0;
        while let Some((id, entry)) = net.netns_ids().next(&self.k, from).await {
            let ret = self.net_eq_idr(id, NetPtr::at(entry), peer);
            if ret != 0 {
                return ret;
            }
            let Some(next) = id.checked_add(1) else { break };
            from = next;
        }
        0
    }

    /// The id of `peer` in `net`; if there is none and `alloc` is set, a new one. Says in `alloc` whether it is new,
    /// and whoever called announces it. Under `nsid_lock`.
    ///
    /// C: __peernet2id_alloc, net/core/net_namespace.c:187
    pub(crate) async fn __peernet2id_alloc(&self, net: NetPtr, peer: NetPtr, alloc: &mut bool) -> i32 {
        let _f = self.k.enter(function!("__peernet2id_alloc"), net.addr().to_value());
        let id = self.find_peer(net, peer).await;
        let alloc_it = std::mem::replace(alloc, false);
        if id == NET_ID_ZERO {
            return 0;
        }
        if id > 0 {
            return id;
        }
        if alloc_it {
            let id = self.alloc_netid(net, peer, -1).await;
            *alloc = true;
            return id.unwrap_or(NETNSA_NSID_NOT_ASSIGNED);
        }
        NETNSA_NSID_NOT_ASSIGNED
    }

    /// Under `nsid_lock`.
    ///
    /// C: __peernet2id, net/core/net_namespace.c:210
    pub(crate) async fn __peernet2id(&self, net: NetPtr, peer: NetPtr) -> i32 {
        let _f = self.k.enter(function!("__peernet2id"), net.addr().to_value());
        let mut no = false;
        self.__peernet2id_alloc(net, peer, &mut no).await
    }

    /// The id of `peer` in `net`, a new one if it has none and both live. Any context; but v4.11 announces a new id
    /// with GFP_KERNEL, which sleeps, whatever `gfp` says.
    ///
    /// C: peernet2id_alloc, net/core/net_namespace.c:221
    ///
    /// Deviation: has `gfp`, for [`Patch::NotifyidGfp`].
    pub async fn peernet2id_alloc(&self, net: NetPtr, peer: NetPtr, gfp: Gfp) -> i32 {
        let k = &self.k;
        let _f = k.enter(function!("peernet2id_alloc"), net.addr().to_value());
        if !self.changes.has(Revert::CheckDeadNetns) && net.count().read(k).await == 0 {
            return NETNSA_NSID_NOT_ASSIGNED;
        }
        let gfp = if self.changes.has(Patch::NotifyidGfp) { gfp } else { Gfp::Kernel };
        let early = self.changes.has(Mutation::CountBeforeNsidLock);
        let count = if early { peer.count().read(k).await } else { 0 };
        net.nsid_lock().lock_bh(k).await;
        let mut alloc = match () {
            () if self.changes.has(Mutation::NoPeerCount) => true,
            () if early => count != 0,
            () => peer.count().read(k).await != 0,
        };
        let id = self.__peernet2id_alloc(net, peer, &mut alloc).await;
        let is_new = alloc && id >= 0;
        let under_lock = self.changes.has(Revert::NotifyOutsideLock);
        if is_new && under_lock {
            self.rtnl_net_notifyid(net, RTM_NEWNSID, id, None, gfp).await;
        }
        net.nsid_lock().unlock_bh(k).await;
        if is_new && !under_lock {
            self.rtnl_net_notifyid(net, RTM_NEWNSID, id, None, gfp).await;
        }
        id
    }

    /// The id of `peer` in `net`, or -1. Process or softirq context.
    ///
    /// C: peernet2id, net/core/net_namespace.c:238
    pub async fn peernet2id(&self, net: NetPtr, peer: NetPtr) -> i32 {
        let k = &self.k;
        let _f = k.enter(function!("peernet2id"), net.addr().to_value());
        if self.changes.has(Revert::NsidLockBh) {
            net.nsid_lock().lock(k).await;
            let id = self.__peernet2id(net, peer).await;
            net.nsid_lock().unlock(k).await;
            return id;
        }
        if self.changes.has(Patch::RcuNsidLookups) {
            return self.peernet2id_rcu(net, peer).await;
        }
        net.nsid_lock().lock_bh(k).await;
        let id = self.__peernet2id(net, peer).await;
        net.nsid_lock().unlock_bh(k).await;
        id
    }

    /// Whether `peer` has an id in `net`. Process or softirq context.
    ///
    /// C: peernet_has_id, net/core/net_namespace.c:252
    pub async fn peernet_has_id(&self, net: NetPtr, peer: NetPtr) -> bool {
        let _f = self.k.enter(function!("peernet_has_id"), net.addr().to_value());
        self.peernet2id(net, peer).await >= 0
    }

    /// The namespace that `net` calls `id`, with a reference to it. Process or softirq context.
    ///
    /// C: get_net_ns_by_id, net/core/net_namespace.c:257
    pub async fn get_net_ns_by_id(&self, net: NetPtr, id: i32) -> Option<NetPtr> {
        let k = &self.k;
        let _f = k.enter(function!("get_net_ns_by_id"), net.addr().to_value());
        if id < 0 {
            return None;
        }
        k.rcu_read_lock().await;
        net.nsid_lock().lock_bh(k).await;
        let mut peer = net.netns_ids().find(k, id).await.map(NetPtr::at);
        if let Some(found) = peer {
            if self.changes.has(Patch::GetLiveNetById) {
                peer = self.maybe_get_net(found).await;
            } else {
                // Even if the count has reached zero: CVE-2017-15129.
                self.get_net(found).await;
            }
        }
        net.nsid_lock().unlock_bh(k).await;
        k.rcu_read_unlock();
        peer
    }
}
