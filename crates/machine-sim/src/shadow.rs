// SPDX-License-Identifier: GPL-2.0-only
//! Shadow memory: the last accesses to one piece of memory, as FastTrack keeps them (Flanagan and Freund, PLDI 2009).

use std::panic::Location;

use machine::{Function, Kind, Loc};

use crate::clock::{Clock, Epoch};

/// An access: when, and where in the kernel's code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) at: Epoch,
    pub(crate) step: u32,
    pub(crate) loc: Loc,
    pub(crate) function: Option<&'static Function>,
}

/// The accesses of one kind that matter: those that no later one is known to follow.
///
/// Nearly all that is asked is whether a clock knows them, and that is one comparison: no access is one in the moment
/// that everybody knows, and unordered ones by several tasks are one in a moment that nobody knows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accesses(Mark);

impl Accesses {
    pub(crate) const NONE: Accesses = Accesses(Mark {
        at: Epoch { task: 0, time: 0 },
        step: 0,
        loc: Location::caller(), // never told
        function: None,
    });

    /// Unordered ones by several tasks: a row of [`Shared`].
    #[inline]
    fn row(&self) -> Option<u32> {
        self.0.at.which_never()
    }
    /// Whether there is one in this moment, and no other since.
    #[inline]
    pub(crate) fn are_at(&self, now: Epoch) -> bool {
        self.0.at == now
    }
    /// Adds one by the task whose clock is `own`.
    #[inline(always)]
    pub(crate) fn add(&mut self, mark: Mark, own: Clock<'_>, shared: &mut Shared) {
        if self.are_at(mark.at) {
            return; // of one moment, the first is as good as any
        }
        if own.knows(self.0.at) {
            self.0 = mark; // its own among them
        } else {
            // In parts: what is put together in memory is slow to copy.
            self.add_unordered(mark.at, mark.step, mark.loc, mark.function, shared);
        }
    }
    fn add_unordered(
        &mut self,
        at: Epoch,
        step: u32,
        loc: Loc,
        function: Option<&'static Function>,
        shared: &mut Shared,
    ) {
        let mark = Mark { at, step, loc, function };
        if let Some(row) = self.row() {
            let row = &mut shared.rows[row as usize];
            let place = match row.len() {
                ..=8 => row.iter().position(|old| old.at.task >= at.task).unwrap_or(row.len()),
                _ => row.partition_point(|old| old.at.task < at.task),
            };
            match row.get_mut(place) {
                Some(old) if old.at.task == at.task => *old = mark,
                _ => row.insert(place, mark),
            }
            return;
        }
        let row = shared.new_row();
        let mut both = [self.0, mark];
        both.sort_by_key(|mark| mark.at.task);
        shared.rows[row as usize].extend(both);
        self.0.at = Epoch::never(row);
    }
    /// One that nothing orders before the present of the clock `own`.
    #[inline]
    pub(crate) fn unordered(&self, own: Clock<'_>, shared: &Shared) -> Option<Mark> {
        if own.knows(self.0.at) {
            return None;
        }
        match self.row() {
            None => Some(self.0),
            Some(row) => shared.rows[row as usize].iter().copied().find(|old| !own.knows(old.at)),
        }
    }
    /// They are not needed any more.
    #[inline]
    pub(crate) fn give_back(&self, shared: &mut Shared) {
        if let Some(row) = self.row() {
            shared.free.push(row);
        }
    }
}

/// Rows of accesses by several tasks, one for each, in the order of their numbers.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    rows: Vec<Vec<Mark>>,
    used: usize,
    /// Rows that no shadow needs any more.
    free: Vec<u32>,
}

impl Shared {
    pub(crate) fn clear(&mut self) {
        self.used = 0;
        self.free.clear();
    }
    fn new_row(&mut self) -> u32 {
        let row = self.free.pop().unwrap_or_else(|| {
            if self.used == self.rows.len() {
                self.rows.push(Vec::new());
            }
            self.used += 1;
            (self.used - 1) as u32
        });
        self.rows[row as usize].clear();
        row
    }
}

/// The shadow of one piece of memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shadow {
    writes: Accesses,
    reads: Accesses,
}

impl Shadow {
    pub(crate) const NEW: Shadow = Shadow { writes: Accesses::NONE, reads: Accesses::NONE };

    /// That of the first access.
    #[inline]
    pub(crate) fn of_first(kind: Kind, mark: Mark) -> Self {
        match kind {
            Kind::Read => Shadow { reads: Accesses(mark), ..Shadow::NEW },
            _ => Shadow { writes: Accesses(mark), ..Shadow::NEW },
        }
    }
    /// Records a read. `own` is the reader's clock.
    #[inline]
    pub(crate) fn read(&mut self, mark: Mark, own: Clock<'_>, shared: &mut Shared) {
        self.reads.add(mark, own, shared);
    }
    /// Records an unmarked write: whoever does not follow all before it has been reported.
    #[inline]
    pub(crate) fn write(&mut self, mark: Mark, shared: &mut Shared) {
        self.give_back(shared);
        self.writes = Accesses(mark);
        self.reads.0.at = Accesses::NONE.0.at;
    }
    /// Records a marked write, which others may precede in no order.
    #[inline]
    pub(crate) fn write_marked(&mut self, mark: Mark, own: Clock<'_>, shared: &mut Shared) {
        self.writes.add(mark, own, shared);
    }
    /// What it holds is not needed any more.
    #[inline]
    pub(crate) fn give_back(&self, shared: &mut Shared) {
        self.writes.give_back(shared);
        self.reads.give_back(shared);
    }
    /// Whether the clock `own` may lack an access that one of this kind conflicts with: [`Shadow::conflict`] tells.
    #[inline(always)]
    pub(crate) fn may_conflict(&self, kind: Kind, own: Clock<'_>) -> bool {
        !own.knows(self.writes.0.at) || kind != Kind::Read && !own.knows(self.reads.0.at)
    }
    /// A write, or for a write also a read, that nothing orders before the present of the clock `own`.
    pub(crate) fn conflict(&self, kind: Kind, own: Clock<'_>, shared: &Shared) -> Option<(Mark, Kind)> {
        let write = self.writes.unordered(own, shared).map(|write| (write, Kind::Write));
        match kind {
            Kind::Read => write,
            _ => write.or_else(|| self.reads.unordered(own, shared).map(|read| (read, Kind::Read))),
        }
    }
}
