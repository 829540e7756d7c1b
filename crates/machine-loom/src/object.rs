// SPDX-License-Identifier: GPL-2.0-only
//! What loom knows of one object.

use std::cell::Cell;

use machine::{Access, CellKind, Kind, Object as Allocation};

use crate::{
    cell::CellState,
    shadow::{Log, Shadow, Touch},
};

/// An object in a slot of the bus's memory.
pub(crate) struct Object {
    /// Every use reads it; the allocation and the free write it.
    shadow: Shadow,
    uses: Log,
    pub(crate) allocated: Access,
    pub(crate) freed: Cell<Option<Access>>,
    /// Static data is always there.
    pub(crate) is_static: bool,
    cells: Vec<CellState>,
}

impl Object {
    /// `is_asked` says of a cell that is a lock whether tasks will ask if it is held.
    /// `value` is what a cell holds already: the compiler initialises static data.
    pub(crate) fn new(
        allocation: &Allocation,
        allocated: Access,
        is_asked: impl Fn(usize) -> bool,
        value: impl Fn(usize) -> i64,
    ) -> Self {
        let layout = allocation.layout;
        // What lies behind the fields is an array of the type's: plain memory.
        let kind = |cell| layout.field(cell).map_or(CellKind::Plain, |field| field.kind);
        Object {
            shadow: Shadow::new(),
            uses: Log::default(),
            allocated,
            freed: Cell::new(None),
            is_static: layout.cache == "static",
            cells: (0..allocation.bytes.div_ceil(8))
                .map(|cell| CellState::new(kind(cell), is_asked(cell), value(cell)))
                .collect(),
        }
    }
    /// What lies at a cell that is in bounds.
    pub(crate) fn cell(&self, cell: usize) -> &CellState {
        &self.cells[cell]
    }
    /// Something in it is used; whether that is ordered after its allocation.
    #[must_use]
    pub(crate) fn used(&self, by: Access) -> bool {
        if self.is_static {
            return true;
        }
        self.uses.add(Touch { by, kind: Kind::Read, marked: false });
        self.shadow.read()
    }
    /// It is freed; the latest use, if uses are not ordered before.
    pub(crate) fn free(&self, by: Access) -> Result<(), Option<Access>> {
        self.freed.set(Some(by));
        if self.shadow.write() {
            return Ok(());
        }
        Err(self.uses.conflict(&Touch { by, kind: Kind::Write, marked: false }).map(|touch| touch.by))
    }
}
