// SPDX-License-Identifier: GPL-2.0-only
//! Memory that nothing refers to any more and nobody has freed; mm/kmemleak.c
//!
//! Mark and sweep, as there: static data and stacks are roots, and so is whatever the kernel keeps outside of simulated
//! memory; every cell of an object that is reached is taken for a pointer, also into the middle of an object. There it
//! is a guess, as any word may look like a pointer; here a value that is none never does.

use machine::{Addr, Memory, Object};

/// What is not in simulated memory, and refers to something that is.
#[derive(Clone, Debug, Default)]
pub struct References {
    /// From what is always there.
    pub roots: Vec<Addr>,
    /// From an object, to what it refers to in a table of the kernel: as long as it is reached itself.
    pub owned: Vec<(Addr, Addr)>,
}

/// The objects of a slab cache that are not freed and that nothing refers to, oldest slot first. Looks at each object
/// once; to be called when nothing runs.
pub fn unreferenced(memory: &Memory, references: &References) -> Vec<Addr> {
    let mut reached = vec![false; memory.slots()];
    let mut owned: Vec<(usize, Addr)> = Vec::new();
    owned.extend(references.owned.iter().filter_map(|(owner, to)| Some((slot_of(memory, *owner)?, *to))));
    owned.sort_unstable();
    let mut gray = Vec::new();
    let mut reach = |addr: Addr, gray: &mut Vec<usize>| {
        if let Some(slot) = slot_of(memory, addr)
            && !std::mem::replace(&mut reached[slot], true)
        {
            gray.push(slot);
        }
    };
    for addr in memory.live().filter(|(_, object)| is_root(object)).map(|(addr, _)| addr) {
        reach(addr, &mut gray);
    }
    for root in &references.roots {
        reach(*root, &mut gray);
    }
    while let Some(slot) = gray.pop() {
        let Some(object) = memory.in_slot(slot) else { continue };
        for value in memory.values_of(object) {
            reach(Addr::from_value(*value), &mut gray);
        }
        let from = owned.partition_point(|(owner, _)| *owner < slot);
        for (_, to) in owned[from..].iter().take_while(|(owner, _)| *owner == slot) {
            reach(*to, &mut gray);
        }
    }
    let left = |(addr, _): &(Addr, &Object)| slot_of(memory, *addr).is_some_and(|slot| !reached[slot]);
    memory.live().filter(left).map(|(addr, _)| addr).collect()
}

/// Data and bss, of the kernel or of a module, and stacks.
fn is_root(object: &Object) -> bool {
    object.name.is_some() || matches!(object.layout.cache, "static" | "module" | "stack")
}

fn slot_of(memory: &Memory, addr: Addr) -> Option<usize> {
    memory.place(addr).ok().filter(|place| !place.freed).map(|place| place.slot)
}
