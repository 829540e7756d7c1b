// SPDX-License-Identifier: GPL-2.0-only
//! What is left at the end of a run.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use kernel::{Errno, Pointer};
use netns::{NetPtr, UcountsView};
use serde::Serialize;

use crate::{diagnostic::natural, world::World};

/// A network namespace that is not freed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NamespaceState {
    /// What it is: `net 1`.
    pub object: String,
    /// What the scenario calls it.
    pub name: Option<String>,
    /// References.
    pub count: i64,
    /// References to its memory.
    pub passive: i64,
    /// Whether it is on `net_namespace_list`.
    pub listed: bool,
    /// Whether it waits for a cleanup pass.
    pub to_clean_up: bool,
    /// Its inode number, counted from the first dynamic one; none before it has one.
    pub inum: Option<u32>,
    /// Its owner.
    pub user_ns: String,
    /// Its ids for others.
    pub nsids: BTreeMap<i32, String>,
}

/// What a user has in a user namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UcountState {
    /// The user namespace.
    pub user_ns: String,
    /// The user.
    pub uid: u32,
    /// Network namespaces charged.
    pub net_namespaces: i64,
}

/// A process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TaskState {
    /// Its number.
    pub pid: i32,
    /// What the scenario calls it.
    pub name: Option<String>,
    /// Its network namespace; none once it has exited.
    pub net: Option<String>,
}

/// A netlink socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SocketState {
    /// What the scenario calls it.
    pub name: String,
    /// Its namespace.
    pub net: String,
    /// What it has received.
    pub received: Vec<String>,
    /// Its error, if it has one.
    pub error: Option<String>,
}

/// What is left at the end of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EndState {
    /// Namespaces that are not freed, the first included.
    pub namespaces: Vec<NamespaceState>,
    /// Names of pernet operations, in order.
    pub pernet: Vec<String>,
    /// The first of them that is a device.
    pub first_device: Option<String>,
    /// Whether all lists could be walked to their ends.
    pub lists_intact: bool,
    /// Ids of pernet operations that are taken.
    pub generic_ids: Vec<u32>,
    /// How many slots new arrays would get.
    pub max_gen_ptrs: u32,
    /// RCU callbacks that have not run.
    pub callbacks: usize,
    /// Whether a cleanup pass is due.
    pub cleanup_pending: bool,
    /// User namespaces that are not freed, the first included.
    pub user_namespaces: Vec<String>,
    /// What users are charged.
    pub ucounts: Vec<UcountState>,
    /// Processes.
    pub tasks: Vec<TaskState>,
    /// Open files: the namespace that each is of, if it is of one.
    pub files: BTreeMap<i32, Option<String>>,
    /// Netlink sockets.
    pub sockets: Vec<SocketState>,
    /// What names are bound to.
    pub bindings: BTreeMap<String, String>,
    /// What was armed, and how often it has fired.
    pub faults: Vec<(String, u64)>,
}

impl EndState {
    /// Looks at a run. Nothing must run meanwhile.
    pub fn of(world: &World) -> Self {
        let ns = world.ns();
        let (listed, to_clean_up) = (ns.listed_nets(), ns.nets_to_clean_up());
        let (on_list, waiting): (BTreeSet<NetPtr>, BTreeSet<NetPtr>) =
            (listed.entries.iter().copied().collect(), to_clean_up.entries.iter().copied().collect());
        let names = world.names();
        let net_text = |net: NetPtr| world.net_text_with(net, names.get(&net).copied());
        let pernet = ns.pernet_operations();
        let cleanup_pending = ns.net_cleanup_work().is_pending(&ns.k) || !to_clean_up.entries.is_empty();
        let namespace = |net: NetPtr| NamespaceState {
            object: ns.describe(net.addr()),
            name: names.get(&net).map(|name| (*name).to_owned()),
            count: ns.count_of(net),
            passive: ns.passive_of(net),
            listed: on_list.contains(&net),
            to_clean_up: waiting.contains(&net),
            inum: ns.inum_of(net).checked_sub(netns::PROC_DYNAMIC_FIRST),
            user_ns: world.user_ns_name(ns.user_ns_of(net).addr()),
            nsids: ns.nsids_of(net).into_iter().map(|(id, peer)| (id, net_text(peer))).collect(),
        };
        let ucount = |view: UcountsView| UcountState {
            user_ns: world.user_ns_name(view.ns.addr()),
            uid: view.uid,
            net_namespaces: view.net_namespaces,
        };
        let sockets: Vec<(i64, NetPtr)> =
            ns.netlink.listeners.borrow().iter().map(|socket| (socket.id, socket.net)).collect();
        let socket = |(number, net): (i64, NetPtr)| {
            let (received, error) = world.received_by(number).unwrap_or_default();
            let error = (error != 0).then(|| Errno(-error).to_string());
            SocketState { name: world.socket_name(number), net: net_text(net), received, error }
        };
        EndState {
            namespaces: ns.live_nets().into_iter().map(namespace).collect(),
            pernet: pernet.entries.iter().map(|ops| ns.pernet_name(*ops).to_string()).collect(),
            first_device: ns.first_device().map(|ops| ns.pernet_name(ops).to_string()),
            lists_intact: listed.closed && to_clean_up.closed && pernet.closed,
            generic_ids: ns.generic_ids(),
            max_gen_ptrs: ns.max_gen_ptrs(),
            callbacks: ns.k.rcu_callbacks_pending(),
            cleanup_pending,
            user_namespaces: ns
                .live_user_namespaces()
                .into_iter()
                .map(|user_ns| world.user_ns_name(user_ns.addr()))
                .collect(),
            ucounts: ns.ucounts().into_iter().map(ucount).collect(),
            tasks: world.task_states(&net_text),
            files: ns.files().iter().map(|file| (file.fd, file.net.map(net_text))).collect(),
            sockets: sockets.into_iter().map(socket).collect(),
            bindings: world.bindings().into_iter().collect(),
            faults: world.faults().into_iter().map(|armed| (armed.what, armed.fired)).collect(),
        }
    }
}

impl World {
    fn task_states(&self, net_text: &impl Fn(NetPtr) -> String) -> Vec<TaskState> {
        let processes = self.processes.borrow();
        let names: BTreeMap<i32, &String> = processes
            .iter()
            .zip(&self.scenario.processes)
            .filter_map(|(pid, name)| Some(((*pid)?, name)))
            .collect();
        let name = |pid: i32| names.get(&pid).map(|name| (*name).clone());
        let state = |view: &netns::TaskView| TaskState {
            pid: view.pid,
            name: if view.pid == 1 { Some("init".to_owned()) } else { name(view.pid) },
            net: (!view.net.is_null()).then(|| net_text(view.net)),
        };
        self.ns.tasks().iter().map(state).collect()
    }
}

impl fmt::Display for EndState {
    /// One line for each thing that is left.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for net in &self.namespaces {
            write!(f, "{}", net.object)?;
            if let Some(name) = net.name.as_ref().filter(|name| **name != net.object) {
                write!(f, " ({name})")?;
            }
            write!(f, ": count {}, passive {}, owner {}", net.count, net.passive, net.user_ns)?;
            if let Some(inum) = net.inum {
                write!(f, ", inum {inum}")?;
            }
            if !net.listed {
                write!(f, ", not listed")?;
            }
            if net.to_clean_up {
                write!(f, ", to clean up")?;
            }
            writeln!(f)?;
            for (id, peer) in &net.nsids {
                writeln!(f, "    nsid {id}: {peer}")?;
            }
        }
        let pernet: Vec<&str> = self.pernet.iter().map(String::as_str).collect();
        write!(f, "pernet: {}", or_none(&pernet))?;
        if let Some(device) = &self.first_device {
            write!(f, "; devices from {device}")?;
        }
        writeln!(f, "; max_gen_ptrs {}", self.max_gen_ptrs)?;
        if !self.lists_intact {
            writeln!(f, "a list is damaged")?;
        }
        let pending = if self.cleanup_pending { "pending" } else { "not pending" };
        let s = if self.callbacks == 1 { "" } else { "s" };
        writeln!(f, "cleanup {pending}; {} RCU callback{s}", self.callbacks)?;
        for ucount in &self.ucounts {
            let UcountState { user_ns, uid, net_namespaces } = ucount;
            writeln!(f, "ucounts {user_ns}/{uid}: {net_namespaces}")?;
        }
        if self.user_namespaces.len() > 1 {
            writeln!(f, "user namespaces: {}", self.user_namespaces.join(", "))?;
        }
        for task in &self.tasks {
            let name = task.name.as_deref().unwrap_or("?");
            writeln!(f, "task {} ({name}): {}", task.pid, task.net.as_deref().unwrap_or("exited"))?;
        }
        for (fd, net) in &self.files {
            writeln!(f, "fd {fd}: {}", net.as_deref().unwrap_or("of no network namespace"))?;
        }
        for socket in &self.sockets {
            let received: Vec<&str> = socket.received.iter().map(String::as_str).collect();
            write!(f, "socket {} in {}: {}", socket.name, socket.net, or_none(&received))?;
            if let Some(error) = &socket.error {
                write!(f, "; {error}")?;
            }
            writeln!(f)?;
        }
        let mut bindings: Vec<_> = self.bindings.iter().collect();
        bindings.sort_by_key(|(name, _)| natural(name));
        for (name, value) in bindings {
            writeln!(f, "{name} = {value}")?;
        }
        for (what, fired) in &self.faults {
            let times = if *fired == 1 { "once".to_owned() } else { format!("{fired} times") };
            writeln!(f, "{what}: fired {times}")?;
        }
        Ok(())
    }
}

fn or_none(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
