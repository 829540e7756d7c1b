// SPDX-License-Identifier: GPL-2.0-only
//! Events in words, to be compared with those that a run expects.

use kernel::{
    Addr, Effect,
    rcu::{KFREE_RCU, RCU_BARRIER, RCU_INVOKE_CALLBACK, SYNCHRONIZE_RCU},
    tracepoint,
    workqueue::{WORKQUEUE_EXECUTE_END, WORKQUEUE_EXECUTE_START, WORKQUEUE_QUEUE_WORK},
};
use netns::{
    NETLINK_BROADCAST, NETLINK_DELIVER, NETLINK_UNICAST, NetNs, RTM_DELNSID, RTM_GETNSID, RTM_NEWNSID,
    SK_ERR, USER_NS_FREE,
};

use crate::world::{Value, World};

tracepoint! {
    /// The method `init` of scripted operations is called.
    pub PERNET_INIT, "pernet_init", ["ops", "net"]
}
tracepoint! {
    /// The method `exit` of scripted operations is called.
    pub PERNET_EXIT, "pernet_exit", ["ops", "net"]
}
tracepoint! {
    /// The method `exit_batch` of scripted operations is called.
    pub PERNET_EXIT_BATCH, "pernet_exit_batch", ["ops", ""]
}

/// An nsid message in words: `NEWNSID 0`.
pub(crate) fn message_text(message: &[u8]) -> String {
    let kind = message.get(4..6).map_or(0, |bytes| u16::from_le_bytes([bytes[0], bytes[1]]));
    let kind = match kind {
        RTM_NEWNSID => "NEWNSID",
        RTM_DELNSID => "DELNSID",
        RTM_GETNSID => "GETNSID",
        _ => "message",
    };
    match NetNs::ids_of_page(message).first() {
        Some(id) => format!("{kind} {id}"),
        None => kind.to_owned(),
    }
}

/// An effect in words, if scenarios can speak of it. To be asked while the effect happens, since names and memory
/// change.
pub fn event_text(world: &World, effect: &Effect) -> Option<String> {
    let ns = world.ns();
    let object = |value: i64| ns.describe(Addr::from_value(value));
    let message = |number: i64| message_text(ns.netlink.log.borrow().message(number));
    let ops = |value: i64| ns.pernet_name(kernel::Pointer::at(Addr::from_value(value)));
    Some(match *effect {
        Effect::Enter(function, _) => format!("enter {}", function.name),
        Effect::Alloc(addr) => format!("alloc {}", ns.describe(addr)),
        Effect::AllocFailed(kind) => format!("alloc_failed {kind}"),
        Effect::Free(addr) => format!("free {}", ns.describe(addr)),
        Effect::Warn(what) => format!("warn {what}"),
        Effect::Trace(point, first, second) => {
            let is = |known: &'static kernel::Tracepoint| std::ptr::eq(point, known) || point == known;
            if is(&PERNET_INIT) {
                format!("init {} {}", ops(first), object(second))
            } else if is(&PERNET_EXIT) {
                format!("exit {} {}", ops(first), object(second))
            } else if is(&PERNET_EXIT_BATCH) {
                format!("exit_batch {}", ops(first))
            } else if is(&NETLINK_BROADCAST) {
                format!("notify {} {}", object(first), message(second))
            } else if is(&NETLINK_UNICAST) {
                format!("unicast {} {}", object(first), message(second))
            } else if is(&NETLINK_DELIVER) {
                format!("deliver {}", world.socket_name(first))
            } else if is(&SK_ERR) {
                format!("overrun {}", world.socket_name(first))
            } else if is(&WORKQUEUE_QUEUE_WORK) {
                format!("queue_work {}", second != 0)
            } else if is(&WORKQUEUE_EXECUTE_START) {
                "work_start".to_owned()
            } else if is(&WORKQUEUE_EXECUTE_END) {
                "work_end".to_owned()
            } else if is(&KFREE_RCU) {
                format!("kfree_rcu {}", object(first))
            } else if is(&SYNCHRONIZE_RCU) {
                "synchronize_rcu".to_owned()
            } else if is(&RCU_BARRIER) {
                "rcu_barrier".to_owned()
            } else if is(&RCU_INVOKE_CALLBACK) {
                "rcu_callback".to_owned()
            } else if is(&USER_NS_FREE) {
                format!("free_user_ns {}", world.user_ns_name(Addr::from_value(first)))
            } else {
                return None;
            }
        }
        _ => return None,
    })
}

impl World {
    /// What a socket is called.
    pub(crate) fn socket_name(&self, number: i64) -> String {
        let slot =
            (0..).zip(&self.scenario.bindings).find(|(slot, _)| self.get(*slot) == Value::Socket(number));
        slot.map_or_else(|| number.to_string(), |(_, name)| name.clone())
    }
    /// What a user namespace is called.
    pub(crate) fn user_ns_name(&self, addr: Addr) -> String {
        let all = self.user_namespaces.borrow();
        let at = all.iter().position(|ns| ns.is_some_and(|ns| kernel::Pointer::addr(ns) == addr));
        match at.and_then(|index| self.scenario.user_namespaces.get(index)) {
            Some(ns) => ns.name.clone(),
            None => self.ns.describe(addr),
        }
    }
}
