// SPDX-License-Identifier: GPL-2.0-only
//! The schema says of a text what the parser says.

use std::{fs, path::Path};

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::common::{source, with};

fn schema() -> Value {
    serde_json::from_str(&scenario::schema()).expect("JSON")
}

fn validator() -> Validator {
    assert!(jsonschema::meta::is_valid(&schema()), "a schema by its own meta-schema");
    jsonschema::validator_for(&schema()).expect("a schema")
}

/// What the schema has against a text.
fn complaints(validator: &Validator, text: &str) -> Vec<String> {
    let value: Value = serde_json::from_str(text).expect("JSON");
    let complaints = validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path()));
    complaints.collect()
}

#[test]
fn it_is_that_of_the_documentation() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/scenario.schema.json");
    let committed = fs::read_to_string(path).expect("docs/scenario.schema.json");
    assert!(committed == scenario::schema(), "write it anew: sim schema > docs/scenario.schema.json");
}

#[test]
fn every_shipped_scenario_is_valid() {
    let validator = validator();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let mut seen = 0;
    let mut left = vec![directory];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).expect("a directory of scenarios") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                let text = fs::read_to_string(&path).expect("a scenario");
                assert_eq!(complaints(&validator, &text), [""; 0], "{}", path.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 10, "{seen} scenarios");
}

/// The fields that serde knows, as it tells them when it meets another.
fn fields_of_parser(text: &str) -> Vec<String> {
    let errors = scenario::read(&source(text)).expect_err("an unknown field");
    let unknown = errors.iter().find(|error| error.code == "S006").expect("an unknown field");
    let help = unknown.help.clone().unwrap_or_default();
    let mut names: Vec<String> = help.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    names.sort();
    names
}

fn fields_of_schema(object: &Value) -> Vec<String> {
    let properties = object["properties"].as_object().expect("an object with properties");
    assert!(properties.contains_key("$schema") && properties.contains_key("note"), "{properties:?}");
    assert_eq!(object["additionalProperties"], json!(false));
    let names = properties.keys().filter(|name| *name != "$schema" && *name != "note");
    let mut names: Vec<String> = names.cloned().collect();
    names.sort();
    names
}

#[test]
fn every_step_and_every_field_is_in_it() {
    let schema = schema();
    let definitions = &schema["definitions"];
    let steps = fields_of_schema(&definitions["step"]);
    let mut known: Vec<&str> = scenario::STEPS.to_vec();
    known.sort();
    assert_eq!(steps, known);
    for step in scenario::STEPS {
        let text = with(&format!("\"setup\": [{{\"{step}\": {{\"?????????\": 1}}}}]"));
        assert_eq!(fields_of_schema(&definitions[step]), fields_of_parser(&text), "{step}");
        let described = definitions[step]["description"].as_str();
        assert!(
            described.is_some_and(|text| text.ends_with('.') || text.ends_with(')')),
            "{step}: {described:?}"
        );
    }
}

#[test]
fn every_object_and_every_field_is_in_it() {
    let schema = schema();
    let definitions = &schema["definitions"];
    let unknown = r#"{"?????????": 1}"#;
    for (name, text) in [
        ("machine", format!(r#""machine": {unknown}"#)),
        ("user_namespace", format!(r#""user_namespaces": {{"u": {unknown}}}"#)),
        ("pernet_operations", format!(r#""pernet": {{"p": {unknown}}}"#)),
        ("failure", format!(r#""faults": [{unknown}]"#)),
        ("task", format!(r#""tasks": [{unknown}]"#)),
        ("run", format!(r#""runs": [{unknown}]"#)),
        ("end_state", format!(r#""runs": [{{"end": {unknown}}}]"#)),
    ] {
        assert_eq!(fields_of_schema(&definitions[name]), fields_of_parser(&with(&text)), "{name}");
    }
    let mut top = fields_of_parser(&with(r#""?????????": 1"#));
    top.retain(|name| name != "note");
    assert_eq!(fields_of_schema(&schema), top);
}

/// An editor shows a word on every field.
#[test]
fn every_field_is_described() {
    fn walk(path: &str, value: &Value, bare: &mut Vec<String>) {
        if let Some(properties) = value.get("properties").and_then(Value::as_object) {
            for (name, field) in properties {
                let is_described = field.get("description").is_some()
                    || field.get("$ref").is_some()
                    || field.get("allOf").is_some();
                if !is_described {
                    bare.push(format!("{path}.{name}"));
                }
            }
        }
        if let Value::Object(members) = value {
            members.iter().for_each(|(key, value)| walk(&format!("{path}.{key}"), value, bare));
        }
    }
    let mut bare = Vec::new();
    walk("", &schema(), &mut bare);
    assert_eq!(bare, [""; 0]);
}

/// And on every word, but for names of functions.
#[test]
fn every_word_is_described() {
    fn walk(value: &Value, described: &mut usize, bare: &mut Vec<String>) {
        for word in value.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
            let name = word.get("const").and_then(Value::as_str);
            let is_described = word["description"].as_str().is_some_and(|text| !text.is_empty());
            match name {
                Some(name) if !is_described => bare.push(name.to_owned()),
                Some(_) => *described += 1,
                None => {}
            }
        }
        for word in value.get("enum").and_then(Value::as_array).into_iter().flatten() {
            bare.extend(word.as_str().filter(|word| !scenario::FUNCTIONS.contains(word)).map(str::to_owned));
        }
        match value {
            // A condition is shown to nobody.
            Value::Object(members) => members
                .iter()
                .filter(|(key, _)| *key != "if")
                .for_each(|(_, value)| walk(value, described, bare)),
            Value::Array(elements) => elements.iter().for_each(|value| walk(value, described, bare)),
            _ => {}
        }
    }
    let (mut described, mut bare) = (0, Vec::new());
    walk(&schema(), &mut described, &mut bare);
    assert_eq!(bare, [""; 0]);
    assert!(described > 60, "{described}");
}

/// Whoever completes is offered no `null`, and `$schema` only where it means something.
#[test]
fn nothing_useless_is_offered() {
    fn walk(value: &Value, offered: &mut usize) {
        if let Some(schema) = value.get("properties").and_then(|properties| properties.get("$schema")) {
            *offered += usize::from(schema.get("doNotSuggest") != Some(&json!(true)));
        }
        assert!(value.get("default") != Some(&Value::Null), "{value}");
        match value {
            Value::Object(members) => members.values().for_each(|value| walk(value, offered)),
            Value::Array(elements) => elements.iter().for_each(|value| walk(value, offered)),
            _ => {}
        }
    }
    let mut offered = 0;
    walk(&schema(), &mut offered);
    assert_eq!(offered, 1);
}

/// What the schema refuses, the parser refuses: an editor never marks what is good.
#[test]
fn nothing_good_is_refused() {
    let validator = validator();
    let refused = |text: &str| !complaints(&validator, text).is_empty();
    let text = crate::robust::rich();
    let tokens: Vec<&str> = text.split_inclusive(|c: char| !c.is_alphanumeric()).collect();
    let mut lcg = crate::robust::Lcg(5);
    let (mut good, mut both) = (0, 0);
    for _ in 0..4000 {
        let mut new: Vec<&str> = tokens.clone();
        let (at, from) = (lcg.below(new.len()), lcg.below(tokens.len()));
        new[at] = match lcg.below(3) {
            0 => "",
            1 => "null",
            _ => tokens[from],
        };
        let new = new.concat();
        if serde_json::from_str::<Value>(&new).is_err() {
            continue;
        }
        let is_good = scenario::read(&source(&new)).is_ok();
        assert!(!(is_good && refused(&new)), "{:?}\n{new}", complaints(&validator, &new));
        good += usize::from(is_good);
        both += usize::from(!is_good && refused(&new));
    }
    assert!(good > 50 && both > 50, "{good} good, {both} refused by both");
}

/// What an editor should mark, it marks.
#[test]
fn what_is_wrong_in_form_is_refused() {
    let validator = validator();
    for parts in [
        r#""taskz": []"#,
        r#""machine": {"cpus": 0}"#,
        r#""machine": {"preempt": "ful"}"#,
        r#""setup": [{"put_net": {"nett": "init_net"}}]"#,
        r#""setup": [{"put_net": {}}]"#,
        r#""setup": [{"put_net": {"net": 7}}]"#,
        r#""setup": [{"copynetns": {}}]"#,
        r#""setup": [{}]"#,
        r#""setup": [{"note": "n"}]"#,
        r#""setup": [{"rcu_barrier": {}, "synchronize_rcu": {}}]"#,
        r#""setup": ["rcu_barrier"]"#,
        r#""setup": [{"unshare": {"expect": true}}]"#,
        r#""setup": [{"fail_alloc": {"kind": "nets"}}]"#,
        r#""setup": [{"fail_alloc": {"kind": "net", "times": "always"}}]"#,
        r#""setup": [{"newnsid_raw": {"net": "init_net", "hex": "0 1 2"}}]"#,
        r#""patches": ["get_live_net_by_di"]"#,
        r#""runs": [{"seed": -1}]"#,
        r#""runs": [{"findings": ["kasan"]}]"#,
        r#""runs": [{"functions": ["put_nett"]}]"#,
        r#""runs": [{"events": ["notfy init_net NEWNSID 0"]}]"#,
        r#""runs": [{"outcome": "fine"}]"#,
        r#""version": 2"#,
    ] {
        let text = match parts.contains("version") {
            true => r#"{"version": 2, "title": "t", "note": "n"}"#.to_owned(),
            false => with(parts),
        };
        assert!(!complaints(&validator, &text).is_empty(), "{parts}");
        assert!(scenario::read(&source(&text)).is_err(), "{parts}");
    }
    assert_eq!(complaints(&validator, &with(r#""tasks": []"#)), [""; 0]);
}
