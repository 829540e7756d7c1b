// SPDX-License-Identifier: GPL-2.0-only
//! Schedules by names, and executions written down as such.

use std::{cell::RefCell, rc::Rc};

use machine::{Driver, Event, Op, What};
use machine_sim::{Config, Outcome, Recorded, Schedule, Seeded, Sim, Why, render};

use crate::setup::two_increase;

/// Drives as `inner` does, and notes which task increased.
struct Noted<'a> {
    inner: &'a mut Schedule,
    order: Rc<RefCell<Vec<u32>>>,
}

impl Driver for Noted<'_> {
    fn choose(&mut self, choice: &machine::Choice<'_>) -> Option<usize> {
        self.inner.choose(choice)
    }
    fn happened(&mut self, event: &Event) {
        self.inner.happened(event);
        if let What::Op(Op::Marked(..), _) = event.what {
            self.order.borrow_mut().push(event.current.task.0);
        }
    }
}

/// Who increased, by number: `a` is 1, `b` is 2. And the schedule after the run.
fn follow(text: &str) -> (Vec<u32>, Outcome, Schedule) {
    let mut sim = Sim::new(Config::default());
    let mut schedule = Schedule::parse(sim.bus(), text).expect("valid");
    let order = Rc::default();
    let mut noted = Noted { inner: &mut schedule, order: Rc::clone(&order) };
    let outcome = sim.run(&mut noted, two_increase);
    (order.take(), outcome, schedule)
}

#[test]
fn a_schedule_says_who_runs_and_how_far() {
    let cases: [(&str, &[u32]); 5] = [
        ("main, a, b", &[1, 1, 1, 2, 2, 2]),
        ("main, b, a", &[2, 2, 2, 1, 1, 1]),
        // Start, then increase and lock in turn.
        ("main, a*2, b*4, a, b", &[1, 2, 2, 1, 1, 2]),
        ("main, a until increase#2, b until increase#3, a", &[1, 2, 2, 1, 1, 2]),
        ("main; b*2\n a*2; b", &[2, 1, 2, 2, 1, 1]),
    ];
    for (text, expected) in cases {
        let (order, outcome, schedule) = follow(text);
        assert_eq!((order.as_slice(), outcome), (expected, Outcome::Done), "{text}");
        assert!(schedule.diverged().is_none() && schedule.unfinished().is_none(), "{text}");
    }
}

/// Between two calls the task is never seen outside of the function.
#[test]
fn calls_that_follow_each_other_are_counted() {
    let mut sim = Sim::new(Config::default());
    let mut schedule = Schedule::parse(sim.bus(), "main, a until called#3, b, a").expect("valid");
    let order = Rc::default();
    let mut noted = Noted { inner: &mut schedule, order: Rc::clone(&order) };
    let outcome = sim.run(&mut noted, crate::setup::two_call_thrice);
    assert_eq!((order.take(), outcome), (vec![1, 1, 2, 2, 2, 1], Outcome::Done));
}

/// The end of an execution is no excuse for items that nobody came to.
#[test]
fn what_is_left_of_a_schedule_is_unfinished() {
    for (text, item) in [("main, a, b, a until no_such_function", 3), ("main, a, b, a*5", 3)] {
        let (_, _, schedule) = follow(text);
        let left = schedule.diverged().cloned().or_else(|| schedule.unfinished());
        assert_eq!(left.map(|left| left.item), Some(item), "{text}");
    }
}

#[test]
fn a_schedule_that_cannot_be_followed_ends_the_run() {
    for (text, item, why) in [
        ("main, a until no_such_function, b", 1, Why::Ended),
        ("main, nobody*1", 1, Why::NoTask),
        ("main, a*99, b", 1, Why::Ended),
        ("main, a until increase#4", 1, Why::Ended),
        ("a*1, main", 0, Why::NoTask), // does not exist yet
    ] {
        let (_, outcome, schedule) = follow(text);
        assert_eq!(outcome, Outcome::Abandoned, "{text}");
        let diverged = schedule.diverged().expect("it is told").clone();
        assert_eq!((diverged.item, diverged.why), (item, why), "{text}: {diverged}");
        // Somebody could go on: a driver is not asked otherwise.
        assert!(diverged.standing.iter().any(|standing| standing.is_ready), "{text}: {diverged:?}");
        assert!(text.contains(&diverged.wanted), "{diverged}");
    }
}

#[test]
fn what_a_seed_did_can_be_replayed_by_names() {
    let mut sim = Sim::new(Config::default());
    let mut texts = std::collections::BTreeSet::new();
    for seed in 0..100 {
        let mut recorded = Recorded::new(Seeded::new(seed));
        sim.run(&mut recorded, two_increase);
        let (hash, text) = (sim.trace_hash(), render(sim.bus(), &recorded.runs));
        let mut other = Sim::new(Config::default());
        let mut schedule = Schedule::parse(other.bus(), &text).expect("valid");
        assert_eq!(other.run(&mut schedule, two_increase), Outcome::Done, "{text}");
        assert!(schedule.diverged().is_none() && schedule.unfinished().is_none(), "{text}");
        assert_eq!(other.trace_hash(), hash, "seed {seed}: {text}");
        texts.insert(text);
    }
    assert!(texts.len() > 50, "{} schedules of 100 seeds", texts.len());
}
