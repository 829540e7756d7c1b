// SPDX-License-Identifier: GPL-2.0-only
//! `rtnl_mutex`, and the way of a request to its handler; net/core/rtnetlink.c
//!
//! `netdev_run_todo()`, which `rtnl_unlock()` runs, has nothing to do: there are no devices.

use kernel::{EOPNOTSUPP, EPERM, Errno, Pointer, function};

use crate::{
    NetNs,
    net_namespace::{NETNSA_FD, NETNSA_NSID, NETNSA_PID, NetlinkCallback, RTM_GETNSID, RTM_NEWNSID, Request},
};

/// One page of a dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The messages.
    pub data: Vec<u8>,
    /// What the handler returned: 0 ends the dump.
    pub len: usize,
}

/// `RTM_BASE`
const RTM_BASE: u16 = 16;
/// `RTM_MAX`
const RTM_MAX: u16 = 95;
/// `NLM_F_DUMP`
const NLM_F_DUMP: u16 = 0x300;

impl NetNs {
    /// `rtnetlink_rcv_msg()`: a message of a socket, to its handler. Under `rtnl_mutex`.
    ///
    /// # Errors
    ///
    /// `EOPNOTSUPP` for types without a handler, `EPERM` for all but questions of those without CAP_NET_ADMIN over
    /// the owner of their namespace, and what the handler says; `EINTR` where no ack is due.
    pub(crate) async fn rtnetlink_rcv_msg(
        &self,
        socket: i64,
        r#type: u16,
        request: Request,
    ) -> Result<(), Errno> {
        /// `RTM_GET...`: the third of the four kinds.
        const GET: u16 = 2;
        let _f = self.k.enter(function!("rtnetlink_rcv_msg"), request.net.addr().to_value());
        if r#type > RTM_MAX {
            return Err(EOPNOTSUPP);
        }
        if request.payload.is_empty() {
            return Ok(()); // without a family
        }
        let kind = r#type.wrapping_sub(RTM_BASE) & 3;
        // netlink_net_capable(): whoever opened the socket is who sends here.
        if kind != GET && !self.ns_capable(request.net.user_ns().read(&self.k).await).await {
            return Err(EPERM);
        }
        match r#type {
            RTM_GETNSID if request.flags & NLM_F_DUMP != 0 => self.netlink_dump_start(socket, request).await,
            RTM_GETNSID => self.rtnl_net_getid(&request).await,
            RTM_NEWNSID => self.rtnl_net_newid(&request).await,
            _ => Err(EOPNOTSUPP),
        }
    }

    /// `rtnl_lock()`
    pub async fn rtnl_lock(&self) {
        let _f = self.k.enter(function!("rtnl_lock"), 0);
        self.s.rtnl_mutex().lock(&self.k).await;
    }
    /// `rtnl_unlock()`
    pub async fn rtnl_unlock(&self) {
        let _f = self.k.enter(function!("rtnl_unlock"), 0);
        self.s.rtnl_mutex().unlock(&self.k).await;
    }

    /// `synchronize_net()`: an expedited grace period while somebody, whoever it is, has rtnl_mutex. net/core/dev.c;
    /// process context, sleeps.
    pub async fn synchronize_net(&self) {
        let _f = self.k.enter(function!("synchronize_net"), 0);
        if self.s.rtnl_mutex().is_locked(&self.k).await {
            self.k.synchronize_rcu_expedited().await;
        } else {
            self.k.synchronize_rcu().await;
        }
    }

    /// sendmsg(2) of an `RTM_NEWNSID` request, by someone with CAP_NET_ADMIN. Process context.
    ///
    /// # Errors
    ///
    /// What the handler says.
    pub async fn newnsid(&self, request: &Request) -> Result<(), Errno> {
        let _f = self.k.enter(function!("rtnetlink_rcv"), request.net.addr().to_value());
        self.rtnl_lock().await;
        let err = self.rtnl_net_newid(request).await;
        self.rtnl_unlock().await;
        err
    }
    /// sendmsg(2) of an `RTM_GETNSID` request. Process context.
    ///
    /// # Errors
    ///
    /// What the handler says.
    pub async fn getnsid(&self, request: &Request) -> Result<(), Errno> {
        let _f = self.k.enter(function!("rtnetlink_rcv"), request.net.addr().to_value());
        self.rtnl_lock().await;
        let err = self.rtnl_net_getid(request).await;
        self.rtnl_unlock().await;
        err
    }
    /// recvmsg(2) on a dump of ids, with room for `room` bytes: the next page. Process context.
    pub async fn dump_nsids(&self, cb: &mut NetlinkCallback, room: usize) -> Page {
        let k = &self.k;
        let _f = k.enter(function!("netlink_dump"), cb.request.net.addr().to_value());
        self.rtnl_lock().await;
        // The page's own allocation cannot be made to fail.
        let Some(skb) = k.bus.alloc(crate::netlink::SkbPtr::layout(), 8).map(crate::netlink::SkbPtr::at)
        else {
            self.k.out_of_memory().await;
            return Page { data: Vec::new(), len: 0 };
        };
        self.give_room(skb, room);
        let len = usize::try_from(self.rtnl_net_dumpid(skb, cb).await).unwrap_or(0);
        let data = self.with_skb(skb, |buffer| std::mem::take(&mut buffer.data)).await;
        self.kfree_skb(skb);
        self.rtnl_unlock().await;
        Page { data, len }
    }
}

impl Request {
    /// A request with these attributes, in order.
    pub fn with_attributes(net: crate::net::NetPtr, attributes: &[(u16, u32)]) -> Self {
        let mut payload = vec![0; 4]; // struct rtgenmsg: AF_UNSPEC
        for (r#type, value) in attributes {
            payload.extend(8_u16.to_le_bytes());
            payload.extend(r#type.to_le_bytes());
            payload.extend(value.to_le_bytes());
        }
        Request { net, portid: 100, seq: 1, flags: 0, strict: false, payload }
    }
    /// A request that names a namespace by process.
    pub fn by_pid(net: crate::net::NetPtr, nsid: Option<i32>, pid: i32) -> Self {
        Self::by(net, nsid, NETNSA_PID, pid)
    }
    /// A request that names a namespace by its file.
    pub fn by_fd(net: crate::net::NetPtr, nsid: Option<i32>, fd: i32) -> Self {
        Self::by(net, nsid, NETNSA_FD, fd)
    }
    fn by(net: crate::net::NetPtr, nsid: Option<i32>, how: u16, value: i32) -> Self {
        let nsid = nsid.map(|nsid| (NETNSA_NSID, nsid.cast_unsigned()));
        let attributes: Vec<(u16, u32)> = nsid.into_iter().chain([(how, value.cast_unsigned())]).collect();
        Self::with_attributes(net, &attributes)
    }
}

/// Room of the first page of a dump: `NLMSG_GOODSIZE` on x86-64.
pub const FIRST_PAGE: usize = 3776;
