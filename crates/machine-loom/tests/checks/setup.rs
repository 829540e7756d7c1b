// SPDX-License-Identifier: GPL-2.0-only
//! A kernel, something that tasks may share, and what becomes of a program.

use std::rc::Rc;

use kernel::{
    Atomic, Bus, Completion, Gfp, Kernel, ListHead, Mutex, Once, Plain, Racy, RcuHead, RcuPointer, SpinLock,
    Work, object,
};
use machine_loom::{Bounds, Explored, Failure, explore};

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
        pub(crate) done: Completion,
        pub(crate) rcu: RcuHead,
        pub(crate) work: Work,
    }
}

/// A kernel and a thing.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) k: Rc<Kernel>,
    pub(crate) thing: ThingPtr,
}

impl Setup {
    pub(crate) async fn new(bus: Rc<Bus>) -> Self {
        let k = Kernel::new(&bus);
        let thing = Setup::alloc(&k).await;
        Setup { k, thing }
    }
    pub(crate) async fn alloc(k: &Kernel) -> ThingPtr {
        k.kzalloc("thing", Gfp::Kernel).await.expect("memory")
    }
    pub(crate) fn spawn<F: Future<Output = ()> + 'static>(&self, name: &str, f: impl FnOnce(Setup) -> F) {
        self.k.spawn(name, None, f(self.clone()));
    }
}

pub(crate) fn run<F: Future<Output = ()> + 'static>(
    main: impl Fn(Setup) -> F + Send + Sync + Copy + 'static,
) -> Result<Explored, Failure> {
    explore(Bounds::default(), move |bus| async move { main(Setup::new(bus).await).await })
}

/// The failure, whose finding has this code.
#[track_caller]
pub(crate) fn fails<F: Future<Output = ()> + 'static>(
    code: &str,
    main: impl Fn(Setup) -> F + Send + Sync + Copy + 'static,
) -> Failure {
    let failure = run(main).expect_err("it is broken");
    assert_eq!(failure.finding.as_ref().map(|finding| finding.code()), Some(code), "{failure}");
    failure
}

/// The number of executions, of which there must be more than one.
#[track_caller]
pub(crate) fn passes<F: Future<Output = ()> + 'static>(
    main: impl Fn(Setup) -> F + Send + Sync + Copy + 'static,
) -> u64 {
    match run(main) {
        Ok(Explored { executions, .. }) => {
            assert!(executions > 1, "loom found nothing to choose");
            executions
        }
        Err(failure) => panic!("{failure}"),
    }
}

pub(crate) async fn add(Setup { k, thing }: &Setup, by: i64) {
    let value = thing.data().read(k).await;
    thing.data().write(k, value + by).await;
}
