// SPDX-License-Identifier: GPL-2.0-only
//! `struct idr`: small integers for pointers; include/linux/idr.h, lib/idr.c, lib/radix-tree.c of v4.11
//!
//! Tree nodes are not modelled: an allocation never fails for want of memory. The whole table is one cell to
//! KASAN and KCSAN.

use machine::{Addr, CellKind, Loc};

use crate::{EINVAL, ENOSPC, Errno, Field, Kernel, RcuPointer, future::AtOnce};

/// `struct idr`. Its cell holds the number of its table, from 1; 0 is an empty one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Idr(Addr);

impl Field for Idr {
    const CELLS: usize = 1;
    const KIND: CellKind = CellKind::Plain;
    fn at(addr: Addr) -> Self {
        Idr(addr)
    }
    fn addr(self) -> Addr {
        self.0
    }
}

/// The entries of one idr, by ascending id.
pub(crate) type Table = Vec<(i32, Addr)>;

/// The tables of all idrs, and the numbers of those that are not used.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    tables: Vec<Table>,
    /// Whose each table is, or was last.
    owners: Vec<Addr>,
    free: Vec<i64>,
}

/// Under the caller's lock. Suspends only for an oops.
impl Idr {
    /// `idr_init()`
    #[track_caller]
    pub fn init(self, k: &Kernel) -> impl Future<Output = ()> {
        AtOnce(k.bus.write(self.0, 0).value().map(|_| ()))
    }
    /// `idr_alloc()`: the lowest free id in `start..end`; `end` of 0 or less means no limit.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if there is none; `EINVAL`, with a warning the first time, for a negative `start`.
    #[track_caller]
    pub fn alloc(
        self,
        k: &Kernel,
        ptr: Addr,
        start: i32,
        end: i32,
    ) -> impl Future<Output = Result<i32, Errno>> {
        AtOnce(self.alloc_at(k, ptr, start, end, std::panic::Location::caller()))
    }
    fn alloc_at(self, k: &Kernel, ptr: Addr, start: i32, end: i32, loc: Loc) -> Option<Result<i32, Errno>> {
        let mut table = k.bus.read_at(self.0, loc).value()?;
        k.warn_on_once(start < 0, "start < 0");
        if start < 0 {
            return Some(Err(EINVAL));
        }
        let max = if end > 0 { end - 1 } else { i32::MAX };
        if table == 0 {
            table = k.new_idr_table(self.0);
        }
        let id = k.with_idr_table(table, |table| {
            let (at, id) = lowest_free(table, start, max)?;
            table.insert(at, (id, ptr));
            Some(id)
        });
        k.bus.write_at(self.0, table, loc).value()?;
        Some(id.flatten().ok_or(ENOSPC))
    }
    /// `idr_find()`
    #[track_caller]
    #[inline]
    pub fn find(self, k: &Kernel, id: i32) -> impl Future<Output = Option<Addr>> {
        let number = k.bus.read(self.0).value();
        AtOnce(number.map(|number| {
            k.with_idr_table(number, |table| table[position(table, id).ok()?].1.into()).flatten()
        }))
    }
    /// `idr_remove()`: what was there.
    #[track_caller]
    pub fn remove(self, k: &Kernel, id: i32) -> impl Future<Output = Option<Addr>> {
        let loc = std::panic::Location::caller();
        AtOnce(if k.is_omitted("idr_remove", loc) { Some(None) } else { self.remove_at(k, id, loc) })
    }
    fn remove_at(self, k: &Kernel, id: i32, loc: Loc) -> Option<Option<Addr>> {
        let table = k.bus.read_at(self.0, loc).value()?;
        k.bus.write_at(self.0, table, loc).value()?;
        Some(k.with_idr_table(table, |table| Some(table.remove(position(table, id).ok()?).1)).flatten())
    }
    /// One step of `idr_for_each()`: the first entry whose id is at least `from`. Ascending; entries may be added
    /// and removed meanwhile.
    #[track_caller]
    #[inline]
    pub fn next(self, k: &Kernel, from: i32) -> impl Future<Output = Option<(i32, Addr)>> {
        let number = k.bus.read(self.0).value();
        AtOnce(number.map(|number| k.idr_entry_from(number, from)))
    }
    /// Shows RCU readers what was done last. C's idr publishes every node by `rcu_assign_pointer()`; this one only
    /// where it has such readers, who find it by `root`. Under the caller's lock.
    pub async fn publish(self, k: &Kernel, root: RcuPointer<i64>) {
        root.assign(k, k.bus.peek(self.0)).await;
    }
    /// One step of `idr_for_each()` by an RCU reader: see [`Idr::publish`].
    pub async fn next_rcu(k: &Kernel, root: RcuPointer<i64>, from: i32) -> Option<(i32, Addr)> {
        let number = root.dereference(k).await;
        k.idr_entry_from(number, from)
    }
    /// `idr_destroy()`: forgets the entries, not what they point to, and leaves an empty, usable idr.
    #[track_caller]
    pub fn destroy(self, k: &Kernel) -> impl Future<Output = ()> {
        let loc = std::panic::Location::caller();
        if k.is_omitted("idr_destroy", loc) {
            return AtOnce(Some(()));
        }
        let table = k.bus.read_at(self.0, loc).value();
        let written = table.and_then(|_| k.bus.write_at(self.0, 0, loc).value());
        AtOnce(written.and(table).map(|table| k.release_idr_table(table)))
    }
    /// All entries, without an access: for those who judge.
    pub fn entries(self, k: &Kernel) -> Vec<(i32, Addr)> {
        k.with_idr_table(k.bus.peek(self.0), |table| table.clone()).unwrap_or_default()
    }
}

fn position(table: &Table, id: i32) -> Result<usize, usize> {
    table.binary_search_by_key(&id, |(id, _)| *id)
}

/// The lowest id in `start..=max` that is free, and where it would stand.
fn lowest_free(table: &Table, start: i32, max: i32) -> Option<(usize, i32)> {
    let (Ok(first) | Err(first)) = position(table, start);
    let mut id = start;
    for (at, (taken, _)) in table.iter().enumerate().skip(first) {
        if *taken != id {
            return (id <= max).then_some((at, id));
        }
        id = id.checked_add(1)?;
    }
    (id <= max).then_some((table.len(), id))
}

impl Kernel {
    /// The first entry of a table whose id is at least `from`.
    #[inline]
    fn idr_entry_from(&self, number: i64, from: i32) -> Option<(i32, Addr)> {
        self.with_idr_table(number, |table| {
            let (Ok(at) | Err(at)) = position(table, from);
            table.get(at).copied()
        })
        .flatten()
    }
    fn new_idr_table(&self, owner: Addr) -> i64 {
        let Tables { tables, owners, free } = &mut *self.idr_tables.borrow_mut();
        let number = free.pop().unwrap_or_else(|| {
            tables.push(Table::new());
            owners.push(owner);
            i64::try_from(tables.len()).unwrap_or(i64::MAX)
        });
        let index = usize::try_from(number - 1).unwrap_or_default();
        owners[index] = owner;
        number
    }
    /// The pointers in all idrs, each with its idr: for those who judge.
    pub fn idr_references(&self) -> Vec<(Addr, Addr)> {
        let Tables { tables, owners, .. } = &*self.idr_tables.borrow();
        let entries = tables
            .iter()
            .zip(owners)
            .flat_map(|(table, owner)| table.iter().map(move |(_, ptr)| (*owner, *ptr)));
        entries.collect()
    }
    /// Lets go of a table, and of what it holds.
    fn release_idr_table(&self, number: i64) {
        if self.with_idr_table(number, |table| *table = Table::new()).is_some() {
            self.idr_tables.borrow_mut().free.push(number);
        }
    }
    fn with_idr_table<R>(&self, number: i64, f: impl FnOnce(&mut Table) -> R) -> Option<R> {
        let index = usize::try_from(number.wrapping_sub(1)).ok()?;
        self.idr_tables.borrow_mut().tables.get_mut(index).map(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_id() {
        let table: Table = [0, 1, 3, 7].into_iter().map(|id| (id, Addr::NULL)).collect();
        assert_eq!(lowest_free(&table, 0, i32::MAX), Some((2, 2)));
        assert_eq!(lowest_free(&table, 3, i32::MAX), Some((3, 4)));
        assert_eq!(lowest_free(&table, 3, 3), None);
        assert_eq!(lowest_free(&table, 8, i32::MAX), Some((4, 8)));
        let last: Table = vec![(i32::MAX, Addr::NULL)];
        assert_eq!(lowest_free(&last, i32::MAX, i32::MAX), None);
    }

    #[test]
    fn tables_are_used_again() {
        let bus = machine::Bus::new();
        bus.reset(machine::Slab::Exact, 1 << 10, machine::Points::default());
        let k = Kernel::new(&bus);
        let first = k.new_idr_table(Addr::NULL);
        k.with_idr_table(first, |table| table.push((0, Addr::NULL)));
        k.release_idr_table(first);
        assert_eq!(k.new_idr_table(Addr::NULL), first);
        assert_eq!(k.with_idr_table(first, |table| table.len()), Some(0));
        assert_ne!(k.new_idr_table(Addr::NULL), first);
    }
}
