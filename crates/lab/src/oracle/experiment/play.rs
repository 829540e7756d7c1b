// SPDX-License-Identifier: GPL-2.0-only
//! The operations of an experiment, done to the port: bytes go in, bytes come out.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use kernel::{EAGAIN, Errno, Kernel};
use machine_sim::{Config, Outcome, Seeded, Sim};
use netns::{
    CLONE_NEWNET, Credentials, Datagram, NetNs, NetPtr, Open, Patches, RTM_NEWNSID, SocketOptions, TaskPtr,
};
use serde_json::{Value, json};

use super::{
    input::{Operation, Peer, Sent, Socket},
    message::{dump_value, errno_name, errno_of, hex_list, pages, result_of, set_u32, split, type_of},
};
use crate::oracle::events::hex;

/// The buffer that a socket is read into.
pub(super) const BUFFER: usize = 65536;

/// What an experiment came to: an output for every operation that was done, and why it was not done to the end.
#[derive(Debug, Default)]
pub(super) struct Played {
    pub(super) outputs: Vec<Value>,
    pub(super) trouble: Option<String>,
}

/// Does all operations, on a machine of its own.
pub(super) fn play(operations: &[Operation], patches: Patches) -> Played {
    let config = Config { max_steps: 50_000_000, ..Config::default() };
    let played = Rc::new(RefCell::new(Played::default()));
    let mut sim = Sim::new(config);
    let (into, total, operations) = (played.clone(), operations.len(), operations.to_vec());
    let outcome = sim.run(&mut Seeded::new(1), |bus| async move {
        let config = netns::Config { net_ns: true, max_net_namespaces: i64::from(i32::MAX) };
        let Some(ns) = NetNs::new(Kernel::new(&bus), config, patches) else { return };
        ns.net_ns_init().await;
        let mut player = Player::new(ns, &operations);
        // The lowest descriptor is that of the script.
        let _ = player.ns.open(Open::Plain).await;
        for operation in &operations {
            match player.perform(operation).await {
                Ok(output) => into.borrow_mut().outputs.push(output),
                Err(why) => {
                    into.borrow_mut().trouble = Some(why);
                    return;
                }
            }
            player.settle().await;
        }
    });
    let found = sim.findings().first().map(ToString::to_string);
    let mut played = played.take();
    played.trouble = found.or(played.trouble);
    if played.trouble.is_none() && (outcome != Outcome::Done || played.outputs.len() < total) {
        played.trouble = Some(format!("the run ended early: {outcome:?}"));
    }
    played
}

/// What reading a socket gave.
#[derive(Clone, Debug)]
pub(super) enum Read {
    Got(Datagram),
    Failed(Errno),
}

/// A socket that is open.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    pub(super) id: i64,
    pub(super) socket: Socket,
    /// How many ids its namespace had announced before.
    announced_before: usize,
}

/// Does operations, and remembers what later ones speak of.
#[derive(Debug)]
pub(super) struct Player {
    pub(super) ns: Rc<NetNs>,
    /// Namespaces, by the descriptors of their files.
    pub(super) spaces: BTreeMap<String, i32>,
    /// The first namespace that was created.
    first: Option<String>,
    /// What descriptors in requests mean, where no operation says.
    recorded_fds: BTreeMap<u32, String>,
    procs: BTreeMap<String, i32>,
    sockets: BTreeMap<String, Opened>,
    /// The socket that was opened last.
    last: Option<String>,
    /// How many ids were announced, by namespace.
    announced: BTreeMap<String, usize>,
    numbers: i32,
}

impl Player {
    fn new(ns: Rc<NetNs>, operations: &[Operation]) -> Self {
        let mut recorded_fds = BTreeMap::new();
        for operation in operations {
            if let Operation::Request(sent) | Operation::Dump(sent) = operation
                && let Peer::Fd(name) = &sent.peer
                && let Some(fd) = super::message::attribute(&sent.request, netns::NETNSA_FD)
            {
                recorded_fds.insert(super::message::u32_at(&sent.request, fd).unwrap_or(0), name.clone());
            }
        }
        Player {
            ns,
            spaces: BTreeMap::new(),
            first: None,
            recorded_fds,
            procs: BTreeMap::new(),
            sockets: BTreeMap::new(),
            last: None,
            announced: BTreeMap::new(),
            numbers: 1000,
        }
    }

    pub(super) fn number(&mut self) -> i32 {
        self.numbers += 1;
        self.numbers
    }
    pub(super) fn root(&self) -> Credentials {
        Credentials { user_ns: self.ns.init_user_ns, euid: 0, cap_sys_admin: true }
    }

    /// Lets work items and RCU callbacks run.
    async fn settle(&self) {
        let k = &self.ns.k;
        loop {
            k.flush_workqueue(self.ns.netns_wq()).await;
            k.rcu_barrier().await;
            if !self.ns.net_cleanup_work().is_pending(k) && k.rcu_callbacks_pending() == 0 {
                return;
            }
        }
    }

    async fn perform(&mut self, operation: &Operation) -> Result<Value, String> {
        let nothing = Ok(json!({}));
        match operation {
            Operation::NetnsCreate(name) => {
                self.create(name).await?;
                nothing
            }
            Operation::NetnsClose(name) => {
                let fd = self.spaces.remove(name).ok_or_else(|| format!("there is no namespace {name}"))?;
                self.ns.close(fd).await.map_err(|err| format!("close: {err}"))?;
                nothing
            }
            Operation::SockOpen(socket) => {
                self.open(socket).await?;
                nothing
            }
            Operation::SockClose(name) => {
                let id = self.socket(name)?.id;
                self.sockets.remove(name);
                self.ns.unlisten(id).await;
                nothing
            }
            Operation::ProcSpawn { proc, ns } => {
                let pid = self.spawn_in(ns).await?.0;
                self.procs.insert(proc.clone(), pid);
                nothing
            }
            Operation::ProcExit(proc) => {
                let pid = self.procs.remove(proc).ok_or_else(|| format!("there is no process {proc}"))?;
                self.end_task(pid).await;
                nothing
            }
            Operation::Request(sent) => {
                let messages = self.request(sent).await?;
                Ok(json!({ "result": result_of(&messages), "replies": hex_list(&messages) }))
            }
            Operation::Dump(sent) => {
                let opened = self.socket(&sent.sock)?;
                let bytes = self.mapped(sent);
                let datagrams = self.ask(opened.id, &bytes).await?;
                Ok(dump_value(&restored(datagrams, &bytes, &sent.request)))
            }
            Operation::DumpAfter(size) => self.dump_after(*size).await,
            Operation::Notified(name) => {
                let opened = self.socket(name)?;
                Ok(self.notified(&opened).await)
            }
            Operation::Bulk(count) => self.bulk(*count).await.and(nothing),
            Operation::Overrun => self.overrun().await,
            Operation::Race(count) => self.race(*count).await,
            Operation::Unprivileged(requests) => self.unprivileged(requests).await,
            Operation::Userns(names) => self.userns(names).await,
        }
    }

    /// A namespace that only its file keeps.
    pub(super) async fn create(&mut self, name: &str) -> Result<i32, String> {
        let (ns, pid) = (self.ns.clone(), self.number());
        if self.spaces.contains_key(name) {
            return Err(format!("there is a namespace {name} already"));
        }
        let failed = |err: Errno| format!("a namespace: {err}");
        let task = ns.clone_task(pid, CLONE_NEWNET, self.root()).await.map_err(failed)?;
        let fd = ns.open(Open::Net(pid)).await.map_err(failed)?;
        ns.exit_task_namespaces(task).await;
        ns.release_task(pid).await;
        self.spaces.insert(name.to_owned(), fd);
        self.first.get_or_insert_with(|| name.to_owned());
        Ok(fd)
    }

    /// The namespace behind a descriptor.
    fn net(&self, name: &str) -> Result<NetPtr, String> {
        let fd = self.spaces.get(name).ok_or_else(|| format!("there is no namespace {name}"))?;
        let file = self.ns.files().into_iter().find(|file| file.fd == *fd);
        file.and_then(|file| file.net).ok_or_else(|| format!("{name} is no network namespace"))
    }

    async fn open(&mut self, socket: &Socket) -> Result<(), String> {
        let id = i64::from(self.number());
        let net = self.net(&socket.ns)?;
        if self.sockets.contains_key(&socket.sock) {
            return Err(format!("there is a socket {} already", socket.sock));
        }
        let options = SocketOptions {
            portid: socket.port,
            subscribed: socket.subscribed,
            all_nsid: socket.all_nsid,
            ext_ack: socket.ext_ack,
            cap_ack: socket.cap_ack,
            strict: socket.strict,
            room: socket.rcvbuf.map_or(usize::MAX, |size| self.ns.room_of_rcvbuf(size)),
            ..SocketOptions::default()
        };
        self.ns.netlink_open(id, net, options).await;
        let announced_before = self.announced.get(&socket.ns).copied().unwrap_or(0);
        let opened = Opened { id, socket: socket.clone(), announced_before };
        self.sockets.insert(socket.sock.clone(), opened);
        self.last = Some(socket.sock.clone());
        Ok(())
    }
    fn socket(&self, name: &str) -> Result<Opened, String> {
        self.sockets.get(name).cloned().ok_or_else(|| format!("there is no socket {name}"))
    }
    pub(super) fn last_socket(&self) -> Result<Opened, String> {
        let last = self.last.as_ref().and_then(|name| self.sockets.get(name));
        last.cloned().ok_or_else(|| "there is no socket".to_owned())
    }
    pub(super) fn first_space(&self) -> Result<String, String> {
        self.first.clone().ok_or_else(|| "there is no namespace".to_owned())
    }

    /// A process in a namespace.
    pub(super) async fn spawn_in(&mut self, name: &str) -> Result<(i32, TaskPtr), String> {
        let fd = *self.spaces.get(name).ok_or_else(|| format!("there is no namespace {name}"))?;
        let (ns, pid) = (self.ns.clone(), self.number());
        let failed = |err: Errno| format!("a process: {err}");
        let task = ns.clone_task(pid, 0, self.root()).await.map_err(failed)?;
        ns.set_current(task);
        let entered = ns.setns(fd, CLONE_NEWNET).await;
        ns.set_current(ns.init_task);
        entered.map_err(failed)?;
        Ok((pid, task))
    }
    pub(super) async fn end_task(&self, pid: i32) {
        if let Some(task) = self.ns.task(pid) {
            self.ns.exit_task_namespaces(task).await;
            self.ns.release_task(pid).await;
        }
    }

    /// A request with our numbers in place of the recording's.
    fn mapped(&self, sent: &Sent) -> Vec<u8> {
        let mut bytes = sent.request.clone();
        let ours = match &sent.peer {
            Peer::Fd(name) => self.spaces.get(name).map(|fd| (netns::NETNSA_FD, *fd)),
            Peer::Pid(name) => self.procs.get(name).map(|pid| (netns::NETNSA_PID, *pid)),
            Peer::Raw => None,
        };
        if let Some((nla, value)) = ours
            && let Some(at) = super::message::attribute(&bytes, nla)
        {
            set_u32(&mut bytes, at, value.cast_unsigned());
        }
        bytes
    }
    /// The same where only the bytes are known.
    pub(super) fn mapped_by_fd(&self, request: &[u8]) -> Vec<u8> {
        let at = super::message::attribute(request, netns::NETNSA_FD);
        let fd = at.and_then(|at| super::message::u32_at(request, at));
        let peer =
            fd.and_then(|fd| self.recorded_fds.get(&fd)).map_or(Peer::Raw, |name| Peer::Fd(name.clone()));
        self.mapped(&Sent { sock: String::new(), request: request.to_vec(), peer, is_zombie: false })
    }

    async fn request(&mut self, sent: &Sent) -> Result<Vec<Vec<u8>>, String> {
        let opened = self.socket(&sent.sock)?;
        if sent.is_zombie
            && let Some(pid) = super::message::attribute(&sent.request, netns::NETNSA_PID)
                .and_then(|at| super::message::u32_at(&sent.request, at))
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

    async fn notified(&self, opened: &Opened) -> Value {
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

    async fn overrun(&self) -> Result<Value, String> {
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

    async fn dump_after(&mut self, size: usize) -> Result<Value, String> {
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
        let ids: Vec<i32> =
            datagrams.iter().flat_map(|data| split(data)).filter_map(super::message::nsid_of).collect();
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
