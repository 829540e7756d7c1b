// SPDX-License-Identifier: GPL-2.0-only
//! What scenarios may say, for lists: steps, patches, subsystems.

use netns::{Mutation, Patch, Revert, SUBSYSTEMS};
use schemars::SchemaGenerator;
use serde_json::Value;

use crate::step::step_schemas;

/// A kind of step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its name.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub what: String,
    /// Its fields, and whether each must be there.
    pub fields: Vec<(String, bool)>,
}

/// All kinds of steps, as the schema describes them.
pub fn operations() -> Vec<Operation> {
    let mut generator = SchemaGenerator::default();
    let steps = step_schemas(&mut generator);
    let definitions = generator.definitions();
    let operation = |name: &'static str| {
        let schema = definitions.get(name)?;
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let fields = schema["properties"].as_object().into_iter().flatten().map(|(field, _)| field.clone());
        let fields = fields.filter(|field| field != "note" && field != "$schema");
        let mut fields: Vec<(String, bool)> =
            fields.map(|field| (field.clone(), required.contains(&field.as_str()))).collect();
        fields.sort_by_key(|(_, is_required)| !is_required);
        let what = schema["description"].as_str().unwrap_or_default().to_owned();
        Some(Operation { name, what, fields })
    };
    steps.into_iter().filter_map(|(name, _)| operation(name)).collect()
}

/// The names of patches, and the upstream fix that each is.
pub fn patches() -> impl Iterator<Item = (&'static str, &'static str)> {
    Patch::ALL.iter().map(|patch| (patch.name(), patch.words()))
}

/// The names of fixes that can be taken back, and what each is.
pub fn reverts() -> impl Iterator<Item = (&'static str, &'static str)> {
    Revert::ALL.iter().map(|revert| (revert.name(), revert.words()))
}

/// The names of deliberate damage, and what each is.
pub fn mutations() -> impl Iterator<Item = (&'static str, &'static str)> {
    Mutation::ALL.iter().map(|mutation| (mutation.name(), mutation.words()))
}

/// Pernet operations that are there without being scripted, and what each does: the kernel's own, and the library.
pub fn subsystems() -> impl Iterator<Item = (&'static str, String)> {
    let own = "the inode number of a namespace's file; registered when the kernel boots".to_owned();
    let library = SUBSYSTEMS.iter().map(|of| (of.name, format!("{} ({})", of.about, of.stands_for)));
    std::iter::once(("net_ns_ops", own)).chain(library)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::STEPS;

    #[test]
    fn every_step_is_listed() {
        let operations = operations();
        let names: Vec<&str> = operations.iter().map(|operation| operation.name).collect();
        assert_eq!(names, STEPS);
        let find = |name: &str| operations.iter().find(|operation| operation.name == name).expect("a step");
        let required = |name: &str| -> Vec<&str> {
            let fields = find(name).fields.iter().filter(|(_, is_required)| *is_required);
            fields.map(|(field, _)| field.as_str()).collect()
        };
        assert_eq!(required("put_net"), ["net"]);
        assert_eq!(required("copy_net_ns"), [""; 0]);
        assert_eq!(find("copy_net_ns").fields.len(), 5);
        assert_eq!(find("put_net").what, "Drops a reference.");
    }

    #[test]
    fn patches_have_words() {
        assert!(patches().count() > 1);
        for (name, words) in patches() {
            let is_commit = words.chars().take_while(char::is_ascii_hexdigit).count() == 12;
            assert!(
                (words.starts_with('"') || is_commit)
                    && words.contains(", 20")
                    && words.ends_with('.')
                    && !words.contains('\n'),
                "{name}: {words}"
            );
        }
    }
}
