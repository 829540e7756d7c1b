// SPDX-License-Identifier: GPL-2.0-only
//! What a run expected, and what happened.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use netns::NetPtr;

use crate::{
    check::INIT_NET,
    end::EndState,
    scenario::{ExpectedEnd, Ids, Run, Scenario},
    tally::Tally,
    world::{Value, World},
};

/// Something that was not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What, in one line.
    pub text: String,
    /// The step that expected it: its path, and its line.
    pub place: Option<(String, usize)>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some((path, line)) => write!(f, "line {line}, {path}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

impl Scenario {
    /// Compares what happened with what a run expects; nothing is left to say if all was as expected.
    ///
    /// `findings` are the codes of what was found, `outcome` is the name of how it ended, and `tally` was told of every
    /// effect.
    pub fn judge(
        &self,
        run: &Run,
        world: &World,
        findings: &[&str],
        outcome: &str,
        tally: &Tally,
    ) -> Vec<Failure> {
        let mut failures = Vec::new();
        let mut say = |text: String| failures.push(Failure { text, place: None });
        let expected: BTreeSet<&str> = run.expected().collect();
        let found: BTreeSet<&str> = findings.iter().copied().collect();
        for missing in expected.difference(&found) {
            say(format!("finding {missing} was expected and did not happen"));
        }
        for surprise in found.difference(&expected) {
            say(format!("finding {surprise} was not expected"));
        }
        failures.extend(self.judge_execution(run, world, outcome, tally));
        failures
    }

    /// Compares all but the findings: what must be true of every execution of a run.
    pub fn judge_execution(&self, run: &Run, world: &World, outcome: &str, tally: &Tally) -> Vec<Failure> {
        let mut failures = Vec::new();
        let mut say = |text: String| failures.push(Failure { text, place: None });
        if let Some(expected) = run.outcome.filter(|expected| expected.name() != outcome) {
            say(format!("outcome: expected {}, got {outcome}", expected.name()));
        }
        tally.judge(run, &mut say);
        self.judge_end(&run.end, world, &mut say);
        self.judge_faults(world, &mut failures);
        let (failed, more) = world.failed();
        for (step, text) in failed {
            failures.push(Failure { text, place: step.map(|step| self.place(step)) });
        }
        if more > 0 {
            failures.push(Failure { text: format!("and {more} more"), place: None });
        }
        failures
    }

    /// A failure that never fires tests nothing.
    fn judge_faults(&self, world: &World, failures: &mut Vec<Failure>) {
        let mut by_place: BTreeMap<(Option<u32>, usize), (String, u64)> = BTreeMap::new();
        for armed in world.faults().into_iter().filter(|armed| !armed.of_sweep) {
            by_place.entry((armed.step, armed.index)).or_insert((armed.what, 0)).1 += armed.fired;
        }
        for ((step, index), (what, fired)) in by_place {
            if fired == 0 {
                let which = if step.is_none() { format!("faults[{index}]: ") } else { String::new() };
                let text = format!("{which}{what} never fired");
                failures.push(Failure { text, place: step.map(|step| self.place(step)) });
            }
        }
    }

    fn judge_end(&self, expected: &ExpectedEnd, world: &World, say: &mut impl FnMut(String)) {
        let end = EndState::of(world);
        let mut number = |what: &str, expected: Option<usize>, got: usize| {
            if let Some(expected) = expected.filter(|expected| *expected != got) {
                say(format!("end: {what}: expected {expected}, got {got}"));
            }
        };
        number("namespaces", expected.namespaces, end.namespaces.len());
        number("callbacks", expected.callbacks, end.callbacks);
        number("user_namespaces", expected.user_namespaces, end.user_namespaces.len());
        if let Some(pending) = expected.cleanup_pending.filter(|pending| *pending != end.cleanup_pending) {
            say(format!("end: cleanup_pending: expected {pending}, got {}", end.cleanup_pending));
        }
        if let Some(pernet) = expected.pernet.as_ref().filter(|pernet| **pernet != end.pernet) {
            say(format!("end: pernet: expected [{}], got [{}]", pernet.join(", "), end.pernet.join(", ")));
        }
        for (index, name, uid, count) in &expected.ucounts {
            let ns = world.user_ns(*index);
            let all = world.ns().ucounts();
            let found = all.iter().find(|view| Some(view.ns) == ns && view.uid == *uid);
            let got = found.map_or(0, |view| view.net_namespaces);
            if got != *count {
                say(format!("end: ucounts: {name}/{uid}: expected {count}, got {got}"));
            }
        }
        for (slot, name, ids) in &expected.nsids {
            judge_nsids(world, *slot, name, ids, say);
        }
        for (name, slot, value) in &expected.results {
            let got = world.get(*slot);
            if !world.is_expected(value, got, None) {
                let (expected, got) = (world.describe_expected(value), world.describe(got));
                say(format!("end: results: {name}: expected {expected}, got {got}"));
            }
        }
    }
}

fn net_of(world: &World, slot: u32) -> Option<NetPtr> {
    match world.get(slot) {
        _ if slot == INIT_NET => Some(world.ns().init_net),
        Value::Net(net) => Some(net),
        _ => None,
    }
}

fn judge_nsids(world: &World, slot: u32, name: &str, expected: &Ids, say: &mut impl FnMut(String)) {
    let ns = world.ns();
    let Some(net) = net_of(world, slot) else {
        return say(format!("end: nsids: {name} is no namespace: {}", world.describe(world.get(slot))));
    };
    if ns.is_freed(kernel::Pointer::addr(net)) {
        return say(format!("end: nsids: {name} is freed"));
    }
    let got: BTreeMap<i32, NetPtr> = ns.nsids_of(net).into_iter().collect();
    let is_same = got.len() == expected.len()
        && expected.iter().all(|(id, (peer, _))| got.get(id).copied() == net_of(world, *peer));
    if !is_same {
        let expected: Vec<String> = expected.iter().map(|(id, (_, peer))| format!("{id}: {peer}")).collect();
        let got: Vec<String> =
            got.iter().map(|(id, peer)| format!("{id}: {}", world.net_text(*peer))).collect();
        say(format!("end: nsids: {name}: expected {{{}}}, got {{{}}}", expected.join(", "), got.join(", ")));
    }
}
