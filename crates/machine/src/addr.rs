// SPDX-License-Identifier: GPL-2.0-only
//! Simulated pointers.

use std::fmt;

/// The cells of 8 bytes that an object may have: 8 MiB.
pub const MAX_CELLS: usize = 1 << CELL_BITS;

const CELL_BITS: u32 = 20;
const GENERATION_BITS: u32 = 16;

/// A pointer to a cell of simulated memory: an object, its generation, and a cell of 8 bytes in it.
///
/// A pointer is a number, as in C. It may be NULL, poison or stale; whoever follows it finds out.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Addr(u64);

impl Addr {
    /// `NULL`
    pub const NULL: Addr = Addr(0);
    /// `LIST_POISON1`: what `list_del()` leaves in `next`. include/linux/poison.h
    pub const LIST_POISON1: Addr = Addr(0x100);
    /// `LIST_POISON2`: what `list_del()` and `list_del_rcu()` leave in `prev`.
    pub const LIST_POISON2: Addr = Addr(0x200);

    /// The first cell of the object in slot `slot`, which is not 0.
    pub(crate) fn of_object(slot: usize, generation: u16) -> Self {
        Addr((slot as u64) << (CELL_BITS + GENERATION_BITS) | u64::from(generation) << CELL_BITS)
    }
    /// A pointer as the value of a cell.
    pub fn to_value(self) -> i64 {
        self.0.cast_signed()
    }
    /// The value of a cell as a pointer.
    pub fn from_value(value: i64) -> Self {
        Addr(value.cast_unsigned())
    }
    /// Whether it is `NULL`.
    pub fn is_null(self) -> bool {
        self.0 == 0
    }
    /// The place of its object among all objects; 0 for NULL and poison, which point to none.
    pub fn slot(self) -> usize {
        (self.0 >> (CELL_BITS + GENERATION_BITS)) as usize
    }
    pub(crate) fn generation(self) -> u16 {
        (self.0 >> CELL_BITS) as u16
    }
    /// Which cell of its object it points to.
    pub fn cell(self) -> usize {
        (self.0 & (MAX_CELLS as u64 - 1)) as usize
    }
    /// A pointer to the `n`-th cell after this one, in the same object. Beyond [`MAX_CELLS`] it points to the
    /// last: no object is so large, so following it is out of bounds.
    #[must_use]
    pub fn plus(self, n: usize) -> Self {
        let cell = (self.cell() + n).min(MAX_CELLS - 1);
        Addr(self.0 & !(MAX_CELLS as u64 - 1) | cell as u64)
    }
    /// How many cells after `object` it lies, which points to the first cell of an object. At least [`MAX_CELLS`]
    /// if it points into another, or into one that had this place earlier or later.
    #[inline]
    pub fn cells_after(self, object: Addr) -> u64 {
        self.0.wrapping_sub(object.0)
    }
    /// A pointer to the first cell of the same object.
    #[must_use]
    pub fn object(self) -> Self {
        Addr(self.0 & !(MAX_CELLS as u64 - 1))
    }
}

impl fmt::Debug for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Addr::NULL => f.write_str("NULL"),
            Addr::LIST_POISON1 => f.write_str("LIST_POISON1"),
            Addr::LIST_POISON2 => f.write_str("LIST_POISON2"),
            addr => write!(f, "{}.{}[{}]", addr.slot(), addr.generation(), addr.cell()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_survive_the_encoding() {
        let addr = Addr::of_object(70_000_000, 65_535).plus(12);
        let addr = Addr::from_value(addr.to_value());
        assert_eq!((addr.slot(), addr.generation(), addr.cell()), (70_000_000, 65_535, 12));
        assert_eq!(addr.object(), Addr::of_object(70_000_000, 65_535));
        assert_eq!(Addr::LIST_POISON2.slot(), 0);
        assert_eq!(addr.plus(usize::MAX / 2).cell(), MAX_CELLS - 1);
    }

    #[test]
    fn cells_after_tells_other_objects_apart() {
        let object = Addr::of_object(3, 7);
        assert_eq!(object.plus(5).cells_after(object), 5);
        for other in [(3, 6), (3, 8), (2, 7), (4, 7)] {
            let other = Addr::of_object(other.0, other.1);
            assert!(other.plus(MAX_CELLS - 1).cells_after(object) >= MAX_CELLS as u64, "{other:?}");
        }
    }
}
