// SPDX-License-Identifier: GPL-2.0-only
//! Netlink sockets: opened, read and closed; net/netlink/af_netlink.c

use std::collections::VecDeque;

use kernel::{EAGAIN, EBADF, Errno, Pointer, function};

use super::receive::Dump;
use crate::{NetNs, Patch, net::NetPtr};

/// A datagram in the queue of a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Messages.
    pub data: Vec<u8>,
    /// The id that the sender's namespace has in the socket's; -1 for none.
    pub nsid: i32,
    /// Whether a socket that listens to all namespaces is told the id.
    pub nsid_is_set: bool,
    /// The group that it was multicast to; 0 for none.
    pub group: u32,
}

/// How a socket is opened: by socket(2), bind(2) and setsockopt(2).
#[derive(Clone, Copy, Debug)]
pub struct SocketOptions {
    /// `nl_pid`; 0 for a socket that sends no requests.
    pub portid: u32,
    /// Whether it is a member of `RTNLGRP_NSID`.
    pub subscribed: bool,
    /// `NETLINK_LISTEN_ALL_NSID`
    pub all_nsid: bool,
    /// CAP_NET_BROADCAST over the owners of other namespaces.
    pub cap_net_broadcast: bool,
    /// `NETLINK_CAP_ACK`
    pub cap_ack: bool,
    /// `NETLINK_EXT_ACK`
    pub ext_ack: bool,
    /// `NETLINK_GET_STRICT_CHK`
    pub strict: bool,
    /// Messages that fit before it overruns.
    pub room: usize,
}

impl Default for SocketOptions {
    fn default() -> Self {
        SocketOptions {
            portid: 0,
            subscribed: false,
            all_nsid: false,
            cap_net_broadcast: true,
            cap_ack: false,
            ext_ack: false,
            strict: false,
            room: usize::MAX,
        }
    }
}

/// A netlink socket.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Its number.
    pub id: i64,
    /// Its namespace, with a reference to it.
    pub net: NetPtr,
    /// How it was opened.
    pub options: SocketOptions,
    /// `sk_receive_queue`
    pub received: VecDeque<Datagram>,
    /// What the next call on it fails with: `-sk_err`; 0 for none.
    pub sk_err: i32,
    /// `NETLINK_S_CONGESTED`: it has overrun, and receives nothing until it has read everything.
    pub congested: bool,
    /// The largest buffer that was read into.
    pub(super) max_recvmsg_len: usize,
    /// `cb`, while `cb_running`.
    pub(super) dump: Option<Dump>,
}

/// `SKB_WITH_OVERHEAD(32768)` of x86-64.
const MAX_PAGE: usize = 32448;

impl NetNs {
    /// Messages of the size of a notification that fit into a receive buffer of `rcvbuf` bytes, as
    /// `setsockopt(SO_RCVBUF)` is given it: the kernel doubles that.
    pub fn room_of_rcvbuf(&self, rcvbuf: usize) -> usize {
        /// `SOCK_MIN_RCVBUF` of x86-64.
        const MIN: usize = 2304;
        // `truesize`: the buffer's head, and `struct sk_buff`.
        let truesize = if self.changes.has(Patch::SmallSkbHeads) { 640 + 256 } else { 512 + 256 };
        let rcvbuf = rcvbuf.saturating_mul(2).max(MIN);
        if self.changes.has(Patch::CountBeforeRcvbufCheck) {
            (rcvbuf / truesize).max(1)
        } else {
            rcvbuf / truesize + 1 // only what is there already is compared
        }
    }

    /// socket(2), bind(2) and setsockopt(2): holds a reference to `net`. Process context; sleeps.
    pub async fn netlink_open(&self, id: i64, net: NetPtr, options: SocketOptions) {
        let _f = self.k.enter(function!("netlink_create"), net.addr().to_value());
        self.get_net(net).await;
        let socket = Listener {
            id,
            net,
            options,
            received: VecDeque::new(),
            sk_err: 0,
            congested: false,
            max_recvmsg_len: 0,
            dump: None,
        };
        self.netlink_table_grab().await;
        self.netlink.listeners.borrow_mut().push(socket);
        self.netlink_table_ungrab().await;
    }

    /// A socket that is a member of `RTNLGRP_NSID`.
    pub async fn listen(&self, id: i64, net: NetPtr, all_nsid: bool, cap_net_broadcast: bool, room: usize) {
        let options =
            SocketOptions { subscribed: true, all_nsid, cap_net_broadcast, room, ..SocketOptions::default() };
        self.netlink_open(id, net, options).await;
    }

    /// close(2) of a socket: whether there was one. Process context; sleeps.
    pub async fn unlisten(&self, id: i64) -> bool {
        let _f = self.k.enter(function!("netlink_release"), id);
        if self.with_socket(id, |_| ()).is_none() {
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

    /// recvmsg(2) without waiting, into a buffer of `size` bytes. Process context; may sleep.
    ///
    /// # Errors
    ///
    /// `EBADF`, the socket's error, `EAGAIN` if there is nothing to read.
    pub async fn netlink_recvmsg(&self, id: i64, size: usize) -> Result<Datagram, Errno> {
        let _f = self.k.enter(function!("netlink_recvmsg"), id);
        let (datagram, goes_on) = self
            .with_socket(id, |socket| {
                // skb_recv_datagram()
                if socket.sk_err != 0 {
                    return Err(Errno::from_negated(std::mem::take(&mut socket.sk_err)));
                }
                let mut datagram = socket.received.pop_front().ok_or(EAGAIN)?;
                datagram.data.truncate(size);
                socket.max_recvmsg_len = socket.max_recvmsg_len.max(size).min(MAX_PAGE);
                Ok((datagram, socket.dump.is_some()))
            })
            .ok_or(EBADF)??;
        if goes_on && let Err(err) = self.netlink_dump(id).await {
            self.with_socket(id, |socket| socket.sk_err = err.negated());
        }
        // netlink_rcv_wake()
        self.with_socket(id, |socket| socket.congested &= !socket.received.is_empty());
        Ok(datagram)
    }

    /// Looks at a socket, if there is one.
    pub(super) fn with_socket<R>(&self, id: i64, f: impl FnOnce(&mut Listener) -> R) -> Option<R> {
        self.netlink.listeners.borrow_mut().iter_mut().find(|socket| socket.id == id).map(f)
    }
}
