// SPDX-License-Identifier: GPL-2.0-only
//! What lies around the port: sockets, tasks and files whose lives end while others use them.

use std::{collections::BTreeSet, rc::Rc};

use kernel::{Addr, Bus, Gfp, Kernel, Pointer, SpinLock, object};
use machine_sim::{Config, First, Outcome, Schedule, Seeded, Sim};
use netns::{CLONE_NEWNET, Changes, Credentials, Methods, NetNs, NetPtr, Open};

object! {
    struct HeldPtr("struct held", "held", "static") {
        lock: SpinLock,
    }
}

async fn boot(bus: &Rc<Bus>, net_ns: bool) -> Rc<NetNs> {
    let config = netns::Config { net_ns, ..netns::Config::default() };
    let ns = NetNs::new(Kernel::new(bus), config, Changes::none()).expect("memory");
    ns.net_ns_init().await;
    ns
}

async fn new_net(ns: &NetNs) -> NetPtr {
    ns.copy_net_ns(CLONE_NEWNET, ns.init_user_ns, ns.init_net).await.expect("a namespace")
}

fn root(ns: &NetNs) -> Credentials {
    Credentials { user_ns: ns.init_user_ns, euid: 0, cap_sys_admin: true }
}

/// A task of its own with a clone of the subsystem.
fn spawn<F: Future<Output = ()> + 'static>(ns: &Rc<NetNs>, name: &str, f: impl FnOnce(Rc<NetNs>) -> F) {
    ns.k.spawn(name, None, f(ns.clone()));
}

/// What a thousand seeds find.
fn found<F: Future<Output = ()> + 'static>(main: impl Fn(Rc<Bus>) -> F) -> BTreeSet<String> {
    let mut sim = Sim::new(Config::default());
    let mut all = BTreeSet::new();
    for seed in 0..1000 {
        let outcome = sim.run(&mut Seeded::new(seed), &main);
        assert_eq!(outcome, Outcome::Done, "seed {seed}: {:?}", sim.findings());
        all.extend(sim.findings().iter().map(ToString::to_string));
    }
    all
}

/// How many objects of each of these kinds are not freed at the end.
fn left(sim: &Sim, kinds: &[&str]) -> Vec<usize> {
    let count = |kind: &&str| {
        sim.bus().inspect(|m| m.live().filter(|(_, o)| o.layout.short == *kind && o.name.is_none()).count())
    };
    kinds.iter().map(count).collect()
}

/// The last reference to a namespace is that of a socket, which is closed while a message is multicast.
async fn broadcast_beside_close(bus: Rc<Bus>) {
    let ns = boot(&bus, true).await;
    let (listens, peer) = (new_net(&ns).await, new_net(&ns).await);
    ns.peernet2id_alloc(listens, ns.init_net, Gfp::Kernel).await;
    ns.listen(1, listens, true, true, 10).await;
    ns.put_net(listens).await;
    spawn(&ns, "multicast", |ns| async move {
        ns.peernet2id_alloc(ns.init_net, peer, Gfp::Kernel).await;
    });
    spawn(&ns, "close", |ns| async move {
        ns.unlisten(1).await;
    });
}

#[test]
fn a_socket_is_not_closed_while_a_message_is_multicast() {
    assert_eq!(found(broadcast_beside_close), BTreeSet::new());
    let mut sim = Sim::new(Config::default());
    // Where nobody waited, the namespace would be gone when the broadcast goes on.
    let text = "main, multicast until peernet_has_id, close, kworker/netns, rcuc/0, multicast";
    let mut schedule = Schedule::parse(sim.bus(), text).expect("a schedule");
    let outcome = sim.run(&mut schedule, broadcast_beside_close);
    assert_eq!((outcome, sim.findings().len()), (Outcome::Done, 0), "{:?}", sim.findings());
    assert_eq!(left(&sim, &["net"]), [1], "the peer");
}

#[test]
fn two_sockets_wait_for_one_broadcast() {
    let all = found(|bus| async move {
        let ns = boot(&bus, true).await;
        let peer = new_net(&ns).await;
        for id in [1, 2] {
            ns.listen(id, ns.init_net, false, true, 10).await;
            spawn(&ns, "close", move |ns| async move {
                assert!(ns.unlisten(id).await);
            });
        }
        spawn(&ns, "multicast", |ns| async move {
            ns.peernet2id_alloc(ns.init_net, peer, Gfp::Kernel).await;
        });
        spawn(&ns, "open", |ns| async move { ns.listen(3, ns.init_net, false, true, 10).await });
    });
    assert_eq!(all, BTreeSet::new());
}

#[test]
fn a_task_is_found_whole_or_not_at_all() {
    let all = found(|bus| async move {
        let ns = boot(&bus, true).await;
        spawn(&ns, "clone", |ns| async move {
            ns.clone_task(2, 0, root(&ns)).await.expect("a task");
        });
        spawn(&ns, "lookup", |ns| async move {
            if let Ok(net) = ns.get_net_ns_by_pid(2).await {
                ns.put_net(net).await;
            }
        });
        spawn(&ns, "open", |ns| async move {
            if let Ok(fd) = ns.open(Open::Net(2)).await {
                ns.close(fd).await.expect("it is open");
            }
        });
    });
    assert_eq!(all, BTreeSet::new());
}

/// A task exits and is reaped, and a file is closed, beside those who look for them.
async fn ends_beside_lookups(bus: Rc<Bus>) {
    let ns = boot(&bus, true).await;
    let task = ns.clone_task(2, CLONE_NEWNET, root(&ns)).await.expect("a task");
    let fd = ns.open(Open::Net(2)).await.expect("a file");
    spawn(&ns, "reap", move |ns| async move {
        ns.exit_task_namespaces(task).await;
        ns.release_task(2).await;
    });
    spawn(&ns, "close", move |ns| async move { ns.close(fd).await.expect("it is open") });
    spawn(&ns, "by pid", |ns| async move {
        if let Ok(net) = ns.get_net_ns_by_pid(2).await {
            ns.put_net(net).await;
        }
    });
    spawn(&ns, "by fd", move |ns| async move {
        if let Ok(net) = ns.get_net_ns_by_fd(fd).await {
            ns.put_net(net).await;
        }
    });
    spawn(&ns, "open", |ns| async move {
        if let Ok(fd) = ns.open(Open::Net(2)).await {
            ns.close(fd).await.expect("it is open");
        }
    });
}

#[test]
fn tasks_and_files_end_beside_lookups() {
    assert_eq!(found(ends_beside_lookups), BTreeSet::new());
}

#[test]
fn memory_of_tasks_and_files_is_freed() {
    let mut sim = Sim::new(Config::default());
    for seed in 0..100 {
        assert_eq!(sim.run(&mut Seeded::new(seed), ends_beside_lookups), Outcome::Done);
        let kinds = ["task", "pid", "file", "nsfs inode", "nsproxy", "net"];
        assert_eq!(left(&sim, &kinds), [0; 6], "seed {seed}");
    }
}

#[test]
fn a_task_that_runs_keeps_its_memory() {
    let mut sim = Sim::new(Config::default());
    let outcome = sim.run(&mut First, |bus| async move {
        let ns = boot(&bus, true).await;
        let task = ns.clone_task(2, 0, root(&ns)).await.expect("a task");
        ns.set_current(task);
        ns.exit_task_namespaces(task).await;
        ns.release_task(2).await;
        ns.k.rcu_barrier().await;
        assert!(ns.ns_capable(ns.init_user_ns).await);
    });
    assert_eq!((outcome, sim.findings().len()), (Outcome::Done, 0), "{:?}", sim.findings());
    assert_eq!(left(&sim, &["task"]), [1]);
}

/// A socket that has overrun hears of it once, and receives nothing more: it has not read what it has.
#[test]
fn an_overrun_is_told_once() {
    let mut sim = Sim::new(Config::default());
    let outcome = sim.run(&mut First, |bus| async move {
        let ns = boot(&bus, true).await;
        ns.listen(1, ns.init_net, false, true, 1).await;
        for _ in 0..2 {
            let net = new_net(&ns).await;
            ns.peernet2id_alloc(ns.init_net, net, kernel::Gfp::Kernel).await;
        }
        let take_error = || {
            let mut listeners = ns.netlink.listeners.borrow_mut();
            listeners[0].options.room = 10;
            (listeners[0].received.len(), std::mem::take(&mut listeners[0].sk_err))
        };
        assert_eq!(take_error(), (1, -105));
        let net = new_net(&ns).await;
        ns.peernet2id_alloc(ns.init_net, net, kernel::Gfp::Kernel).await;
        assert_eq!(take_error(), (1, 0));
    });
    assert_eq!((outcome, sim.findings().len()), (Outcome::Done, 0));
}

/// The first socket gets the message itself; where the clone for the second fails, it and all behind it miss it.
#[test]
fn a_failed_clone_overruns_the_rest() {
    let mut sim = Sim::new(Config::default());
    let outcome = sim.run(&mut First, |bus| async move {
        let ns = boot(&bus, true).await;
        for id in 1..=3 {
            ns.listen(id, ns.init_net, false, true, 10).await;
        }
        ns.k.faults.borrow_mut().arm(Some("skb_clone"), 1, Some(1));
        let net = new_net(&ns).await;
        ns.peernet2id_alloc(ns.init_net, net, kernel::Gfp::Kernel).await;
        let listeners = ns.netlink.listeners.borrow();
        let got: Vec<_> = listeners.iter().map(|sk| (sk.received.len(), sk.sk_err)).collect();
        assert_eq!(got, [(0, -105), (0, -105), (1, 0)], "the newest comes first");
    });
    assert_eq!((outcome, sim.findings().len()), (Outcome::Done, 0));
}

#[test]
fn a_task_exits_where_it_may_sleep() {
    let mut sim = Sim::new(Config::default());
    sim.run(&mut First, |bus| async move {
        let ns = boot(&bus, true).await;
        let held = HeldPtr::at(bus.alloc_static(HeldPtr::layout(), "held").expect("memory"));
        held.lock().lock(&ns.k).await;
        ns.exit_task_namespaces(ns.init_task).await;
        held.lock().unlock(&ns.k).await;
    });
    let codes: Vec<_> = sim.findings().iter().map(|finding| finding.code()).collect();
    assert_eq!(codes, ["sleep-in-atomic"]);
}

/// Without CONFIG_NET_NS operations are on no list after boot, and to unregister the first device leaves NULL.
#[test]
fn a_first_device_that_leads_nowhere_has_a_name() {
    let mut sim = Sim::new(Config::default());
    sim.run(&mut First, |bus| async move {
        let ns = boot(&bus, false).await;
        let ops = ns.new_pernet_operations(Methods::named("device"), false, 0).await.expect("memory");
        assert_eq!(ns.register_pernet_device(ops).await, 0);
        ns.unregister_pernet_device(ops).await;
        let first = ns.first_device().expect("not the head");
        assert_eq!((first.addr(), &*ns.pernet_name(first)), (Addr::NULL, "NULL"));
    });
}
