// SPDX-License-Identifier: GPL-2.0-only
//! Somebody who looks for bugs: what he is shown, and what becomes of what he finds.

use std::{cell::RefCell, rc::Rc};

use machine::{
    Addr, Bug, Checker, Driver, Effect, Event, Finding, Loc, Locking, Scene, Section, Watched, What,
};
use machine_sim::{Config, First, Outcome, Sim};

use crate::setup::Cells;

type Log = Rc<RefCell<Vec<String>>>;

/// Looks at functions that are entered, at locks and at ends, and objects to all functions.
struct Objects(Log);

impl Checker for Objects {
    fn reset(&mut self) {
        self.0.borrow_mut().push("reset".to_owned());
    }
    fn looks_at(&self, what: &What) -> bool {
        matches!(what, What::Effect(Effect::Enter(..)))
    }
    fn happened(&mut self, _: &Event, scene: &Scene<'_>, found: &mut Vec<Bug>) {
        self.0.borrow_mut().push(format!(
            "preempt_count {:#x}, {} functions, softirqs off {}",
            scene.preempt_count,
            scene.stack.len(),
            scene.softirq_count() != 0
        ));
        found.extend([Bug::Warning { what: "first" }, Bug::Warning { what: "second" }]);
    }
    fn wants_lock(&mut self, lock: Addr, how: Locking, _: Loc, scene: &Scene<'_>, _: &mut Vec<Bug>) {
        let lock = scene.bus.inspect(|memory| memory.cell(lock).to_string());
        self.0.borrow_mut().push(format!("wants {lock} ({how:?})"));
    }
    fn exited(&mut self, loc: Loc, scene: &Scene<'_>, _: &mut Vec<Bug>) {
        let who = scene.access(loc);
        self.0.borrow_mut().push(format!("{} exits", scene.bus.name(who.task)));
    }
}

/// Notes when it hears of what.
struct Hears(Log);

impl Driver for Hears {
    fn choose(&mut self, _: &machine::Choice<'_>) -> Option<usize> {
        None
    }
    fn happened(&mut self, event: &Event) {
        let what = match event.what {
            What::Effect(Effect::Enter(function, _)) => function.name,
            What::Effect(Effect::Leave(_)) => "leave",
            What::Op(machine::Op::Lock(..), _) => "lock",
            _ => return,
        };
        self.0.borrow_mut().push(what.to_owned());
    }
    fn found(&mut self, finding: &Finding) {
        self.0.borrow_mut().push(finding.to_string());
    }
}

fn run(config: Config) -> (Outcome, Vec<String>) {
    let log = Log::default();
    let mut driver = Watched { driver: First, watcher: Hears(log.clone()) };
    let outcome = Sim::new(config).run_checked(&mut driver, &mut Objects(log.clone()), |bus| async move {
        let cells = Cells::new(bus);
        cells.bus.say(Effect::Disable(Section::Bh));
        cells.enter(machine::function!("f"));
        cells.leave();
        cells.lock().await;
        cells.unlock().await;
    });
    (outcome, log.take())
}

#[test]
fn what_is_found_is_told_right_after_the_event() {
    let (outcome, log) = run(Config::default());
    assert_eq!(outcome, Outcome::Done);
    assert_eq!(
        log,
        [
            "reset",
            "f",
            "preempt_count 0x200, 1 functions, softirqs off true",
            "WARNING: in f: first",
            "WARNING: in f: second",
            "leave",
            "wants cells 1->lock (Mutex)",
            "lock",
            "main exits",
        ]
    );
}

#[test]
fn the_first_finding_of_a_checker_may_end_it() {
    let (outcome, log) = run(Config { stop_at_first: true, ..Config::default() });
    assert_eq!(outcome, Outcome::Stopped);
    assert_eq!(log.last().map(String::as_str), Some("WARNING: in f: second"));
}
