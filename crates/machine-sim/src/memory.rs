// SPDX-License-Identifier: GPL-2.0-only
//! KASAN and KCSAN: what an access to simulated memory means.

use machine::{Addr, BadPointer, Bug, Cell, Fault, Kind, Loc, Order, Place, Update};

use crate::{
    shadow::{Mark, Shadow},
    sim::Sim,
};

/// What the machine knows of an object. Where it lies is copied from memory, which is slower to ask.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Object {
    start: usize,
    cells: usize,
    bytes: usize,
    addr: Addr,
    pub(crate) allocated: Mark,
    pub(crate) freed: Option<Mark>,
    /// Every use is a read of it; its free is a write.
    pub(crate) shadow: Shadow,
    /// Static data is always there.
    pub(crate) is_static: bool,
}

/// What the machine knows of a cell: places in its tables, 0 for none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CellState {
    /// Unmarked accesses.
    plain: u32,
    /// Marked ones.
    marked: u32,
    pub(crate) sync: u32,
}

impl Sim {
    pub(crate) fn alloc(&mut self, task: usize, addr: Addr, loc: Loc) {
        let allocated = self.mark(task, loc);
        let (cells, bytes, is_static, slots, all) = self.bus.inspect(|memory| {
            let object = memory.object(addr).expect("what was allocated is there");
            (object.cells(), object.bytes, object.name.is_some(), memory.slots(), memory.cells())
        });
        let new = Object {
            start: cells.start,
            cells: cells.len(),
            bytes,
            addr,
            allocated,
            freed: None,
            shadow: Shadow::NEW,
            is_static,
        };
        if self.objects.len() < slots {
            // Those in between were said and are not applied yet.
            self.objects.resize(slots, Object { cells: 0, bytes: 0, ..new });
        }
        self.objects[addr.slot()] = new;
        self.cells.resize(all, CellState::default());
        self.cells[cells].fill(CellState::default());
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
        self.bus.change(|memory| memory.free(addr));
        if self.config.checks.kcsan {
            let used = object.shadow.unordered_read(&self.clocks, own, &self.shared);
            if let Some(used) = used {
                let (cell, used) = (self.cell(addr), self.access_of(used));
                self.found(task, Bug::UnorderedFree { cell, used }, loc);
            }
        }
    }

    /// Where a pointer leads, as far as allocations have been applied.
    #[inline]
    pub(crate) fn place(&self, addr: Addr) -> Result<Place, BadPointer> {
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

    /// `task` uses something in an object. None if the pointer leads nowhere, which ends the task.
    #[inline]
    pub(crate) fn used(&mut self, task: usize, addr: Addr, kind: Kind, loc: Loc) -> Option<Place> {
        let place = match self.place(addr) {
            Ok(place) => place,
            Err(bad) => {
                self.oops(task, Fault::BadPointer(bad, addr), loc);
                return None;
            }
        };
        if self.config.checks.kasan && (place.freed || !place.in_bounds) {
            self.found_bad_use(task, addr, place, kind, loc);
        }
        if self.config.checks.kcsan && !self.objects[place.slot].is_static {
            let mark = self.mark(task, loc);
            let own = self.tasks[task].clock;
            self.objects[place.slot].shadow.read(mark, &self.clocks, own, &mut self.shared);
        }
        Some(place)
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

    pub(crate) fn plain_access(&mut self, task: usize, addr: Addr, kind: Kind, loc: Loc) {
        if let Some(place) = self.used(task, addr, kind, loc) {
            self.check_race(task, addr, place, kind, false, loc);
        }
    }

    pub(crate) fn racy(&mut self, task: usize, addr: Addr, update: Update, loc: Loc) -> Option<i64> {
        let kind = if update == Update::Read { Kind::Read } else { Kind::Write };
        let place = self.used(task, addr, kind, loc)?;
        self.check_race(task, addr, place, kind, false, loc);
        Some(self.change(place, update))
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
        let place = self.used(task, addr, kind, loc)?;
        let old = self.change(place, update);
        if !self.config.checks.kcsan {
            return Some(old);
        }
        let changed = update.new_value(old).is_some();
        // Nothing was ever passed on, and nothing is: no need for a table entry.
        if (order.releases() && changed || self.known_sync(place).is_some())
            && let Some(sync) = self.sync_at(place)
        {
            let released = &mut self.syncs[sync].released;
            let own = self.tasks[task].clock;
            // A read-modify-write operation that leaves the value alone orders nothing.
            if order.acquires() && (changed || update == Update::Read) {
                released.acquire(&mut self.clocks, own);
            }
            if changed {
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
        }
        self.check_race(task, addr, place, kind, true, loc);
        Some(old)
    }

    fn change(&mut self, place: Place, update: Update) -> i64 {
        self.bus.change(|memory| {
            let old = memory.value(place);
            if let Some(new) = update.new_value(old) {
                memory.set_value(place, new);
            }
            old
        })
    }

    /// KCSAN: two accesses race if one is a write, one is unmarked, and nothing orders them.
    #[inline]
    fn check_race(&mut self, task: usize, addr: Addr, place: Place, kind: Kind, is_marked: bool, loc: Loc) {
        if !self.config.checks.kcsan {
            return;
        }
        let Some(cell) = place.cell else { return };
        let state = self.cells[cell];
        let own = self.tasks[task].clock;
        let mark = self.mark(task, loc);
        let conflict = |shadow: &Shadow, sim: &Sim| {
            let write = shadow.unordered_write(&sim.clocks, own).map(|mark| (mark, Kind::Write));
            match kind {
                Kind::Read => write,
                Kind::Write | Kind::ReadWrite => write.or_else(|| {
                    let read = shadow.unordered_read(&sim.clocks, own, &sim.shared);
                    read.map(|mark| (mark, Kind::Read))
                }),
            }
        };
        let mut race = None;
        if state.plain != 0 {
            race = conflict(&self.shadows[state.plain as usize], self).map(|found| (found, false));
        }
        if !is_marked && race.is_none() && state.marked != 0 {
            race = conflict(&self.shadows[state.marked as usize], self).map(|found| (found, true));
        }
        let mine = if is_marked { state.marked } else { state.plain };
        let mine = if mine != 0 { mine as usize } else { self.new_shadow(cell, is_marked) };
        match kind {
            Kind::Read => self.shadows[mine].read(mark, &self.clocks, own, &mut self.shared),
            Kind::Write | Kind::ReadWrite => self.shadows[mine].write(mark),
        }
        if let Some(((earlier, earlier_kind), earlier_marked)) = race {
            let (cell, earlier) = (self.cell(addr), self.access_of(earlier));
            let bug = Bug::DataRace { cell, kind, marked: is_marked, earlier, earlier_kind, earlier_marked };
            self.found(task, bug, loc);
        }
    }

    fn new_shadow(&mut self, cell: usize, is_marked: bool) -> usize {
        let index = self.shadows.len();
        self.shadows.push(Shadow::NEW);
        let state = &mut self.cells[cell];
        *(if is_marked { &mut state.marked } else { &mut state.plain }) = index as u32;
        index
    }

    /// A memory cell, in words.
    #[cold]
    pub(crate) fn cell(&self, addr: Addr) -> Cell {
        self.bus.inspect(|memory| memory.cell(addr))
    }
}
