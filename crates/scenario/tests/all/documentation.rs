// SPDX-License-Identifier: GPL-2.0-only
//! The page on the format names every word that the format knows.

use std::{fs, path::Path};

use serde_json::Value;

/// What stands between backquotes on the page, by words.
fn quoted() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/scenario-format.md");
    let text = fs::read_to_string(path).expect("docs/scenario-format.md");
    // Blocks of code have three.
    let text = text.split("```").step_by(2).collect::<String>();
    let quoted = text.split('`').skip(1).step_by(2);
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '$' | '@');
    quoted.flat_map(|code| code.split(|c| !is_part(c))).map(str::to_owned).collect()
}

fn missing<'n>(names: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
    let quoted = quoted();
    names.into_iter().filter(|name| !quoted.iter().any(|known| known == name)).collect()
}

#[test]
fn steps_and_their_fields() {
    assert_eq!(missing(scenario::STEPS.iter().copied()), [""; 0]);
    let operations = scenario::operations();
    let fields =
        operations.iter().flat_map(|operation| operation.fields.iter().map(|(field, _)| field.as_str()));
    assert_eq!(missing(fields), [""; 0]);
}

#[test]
fn events_patches_and_findings() {
    assert_eq!(missing(scenario::EVENTS.iter().filter_map(|(form, _)| form.split(' ').next())), [""; 0]);
    assert_eq!(missing(scenario::patches().map(|(name, _)| name)), [""; 0]);
    let schema: Value = serde_json::from_str(&scenario::schema()).expect("JSON");
    let findings = &schema["definitions"]["run"]["properties"]["findings"]["anyOf"][0]["items"]["oneOf"];
    let findings = findings.as_array().expect("kinds of findings");
    assert!(findings.iter().all(|finding| finding["const"].is_string()), "{findings:?}");
    assert_eq!(missing(findings.iter().filter_map(|finding| finding["const"].as_str())), [""; 0]);
}

#[test]
fn fields_of_objects() {
    let schema: Value = serde_json::from_str(&scenario::schema()).expect("JSON");
    for name in ["machine", "user_namespace", "pernet_operations", "failure", "task", "run", "end_state"] {
        let properties = schema["definitions"][name]["properties"].as_object().expect("an object");
        assert_eq!(missing(properties.keys().map(String::as_str)), [""; 0], "{name}");
    }
    let properties = schema["properties"].as_object().expect("an object");
    assert_eq!(missing(properties.keys().map(String::as_str)), [""; 0]);
}
