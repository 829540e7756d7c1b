// SPDX-License-Identifier: GPL-2.0-only
//! Netlink: nsid requests, dumps and notifications; lines 567 to 757.

use kernel::{EEXIST, EINVAL, EMSGSIZE, ENOENT, ENOMEM, ENOSPC, Errno, Gfp, Pointer, function, tracepoint};

use super::{
    later::{NETNSA_CURRENT_NSID, NETNSA_TARGET_NSID},
    nsid::RTM_NEWNSID,
};
use crate::{
    NetNs, Patch,
    net::NetPtr,
    netlink::SkbPtr,
    nlmsg::{
        Attributes, Header, NLM_F_ECHO, NLM_F_MULTI, NLMSG_HDRLEN, NlaType, align, get_s32, nla_total_size,
        nlmsg_total_size,
    },
};

tracepoint! {
    /// `rtnl_register()`: a message type, and whether it can be dumped.
    pub RTNL_REGISTER, "rtnl_register", ["type", "dump"]
}

/// `NETNSA_NSID`. include/uapi/linux/net_namespace.h
pub const NETNSA_NSID: u16 = 1;
/// `NETNSA_PID`
pub const NETNSA_PID: u16 = 2;
/// `NETNSA_FD`
pub const NETNSA_FD: u16 = 3;

/// `sizeof(struct rtgenmsg)`
pub(super) const RTGENMSG: usize = 1;

/// C: rtnl_net_policy, net/core/net_namespace.c:567
pub(super) const RTNL_NET_POLICY: [NlaType; 4] = [NlaType::Unspec, NlaType::S32, NlaType::U32, NlaType::U32];

/// A request: what the handlers use of `skb` and `nlh`.
#[derive(Clone, Debug)]
pub struct Request {
    /// `sock_net(skb->sk)`
    pub net: NetPtr,
    /// `NETLINK_CB(skb).portid`
    pub portid: u32,
    /// `nlh->nlmsg_seq`
    pub seq: u32,
    /// `nlh->nlmsg_flags`
    pub flags: u16,
    /// Whether the socket asks for strict checks. Only later kernels make them.
    pub strict: bool,
    /// Everything after the netlink header.
    pub payload: Vec<u8>,
}

/// `struct netlink_callback`: a dump that goes on.
#[derive(Clone, Debug)]
pub struct NetlinkCallback {
    /// The request that began it.
    pub request: Request,
    /// `args[0]`: how many ids were dumped.
    pub s_idx: i64,
}

/// C: rtnl_net_dump_cb, net/core/net_namespace.c:691
#[derive(Debug)]
struct RtnlNetDumpCb<'a> {
    net: NetPtr,
    /// Whose ids are told as well, where `net` is not the socket's own: [`Patch::TargetNsid`].
    ref_net: Option<NetPtr>,
    skb: SkbPtr,
    cb: &'a NetlinkCallback,
    idx: i64,
    s_idx: i64,
}

impl NetNs {
    /// The namespace that a request names, with a reference to it: by process, else by file; with
    /// [`Patch::GetByNsid`], a question may name it by id.
    async fn peer_of(
        &self,
        request: &Request,
        tb: &Attributes<'_, 6>,
        is_get: bool,
    ) -> Result<NetPtr, Errno> {
        let nsid = tb[usize::from(NETNSA_NSID)].filter(|_| is_get && self.changes.has(Patch::GetByNsid));
        let (peer, nla) = if let Some(pid) = tb[usize::from(NETNSA_PID)] {
            (self.get_net_ns_by_pid(get_s32(pid)).await, NETNSA_PID)
        } else if let Some(fd) = tb[usize::from(NETNSA_FD)] {
            (self.get_net_ns_by_fd(get_s32(fd)).await, NETNSA_FD)
        } else if let Some(nsid) = nsid {
            (self.get_net_ns_by_id(request.net, get_s32(nsid)).await.ok_or(ENOENT), NETNSA_NSID)
        } else {
            self.set_ext_ack("Peer netns reference is missing", None);
            return Err(EINVAL);
        };
        if peer.is_err() {
            self.set_ext_ack("Peer netns reference is invalid", request.offset(nla));
        }
        peer
    }

    /// `RTM_NEWNSID`: assigns an id to a namespace. Under `rtnl_mutex`; the caller has checked CAP_NET_ADMIN.
    ///
    /// # Errors
    ///
    /// Those of the request's bytes, `EINVAL` without id or namespace, those of the lookups, `EEXIST` if the
    /// namespace has an id, `ENOSPC` if the id is taken.
    ///
    /// C: rtnl_net_newid, net/core/net_namespace.c:574
    pub(crate) async fn rtnl_net_newid(&self, request: &Request) -> Result<(), Errno> {
        let k = &self.k;
        let net = request.net;
        let _f = k.enter(function!("rtnl_net_newid"), net.addr().to_value());
        let tb = self.attributes_of(request)?;
        let Some(nsid) = tb[usize::from(NETNSA_NSID)] else {
            self.set_ext_ack("nsid is missing", None);
            return Err(EINVAL);
        };
        let nsid = get_s32(nsid);
        let peer = self.peer_of(request, &tb, false).await?;

        net.nsid_lock().lock_bh(k).await;
        let err = if self.__peernet2id(net, peer).await >= 0 {
            net.nsid_lock().unlock_bh(k).await;
            let nla = request.offset(NETNSA_PID).or_else(|| request.offset(NETNSA_FD));
            self.set_ext_ack("Peer netns already has a nsid assigned", nla);
            Err(EEXIST)
        } else {
            let err = self.alloc_netid(net, peer, nsid).await;
            net.nsid_lock().unlock_bh(k).await;
            match err {
                Ok(id) => {
                    self.rtnl_net_notifyid(net, RTM_NEWNSID, id, Some(request), Gfp::Kernel).await;
                    Ok(())
                }
                Err(ENOSPC) if nsid >= 0 && self.changes.has(Patch::NsidExtack) => {
                    self.set_ext_ack("The specified nsid is already used", request.offset(NETNSA_NSID));
                    Err(EEXIST)
                }
                Err(err) => Err(err),
            }
        };
        self.put_net(peer).await;
        err
    }

    /// The payload of an nsid message.
    ///
    /// C: rtnl_net_get_size, net/core/net_namespace.c:616
    fn rtnl_net_get_size(&self) -> usize {
        let _f = self.k.enter(function!("rtnl_net_get_size"), 0);
        let ids = if self.changes.has(Patch::TargetNsid) { 2 } else { 1 };
        align(RTGENMSG) + ids * nla_total_size(4)
    }

    /// Puts one nsid message into a buffer.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` without room: only in dumps, as others have exactly the room they need.
    ///
    /// C: rtnl_net_fill, net/core/net_namespace.c:623
    ///
    /// Deviation: `ref_nsid` is the id that later kernels put behind the first: [`Patch::TargetNsid`].
    async fn rtnl_net_fill(
        &self,
        skb: SkbPtr,
        header: Header,
        nsid: i32,
        ref_nsid: Option<i32>,
    ) -> Result<(), Errno> {
        let _f = self.k.enter(function!("rtnl_net_fill"), skb.addr().to_value());
        self.with_skb(skb, |buffer| {
            // The family behind the header is AF_UNSPEC: 0.
            let start = buffer.put_header(header, RTGENMSG).ok_or(EMSGSIZE)?;
            let current = |buffer: &mut crate::Buffer| match ref_nsid {
                Some(id) => buffer.put_s32(NETNSA_CURRENT_NSID, id),
                None => Ok(()),
            };
            if buffer.put_s32(NETNSA_NSID, nsid).and_then(|()| current(buffer)).is_err() {
                buffer.cancel(start);
                return Err(EMSGSIZE);
            }
            buffer.end(start);
            Ok(())
        })
        .await
    }

    /// `RTM_GETNSID`: answers with the id of a namespace, or -1. Under `rtnl_mutex`.
    ///
    /// # Errors
    ///
    /// As [`NetNs::rtnl_net_newid`], `ENOMEM`, and those of sending the answer.
    ///
    /// C: rtnl_net_getid, net/core/net_namespace.c:647
    pub(crate) async fn rtnl_net_getid(&self, request: &Request) -> Result<(), Errno> {
        let net = request.net;
        let _f = self.k.enter(function!("rtnl_net_getid"), net.addr().to_value());
        let tb = self.attributes_of(request)?;
        let peer = self.peer_of(request, &tb, true).await?;
        let err = match tb[usize::from(NETNSA_TARGET_NSID)] {
            None => self.answer_getid(request, net, peer).await,
            Some(id) => match self.target_of(net, get_s32(id)).await {
                Ok(target) => {
                    let err = self.answer_getid(request, target, peer).await;
                    self.put_net(target).await;
                    err
                }
                Err(err) => {
                    self.set_ext_ack("Target netns reference is invalid", request.offset(NETNSA_TARGET_NSID));
                    Err(err)
                }
            },
        };
        self.put_net(peer).await;
        err
    }

    /// The id of `peer` in `target`, and if that is not the socket's own namespace, its id there, too.
    async fn answer_getid(&self, request: &Request, target: NetPtr, peer: NetPtr) -> Result<(), Errno> {
        let net = request.net;
        let room = nlmsg_total_size(self.rtnl_net_get_size());
        let Some(msg) = self.alloc_skb(room, Gfp::Kernel).await else { return Err(ENOMEM) };
        let id = self.peernet2id(target, peer).await;
        let ref_nsid = if request.asks_for_target() && self.changes.has(Patch::TargetNsid) {
            Some(self.peernet2id(net, peer).await)
        } else {
            None
        };
        let header = Header { r#type: RTM_NEWNSID, flags: 0, seq: request.seq, portid: request.portid };
        if let Err(err) = self.rtnl_net_fill(msg, header, id, ref_nsid).await {
            self.kfree_skb(msg);
            return Err(err);
        }
        match self.netlink_unicast(msg, net).await {
            err if err < 0 => Err(Errno::from_negated(err)),
            _ => Ok(()),
        }
    }

    /// One id of a dump. An error ends the page.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` where the page is full.
    ///
    /// C: rtnl_net_dumpid_one, net/core/net_namespace.c:699
    async fn rtnl_net_dumpid_one(
        &self,
        id: i32,
        peer: NetPtr,
        net_cb: &mut RtnlNetDumpCb<'_>,
    ) -> Result<(), Errno> {
        let _f = self.k.enter(function!("rtnl_net_dumpid_one"), net_cb.net.addr().to_value());
        if net_cb.idx >= net_cb.s_idx {
            let Request { portid, seq, .. } = net_cb.cb.request;
            let header = Header { r#type: RTM_NEWNSID, flags: NLM_F_MULTI, seq, portid };
            let ref_nsid = match net_cb.ref_net {
                // Its lock nests in that of the target: only dumps take two, and they hold `rtnl_mutex`.
                Some(ref_net) if ref_net != net_cb.net => Some(self.peernet2id(ref_net, peer).await),
                Some(_) => Some(id),
                None => None,
            };
            self.rtnl_net_fill(net_cb.skb, header, id, ref_nsid).await?;
        }
        net_cb.idx += 1;
        Ok(())
    }

    /// `RTM_GETNSID` with `NLM_F_DUMP`: one page of ids. The bytes put; 0 or an error ends the dump. Under
    /// `rtnl_mutex`.
    ///
    /// C: rtnl_net_dumpid, net/core/net_namespace.c:718
    pub(crate) async fn rtnl_net_dumpid(&self, skb: SkbPtr, cb: &mut NetlinkCallback) -> i32 {
        let k = &self.k;
        let _f = k.enter(function!("rtnl_net_dumpid"), cb.request.net.addr().to_value());
        let target = match self.dump_target(&cb.request).await {
            Ok(target) => target,
            Err(err) => return err.negated(),
        };
        let net = target.unwrap_or(cb.request.net);
        let ref_net = target.map(|_| cb.request.net);
        let mut net_cb = RtnlNetDumpCb { net, ref_net, skb, cb, idx: 0, s_idx: cb.s_idx };
        self.ids_lock(net).await;
        let by_id = self.changes.has(Patch::DumpidResumesById);
        let first = if by_id { std::mem::take(&mut net_cb.s_idx) } else { 0 };
        let mut from = i32::try_from(first).unwrap_or(i32::MAX);
        let mut is_full = false;
        while let Some((id, peer)) = self.next_id(net, from).await {
            is_full = self.rtnl_net_dumpid_one(id, peer, &mut net_cb).await.is_err();
            if is_full {
                break;
            }
            let Some(next) = id.checked_add(1) else { break };
            from = next;
        }
        self.ids_unlock(net).await;
        cb.s_idx = if by_id { i64::from(from) } else { net_cb.idx };
        if let Some(target) = target {
            self.put_net(target).await;
        }
        let is_last = !is_full || !self.changes.has(Patch::DumpidReturnsLength);
        if self.changes.has(Patch::DumpidReturnsZero) && is_last {
            return 0;
        }
        let len = self.with_skb(skb, |buffer| buffer.data.len()).await;
        i32::try_from(len).unwrap_or(i32::MAX)
    }

    /// Tells the listeners of a namespace that an id came or went. Process context; sleeps.
    ///
    /// C: rtnl_net_notifyid, net/core/net_namespace.c:737
    ///
    /// Deviation: `cause` is the request that later kernels name in the message: [`Patch::EchoNewnsid`].
    pub(crate) async fn rtnl_net_notifyid(
        &self,
        net: NetPtr,
        cmd: u16,
        id: i32,
        cause: Option<&Request>,
        gfp: Gfp,
    ) {
        let _f = self.k.enter(function!("rtnl_net_notifyid"), net.addr().to_value());
        self.id_is_told(net, cmd, id);
        let room = nlmsg_total_size(self.rtnl_net_get_size());
        let err = match self.alloc_skb(room, gfp).await {
            None => ENOMEM,
            Some(msg) => {
                let cause = cause.filter(|_| self.changes.has(Patch::EchoNewnsid));
                let (seq, portid) = cause.map_or((0, 0), |request| (request.seq, request.portid));
                let header = Header { r#type: cmd, flags: 0, seq, portid };
                match self.rtnl_net_fill(msg, header, id, None).await {
                    Ok(()) => {
                        let report = cause.is_some_and(|request| request.flags & NLM_F_ECHO != 0);
                        return self.nlmsg_notify(msg, net, portid, report).await;
                    }
                    Err(err) => {
                        self.kfree_skb(msg);
                        err
                    }
                }
            }
        };
        self.netlink_set_err(net, err);
    }

    /// The ids of the messages of a page: for those who judge.
    pub fn ids_of_page(page: &[u8]) -> Vec<i32> {
        page.chunks(NLMSG_HDRLEN + 12).filter_map(|message| message.get(24..28).map(get_s32)).collect()
    }
}
