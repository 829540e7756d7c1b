// SPDX-License-Identifier: GPL-2.0-only
//! Netlink messages as recordings write them, taken apart.

use kernel::Errno;
use netns::{Header, NLMSG_HDRLEN, RTM_DELNSID, RTM_NEWNSID};
use serde_json::{Value, json};

use crate::oracle::events::hex;

/// `NLMSG_ERROR`
pub(super) const NLMSG_ERROR: u16 = 2;
/// `NLMSG_DONE`
pub(super) const NLMSG_DONE: u16 = 3;
/// `NLM_F_CAPPED`
pub(super) const NLM_F_CAPPED: u16 = 0x100;
/// `struct rtgenmsg`, aligned, behind the header: where attributes begin.
const ATTRIBUTES: usize = NLMSG_HDRLEN + 4;
/// An nsid message with one id.
pub(super) const NSID_MESSAGE: usize = 28;

/// The messages of a datagram; what is no message at its end is one piece.
pub(super) fn split(data: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    let mut rest = data;
    while !rest.is_empty() {
        let len = usize::try_from(u32_at(rest, 0).unwrap_or(0)).unwrap_or(usize::MAX);
        let len = len.checked_next_multiple_of(4).filter(|len| *len >= NLMSG_HDRLEN).unwrap_or(usize::MAX);
        let (message, next) = rest.split_at(len.min(rest.len()));
        messages.push(message);
        rest = next;
    }
    messages
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(super) fn set_u32(bytes: &mut [u8], at: usize, value: u32) {
    if let Some(place) = bytes.get_mut(at..at + 4) {
        place.copy_from_slice(&value.to_le_bytes());
    }
}

/// The type of a message; 0 of what is none.
pub(super) fn type_of(message: &[u8]) -> u16 {
    Header::parse(message).map_or(0, |header| header.r#type)
}

/// The error of an `NLMSG_ERROR`, positive; 0 for an ack.
pub(super) fn errno_of(message: &[u8]) -> Option<i32> {
    let error = u32_at(message, NLMSG_HDRLEN).filter(|_| type_of(message) == NLMSG_ERROR)?;
    Some(error.cast_signed().wrapping_neg())
}

/// The id that an nsid message tells.
pub(super) fn nsid_of(message: &[u8]) -> Option<i32> {
    let tells = matches!(type_of(message), RTM_NEWNSID | RTM_DELNSID);
    u32_at(message, ATTRIBUTES + 4).filter(|_| tells).map(u32::cast_signed)
}

/// Where the value of the first attribute of a type lies in a request.
pub(super) fn attribute(request: &[u8], r#type: u16) -> Option<usize> {
    let mut at = ATTRIBUTES;
    loop {
        let header = u32_at(request, at)?;
        let len = usize::from(header as u16);
        if (header >> 16) as u16 == r#type {
            return (len >= 8).then_some(at + 4);
        }
        at += len.max(4).next_multiple_of(4);
    }
}

/// An nsid message.
pub(super) fn nsid_message(flags: u16, seq: u32, portid: u32, id: i32) -> Vec<u8> {
    let mut message = Vec::with_capacity(NSID_MESSAGE);
    message.extend((NSID_MESSAGE as u32).to_le_bytes());
    message.extend(RTM_NEWNSID.to_le_bytes());
    message.extend(flags.to_le_bytes());
    message.extend(seq.to_le_bytes());
    message.extend(portid.to_le_bytes());
    message.extend([0; 4]);
    message.extend([8, 0, 1, 0]);
    message.extend(id.to_le_bytes());
    message
}

/// The ack of a request, as v4.11 makes it: cut off where all is well, or where the socket asks for it.
pub(super) fn ack(request: &[u8], portid: u32, error: i32, cap_ack: bool) -> Vec<u8> {
    let is_capped = error == 0 || cap_ack;
    let echoed = if is_capped { request.get(..NLMSG_HDRLEN).unwrap_or(request) } else { request };
    let mut message = Vec::new();
    message.extend((NLMSG_HDRLEN as u32 + 4 + echoed.len() as u32).to_le_bytes());
    message.extend(NLMSG_ERROR.to_le_bytes());
    message.extend([0; 2]);
    message.extend(u32_at(request, 8).unwrap_or(0).to_le_bytes());
    message.extend(portid.to_le_bytes());
    message.extend(error.wrapping_neg().to_le_bytes());
    message.extend(echoed);
    message
}

/// The end of a dump.
pub(super) fn done(seq: u32, portid: u32) -> Vec<u8> {
    let mut message = vec![20, 0, 0, 0, 3, 0, 2, 0];
    message.extend(seq.to_le_bytes());
    message.extend(portid.to_le_bytes());
    message.extend([0; 4]);
    message
}

/// The name of an error, `0` for none.
pub(super) fn errno_name(errno: i32) -> String {
    Errno(errno).name().map_or_else(|| errno.to_string(), str::to_owned)
}

/// What a request came to: the error of its ack, else the id of the answer, else the end of a dump.
pub(super) fn result_of(messages: &[Vec<u8>]) -> Value {
    let last = |f: fn(&[u8]) -> Option<i32>| messages.iter().rev().find_map(|message| f(message));
    if let Some(errno) = last(errno_of) {
        return json!(errno_name(errno));
    }
    if messages.iter().any(|message| type_of(message) == NLMSG_DONE) {
        return json!("DONE");
    }
    last(nsid_of).map_or_else(|| json!("NO_REPLY"), |id| json!(id))
}

/// Messages as hexadecimal digits.
pub(super) fn hex_list(messages: &[Vec<u8>]) -> Value {
    messages.iter().map(|message| hex(message)).collect()
}

/// What a dump came to, by its datagrams.
pub(super) fn dump_value(datagrams: &[Vec<u8>]) -> Value {
    let messages: Vec<Vec<u8>> = datagrams.iter().flat_map(|data| split(data)).map(<[u8]>::to_vec).collect();
    json!({
        "ids": messages.iter().filter_map(|message| nsid_of(message)).collect::<Vec<_>>(),
        "datagrams": pages(datagrams),
        "result": result_of(&messages),
        "replies": hex_list(&messages),
    })
}

/// The sizes of datagrams.
pub(super) fn pages(datagrams: &[Vec<u8>]) -> Value {
    datagrams.iter().map(|data| json!({ "bytes": data.len(), "messages": split(data).len() })).collect()
}
