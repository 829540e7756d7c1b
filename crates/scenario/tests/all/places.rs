// SPDX-License-Identifier: GPL-2.0-only
//! What reports can say of where a task was: the function, the step, the pid.

use std::{cell::RefCell, rc::Rc};

use machine::{Choice, Driver, Event, Finding};
use machine_sim::{First, Sim};
use scenario::{Scenario, StepWatch, World};

use crate::common::{config, good, with};

/// Every finding with the step that its task was in.
struct Watch {
    steps: StepWatch,
    found: Vec<(Finding, Option<u32>)>,
}

impl Driver for Watch {
    fn choose(&mut self, choice: &Choice<'_>) -> Option<usize> {
        First.choose(choice)
    }
    fn happened(&mut self, event: &Event) {
        self.steps.happened(event);
    }
    fn found(&mut self, finding: &Finding) {
        self.found.push((finding.clone(), self.steps.step_of(finding.by.id).map(|step| step.step)));
    }
}

/// Function, place and pid of every finding of a scenario's first run.
fn found(text: &str) -> Vec<(String, String, i32)> {
    let scenario = good(text);
    let mut sim = Sim::new(config(&scenario));
    let mut watch = Watch { steps: StepWatch::default(), found: Vec::new() };
    let world: Rc<RefCell<Option<Rc<World>>>> = Rc::default();
    sim.run(&mut watch, |bus| {
        let started = scenario::start(&scenario, &scenario.runs[0], scenario::Variant::Whole, &bus);
        *world.borrow_mut() = Some(started.world);
        started.main
    });
    let world = world.borrow().clone().expect("started");
    let tell = |(finding, step): &(Finding, Option<u32>)| {
        let place = step.map_or_else(|| "no step".to_owned(), |step| place(&scenario, step));
        let pid = world.pid_of(finding.by.id, &sim.task_name(finding.by.id));
        (finding.by.function.to_owned(), place, pid)
    };
    watch.found.iter().map(tell).collect()
}

fn place(scenario: &Scenario, step: u32) -> String {
    let (path, line) = scenario.place(step);
    format!("{path}, line {line}")
}

#[test]
fn a_step_outside_of_kernel_functions_is_named_all_the_same() {
    let text = with(
        r#"  "setup": [
    {"copy_net_ns": {"as": "a"}},
    {"put_net": {"net": "a"}}],
  "tasks": [{"name": "t", "steps": [
    {"flush_netns_wq": {}},
    {"rcu_read": {"steps": [
      {"touch_net": {"net": "a"}}]}},
    {"wait_for_completion": {"name": "never"}}]},
    {"name": "u", "steps": [
      {"loop": {"times": 1, "steps": [{"net_mutex_unlock": {}}]}},
      {"wait_for_completion": {"name": "never"}}, {"complete": {"name": "never"}}]}]"#,
    );
    let found = found(&text);
    let is = |index: usize, function: &str, place: &str, pid: i32| {
        assert_eq!(found[index], (function.to_owned(), place.to_owned(), pid));
    };
    is(0, "touch_net", "tasks[0].steps[1].rcu_read.steps[0].touch_net, line 11", 100);
    is(1, "net_mutex_unlock", "tasks[1].steps[0].loop.steps[0].net_mutex_unlock, line 14", 101);
    is(2, "wait_for_completion", "tasks[0].steps[2].wait_for_completion, line 12", 100);
    is(3, "wait_for_completion", "tasks[1].steps[1].wait_for_completion, line 15", 101);
    assert_eq!(found.len(), 4);
}

#[test]
fn a_step_of_a_method_is_named_in_the_context_that_calls_it() {
    let text = with(
        r#"  "pernet": {"p": {"exit": [
    {"passive_get": {"net": "dead"}}]}},
  "setup": [
    {"copy_net_ns": {"as": "dead"}},
    {"put_net": {"net": "dead"}},
    {"flush_netns_wq": {}},
    {"register_pernet_subsys": {"ops": "p"}},
    {"copy_net_ns": {"as": "a"}},
    {"put_net": {"net": "a"}},
    {"flush_netns_wq": {}},
    {"touch_net": {"net": "dead"}}]"#,
    );
    let found = found(&text);
    assert_eq!(found[0], ("passive_get".to_owned(), "pernet.p.exit[0].passive_get, line 6".to_owned(), 2));
    assert_eq!(found[1], ("touch_net".to_owned(), "setup[7].touch_net, line 15".to_owned(), 1));
}

#[test]
fn callbacks_have_a_pid_of_their_own() {
    let text = with(
        r#"  "setup": [{"copy_net_ns": {"as": "a"}}, {"put_net": {"net": "a"}}, {"flush_netns_wq": {}},
    {"call_rcu": {"steps": [{"touch_net": {"net": "a"}}]}}]"#,
    );
    let path = "setup[3].call_rcu.steps[0].touch_net, line 6";
    assert_eq!(found(&text), [("touch_net".to_owned(), path.to_owned(), 3)]);
}

/// The method gives up the memory that its caller goes on to use.
#[test]
fn behind_its_steps_a_context_is_in_no_step() {
    let text = with(
        r#"  "pernet": {"p": {"exit": [{"net_drop_ns": {"net": "self"}}]}},
  "setup": [{"register_pernet_subsys": {"ops": "p"}}, {"copy_net_ns": {"as": "a"}}, {"put_net": {"net": "a"}}]"#,
    );
    let found = found(&text);
    assert!(!found.is_empty());
    assert!(found.iter().all(|(_, place, pid)| place == "no step" && *pid == 2), "{found:?}");
}
