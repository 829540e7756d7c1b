// SPDX-License-Identifier: GPL-2.0-only
//! What becomes of the bytes that a socket sends: requests, acks and dumps; net/netlink/af_netlink.c
//!
//! The whole of a datagram is handled with `rtnl_mutex` held, as `rtnetlink_rcv()` does.

use kernel::{EBADF, EBUSY, EINTR, EINVAL, ENOBUFS, Errno, Gfp, function};

use super::socket::Datagram;
use crate::{
    NetNs, Patch,
    net_namespace::{NetlinkCallback, Request},
    nlmsg::{Header, NLM_F_MULTI, NLMSG_HDRLEN, align, nlmsg_total_size},
    rtnetlink::FIRST_PAGE,
};

/// `NLM_F_REQUEST`
const NLM_F_REQUEST: u16 = 1;
/// `NLM_F_ACK`
const NLM_F_ACK: u16 = 4;
/// `NLM_F_CAPPED`
const NLM_F_CAPPED: u16 = 0x100;
/// `NLM_F_ACK_TLVS`
const NLM_F_ACK_TLVS: u16 = 0x200;
/// `NLMSG_ERROR`
const NLMSG_ERROR: u16 = 2;
/// `NLMSG_DONE`
const NLMSG_DONE: u16 = 3;
/// `NLMSG_MIN_TYPE`: types below are netlink's own.
const NLMSG_MIN_TYPE: u16 = 16;
/// `NLMSGERR_ATTR_MSG`
const NLMSGERR_ATTR_MSG: u16 = 1;
/// `NLMSGERR_ATTR_OFFS`
const NLMSGERR_ATTR_OFFS: u16 = 2;
/// `sizeof(int)`, the payload of `NLMSG_DONE` and the beginning of that of `NLMSG_ERROR`.
const ERRNO: usize = 4;

/// A dump in progress.
#[derive(Clone, Debug)]
pub(super) struct Dump {
    cb: NetlinkCallback,
    /// `dump_done_errno`, once it is known: what the last message is to say.
    done: Option<i32>,
}

/// `struct netlink_ext_ack`: what an ack says about an error in words, and which byte of the request it is about.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ExtAck {
    pub(crate) msg: Option<&'static str>,
    pub(crate) bad_attr: Option<u32>,
}

/// One message of a datagram.
#[derive(Clone, Copy, Debug)]
struct Message<'a> {
    header: Header,
    /// With its header.
    bytes: &'a [u8],
}

impl<'a> Message<'a> {
    /// `nlmsg_ok()`: the first message of a datagram.
    fn first(data: &'a [u8]) -> Option<Self> {
        let header = Header::parse(data)?;
        let len = usize::try_from(u32::from_le_bytes(*data.first_chunk()?)).ok()?;
        (len >= NLMSG_HDRLEN).then_some(())?;
        Some(Message { header, bytes: data.get(..len)? })
    }
}

impl NetNs {
    /// sendmsg(2) of a datagram to the kernel. Process context; sleeps.
    ///
    /// # Errors
    ///
    /// `EBADF`. What is wrong with a request, its ack says.
    pub async fn netlink_sendmsg(&self, id: i64, data: &[u8]) -> Result<(), Errno> {
        let _f = self.k.enter(function!("netlink_sendmsg"), id);
        self.with_socket(id, |_| ()).ok_or(EBADF)?;
        // rtnetlink_rcv()
        self.rtnl_lock().await;
        self.netlink_rcv_skb(id, data).await;
        self.rtnl_unlock().await;
        Ok(())
    }

    /// `netlink_rcv_skb()`: every message of a datagram.
    async fn netlink_rcv_skb(&self, id: i64, data: &[u8]) {
        let _f = self.k.enter(function!("netlink_rcv_skb"), id);
        let mut rest = data;
        while let Some(message) = Message::first(rest) {
            let flags = message.header.flags;
            self.netlink.ext_ack.take();
            let is_request = flags & NLM_F_REQUEST != 0 && message.header.r#type >= NLMSG_MIN_TYPE;
            let err = if is_request { self.handle(id, message).await } else { Ok(()) };
            if err != Err(EINTR) && (flags & NLM_F_ACK != 0 || err.is_err()) {
                self.netlink_ack(id, message, err.map_or_else(Errno::negated, |()| 0)).await;
            }
            rest = rest.get(align(message.bytes.len())..).unwrap_or_default();
        }
    }

    async fn handle(&self, id: i64, message: Message<'_>) -> Result<(), Errno> {
        let sender = |socket: &mut super::Listener| (socket.net, socket.options);
        let (net, options) = self.with_socket(id, sender).ok_or(EBADF)?;
        let Header { r#type, flags, seq, .. } = message.header;
        let payload = message.bytes[NLMSG_HDRLEN..].to_vec();
        let request = Request { net, portid: options.portid, seq, flags, strict: options.strict, payload };
        self.rtnetlink_rcv_msg(id, r#type, request).await
    }

    /// `netlink_ack()`: tells the sender of a message what became of it.
    async fn netlink_ack(&self, id: i64, message: Message<'_>, error: i32) {
        let Some((net, options)) = self.with_socket(id, |socket| (socket.net, socket.options)) else {
            return;
        };
        let extended = self.changes.has(Patch::ExtendedAck);
        let is_capped = error == 0 || options.cap_ack;
        let request = if is_capped { &message.bytes[..NLMSG_HDRLEN] } else { message.bytes };
        let mut flags = if extended && is_capped { NLM_F_CAPPED } else { 0 };
        let ext_ack = self.netlink.ext_ack.take();
        let tlvs =
            if extended && options.ext_ack && error != 0 { nlmsgerr_attributes(ext_ack) } else { Vec::new() };
        if !tlvs.is_empty() {
            flags |= NLM_F_ACK_TLVS;
        }
        let payload = ERRNO + request.len();
        let room = nlmsg_total_size(payload) + tlvs.len();
        let Some(skb) = self.alloc_skb(room, Gfp::Kernel).await else {
            self.with_socket(id, |socket| socket.sk_err = ENOBUFS.negated());
            return;
        };
        let header = Header { r#type: NLMSG_ERROR, flags, seq: message.header.seq, portid: options.portid };
        self.with_skb(skb, |buffer| {
            if let Some(start) = buffer.put_header(header, payload) {
                let at = start + NLMSG_HDRLEN;
                buffer.data[at..at + ERRNO].copy_from_slice(&error.to_le_bytes());
                buffer.data[at + ERRNO..at + payload].copy_from_slice(request);
                if !tlvs.is_empty() {
                    buffer.data.extend(&tlvs);
                    buffer.end(start);
                }
            }
        })
        .await;
        self.netlink_unicast(skb, net).await; // whatever it returns
    }

    /// `netlink_dump_start()`: its first page is sent at once. `rtnl_mutex` is let go meanwhile.
    ///
    /// # Errors
    ///
    /// `EBUSY` while another dump goes on, `EINTR` where all is well: there is no ack.
    pub(crate) async fn netlink_dump_start(&self, id: i64, request: Request) -> Result<(), Errno> {
        self.rtnl_unlock().await;
        let started = self.with_socket(id, |socket| {
            if socket.dump.is_some() {
                return Err(EBUSY);
            }
            socket.dump = Some(Dump { cb: NetlinkCallback { request, s_idx: 0 }, done: None });
            Ok(())
        });
        let mut err = started.unwrap_or(Err(EBADF));
        if err.is_ok() {
            err = self.netlink_dump(id).await.and(Err(EINTR));
        }
        self.rtnl_lock().await;
        err
    }

    /// `netlink_dump()`: sends the next page of a dump. Process context; sleeps.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no dump, `ENOBUFS` without memory.
    pub(super) async fn netlink_dump(&self, id: i64) -> Result<(), Errno> {
        let _f = self.k.enter(function!("netlink_dump"), id);
        self.rtnl_lock().await; // `cb_mutex`
        let err = self.next_page(id).await;
        self.rtnl_unlock().await;
        err
    }

    async fn next_page(&self, id: i64) -> Result<(), Errno> {
        let begun = self.with_socket(id, |socket| Some((socket.dump.clone()?, socket.max_recvmsg_len)));
        let (mut dump, max_recvmsg_len) = begun.flatten().ok_or(EINVAL)?;
        let room = max_recvmsg_len.max(FIRST_PAGE);
        let skb = self.alloc_skb(room, Gfp::Kernel).await.ok_or(ENOBUFS)?;
        let errno = match dump.done {
            Some(errno) => errno,
            None => self.rtnl_net_dumpid(skb, &mut dump.cb).await,
        };
        let has_room = |len: usize| room - len >= nlmsg_total_size(ERRNO);
        let at_once = self.changes.has(Patch::DoneInLastPage);
        let len = self.with_skb(skb, |buffer| buffer.data.len()).await;
        let ends = errno <= 0 && (!at_once || has_room(len));
        if ends {
            let Request { portid, seq, .. } = dump.cb.request;
            let header = Header { r#type: NLMSG_DONE, flags: NLM_F_MULTI, seq, portid };
            self.with_skb(skb, |buffer| {
                if let Some(start) = buffer.put_header(header, ERRNO) {
                    let at = start + NLMSG_HDRLEN;
                    buffer.data[at..at + ERRNO].copy_from_slice(&errno.to_le_bytes());
                }
            })
            .await;
        }
        dump.done = (errno <= 0).then_some(errno);
        let data = self.with_skb(skb, |buffer| std::mem::take(&mut buffer.data)).await;
        self.kfree_skb(skb);
        self.with_socket(id, |socket| {
            socket.received.push_back(Datagram { data, nsid: -1, nsid_is_set: false, group: 0 });
            socket.dump = (!ends).then_some(dump);
        });
        Ok(())
    }

    /// `NL_SET_ERR_MSG()` and `NL_SET_BAD_ATTR()`: what the ack is to say. v4.11 has no such words.
    pub(crate) fn set_ext_ack(&self, msg: &'static str, bad_attr: Option<u32>) {
        if self.changes.has(Patch::NsidExtack) {
            self.netlink.ext_ack.set(ExtAck { msg: Some(msg), bad_attr });
        }
    }
}

/// The attributes behind an ack.
fn nlmsgerr_attributes(ext_ack: ExtAck) -> Vec<u8> {
    let mut tlvs = Vec::new();
    let mut put = |r#type: u16, value: &[u8]| {
        let len = 4 + value.len();
        tlvs.extend(u16::try_from(len).unwrap_or(u16::MAX).to_le_bytes());
        tlvs.extend(r#type.to_le_bytes());
        tlvs.extend(value);
        tlvs.resize(tlvs.len() + align(len) - len, 0);
    };
    if let Some(msg) = ext_ack.msg {
        put(NLMSGERR_ATTR_MSG, &[msg.as_bytes(), &[0]].concat());
    }
    if let Some(offset) = ext_ack.bad_attr {
        put(NLMSGERR_ATTR_OFFS, &offset.to_le_bytes());
    }
    tlvs
}
