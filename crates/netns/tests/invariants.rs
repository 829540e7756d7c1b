// SPDX-License-Identifier: GPL-2.0-only
//! Each invariant holds on a machine with something on it, and is missed when it is broken by hand.

use std::{cell::RefCell, rc::Rc};

use kernel::{Addr, Field, Kernel};
use machine_sim::{Config, First, Outcome, Sim};
use netns::{CLONE_NEWNET, Changes, NetNs, NetPtr};

/// What is found broken after `damage` on a machine with two namespaces, ids, and private data.
fn broken(damage: impl Fn(&NetNs, NetPtr, NetPtr) + 'static) -> Vec<String> {
    let texts = Rc::new(RefCell::new(Vec::new()));
    let found = texts.clone();
    let outcome = Sim::new(Config::default()).run(&mut First, |bus| async move {
        let ns = NetNs::new(Kernel::new(&bus), netns::Config::default(), Changes::none()).expect("memory");
        assert_eq!(ns.broken_invariants(), [], "before boot");
        ns.net_ns_init().await;
        let user_ns = ns.init_user_ns;
        let a = ns.copy_net_ns(CLONE_NEWNET, user_ns, ns.init_net).await.expect("a namespace");
        let b = ns.copy_net_ns(CLONE_NEWNET, user_ns, ns.init_net).await.expect("a namespace");
        ns.peernet2id_alloc(a, b, kernel::Gfp::Kernel).await;
        assert_eq!(ns.broken_invariants(), []);
        damage(&ns, a, b);
        let texts =
            ns.broken_invariants().into_iter().map(|broken| format!("{}: {}", broken.rule, broken.text));
        *found.borrow_mut() = texts.collect();
    });
    assert_eq!(outcome, Outcome::Done);
    texts.take()
}

/// Takes a namespace from the list without any care.
fn unlist(ns: &NetNs, net: NetPtr) {
    let [next, prev] = [0, 1].map(|n| Addr::from_value(ns.k.bus.peek(net.list().addr().plus(n))));
    ns.k.bus.poke(prev, next.to_value());
    ns.k.bus.poke(next.plus(1), prev.to_value());
}

#[test]
fn lists_lead_back() {
    let found = broken(|ns, a, _| ns.k.bus.poke(a.list().addr(), a.list().addr().to_value()));
    assert_eq!(found[0], "list: net_namespace_list does not lead back to its head");
}

#[test]
fn dead_namespaces_are_cleaned_up() {
    let found = broken(|ns, a, _| ns.k.bus.poke(a.count().addr(), 0));
    assert_eq!(found, ["dead namespace: net 1 is dead, and no cleanup pass will take it"]);
}

#[test]
fn namespaces_in_use_are_listed_and_so_are_those_that_ids_stand_for() {
    let found = broken(|ns, _, b| unlist(ns, b));
    let expected = [
        "namespace in use: net 2 has 1 references, and is not on net_namespace_list",
        "nsid: id 0 in net 1 is that of net 2, which is cleaned up",
        "ucounts: user 0 is charged for 2 namespaces in init_user_ns, and has 1",
    ];
    assert_eq!(found, expected);
}

#[test]
fn nobody_is_in_freed_memory() {
    let found = broken(|ns, _, _| ns.k.bus.poke(ns.tasks()[0].nsproxy.net_ns().addr(), i64::MAX));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("reference: task 1 is in "), "{found:?}");
}

#[test]
fn users_are_charged_for_what_they_have() {
    let found = broken(|ns, a, _| {
        let charged = ns.ucounts_of(a).net_namespaces();
        ns.k.bus.poke(charged.addr(), 7);
    });
    assert_eq!(found, ["ucounts: user 0 is charged for 7 namespaces in init_user_ns, and has 2"]);
}
