// SPDX-License-Identifier: GPL-2.0-only
//! Virtual time: what takes how long, timers, and the CPU whose next step is due first.
//!
//! Each CPU has a time of its own, up to which it is busy. It performs one operation after the other; the CPU that is
//! free earliest goes first, and a driver chooses among those that are free at the same time.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

use machine::{Clock, Costs, Op, TaskSet, What};

/// What happens at a time of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A task has slept long enough.
    Wake(u32),
    /// The timer interrupt of a CPU.
    Tick(u32),
    /// Watchdogs look.
    Watch,
}

/// The time of a machine.
#[derive(Debug, Default)]
pub(crate) struct Time {
    /// None where time does not count.
    costs: Option<Costs>,
    /// Nanoseconds between two timer interrupts.
    pub(crate) tick: u64,
    /// The time of what happens at present.
    pub(crate) now: u64,
    /// How many timer interrupts there were.
    pub(crate) ticks: u64,
    /// When the last step ended.
    pub(crate) last: u64,
    timers: BinaryHeap<Reverse<(u64, u64, Timer)>>,
    /// The number of the next timer: those of one time are served in the order in which they were set.
    next_timer: u64,
    /// How many timers wake a task.
    pub(crate) sleepers: usize,
    /// How many are those of watchdogs.
    watches: usize,
    /// When each CPU is due.
    pub(crate) earliest: Earliest,
    /// What each CPU does then.
    pub(crate) next: Vec<u32>,
    /// The CPUs whose next step may have changed.
    pub(crate) touched: Vec<u32>,
    /// Contexts that are due now.
    pub(crate) due: TaskSet,
    /// The same, to empty it.
    pub(crate) due_list: Vec<u32>,
    /// Floating tasks that wait for a CPU, and since when, first come, first served; some may have got one since.
    pub(crate) waiting: VecDeque<(u64, u32)>,
}

impl Time {
    pub(crate) fn reset(&mut self, clock: Clock, hz: u32, cpus: usize) {
        self.costs = match clock {
            Clock::Untimed => None,
            Clock::Timed(costs) => Some(costs),
        };
        self.tick = 1_000_000_000 / u64::from(hz.max(1));
        (self.now, self.last, self.ticks) = (0, 0, 0);
        self.timers.clear();
        self.next_timer = 0;
        (self.sleepers, self.watches) = (0, 0);
        self.touched.clear();
        self.due.clear();
        self.due_list.clear();
        self.waiting.clear();
        self.next.clear();
        if self.is_on() {
            self.next.resize(cpus, 0);
            self.earliest.reset(cpus);
        }
    }
    /// Whether operations take time.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.costs.is_some()
    }
    /// Lets the time pass that an effect takes. What an operation takes has passed when it is performed.
    pub(crate) fn spend(&mut self, what: &What) {
        if let (Some(costs), What::Effect(effect)) = (&self.costs, what) {
            self.now = self.now.saturating_add(costs.of_effect(*effect));
        }
    }
    /// How long an operation takes.
    pub(crate) fn cost_of(&self, op: Op) -> u64 {
        self.costs.map_or(0, |costs| costs.of_op(op))
    }
    /// What it costs to wake a task.
    pub(crate) fn wakeup(&self) -> u64 {
        self.costs.map_or(0, |costs| costs.wakeup)
    }
    /// What a switch from one task to another costs.
    pub(crate) fn context_switch(&self) -> u64 {
        self.costs.map_or(0, |costs| costs.context_switch)
    }
    /// What a timer interrupt costs.
    pub(crate) fn tick_cost(&self) -> u64 {
        self.costs.map_or(0, |costs| costs.tick)
    }
    /// The first timer interrupt after `time`.
    pub(crate) fn next_tick(&self, time: u64) -> u64 {
        (time / self.tick + 1).saturating_mul(self.tick)
    }
    pub(crate) fn set_timer(&mut self, at: u64, timer: Timer) {
        self.timers.push(Reverse((at, self.next_timer, timer)));
        self.next_timer += 1;
        self.sleepers += usize::from(matches!(timer, Timer::Wake(_)));
        self.watches += usize::from(timer == Timer::Watch);
    }
    /// Whether no timer is left but those of watchdogs.
    pub(crate) fn is_only_watched(&self) -> bool {
        self.timers.len() == self.watches
    }
    /// When the next timer is due.
    pub(crate) fn first_timer(&self) -> Option<u64> {
        self.timers.peek().map(|Reverse((at, ..))| *at)
    }
    pub(crate) fn pop_timer(&mut self) -> Option<(u64, Timer)> {
        let Reverse((at, _, timer)) = self.timers.pop()?;
        self.sleepers -= usize::from(matches!(timer, Timer::Wake(_)));
        self.watches -= usize::from(timer == Timer::Watch);
        Some((at, timer))
    }
}

/// The least of many numbers that change one at a time: a tournament tree.
#[derive(Debug, Default)]
pub(crate) struct Earliest {
    /// `nodes[1]` is the root, `nodes[size + i]` the i-th number.
    nodes: Vec<u64>,
    size: usize,
}

impl Earliest {
    /// What stands for "never".
    pub(crate) const NEVER: u64 = u64::MAX;

    fn reset(&mut self, len: usize) {
        self.size = len.next_power_of_two();
        self.nodes.clear();
        self.nodes.resize(2 * self.size, Self::NEVER);
    }
    #[inline]
    pub(crate) fn set(&mut self, i: usize, time: u64) {
        let mut node = self.size + i;
        if self.nodes[node] == time {
            return;
        }
        self.nodes[node] = time;
        while node > 1 {
            node /= 2;
            let least = self.nodes[2 * node].min(self.nodes[2 * node + 1]);
            if self.nodes[node] == least {
                break;
            }
            self.nodes[node] = least;
        }
    }
    #[inline]
    pub(crate) fn least(&self) -> u64 {
        self.nodes[1]
    }
    /// Calls `f` with the index of every number that is the least, ascending.
    pub(crate) fn for_each_least(&self, mut f: impl FnMut(usize)) {
        let least = self.least();
        if least == Self::NEVER {
            return;
        }
        // Depth first, without a stack: the next node is below if there is one to find, else to the right.
        let mut node = 1;
        loop {
            if self.nodes[node] == least {
                if node < self.size {
                    node *= 2;
                    continue;
                }
                f(node - self.size);
            }
            while node % 2 == 1 {
                if node == 1 {
                    return;
                }
                node /= 2;
            }
            node += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_are_found() {
        let mut earliest = Earliest::default();
        earliest.reset(5);
        let leasts = |earliest: &Earliest| {
            let mut all = Vec::new();
            earliest.for_each_least(|i| all.push(i));
            all
        };
        assert_eq!(leasts(&earliest), []);
        for (i, time) in [(0, 7), (3, 5), (4, 5), (1, 5), (1, 9)] {
            earliest.set(i, time);
        }
        assert_eq!((earliest.least(), leasts(&earliest)), (5, vec![3, 4]));
        earliest.set(3, Earliest::NEVER);
        earliest.set(4, 8);
        assert_eq!((earliest.least(), leasts(&earliest)), (7, vec![0]));
    }

    #[test]
    fn timers_of_one_time_are_served_in_order() {
        let mut time = Time::default();
        time.reset(Clock::Timed(Costs::default()), 250, 1);
        time.set_timer(5, Timer::Wake(9));
        time.set_timer(3, Timer::Tick(0));
        time.set_timer(5, Timer::Wake(1));
        assert_eq!((time.first_timer(), time.sleepers), (Some(3), 2));
        let order: Vec<_> = std::iter::from_fn(|| time.pop_timer()).collect();
        assert_eq!(order, [(3, Timer::Tick(0)), (5, Timer::Wake(9)), (5, Timer::Wake(1))]);
        assert_eq!((time.next_tick(0), time.next_tick(4_000_000)), (4_000_000, 8_000_000));
    }
}
