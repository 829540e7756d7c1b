// SPDX-License-Identifier: GPL-2.0-only
//! Netlink: nsid requests, dumps and notifications; lines 567 to 757.

use kernel::{EEXIST, EINVAL, EMSGSIZE, ENOMEM, Errno, Gfp, Pointer, function, tracepoint};

use super::nsid::RTM_NEWNSID;
use crate::{
    NetNs,
    net::NetPtr,
    netlink::SkbPtr,
    nlmsg::{
        Attributes, Header, NLM_F_MULTI, NLMSG_HDRLEN, NlaType, align, get_s32, nla_total_size, nlmsg_parse,
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
const RTGENMSG: usize = 1;

/// C: rtnl_net_policy, net/core/net_namespace.c:567
const RTNL_NET_POLICY: [NlaType; 4] = [NlaType::Unspec, NlaType::S32, NlaType::U32, NlaType::U32];

/// A request: what the handlers use of `skb` and `nlh`.
#[derive(Clone, Debug)]
pub struct Request {
    /// `sock_net(skb->sk)`
    pub net: NetPtr,
    /// `NETLINK_CB(skb).portid`
    pub portid: u32,
    /// `nlh->nlmsg_seq`
    pub seq: u32,
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
    skb: SkbPtr,
    cb: &'a NetlinkCallback,
    idx: i64,
    s_idx: i64,
}

impl NetNs {
    /// The namespace that a request names, with a reference to it: by process, else by file.
    async fn peer_of(&self, tb: &Attributes<'_, 4>) -> Result<NetPtr, Errno> {
        if let Some(pid) = tb[usize::from(NETNSA_PID)] {
            self.get_net_ns_by_pid(get_s32(pid)).await
        } else if let Some(fd) = tb[usize::from(NETNSA_FD)] {
            self.get_net_ns_by_fd(get_s32(fd)).await
        } else {
            Err(EINVAL)
        }
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
        let tb = nlmsg_parse(&request.payload, RTGENMSG, &RTNL_NET_POLICY)?;
        let Some(nsid) = tb[usize::from(NETNSA_NSID)] else { return Err(EINVAL) };
        let nsid = get_s32(nsid);
        let peer = self.peer_of(&tb).await?;

        net.nsid_lock().lock_bh(k).await;
        let err = if self.__peernet2id(net, peer).await >= 0 {
            net.nsid_lock().unlock_bh(k).await;
            Err(EEXIST)
        } else {
            let err = self.alloc_netid(net, peer, nsid).await;
            net.nsid_lock().unlock_bh(k).await;
            match err {
                Ok(id) => {
                    self.rtnl_net_notifyid(net, RTM_NEWNSID, id).await;
                    Ok(())
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
        align(RTGENMSG) + nla_total_size(4)
    }

    /// Puts one nsid message into a buffer.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` without room: only in dumps, as others have exactly the room they need.
    ///
    /// C: rtnl_net_fill, net/core/net_namespace.c:623
    async fn rtnl_net_fill(&self, skb: SkbPtr, header: Header, nsid: i32) -> Result<(), Errno> {
        let _f = self.k.enter(function!("rtnl_net_fill"), skb.addr().to_value());
        self.with_skb(skb, |buffer| {
            // The family behind the header is AF_UNSPEC: 0.
            let start = buffer.put_header(header, RTGENMSG).ok_or(EMSGSIZE)?;
            if buffer.put_s32(NETNSA_NSID, nsid).is_err() {
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
        let tb = nlmsg_parse(&request.payload, RTGENMSG, &RTNL_NET_POLICY)?;
        let peer = self.peer_of(&tb).await?;
        let err = self.answer_getid(request, peer).await;
        self.put_net(peer).await;
        err
    }

    async fn answer_getid(&self, request: &Request, peer: NetPtr) -> Result<(), Errno> {
        let net = request.net;
        let room = nlmsg_total_size(self.rtnl_net_get_size());
        let Some(msg) = self.alloc_skb(room, Gfp::Kernel).await else { return Err(ENOMEM) };
        let id = self.peernet2id(net, peer).await;
        let header = Header { r#type: RTM_NEWNSID, flags: 0, seq: request.seq, portid: request.portid };
        if let Err(err) = self.rtnl_net_fill(msg, header, id).await {
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
    async fn rtnl_net_dumpid_one(&self, id: i32, net_cb: &mut RtnlNetDumpCb<'_>) -> Result<(), Errno> {
        let _f = self.k.enter(function!("rtnl_net_dumpid_one"), net_cb.net.addr().to_value());
        if net_cb.idx >= net_cb.s_idx {
            let Request { portid, seq, .. } = net_cb.cb.request;
            let header = Header { r#type: RTM_NEWNSID, flags: NLM_F_MULTI, seq, portid };
            self.rtnl_net_fill(net_cb.skb, header, id).await?;
        }
        net_cb.idx += 1;
        Ok(())
    }

    /// `RTM_GETNSID` with `NLM_F_DUMP`: one page of ids. The bytes put; 0 ends the dump. Under `rtnl_mutex`.
    ///
    /// C: rtnl_net_dumpid, net/core/net_namespace.c:718
    pub(crate) async fn rtnl_net_dumpid(&self, skb: SkbPtr, cb: &mut NetlinkCallback) -> usize {
        let k = &self.k;
        let net = cb.request.net;
        let _f = k.enter(function!("rtnl_net_dumpid"), net.addr().to_value());
        let mut net_cb = RtnlNetDumpCb { net, skb, cb, idx: 0, s_idx: cb.s_idx };
        net.nsid_lock().lock_bh(k).await;
        let mut from = 0;
        while let Some((id, _)) = net.netns_ids().next(k, from).await {
            if self.rtnl_net_dumpid_one(id, &mut net_cb).await.is_err() {
                break;
            }
            let Some(next) = id.checked_add(1) else { break };
            from = next;
        }
        net.nsid_lock().unlock_bh(k).await;
        cb.s_idx = net_cb.idx;
        self.with_skb(skb, |buffer| buffer.data.len()).await
    }

    /// Tells the listeners of a namespace that an id came or went. Process context; sleeps.
    ///
    /// C: rtnl_net_notifyid, net/core/net_namespace.c:737
    pub(crate) async fn rtnl_net_notifyid(&self, net: NetPtr, cmd: u16, id: i32) {
        let _f = self.k.enter(function!("rtnl_net_notifyid"), net.addr().to_value());
        let room = nlmsg_total_size(self.rtnl_net_get_size());
        let err = match self.alloc_skb(room, Gfp::Kernel).await {
            None => ENOMEM,
            Some(msg) => {
                let header = Header { r#type: cmd, flags: 0, seq: 0, portid: 0 };
                match self.rtnl_net_fill(msg, header, id).await {
                    Ok(()) => return self.netlink_broadcast(msg, net).await,
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
