// SPDX-License-Identifier: GPL-2.0-only
//! What must be the same after something that failed was undone.

use std::collections::BTreeMap;

use crate::{end::EndState, world::World};

/// What is left at the end of an execution, without what an undone attempt may leave behind: names bound to errors, ids
/// that were tried, bitmaps kept for the next allocation of an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Essence {
    end: EndState,
    /// How many objects of each type are not freed.
    objects: BTreeMap<&'static str, usize>,
}

impl Essence {
    /// Looks at a run. Nothing must run meanwhile.
    pub fn of(world: &World) -> Self {
        let mut end = EndState::of(world);
        end.bindings.clear();
        end.faults.clear();
        end.max_gen_ptrs = 0;
        for namespace in &mut end.namespaces {
            namespace.name = None;
        }
        let mut objects = BTreeMap::new();
        world.ns().k.bus.inspect(|memory| {
            for (_, object) in memory.live().filter(|(_, object)| object.name.is_none()) {
                *objects.entry(object.layout.short).or_insert(0) += 1;
            }
        });
        objects.remove("ida_bitmap");
        Essence { end, objects }
    }
    /// What is different from `before`, in one line; none if nothing is.
    pub fn difference(&self, before: &Essence) -> Option<String> {
        let mut all = Vec::new();
        for name in self.objects.keys().chain(before.objects.keys()) {
            let count = |essence: &Essence| essence.objects.get(name).copied().unwrap_or(0);
            let (now, then) = (count(self), count(before));
            let text = format!("{now} {name} instead of {then}");
            if now != then && !all.contains(&text) {
                all.push(text);
            }
        }
        let (now, then) = (self.end.to_string(), before.end.to_string());
        let lines = now.lines().filter(|line| !then.lines().any(|other| other == *line));
        all.extend(lines.map(|line| format!("`{}`", line.trim())));
        let gone = then.lines().filter(|line| !now.lines().any(|other| other == *line));
        all.extend(gone.map(|line| format!("no `{}`", line.trim())));
        (self != before).then(|| if all.is_empty() { "something else".to_owned() } else { all.join(", ") })
    }
}
