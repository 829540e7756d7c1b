// SPDX-License-Identifier: GPL-2.0-only
//! Operations of an experiment that need contexts of their own: many, racing, or without privileges.

use std::{cell::RefCell, rc::Rc};

use kernel::{Completion, Errno, Pointer, object};
use netns::{CLONE_NEWNET, Credentials, NETNSA_FD, NETNSA_NSID, NETNSA_PID, SocketOptions};
use serde_json::{Map, Value, json};

use super::{
    exchange::restored,
    message::{errno_name, errno_of, hex_list, result_of, set_u32, split},
    play::Player,
};

object! {
    /// What the processes of a race tell when they have ended.
    struct RacePtr("recorded race", "race", "stack") {
        done: Completion,
    }
}

/// An `RTM_NEWNSID` (88) or `RTM_GETNSID` (90) request with an ack if that is all that comes back.
fn request(r#type: u8, seq: u32, attributes: &[(u16, u32)]) -> Vec<u8> {
    let flags = if r#type == 88 { 5 } else { 1 };
    let len = u8::try_from(20 + 8 * attributes.len()).unwrap_or(u8::MAX);
    let mut bytes = vec![len, 0, 0, 0, r#type, 0, flags, 0];
    bytes.extend(seq.to_le_bytes());
    bytes.extend([0; 8]);
    for (nla, value) in attributes {
        bytes.extend([8, 0]);
        bytes.extend(nla.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes
}

/// The messages of datagrams.
fn messages(datagrams: &[Vec<u8>]) -> Vec<Vec<u8>> {
    datagrams.iter().flat_map(|data| split(data)).map(<[u8]>::to_vec).collect()
}

impl Player {
    /// New namespaces, with the ids from 0 on.
    pub(super) async fn bulk(&mut self, count: usize) -> Result<(), String> {
        let (id, _) = self.new_socket_beside_last(0x7000_0002).await?;
        for n in 0..u32::try_from(count).unwrap_or(0) {
            let fd = self.create(&format!("bulk peer {n}")).await?;
            let attributes = [(NETNSA_NSID, n), (NETNSA_FD, fd.cast_unsigned())];
            let replies = messages(&self.ask(id, &request(88, n, &attributes)).await?);
            if result_of(&replies) != "0" {
                return Err(format!("the {n}th of many ids: {}", result_of(&replies)));
            }
        }
        self.ns.unlisten(id).await;
        Ok(())
    }

    /// Two processes name the same peers in the same order, in the namespace of the last socket.
    pub(super) async fn race(&mut self, count: usize) -> Result<Value, String> {
        let bus = self.ns.k.bus.clone();
        let mut fds = Vec::new();
        for n in 0..count {
            fds.push(self.create(&format!("race peer {n}")).await?);
        }
        let Some(race) = bus.alloc(RacePtr::layout(), 8).map(RacePtr::at) else {
            return Err("no memory".to_owned());
        };
        let mut errors = Vec::new();
        let mut of = None;
        for racer in 0..2 {
            let (id, net) = self.new_socket_beside_last(0x7000_0003 + racer).await?;
            of = Some(net);
            let (ns, fds, into) = (self.ns.clone(), fds.clone(), Rc::new(RefCell::new(Vec::new())));
            errors.push((id, into.clone()));
            self.ns.k.spawn("racer", None, async move {
                for (seq, fd) in (0..).zip(fds) {
                    let attributes = [(NETNSA_NSID, u32::MAX), (NETNSA_FD, fd.cast_unsigned())];
                    let sent = ns.netlink_sendmsg(id, &request(88, seq, &attributes)).await;
                    let reply = ns.netlink_recvmsg(id, super::play::BUFFER).await;
                    let errno = reply.ok().and_then(|reply| errno_of(&reply.data));
                    into.borrow_mut().push(errno.filter(|_| sent.is_ok()));
                }
                race.done().complete(&ns.k);
            });
        }
        let mut ended = 0;
        while ended < 2 {
            ended += race.done().wait(&self.ns.k).await;
        }
        self.ns.k.kfree(race.addr());
        let mut pairs = Map::new();
        let name = |errno: Option<i32>| errno.map_or_else(|| "none".to_owned(), errno_name);
        let (first, second) = (errors[0].1.take(), errors[1].1.take());
        for (first, second) in first.into_iter().zip(second) {
            let pair = format!("{}/{}", name(first), name(second));
            let times = pairs.get(&pair).and_then(Value::as_u64).unwrap_or(0);
            pairs.insert(pair, json!(times + 1));
        }
        for (id, _) in errors {
            self.ns.unlisten(id).await;
        }
        let table = of.map(|net| self.ns.nsids_of(net)).unwrap_or_default();
        let files = self.ns.files();
        let id_of = |fd: &i32| {
            let net = files.iter().find(|file| file.fd == *fd).and_then(|file| file.net)?;
            table.iter().find(|(_, peer)| *peer == net).map(|(id, _)| *id)
        };
        let ids: Vec<Option<i32>> = fds.iter().map(id_of).collect();
        let distinct: std::collections::BTreeSet<i32> = ids.iter().copied().flatten().collect();
        let all = distinct.iter().copied().eq(0..i32::try_from(count).unwrap_or(0));
        Ok(json!({
            "pairs": pairs,
            "distinct": distinct.len(),
            format!("ids_are_0_to_{}", count.saturating_sub(1)): all,
            "in_order": ids.is_sorted(),
        }))
    }

    /// Requests of a process in the first namespace that has no capabilities. Its port may be any.
    pub(super) async fn unprivileged(&mut self, requests: &[Vec<u8>]) -> Result<Value, String> {
        let space = self.first_space()?;
        let ns = self.ns.clone();
        let (outer, enters) = self.spawn_in(&space).await?;
        let pid = self.number();
        ns.set_current(enters);
        let cred = Credentials { user_ns: ns.init_user_ns, euid: 1000, cap_sys_admin: false };
        let task = ns.clone_task(pid, 0, cred).await.map_err(|err| format!("a process: {err}"))?;
        ns.set_current(task);
        let answers = self.answers(pid, requests).await;
        ns.set_current(ns.init_task);
        self.end_task(pid).await;
        self.end_task(outer).await;
        let results = answers?.into_iter().map(|replies| json!({ "replies": hex_list(&replies) }));
        Ok(json!({ "results": results.collect::<Vec<_>>() }))
    }

    /// The replies to requests of `current`, on a socket in its namespace; without the port.
    async fn answers(&mut self, pid: i32, requests: &[Vec<u8>]) -> Result<Vec<Vec<Vec<u8>>>, String> {
        let id = self.socket_of_task(pid).await?;
        let mut answers = Vec::new();
        for theirs in requests {
            let ours = self.mapped_by_fd(theirs);
            let mut replies = messages(&restored(self.ask(id, &ours).await?, &ours, theirs));
            for reply in &mut replies {
                set_u32(reply, 12, 0);
            }
            answers.push(replies);
        }
        self.ns.unlisten(id).await;
        Ok(answers)
    }

    async fn socket_of_task(&mut self, pid: i32) -> Result<i64, String> {
        let task = self.ns.tasks().into_iter().find(|task| task.pid == pid);
        let net = task.ok_or_else(|| "the process is gone".to_owned())?.net;
        let id = i64::from(self.number());
        let options = SocketOptions { portid: 0x7000_0005, ..SocketOptions::default() };
        self.ns.netlink_open(id, net, options).await;
        Ok(id)
    }

    /// Requests of the root of a new user namespace, in a network namespace of its own. Where one sets an id, it is 1.
    pub(super) async fn userns(&mut self, names: &[String]) -> Result<Value, String> {
        let ns = self.ns.clone();
        let failed = |err: Errno| format!("a user namespace: {err}");
        let max = i64::from(i32::MAX);
        let user_ns = ns.create_user_ns(ns.init_user_ns, 1000, max).await.map_err(failed)?;
        let pid = self.number();
        let cred = Credentials { user_ns, euid: 0, cap_sys_admin: true };
        let task = ns.clone_task(pid, CLONE_NEWNET, cred).await.map_err(failed)?;
        ns.set_current(task);
        let results = self.results_of(pid, names).await;
        ns.set_current(ns.init_task);
        self.end_task(pid).await;
        ns.put_user_ns(user_ns).await;
        Ok(json!({ "results": results? }))
    }

    async fn results_of(&mut self, pid: i32, names: &[String]) -> Result<Value, String> {
        let id = self.socket_of_task(pid).await?;
        let mut results = Map::new();
        for (seq, name) in (1..).zip(names) {
            let words: Vec<&str> = name.split_whitespace().collect();
            let (set, peer) = match words[..] {
                ["NEWNSID", "peer", "pid", peer] => (true, peer),
                ["GETNSID", "pid", peer] => (false, peer),
                _ => return Err(format!("`{name}` is not understood")),
            };
            let peer: i32 = peer.parse().map_err(|_| format!("`{name}` has no pid"))?;
            let peer = (NETNSA_PID, peer.cast_unsigned());
            let bytes =
                if set { request(88, seq, &[(NETNSA_NSID, 1), peer]) } else { request(90, seq, &[peer]) };
            let replies = messages(&self.ask(id, &bytes).await?);
            results.insert(name.clone(), result_of(&replies));
        }
        self.ns.unlisten(id).await;
        Ok(Value::Object(results))
    }
}
