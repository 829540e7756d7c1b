// SPDX-License-Identifier: GPL-2.0-only
//! The state of the subsystem, in the form of a recording.

use std::collections::BTreeMap;

use kernel::{Addr, Bus, Pointer};
use netns::{GenericPtr, NetNs, NetPtr, NsproxyPtr, PROC_DYNAMIC_FIRST, PernetDataPtr, SkbPtr, UcountsPtr};
use serde_json::{Map, Value, json};

use super::names::{is_recorded, number};

/// The state, with the references that the actor holds.
pub(super) fn snapshot(ns: &NetNs, held: &BTreeMap<i64, i64>) -> Value {
    let bus = &ns.k.bus;
    let listed = ns.listed_nets().entries;
    let view = |net: &NetPtr| json!([number(bus, net.addr()), ns.count_of(*net), ns.passive_of(*net)]);
    let live = ns.live_nets();
    let mut off_list: Vec<NetPtr> = live.iter().copied().filter(|net| !listed.contains(net)).collect();
    off_list.sort_by_key(|net| number(bus, net.addr()));
    let mut state = json!({
        "nets": listed.iter().map(view).collect::<Vec<_>>(),
        "off_list": off_list.iter().map(view).collect::<Vec<_>>(),
        "nsids": of_nets(bus, &live, |net| nsids(ns, net)),
        "gen": of_nets(bus, &live, |net| generic(ns, net)),
        "inums": of_nets(bus, &live, |net| inum(ns, net)),
        "pernet": ns.pernet_operations().entries.iter().map(|ops| ns.pernet_name(*ops).to_string()).collect::<Vec<_>>(),
        "first_device": first_device(ns),
        "ids": ns.generic_ids(),
        "max_gen_ptrs": ns.max_gen_ptrs(),
        "rcu": ns.k.rcu_callback_heads().into_iter().filter(|head| is_recorded(bus, *head)).count(),
        "userns": user_namespaces(ns),
        "ucounts": ns.ucounts().iter().map(|record| {
            json!([number(bus, record.ns.addr()), record.uid, record.count, record.net_namespaces])
        }).collect::<Vec<_>>(),
        "tasks": tasks(ns),
        "fds": fds(ns),
        "held": held.iter().filter(|(_, n)| **n > 0).map(|(net, n)| (net.to_string(), json!(n))).collect::<Map<_, _>>(),
        "live": {
            "net": live.len() - 1,
            "gen": count::<GenericPtr>(bus),
            "data": count::<PernetDataPtr>(bus),
            "ucounts": count::<UcountsPtr>(bus),
            "skb": count::<SkbPtr>(bus),
            "nsproxy": count::<NsproxyPtr>(bus),
        },
    });
    if ns.config.net_ns {
        state["cleanup"] = cleanup_list(ns);
        state["work"] = json!(ns.net_cleanup_work().is_pending(&ns.k));
    }
    state
}

fn of_nets(bus: &Bus, nets: &[NetPtr], view: impl Fn(NetPtr) -> Option<Value>) -> Value {
    let views = nets.iter().filter_map(|net| Some((number(bus, net.addr()).to_string(), view(*net)?)));
    Value::Object(views.collect())
}

fn nsids(ns: &NetNs, net: NetPtr) -> Option<Value> {
    let ids: Vec<Value> = ns
        .nsids_of(net)
        .into_iter()
        .map(|(id, peer)| match (number(&ns.k.bus, peer.addr()), ns.is_freed(peer.addr())) {
            (peer, false) => json!([id, peer]),
            (peer, true) => json!([id, peer, "freed"]),
        })
        .collect();
    (!ids.is_empty()).then(|| json!(ids))
}

fn generic(ns: &NetNs, net: NetPtr) -> Option<Value> {
    let view = ns.generic_of(net)?;
    let slots = view.slots.iter().enumerate().skip(3).filter(|(_, data)| !data.is_null());
    let slots: Map<String, Value> = slots
        .map(|(id, data)| {
            let freed = if ns.is_freed(*data) { "!" } else { "" };
            (id.to_string(), json!(format!("d{}{freed}", number(&ns.k.bus, *data))))
        })
        .collect();
    Some(json!({ "a": format!("g{}", number(&ns.k.bus, view.array)), "len": view.len, "slots": slots }))
}

fn inum(ns: &NetNs, net: NetPtr) -> Option<Value> {
    let inum = ns.inum_of(net);
    (inum != 0).then(|| json!(inum.wrapping_sub(PROC_DYNAMIC_FIRST)))
}

fn first_device(ns: &NetNs) -> Value {
    match ns.first_device() {
        None => json!("head"),
        Some(ops) if ops.is_null() => json!("null"),
        Some(ops) => json!(ns.pernet_name(ops).to_string()),
    }
}

fn user_namespaces(ns: &NetNs) -> Vec<Value> {
    let bus = &ns.k.bus;
    let mut all = ns.live_user_namespaces();
    all.sort_by_key(|user_ns| number(bus, user_ns.addr()));
    let peek = |addr: Addr| bus.peek(addr);
    all.iter()
        .map(|user_ns| {
            let count = peek(kernel::Field::addr(user_ns.count()));
            let max = peek(kernel::Field::addr(user_ns.max_net_namespaces()));
            json!([number(bus, user_ns.addr()), count, max])
        })
        .collect()
}

fn tasks(ns: &NetNs) -> Vec<Value> {
    let bus = &ns.k.bus;
    ns.tasks()
        .iter()
        .map(|task| {
            if task.nsproxy.is_null() {
                return json!([task.pid, null, null]);
            }
            let users = bus.peek(kernel::Field::addr(task.nsproxy.count()));
            json!([task.pid, number(bus, task.net.addr()), users])
        })
        .collect()
}

fn fds(ns: &NetNs) -> Vec<Value> {
    ns.files()
        .iter()
        .map(|file| match file.net {
            Some(net) => json!([file.fd, number(&ns.k.bus, net.addr())]),
            None if ns.is_of_namespace(file.file) => json!([file.fd, "uts"]),
            None => json!([file.fd, "plain"]),
        })
        .collect()
}

fn cleanup_list(ns: &NetNs) -> Value {
    let listed = ns.nets_to_clean_up();
    let mut entries = Vec::new();
    for net in &listed.entries {
        if ns.is_freed(net.addr()) {
            entries.push(json!("freed"));
            return Value::Array(entries);
        }
        entries.push(json!(number(&ns.k.bus, net.addr())));
    }
    if !listed.closed {
        entries.push(json!("cycle"));
    }
    Value::Array(entries)
}

fn count<P: Pointer>(bus: &Bus) -> usize {
    bus.inspect(|memory| {
        memory.live().filter(|(_, o)| o.name.is_none() && std::ptr::eq(o.layout, P::layout())).count()
    })
}
