// SPDX-License-Identifier: GPL-2.0-only
//! What is said of inits, exits and ids at the end, against what has happened.

use std::{cell::OnceCell, rc::Rc};

use kernel::{Gfp, Kernel};
use machine_sim::{Config, First, Outcome, Sim};
use netns::{CLONE_NEWNET, Changes, Methods, NetNs, NetPtr, PernetOpsPtr};

/// What does not hold at the end, of these rules.
fn broken<F: Future<Output = ()> + 'static>(main: impl FnOnce(Rc<NetNs>) -> F + 'static) -> Vec<String> {
    let (mut sim, kept) = (Sim::new(Config::default()), Rc::new(OnceCell::new()));
    let keep = kept.clone();
    let outcome = sim.run(&mut First, |bus| async move {
        let ns = NetNs::new(Kernel::new(&bus), netns::Config::default(), Changes::none()).expect("memory");
        ns.net_ns_init().await;
        assert!(keep.set(ns.clone()).is_ok());
        main(ns).await;
    });
    assert_eq!(outcome, Outcome::Done);
    let ns: &Rc<NetNs> = kept.get().expect("it has begun");
    let rules = ["pernet pairs", "pernet order", "nsid messages"];
    let of_rules = ns.broken_invariants().into_iter().filter(|broken| rules.contains(&broken.rule));
    of_rules.map(|broken| format!("{}: {}", broken.rule, broken.text)).collect()
}

async fn new_net(ns: &NetNs) -> NetPtr {
    ns.copy_net_ns(CLONE_NEWNET, ns.init_user_ns, ns.init_net).await.expect("a namespace")
}

/// Operations with an init and an exit method that do nothing.
async fn operations(ns: &NetNs, name: &str) -> PernetOpsPtr {
    let mut methods = Methods::named(name);
    methods.init = Some(Rc::new(|_, _| Box::pin(async { 0 })));
    methods.exit = Some(Rc::new(|_, _| Box::pin(async {})));
    ns.new_pernet_operations(methods, false, 0).await.expect("memory")
}

#[test]
fn what_is_undone_backwards_and_what_is_unregistered_alone_is_in_order() {
    let found = broken(|ns| async move {
        let net = new_net(&ns).await;
        let (device, a) = (operations(&ns, "device").await, operations(&ns, "a").await);
        let b = operations(&ns, "b").await;
        // Subsystems come before devices on the list, also where they are registered later.
        assert_eq!(ns.register_pernet_device(device).await, 0);
        assert_eq!(ns.register_pernet_subsys(a).await, 0);
        assert_eq!(ns.register_pernet_subsys(b).await, 0);
        let other = new_net(&ns).await;
        ns.put_net(net).await;
        ns.unregister_pernet_subsys(a).await;
        ns.put_net(other).await;
    });
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn a_list_that_is_in_another_order_by_now() {
    let found = broken(|ns| async move {
        let (a, b) = (operations(&ns, "a").await, operations(&ns, "b").await);
        assert_eq!(ns.register_pernet_subsys(a).await, 0);
        assert_eq!(ns.register_pernet_subsys(b).await, 0);
        let net = new_net(&ns).await;
        a.list().del(&ns.k).await;
        b.list().add(&ns.k, a.list()).await;
        ns.put_net(net).await;
    });
    assert_eq!(found, ["pernet order: exit of a in net 1 before that of b, set up later"]);
}

#[test]
fn an_operation_that_leaves_the_list_without_its_exits() {
    let found = broken(|ns| async move {
        let a = operations(&ns, "a").await;
        assert_eq!(ns.register_pernet_subsys(a).await, 0);
        let net = new_net(&ns).await;
        a.list().del(&ns.k).await;
        ns.put_net(net).await;
    });
    let never = |net| format!("pernet pairs: init of a in {net} is never followed by its exit");
    assert_eq!(found, [never("init_net"), never("net 1")]);
}

#[test]
fn an_operation_that_is_on_the_list_and_was_never_set_up() {
    let found = broken(|ns| async move {
        let net = new_net(&ns).await;
        let a = operations(&ns, "a").await;
        let [_, pernet_list, _] = ns.list_heads();
        pernet_list.add_tail(&ns.k, a.list()).await;
        ns.put_net(net).await;
    });
    assert_eq!(found, ["pernet pairs: exit of a in net 1 without an init that succeeded"]);
}

#[test]
fn ids_that_come_and_go_as_they_are_told() {
    let found = broken(|ns| async move {
        let (net, other) = (new_net(&ns).await, new_net(&ns).await);
        for peer in [net, other] {
            assert!(ns.peernet2id_alloc(ns.init_net, peer, Gfp::Kernel).await >= 0);
            assert_eq!(ns.peernet2id_alloc(net, other, Gfp::Kernel).await, 0); // dies with its table, untold
        }
        ns.put_net(net).await;
    });
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn ids_that_come_and_go_untold() {
    let found = broken(|ns| async move {
        let (net, other) = (new_net(&ns).await, new_net(&ns).await);
        let id = ns.peernet2id_alloc(ns.init_net, net, Gfp::Kernel).await;
        ns.init_net.netns_ids().remove(&ns.k, id).await;
        ns.init_net.netns_ids().alloc(&ns.k, kernel::Pointer::addr(other), 5, 6).await.expect("an id");
    });
    let not_told = "nsid messages: id 5 of net 2 in init_net was not told as new";
    assert_eq!(found, [not_told, "nsid messages: id 0 in init_net was told as new last, and is in no table"]);
}
