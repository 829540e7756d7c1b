// SPDX-License-Identifier: GPL-2.0-only
//! `struct ida`: small integers; include/linux/idr.h, lib/idr.c of v4.11
//!
//! Ids come in chunks of 1024. The first 62 of a chunk fit into the slot of the tree itself; beyond, the chunk needs
//! a bitmap of 128 bytes, which is taken from what `ida_pre_get()` has preloaded on this CPU. Tree nodes are not
//! modelled.

use std::collections::BTreeMap;

use machine::{Addr, CellKind, Effect, Layout, Loc};

use crate::{EAGAIN, ENOSPC, Errno, Field, Gfp, Kernel, future::AtOnce};

/// `IDA_BITMAP_BITS`
const BITMAP_BITS: u32 = 1024;
/// Words of 64 bits in a bitmap.
const WORDS: usize = BITMAP_BITS as usize / 64;
/// `BITS_PER_LONG - RADIX_TREE_EXCEPTIONAL_SHIFT`
const EXCEPTIONAL_BITS: u32 = 62;

static IDA_BITMAP: Layout =
    Layout { name: "struct ida_bitmap", short: "ida_bitmap", cache: "kmalloc", fields: &[] };

/// `struct ida`. Its cell holds the number of its contents, from 1; 0 is an empty one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ida(Addr);

impl Field for Ida {
    const CELLS: usize = 1;
    const KIND: CellKind = CellKind::Plain;
    fn at(addr: Addr) -> Self {
        Ida(addr)
    }
    fn addr(self) -> Addr {
        self.0
    }
}

#[derive(Debug, Default)]
struct Chunk {
    /// NULL while the ids fit into the slot of the tree.
    bitmap: Addr,
    used: [u64; WORDS],
}

/// What an ida holds: its chunks by index.
#[derive(Debug, Default)]
pub(crate) struct Contents(BTreeMap<u32, Chunk>);

/// Under the caller's lock.
impl Ida {
    /// `ida_get_new_above()`: the lowest free id that is at least `start`. Suspends only for an oops.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if memory has to be preloaded; `ENOSPC` if there is no id.
    #[track_caller]
    pub fn get_new_above(self, k: &Kernel, start: u32) -> impl Future<Output = Result<u32, Errno>> {
        AtOnce(self.get_new_above_at(k, start, std::panic::Location::caller()))
    }
    fn get_new_above_at(self, k: &Kernel, start: u32, loc: Loc) -> Option<Result<u32, Errno>> {
        let mut number = k.bus.read_at(self.0, loc).value()?;
        if number == 0 {
            number = k.new_ida();
        }
        let cpu = k.smp_processor_id();
        let mut preload = k.ida_preload(cpu);
        let id = k.with_ida(number, |ida| ida.get_new_above(start, &mut preload)).unwrap_or(Err(ENOSPC));
        k.set_ida_preload(cpu, preload);
        k.bus.write_at(self.0, number, loc).value()?;
        Some(id)
    }
    /// `ida_remove()`: warns if the id is not allocated. Suspends only for an oops.
    #[track_caller]
    pub fn remove(self, k: &Kernel, id: u32) -> impl Future<Output = ()> {
        let loc = std::panic::Location::caller();
        AtOnce(if k.is_omitted("ida_remove", loc) { Some(()) } else { self.remove_at(k, id, loc) })
    }
    fn remove_at(self, k: &Kernel, id: u32, loc: Loc) -> Option<()> {
        let number = k.bus.read_at(self.0, loc).value()?;
        k.bus.write_at(self.0, number, loc).value()?;
        match k.with_ida(number, |ida| ida.remove(id)).flatten() {
            Some(bitmap) => k.kfree(bitmap),
            None => k.bus.say_at(Effect::Warn("ida_remove called for an id that is not allocated"), loc),
        }
        Some(())
    }
    /// All ids, without an access: for those who judge.
    pub fn ids(self, k: &Kernel) -> Vec<u32> {
        k.with_ida(k.bus.peek(self.0), |ida| ida.ids().collect()).unwrap_or_default()
    }
}

impl Chunk {
    /// `find_next_zero_bit()`
    fn next_free(&self, from: u32) -> Option<u32> {
        let first = from as usize / 64;
        (first..WORDS).find_map(|word| {
            let below = if word == first { (1_u64 << (from % 64)) - 1 } else { 0 };
            let free = !(self.used[word] | below);
            (free != 0).then(|| word as u32 * 64 + free.trailing_zeros())
        })
    }
    fn is_used(&self, bit: u32) -> bool {
        self.used[bit as usize / 64] >> (bit % 64) & 1 == 1
    }
    fn flip(&mut self, bit: u32) {
        self.used[bit as usize / 64] ^= 1 << (bit % 64);
    }
    fn is_empty(&self) -> bool {
        self.used.iter().all(|word| *word == 0)
    }
}

impl Contents {
    fn get_new_above(&mut self, start: u32, preload: &mut Addr) -> Result<u32, Errno> {
        let mut index = start / BITMAP_BITS;
        let mut from = start % BITMAP_BITS;
        loop {
            let chunk = self.0.entry(index).or_default();
            let Some(bit) = chunk.next_free(from) else {
                (index, from) = (index + 1, 0);
                continue;
            };
            let id = index * BITMAP_BITS + bit;
            if i32::try_from(id).is_err() {
                return Err(ENOSPC);
            }
            if chunk.bitmap.is_null() && bit >= EXCEPTIONAL_BITS {
                chunk.bitmap = std::mem::take(preload);
                if chunk.bitmap.is_null() {
                    if chunk.is_empty() {
                        self.0.remove(&index);
                    }
                    return Err(EAGAIN);
                }
            }
            chunk.flip(bit);
            return Ok(id);
        }
    }
    /// The bitmap to free, or NULL, if the id was allocated.
    fn remove(&mut self, id: u32) -> Option<Addr> {
        let index = id / BITMAP_BITS;
        let chunk = self.0.get_mut(&index)?;
        if !chunk.is_used(id % BITMAP_BITS) {
            return None;
        }
        chunk.flip(id % BITMAP_BITS);
        if !chunk.is_empty() {
            return Some(Addr::NULL);
        }
        self.0.remove(&index).map(|chunk| chunk.bitmap)
    }
    fn ids(&self) -> impl Iterator<Item = u32> {
        self.0.iter().flat_map(|(index, chunk)| {
            (0..BITMAP_BITS).filter(|bit| chunk.is_used(*bit)).map(move |bit| index * BITMAP_BITS + bit)
        })
    }
}

impl Kernel {
    /// The bitmaps of all idas, and those that are preloaded: for those who judge.
    pub fn ida_references(&self) -> Vec<Addr> {
        let idas = self.idas.borrow();
        let bitmaps = idas.iter().flat_map(|ida| ida.0.values().map(|chunk| chunk.bitmap));
        bitmaps.chain(self.ida_bitmaps.borrow().iter().copied()).collect()
    }
    /// `ida_pre_get()`: preloads a bitmap on this CPU; whether there is one. Process context; may sleep.
    pub async fn ida_pre_get(&self) -> bool {
        if !self.ida_preload(self.smp_processor_id()).is_null() {
            return true;
        }
        let Some(bitmap) = self.kzalloc_layout(&IDA_BITMAP, 128, "ida_bitmap", Gfp::Kernel).await else {
            return false;
        };
        let cpu = self.smp_processor_id();
        if self.ida_preload(cpu).is_null() {
            self.set_ida_preload(cpu, bitmap);
        } else {
            self.kfree(bitmap);
        }
        true
    }
    fn ida_preload(&self, cpu: u32) -> Addr {
        self.ida_bitmaps.borrow().get(cpu as usize).copied().unwrap_or_default()
    }
    fn set_ida_preload(&self, cpu: u32, bitmap: Addr) {
        let mut bitmaps = self.ida_bitmaps.borrow_mut();
        let cpu = cpu as usize;
        if bitmaps.len() <= cpu {
            bitmaps.resize(cpu + 1, Addr::NULL);
        }
        bitmaps[cpu] = bitmap;
    }
    fn new_ida(&self) -> i64 {
        let mut idas = self.idas.borrow_mut();
        idas.push(Contents::default());
        i64::try_from(idas.len()).unwrap_or(i64::MAX)
    }
    fn with_ida<R>(&self, number: i64, f: impl FnOnce(&mut Contents) -> R) -> Option<R> {
        let mut idas = self.idas.borrow_mut();
        let index = usize::try_from(number.wrapping_sub(1)).ok()?;
        idas.get_mut(index).map(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_beyond_61_need_a_bitmap() {
        let mut ida = Contents::default();
        let mut preload = Addr::NULL;
        for id in 3..62 {
            assert_eq!(ida.get_new_above(3, &mut preload), Ok(id));
        }
        assert_eq!(ida.get_new_above(3, &mut preload), Err(EAGAIN));
        preload = Addr::LIST_POISON1; // any pointer
        assert_eq!(ida.get_new_above(3, &mut preload), Ok(62));
        assert!(preload.is_null(), "the bitmap is taken");
        assert_eq!(ida.get_new_above(3, &mut preload), Ok(63));
        assert_eq!(ida.remove(40), Some(Addr::NULL));
        assert_eq!(ida.remove(40), None);
        assert_eq!(ida.get_new_above(3, &mut preload), Ok(40));
    }

    #[test]
    fn the_last_id_frees_the_bitmap() {
        let mut ida = Contents::default();
        let mut preload = Addr::LIST_POISON1;
        assert_eq!(ida.get_new_above(100, &mut preload), Ok(100));
        assert_eq!(ida.remove(100), Some(Addr::LIST_POISON1));
    }
}
