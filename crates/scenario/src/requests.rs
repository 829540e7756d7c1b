// SPDX-License-Identifier: GPL-2.0-only
//! Steps about netlink.

use std::collections::BTreeSet;

use netns::{
    Datagram, FIRST_PAGE, NETNSA_FD, NETNSA_NSID, NETNSA_PID, NetNs, NetPtr, NetlinkCallback, Request,
};

use crate::{
    body::Step,
    events::message_text,
    execute::{Me, need},
    step::{Action, Dump, Received},
    values::{Expected, FdArg, Int, PidArg, SocketRef},
    world::{Value, World},
};

/// Sockets that may be open at once: every message is offered to each of them.
const MAX_SOCKETS: usize = 1024;
/// Messages that a socket has room for, if the scenario does not say.
const DEFAULT_ROOM: usize = 1000;

impl World {
    pub(crate) async fn netlink_step(&self, step: &Step, me: Me) {
        let ns = &self.ns;
        match &step.action {
            Action::Newnsid(s) => {
                let net = need!(self, self.net(&s.net, me));
                let request = need!(self, self.request(net, s.nsid, s.pid.as_ref(), s.fd.as_ref()));
                self.gives(step, &s.expect, ns.newnsid(&request).await.into());
            }
            Action::Getnsid(s) => {
                let net = need!(self, self.net(&s.net, me));
                let request = need!(self, self.request(net, None, s.pid.as_ref(), s.fd.as_ref()));
                let got = self.ask(step, &request, s.reply).await;
                self.gives(step, &s.expect, got);
            }
            Action::NewnsidRaw(s) => {
                let net = need!(self, self.net(&s.net, me));
                let request = self.raw(net, s.hex.bytes().unwrap_or_default());
                self.gives(step, &s.expect, ns.newnsid(&request).await.into());
            }
            Action::GetnsidRaw(s) => {
                let net = need!(self, self.net(&s.net, me));
                let request = self.raw(net, s.hex.bytes().unwrap_or_default());
                let got = self.ask(step, &request, s.reply).await;
                self.gives(step, &s.expect, got);
            }
            Action::Dump(s) => self.dump(step, need!(self, self.net(&s.net, me)), s).await,
            Action::Listen(s) => {
                let net = need!(self, self.net(&s.net, me));
                if ns.netlink.listeners.borrow().len() >= MAX_SOCKETS {
                    return self.fail(Some(step.place), format!("there are {MAX_SOCKETS} sockets already"));
                }
                let number = i64::from(self.next_number());
                let room = s.room.map_or(DEFAULT_ROOM, |room| room.usize());
                ns.listen(number, net, s.all_nsid, s.cap.unwrap_or(true), room).await;
                self.set(s.r#as.name.slot, Value::Socket(number));
            }
            Action::Unlisten(s) => {
                ns.unlisten(need!(self, self.socket(&s.socket))).await;
            }
            Action::Received(s) => self.received(step, need!(self, self.socket(&s.socket)), s),
            Action::UnicastError(s) => {
                let error = match s.error.value {
                    Expected::Error(error) => Some(error),
                    Expected::Number(n) => i32::try_from(n).ok().filter(|n| *n < 0),
                    _ => None,
                };
                *ns.netlink.unicast_error.borrow_mut() = error;
            }
            _ => {}
        }
    }

    fn socket(&self, name: &SocketRef) -> Option<i64> {
        match self.get(name.name.slot) {
            Value::Socket(number) => Some(number),
            _ => None,
        }
    }
    /// A request with attributes; none if a name is not bound.
    fn request(
        &self,
        net: NetPtr,
        nsid: Option<Int>,
        pid: Option<&PidArg>,
        fd: Option<&FdArg>,
    ) -> Option<Request> {
        let mut attributes = Vec::new();
        attributes.extend(nsid.map(|nsid| (NETNSA_NSID, nsid.i32().cast_unsigned())));
        if let Some(pid) = pid {
            attributes.push((NETNSA_PID, self.number(pid)?.cast_unsigned()));
        }
        if let Some(fd) = fd {
            attributes.push((NETNSA_FD, self.number(fd)?.cast_unsigned()));
        }
        let seq = self.next_number().cast_unsigned();
        Some(Request { seq, ..Request::with_attributes(net, &attributes) })
    }
    fn raw(&self, net: NetPtr, payload: Vec<u8>) -> Request {
        let seq = self.next_number().cast_unsigned();
        Request { seq, payload, ..Request::with_attributes(net, &[]) }
    }

    /// An `RTM_GETNSID` request: what sending it returned. The answer is found by its number.
    async fn ask(&self, step: &Step, request: &Request, expected: Option<Int>) -> Value {
        let got = self.ns.getnsid(request).await.into();
        if let Some(expected) = expected {
            let reply = self.reply_to(request.seq);
            if reply != Some(expected.i32()) {
                let reply = reply.map_or_else(|| "none".to_owned(), |id| id.to_string());
                self.fail(Some(step.place), format!("reply: expected {}, got {reply}", expected.0));
            }
        }
        got
    }
    fn reply_to(&self, seq: u32) -> Option<i32> {
        let log = self.ns.netlink.log.borrow();
        let messages = (0..).map(|number| log.message(number)).take_while(|message| !message.is_empty());
        let answers = messages.filter(|message| message.get(8..12) == Some(&seq.to_le_bytes()[..]));
        answers.last().and_then(|message| NetNs::ids_of_page(message).first().copied())
    }

    async fn dump(&self, step: &Step, net: NetPtr, s: &Dump) {
        let request = self.raw(net, vec![0; 4]);
        let mut cb = NetlinkCallback { request, s_idx: 0 };
        let room = s.room.map_or(FIRST_PAGE, |room| room.usize());
        let (mut ids, mut pages) = (Vec::new(), 0_i64);
        loop {
            let page = self.ns.dump_nsids(&mut cb, room).await;
            pages += i64::from(!page.data.is_empty());
            ids.extend(NetNs::ids_of_page(&page.data));
            if page.len == 0 {
                break;
            }
        }
        let reported: BTreeSet<i32> = ids.iter().copied().collect();
        let there = self.ns.nsids_of(net).into_iter().map(|(id, _)| id);
        let missing: Vec<i32> = there.filter(|id| !reported.contains(id)).collect();
        let is_twice = |id: &i32| ids.iter().filter(|other| *other == id).count() > 1;
        let twice: Vec<i32> = reported.iter().copied().filter(is_twice).collect();
        for (what, expected, got) in
            [("ids", &s.ids, &ids), ("missing", &s.missing, &missing), ("twice", &s.twice, &twice)]
        {
            let Some(expected) = expected else { continue };
            let expected: Vec<i32> = expected.iter().map(|id| id.i32()).collect();
            if *got != expected {
                self.fail(Some(step.place), format!("{what}: expected {expected:?}, got {got:?}"));
            }
        }
        let count = i64::try_from(ids.len()).unwrap_or(i64::MAX);
        for (what, expected, got) in [("count", s.count, count), ("pages", s.pages, pages)] {
            if let Some(expected) = expected.filter(|expected| expected.0 != got) {
                self.fail(Some(step.place), format!("{what}: expected {}, got {got}", expected.0));
            }
        }
    }

    fn received(&self, step: &Step, socket: i64, s: &Received) {
        let Some((received, error)) = self.received_by(socket) else { return self.skip() };
        if let Some(expected) = s.expect.as_ref().filter(|expected| **expected != received) {
            let list = |texts: &[String]| format!("[{}]", texts.join(", "));
            let text = format!("expected {}, got {}", list(expected), list(&received));
            self.fail(Some(step.place), text);
        }
        self.compare(step, "error: ", &s.error.value, Value::of_int(error), Me::default());
        if s.take {
            let mut listeners = self.ns.netlink.listeners.borrow_mut();
            if let Some(listener) = listeners.iter_mut().find(|listener| listener.id == socket) {
                listener.received.clear();
                listener.sk_err = 0;
                listener.congested = false;
            }
        }
    }
    /// What a socket has received, in words, and its error.
    pub(crate) fn received_by(&self, socket: i64) -> Option<(Vec<String>, i32)> {
        let listeners = self.ns.netlink.listeners.borrow();
        let listener = listeners.iter().find(|listener| listener.id == socket)?;
        // netlink_cmsg_listen_all_nsid()
        let is_told = |datagram: &Datagram| listener.options.all_nsid && datagram.nsid_is_set;
        let text = |datagram: &Datagram| match datagram.nsid {
            nsid if is_told(datagram) => format!("{} from {nsid}", message_text(&datagram.data)),
            _ => message_text(&datagram.data),
        };
        Some((listener.received.iter().map(text).collect(), listener.sk_err))
    }
}
