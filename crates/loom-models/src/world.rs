// SPDX-License-Identifier: GPL-2.0-only
//! A booted port, its tasks, and a subsystem that writes down every cleanup pass.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use kernel::{Bus, Completion, Gfp, Kernel, object};
use netns::{CLONE_NEWNET, Changes, Config, Listed, Methods, NetNs, NetPtr};

object! {
    /// What `main` waits on.
    struct JoinPtr("struct join", "join", "kmalloc") {
        /// A task has come to its end.
        ended: Completion,
    }
}

/// A pass of `cleanup_net()`: the namespaces that exit methods were called for, in order.
pub type Pass = Vec<NetPtr>;

/// A booted kernel in a model.
#[derive(Debug)]
pub struct World {
    /// The subsystem.
    pub ns: Rc<NetNs>,
    join: JoinPtr,
    running: Cell<i64>,
    passes: Rc<RefCell<Vec<Pass>>>,
    created: RefCell<Vec<NetPtr>>,
}

/// A subsystem whose exit methods write down who died in which pass.
///
/// While a pass calls them, they may keep the work pending: as if its bit were cleared after the function.
fn undertaker(passes: &Rc<RefCell<Vec<Pass>>>, keeps_pending: bool) -> Methods {
    let pass = Rc::new(RefCell::new(Pass::new()));
    let (ended, passes) = (pass.clone(), passes.clone());
    let mut methods = Methods::named("undertaker");
    methods.exit = Some(Rc::new(move |ns, net| {
        pass.borrow_mut().push(net);
        Box::pin(async move {
            if keeps_pending {
                World::pending_bit(&ns).set(&ns.k, 1).await;
            }
        })
    }));
    methods.exit_batch = Some(Rc::new(move |ns, _| {
        passes.borrow_mut().push(ended.take());
        Box::pin(async move {
            if keeps_pending {
                World::pending_bit(&ns).set(&ns.k, 0).await;
            }
        })
    }));
    methods
}

/// Fails the model unless `condition` holds. The panic is silent: to print a backtrace takes more stack than a loom
/// thread has.
fn ensure(condition: bool, otherwise: &'static str) {
    if !condition {
        std::panic::resume_unwind(Box::new(otherwise));
    }
}

impl World {
    /// Boots the port. `keeps_pending` breaks the workqueue: its work stays pending while it calls exit methods.
    ///
    /// # Panics
    ///
    /// If there is no memory.
    pub async fn boot(bus: Rc<Bus>, patches: Changes, keeps_pending: bool) -> Rc<Self> {
        let k = Kernel::new(&bus);
        let ns = NetNs::new(k.clone(), Config::default(), patches).expect("memory");
        ns.net_ns_init().await;
        let passes = Rc::default();
        let methods = undertaker(&passes, keeps_pending);
        let ops = ns.new_pernet_operations(methods, false, 0).await.expect("memory");
        assert_eq!(ns.register_pernet_subsys(ops).await, 0, "it is registered");
        let join = k.kzalloc::<JoinPtr>("join", Gfp::Kernel).await.expect("memory");
        Rc::new(World { ns, join, running: Cell::new(0), passes, created: RefCell::default() })
    }

    /// `test_bit(WORK_STRUCT_PENDING_BIT)` of `net_cleanup_work`, to be damaged.
    fn pending_bit(ns: &NetNs) -> kernel::Atomic {
        let work = kernel::Field::addr(ns.net_cleanup_work());
        kernel::Field::at(work)
    }

    /// A new namespace with one reference.
    ///
    /// # Panics
    ///
    /// If it cannot be created.
    pub async fn create(&self) -> NetPtr {
        let ns = &self.ns;
        let net = ns.copy_net_ns(CLONE_NEWNET, ns.init_user_ns, ns.init_net).await.expect("a namespace");
        self.created.borrow_mut().push(net);
        net
    }

    /// A task that `main` waits for.
    pub fn spawn(self: &Rc<Self>, name: &str, task: impl Future<Output = ()> + 'static) {
        self.running.set(self.running.get() + 1);
        let this = self.clone();
        self.ns.k.spawn(name, None, async move {
            task.await;
            this.join.ended().complete(&this.ns.k);
        });
    }

    /// Waits for all tasks, and then for all passes that they asked for; which those were.
    ///
    /// # Panics
    ///
    /// If a namespace that was created is not cleaned up, or twice, or anything else is left.
    pub async fn join(&self) -> Vec<Pass> {
        let (ns, k) = (&self.ns, &self.ns.k);
        while self.running.get() > 0 {
            self.running.set(self.running.get() - self.join.ended().wait(k).await);
        }
        k.flush_workqueue(ns.netns_wq()).await;

        let passes = self.passes.take();
        let mut died: Vec<NetPtr> = passes.iter().flatten().copied().collect();
        died.sort_unstable();
        let mut created = self.created.take();
        created.sort_unstable();
        let once = died.windows(2).all(|pair| pair[0] != pair[1]);
        ensure(once, "a namespace is cleaned up twice");
        ensure(died == created, "a namespace is lost");
        ensure(ns.live_nets() == [ns.init_net], "the memory of a namespace is left");
        let only_first = Listed { entries: vec![ns.init_net], closed: true };
        ensure(ns.listed_nets() == only_first, "a dead namespace is listed");
        let none = Listed { entries: Vec::new(), closed: true };
        ensure(ns.nets_to_clean_up() == none, "a namespace waits for a pass");
        ensure(!ns.net_cleanup_work().is_pending(k), "the work is pending, and nobody will run it");
        passes
    }
}
