// SPDX-License-Identifier: GPL-2.0-only
//! Bytes to and from the sockets of an experiment.

use kernel::EAGAIN;
use netns::{NETNSA_FD, NETNSA_PID, NetPtr, RTM_NEWNSID, SocketOptions};
use serde_json::{Value, json};

use super::{
    input::{Peer, Sent},
    message::{attribute, errno_name, errno_of, nsid_of, pages, set_u32, split, type_of, u32_at},
    play::{BUFFER, Opened, Player, Read},
};
use crate::oracle::events::hex;

impl Player {
    /// A request with our numbers in place of the recording's.
    pub(super) fn mapped(&self, sent: &Sent) -> Vec<u8> {
        let mut bytes = sent.request.clone();
        let ours = match &sent.peer {
            Peer::Fd(name) => self.spaces.get(name).map(|fd| (NETNSA_FD, *fd)),
            Peer::Pid(name) => self.procs.get(name).map(|pid| (NETNSA_PID, *pid)),
            Peer::Raw => None,
        };
        if let Some((nla, value)) = ours
            && let Some(at) = attribute(&bytes, nla)
        {
            set_u32(&mut bytes, at, value.cast_unsigned());
        }
        bytes
    }
    /// The same where only the bytes are known.
    pub(super) fn mapped_by_fd(&self, request: &[u8]) -> Vec<u8> {
        let at = attribute(request, NETNSA_FD);
        let fd = at.and_then(|at| u32_at(request, at));
        let peer =
            fd.and_then(|fd| self.recorded_fds.get(&fd)).map_or(Peer::Raw, |name| Peer::Fd(name.clone()));
        self.mapped(&Sent { sock: String::new(), request: request.to_vec(), peer, is_zombie: false })
    }

    pub(super) async fn request(&mut self, sent: &Sent) -> Result<Vec<Vec<u8>>, String> {
        let opened = self.socket(&sent.sock)?;
        if sent.is_zombie
            && let Some(pid) = attribute(&sent.request, NETNSA_PID).and_then(|at| u32_at(&sent.request, at))
            && let Ok(zombie) = self.ns.clone_task(pid.cast_signed(), 0, self.root()).await
        {
            self.ns.exit_task_namespaces(zombie).await;
        }
        let bytes = self.mapped(sent);
        let datagrams = restored(self.ask(opened.id, &bytes).await?, &bytes, &sent.request);
        let messages: Vec<Vec<u8>> =
            datagrams.iter().flat_map(|data| split(data)).map(<[u8]>::to_vec).collect();
        if type_of(&bytes) == RTM_NEWNSID && messages.iter().any(|message| errno_of(message) == Some(0)) {
            *self.announced.entry(opened.socket.ns).or_insert(0) += 1;
        }
        Ok(messages)
    }

    /// Sends bytes, and reads all that comes back.
    pub(super) async fn ask(&self, id: i64, bytes: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        self.ns.netlink_sendmsg(id, bytes).await.map_err(|err| format!("sendmsg: {err}"))?;
        let mut datagrams = Vec::new();
        for read in self.drain(id).await {
            match read {
                Read::Got(datagram) => datagrams.push(datagram.data),
                Read::Failed(err) => return Err(format!("recvmsg: {err}")),
            }
        }
        Ok(datagrams)
    }
    /// Reads a socket empty.
    pub(super) async fn drain(&self, id: i64) -> Vec<Read> {
        let mut reads = Vec::new();
        loop {
            match self.ns.netlink_recvmsg(id, BUFFER).await {
                Ok(datagram) => reads.push(Read::Got(datagram)),
                Err(EAGAIN) => return reads,
                Err(err) => reads.push(Read::Failed(err)),
            }
        }
    }

    pub(super) async fn notified(&self, opened: &Opened) -> Value {
        let mut messages = Vec::new();
        for read in self.drain(opened.id).await {
            match read {
                Read::Failed(err) => messages.push(json!({ "error": errno_name(err.0) })),
                Read::Got(datagram) => {
                    let groups = if datagram.group == 0 { 0 } else { 1_u64 << (datagram.group - 1) };
                    for message in split(&datagram.data) {
                        let mut value = json!({ "hex": hex(message), "src_port": 0, "groups": groups });
                        if opened.socket.all_nsid && datagram.nsid_is_set {
                            value["src_nsid_cmsg"] = json!(datagram.nsid);
                        }
                        messages.push(value);
                    }
                }
            }
        }
        json!({ "count": messages.len(), "messages": messages })
    }

    pub(super) async fn overrun(&self) -> Result<Value, String> {
        let small = self.sockets.values().find(|opened| opened.socket.rcvbuf.is_some());
        let small = small.ok_or_else(|| "no socket has a small buffer (`rcvbuf`)".to_owned())?;
        let (mut sequence, mut received): (Vec<(String, usize)>, usize) = (Vec::new(), 0);
        for read in self.drain(small.id).await {
            let what = match read {
                Read::Got(_) => "msg".to_owned(),
                Read::Failed(err) => errno_name(err.0),
            };
            received += usize::from(what == "msg");
            match sequence.last_mut().filter(|(last, _)| *last == what) {
                Some((_, times)) => *times += 1,
                None => sequence.push((what, 1)),
            }
        }
        let announced = self.announced.get(&small.socket.ns).copied().unwrap_or(0);
        Ok(json!({ "sent": announced - small.announced_before, "received": received, "sequence": sequence }))
    }

    pub(super) async fn dump_after(&mut self, size: usize) -> Result<Value, String> {
        let (id, net) = self.new_socket_beside_last(0x7000_0001).await?;
        if size > 0 {
            // NLMSG_NOOP with NLM_F_ACK: something to read.
            let noop = [16, 0, 0, 0, 1, 0, 4, 0, 1, 0, 0, 0, 0, 0, 0, 0];
            self.ns.netlink_sendmsg(id, &noop).await.map_err(|err| format!("sendmsg: {err}"))?;
            self.ns.netlink_recvmsg(id, size).await.map_err(|err| format!("recvmsg: {err}"))?;
        }
        let request = [20, 0, 0, 0, 90, 0, 1, 3, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let datagrams = self.ask(id, &request).await?;
        self.ns.unlisten(id).await;
        let ids: Vec<i32> = datagrams.iter().flat_map(|data| split(data)).filter_map(nsid_of).collect();
        let live: Vec<i32> = self.ns.nsids_of(net).into_iter().map(|(id, _)| id).collect();
        Ok(json!({
            "pages": pages(&datagrams),
            "ids_reported": ids.len(),
            "ids_live": live.len(),
            "ids_are_a_prefix": live.starts_with(&ids),
        }))
    }

    /// A socket of this port in the namespace of the one that was opened last.
    pub(super) async fn new_socket_beside_last(&mut self, portid: u32) -> Result<(i64, NetPtr), String> {
        let net = self.net(&self.last_socket()?.socket.ns)?;
        let id = i64::from(self.number());
        self.ns.netlink_open(id, net, SocketOptions { portid, ..SocketOptions::default() }).await;
        Ok((id, net))
    }
}

/// Replies with the recording's numbers in place of ours: an error carries the request.
pub(super) fn restored(mut datagrams: Vec<Vec<u8>>, ours: &[u8], theirs: &[u8]) -> Vec<Vec<u8>> {
    /// Behind the header and the error.
    const REQUEST: usize = 20;
    for datagram in &mut datagrams {
        if errno_of(datagram).is_some()
            && let Some(place) = datagram.get_mut(REQUEST..REQUEST + ours.len())
            && place == ours
        {
            place.copy_from_slice(theirs);
        }
    }
    datagrams
}
