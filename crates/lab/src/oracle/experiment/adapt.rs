// SPDX-License-Identifier: GPL-2.0-only
//! What v4.11 does where a later kernel was recorded, by rules from its source.
//!
//! | | 6.18 | v4.11 |
//! |---|---|---|
//! | an id that is taken | EEXIST | ENOSPC |
//! | notifications | name the request | sequence number and port 0 |
//! | acks | say that they are cut off, carry words | neither |
//! | the end of a dump | in the last page | a datagram of its own |
//! | a large dump | ends with its first page | has as many pages as it needs |
//! | a question by id | answered | EINVAL |
//! | `NETNSA_TARGET_NSID` | another namespace's ids | ignored |
//! | `NLM_F_ECHO` | the notification | nothing |
//! | the id of one's own namespace beside a message | left out if there is none | -1 |
//! | a receive buffer | refuses what would overfill it | refuses what comes when it is overfull |

use std::collections::BTreeMap;

use kernel::{EEXIST, EINVAL, ENOSPC};
use netns::{FIRST_PAGE, NETNSA_FD, NETNSA_NSID, NETNSA_PID, RTM_DELNSID, RTM_NEWNSID};
use serde_json::{Value, json};

use super::{
    input::{Operation, Peer, Sent, Socket},
    message::{
        NLM_F_CAPPED, NLMSG_DONE, NLMSG_ERROR, NSID_MESSAGE, ack, attribute, done, dump_value, errno_of,
        hex_list, nsid_message, nsid_of, result_of, set_u32, type_of, u32_at,
    },
};
use crate::oracle::{events::hex, execute::unhex};

/// `NETNSA_TARGET_NSID`, which v4.11 does not know.
const NETNSA_TARGET_NSID: u16 = 4;
/// The largest page of a dump, `SKB_WITH_OVERHEAD(32768)`: that of all who have read into a large buffer.
const MAX_PAGE: usize = 32448;
/// What a notification takes of a receive buffer: 512 bytes for its data, 256 for `struct sk_buff`.
const TRUESIZE: usize = 768;
/// `NLM_F_ACK`
const NLM_F_ACK: u32 = 4;

/// What is known of sockets and ids so far.
#[derive(Debug, Default)]
pub(super) struct Adapter {
    sockets: BTreeMap<String, Known>,
    procs: BTreeMap<String, String>,
    /// By namespace: its ids, and whose they are.
    tables: BTreeMap<String, BTreeMap<i32, String>>,
}

#[derive(Debug)]
struct Known {
    socket: Socket,
    /// It has read into a large buffer: its dumps have large pages.
    has_read: bool,
}

impl Adapter {
    /// What v4.11 outputs where this was recorded. None if the recording makes no sense.
    pub(super) fn adapt(&mut self, operation: &Operation, recorded: &Value) -> Option<Value> {
        Some(match operation {
            Operation::SockOpen(socket) => {
                let known = Known { socket: socket.clone(), has_read: false };
                self.sockets.insert(socket.sock.clone(), known);
                recorded.clone()
            }
            Operation::ProcSpawn { proc, ns } => {
                self.procs.insert(proc.clone(), ns.clone());
                recorded.clone()
            }
            Operation::Request(sent) => self.request(sent, recorded)?,
            Operation::Dump(sent) => self.dump(sent, recorded)?,
            Operation::DumpAfter(size) => dump_after(*size, recorded)?,
            Operation::Notified(sock) => self.notified(sock, recorded)?,
            Operation::Unprivileged(_) => unprivileged(recorded)?,
            Operation::Overrun => self.overrun(recorded)?,
            _ => recorded.clone(),
        })
    }

    fn peer(&self, sent: &Sent) -> Option<String> {
        match &sent.peer {
            Peer::Fd(ns) => Some(ns.clone()),
            Peer::Pid(proc) => self.procs.get(proc).cloned(),
            Peer::Raw => None,
        }
    }

    fn request(&mut self, sent: &Sent, recorded: &Value) -> Option<Value> {
        let replies = unhex_list(&recorded["replies"])?;
        let peer = self.peer(sent);
        let known = self.sockets.get_mut(&sent.sock)?;
        known.has_read |= !replies.is_empty();
        let Socket { ns, port, cap_ack, subscribed, .. } = known.socket.clone();
        let has = |nla| attribute(&sent.request, nla).is_some();
        let seq = u32_at(&sent.request, 8)?;
        let asks_ack = u32_at(&sent.request, 4)? >> 16 & NLM_F_ACK != 0;
        let table = self.tables.entry(ns).or_default();
        let messages = if type_of(&sent.request) != RTM_NEWNSID {
            if !has(NETNSA_PID) && !has(NETNSA_FD) && type_of(&sent.request) == netns::RTM_GETNSID {
                vec![ack(&sent.request, port, EINVAL.0, cap_ack)]
            } else if has(NETNSA_TARGET_NSID)
                && let Some(peer) = peer
            {
                let id = table.iter().find(|(_, of)| **of == peer).map_or(-1, |(id, _)| *id);
                let mut messages = vec![nsid_message(0, seq, port, id)];
                messages.extend(asks_ack.then(|| ack(&sent.request, port, 0, cap_ack)));
                messages
            } else {
                replies.iter().map(|reply| adapted(reply, None)).collect()
            }
        } else {
            let is_new = peer.as_ref().is_none_or(|peer| !table.values().any(|other| other == peer));
            let wanted = attribute(&sent.request, NETNSA_NSID).and_then(|at| u32_at(&sent.request, at));
            let wanted = wanted.map(u32::cast_signed).filter(|id| *id >= 0);
            let result = result_of(&replies);
            // Without an ack, silence is success.
            if (result == "0" || result == "NO_REPLY")
                && let Some(peer) = peer
            {
                let told = replies.iter().find_map(|reply| nsid_of(reply));
                let lowest = (0..).find(|id| !table.contains_key(id)).unwrap_or(0);
                table.insert(wanted.or(told).unwrap_or(lowest), peer);
            }
            let taken = (result == "EEXIST" && is_new).then_some(ENOSPC.0);
            let is_kept = |reply: &&Vec<u8>| type_of(reply) != RTM_NEWNSID || subscribed; // no echo
            let unnamed = |reply: &Vec<u8>| match type_of(reply) {
                RTM_NEWNSID => unnamed(reply),
                _ => adapted(reply, taken),
            };
            replies.iter().filter(is_kept).map(unnamed).collect()
        };
        Some(json!({ "result": result_of(&messages), "replies": hex_list(&messages) }))
    }

    fn dump(&mut self, sent: &Sent, recorded: &Value) -> Option<Value> {
        let replies = unhex_list(&recorded["replies"])?;
        let known = self.sockets.get_mut(&sent.sock)?;
        let port = known.socket.port;
        let seq = u32_at(&sent.request, 8)?;
        let first = if std::mem::replace(&mut known.has_read, true) { MAX_PAGE } else { FIRST_PAGE };
        let table = self.tables.get(&known.socket.ns);
        let own: Vec<i32> = table.into_iter().flat_map(|table| table.keys().copied()).collect();
        let told: Vec<i32> = replies.iter().filter_map(|reply| nsid_of(reply)).collect();
        let is_cut = told.len() < own.len() && own.starts_with(&told);
        let data: Vec<Vec<u8>> = if attribute(&sent.request, NETNSA_TARGET_NSID).is_some() || is_cut {
            own.into_iter().map(|id| nsid_message(2, seq, port, id)).collect()
        } else {
            let is_data = |reply: &&Vec<u8>| !matches!(type_of(reply), NLMSG_DONE | NLMSG_ERROR);
            replies.iter().filter(is_data).cloned().collect()
        };
        let mut datagrams: Vec<Vec<u8>> = pages_of(data.len(), first)
            .scan(0, |from, count| {
                let page = data.get(*from..*from + count).map(<[Vec<u8>]>::concat);
                *from += count;
                page
            })
            .collect();
        let ends = replies.iter().filter(|reply| matches!(type_of(reply), NLMSG_DONE | NLMSG_ERROR));
        let mut ends: Vec<Vec<u8>> = ends.map(|end| adapted(end, None)).collect();
        if is_cut || ends.is_empty() {
            ends = vec![done(seq, port)];
        }
        datagrams.append(&mut ends);
        Some(dump_value(&datagrams))
    }

    fn notified(&mut self, sock: &str, recorded: &Value) -> Option<Value> {
        let socket = &self.sockets.get(sock)?.socket;
        let table = self.tables.entry(socket.ns.clone()).or_default();
        let mut output = recorded.clone();
        for message in output["messages"].as_array_mut()? {
            let Some(mut bytes) = message["hex"].as_str().and_then(unhex) else { continue };
            let is_own = message["src_nsid_cmsg"].is_null();
            match (type_of(&bytes), nsid_of(&bytes)) {
                (RTM_NEWNSID, Some(_)) => bytes = unnamed(&bytes),
                (RTM_DELNSID, Some(id)) if is_own => {
                    table.remove(&id);
                }
                _ => {}
            }
            message["hex"] = json!(hex(&bytes));
            if socket.all_nsid && is_own {
                message["src_nsid_cmsg"] = json!(-1);
            }
        }
        Some(output)
    }

    fn overrun(&self, recorded: &Value) -> Option<Value> {
        let rcvbuf = self.sockets.values().find_map(|known| known.socket.rcvbuf)?;
        let sent = usize::try_from(recorded["sent"].as_u64()?).ok()?;
        let fit = rcvbuf.saturating_mul(2) / TRUESIZE + 1;
        if fit >= sent {
            return Some(recorded.clone());
        }
        let mut output = recorded.clone();
        let before = recorded["received"].clone();
        output["received"] = json!(fit);
        for part in output["sequence"].as_array_mut()? {
            if part[0] == "msg"
                && let Some(times) = part.get_mut(1).filter(|times| **times == before)
            {
                *times = json!(fit);
            }
        }
        Some(output)
    }
}

/// How many ids of `count` stand in each page, the first of which has `first` bytes.
fn pages_of(count: usize, first: usize) -> impl Iterator<Item = usize> {
    let mut left = count;
    let mut room = first;
    std::iter::from_fn(move || {
        let page = left.min(std::mem::replace(&mut room, MAX_PAGE) / NSID_MESSAGE);
        left -= page;
        (page > 0).then_some(page)
    })
}

/// A notification that names no request.
fn unnamed(message: &[u8]) -> Vec<u8> {
    let mut message = message.to_vec();
    set_u32(&mut message, 8, 0);
    set_u32(&mut message, 12, 0);
    message
}

/// A reply as v4.11 makes it; `errno` replaces the error of a namespace that has an id already.
fn adapted(reply: &[u8], errno: Option<i32>) -> Vec<u8> {
    let mut reply = reply.to_vec();
    if type_of(&reply) != NLMSG_ERROR {
        return reply;
    }
    let flags = u32_at(&reply, 4).unwrap_or(0) >> 16;
    let request = u32_at(&reply, 20).and_then(|len| usize::try_from(len).ok()).unwrap_or(0);
    let is_capped = flags as u16 & NLM_F_CAPPED != 0;
    reply.truncate(if is_capped { 36 } else { request.saturating_add(20) });
    let len = u32::try_from(reply.len()).unwrap_or(0);
    set_u32(&mut reply, 0, len);
    set_u32(&mut reply, 4, u32::from(NLMSG_ERROR));
    if let Some(errno) = errno.filter(|_| errno_of(&reply) == Some(EEXIST.0)) {
        set_u32(&mut reply, 16, errno.wrapping_neg().cast_unsigned());
    }
    reply
}

/// A dump to a socket that has read into a buffer of `size` bytes before: all ids, in as many pages as it takes.
fn dump_after(size: usize, recorded: &Value) -> Option<Value> {
    let live = usize::try_from(recorded["ids_live"].as_u64()?).ok()?;
    let first = size.clamp(FIRST_PAGE, MAX_PAGE);
    let mut pages: Vec<Value> = pages_of(live, first)
        .map(|count| json!({ "bytes": count * NSID_MESSAGE, "messages": count }))
        .collect();
    pages.push(json!({ "bytes": 20, "messages": 1 }));
    let mut output = recorded.clone();
    output["pages"] = json!(pages);
    output["ids_reported"] = json!(live);
    Some(output)
}

fn unprivileged(recorded: &Value) -> Option<Value> {
    let mut results = Vec::new();
    for result in recorded["results"].as_array()? {
        let replies = unhex_list(&result["replies"])?;
        let replies: Vec<Vec<u8>> = replies.iter().map(|reply| adapted(reply, None)).collect();
        results.push(json!({ "replies": hex_list(&replies) }));
    }
    Some(json!({ "results": results }))
}

/// The messages of a list of hexadecimal digits.
fn unhex_list(list: &Value) -> Option<Vec<Vec<u8>>> {
    list.as_array()?.iter().map(|hex| unhex(hex.as_str()?)).collect()
}
