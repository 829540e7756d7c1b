// SPDX-License-Identifier: GPL-2.0-only
//! A kernel, something that tasks may share, and what becomes of a program.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc};

use kernel::{
    Atomic, Completion, Gfp, Ida, Idr, Kernel, ListHead, Mutex, Once, Plain, Racy, RcuHead, RcuPointer,
    SpinLock, TaskId, Work, object,
};
use machine::{Access, Driver, Finding};
use machine_sim::{Config, First, Outcome, Preempt, Seeded, Sim};

object! {
    /// Everything that two tasks may share.
    pub(crate) struct ThingPtr("struct thing", "thing", "kmalloc") {
        pub(crate) first: SpinLock,
        pub(crate) second: SpinLock,
        pub(crate) mutex: Mutex,
        pub(crate) count: Atomic,
        pub(crate) flag: Once<bool>,
        pub(crate) data: Plain<i64>,
        pub(crate) racy: Racy<i64>,
        pub(crate) next: RcuPointer<ThingPtr>,
        pub(crate) list: ListHead,
        pub(crate) other_list: ListHead,
        pub(crate) done: Completion,
        pub(crate) other_done: Completion,
        pub(crate) rcu: RcuHead,
        pub(crate) work: Work,
        pub(crate) idr: Idr,
        pub(crate) ida: Ida,
    }
}

/// A kernel, a thing, and a log.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) k: Rc<Kernel>,
    pub(crate) thing: ThingPtr,
    log: Rc<RefCell<String>>,
}

impl Setup {
    pub(crate) async fn alloc(&self) -> ThingPtr {
        self.k.kzalloc("thing", Gfp::Kernel).await.expect("memory")
    }
    /// A task on any CPU.
    pub(crate) fn spawn<F>(&self, name: &str, f: impl FnOnce(Setup) -> F) -> TaskId
    where
        F: Future<Output = ()> + 'static,
    {
        self.k.spawn(name, None, f(self.clone()))
    }
    /// The same on CPU 0.
    pub(crate) fn spawn_on_0<F>(&self, name: &str, f: impl FnOnce(Setup) -> F) -> TaskId
    where
        F: Future<Output = ()> + 'static,
    {
        self.k.spawn(name, Some(0), f(self.clone()))
    }
    /// Writes into the log, without a step.
    pub(crate) fn say(&self, what: &str) {
        self.log.borrow_mut().push_str(what);
    }
    /// A step that changes nothing.
    pub(crate) async fn pause(&self) {
        self.thing.count().read(&self.k).await;
    }
}

/// What became of a program.
pub(crate) struct Run {
    pub(crate) sim: Sim,
    pub(crate) outcome: Outcome,
    pub(crate) log: String,
}

impl Run {
    /// The codes of all findings, in order.
    pub(crate) fn codes(&self) -> Vec<&'static str> {
        self.sim.findings().iter().map(Finding::code).collect()
    }
    /// The one finding.
    #[track_caller]
    pub(crate) fn finding(&self) -> &Finding {
        assert_eq!(self.sim.findings().len(), 1, "{:?}", self.codes());
        &self.sim.findings()[0]
    }
    /// `task/function`
    pub(crate) fn who(&self, access: &Access) -> String {
        format!("{}/{}", self.sim.bus().name(access.task), access.function)
    }
    /// It has ended, and nothing was wrong.
    #[track_caller]
    pub(crate) fn assert_clean(self) -> Self {
        assert_eq!((self.outcome, self.codes()), (Outcome::Done, vec![]), "{}", self.log);
        self
    }
}

pub(crate) fn run_with<D: Driver, F>(config: Config, mut driver: D, main: impl FnOnce(Setup) -> F) -> Run
where
    F: Future<Output = ()> + 'static,
{
    let mut sim = Sim::new(config);
    let log = Rc::new(RefCell::new(String::new()));
    let outcome = sim.run(&mut driver, |bus| {
        let k = Kernel::new(&bus);
        let thing = bus.alloc(<ThingPtr as kernel::Pointer>::layout(), 512).expect("memory");
        main(Setup { k, thing: kernel::Pointer::at(thing), log: log.clone() })
    });
    let log = log.take();
    Run { sim, outcome, log }
}

/// Without preemption, on four CPUs.
pub(crate) fn run<F: Future<Output = ()> + 'static>(main: impl FnOnce(Setup) -> F) -> Run {
    run_with(Config::default(), First, main)
}

/// How many seeds tell whether something can happen.
const SEEDS: u64 = 500;

/// One run for each of many seeds.
pub(crate) fn runs<F: Future<Output = ()> + 'static>(
    config: Config,
    main: impl Fn(Setup) -> F,
) -> impl Iterator<Item = Run> {
    (0..SEEDS).map(move |seed| run_with(config, Seeded::new(seed), &main))
}

/// The logs of clean runs with many seeds on four CPUs.
#[track_caller]
pub(crate) fn logs<F: Future<Output = ()> + 'static>(main: impl Fn(Setup) -> F) -> BTreeSet<String> {
    runs(Config::default(), main).map(|run| run.assert_clean().log).collect()
}

/// The same on one CPU.
#[track_caller]
pub(crate) fn logs_on_one_cpu<F: Future<Output = ()> + 'static>(
    preempt: Preempt,
    might_sleep: bool,
    main: impl Fn(Setup) -> F,
) -> BTreeSet<String> {
    let points = kernel::Points { might_sleep, ..kernel::Points::default() };
    let config = Config { cpus: 1, preempt, points, ..Config::default() };
    runs(config, main).map(|run| run.assert_clean().log).collect()
}
