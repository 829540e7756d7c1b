// SPDX-License-Identifier: GPL-2.0-only
//! Vector clocks: what a task knows to have happened. Their width grows with the number of tasks.

/// A moment in the life of one task. Time 0 is before its birth, and known to everybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Epoch {
    pub(crate) task: u32,
    pub(crate) time: u32,
}

impl Epoch {
    /// Whether who has this clock knows it.
    #[inline]
    pub(crate) fn is_known_to(self, clock: &[u32]) -> bool {
        self.time <= clock[self.task as usize]
    }
}

/// A moment that nobody knows.
const NEVER: Epoch = Epoch { task: 0, time: u32::MAX };

/// One clock among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row(u32);

/// All clocks of one execution: rows of equal width, one entry for each task.
#[derive(Debug)]
pub(crate) struct Clocks {
    width: usize,
    rows: Vec<u32>,
    /// Rows that nobody needs any more.
    free: Vec<Row>,
}

impl Default for Clocks {
    fn default() -> Self {
        Clocks { width: 8, rows: Vec::new(), free: Vec::new() }
    }
}

impl Clocks {
    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.free.clear();
    }
    /// A new clock that knows nothing.
    pub(crate) fn new_row(&mut self) -> Row {
        if let Some(row) = self.free.pop() {
            self.forget(row);
            return row;
        }
        let row = self.rows.len() / self.width;
        self.rows.resize(self.rows.len() + self.width, 0);
        Row(u32::try_from(row).expect("fewer clocks than memory holds"))
    }
    /// Makes room for a task of this number.
    pub(crate) fn widen(&mut self, task: usize) {
        if task < self.width {
            return;
        }
        let wider = (task + 1).next_power_of_two();
        let mut rows = vec![0; self.rows.len() / self.width * wider];
        for (old, new) in self.rows.chunks(self.width).zip(rows.chunks_mut(wider)) {
            new[..old.len()].copy_from_slice(old);
        }
        (self.width, self.rows) = (wider, rows);
    }
    fn start(&self, row: Row) -> usize {
        row.0 as usize * self.width
    }
    /// The present of `task`, whose clock this is.
    pub(crate) fn now(&self, row: Row, task: usize) -> Epoch {
        Epoch { task: task as u32, time: self.rows[self.start(row) + task] }
    }
    pub(crate) fn tick(&mut self, row: Row, task: usize) {
        let at = self.start(row) + task;
        self.rows[at] += 1;
    }
    pub(crate) fn knows(&self, row: Row, epoch: Epoch) -> bool {
        epoch.is_known_to(self.of(row))
    }
    /// A clock: the time of each task that it knows of.
    #[inline]
    pub(crate) fn of(&self, row: Row) -> &[u32] {
        &self.rows[self.start(row)..][..self.width]
    }
    /// `to` learns what `from` knows.
    pub(crate) fn join(&mut self, to: Row, from: Row) {
        if to == from {
            return;
        }
        let (to, from, width) = (self.start(to), self.start(from), self.width);
        let (to, from) = if to < from {
            let (low, high) = self.rows.split_at_mut(from);
            (&mut low[to..to + width], &high[..width])
        } else {
            let (low, high) = self.rows.split_at_mut(to);
            (&mut high[..width], &low[from..from + width])
        };
        for (mine, theirs) in to.iter_mut().zip(from) {
            *mine = (*mine).max(*theirs);
        }
    }
    /// `to` knows exactly what `from` knows.
    pub(crate) fn copy(&mut self, to: Row, from: Row) {
        let (to, from) = (self.start(to), self.start(from));
        self.rows.copy_within(from..from + self.width, to);
    }
    fn forget(&mut self, row: Row) {
        let start = self.start(row);
        self.rows[start..start + self.width].fill(0);
    }
}

/// What a release left for those who acquire.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Released {
    /// None: nothing.
    row: Option<Row>,
    /// Who knows this moment knows all of it.
    by: Epoch,
}

impl Released {
    /// `task`, whose clock is `own`, passes on what it knows, in place of what was there.
    pub(crate) fn replace(&mut self, clocks: &mut Clocks, own: Row, task: usize) {
        let row = *self.row.get_or_insert_with(|| clocks.new_row());
        clocks.copy(row, own);
        self.by = clocks.now(own, task);
        clocks.tick(own, task);
    }
    /// `task` adds what it knows to what was there.
    pub(crate) fn add(&mut self, clocks: &mut Clocks, own: Row, task: usize) {
        let row = *self.row.get_or_insert_with(|| clocks.new_row());
        // `by` must vouch for all of it. It does if the task knew the rest; else nobody does.
        self.by = if clocks.knows(own, self.by) { clocks.now(own, task) } else { NEVER };
        clocks.join(row, own);
        clocks.tick(own, task);
    }
    /// A task learns what was passed on.
    pub(crate) fn acquire(&self, clocks: &mut Clocks, own: Row) {
        if let Some(row) = self.row
            && !clocks.knows(own, self.by)
        {
            clocks.join(own, row);
        }
    }
    /// It is not needed any more.
    pub(crate) fn give_back(self, clocks: &mut Clocks) {
        clocks.free.extend(self.row);
    }
    /// Nothing is passed on any more.
    pub(crate) fn forget(&mut self, clocks: &mut Clocks) {
        if let Some(row) = self.row {
            clocks.forget(row);
            self.by = Epoch::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_acquires_knows_what_was_released() {
        let mut clocks = Clocks::default();
        let (a, b, c) = (clocks.new_row(), clocks.new_row(), clocks.new_row());
        for (task, row) in [a, b, c].into_iter().enumerate() {
            clocks.tick(row, task);
        }
        let before = clocks.now(a, 0);
        let mut lock = Released::default();
        lock.replace(&mut clocks, a, 0);
        let after = clocks.now(a, 0);
        lock.acquire(&mut clocks, b);
        assert!(clocks.knows(b, before) && !clocks.knows(b, after) && !clocks.knows(c, before));
        // Through a third, and across a change of width.
        clocks.widen(100);
        lock.add(&mut clocks, b, 1);
        lock.acquire(&mut clocks, c);
        assert!(clocks.knows(c, before));
    }
}
