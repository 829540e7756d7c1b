// SPDX-License-Identifier: GPL-2.0-only
//! What lies where in an object.

/// The type of an object, as far as a machine and a report need to know it. Every cell holds one scalar or pointer.
#[derive(Debug)]
pub struct Layout {
    /// `struct net`
    pub name: &'static str,
    /// What people call one: `net`.
    pub short: &'static str,
    /// Where it is allocated from: the name of a `kmem_cache`, or `kmalloc`.
    pub cache: &'static str,
    /// Its fields, by ascending cell.
    pub fields: &'static [Field],
}

/// A field of an object.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name in C.
    pub name: &'static str,
    /// Its first cell.
    pub cell: usize,
    /// How many it has.
    pub cells: usize,
    /// What its cells are for.
    pub kind: CellKind,
    /// The names of its cells, where it is a structure.
    pub parts: &'static [&'static str],
}

/// How a cell may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellKind {
    /// Unmarked accesses only.
    Plain,
    /// Marked accesses too: `atomic_t`, `READ_ONCE()`.
    Marked,
    /// The same: a pointer that RCU readers follow.
    RcuPointer,
    /// A lock. Its value belongs to the machine.
    Lock,
    /// A count that tasks wait on. Its value belongs to the machine.
    Count,
}

impl Layout {
    /// The number of cells that its fields take.
    pub const fn cells(&self) -> usize {
        match self.fields.last() {
            Some(last) => last.cell + last.cells,
            None => 0,
        }
    }
    /// The field that a cell belongs to.
    pub fn field(&self, cell: usize) -> Option<&Field> {
        self.fields.iter().find(|field| (field.cell..field.cell + field.cells).contains(&cell))
    }
}
