// SPDX-License-Identifier: GPL-2.0-only
//! The port on the simulated machine: one namespace dies while another task looks it up.

use std::{collections::BTreeMap, rc::Rc};

use kernel::{Bus, Kernel};
use machine_sim::{Config, First, Outcome, Seeded, Sim};
use netns::{CLONE_NEWNET, Changes, NetNs, Patch};

async fn boot(bus: Rc<Bus>, patches: Changes) -> Rc<NetNs> {
    let kernel = Kernel::new(&bus);
    let ns = NetNs::new(kernel, netns::Config::default(), patches).expect("memory");
    ns.net_ns_init().await;
    ns
}

/// CVE-2017-15129: the last reference is put while a lookup by id takes another.
async fn lookup_races_with_put(bus: Rc<Bus>, patches: Changes) {
    let ns = boot(bus, patches).await;
    let dying = ns.copy_net_ns(CLONE_NEWNET, ns.init_user_ns, ns.init_net).await.expect("a namespace");
    let id = ns.peernet2id_alloc(ns.init_net, dying, kernel::Gfp::Kernel).await;
    let put = ns.clone();
    ns.k.spawn("put", None, async move { put.put_net(dying).await });
    let lookup = ns.clone();
    ns.k.spawn("lookup", None, async move {
        if let Some(peer) = lookup.get_net_ns_by_id(lookup.init_net, id).await {
            peer.dev_base_seq().read(&lookup.k).await;
            lookup.put_net(peer).await;
        }
    });
}

#[test]
fn boots_and_cleans_up_without_a_finding() {
    let mut sim = Sim::new(Config::default());
    let outcome = sim.run(&mut First, |bus| async move {
        let ns = boot(bus, Changes::none()).await;
        let net = ns.copy_net_ns(CLONE_NEWNET, ns.init_user_ns, ns.init_net).await.expect("a namespace");
        ns.put_net(net).await;
    });
    assert_eq!(outcome, Outcome::Done);
    assert!(sim.findings().is_empty(), "{:#?}", sim.findings());
    let live = sim.bus().inspect(|m| m.live().filter(|(_, o)| o.layout.short == "net").count());
    assert_eq!(live, 1, "only the first namespace is left");
}

#[test]
fn cve_2017_15129() {
    let mut sim = Sim::new(Config::default());
    let mut bugs = BTreeMap::new();
    for seed in 0..1000 {
        sim.run(&mut Seeded::new(seed), |bus| lookup_races_with_put(bus, Changes::none()));
        for finding in sim.findings() {
            *bugs.entry(finding.code()).or_insert(0) += 1;
        }
    }
    assert!(bugs.contains_key("kasan-use-after-free"), "{bugs:?}");
    assert!(bugs.contains_key("list-poison") || bugs.contains_key("kasan-double-free"), "{bugs:?}");
}

#[test]
fn the_fix_closes_it() {
    let mut sim = Sim::new(Config::default());
    let patches = Changes::from_iter([Patch::GetLiveNetById]);
    for seed in 0..1000 {
        let outcome = sim.run(&mut Seeded::new(seed), |bus| lookup_races_with_put(bus, patches.clone()));
        assert_eq!(outcome, Outcome::Done, "seed {seed}");
        let findings: Vec<String> = sim.findings().iter().map(ToString::to_string).collect();
        assert!(findings.is_empty(), "seed {seed}: {findings:#?}");
    }
}
