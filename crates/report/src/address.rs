// SPDX-License-Identifier: GPL-2.0-only
//! Addresses for reports: made up, but stable, never those of two objects at once, and in a range that means what it
//! means on x86-64.

use machine::{Bus, Cell, Memory, Object};

/// Where `page_offset_base` lies in a kernel without randomisation.
const DIRECT_MAP: u64 = 0xffff_8880_0400_0000;
/// The kernel's own data.
const KERNEL_DATA: u64 = 0xffff_ffff_8200_0000;

/// The address of the object that a cell lies in.
pub(crate) fn of_object(bus: &Bus, cell: &Cell) -> u64 {
    bus.inspect(|memory| {
        let object = find(memory, &cell.object);
        object.map_or(0, |object| {
            let base = if object.name.is_some() { KERNEL_DATA } else { DIRECT_MAP };
            base + object.cells().start as u64 * 8
        })
    })
}

/// The object of this name, as [`Memory::describe`] gives it.
fn find<'m>(memory: &'m Memory, name: &str) -> Option<&'m Object> {
    let numbered = name.rsplit_once(' ').and_then(|(short, number)| Some((short, number.parse().ok()?)));
    let known =
        (1..memory.slots()).filter_map(|slot| memory.in_slot(slot)).find(|object| match object.name {
            Some(known) => known == name,
            None => numbered == Some((object.layout.short, object.number)),
        });
    known.or_else(|| {
        // One that has a name of its own.
        let mut slots = 1..memory.slots();
        let slot = slots
            .find(|slot| memory.addr_in_slot(*slot).is_some_and(|addr| memory.describe(addr) == name))?;
        memory.in_slot(slot)
    })
}
