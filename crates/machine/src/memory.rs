// SPDX-License-Identifier: GPL-2.0-only
//! Simulated memory: objects made of cells. It knows what is where; what an access *means* (a bug, an order) a
//! machine knows.

use std::collections::{BTreeMap, VecDeque};

use crate::{Addr, Cell, Layout, MAX_CELLS};

/// Freed objects of one size that are kept before the oldest of them is used again.
const QUARANTINE: usize = 4096;

/// How much memory an allocation really takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Slab {
    /// A kmalloc size class: the slack at the end can be written without harm.
    #[default]
    SizeClasses,
    /// Exactly what was asked for.
    Exact,
}

/// An allocation.
#[derive(Clone, Copy, Debug)]
pub struct Object {
    /// Its type.
    pub layout: &'static Layout,
    /// How many bytes were asked for. What lies behind is out of bounds.
    pub bytes: usize,
    /// Its number among the objects of its type, from 1; 0 for a static variable.
    pub number: u32,
    /// Whether it was freed.
    pub freed: bool,
    /// The name of a static variable, which is never freed.
    pub name: Option<&'static str>,
    generation: u16,
    start: usize,
    cells: usize,
}

impl Object {
    /// The bytes that it really takes.
    pub fn capacity(&self) -> usize {
        self.cells * 8
    }
    /// Where its cells lie among all cells.
    pub fn cells(&self) -> std::ops::Range<usize> {
        self.start..self.start + self.cells
    }
}

/// No room for another object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

/// Why a pointer cannot be followed at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadPointer {
    /// It is NULL, or a small offset from it.
    Null,
    /// `LIST_POISON1`
    ListPoison1,
    /// `LIST_POISON2`
    ListPoison2,
    /// It points nowhere.
    Wild,
}

/// Where a pointer that can be followed leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The object's slot.
    pub slot: usize,
    /// The cell among all cells; none if it lies behind the object.
    pub cell: Option<usize>,
    /// Whether it lies in the bytes that were asked for.
    pub in_bounds: bool,
    /// Whether the object was freed, or is another one by now.
    pub freed: bool,
}

/// What an object counts beside its cells. A machine remembers of the smallest object ten times what is in it, and
/// the limit of simulated memory is to limit that as well.
const CELLS_PER_OBJECT: usize = 16;

/// All objects of one execution. Cleared, not freed, between executions.
#[derive(Debug, Default)]
pub struct Memory {
    slab: Slab,
    objects: Vec<Option<Object>>,
    values: Vec<i64>,
    /// How many objects of each type there were.
    counts: Vec<(&'static Layout, u32)>,
    /// What people call objects that have a name of their own, by slot.
    names: BTreeMap<usize, String>,
    /// Freed slots by number of cells, oldest first.
    quarantine: Vec<(usize, VecDeque<usize>)>,
    max_cells: usize,
}

impl Memory {
    /// Forgets everything. At most `max_cells` cells of 8 bytes will be allocated, 16 of them for what is known of
    /// each object.
    pub fn reset(&mut self, slab: Slab, max_cells: usize) {
        self.slab = slab;
        self.max_cells = max_cells;
        self.objects.clear();
        self.objects.push(None); // slot 0 is the page at NULL
        self.values.clear();
        self.counts.clear();
        self.names.clear();
        self.quarantine.iter_mut().for_each(|(_, slots)| slots.clear());
    }

    /// A new object of `bytes` bytes, zeroed.
    pub fn alloc(&mut self, layout: &'static Layout, bytes: usize) -> Result<Addr, OutOfMemory> {
        let number = self.next_number(layout);
        self.add(layout, bytes, number, None)
    }
    /// A static variable: it has a name and no number.
    pub fn alloc_static(&mut self, layout: &'static Layout, name: &'static str) -> Result<Addr, OutOfMemory> {
        self.add(layout, layout.cells() * 8, 0, Some(name))
    }

    fn add(
        &mut self,
        layout: &'static Layout,
        bytes: usize,
        number: u32,
        name: Option<&'static str>,
    ) -> Result<Addr, OutOfMemory> {
        let bytes = bytes.max(1);
        let cells = match self.slab {
            Slab::SizeClasses if layout.cache == "kmalloc" => size_class(bytes).div_ceil(8),
            _ => bytes.div_ceil(8),
        };
        if cells > MAX_CELLS {
            return Err(OutOfMemory);
        }
        let mut object = Object { layout, bytes, number, freed: false, name, generation: 0, start: 0, cells };
        if let Some(slot) = self.take_quarantined(cells) {
            let old = self.objects[slot].as_ref().expect("a slot in quarantine was used");
            self.names.remove(&slot);
            object.generation = old.generation.wrapping_add(1);
            object.start = old.start;
            self.values[object.cells()].fill(0);
            self.objects[slot] = Some(object);
            return Ok(Addr::of_object(slot, object.generation));
        }
        object.start = self.values.len();
        if object.start + cells + self.objects.len() * CELLS_PER_OBJECT > self.max_cells {
            return Err(OutOfMemory);
        }
        self.values.resize(object.start + cells, 0);
        self.objects.push(Some(object));
        Ok(Addr::of_object(self.objects.len() - 1, 0))
    }

    /// Marks the object at `addr` as freed. Whether that is a bug, the caller has looked.
    pub fn free(&mut self, addr: Addr) {
        let slot = addr.slot();
        let Some(Some(object)) = self.objects.get_mut(slot) else { return };
        if object.freed || object.generation != addr.generation() {
            return;
        }
        object.freed = true;
        let cells = object.cells;
        match self.quarantine.iter_mut().find(|(size, _)| *size == cells) {
            Some((_, slots)) => slots.push_back(slot),
            None => self.quarantine.push((cells, VecDeque::from([slot]))),
        }
    }

    /// Where `addr` leads.
    #[inline]
    pub fn place(&self, addr: Addr) -> Result<Place, BadPointer> {
        let slot = addr.slot();
        let Some(Some(object)) = self.objects.get(slot) else { return Err(bad_pointer(addr)) };
        let cell = addr.cell();
        Ok(Place {
            slot,
            cell: (cell < object.cells).then_some(object.start + cell),
            in_bounds: cell * 8 < object.bytes,
            freed: object.freed || object.generation != addr.generation(),
        })
    }

    /// The value that `addr` leads to; none if it leads nowhere. Behind an object's end lies nothing that the model
    /// knows: 0.
    #[inline]
    pub fn read(&self, addr: Addr) -> Option<i64> {
        let object = self.objects.get(addr.slot())?.as_ref()?;
        Some(if addr.cell() < object.cells { self.values[object.start + addr.cell()] } else { 0 })
    }
    /// Sets it; what it was. Behind an object's end it is lost.
    #[inline]
    pub fn write(&mut self, addr: Addr, value: i64) -> Option<i64> {
        let object = self.objects.get(addr.slot())?.as_ref()?;
        if addr.cell() >= object.cells {
            return Some(0);
        }
        Some(std::mem::replace(&mut self.values[object.start + addr.cell()], value))
    }
    /// The object that `addr` points into, or that had its place last.
    pub fn object(&self, addr: Addr) -> Option<&Object> {
        self.objects.get(addr.slot())?.as_ref()
    }
    /// The object in `slot`.
    pub fn in_slot(&self, slot: usize) -> Option<&Object> {
        self.objects.get(slot)?.as_ref()
    }
    /// A pointer to the object in `slot`, freed or not.
    pub fn addr_in_slot(&self, slot: usize) -> Option<Addr> {
        self.in_slot(slot).map(|object| Addr::of_object(slot, object.generation))
    }
    /// Objects that are not freed, with their pointers, in the order of their slots.
    pub fn live(&self) -> impl Iterator<Item = (Addr, &Object)> {
        self.objects.iter().enumerate().filter_map(|(slot, object)| {
            let object = object.as_ref().filter(|object| !object.freed)?;
            Some((Addr::of_object(slot, object.generation), object))
        })
    }
    /// How many slots were ever used, the one at NULL included.
    pub fn slots(&self) -> usize {
        self.objects.len()
    }
    /// The value of a cell. Behind an object's end lies nothing that the model knows: 0.
    #[inline]
    pub fn value(&self, place: Place) -> i64 {
        place.cell.map_or(0, |cell| self.values[cell])
    }
    /// Sets the value of a cell. Behind an object's end it is lost.
    #[inline]
    pub fn set_value(&mut self, place: Place, value: i64) {
        if let Some(cell) = place.cell {
            self.values[cell] = value;
        }
    }
    /// The values of an object's cells.
    pub fn values_of(&self, object: &Object) -> &[i64] {
        &self.values[object.cells()]
    }
    /// The value of a cell, by its number among all cells.
    #[inline]
    pub fn value_at(&mut self, cell: usize) -> &mut i64 {
        &mut self.values[cell]
    }
    /// What `addr` points to, in words: `net 3`, `net_generic 2`.
    pub fn describe(&self, addr: Addr) -> String {
        if let Some(name) = self.names.get(&addr.slot()) {
            return name.clone();
        }
        match self.object(addr) {
            Some(Object { name: Some(name), .. }) => (*name).to_owned(),
            Some(object) => format!("{} {}", object.layout.short, object.number),
            None => format!("{addr:?}"),
        }
    }

    /// What `addr` points to, as a finding tells it.
    pub fn cell(&self, addr: Addr) -> Cell {
        let object = self.object(addr);
        Cell {
            object: self.describe(addr),
            class: object.map_or("nothing", |object| object.layout.name),
            cache: object.map_or("nothing", |object| object.layout.cache),
            size: object.map_or(0, |object| object.bytes),
            capacity: object.map_or(0, Object::capacity),
            offset: addr.cell() * 8,
            field: object.and_then(|object| object.layout.field(addr.cell())).map(|field| field.name),
        }
    }

    /// Gives an object a name of its own, for people.
    pub fn set_name(&mut self, addr: Addr, name: &str) {
        self.names.insert(addr.slot(), name.to_owned());
    }

    fn next_number(&mut self, layout: &'static Layout) -> u32 {
        if let Some((_, count)) = self.counts.iter_mut().find(|(known, _)| std::ptr::eq(*known, layout)) {
            *count += 1;
            return *count;
        }
        self.counts.push((layout, 1));
        1
    }

    fn take_quarantined(&mut self, cells: usize) -> Option<usize> {
        let (_, slots) = self.quarantine.iter_mut().find(|(size, _)| *size == cells)?;
        if slots.len() > QUARANTINE { slots.pop_front() } else { None }
    }
}

/// The bytes of the kmalloc cache that serves `bytes`. mm/slab_common.c, `kmalloc_slab()`
fn size_class(bytes: usize) -> usize {
    match bytes {
        65..=96 => 96,
        129..=192 => 192,
        _ => bytes.next_power_of_two().max(8),
    }
}

fn bad_pointer(addr: Addr) -> BadPointer {
    match addr.to_value() {
        0x100..0x180 => BadPointer::ListPoison1,
        0x200..0x280 => BadPointer::ListPoison2,
        0..0x1000 => BadPointer::Null,
        _ => BadPointer::Wild,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static BLOB: Layout = Layout { name: "blob", short: "blob", cache: "kmalloc", fields: &[] };

    fn memory(slab: Slab) -> Memory {
        let mut memory = Memory::default();
        memory.reset(slab, 1 << 20);
        memory
    }

    #[test]
    fn slack_is_out_of_bounds_and_harmless() {
        let mut memory = memory(Slab::SizeClasses);
        let array = memory.alloc(&BLOB, 104).expect("room");
        let slack = memory.place(array.plus(13)).expect("mapped");
        assert!(!slack.in_bounds && slack.cell.is_some());
        let beyond = memory.place(array.plus(16)).expect("mapped");
        assert!(!beyond.in_bounds && beyond.cell.is_none());
    }

    #[test]
    fn exact_sizes_have_no_slack() {
        let mut memory = memory(Slab::Exact);
        let array = memory.alloc(&BLOB, 104).expect("room");
        assert!(memory.place(array.plus(12)).expect("mapped").in_bounds);
        assert_eq!(memory.place(array.plus(13)).expect("mapped").cell, None);
    }

    #[test]
    fn a_stale_pointer_never_means_a_new_object() {
        let mut memory = memory(Slab::Exact);
        let first = memory.alloc(&BLOB, 8).expect("room");
        memory.free(first);
        for _ in 0..2 * QUARANTINE {
            let next = memory.alloc(&BLOB, 8).expect("room");
            memory.free(next);
        }
        assert!(memory.place(first).expect("mapped").freed);
        assert!(memory.slots() < QUARANTINE + 4, "freed memory is used again");
    }

    #[test]
    fn pointers_to_nowhere() {
        let memory = memory(Slab::Exact);
        assert_eq!(memory.place(Addr::NULL), Err(BadPointer::Null));
        assert_eq!(memory.place(Addr::NULL.plus(4)), Err(BadPointer::Null));
        assert_eq!(memory.place(Addr::LIST_POISON1), Err(BadPointer::ListPoison1));
        assert_eq!(memory.place(Addr::LIST_POISON2.plus(1)), Err(BadPointer::ListPoison2));
    }

    #[test]
    fn size_classes_of_v4_11() {
        for (bytes, class) in [(1, 8), (9, 16), (65, 96), (104, 128), (129, 192), (193, 256)] {
            assert_eq!(size_class(bytes), class, "{bytes}");
        }
    }
}
