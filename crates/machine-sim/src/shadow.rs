// SPDX-License-Identifier: GPL-2.0-only
//! Shadow memory: the last accesses to one piece of memory, as FastTrack keeps them (Flanagan and Freund, PLDI 2009).

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
#[derive(Clone, Copy, Debug)]
enum Accesses {
    None,
    One(Mark),
    /// Unordered ones by several tasks: a row of `Shared`.
    Many(u32),
}

impl Accesses {
    /// Adds one by the task whose clock is `own`.
    #[inline]
    fn add(&mut self, mark: Mark, own: Clock<'_>, shared: &mut Shared) {
        match self {
            Accesses::None => *self = Accesses::One(mark),
            Accesses::One(old) if old.at == mark.at => {} // of one moment, the first is as good as any
            Accesses::One(old) if own.knows(old.at) => *self = Accesses::One(mark), // its own among them
            _ => self.add_unordered(mark, shared),
        }
    }
    fn add_unordered(&mut self, mark: Mark, shared: &mut Shared) {
        match *self {
            Accesses::Many(row) => {
                let row = &mut shared.rows[row as usize];
                match row.iter_mut().find(|old| old.at.task == mark.at.task) {
                    Some(old) => *old = mark,
                    None => row.push(mark),
                }
            }
            Accesses::One(old) => {
                let row = shared.new_row();
                shared.rows[row as usize].extend([old, mark]);
                *self = Accesses::Many(row);
            }
            Accesses::None => *self = Accesses::One(mark),
        }
    }
    /// One that nothing orders before the present of the clock `own`.
    #[inline]
    fn unordered(&self, own: Clock<'_>, shared: &Shared) -> Option<Mark> {
        match self {
            Accesses::None => None,
            Accesses::One(old) => (!own.knows(old.at)).then_some(*old),
            Accesses::Many(row) => shared.rows[*row as usize].iter().copied().find(|old| !own.knows(old.at)),
        }
    }
}

/// Rows of accesses by several tasks.
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
    #[inline]
    fn give_back(&mut self, accesses: Accesses) {
        if let Accesses::Many(row) = accesses {
            self.free.push(row);
        }
    }
}

/// The shadow of one piece of memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shadow {
    writes: Accesses,
    reads: Accesses,
}

impl Shadow {
    pub(crate) const NEW: Shadow = Shadow { writes: Accesses::None, reads: Accesses::None };

    /// Whether a read in this moment is known, and no other since.
    #[inline]
    pub(crate) fn was_read_at(&self, now: Epoch) -> bool {
        matches!(&self.reads, Accesses::One(old) if old.at == now)
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
        *self = Shadow { writes: Accesses::One(mark), reads: Accesses::None };
    }
    /// What it holds is not needed any more.
    #[inline]
    pub(crate) fn give_back(&self, shared: &mut Shared) {
        shared.give_back(self.writes);
        shared.give_back(self.reads);
    }
    /// Records a marked write, which others may precede in no order.
    #[inline]
    pub(crate) fn write_marked(&mut self, mark: Mark, own: Clock<'_>, shared: &mut Shared) {
        self.writes.add(mark, own, shared);
    }
    /// A write, or for a write also a read, that nothing orders before the present of the clock `own`.
    #[inline]
    pub(crate) fn conflict(&self, kind: Kind, own: Clock<'_>, shared: &Shared) -> Option<(Mark, Kind)> {
        let write = self.writes.unordered(own, shared).map(|write| (write, Kind::Write));
        match kind {
            Kind::Read => write,
            _ => write.or_else(|| self.unordered_read(own, shared).map(|read| (read, Kind::Read))),
        }
    }
    /// A read that nothing orders before the present of the clock `own`.
    #[inline]
    pub(crate) fn unordered_read(&self, own: Clock<'_>, shared: &Shared) -> Option<Mark> {
        self.reads.unordered(own, shared)
    }
}
