// SPDX-License-Identifier: GPL-2.0-only
//! Choices, made of bytes.

use arbitrary::Unstructured;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// Makes choices of bytes; when they are used up, it always makes the first choice.
#[derive(Debug)]
pub(crate) struct Dice<'b>(Unstructured<'b>);

impl<'b> Dice<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Dice(Unstructured::new(bytes))
    }
    /// A number less than `n`; 0 if `n` is 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        if n < 2 { 0 } else { self.0.int_in_range(0..=n - 1).unwrap_or(0) }
    }
    /// Yes in one of `n` cases; no when there are no bytes left.
    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) + 1 == n
    }
    /// One of them.
    pub(crate) fn pick<'t, T: ?Sized>(&mut self, of: &[&'t T]) -> Option<&'t T> {
        of.get(self.below(of.len())).copied()
    }
    /// A number between two others, small or at an end more often than not.
    pub(crate) fn number(&mut self, min: i64, max: i64) -> i64 {
        let near = i64::try_from(self.below(6)).unwrap_or(0);
        match self.below(8) {
            0..=4 => (min.max(0).min(max)).saturating_add(near).min(max),
            5 => min.saturating_add(near).min(max),
            6 => max.saturating_sub(near).max(min),
            _ => self.0.int_in_range(min..=max).unwrap_or(min),
        }
    }
    /// A number of any size.
    pub(crate) fn seed(&mut self) -> u64 {
        self.0.int_in_range(0..=u64::MAX).unwrap_or(0)
    }
}

/// Bytes that stand for the case `number` of the series `seed`.
pub fn bytes(seed: u64, number: u64, length: usize) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    let mut bytes = vec![0; length];
    rng.fill_bytes(&mut bytes);
    bytes
}
