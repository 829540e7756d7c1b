// SPDX-License-Identifier: GPL-2.0-only
//! Socket buffers and netlink sockets, as far as nsid messages need them; net/netlink/af_netlink.c
//!
//! A message is delivered in the call that sends it. Sockets are not memory of the model, but a broadcast holds off
//! who closes them.

mod receive;
mod socket;
mod table;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
};

use kernel::{Addr, ENOBUFS, Errno, Gfp, Kernel, Plain, Pointer, function, object, tracepoint};

use crate::{
    NetNs, Patch,
    net::NetPtr,
    nlmsg::{Buffer, Header},
};
pub(crate) use receive::ExtAck;
pub use socket::{Datagram, Listener, SocketOptions};
use table::{NlTablePtr, WaitPtr};

tracepoint! {
    /// A message is multicast in a namespace: the number of its bytes in [`NetlinkLog`].
    pub NETLINK_BROADCAST, "netlink_broadcast", ["net", "message"]
}
tracepoint! {
    /// A socket gets the message just multicast, with the id that the sender has in its namespace.
    pub NETLINK_DELIVER, "netlink_deliver", ["socket", "nsid"]
}
tracepoint! {
    /// A message is sent to one socket.
    pub NETLINK_UNICAST, "netlink_unicast", ["net", "message"]
}
tracepoint! {
    /// An error is set on the sockets of a group.
    pub NETLINK_SET_ERR, "netlink_set_err", ["net", "error"]
}
tracepoint! {
    /// A socket gets an error.
    pub SK_ERR, "sk_err", ["socket", "error"]
}

object! {
    /// `struct sk_buff *`
    pub struct SkbPtr("struct sk_buff", "skb", "skbuff_head_cache") {
        /// Its length, for KASAN.
        len: Plain<usize>,
    }
}

/// What was sent last, as bytes: tracepoints name messages by their numbers.
#[derive(Debug, Default)]
pub struct NetlinkLog {
    messages: VecDeque<Vec<u8>>,
    /// The number of the oldest one that is kept.
    first: i64,
}

/// `RTNLGRP_NSID`
pub const RTNLGRP_NSID: u32 = 28;

/// Messages that are kept for those who watch; they look at once.
const MAX_MESSAGES: usize = 4096;

impl NetlinkLog {
    /// A message that a tracepoint named; empty if it is too old.
    pub fn message(&self, number: i64) -> &[u8] {
        let index = usize::try_from(number - self.first).ok();
        index.and_then(|index| self.messages.get(index)).map_or(&[], Vec::as_slice)
    }
    fn add(&mut self, message: &[u8]) -> i64 {
        if self.messages.len() == MAX_MESSAGES {
            self.messages.pop_front();
            self.first += 1;
        }
        self.messages.push_back(message.to_vec());
        self.first + i64::try_from(self.messages.len() - 1).unwrap_or(i64::MAX)
    }
}

/// What a kernel has of netlink.
#[derive(Debug)]
pub struct Netlink {
    table: NlTablePtr,
    /// `nl_table_wait`
    table_wait: RefCell<Vec<WaitPtr>>,
    /// Sockets, oldest first.
    pub listeners: RefCell<Vec<Listener>>,
    /// What was sent.
    pub log: RefCell<NetlinkLog>,
    /// What sending an answer returns, if it fails.
    pub unicast_error: RefCell<Option<i32>>,
    buffers: RefCell<BTreeMap<Addr, Buffer>>,
    /// Of the request that is being handled, under `rtnl_mutex`.
    ext_ack: Cell<ExtAck>,
}

impl Netlink {
    /// Without a socket. None without memory.
    pub(crate) fn new(k: &Kernel) -> Option<Self> {
        Some(Netlink {
            table: NlTablePtr::at(k.bus.alloc_static(NlTablePtr::layout(), "netlink table")?),
            table_wait: RefCell::default(),
            listeners: RefCell::default(),
            log: RefCell::default(),
            unicast_error: RefCell::default(),
            buffers: RefCell::default(),
            ext_ack: Cell::default(),
        })
    }
}

impl NetNs {
    /// `alloc_skb()` with room for `room` bytes.
    pub(crate) async fn alloc_skb(&self, room: usize, gfp: Gfp) -> Option<SkbPtr> {
        let skb = self.k.kzalloc::<SkbPtr>("skb", gfp).await?;
        self.netlink.buffers.borrow_mut().insert(skb.addr(), Buffer::with_room(room));
        Some(skb)
    }
    /// Gives a buffer of someone's own room for `room` bytes.
    pub(crate) fn give_room(&self, skb: SkbPtr, room: usize) {
        self.netlink.buffers.borrow_mut().insert(skb.addr(), Buffer::with_room(room));
    }
    /// `kfree_skb()`
    pub(crate) fn kfree_skb(&self, skb: SkbPtr) {
        self.netlink.buffers.borrow_mut().remove(&skb.addr());
        self.k.kfree(skb.addr());
    }
    /// Writes to a buffer.
    pub(crate) async fn with_skb<R>(&self, skb: SkbPtr, f: impl FnOnce(&mut Buffer) -> R) -> R {
        let mut buffer = self.netlink.buffers.borrow_mut().remove(&skb.addr()).unwrap_or_default();
        let result = f(&mut buffer);
        let len = buffer.data.len();
        self.netlink.buffers.borrow_mut().insert(skb.addr(), buffer);
        skb.len().write(&self.k, len).await;
        result
    }
    fn take_message(&self, skb: SkbPtr) -> Vec<u8> {
        let buffer = self.netlink.buffers.borrow_mut().remove(&skb.addr());
        buffer.map(|buffer| buffer.data).unwrap_or_default()
    }

    /// `nlmsg_notify()` to `RTNLGRP_NSID`. With `report`, the socket of this port gets the message in any case, and not
    /// as a member of the group. Consumes the buffer.
    pub(crate) async fn nlmsg_notify(&self, skb: SkbPtr, net: NetPtr, portid: u32, report: bool) {
        if !report {
            return self.netlink_broadcast(skb, net, 0).await;
        }
        let message = self.with_skb(skb, |buffer| buffer.data.clone()).await;
        self.netlink_broadcast(skb, net, portid).await;
        self.unicast_message(message, net); // whatever it returns
    }

    /// `netlink_broadcast()` to `RTNLGRP_NSID`: sockets of other namespaces get it only if they asked for it, know
    /// the sender, and may. Consumes the buffer.
    async fn netlink_broadcast(&self, skb: SkbPtr, net: NetPtr, exclude_portid: u32) {
        let k = &self.k;
        let _f = k.enter(function!("netlink_broadcast"), net.addr().to_value());
        let message = self.take_message(skb);
        let number = self.netlink.log.borrow_mut().add(&message);
        k.trace(&NETLINK_BROADCAST, net.addr().to_value(), number);
        // Without sockets there is no walk that others could come between.
        if self.netlink.listeners.borrow().iter().any(|socket| socket.options.subscribed) {
            self.netlink_lock_table().await;
            self.broadcast_to_all(&message, net, exclude_portid).await;
            self.netlink_unlock_table().await;
        }
        k.kfree(skb.addr());
    }

    /// `sk_for_each_bound()` with `do_one_broadcast()`, of a message from `net`.
    async fn broadcast_to_all(&self, message: &[u8], net: NetPtr, exclude_portid: u32) {
        let sockets: Vec<(i64, NetPtr, bool, bool)> = {
            let listeners = self.netlink.listeners.borrow();
            let is_member = |sk: &&Listener| {
                sk.options.subscribed && (exclude_portid == 0 || sk.options.portid != exclude_portid)
            };
            let newest_first = listeners.iter().rev().filter(is_member);
            newest_first
                .map(|sk| (sk.id, sk.net, sk.options.all_nsid, sk.options.cap_net_broadcast))
                .collect()
        };
        let (mut is_shared, mut has_skb2, mut failure) = (false, false, false);
        // NETLINK_CB(skb).nsid_is_set of the message, which clones inherit, and of what is about to be delivered.
        let (mut of_skb, mut of_skb2) = (false, false);
        let mut is_skb = false;
        for (id, sk_net, all_nsid, cap) in sockets {
            let is_local = self.net_eq(sk_net, net);
            if !is_local && (!all_nsid || !self.peernet_has_id(sk_net, net).await || !cap) {
                continue;
            }
            // One socket gets the message itself, the others clones. If a clone fails, all that follow miss it.
            if !failure && !has_skb2 {
                failure = is_shared && self.k.should_fail("skb_clone", Gfp::Atomic).await;
                is_skb = !is_shared;
                (is_shared, has_skb2, of_skb2) = (true, !failure, of_skb);
            }
            if failure {
                self.netlink_overrun(id);
                continue;
            }
            let nsid = self.peernet2id(sk_net, net).await;
            of_skb2 &= !self.changes.has(Patch::ClearNsidIsSet);
            // v4.11 tells listeners to all namespaces even that there is no id.
            of_skb2 |= nsid >= 0 || !self.changes.has(Patch::SendKnownNsid);
            of_skb = if is_skb { of_skb2 } else { of_skb };
            has_skb2 = !self.netlink_broadcast_deliver(id, nsid, of_skb2, message);
        }
    }

    /// Whether the socket has room for the message, and takes it.
    fn netlink_broadcast_deliver(&self, id: i64, nsid: i32, nsid_is_set: bool, message: &[u8]) -> bool {
        let data = message.to_vec();
        let taken = self.with_socket(id, |socket| {
            let has_room = !socket.congested && socket.received.len() < socket.options.room;
            if has_room {
                socket.received.push_back(Datagram { data, nsid, nsid_is_set, group: RTNLGRP_NSID });
            }
            has_room
        });
        match taken {
            Some(true) => self.k.trace(&NETLINK_DELIVER, id, i64::from(nsid)),
            _ => self.netlink_overrun(id),
        }
        taken == Some(true)
    }

    /// `netlink_overrun()`: a socket misses a message. It is told so once, until it has read everything.
    fn netlink_overrun(&self, id: i64) {
        let is_news = self.with_socket(id, |socket| {
            let is_news = !std::mem::replace(&mut socket.congested, true);
            if is_news {
                socket.sk_err = ENOBUFS.negated();
            }
            is_news
        });
        if is_news == Some(true) {
            self.k.trace(&SK_ERR, id, i64::from(ENOBUFS.0));
        }
    }

    /// `netlink_unicast()` to the socket that a message names as its reader: 0, or an error. Consumes the buffer. What
    /// no socket reads, somebody outside the model does.
    pub(crate) async fn netlink_unicast(&self, skb: SkbPtr, net: NetPtr) -> i32 {
        let _f = self.k.enter(function!("netlink_unicast"), net.addr().to_value());
        let message = self.take_message(skb);
        let error = self.unicast_message(message, net);
        self.k.kfree(skb.addr());
        error
    }

    fn unicast_message(&self, message: Vec<u8>, net: NetPtr) -> i32 {
        let number = self.netlink.log.borrow_mut().add(&message);
        self.k.trace(&NETLINK_UNICAST, net.addr().to_value(), number);
        if let Some(error) = *self.netlink.unicast_error.borrow() {
            return error;
        }
        let portid = Header::parse(&message).map_or(0, |header| header.portid);
        let mut listeners = self.netlink.listeners.borrow_mut();
        let is_reader =
            |socket: &&mut Listener| portid != 0 && socket.options.portid == portid && socket.net == net;
        if let Some(socket) = listeners.iter_mut().find(is_reader) {
            socket.received.push_back(Datagram { data: message, nsid: -1, nsid_is_set: false, group: 0 });
        }
        0
    }

    /// `netlink_set_err()`: to the sockets of the group in one namespace. `error` is negative.
    pub(crate) fn netlink_set_err(&self, net: NetPtr, error: Errno) {
        self.k.trace(&NETLINK_SET_ERR, net.addr().to_value(), i64::from(error.negated()));
        let mut listeners = self.netlink.listeners.borrow_mut();
        for socket in listeners.iter_mut().rev().filter(|socket| socket.options.subscribed) {
            if self.config.net_ns && socket.net != net {
                continue;
            }
            socket.sk_err = error.negated();
            self.k.trace(&SK_ERR, socket.id, i64::from(error.0));
        }
    }
}
