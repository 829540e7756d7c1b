// SPDX-License-Identifier: GPL-2.0-only
//! Objects, cells and values in words.

use machine::{Addr, Bus, Field, Locking, Section};

/// What a machine calls things, after a run.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a> {
    pub(crate) bus: &'a Bus,
}

impl Words<'_> {
    /// `net 1`; a cell in the middle of it: `net 1->list`. A static variable without an object of its own is called
    /// as it is in C: `net_mutex`.
    pub(crate) fn object(&self, addr: Addr) -> String {
        self.bus.inspect(|memory| match memory.object(addr) {
            Some(object) if addr.cell() == 0 && object.name != Some(STATIC_DATA) => memory.describe(addr),
            Some(object) => {
                let begins = object.layout.field(addr.cell()).is_some_and(|field| field.cell == addr.cell());
                self.within(addr, !begins)
            }
            None => bad_pointer(addr),
        })
    }
    /// What is accessed: `net 1->count`, `net 1->list.next`, `net_mutex`
    pub(crate) fn cell(&self, addr: Addr) -> String {
        self.within(addr, true)
    }
    /// The same by type: `struct net.count`, `net_mutex`
    pub(crate) fn class(&self, addr: Addr) -> String {
        self.bus.inspect(|memory| {
            let Some(object) = memory.object(addr) else { return bad_pointer(addr) };
            class(object.layout.name, object.layout.field(addr.cell()).map(|field| field.name))
        })
    }
    /// A field of an object; if it is a structure, of which a cell is accessed, with the name of the cell.
    fn within(&self, addr: Addr, is_accessed: bool) -> String {
        self.bus.inspect(|memory| {
            let Some(object) = memory.object(addr) else { return bad_pointer(addr) };
            let Some(field) = object.layout.field(addr.cell()) else {
                return format!("{}[{}]", memory.describe(addr), addr.cell());
            };
            let name = plain_name(field.name);
            let within = if is_accessed { format!("{name}{}", part(field, addr)) } else { name.to_owned() };
            if object.name == Some(STATIC_DATA) {
                within
            } else {
                format!("{}->{within}", memory.describe(addr))
            }
        })
    }
    /// The name of the field alone, if it is one of `object`, or one of the structure in an object that begins there.
    pub(crate) fn field_of(&self, object: Addr, addr: Addr) -> Option<String> {
        let (is_whole, is_same) = (object.cell() == 0, addr.object() == object.object());
        let field = self.bus.inspect(|memory| memory.object(addr)?.layout.field(addr.cell()).copied());
        let field = field.filter(|field| is_same && (is_whole || field.cell == object.cell()))?;
        let (name, part) = (plain_name(field.name), part(&field, addr));
        Some(if is_whole { format!("{name}{part}") } else { part.trim_start_matches('.').to_owned() })
    }
    /// A value: a pointer if it looks like one, or if `pointer` does.
    pub(crate) fn value(&self, value: i64, other: i64) -> String {
        match value {
            0 if self.is_pointer(other) => "NULL".to_owned(),
            _ if self.is_pointer(value) => self.object(Addr::from_value(value)),
            _ => value.to_string(),
        }
    }
    /// The argument of a function: nothing for 0, which stands for none.
    pub(crate) fn argument(&self, value: i64) -> String {
        if value == 0 { String::new() } else { self.value(value, 0) }
    }
    /// Whether a value is a pointer to an object.
    pub(crate) fn is_pointer(&self, value: i64) -> bool {
        let addr = Addr::from_value(value);
        addr.slot() != 0 && self.bus.inspect(|memory| memory.object(addr).is_some())
    }
    /// Whether an object is worth a line: not one on a stack, which is only there to be the head of a list, and not
    /// static data.
    pub(crate) fn is_shown(&self, addr: Addr) -> bool {
        self.bus.inspect(|memory| {
            memory.object(addr).is_none_or(|object| object.layout.cache != "stack" && object.name.is_none())
        })
    }
}

/// The name of a cell in a field that has several: `.next`, `[1]`.
fn part(field: &Field, addr: Addr) -> String {
    let n = addr.cell() - field.cell;
    match field.parts.get(n) {
        Some(part) => format!(".{part}"),
        None if n == 0 => String::new(),
        None => format!("[{n}]"),
    }
}

/// A field of a type: `struct net.count`; a static variable: `net_mutex`.
pub(crate) fn class(of: &'static str, field: Option<&'static str>) -> String {
    match field.map(plain_name) {
        Some(field) if of == STATIC_DATA => field.to_owned(),
        Some(field) => format!("{of}.{field}"),
        None => of.to_owned(),
    }
}

/// The object that holds the static variables of a file: its fields are variables.
const STATIC_DATA: &str = "static data";

/// A field's name as C has it: `gen`, where Rust says `r#gen`.
pub(crate) fn plain_name(name: &'static str) -> &'static str {
    name.strip_prefix("r#").unwrap_or(name)
}

fn bad_pointer(addr: Addr) -> String {
    match addr {
        Addr::NULL | Addr::LIST_POISON1 | Addr::LIST_POISON2 => format!("{addr:?}"),
        addr => format!("{:#x}", addr.to_value()),
    }
}

/// What begins and what ends a section.
pub(crate) fn section_names(section: Section) -> (&'static str, &'static str) {
    match section {
        Section::Preempt => ("preempt_disable", "preempt_enable"),
        Section::Bh => ("local_bh_disable", "local_bh_enable"),
        Section::Irq => ("local_irq_disable", "local_irq_enable"),
    }
}

/// The functions that take and release a lock in this way.
pub(crate) fn lock_names(locking: Locking) -> (&'static str, &'static str) {
    match locking {
        Locking::Spin => ("spin_lock", "spin_unlock"),
        Locking::SpinBh => ("spin_lock_bh", "spin_unlock_bh"),
        Locking::SpinIrq => ("spin_lock_irq", "spin_unlock_irq"),
        Locking::SpinIrqSave => ("spin_lock_irqsave", "spin_unlock_irqrestore"),
        Locking::Mutex => ("mutex_lock", "mutex_unlock"),
        Locking::MutexKillable => ("mutex_lock_killable", "mutex_unlock"),
    }
}

/// A time in the largest unit that makes it a whole number: `200 ms`.
pub(crate) fn duration(ns: u64) -> String {
    let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1000, "us")];
    match units.iter().find(|(unit, _)| ns >= *unit && ns.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{} {name}", ns / unit),
        None => format!("{ns} ns"),
    }
}

/// A time as the kernel's log has it: `[seconds.microseconds]`.
pub(crate) fn stamp(ns: u64) -> String {
    format!("[{:5}.{:06}]", ns / 1_000_000_000, ns / 1000 % 1_000_000)
}
