// SPDX-License-Identifier: GPL-2.0-only
//! What has happened in a run, as far as the run expects something of it.

use std::collections::{BTreeMap, BTreeSet};

use kernel::Effect;

use crate::{events::event_text, scenario::Run, world::World};

/// How often something must happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExpectedCount {
    /// An event, or its first words.
    pub(crate) event: String,
    pub(crate) at_least: u64,
    /// None: any number.
    pub(crate) at_most: Option<u64>,
}

impl ExpectedCount {
    fn words(&self) -> String {
        match (self.at_least, self.at_most) {
            (least, Some(most)) if least == most => times(least),
            (0, Some(most)) => format!("at most {}", times(most)),
            (least, None) => format!("at least {}", times(least)),
            (least, Some(most)) => format!("from {least} to {}", times(most)),
        }
    }
}

fn times(n: u64) -> String {
    if n == 1 { "once".to_owned() } else { format!("{n} times") }
}

/// What has happened in a run. Told of every effect, it keeps what the run expects.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// The events that are expected, in their order, and how many of them have happened.
    events: Vec<String>,
    happened: usize,
    /// What is counted, and how often it has happened.
    counts: Vec<(ExpectedCount, u64)>,
    /// Where what is counted is among them: looked up for every event, however much is counted.
    places: BTreeMap<String, usize>,
    entered: BTreeSet<&'static str>,
}

impl Tally {
    /// Of nothing, yet.
    pub fn of(run: &Run) -> Self {
        let counts = run.counts.iter().map(|count| (count.clone(), 0)).collect();
        let places =
            run.counts.iter().enumerate().map(|(place, count)| (count.event.clone(), place)).collect();
        Tally { events: run.events.clone(), happened: 0, counts, places, entered: BTreeSet::new() }
    }
    /// An effect happens: what it is in words, if it is a tracepoint with a meaning to scenarios.
    pub fn happens(&mut self, world: &World, effect: &Effect) -> Option<String> {
        if let Effect::Enter(function, _) = effect {
            self.entered.insert(function.name);
        }
        let is_trace = matches!(effect, Effect::Trace(..));
        if !is_trace && self.counts.is_empty() && self.happened == self.events.len() {
            return None; // nobody asks for the words
        }
        let text = event_text(world, effect)?;
        if self.events.get(self.happened) == Some(&text) {
            self.happened += 1;
        }
        if !self.counts.is_empty() {
            // Its first word, its first two words and so on, and all of it.
            let ends = text.match_indices(' ').map(|(end, _)| end).chain([text.len()]);
            for beginning in ends.filter_map(|end| text.get(..end)) {
                if let Some((_, count)) =
                    self.places.get(beginning).and_then(|place| self.counts.get_mut(*place))
                {
                    *count += 1;
                }
            }
        }
        is_trace.then_some(text)
    }
    /// The kernel functions that were entered.
    pub fn entered(&self) -> &BTreeSet<&'static str> {
        &self.entered
    }

    /// Compares.
    pub(crate) fn judge(&self, run: &Run, say: &mut impl FnMut(String)) {
        for function in &run.functions {
            if !self.entered.contains(function.as_str()) {
                say(format!("{function}() was expected to be called and was not"));
            }
        }
        // Those behind the first that is missing would be missed, too, whether they happened or not.
        if let Some(expected) = self.events.get(self.happened) {
            let after = match self.happened.checked_sub(1).and_then(|before| self.events.get(before)) {
                Some(before) => format!(" after `{before}`"),
                None => String::new(),
            };
            say(format!("event `{expected}` was expected{after} and did not happen"));
        }
        for (expected, count) in &self.counts {
            if *count < expected.at_least || expected.at_most.is_some_and(|most| *count > most) {
                let event = &expected.event;
                say(format!("`{event}` was expected {}, and happened {}", expected.words(), times(*count)));
            }
        }
    }
}
