// SPDX-License-Identifier: GPL-2.0-only
//! What a test of a comparison changes: the values of a recording, each by itself.

use serde_json::Value;

/// The JSON pointers of all scalars below `path`, but for those in fields of these names.
pub(crate) fn leaves(value: &Value, path: &str, ignored: &[&str]) -> Vec<String> {
    match value {
        Value::Array(values) => values
            .iter()
            .enumerate()
            .flat_map(|(i, value)| leaves(value, &format!("{path}/{i}"), ignored))
            .collect(),
        Value::Object(fields) => fields
            .iter()
            .filter(|(key, _)| !ignored.contains(&key.as_str()))
            .flat_map(|(key, value)| leaves(value, &format!("{path}/{}", escaped(key)), ignored))
            .collect(),
        _ => vec![path.to_owned()],
    }
}

/// A key as a JSON pointer spells it. RFC 6901
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
