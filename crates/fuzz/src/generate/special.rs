// SPDX-License-Identifier: GPL-2.0-only
//! Fields of which the schema does not say enough.

use serde_json::{Map, Value, json};

use super::Making;

impl Making<'_, '_> {
    /// A value that goes with what else there is; none if any value will do that the schema knows.
    pub(super) fn special(&mut self, of: &str, key: &str, schema: &Value) -> Option<Value> {
        Some(match (of, key) {
            ("scenario", "title" | "note") => json!("fuzzed"),
            ("scenario", "boot") => json!(!self.dice.one_in(8)),
            ("scenario", "user_namespaces") => self.members(&self.names.user_namespaces.clone(), schema),
            ("scenario", "pernet") => self.members(&self.names.ops.clone(), schema),
            ("scenario", "modules") => self.members(&self.names.modules.clone(), schema),
            ("scenario", "tasks") => {
                let n = self.names.tasks.len();
                (0..n).map(|_| self.value(&schema["items"], super::At::default())).collect()
            }
            ("scenario", "runs") => {
                let n = 1 + self.dice.below(3);
                (0..n).map(|_| self.value(&schema["items"], super::At::default())).collect()
            }
            ("machine", "cpus") => json!(self.names.cpus),
            ("machine", "max_memory_mib") => json!(self.dice.number(1, 64)),
            ("task", "name") => {
                self.names.given += 1;
                json!(format!("task{}", self.names.given - 1))
            }
            ("count", "passive") => json!(self.dice.below(4)),
            ("failure", "kill") => json!(self.names.tasks.first()),
            ("unicast_error", "error") => json!("-ENOBUFS"),
            ("task", "copies") => json!(1 + self.dice.below(3)),
            ("task", "cpu") => json!(self.dice.below(self.names.cpus as usize)),
            ("task", "user_ns") | ("user_namespace", "parent") => json!(self.names.user_ns(&mut self.dice)),
            ("run", "name") => {
                self.names.given += 1;
                json!(format!("named-{}", self.names.given))
            }
            ("run", "seed") => json!(self.dice.seed()),
            ("run", "schedule") => json!(self.names.schedule(&mut self.dice)),
            ("run", "tasks") => {
                let tasks = self.names.tasks.clone();
                tasks.into_iter().filter(|_| !self.dice.one_in(3)).collect()
            }
            ("run", "counts") => {
                let events = &self.generator.schema["definitions"]["run"]["properties"]["events"]["items"];
                let n = self.dice.below(3);
                let counts =
                    (0..n).map(|_| (self.names.event(events, &mut self.dice), json!({"at_least": 0})));
                Value::Object(counts.collect())
            }
            // One more than a single one: nothing is found sometimes in one.
            ("run", "seeds") => json!(2 + self.dice.below(5)),
            ("run", "findings") => {
                let either = schema["anyOf"][self.dice.below(2)].clone();
                self.value(&either, super::At::default())
            }
            ("run", "patches") | ("scenario", "patches") => {
                let words = schema.get("items").unwrap_or(&schema["anyOf"][0]["items"]);
                (0..self.dice.below(3)).map(|_| self.value(words, super::At::default())).collect()
            }
            ("module", "subsys" | "device") => json!([]), // see mend
            ("pernet_operations", "init_returns") => {
                let call = (1 + self.dice.below(3)).to_string();
                json!({ call: self.dice.pick(&["-ENOMEM", "-EINVAL", "-EPERM"]) })
            }
            ("pernet_operations", "size") | ("allocate", "bytes") => {
                let most = [64, 4096, 4 << 20][self.dice.below(3)];
                json!(self.dice.number(24, most))
            }
            ("end_state", "nsids") => {
                let net = format!("net{}", self.dice.below(3));
                json!({ "init_net": { self.dice.below(3).to_string(): net } })
            }
            ("end_state", "ucounts") => json!({ "init_user_ns/0": self.dice.below(3) }),
            ("barrier", "name") => json!("meet"),
            ("barrier", "tasks") => json!(self.names.cpus.min(2)),
            ("loop", "times") => json!(self.dice.number(1, 1_000_000)),
            _ => return None,
        })
    }

    fn members(&mut self, names: &[String], schema: &Value) -> Value {
        let mut members = Map::new();
        for name in names {
            let value = self.value(&schema["additionalProperties"], super::At::default());
            members.insert(name.clone(), value);
        }
        Value::Object(members)
    }
}
