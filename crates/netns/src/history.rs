// SPDX-License-Identifier: GPL-2.0-only
//! What has happened that memory does not tell at the end: which operations were set up in which namespace, and which
//! ids were told. Beside simulated memory, for those who judge; nothing of the port reads it.

use std::{cell::RefCell, collections::BTreeMap};

use kernel::{Field, ListHead, Pointer};

use crate::{
    NetNs, RTM_NEWNSID,
    invariants::Broken,
    net::NetPtr,
    pernet::{Methods, PernetOpsPtr},
};

#[derive(Debug, Default)]
pub(crate) struct History(RefCell<Told>);

#[derive(Debug, Default)]
struct Told {
    /// Operations with exit methods that are set up in a namespace, and the number of that init.
    set_up: BTreeMap<(NetPtr, u64), PernetOpsPtr>,
    inits: u64,
    /// Whether the last message about an id was that it is new.
    ids: BTreeMap<(NetPtr, i32), bool>,
    /// Exits that should not have been, in order.
    broken: Vec<Broken>,
}

impl Told {
    fn add(&mut self, rule: &'static str, net: NetPtr, text: String) {
        self.broken.push(Broken { rule, text, about: net.addr() });
    }
}

/// Whether an exit undoes an init.
fn is_paired(methods: &Methods) -> bool {
    methods.has_init() && (methods.has_exit() || methods.exit_batch.is_some())
}

impl NetNs {
    /// `ops->init(net)` has returned 0.
    pub(crate) fn was_set_up(&self, ops: PernetOpsPtr, methods: &Methods, net: NetPtr) {
        if is_paired(methods) {
            let mut told = self.history.0.borrow_mut();
            told.inits += 1;
            let nth = told.inits;
            told.set_up.insert((net, nth), ops);
        }
    }

    /// The exit methods of an operation are about to be called for these namespaces. Allocates nothing where all is as
    /// it should be.
    pub(crate) fn is_torn_down(&self, ops: PernetOpsPtr, methods: &Methods, net_exit_list: ListHead) {
        if !is_paired(methods) {
            return;
        }
        let mut told = self.history.0.borrow_mut();
        let told = &mut *told;
        let mut link: ListHead = self.peek(net_exit_list);
        // A list may lead round and round: a link that is met again ends the walk. Richard Brent's way to notice.
        let (mut met, mut steps, mut power) = (net_exit_list, 0_u64, 1_u64);
        while link != net_exit_list && link != met {
            let net = NetPtr::at(link.addr().object());
            if net.exit_list() != link {
                return; // what the kernel does with this, it finds out itself
            }
            self.is_torn_down_in(told, ops, methods, net);
            steps += 1;
            if steps == power {
                (met, steps, power) = (link, 0, power * 2);
            }
            link = self.peek(link);
        }
    }

    fn is_torn_down_in(&self, told: &mut Told, ops: PernetOpsPtr, methods: &Methods, net: NetPtr) {
        let of_net = (net, 0)..=(net, u64::MAX);
        // An operation that is registered has one init in a namespace at most.
        let last = told.set_up.range(of_net.clone()).rfind(|(_, other)| **other == ops);
        let Some((&key, _)) = last else {
            let name = self.describe(net.addr());
            let text = format!("exit of {} in {name} without an init that succeeded", methods.name);
            return told.add("pernet pairs", net, text);
        };
        told.set_up.remove(&key);
        let later = told.set_up.range(key..=(net, u64::MAX)).map(|(_, other)| *other);
        let Some(other) = self.out_of_order(ops, later) else { return };
        let (name, other) = (self.describe(net.addr()), self.pernet_name(other));
        let text = format!("exit of {} in {name} before that of {other}, set up later", methods.name);
        told.add("pernet order", net, text);
    }

    /// One of those that were set up later, whose exit should have come first.
    fn out_of_order(
        &self,
        ops: PernetOpsPtr,
        later: impl Iterator<Item = PernetOpsPtr>,
    ) -> Option<PernetOpsPtr> {
        let mut later = later.peekable();
        later.peek()?;
        let listed = self.pernet_operations().entries;
        if !listed.contains(&ops) {
            return None; // it is unregistered, and goes alone
        }
        let first_device = self.first_device();
        let devices = listed.iter().position(|other| Some(*other) == first_device).unwrap_or(listed.len());
        let is_device = |ops: PernetOpsPtr| listed[devices..].contains(&ops);
        // A subsystem may be set up after a device, and devices go first all the same.
        later.find(|other| listed.contains(other) && (!is_device(ops) || is_device(*other)))
    }

    /// `rtnl_net_notifyid()` is called, whether or not anybody listens, and whether or not there is memory.
    pub(crate) fn id_is_told(&self, net: NetPtr, cmd: u16, id: i32) {
        self.history.0.borrow_mut().ids.insert((net, id), cmd == RTM_NEWNSID);
    }

    /// What does not hold of what has happened. To be asked as [`NetNs::broken_invariants`].
    pub(crate) fn broken_history(&self) -> Vec<Broken> {
        let told = self.history.0.borrow();
        let mut broken = told.broken.clone();
        let mut add = |rule, net: NetPtr, text| broken.push(Broken { rule, text, about: net.addr() });
        let nets = self.listed_nets().entries;
        let operations = self.pernet_operations().entries;
        // Without CONFIG_NET_NS, operations that are registered after boot are on no list.
        let is_registered = |ops: &PernetOpsPtr| !self.config.net_ns || operations.contains(ops);
        for (&(net, _), &ops) in &told.set_up {
            // One that is in use and not listed is told of as that.
            let is_gone = self.is_freed(net.addr()) || !nets.contains(&net) && self.count_of(net) == 0;
            if is_gone || nets.contains(&net) && !is_registered(&ops) {
                let (name, ops) = (self.describe(net.addr()), self.pernet_name(ops));
                add("pernet pairs", net, format!("init of {ops} in {name} is never followed by its exit"));
            }
        }
        for &net in &nets {
            // A namespace may die with ids in its table: nobody is told, and nobody is left to ask.
            let name = self.describe(net.addr());
            let ids = self.nsids_of(net);
            for (id, peer) in &ids {
                if told.ids.get(&(net, *id)) != Some(&true) {
                    let peer = self.describe(peer.addr());
                    add("nsid messages", net, format!("id {id} of {peer} in {name} was not told as new"));
                }
            }
            let of_net = told.ids.range((net, i32::MIN)..=(net, i32::MAX));
            for ((_, id), _) in of_net.filter(|(_, is_new)| **is_new) {
                if !ids.iter().any(|(other, _)| other == id) {
                    let text = format!("id {id} in {name} was told as new last, and is in no table");
                    add("nsid messages", net, text);
                }
            }
        }
        broken
    }

    /// A list leads to no namespace that is freed.
    pub(crate) fn freed_on_lists(&self) -> Vec<Broken> {
        let lists = [
            ("net_namespace_list", self.listed_nets().entries),
            ("cleanup_list", self.nets_to_clean_up().entries),
        ];
        let mut broken = Vec::new();
        for (list, nets) in lists {
            for net in nets.into_iter().filter(|net| self.is_freed(net.addr())) {
                let text = format!("{} is on {list}, and is freed", self.describe(net.addr()));
                broken.push(Broken { rule: "reference", text, about: net.addr() });
            }
        }
        broken
    }
}
