// SPDX-License-Identifier: GPL-2.0-only
//! How often something is found in the executions of a run: in none, in some, in all.
//!
//! The words are those of the litmus-test tool herd (Alglave, Maranget, Tautschnig: "Herding cats", TOPLAS 2014): its
//! verdict on a test is the observation `Never`, `Sometimes` or `Always`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

use crate::{
    members::Members,
    scenario::{Run, Scenario},
};

/// In how many executions something is found. Of two and more executions exactly one of the words is true.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "observation")]
pub enum Observation {
    /// In none.
    Never,
    /// In one at least, and not in all.
    Sometimes,
    /// In all.
    Always,
}

impl Observation {
    /// What scenarios call it.
    pub fn name(self) -> &'static str {
        match self {
            Observation::Never => "never",
            Observation::Sometimes => "sometimes",
            Observation::Always => "always",
        }
    }
}

/// What a run says of a kind of findings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedFinding {
    /// Its code.
    pub code: String,
    /// In how many executions; none if one is enough, and all are as well.
    pub observation: Option<Observation>,
}

/// The kinds of findings that are expected, as a scenario writes them.
#[derive(Clone, Debug)]
pub(crate) enum FindingsText {
    /// What is found, in one execution at least.
    List(Vec<String>),
    /// How often each is found.
    Words(Members<Observation>),
}

impl Default for FindingsText {
    fn default() -> Self {
        FindingsText::List(Vec::new())
    }
}

impl<'de> Deserialize<'de> for FindingsText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct ListOrWords;
        impl<'de> Visitor<'de> for ListOrWords {
            type Value = FindingsText;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of kinds or an object of words")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<FindingsText, A::Error> {
                let mut codes = Vec::new();
                while let Some(code) = seq.next_element()? {
                    codes.push(code);
                }
                Ok(FindingsText::List(codes))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<FindingsText, A::Error> {
                Members::deserialize(MapAccessDeserializer::new(map)).map(FindingsText::Words)
            }
        }
        from.deserialize_any(ListOrWords)
    }
}

/// In which executions something was so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// In how many.
    pub executions: u64,
    /// The seed of the first of them.
    pub first: u64,
    /// The seed of the first that came to its end and in which it was not so.
    pub first_without: Option<u64>,
}

/// What was observed in the executions of a run, which have different seeds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    executions: u64,
    /// How many of them were ended by a limit: what they lack, they might have shown later.
    unfinished: u64,
    /// The seed of the first of the others.
    first_finished: Option<u64>,
    shares: BTreeMap<&'static str, Share>,
}

impl Observed {
    /// Adds the execution with this seed, in which this was so. `is_finished`: whether no limit ended it.
    pub fn add(&mut self, seed: u64, what: &BTreeSet<&'static str>, is_finished: bool) {
        for (known, share) in &mut self.shares {
            if is_finished && !what.contains(known) {
                share.first_without.get_or_insert(seed);
            }
        }
        for code in what {
            let share = self.shares.entry(code).or_insert(Share {
                executions: 0,
                first: seed,
                first_without: self.first_finished,
            });
            share.executions += 1;
        }
        self.executions += 1;
        self.unfinished += u64::from(!is_finished);
        if is_finished {
            self.first_finished.get_or_insert(seed);
        }
    }
    /// How many executions there were.
    pub fn executions(&self) -> u64 {
        self.executions
    }
    /// What was so in one execution at least.
    pub fn shares(&self) -> impl Iterator<Item = (&'static str, Share)> {
        self.shares.iter().map(|(code, share)| (*code, *share))
    }
    /// In which executions this was so; none if in none.
    pub fn share(&self, code: &str) -> Option<Share> {
        self.shares.get(code).copied()
    }
    /// How often this was so.
    pub fn observation(&self, code: &str) -> Observation {
        match self.share(code) {
            None => Observation::Never,
            Some(share) if share.executions == self.executions => Observation::Always,
            Some(_) => Observation::Sometimes,
        }
    }
}

impl Scenario {
    /// Whether another run says of the same tasks and changes what many seeds find.
    pub fn has_run_with_seeds_for(&self, run: &Run) -> bool {
        let is_same = |other: &&Run| other.tasks == run.tasks && other.changes == run.changes;
        run.seeds.is_none() && self.runs.iter().filter(is_same).any(|other| other.seeds.is_some())
    }
}

impl Run {
    /// Whether this kind of findings may be found.
    pub fn expects(&self, code: &str) -> bool {
        self.expected().any(|expected| expected == code)
    }
    /// The kinds of findings that are found in one execution at least.
    pub fn expected(&self) -> impl Iterator<Item = &str> {
        let never = Some(Observation::Never);
        self.findings.iter().filter(move |finding| finding.observation != never).map(|finding| &*finding.code)
    }

    /// Compares what was found in the executions of a run with so many seeds with what it expects: what is wrong, in
    /// words, and the seed of an execution that shows it, if one does.
    pub fn judge_observed(&self, seeds: u64, found: &Observed) -> Vec<(Option<u64>, String)> {
        let all = found.executions;
        // What is missing may be in those that are missing.
        let is_whole = all == seeds && found.unfinished == 0;
        let mut wrong = Vec::new();
        for ExpectedFinding { code, observation } in &self.findings {
            let share = found.share(code);
            let seen = share.map_or(0, |share| share.executions);
            match (observation, share) {
                (None, None) if is_whole => {
                    let text = format!("finding {code} was expected and did not happen in {all} executions");
                    wrong.push((None, text));
                }
                (Some(Observation::Never), Some(Share { first, .. })) => {
                    let text = format!("was in {seen} of {all} executions, first with seed {first}");
                    wrong.push((Some(first), format!("finding {code} was expected never, and {text}")));
                }
                (Some(Observation::Sometimes), None) if is_whole => {
                    let text = format!("was in none of {all} executions");
                    wrong.push((None, format!("finding {code} was expected sometimes, and {text}")));
                }
                (Some(Observation::Sometimes), Some(Share { first, first_without: None, .. }))
                    if is_whole =>
                {
                    let text = format!("was in all of {all} executions");
                    wrong.push((Some(first), format!("finding {code} was expected sometimes, and {text}")));
                }
                (Some(Observation::Always), _) => {
                    let without = share.map_or(found.first_finished, |share| share.first_without);
                    if let Some(seed) = without {
                        let text = format!("was in {seen} of {all} executions, not in that with seed {seed}");
                        wrong.push((without, format!("finding {code} was expected always, and {text}")));
                    }
                }
                _ => {}
            }
        }
        let is_listed = |code: &str| self.findings.iter().any(|finding| finding.code == code);
        for (code, Share { executions, first, .. }) in found.shares().filter(|(code, _)| !is_listed(code)) {
            let text = format!("it was in {executions} of {all} executions, first with seed {first}");
            wrong.push((Some(first), format!("finding {code} was not expected: {text}")));
        }
        wrong
    }

    /// The same of a run that is about a single execution, when it has had others: if it expects findings, one of their
    /// kinds was in one of these at least, and others may be as well; if it expects none, there was none.
    pub fn judge_any(&self, found: &Observed) -> Vec<(Option<u64>, String)> {
        let all = found.executions;
        if self.findings.is_empty() {
            let unexpected = |(code, Share { executions, first, .. })| {
                let text = format!("it was in {executions} of {all} executions, first with seed {first}");
                (Some(first), format!("finding {code} was not expected: {text}"))
            };
            return found.shares().map(unexpected).collect();
        }
        if self.expected().any(|code| found.share(code).is_some()) {
            return Vec::new();
        }
        let expected = self.expected().collect::<Vec<_>>().join(", ");
        vec![(None, format!("none of the findings expected ({expected}) was in {all} executions"))]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Observation, Observed, Share};

    fn observed(executions: &[(&[&'static str], bool)]) -> Observed {
        let mut observed = Observed::default();
        for (seed, (codes, is_finished)) in (0..).zip(executions) {
            observed.add(seed, &codes.iter().copied().collect::<BTreeSet<_>>(), *is_finished);
        }
        observed
    }

    #[test]
    fn words_are_true_of_all_executions() {
        let observed = observed(&[(&["a"], true), (&["a", "b"], true), (&["a"], true)]);
        assert_eq!(observed.executions(), 3);
        assert_eq!(observed.observation("a"), Observation::Always);
        assert_eq!(observed.observation("b"), Observation::Sometimes);
        assert_eq!(observed.observation("c"), Observation::Never);
        assert_eq!(observed.share("a"), Some(Share { executions: 3, first: 0, first_without: None }));
        assert_eq!(observed.share("b"), Some(Share { executions: 1, first: 1, first_without: Some(0) }));
    }

    /// What a limit ended says nothing of what it lacks.
    #[test]
    fn the_first_without_has_come_to_its_end() {
        let observed = observed(&[(&[], false), (&["a"], true), (&[], false), (&[], true), (&[], true)]);
        assert_eq!(observed.share("a"), Some(Share { executions: 1, first: 1, first_without: Some(3) }));
    }
}
