// SPDX-License-Identifier: GPL-2.0-only
//! A kernel, objects with locks, and what checkers find in a program.

use std::rc::Rc;

use checkers::{Checkers, Enabled};
use kernel::{
    Atomic, Completion, ContextKind, Gfp, Kernel, ListHead, Mutex, Plain, RcuPointer, SpinLock, Work, object,
};
use machine::{Bug, Driver, Finding};
use machine_sim::{Config, First, Outcome, Seeded, Sim};

object! {
    /// Whatever tasks may share.
    pub(crate) struct ThingPtr("struct thing", "thing", "kmalloc") {
        pub(crate) a: SpinLock,
        pub(crate) b: SpinLock,
        pub(crate) c: SpinLock,
        pub(crate) mutex: Mutex,
        pub(crate) done: Completion,
        pub(crate) work: Work,
        pub(crate) count: Atomic,
        pub(crate) next: RcuPointer<ThingPtr>,
        pub(crate) plain: Plain<i64>,
        pub(crate) list: ListHead,
        pub(crate) head: ListHead,
    }
}

/// A kernel and a thing.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) k: Rc<Kernel>,
    pub(crate) thing: ThingPtr,
}

impl Setup {
    pub(crate) async fn alloc(&self) -> ThingPtr {
        self.k.kzalloc("thing", Gfp::Kernel).await.expect("memory")
    }
    /// A task, or an interrupt, on CPU 0.
    pub(crate) fn spawn<F: Future<Output = ()> + 'static>(
        &self,
        context: ContextKind,
        f: impl FnOnce(Setup) -> F,
    ) {
        self.k.raise("task", context, 0, f(self.clone()));
    }
}

/// What was found, and how it ended.
pub(crate) struct Run {
    pub(crate) findings: Vec<Finding>,
    pub(crate) outcome: Outcome,
}

impl Run {
    pub(crate) fn codes(&self) -> Vec<&'static str> {
        self.findings.iter().map(Finding::code).collect()
    }
    /// The lines that people search a log for.
    pub(crate) fn titles(&self) -> Vec<String> {
        self.findings.iter().map(ToString::to_string).collect()
    }
    pub(crate) fn bug(&self) -> &Bug {
        assert_eq!(self.findings.len(), 1, "{:?}", self.codes());
        &self.findings[0].bug
    }
}

/// Runs a program whose tasks run one after the other, as they were made.
pub(crate) fn run<F: Future<Output = ()> + 'static>(main: impl FnOnce(Setup) -> F + 'static) -> Run {
    run_with(Config::default(), Enabled::ALL, main)
}

pub(crate) fn run_with<F: Future<Output = ()> + 'static>(
    config: Config,
    enabled: Enabled,
    main: impl FnOnce(Setup) -> F + 'static,
) -> Run {
    run_by(&mut First, config, enabled, main)
}

/// Runs a program as a seed decides.
pub(crate) fn run_seed<F: Future<Output = ()> + 'static>(
    seed: u64,
    main: impl FnOnce(Setup) -> F + 'static,
) -> Run {
    run_by(&mut Seeded::new(seed), Config::default(), Enabled::ALL, main)
}

fn run_by<F: Future<Output = ()> + 'static>(
    driver: &mut impl Driver,
    config: Config,
    enabled: Enabled,
    main: impl FnOnce(Setup) -> F + 'static,
) -> Run {
    let mut sim = Sim::new(config);
    let outcome = sim.run_checked(driver, &mut Checkers::new(enabled), |bus| async move {
        let k = Kernel::new(&bus);
        let thing = k.kzalloc::<ThingPtr>("thing", Gfp::Kernel).await.expect("memory");
        main(Setup { k, thing }).await;
    });
    Run { findings: sim.findings().to_vec(), outcome }
}
