// SPDX-License-Identifier: GPL-2.0-only
//! The workloads that are measured: small programs on the unmodified port.

use std::rc::Rc;

use kernel::{Atomic, Bus, Gfp, Kernel, SpinLock};
use machine::Checker;
use machine_sim::{Checks, Config, Outcome, Seeded, Sim};
use netns::{CLONE_NEWNET, Changes, NetNs, Patch};

/// A machine that makes these checks.
pub fn machine(checks: Checks) -> Sim {
    Sim::new(Config { checks, max_steps: u64::MAX, ..Config::default() })
}

/// A machine of this size, with room for many tasks.
pub fn machine_of(cpus: u32) -> Sim {
    Sim::new(Config { cpus, max_tasks: 1 << 20, max_steps: u64::MAX, ..Config::default() })
}

async fn boot(bus: &Rc<Bus>) -> Rc<NetNs> {
    let patches = Changes::from_iter([Patch::GetLiveNetById]);
    let config = netns::Config { max_net_namespaces: i64::MAX, ..netns::Config::default() };
    let ns = NetNs::new(Kernel::new(bus), config, patches).expect("memory for static data");
    ns.net_ns_init().await;
    ns
}

/// Boots, and makes one namespace that the first knows by id.
pub async fn setup(bus: Rc<Bus>) {
    let ns = boot(&bus).await;
    let net = ns.copy_net_ns(CLONE_NEWNET, ns.init_user_ns, ns.init_net).await.expect("a namespace");
    ns.peernet2id_alloc(ns.init_net, net, kernel::Gfp::Kernel).await;
}

/// The two-task scenario: the last reference to a namespace is put while another task looks it up by id, in the
/// port with the fix.
pub async fn lookup_races_with_put(bus: Rc<Bus>) {
    let ns = boot(&bus).await;
    let dying = ns.copy_net_ns(CLONE_NEWNET, ns.init_user_ns, ns.init_net).await.expect("a namespace");
    let id = ns.peernet2id_alloc(ns.init_net, dying, kernel::Gfp::Kernel).await;
    let put = ns.clone();
    ns.k.spawn("put", None, async move { put.put_net(dying).await });
    let lookup = ns.clone();
    ns.k.spawn("lookup", None, async move {
        if let Some(peer) = lookup.get_net_ns_by_id(lookup.init_net, id).await {
            lookup.put_net(peer).await;
        }
    });
}

/// One task creates and puts `n` namespaces, one after the other.
pub async fn churn(bus: Rc<Bus>, n: usize) {
    let ns = boot(&bus).await;
    for _ in 0..n {
        let net = ns.copy_net_ns(CLONE_NEWNET, ns.init_user_ns, ns.init_net).await.expect("a namespace");
        ns.put_net(net).await;
        ns.k.flush_workqueue(ns.netns_wq()).await;
    }
}

/// One task creates `n` namespaces and then puts them, so that passes clean up many at once.
pub async fn mass(bus: Rc<Bus>, n: usize) {
    let ns = boot(&bus).await;
    let mut nets = Vec::with_capacity(n);
    for _ in 0..n {
        nets.push(ns.copy_net_ns(CLONE_NEWNET, ns.init_user_ns, ns.init_net).await.expect("a namespace"));
    }
    for net in nets {
        ns.put_net(net).await;
    }
}

/// Four tasks that increment one counter under a lock, and drop and take a reference, `n` times each.
pub async fn long_tasks(bus: Rc<Bus>, n: usize) {
    let ns = boot(&bus).await;
    for _ in 0..4 {
        let ns_ = ns.clone();
        ns.k.spawn("task", None, async move {
            for _ in 0..n {
                ns_.get_net(ns_.init_net).await;
                ns_.peernet2id(ns_.init_net, ns_.init_net).await;
                ns_.put_net(ns_.init_net).await;
            }
        });
    }
}

kernel::object! {
    /// What one task uses.
    struct OwnPtr("struct own", "own", "kmalloc") {
        lock: SpinLock,
        count: Atomic,
    }
}

/// `n` tasks that each take a reference to an object of their own, lock and unlock it, and put the reference, `times`
/// times.
pub async fn short_tasks(bus: Rc<Bus>, n: usize, times: usize) {
    let k = Kernel::new(&bus);
    for _ in 0..n {
        let k_ = k.clone();
        k.spawn("task", None, async move {
            let own: OwnPtr = k_.kzalloc("own", Gfp::Kernel).await.expect("memory");
            for _ in 0..times {
                own.count().inc(&k_).await;
                own.lock().lock(&k_).await;
                own.lock().unlock(&k_).await;
                own.count().dec_and_test(&k_).await;
            }
        });
    }
}

/// `n` tasks as in [`short_tasks`], of which `live` are there at a time: each makes its successor when it ends.
pub async fn tasks_that_come_and_go(bus: Rc<Bus>, n: usize, live: usize) {
    let k = Kernel::new(&bus);
    for _ in 0..live {
        one_after_the_other(k.clone(), n / live);
    }
}

fn one_after_the_other(k: Rc<Kernel>, left: usize) {
    let k_ = k.clone();
    k.spawn("task", None, async move {
        let own: OwnPtr = k_.kzalloc("own", Gfp::Kernel).await.expect("memory");
        for _ in 0..2 {
            own.count().inc(&k_).await;
            own.lock().lock(&k_).await;
            own.lock().unlock(&k_).await;
            own.count().dec_and_test(&k_).await;
        }
        k_.kfree(kernel::Pointer::addr(own));
        if left > 1 {
            one_after_the_other(k_.clone(), left - 1);
        }
    });
}

/// Runs one seed of a workload; how many operations it took.
///
/// # Panics
///
/// If the workload finds anything: it would measure something else.
pub fn run<F: Future<Output = ()> + 'static>(
    sim: &mut Sim,
    seed: u64,
    main: impl FnOnce(Rc<Bus>) -> F,
) -> u64 {
    run_checked(sim, &mut (), seed, main)
}

/// The same, with somebody who looks for bugs in what happens.
///
/// # Panics
///
/// If anything is found.
pub fn run_checked<F: Future<Output = ()> + 'static>(
    sim: &mut Sim,
    checker: &mut impl Checker,
    seed: u64,
    main: impl FnOnce(Rc<Bus>) -> F,
) -> u64 {
    let outcome = sim.run_checked(&mut Seeded::new(seed), checker, main);
    assert_eq!(outcome, Outcome::Done);
    assert!(sim.findings().is_empty(), "{:?}", sim.findings());
    sim.steps()
}
