// SPDX-License-Identifier: GPL-2.0-only
//! Netlink messages as bytes; include/net/netlink.h, lib/nlattr.c
//!
//! Little endian, on every host: a trace must not depend on it.

use kernel::{EINVAL, EMSGSIZE, ERANGE, Errno};

/// `NLMSG_HDRLEN`
pub const NLMSG_HDRLEN: usize = 16;
/// `NLM_F_MULTI`
pub const NLM_F_MULTI: u16 = 2;
/// `NLM_F_ECHO`
pub(crate) const NLM_F_ECHO: u16 = 8;
/// `NLA_HDRLEN`
const NLA_HDRLEN: usize = 4;

/// `NLMSG_ALIGN()`, `NLA_ALIGN()`
pub(crate) const fn align(len: usize) -> usize {
    (len + 3) & !3
}
/// `nla_total_size()`
pub(crate) const fn nla_total_size(payload: usize) -> usize {
    align(NLA_HDRLEN + payload)
}
/// `nlmsg_total_size()`
pub(crate) const fn nlmsg_total_size(payload: usize) -> usize {
    align(NLMSG_HDRLEN + payload)
}

/// The header of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// `nlmsg_type`
    pub r#type: u16,
    /// `nlmsg_flags`
    pub flags: u16,
    /// `nlmsg_seq`
    pub seq: u32,
    /// `nlmsg_pid`
    pub portid: u32,
}

/// The data of a socket buffer, and the room it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Buffer {
    /// What was put.
    pub data: Vec<u8>,
    /// How many bytes fit.
    pub room: usize,
}

impl Header {
    /// The header at the beginning of a message, if it is long enough for one.
    pub fn parse(message: &[u8]) -> Option<Self> {
        let u16_at = |at: usize| Some(u16::from_le_bytes(*message.get(at..)?.first_chunk()?));
        let u32_at = |at: usize| Some(u32::from_le_bytes(*message.get(at..)?.first_chunk()?));
        Some(Header { r#type: u16_at(4)?, flags: u16_at(6)?, seq: u32_at(8)?, portid: u32_at(12)? })
    }
}

impl Buffer {
    /// An empty one.
    pub fn with_room(room: usize) -> Self {
        Buffer { data: Vec::with_capacity(room.min(1 << 16)), room }
    }
    /// `nlmsg_put()`: a header and `payload` zeroed bytes; where the message begins.
    pub fn put_header(&mut self, header: Header, payload: usize) -> Option<usize> {
        let size = nlmsg_total_size(payload);
        if self.room - self.data.len() < size {
            return None;
        }
        let start = self.data.len();
        self.data.extend(u32::try_from(NLMSG_HDRLEN + payload).ok()?.to_le_bytes());
        self.data.extend(header.r#type.to_le_bytes());
        self.data.extend(header.flags.to_le_bytes());
        self.data.extend(header.seq.to_le_bytes());
        self.data.extend(header.portid.to_le_bytes());
        self.data.resize(start + size, 0);
        Some(start)
    }
    /// `nla_put_s32()`
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` without room.
    pub fn put_s32(&mut self, attribute: u16, value: i32) -> Result<(), Errno> {
        let size = nla_total_size(4);
        if self.room - self.data.len() < size {
            return Err(EMSGSIZE);
        }
        self.data.extend(8_u16.to_le_bytes());
        self.data.extend(attribute.to_le_bytes());
        self.data.extend(value.to_le_bytes());
        Ok(())
    }
    /// `nlmsg_end()`: the message that began at `start` is complete.
    pub fn end(&mut self, start: usize) {
        let len = u32::try_from(self.data.len() - start).unwrap_or(u32::MAX);
        self.data[start..start + 4].copy_from_slice(&len.to_le_bytes());
    }
    /// `nlmsg_cancel()`: the message that began at `start` never was.
    pub fn cancel(&mut self, start: usize) {
        self.data.truncate(start);
    }
}

/// What an attribute must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NlaType {
    /// `NLA_UNSPEC`
    Unspec,
    /// `NLA_S32`
    S32,
    /// `NLA_U32`
    U32,
}

impl NlaType {
    /// `nla_attr_minlen[]`
    fn min_len(self) -> usize {
        match self {
            NlaType::Unspec => 0,
            NlaType::S32 | NlaType::U32 => 4,
        }
    }
}

/// The attributes of a request, by type: the payload of the last one of each.
pub(crate) type Attributes<'a, const N: usize> = [Option<&'a [u8]>; N];

/// `nlmsg_parse()`: the attributes behind a header of `hdrlen` bytes in `payload`, which is everything after the
/// netlink header. Attributes of other types are ignored, and so is what is left over at the end.
///
/// # Errors
///
/// `EINVAL` if even the header does not fit, `ERANGE` for an attribute that is too short.
pub(crate) fn nlmsg_parse<'a, const N: usize>(
    payload: &'a [u8],
    hdrlen: usize,
    policy: &[NlaType; N],
) -> Result<Attributes<'a, N>, Errno> {
    if payload.len() < hdrlen {
        return Err(EINVAL);
    }
    let mut attributes = [None; N];
    let mut rest = payload.get(align(hdrlen)..).unwrap_or_default();
    while let Some((r#type, value, next)) = next_attribute(rest) {
        if r#type > 0 && r#type < N {
            if value.len() < policy[r#type].min_len() {
                return Err(ERANGE);
            }
            attributes[r#type] = Some(value);
        }
        rest = next;
    }
    Ok(attributes)
}

/// Where in a message the last attribute of a type begins, if there is one: from the netlink header on.
pub(crate) fn attribute_offset(payload: &[u8], hdrlen: usize, r#type: u16) -> Option<u32> {
    let mut rest = payload.get(align(hdrlen)..).unwrap_or_default();
    let mut found = None;
    while let Some((other, _, next)) = next_attribute(rest) {
        if other == usize::from(r#type) {
            found = u32::try_from(NLMSG_HDRLEN + payload.len() - rest.len()).ok();
        }
        rest = next;
    }
    found
}

/// `nla_ok()`, `nla_next()`: the first attribute's type and payload, and what follows.
fn next_attribute(rest: &[u8]) -> Option<(usize, &[u8], &[u8])> {
    /// `NLA_TYPE_MASK`: without the bits for nested and for network byte order.
    const TYPE_MASK: u16 = 0x3FFF;
    let header = rest.get(..NLA_HDRLEN)?;
    let len = usize::from(u16::from_le_bytes([header[0], header[1]]));
    let r#type = u16::from_le_bytes([header[2], header[3]]) & TYPE_MASK;
    let value = rest.get(NLA_HDRLEN..len)?;
    Some((usize::from(r#type), value, rest.get(align(len)..).unwrap_or_default()))
}

/// `nla_get_s32()`, of an attribute that was checked to be long enough.
pub(crate) fn get_s32(value: &[u8]) -> i32 {
    value.first_chunk().map_or(0, |bytes| i32::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: [NlaType; 4] = [NlaType::Unspec, NlaType::S32, NlaType::U32, NlaType::U32];

    #[test]
    fn the_28_bytes() {
        let mut buffer = Buffer::with_room(28);
        let header = Header { r#type: 88, flags: 0, seq: 7, portid: 5 };
        let start = buffer.put_header(header, 1).expect("room");
        buffer.put_s32(1, -1).expect("room");
        buffer.end(start);
        let bytes: String = buffer.data.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(bytes, "1c00000058000000070000000500000000000000".to_owned() + "08000100ffffffff");
        assert_eq!(buffer.put_header(header, 1), None);
        assert_eq!(buffer.put_s32(1, 0), Err(EMSGSIZE));
    }

    #[test]
    fn attributes() {
        let nsid_and_fd = [0, 0, 0, 0, 8, 0, 1, 0, 255, 255, 255, 255, 8, 0, 3, 0, 5, 0, 0, 0];
        let parsed = nlmsg_parse(&nsid_and_fd, 1, &POLICY).expect("valid");
        assert_eq!((parsed[1].map(get_s32), parsed[2], parsed[3].map(get_s32)), (Some(-1), None, Some(5)));
    }

    #[test]
    fn bad_requests() {
        assert_eq!(nlmsg_parse(&[], 1, &POLICY), Err(EINVAL));
        assert_eq!(nlmsg_parse(&[0, 0, 0, 0, 6, 0, 1, 0, 9, 9], 1, &POLICY), Err(ERANGE));
        // Too short for an attribute, or a length that leads beyond the end: left over.
        for rest in [&[0, 0, 0, 0, 3, 0][..], &[0, 0, 0, 0, 9, 0, 1, 0, 1, 1, 1, 1], &[0]] {
            assert_eq!(nlmsg_parse(rest, 1, &POLICY), Ok([None; 4]));
        }
    }
}
