// SPDX-License-Identifier: GPL-2.0-only
//! Socket buffers and netlink sockets, as far as nsid messages need them; net/netlink/af_netlink.c
//!
//! A message is delivered in the call that sends it. Sockets are not memory of the model: nothing races with them.

mod table;

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
};

use kernel::{Addr, ENOBUFS, Errno, Gfp, Kernel, Plain, Pointer, function, object, tracepoint};

use crate::{NetNs, net::NetPtr, nlmsg::Buffer};
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

/// A netlink socket that is a member of `RTNLGRP_NSID`.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Its number.
    pub id: i64,
    /// Its namespace, with a reference to it.
    pub net: NetPtr,
    /// `NETLINK_LISTEN_ALL_NSID`
    pub all_nsid: bool,
    /// CAP_NET_BROADCAST over the sender's owner.
    pub cap_net_broadcast: bool,
    /// Messages that fit before it overruns.
    pub room: usize,
    /// What it has received, with the id of the sender's namespace.
    pub received: Vec<(i32, Vec<u8>)>,
    /// What the next call on it fails with: `-sk_err`; 0 for none.
    pub sk_err: i32,
    /// `NETLINK_S_CONGESTED`: it has overrun, and receives nothing until it has read everything.
    pub congested: bool,
}

/// What was sent last, as bytes: tracepoints name messages by their numbers.
#[derive(Debug, Default)]
pub struct NetlinkLog {
    messages: VecDeque<Vec<u8>>,
    /// The number of the oldest one that is kept.
    first: i64,
}

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
    /// Sockets of the group, oldest first.
    pub listeners: RefCell<Vec<Listener>>,
    /// What was sent.
    pub log: RefCell<NetlinkLog>,
    /// What sending an answer returns, if it fails.
    pub unicast_error: RefCell<Option<i32>>,
    buffers: RefCell<BTreeMap<Addr, Buffer>>,
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

    /// `netlink_broadcast()` to `RTNLGRP_NSID`: sockets of other namespaces get it only if they asked for it, know
    /// the sender, and may. Consumes the buffer.
    pub(crate) async fn netlink_broadcast(&self, skb: SkbPtr, net: NetPtr) {
        let k = &self.k;
        let _f = k.enter(function!("netlink_broadcast"), net.addr().to_value());
        let message = self.take_message(skb);
        let number = self.netlink.log.borrow_mut().add(&message);
        k.trace(&NETLINK_BROADCAST, net.addr().to_value(), number);
        // Without sockets there is no walk that others could come between.
        if !self.netlink.listeners.borrow().is_empty() {
            self.netlink_lock_table().await;
            self.broadcast_to_all(&message, net).await;
            self.netlink_unlock_table().await;
        }
        k.kfree(skb.addr());
    }

    /// `sk_for_each_bound()` with `do_one_broadcast()`, of a message from `net`.
    async fn broadcast_to_all(&self, message: &[u8], net: NetPtr) {
        let sockets: Vec<(i64, NetPtr, bool, bool)> = {
            let listeners = self.netlink.listeners.borrow();
            let newest_first = listeners.iter().rev();
            newest_first.map(|sk| (sk.id, sk.net, sk.all_nsid, sk.cap_net_broadcast)).collect()
        };
        let (mut is_shared, mut has_skb2, mut failure) = (false, false, false);
        for (id, sk_net, all_nsid, cap) in sockets {
            let is_local = self.net_eq(sk_net, net);
            if !is_local && (!all_nsid || !self.peernet_has_id(sk_net, net).await || !cap) {
                continue;
            }
            // One socket gets the message itself, the others clones. If a clone fails, all that follow miss it.
            if !failure && !has_skb2 {
                failure = is_shared && self.k.should_fail("skb_clone", Gfp::Atomic).await;
                (is_shared, has_skb2) = (true, !failure);
            }
            if failure {
                self.netlink_overrun(id);
                continue;
            }
            let nsid = self.peernet2id(sk_net, net).await;
            has_skb2 = !self.netlink_broadcast_deliver(id, nsid, message);
        }
    }

    /// Whether the socket has room for the message, and takes it.
    fn netlink_broadcast_deliver(&self, id: i64, nsid: i32, message: &[u8]) -> bool {
        let mut listeners = self.netlink.listeners.borrow_mut();
        let Some(socket) = listeners.iter_mut().find(|socket| socket.id == id) else { return false };
        if socket.congested || socket.received.len() >= socket.room {
            drop(listeners);
            self.netlink_overrun(id);
            return false;
        }
        socket.received.push((nsid, message.to_vec()));
        self.k.trace(&NETLINK_DELIVER, id, i64::from(nsid));
        true
    }

    /// `netlink_overrun()`: a socket misses a message. It is told so once, until it has read everything.
    fn netlink_overrun(&self, id: i64) {
        let mut listeners = self.netlink.listeners.borrow_mut();
        let Some(socket) = listeners.iter_mut().find(|socket| socket.id == id) else { return };
        if !std::mem::replace(&mut socket.congested, true) {
            socket.sk_err = ENOBUFS.negated();
            self.k.trace(&SK_ERR, id, i64::from(ENOBUFS.0));
        }
    }

    /// `netlink_unicast()`: 0, or an error. Consumes the buffer.
    pub(crate) async fn netlink_unicast(&self, skb: SkbPtr, net: NetPtr) -> i32 {
        let _f = self.k.enter(function!("netlink_unicast"), net.addr().to_value());
        let message = self.take_message(skb);
        let number = self.netlink.log.borrow_mut().add(&message);
        self.k.trace(&NETLINK_UNICAST, net.addr().to_value(), number);
        self.k.kfree(skb.addr());
        self.netlink.unicast_error.borrow().unwrap_or(0)
    }

    /// `netlink_set_err()`: to the sockets of the group in one namespace. `error` is negative.
    pub(crate) fn netlink_set_err(&self, net: NetPtr, error: Errno) {
        self.k.trace(&NETLINK_SET_ERR, net.addr().to_value(), i64::from(error.negated()));
        let mut listeners = self.netlink.listeners.borrow_mut();
        for socket in listeners.iter_mut().rev() {
            if self.config.net_ns && socket.net != net {
                continue;
            }
            socket.sk_err = error.negated();
            self.k.trace(&SK_ERR, socket.id, i64::from(error.0));
        }
    }

    /// socket(2), and setsockopt(2) with `NETLINK_ADD_MEMBERSHIP` for `RTNLGRP_NSID`: holds a reference to `net`.
    pub async fn listen(&self, id: i64, net: NetPtr, all_nsid: bool, cap_net_broadcast: bool, room: usize) {
        let _f = self.k.enter(function!("netlink_create"), net.addr().to_value());
        self.get_net(net).await;
        let socket = Listener {
            id,
            net,
            all_nsid,
            cap_net_broadcast,
            room,
            received: Vec::new(),
            sk_err: 0,
            congested: false,
        };
        self.netlink_table_grab().await;
        self.netlink.listeners.borrow_mut().push(socket);
        self.netlink_table_ungrab().await;
    }
    /// close(2) of a socket: whether there was one.
    pub async fn unlisten(&self, id: i64) -> bool {
        let _f = self.k.enter(function!("netlink_release"), id);
        if !self.netlink.listeners.borrow().iter().any(|socket| socket.id == id) {
            return false;
        }
        self.netlink_table_grab().await;
        let socket = {
            let mut listeners = self.netlink.listeners.borrow_mut();
            let at = listeners.iter().position(|socket| socket.id == id);
            at.map(|at| listeners.remove(at))
        };
        self.netlink_table_ungrab().await;
        let Some(socket) = socket else { return false };
        self.put_net(socket.net).await;
        true
    }
}
