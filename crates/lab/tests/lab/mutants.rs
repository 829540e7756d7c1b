// SPDX-License-Identifier: GPL-2.0-only
//! Mutants: damage that matters is noticed, damage that does not is not, and to record statements changes nothing.

use std::{cell::RefCell, fs, rc::Rc, sync::Arc};

use kernel::Damage;
use lab::run::{Killed, Lab, Operator, RunOptions, site_name};
use machine_sim::First;
use scenario::Source;

fn lab(name: &str) -> Lab {
    let path = format!("{}/../../scenarios/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let scenario = scenario::read(&Source { name: path, text }).expect("it is valid");
    Lab::new(Arc::new(scenario))
}

/// How a scenario notices a mutant, if it does.
fn killed(name: &str, site: &str, operator: Operator) -> Option<Killed> {
    let mut lab = lab(name);
    let baseline = lab.baseline(50);
    let reached = baseline.reached();
    let statement = reached.iter().find(|statement| site_name(statement) == site);
    let mutant = (*statement.unwrap_or_else(|| panic!("{name} does not reach {site}")), operator);
    [false, true].into_iter().find_map(|with_seeds| lab.kills(&baseline, mutant, with_seeds))
}

#[test]
fn a_missing_grace_period_is_noticed() {
    let killed = killed("walks", "cleanup_net/synchronize_rcu#1", Operator::Omit).expect("it is noticed");
    assert_eq!(killed.run, "a namespace dies under the reader");
    assert_eq!(killed.why, "finding kasan-use-after-free");
}

#[test]
fn a_missing_lock_is_noticed_with_its_unlock() {
    let killed = killed("walks", "cleanup_net/rtnl_lock/mutex_lock#1", Operator::Omit);
    assert!(killed.is_some_and(|killed| killed.why.contains("kcsan")));
}

#[test]
fn a_read_section_inside_a_lock_is_redundant() {
    let killed = killed("lookups", "get_net_ns_by_id/rcu_read_lock#1", Operator::Omit);
    assert_eq!(killed, None);
}

#[test]
fn to_record_statements_changes_nothing() {
    let mut lab = lab("walks");
    let run = lab.scenario().runs[0].clone();
    let hash = |lab: &mut Lab| {
        let report = lab.run(&run, &RunOptions::default(), &mut First, |_, _| {});
        report.map(|report| report.hash).expect("the schedule is right")
    };
    let before = hash(&mut lab);
    let reached = RefCell::default();
    let recorder = Damage { is_meant: netns::is_mutated, wrappers: netns::WRAPPERS, target: None, reached };
    let recorder = Rc::new(recorder);
    lab.set_damage(Some(recorder.clone()));
    assert_eq!(hash(&mut lab), before);
    assert!(!recorder.reached.borrow().is_empty());
    lab.set_damage(None);
    assert_eq!(hash(&mut lab), before);
    lab.damage_by_name("cleanup_net/synchronize_rcu#1:omit").expect("it is reached");
    assert_ne!(hash(&mut lab), before);
}

#[test]
fn what_is_no_mutant_is_refused() {
    let mut lab = lab("walks");
    for (text, why) in [
        ("cleanup_net/synchronize_rcu#1", "SITE:OPERATOR"),
        ("cleanup_net/synchronize_rcu#1:twice", "no operator `twice`"),
        ("cleanup_net/synchronize_rcu#1:never", "does not know"),
        ("cleanup_net/synchronize_rcu#2:omit", "no run reaches"),
    ] {
        let error = lab.damage_by_name(text).expect_err(text);
        assert!(error.contains(why), "{error}");
    }
}
