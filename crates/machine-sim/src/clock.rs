// SPDX-License-Identifier: GPL-2.0-only
//! Vector clocks: what a task knows to have happened.
//!
//! A clock is a radix tree with [`FAN`] entries a node whose nodes are shared between clocks until one of them changes
//! (path copying; Driscoll, Sarnak, Sleator and Tarjan, JCSS 1989). To copy a clock costs one reference, to join two
//! costs what they differ in, so neither costs the number of tasks.

/// A moment in the life of one task. Time 0 is before its birth, and known to everybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Epoch {
    pub(crate) task: u32,
    pub(crate) time: u32,
}

impl Epoch {
    /// No number of a task has this bit.
    const NOBODY: u32 = 1 << 31;

    /// A moment that nobody knows.
    pub(crate) const NEVER: Epoch = Epoch::never(0);

    /// One of many moments that nobody knows.
    pub(crate) const fn never(n: u32) -> Epoch {
        Epoch { task: Epoch::NOBODY | n, time: u32::MAX }
    }
    /// Which one of them it is, if it is one.
    #[inline]
    pub(crate) fn which_never(self) -> Option<u32> {
        (self.time == u32::MAX).then_some(self.task & !Epoch::NOBODY)
    }
}

/// One clock among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row(u32);

/// Entries of a node, and its logarithm.
const FAN: usize = 1 << BITS;
const BITS: u32 = 3;

/// The node that stands for "knows nothing", at every level. Never changed, never counted.
const NOTHING: u32 = 0;

#[derive(Clone, Copy, Debug)]
struct Node {
    /// How many clocks and nodes refer to it.
    refs: u32,
    /// At level 0 the times of tasks; above, nodes of the level below.
    slots: [u32; FAN],
}

/// One clock.
#[derive(Clone, Copy, Debug, Default)]
struct Root {
    node: u32,
    /// The present of the task whose clock it is: nobody else's knowledge changes that.
    now: Epoch,
}

/// All clocks of one execution.
#[derive(Debug)]
pub(crate) struct Clocks {
    nodes: Vec<Node>,
    free_nodes: Vec<u32>,
    roots: Vec<Root>,
    free_rows: Vec<Row>,
    /// The level of the roots.
    top: u32,
}

/// What a task knows at present.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock<'a> {
    clocks: &'a Clocks,
    row: Row,
    /// The present of the task whose clock it is.
    pub(crate) now: Epoch,
}

impl Clock<'_> {
    /// Whether it knows of a moment.
    #[inline(always)]
    pub(crate) fn knows(self, epoch: Epoch) -> bool {
        epoch.task == self.now.task || epoch.time == 0 || epoch.time <= self.clocks.time(self.row, epoch.task)
    }
}

impl Default for Clocks {
    fn default() -> Self {
        let nothing = Node { refs: 0, slots: [NOTHING; FAN] };
        Clocks {
            nodes: vec![nothing],
            free_nodes: Vec::new(),
            roots: Vec::new(),
            free_rows: Vec::new(),
            top: 0,
        }
    }
}

impl Clocks {
    pub(crate) fn clear(&mut self) {
        self.nodes.truncate(1);
        self.free_nodes.clear();
        self.roots.clear();
        self.free_rows.clear();
        self.top = 0;
    }
    /// A new clock that knows nothing.
    pub(crate) fn new_row(&mut self) -> Row {
        if let Some(row) = self.free_rows.pop() {
            return row;
        }
        self.roots.push(Root::default());
        Row(u32::try_from(self.roots.len() - 1).expect("fewer clocks than memory holds"))
    }
    /// Nobody needs this clock any more.
    pub(crate) fn give_back(&mut self, row: Row) {
        self.forget(row);
        self.free_rows.push(row);
    }
    /// Makes room for a task of this number.
    pub(crate) fn widen(&mut self, task: usize) {
        while task >> (BITS * (self.top + 1)) != 0 {
            for row in 0..self.roots.len() {
                let mut slots = [NOTHING; FAN];
                slots[0] = self.roots[row].node;
                if slots[0] != NOTHING {
                    self.roots[row].node = self.new_node(slots);
                }
            }
            self.top += 1;
        }
    }
    /// The clock of a task, to be asked.
    #[inline]
    pub(crate) fn of(&self, row: Row) -> Clock<'_> {
        Clock { clocks: self, row, now: self.now(row) }
    }
    /// The present of the task whose clock this is.
    #[inline]
    pub(crate) fn now(&self, row: Row) -> Epoch {
        self.roots[row.0 as usize].now
    }
    /// A new moment in the life of `task`, whose clock this is.
    #[inline]
    pub(crate) fn tick(&mut self, row: Row, task: usize) {
        let root = &mut self.roots[row.0 as usize];
        if self.top == 0 && root.node != NOTHING {
            let time = &mut self.nodes[root.node as usize].slots[task % FAN]; // single nodes are not shared
            *time += 1;
            root.now = Epoch { task: task as u32, time: *time };
        } else {
            self.tick_in_tree(row, task);
        }
    }
    #[inline(never)]
    fn tick_in_tree(&mut self, row: Row, task: usize) {
        let mut node = self.own_node(self.roots[row.0 as usize].node, self.top);
        self.roots[row.0 as usize].node = node;
        for level in (0..self.top).rev() {
            let slot = (task >> (BITS * (level + 1))) % FAN;
            let below = self.own_node(self.nodes[node as usize].slots[slot], level);
            self.nodes[node as usize].slots[slot] = below;
            node = below;
        }
        let time = &mut self.nodes[node as usize].slots[task % FAN];
        *time += 1;
        self.roots[row.0 as usize].now = Epoch { task: task as u32, time: *time };
    }
    #[inline]
    pub(crate) fn knows(&self, row: Row, epoch: Epoch) -> bool {
        self.of(row).knows(epoch)
    }
    /// What a clock knows of a task.
    #[inline]
    fn time(&self, row: Row, task: u32) -> u32 {
        let node = &self.nodes[self.roots[row.0 as usize].node as usize];
        if self.top == 0 { node.slots[task as usize % FAN] } else { self.time_in_tree(node, task) }
    }
    #[inline(never)]
    fn time_in_tree(&self, root: &Node, task: u32) -> u32 {
        let mut node = root;
        for level in (1..=self.top).rev() {
            node = &self.nodes[node.slots[(task >> (BITS * level)) as usize % FAN] as usize];
        }
        node.slots[task as usize % FAN]
    }
    /// `to` learns what `from` knows.
    #[inline]
    pub(crate) fn join(&mut self, to: Row, from: Row) {
        let (mine, theirs) = (self.roots[to.0 as usize].node, self.roots[from.0 as usize].node);
        if self.top == 0 && mine != NOTHING {
            // Single nodes are not shared.
            for slot in 0..FAN {
                let time = self.nodes[theirs as usize].slots[slot];
                let mine = &mut self.nodes[mine as usize].slots[slot];
                *mine = time.max(*mine);
            }
            return;
        }
        self.roots[to.0 as usize].node = self.join_nodes(mine, theirs, self.top);
    }
    /// `to` knows exactly what `from` knows.
    #[inline]
    pub(crate) fn copy(&mut self, to: Row, from: Row) {
        let (old, new) = (self.roots[to.0 as usize].node, self.roots[from.0 as usize].node);
        if self.top == 0 && old != NOTHING {
            // A single node is copied in less time than it is shared and copied later.
            self.nodes[old as usize].slots = self.nodes[new as usize].slots;
        } else {
            self.copy_tree(to, old, new);
        }
    }
    #[inline(never)]
    fn copy_tree(&mut self, to: Row, old: u32, new: u32) {
        if self.top == 0 {
            let slots = self.nodes[new as usize].slots;
            self.roots[to.0 as usize].node = self.new_node(slots);
            return;
        }
        self.keep(new);
        self.drop_node(old, self.top);
        self.roots[to.0 as usize].node = new;
    }
    fn forget(&mut self, row: Row) {
        let old = std::mem::take(&mut self.roots[row.0 as usize]);
        self.drop_node(old.node, self.top);
    }

    fn new_node(&mut self, slots: [u32; FAN]) -> u32 {
        let node = Node { refs: 1, slots };
        if let Some(index) = self.free_nodes.pop() {
            self.nodes[index as usize] = node;
            return index;
        }
        self.nodes.push(node);
        u32::try_from(self.nodes.len() - 1).expect("fewer nodes than memory holds")
    }
    #[inline]
    fn keep(&mut self, node: u32) {
        if node != NOTHING {
            self.nodes[node as usize].refs += 1;
        }
    }
    fn drop_node(&mut self, node: u32, level: u32) {
        if node == NOTHING {
            return;
        }
        self.nodes[node as usize].refs -= 1;
        if self.nodes[node as usize].refs > 0 {
            return;
        }
        self.free_nodes.push(node);
        if level > 0 {
            for below in self.nodes[node as usize].slots {
                self.drop_node(below, level - 1);
            }
        }
    }
    /// A node with the content of `node` that nobody else refers to, in exchange for a reference to `node`.
    #[inline]
    fn own_node(&mut self, node: u32, level: u32) -> u32 {
        match self.nodes[node as usize].refs {
            1 => node,
            _ => self.copy_node(node, level),
        }
    }
    fn copy_node(&mut self, node: u32, level: u32) -> u32 {
        let slots = self.nodes[node as usize].slots;
        if level > 0 {
            slots.iter().for_each(|below| self.keep(*below));
        }
        self.drop_node(node, level);
        self.new_node(slots)
    }
    /// The node that knows what both know, in exchange for a reference to `mine`.
    fn join_nodes(&mut self, mine: u32, theirs: u32, level: u32) -> u32 {
        if mine == theirs || theirs == NOTHING {
            return mine;
        }
        let (old, other) = (self.nodes[mine as usize].slots, self.nodes[theirs as usize].slots);
        let slots: [u32; FAN];
        if level == 0 {
            slots = std::array::from_fn(|i| old[i].max(other[i]));
            if slots == old {
                return mine;
            }
        } else {
            if mine != NOTHING && (0..FAN).all(|i| old[i] == other[i] || other[i] == NOTHING) {
                return mine;
            }
            let owned = self.own_node(mine, level);
            for i in 0..FAN {
                let joined = self.join_nodes(old[i], other[i], level - 1);
                self.nodes[owned as usize].slots[i] = joined;
            }
            slots = self.nodes[owned as usize].slots;
            if slots != other {
                return owned;
            }
            self.keep(theirs);
            self.drop_node(owned, level);
            return theirs;
        }
        if slots == other && self.top > 0 {
            // Sharing what is equal makes the next join cheap.
            self.keep(theirs);
            self.drop_node(mine, level);
            return theirs;
        }
        let owned = self.own_node(mine, level);
        self.nodes[owned as usize].slots = slots;
        owned
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
        self.by = clocks.now(own);
        clocks.tick(own, task);
    }
    /// `task` adds what it knows to what was there.
    pub(crate) fn add(&mut self, clocks: &mut Clocks, own: Row, task: usize) {
        let row = *self.row.get_or_insert_with(|| clocks.new_row());
        // `by` must vouch for all of it. It does if the task knew the rest; else nobody does.
        self.by = if clocks.knows(own, self.by) { clocks.now(own) } else { Epoch::NEVER };
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
        if let Some(row) = self.row {
            clocks.give_back(row);
        }
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
        let before = clocks.now(a);
        let mut lock = Released::default();
        lock.replace(&mut clocks, a, 0);
        let after = clocks.now(a);
        lock.acquire(&mut clocks, b);
        assert!(clocks.knows(b, before) && !clocks.knows(b, after) && !clocks.knows(c, before));
        // Through a third, and across a change of width.
        clocks.widen(100);
        lock.add(&mut clocks, b, 1);
        lock.acquire(&mut clocks, c);
        assert!(clocks.knows(c, before));
    }

    /// Against clocks that are plain arrays, over random operations and growing widths.
    #[test]
    fn trees_are_arrays() {
        const ROWS: usize = 12;
        const TASKS: usize = 5000;
        let mut clocks = Clocks::default();
        let rows: Vec<Row> = (0..ROWS).map(|_| clocks.new_row()).collect();
        let mut arrays = vec![vec![0_u32; TASKS]; ROWS];
        let mut seed = 1_u64;
        let mut draw = |n: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % n
        };
        for round in 0..20_000 {
            let (a, b) = (draw(ROWS), draw(ROWS));
            let task = draw([7, 16, 17, 300, TASKS][round / 4_000]);
            clocks.widen(task);
            match draw(8) {
                0..4 => {
                    clocks.tick(rows[a], task);
                    arrays[a][task] += 1;
                }
                4..6 => {
                    clocks.join(rows[a], rows[b]);
                    let theirs = arrays[b].clone();
                    arrays[a].iter_mut().zip(theirs).for_each(|(mine, theirs)| *mine = (*mine).max(theirs));
                }
                6 => {
                    clocks.copy(rows[a], rows[b]);
                    arrays[a] = arrays[b].clone();
                }
                _ => {
                    clocks.forget(rows[a]);
                    arrays[a].fill(0);
                }
            }
            let probe = draw(TASKS.min(FAN << (BITS * clocks.top)));
            assert_eq!(clocks.time(rows[a], probe as u32), arrays[a][probe], "round {round}");
            assert_eq!(clocks.time(rows[a], task as u32), arrays[a][task], "round {round}");
        }
        for row in rows {
            clocks.give_back(row);
        }
        assert_eq!(clocks.free_nodes.len(), clocks.nodes.len() - 1, "every node is given back");
    }
}
