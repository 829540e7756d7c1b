// SPDX-License-Identifier: GPL-2.0-only
//! Many tasks at once: what the checkers say of v4.11 when its callers behave.

use std::{collections::BTreeMap, rc::Rc};

use kernel::{Bus, Gfp, Kernel};
use machine_sim::{Config, Outcome, Preempt, Seeded, Sim};
use netns::{CLONE_NEWNET, Changes, Methods, NetNs, Patch, Request};

async fn boot(bus: &Rc<Bus>) -> Rc<NetNs> {
    let patches = Changes::from_iter(Patch::ALL.iter().copied());
    let ns = NetNs::new(Kernel::new(bus), netns::Config::default(), patches).expect("memory");
    ns.net_ns_init().await;
    ns
}

/// Eight tasks create, name, look up and drop namespaces, on four CPUs.
async fn churn(bus: Rc<Bus>) {
    let ns = boot(&bus).await;
    for _ in 0..8 {
        let task = ns.clone();
        ns.k.spawn("churn", None, async move {
            let ns = &task;
            let Ok(net) = ns.copy_net_ns(CLONE_NEWNET, ns.init_user_ns, ns.init_net).await else { return };
            let id = ns.peernet2id_alloc(ns.init_net, net, Gfp::Kernel).await;
            ns.peernet2id_alloc(net, ns.init_net, Gfp::Kernel).await;
            if let Some(peer) = ns.get_net_ns_by_id(ns.init_net, id).await {
                ns.put_net(peer).await;
            }
            let _ = ns.newnsid(&Request::by_pid(net, Some(5), 1)).await;
            ns.put_net(net).await;
        });
    }
}

/// Subsystems come and go, without data, while namespaces do, and a reader walks all of them.
async fn registrations(bus: Rc<Bus>) {
    let ns = boot(&bus).await;
    for _ in 0..3 {
        let task = ns.clone();
        ns.k.spawn("create", None, async move {
            let ns = &task;
            let Ok(net) = ns.copy_net_ns(CLONE_NEWNET, ns.init_user_ns, ns.init_net).await else { return };
            ns.put_net(net).await;
        });
    }
    let module = ns.clone();
    ns.k.spawn("module", None, async move {
        let ns = &module;
        let Some(ops) = ns.new_pernet_operations(Methods::named("module"), false, 0).await else { return };
        if ns.register_pernet_subsys(ops).await == 0 {
            ns.unregister_pernet_subsys(ops).await;
        }
    });
    let reader = ns.clone();
    ns.k.spawn("reader", None, async move {
        let ns = &reader;
        ns.k.rcu_read_lock().await;
        let mut net = ns.for_each_net_rcu(None).await;
        while net.is_some() {
            net = ns.for_each_net_rcu(net).await;
        }
        ns.k.rcu_read_unlock();
    });
}

/// What a hundred seeds find, by its first line.
fn found<F: Future<Output = ()> + 'static>(main: impl Fn(Rc<Bus>) -> F) -> BTreeMap<String, u32> {
    let mut lines = BTreeMap::new();
    for preempt in [Preempt::Full, Preempt::None] {
        let mut sim = Sim::new(Config { preempt, ..Config::default() });
        for seed in 0..100 {
            let outcome = sim.run(&mut Seeded::new(seed), &main);
            assert_eq!(outcome, Outcome::Done, "seed {seed}: {:?}", sim.findings());
            for finding in sim.findings() {
                *lines.entry(finding.to_string()).or_insert(0) += 1;
            }
        }
    }
    lines
}

#[test]
fn namespaces_come_and_go() {
    assert_eq!(found(churn), BTreeMap::new());
}

#[test]
fn subsystems_come_and_go() {
    assert_eq!(found(registrations), BTreeMap::new());
}
