// SPDX-License-Identifier: GPL-2.0-only
//! KASAN: what an access to simulated memory means.

use std::num::NonZeroU32;

use machine::{Addr, BadPointer, Bug, Cell, Fault, Kind, Loc, Order, Place, Update};

use crate::{
    kcsan::CellState,
    shadow::{Accesses, Mark},
    sim::Sim,
};

/// What the machine knows of an object. Where it lies is copied from memory, which is slower to ask.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Object {
    start: usize,
    cells: usize,
    bytes: usize,
    addr: Addr,
    /// The cells that may be used without a report; 0 once it is freed.
    valid: u64,
    pub(crate) allocated: Mark,
    pub(crate) freed: Option<Mark>,
    /// Who used it: every use is a read of it, its free a write.
    pub(crate) uses: Accesses,
    /// Static data is always there.
    pub(crate) is_static: bool,
}

/// Where a pointer that can be followed leads, in one word, which stays in a register.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spot {
    /// Nothing is in slot 0.
    slot: NonZeroU32,
    /// [`Spot::BEHIND`] if it lies behind the object.
    cell: u32,
}

impl Spot {
    const BEHIND: u32 = u32::MAX;
    /// Cells that can be told apart: 32 GiB of simulated memory.
    pub(crate) const MAX_CELLS: usize = Spot::BEHIND as usize;

    #[inline]
    fn new(slot: usize, cell: Option<usize>) -> Option<Self> {
        let cell = cell.map_or(Spot::BEHIND, |cell| cell as u32);
        NonZeroU32::new(slot as u32).map(|slot| Spot { slot, cell })
    }
    #[inline]
    pub(crate) fn slot(self) -> usize {
        self.slot.get() as usize
    }
    /// The cell among all cells; none behind an object.
    #[inline]
    pub(crate) fn cell(self) -> Option<usize> {
        (self.cell != Spot::BEHIND).then_some(self.cell as usize)
    }
}

impl Sim {
    /// Who allocated an object, or had its place last; of static data and of nothing the first task, at the beginning.
    #[track_caller]
    pub fn allocated_by(&self, addr: Addr) -> machine::Access {
        let nobody = || self.mark(0, std::panic::Location::caller());
        self.access_of(self.objects.get(addr.slot()).map_or_else(nobody, |object| object.allocated))
    }
    pub(crate) fn alloc(&mut self, task: usize, addr: Addr, loc: Loc) {
        let allocated = self.mark(task, loc);
        let (cells, bytes, is_static) = self.bus.inspect(|memory| {
            let object = memory.object(addr).expect("what was allocated is there");
            (object.cells(), object.bytes, object.name.is_some())
        });
        let new = Object {
            start: cells.start,
            cells: cells.len(),
            bytes,
            addr,
            valid: bytes.div_ceil(8) as u64,
            allocated,
            freed: None,
            uses: Accesses::NONE,
            is_static,
        };
        while self.objects.len() < addr.slot() {
            self.objects.push(Object { cells: 0, bytes: 0, valid: 0, ..new }); // the page at NULL
        }
        match self.objects.get_mut(addr.slot()) {
            None => self.objects.push(new),
            Some(old) => {
                old.uses.give_back(&mut self.shared);
                *old = new;
            }
        }
        if cells.end <= self.cells.len() {
            cells.for_each(|cell| self.forget_cell(cell)); // the object that had this place before
        } else {
            self.cells.resize(cells.end, CellState::default());
        }
    }

    pub(crate) fn free(&mut self, task: usize, addr: Addr, loc: Loc) {
        let Ok(place) = self.place(addr) else {
            let cell = self.cell(addr);
            return self.found(task, Bug::InvalidFree { cell }, loc);
        };
        let object = self.objects[place.slot];
        if place.freed {
            let cell = self.cell(addr);
            let allocated = self.access_of(object.allocated);
            let freed = self.access_of(object.freed.unwrap_or(object.allocated));
            return self.found(task, Bug::DoubleFree { cell, allocated, freed }, loc);
        }
        if addr.cell() != 0 || object.is_static {
            let cell = self.cell(addr);
            return self.found(task, Bug::InvalidFree { cell }, loc);
        }
        let mark = self.mark(task, loc);
        let own = self.tasks[task].clock;
        self.objects[place.slot].freed = Some(mark);
        self.objects[place.slot].valid = 0;
        self.bus.change(|memory| memory.free(addr));
        if self.config.checks.kcsan {
            let used = object.uses.unordered(self.clocks.of(own), &self.shared);
            if let Some(used) = used {
                let (cell, used) = (self.cell(addr), self.access_of(used));
                self.found(task, Bug::UnorderedFree { cell, used }, loc);
            }
        }
    }

    /// Where a pointer leads, as far as allocations have been applied.
    fn place(&self, addr: Addr) -> Result<Place, BadPointer> {
        match self.objects.get(addr.slot()) {
            Some(object) if addr.slot() != 0 => {
                let cell = addr.cell();
                Ok(Place {
                    slot: addr.slot(),
                    cell: (cell < object.cells).then_some(object.start + cell),
                    in_bounds: cell * 8 < object.bytes,
                    freed: object.freed.is_some() || object.addr != addr.object(),
                })
            }
            _ => self.bus.inspect(|memory| memory.place(addr)),
        }
    }
    /// The same, for who looks and does not use it. None if it leads nowhere.
    #[inline]
    pub(crate) fn spot(&self, addr: Addr) -> Option<Spot> {
        self.good_spot(addr).or_else(|| {
            let place = self.place(addr).ok()?;
            Spot::new(place.slot, place.cell)
        })
    }
    /// Where a pointer to memory leads that may be used.
    #[inline]
    fn good_spot(&self, addr: Addr) -> Option<Spot> {
        let object = self.objects.get(addr.slot())?;
        let cell = addr.cells_after(object.addr);
        if cell < object.valid { Spot::new(addr.slot(), Some(object.start + cell as usize)) } else { None }
    }

    /// `task` uses something in an object: a lock, a count. None if the pointer leads nowhere, which ends the task.
    pub(crate) fn used(&mut self, task: usize, addr: Addr, kind: Kind, loc: Loc) -> Option<Spot> {
        let spot = self.follow(task, addr, kind, loc)?;
        if self.config.checks.kcsan {
            self.note_use(spot, self.tasks[task].clock, self.mark(task, loc));
        }
        Some(spot)
    }

    /// KASAN: where a pointer leads. None if nowhere, which ends the task.
    #[inline]
    fn follow(&mut self, task: usize, addr: Addr, kind: Kind, loc: Loc) -> Option<Spot> {
        match self.good_spot(addr) {
            None => self.follow_badly(task, addr, kind, loc),
            spot => spot,
        }
    }

    #[cold]
    fn follow_badly(&mut self, task: usize, addr: Addr, kind: Kind, loc: Loc) -> Option<Spot> {
        match self.place(addr) {
            Ok(place) => {
                if self.config.checks.kasan {
                    self.found_bad_use(task, addr, place, kind, loc);
                }
                Spot::new(place.slot, place.cell)
            }
            Err(bad) => {
                self.oops(task, Fault::BadPointer(bad, addr), loc);
                None
            }
        }
    }

    #[cold]
    fn found_bad_use(&mut self, task: usize, addr: Addr, place: Place, kind: Kind, loc: Loc) {
        let cell = self.cell(addr);
        let object = self.objects[place.slot];
        let allocated = self.access_of(object.allocated);
        let bug = if place.freed {
            let freed = self.access_of(object.freed.unwrap_or(object.allocated));
            Bug::UseAfterFree { cell, kind, allocated, freed }
        } else {
            Bug::OutOfBounds { cell, kind, in_slack: place.cell.is_some(), allocated }
        };
        self.found(task, bug, loc);
    }

    /// An unmarked read.
    #[inline(never)]
    pub(crate) fn plain_read(&mut self, task: usize, addr: Addr, loc: Loc) {
        self.plain_access(task, addr, Kind::Read, loc);
    }
    /// An unmarked write.
    #[inline(never)]
    pub(crate) fn plain_write(&mut self, task: usize, addr: Addr, loc: Loc) {
        self.plain_access(task, addr, Kind::Write, loc);
    }
    #[inline(always)]
    fn plain_access(&mut self, task: usize, addr: Addr, kind: Kind, loc: Loc) {
        if let Some(spot) = self.follow(task, addr, kind, loc)
            && self.config.checks.kcsan
        {
            self.check_race(task, addr, spot, kind, false, loc);
        }
    }

    pub(crate) fn racy(&mut self, task: usize, addr: Addr, update: Update, loc: Loc) -> Option<i64> {
        let kind = if update == Update::Read { Kind::Read } else { Kind::Write };
        let spot = self.follow(task, addr, kind, loc)?;
        if self.config.checks.kcsan {
            self.check_rarer_race(task, addr, spot, kind, false, loc);
        }
        Some(self.change(spot, update))
    }

    pub(crate) fn marked(
        &mut self,
        task: usize,
        addr: Addr,
        update: Update,
        order: Order,
        loc: Loc,
    ) -> Option<i64> {
        let kind = match update {
            Update::Read => Kind::Read,
            Update::Write(_) => Kind::Write,
            _ => Kind::ReadWrite,
        };
        let spot = self.follow(task, addr, kind, loc)?;
        let old = self.change(spot, update);
        if !self.config.checks.kcsan {
            return Some(old);
        }
        let changed = update.new_value(old).is_some();
        let own = self.tasks[task].clock;
        // A read-modify-write operation that leaves the value alone orders nothing.
        if order.acquires()
            && (changed || update == Update::Read)
            && let Some(sync) = self.known_sync(spot)
        {
            self.syncs[sync].released.acquire(&mut self.clocks, own);
        }
        // After what was acquired, and before what is released: the access itself is passed on.
        self.check_rarer_race(task, addr, spot, kind, true, loc);
        // Nothing was ever passed on, and nothing is: no need for a table entry.
        if changed
            && (order.releases() || self.known_sync(spot).is_some())
            && let Some(sync) = self.sync_at(spot)
        {
            let released = &mut self.syncs[sync].released;
            match update {
                // A store begins a new release sequence, or ends it.
                Update::Write(_) if !order.releases() => released.forget(&mut self.clocks),
                Update::Write(_) => released.replace(&mut self.clocks, own, task),
                // What was acquired just now is not lost.
                _ if order == Order::Full => released.replace(&mut self.clocks, own, task),
                _ if order.releases() => released.add(&mut self.clocks, own, task),
                _ => {}
            }
        }
        Some(old)
    }

    fn change(&mut self, spot: Spot, update: Update) -> i64 {
        let Some(cell) = spot.cell() else { return 0 }; // behind an object is nothing
        self.bus.change(|memory| {
            let value = memory.value_at(cell);
            let old = *value;
            if let Some(new) = update.new_value(old) {
                *value = new;
            }
            old
        })
    }

    /// A memory cell, in words.
    #[cold]
    pub(crate) fn cell(&self, addr: Addr) -> Cell {
        self.bus.inspect(|memory| memory.cell(addr))
    }
}
