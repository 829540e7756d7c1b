// SPDX-License-Identifier: GPL-2.0-only
//! The operations of an experiment, done to the port: bytes go in, bytes come out.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use kernel::{Errno, Kernel};
use machine_sim::{Config, Outcome, Seeded, Sim};
use netns::{CLONE_NEWNET, Changes, Credentials, Datagram, NetNs, NetPtr, Open, SocketOptions, TaskPtr};
use serde_json::{Value, json};

use super::{
    exchange::restored,
    input::{Operation, Peer, Socket},
    message::{attribute, dump_value, hex_list, result_of, u32_at},
};
/// The buffer that a socket is read into.
pub(super) const BUFFER: usize = 65536;

/// What an experiment came to: an output for every operation that was done, and why it was not done to the end.
#[derive(Debug, Default)]
pub(super) struct Played {
    pub(super) outputs: Vec<Value>,
    pub(super) trouble: Option<String>,
}

/// Does all operations, on a machine of its own.
pub(super) fn play(operations: &[Operation], patches: Changes) -> Played {
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
    pub(super) announced_before: usize,
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
    pub(super) recorded_fds: BTreeMap<u32, String>,
    pub(super) procs: BTreeMap<String, i32>,
    pub(super) sockets: BTreeMap<String, Opened>,
    /// The socket that was opened last.
    last: Option<String>,
    /// How many ids were announced, by namespace.
    pub(super) announced: BTreeMap<String, usize>,
    numbers: i32,
}

impl Player {
    fn new(ns: Rc<NetNs>, operations: &[Operation]) -> Self {
        let mut recorded_fds = BTreeMap::new();
        for operation in operations {
            if let Operation::Request(sent) | Operation::Dump(sent) = operation
                && let Peer::Fd(name) = &sent.peer
                && let Some(fd) = attribute(&sent.request, netns::NETNSA_FD)
            {
                recorded_fds.insert(u32_at(&sent.request, fd).unwrap_or(0), name.clone());
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
    pub(super) fn net(&self, name: &str) -> Result<NetPtr, String> {
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
    pub(super) fn socket(&self, name: &str) -> Result<Opened, String> {
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
}
