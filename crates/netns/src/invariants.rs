// SPDX-License-Identifier: GPL-2.0-only
//! What is true of the subsystem whenever nothing runs. Read without an access, as in [`inspect`](crate::inspect).

use std::collections::{BTreeMap, BTreeSet};

use kernel::{Addr, Pointer};

use crate::{NetNs, net::NetPtr, ucount::UcountsPtr, user_namespace::UserNsPtr};

/// Something that should be true and is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which rule: the same words for whatever object breaks it.
    pub rule: &'static str,
    /// What is wrong, in words.
    pub text: String,
    /// The object that it is about, or what led to it; NULL for none.
    pub about: Addr,
}

/// What has been found so far.
#[derive(Debug, Default)]
struct Found(Vec<Broken>);

impl Found {
    fn add(&mut self, rule: &'static str, about: Addr, text: String) {
        self.0.push(Broken { rule, text, about });
    }
}

impl NetNs {
    /// The invariants that do not hold. To be asked when nothing runs and no callback or work item is queued.
    pub fn broken_invariants(&self) -> Vec<Broken> {
        let mut found = Found::default();
        self.check_lists(&mut found);
        self.check_namespaces(&mut found);
        self.check_nsids(&mut found);
        self.check_ucounts(&mut found);
        self.check_net_generic(&mut found);
        self.check_references(&mut found);
        found.0.extend(self.freed_on_lists());
        found.0.extend(self.broken_history());
        found.0
    }

    /// Every list leads back to its head.
    fn check_lists(&self, found: &mut Found) {
        let closed = [
            ("net_namespace_list", self.listed_nets().closed),
            ("cleanup_list", self.nets_to_clean_up().closed),
            ("pernet_list", self.pernet_operations().closed),
        ];
        for (list, _) in closed.into_iter().filter(|(_, closed)| !closed) {
            found.add("list", Addr::NULL, format!("{list} does not lead back to its head"));
        }
    }

    /// A namespace is on `net_namespace_list` until a cleanup pass takes it, and is cleaned up once its count is 0.
    fn check_namespaces(&self, found: &mut Found) {
        let listed: BTreeSet<NetPtr> = self.listed_nets().entries.into_iter().collect();
        let waits: BTreeSet<NetPtr> = self.nets_to_clean_up().entries.into_iter().collect();
        let is_due = self.net_cleanup_work().is_pending(&self.k);
        for net in self.live_nets() {
            let (name, count) = (self.describe(net.addr()), self.count_of(net));
            if listed.contains(&net) && count == 0 && !(is_due && waits.contains(&net)) {
                let text = format!("{name} is dead, and no cleanup pass will take it");
                found.add("dead namespace", net.addr(), text);
            }
            if !listed.contains(&net) && count > 0 && self.init_net_initialized() {
                let text = format!("{name} has {count} references, and is not on net_namespace_list");
                found.add("namespace in use", net.addr(), text);
            }
        }
    }

    /// An id stands for a namespace that a look-up may still find: one on `net_namespace_list`.
    fn check_nsids(&self, found: &mut Found) {
        let listed = self.listed_nets().entries;
        for &net in &listed {
            for (id, peer) in self.nsids_of(net).into_iter().filter(|(_, peer)| !listed.contains(peer)) {
                let what = if self.is_freed(peer.addr()) { "freed" } else { "cleaned up" };
                let (name, peer) = (self.describe(net.addr()), self.describe(peer.addr()));
                found.add(
                    "nsid",
                    net.addr(),
                    format!("id {id} in {name} is that of {peer}, which is {what}"),
                );
            }
        }
    }

    /// A user is charged, in each user namespace up to the first, for the namespaces that he has created there.
    fn check_ucounts(&self, found: &mut Found) {
        let mut charged: BTreeMap<UcountsPtr, i64> = BTreeMap::new();
        for net in self.listed_nets().entries.into_iter().filter(|net| *net != self.init_net) {
            let mut ucounts = self.ucounts_of(net);
            while !ucounts.is_null() && !self.is_freed(ucounts.addr()) {
                *charged.entry(ucounts).or_default() += 1;
                let user_ns: UserNsPtr = self.peek(ucounts.ns());
                if self.is_freed(user_ns.addr()) {
                    break;
                }
                ucounts = self.peek(user_ns.ucounts());
            }
        }
        for view in self.ucounts() {
            let expected = charged.get(&view.ucounts).copied().unwrap_or(0);
            if view.net_namespaces != expected {
                let (user_ns, got) = (self.describe(view.ns.addr()), view.net_namespaces);
                let text = format!(
                    "user {} is charged for {got} namespaces in {user_ns}, and has {expected}",
                    view.uid
                );
                found.add("ucounts", view.ucounts.addr(), text);
            }
        }
    }

    /// Every namespace has private data of every operation that wants some.
    fn check_net_generic(&self, found: &mut Found) {
        for net in self.listed_nets().entries {
            let Some(generic) = self.generic_of(net) else { continue };
            for ops in self.pernet_operations().entries {
                let Some(id) = self.pernet_id(ops).filter(|_| self.size_of(ops) > 0) else { continue };
                let slot = generic.slots.get(id as usize).copied().unwrap_or(Addr::NULL);
                let what = match () {
                    () if slot.is_null() => "has no",
                    () if self.is_freed(slot) => "has freed",
                    () => continue,
                };
                let (name, ops) = (self.describe(net.addr()), self.pernet_name(ops));
                found.add("net_generic", net.addr(), format!("{name} {what} private data of {ops}"));
            }
        }
    }

    /// Nobody who has a reference to a namespace has one to freed memory.
    fn check_references(&self, found: &mut Found) {
        let tasks = self.tasks().into_iter().map(|task| (format!("task {}", task.pid), Some(task.net)));
        let files = self.files().into_iter().map(|file| (format!("descriptor {}", file.fd), file.net));
        let sockets: Vec<_> = self.netlink.listeners.borrow().iter().map(|socket| socket.net).collect();
        let sockets = sockets.into_iter().map(|net| ("a socket".to_owned(), Some(net)));
        for (who, net) in tasks.chain(files).chain(sockets) {
            if let Some(net) = net.filter(|net| !net.is_null() && self.is_freed(net.addr())) {
                let text = format!("{who} is in {}, which is freed", self.describe(net.addr()));
                found.add("reference", net.addr(), text);
            }
        }
    }
}
