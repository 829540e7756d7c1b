// SPDX-License-Identifier: GPL-2.0-only
//! KASAN; mm/kasan/report.c

use machine::{Bug, Cell, Kind};

use super::{RULE, Report};
use crate::address;

impl Report<'_> {
    pub(super) fn kasan(&mut self) {
        let finding = self.finding;
        let (cell, what, allocated, freed) = match &finding.bug {
            Bug::UseAfterFree { cell, kind, allocated, freed } => {
                (cell, verb(*kind), Some(allocated), Some(freed))
            }
            Bug::OutOfBounds { cell, kind, allocated, .. } => (cell, verb(*kind), Some(allocated), None),
            Bug::DoubleFree { cell, allocated, freed } => (cell, "Free", Some(allocated), Some(freed)),
            Bug::InvalidFree { cell } => (cell, "Free", None, None),
            _ => return,
        };
        let base = address::of_object(self.words.bus, cell);
        let addr = base + cell.offset as u64;
        self.line(RULE);
        self.title();
        let (size, task) = (if what == "Free" { "" } else { " of size 8 at" }, self.task(&finding.by));
        let of = if what == "Free" { " of" } else { "" };
        self.line(&format!("{what}{of}{size} addr {addr:016x} by task {task}"));
        self.line("");
        self.cpu_line();
        self.call_trace();
        if let Some(allocated) = allocated {
            self.line("");
            self.access("Allocated", allocated);
        }
        if let Some(freed) = freed {
            self.line("");
            self.access("Freed", freed);
        }
        self.line("");
        self.object(cell, base);
        self.line(RULE);
    }

    /// What the address belongs to.
    fn object(&mut self, cell: &Cell, base: u64) {
        let Cell { object, class, cache, size, capacity, offset, field } = cell;
        if base == 0 {
            return self.line("The buggy address belongs to no object");
        }
        self.line(&format!("The buggy address belongs to the object at {base:016x}, {object},"));
        let class_size = if *cache == "kmalloc" { format!("-{capacity}") } else { String::new() };
        self.line(&format!(" which belongs to the cache {cache}{class_size} of size {capacity}"));
        let end = base + *size as u64;
        let (distance, side) =
            if offset < size { (*offset, "inside of") } else { (offset - size, "to the right of") };
        let field = field.map(|field| format!(" ({class}, {})", crate::words::plain_name(field)));
        self.line(&format!("The buggy address is located {distance} bytes {side}"));
        self.line(&format!(" {size}-byte region [{base:016x}, {end:016x}){}", field.unwrap_or_default()));
    }
}

fn verb(kind: Kind) -> &'static str {
    match kind {
        Kind::Read => "Read",
        Kind::Write | Kind::ReadWrite => "Write",
    }
}
