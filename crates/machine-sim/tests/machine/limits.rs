// SPDX-License-Identifier: GPL-2.0-only
//! What ends an execution although nothing is wrong.

use std::rc::Rc;

use machine::{Bus, Op};
use machine_sim::{Config, First, Limit, Outcome, Sim};

use crate::setup::Cells;

#[track_caller]
fn ends<F: Future<Output = ()> + 'static>(config: Config, outcome: Outcome, main: impl FnOnce(Rc<Bus>) -> F) {
    let mut sim = Sim::new(config);
    assert_eq!(sim.run(&mut First, main), outcome);
    assert!(sim.findings().is_empty(), "{:?}", sim.findings());
}

#[test]
fn steps_are_limited() {
    let config = Config { max_steps: 10, ..Config::default() };
    // The first step starts the task.
    for (steps, outcome) in [(9, Outcome::Done), (10, Outcome::Limit(Limit::Steps))] {
        ends(config, outcome, |bus| async move {
            let cells = Cells::new(bus);
            for _ in 0..steps {
                cells.inc().await;
            }
        });
    }
}

#[test]
fn tasks_are_limited() {
    let config = Config { max_tasks: 3, ..Config::default() };
    for (tasks, outcome) in [(2, Outcome::Done), (3, Outcome::Limit(Limit::Tasks))] {
        ends(config, outcome, |bus| async move {
            let cells = Cells::new(bus);
            for _ in 0..tasks {
                cells.spawn("task", |_| async {});
            }
        });
    }
}

/// What the machine remembers is limited as well: of objects, and of accesses.
#[test]
fn memory_of_the_machine_is_limited() {
    let config = Config { max_cells: 10_000, ..Config::default() };
    for (objects, outcome) in [(400, Outcome::Done), (600, Outcome::Limit(Limit::Memory))] {
        ends(config, outcome, |bus| async move {
            for _ in 0..objects {
                if bus.alloc(&BLOB, 8).is_none() {
                    bus.step(Op::Fault(machine::Fault::OutOfMemory)).await;
                }
            }
        });
    }
    for (cells, outcome) in [(2000, Outcome::Done), (3000, Outcome::Limit(Limit::Memory))] {
        ends(config, outcome, |bus| async move {
            let object = bus.alloc(&BLOB, 8 * cells).expect("there is room");
            for cell in 0..cells {
                bus.write(object.plus(cell), 1).await;
            }
        });
    }
}

#[test]
fn memory_is_limited() {
    let config = Config { max_cells: 300, ..Config::default() };
    for (objects, outcome) in [(10, Outcome::Done), (30, Outcome::Limit(Limit::Memory))] {
        ends(config, outcome, |bus| async move {
            for _ in 0..objects {
                if bus.alloc(&BLOB, 32).is_none() {
                    bus.step(Op::Fault(machine::Fault::OutOfMemory)).await;
                }
            }
        });
    }
}

static BLOB: machine::Layout = machine::Layout { name: "blob", short: "blob", cache: "kmalloc", fields: &[] };

#[test]
fn a_driver_may_end_it() {
    struct Ends;
    impl machine::Driver for Ends {
        fn choose(&mut self, _: &machine::Choice<'_>) -> Option<usize> {
            None
        }
    }
    let mut sim = Sim::new(Config::default());
    let outcome = sim.run(&mut Ends, |bus| async move {
        Cells::new(bus).inc().await;
    });
    assert_eq!((outcome, sim.steps()), (Outcome::Abandoned, 0));
}

#[test]
fn a_machine_has_at_least_one_cpu() {
    let config = Config { cpus: 0, ..Config::default() };
    ends(config, Outcome::Done, |bus| async move {
        let cells = Cells::new(bus);
        cells.spawn("other", |c| async move {
            c.wait().await;
        });
        cells.complete();
        cells.inc().await;
    });
}
