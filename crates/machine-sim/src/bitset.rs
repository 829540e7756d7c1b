// SPDX-License-Identifier: GPL-2.0-only
//! A set of tasks.

/// A set of small numbers, iterated in ascending order.
#[derive(Debug, Default)]
pub(crate) struct BitSet(Vec<u64>);

impl BitSet {
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
    pub(crate) fn set(&mut self, n: usize, on: bool) {
        let word = n / 64;
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        if on {
            self.0[word] |= 1 << (n % 64);
        } else {
            self.0[word] &= !(1 << (n % 64));
        }
    }
    pub(crate) fn contains(&self, n: usize) -> bool {
        self.0.get(n / 64).is_some_and(|word| word >> (n % 64) & 1 == 1)
    }
    pub(crate) fn words(&self) -> usize {
        self.0.len()
    }
    /// The bits of one word; `word` is below [`BitSet::words`].
    pub(crate) fn word(&self, word: usize) -> u64 {
        self.0[word]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members() {
        let mut set = BitSet::default();
        set.set(70, true);
        set.set(3, true);
        assert!(set.contains(70) && set.contains(3) && !set.contains(4) && !set.contains(1000));
        set.set(70, false);
        assert!(!set.contains(70));
        assert_eq!((set.words(), set.word(0)), (2, 8));
    }
}
