// SPDX-License-Identifier: GPL-2.0-only
//! Objects, cells and values in words.

use machine::{Addr, Bus, Locking, Section};

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
            Some(_) => self.cell(addr),
            None => bad_pointer(addr),
        })
    }
    /// `net 1->count`, `net_mutex`
    pub(crate) fn cell(&self, addr: Addr) -> String {
        self.bus.inspect(|memory| {
            let Some(object) = memory.object(addr) else { return bad_pointer(addr) };
            let of = if object.name == Some(STATIC_DATA) { None } else { Some(memory.describe(addr)) };
            let within = match object.layout.field(addr.cell()) {
                Some(field) if field.cell == addr.cell() => plain_name(field.name).to_owned(),
                Some(field) => format!("{}[{}]", plain_name(field.name), addr.cell() - field.cell),
                None => return format!("{}[{}]", memory.describe(addr), addr.cell()),
            };
            of.map_or_else(|| within.clone(), |of| format!("{of}->{within}"))
        })
    }
    /// The name of the field alone, if it is one of `object`.
    pub(crate) fn field_of(&self, object: Addr, addr: Addr) -> Option<&'static str> {
        if addr.object() != object {
            return None;
        }
        let field = self.bus.inspect(|memory| memory.object(addr)?.layout.field(addr.cell()).map(|f| f.name));
        field.map(plain_name)
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
        Locking::Mutex => ("mutex_lock", "mutex_unlock"),
        Locking::MutexKillable => ("mutex_lock_killable", "mutex_unlock"),
    }
}
