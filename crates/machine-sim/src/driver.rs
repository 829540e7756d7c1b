// SPDX-License-Identifier: GPL-2.0-only
//! Drivers: the first choice, a seed, and what any driver chose.

use machine::{Choice, Driver, Event, Finding, Op, Symbol, TaskId};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// Never preempts.
#[derive(Clone, Copy, Debug, Default)]
pub struct First;

impl Driver for First {
    fn choose(&mut self, _: &Choice<'_>) -> Option<usize> {
        Some(0)
    }
}

/// Chooses at random, each possible context with the same probability.
#[derive(Clone, Debug)]
pub struct Seeded(ChaCha8Rng);

impl Seeded {
    /// Equal seeds make equal choices, on every target.
    pub fn new(seed: u64) -> Self {
        Seeded(ChaCha8Rng::seed_from_u64(seed))
    }
    /// A number less than `n`, all with the same probability (Lemire, ACM TOMACS 2019).
    pub fn below(&mut self, n: u32) -> u32 {
        loop {
            let product = u64::from(self.0.next_u32()) * u64::from(n);
            let low = product as u32;
            if low >= n || low >= n.wrapping_neg() % n {
                return (product >> 32) as u32;
            }
        }
    }
}

impl Driver for Seeded {
    fn choose(&mut self, choice: &Choice<'_>) -> Option<usize> {
        match choice.ready.len() {
            1 => Some(0),
            n => Some(self.below(n as u32) as usize),
        }
    }
}

/// Context switches that are written down: a longer schedule is for machines, and the seed says it as well.
pub const MAX_RUNS: usize = 100_000;

/// Drives as `inner` does, and writes down who ran for how many operations.
#[derive(Debug)]
pub struct Recorded<D> {
    /// Who decides.
    pub inner: D,
    /// Who ran, and how many operations, in order; the first [`MAX_RUNS`].
    pub runs: Vec<(Symbol, u64)>,
    /// Whether there were more.
    pub is_cut: bool,
    last: Option<TaskId>,
}

impl<D: Driver> Recorded<D> {
    /// Nothing is written down yet.
    pub fn new(inner: D) -> Self {
        Recorded { inner, runs: Vec::new(), is_cut: false, last: None }
    }
}

impl<D: Driver> Driver for Recorded<D> {
    fn choose(&mut self, choice: &Choice<'_>) -> Option<usize> {
        let chosen = self.inner.choose(choice)?;
        let task = choice.ready.get(chosen)?;
        self.is_cut |= self.runs.len() >= MAX_RUNS && self.last != Some(task);
        match self.runs.last_mut() {
            _ if self.is_cut => {}
            Some((_, n)) if self.last == Some(task) => *n += 1,
            _ => self.runs.push((choice.names[task.index()], 1)),
        }
        self.last = Some(task);
        Some(chosen)
    }
    fn happened(&mut self, event: &Event) {
        self.inner.happened(event);
    }
    fn found(&mut self, finding: &Finding) {
        self.inner.found(finding);
    }
    fn stuck(&mut self, task: TaskId, op: Op) {
        self.inner.stuck(task, op);
    }
    fn goes_on(&mut self) -> bool {
        self.inner.goes_on()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The stream must not change: seeds in scenarios and reports stand for schedules.
    #[test]
    fn the_stream_of_a_seed_is_pinned() {
        let mut rng = ChaCha8Rng::seed_from_u64(42);
        let words: Vec<u64> = (0..4).map(|_| rng.next_u64()).collect();
        assert_eq!(
            words,
            [0xae90_bfb5_395d_5ba1, 0xf345_3fc6_2579_9188, 0x6d71_b708_c5b6_538c, 0xa09a_b2f9_5816_6752]
        );
        let mut seeded = Seeded::new(42);
        let draws: Vec<u32> = (0..8).map(|_| seeded.below(10)).collect();
        assert!(draws.iter().all(|draw| *draw < 10));
        assert_eq!(draws, [2, 6, 1, 9, 7, 4, 3, 6]);
    }
}
