// SPDX-License-Identifier: GPL-2.0-only
//! Sets of tasks, and those that a driver may choose from.

use crate::TaskId;

/// Words of one block, whose members are counted together.
const BLOCK: usize = 8;

/// A set of tasks (or CPUs, by number) in which the n-th member is found in time that hardly grows with the numbers.
#[derive(Clone, Debug, Default)]
pub struct TaskSet {
    words: Vec<u64>,
    /// How many members each block of words has.
    counts: Vec<u32>,
    len: usize,
}

static EMPTY: TaskSet = TaskSet { words: Vec::new(), counts: Vec::new(), len: 0 };

impl TaskSet {
    /// Removes all.
    pub fn clear(&mut self) {
        self.words.clear();
        self.counts.clear();
        self.len = 0;
    }
    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
    /// Makes `n` a member, or none.
    #[inline]
    pub fn set(&mut self, n: usize, member: bool) {
        let (word, bit) = (n / 64, 1_u64 << (n % 64));
        let Some(bits) = self.words.get_mut(word) else {
            if member {
                self.grow(word, bit);
            }
            return;
        };
        if (*bits & bit != 0) == member {
            return;
        }
        *bits ^= bit;
        let count = &mut self.counts[word / BLOCK];
        if member {
            *count += 1;
            self.len += 1;
        } else {
            *count -= 1;
            self.len -= 1;
        }
    }
    /// A first member in words that there were none of.
    #[cold]
    fn grow(&mut self, word: usize, bit: u64) {
        self.words.resize(word + 1, 0);
        self.counts.resize(word / BLOCK + 1, 0);
        self.words[word] = bit;
        self.counts[word / BLOCK] += 1;
        self.len += 1;
    }
    /// Whether `n` is a member.
    #[inline]
    pub fn contains(&self, n: usize) -> bool {
        self.word(n / 64) >> (n % 64) & 1 == 1
    }
    /// The lowest member.
    pub fn first(&self) -> Option<usize> {
        Union(self, &EMPTY).nth(0, None)
    }
    /// The members, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        Union(self, &EMPTY).iter()
    }

    #[inline]
    fn word(&self, word: usize) -> u64 {
        self.words.get(word).copied().unwrap_or(0)
    }
    fn count(&self, block: usize) -> usize {
        self.counts.get(block).map_or(0, |count| *count as usize)
    }
}

/// Two sets without a common member, as one.
#[derive(Clone, Copy, Debug)]
struct Union<'a>(&'a TaskSet, &'a TaskSet);

impl<'a> Union<'a> {
    fn len(self) -> usize {
        self.0.len + self.1.len
    }
    #[inline]
    fn word(self, word: usize) -> u64 {
        self.0.word(word) | self.1.word(word)
    }
    #[inline]
    fn words(self) -> usize {
        self.0.words.len().max(self.1.words.len())
    }
    fn count(self, block: usize) -> usize {
        self.0.count(block) + self.1.count(block)
    }
    /// The n-th member, from 0, when `skip`, which is one, counts as none.
    #[inline]
    fn nth(self, mut n: usize, skip: Option<usize>) -> Option<usize> {
        if n + usize::from(skip.is_some()) >= self.len() {
            return None;
        }
        let bits_of = |word| {
            let skipped = skip.filter(|skip| skip / 64 == word).map_or(0, |skip| 1_u64 << (skip % 64));
            self.word(word) & !skipped
        };
        let (mut word, mut bits) = (0, bits_of(0));
        if self.words() > 1 && n >= bits.count_ones() as usize {
            (word, n) = self.word_of_nth(n, skip);
            bits = bits_of(word);
        }
        for _ in 0..n {
            bits &= bits - 1;
        }
        Some(word * 64 + bits.trailing_zeros() as usize)
    }
    /// The word that the n-th member is in, and which of its members it is.
    fn word_of_nth(self, mut n: usize, skip: Option<usize>) -> (usize, usize) {
        let skipped = skip.map_or(usize::MAX, |skip| skip / 64);
        let mut word = 0;
        let members = |block| self.count(block) - usize::from(block == skipped / BLOCK);
        while n >= members(word / BLOCK) {
            n -= members(word / BLOCK);
            word += BLOCK;
        }
        let members = |word| self.word(word).count_ones() as usize - usize::from(word == skipped);
        while n >= members(word) {
            n -= members(word);
            word += 1;
        }
        (word, n)
    }
    /// How many members are lower.
    fn rank(self, n: usize) -> usize {
        let (word, block) = (n / 64, n / 64 / BLOCK);
        let blocks: usize = (0..block).map(|block| self.count(block)).sum();
        let words: u32 = (block * BLOCK..word).map(|word| self.word(word).count_ones()).sum();
        let below = self.word(word) & ((1 << (n % 64)) - 1);
        blocks + words as usize + below.count_ones() as usize
    }
    fn iter(self) -> impl Iterator<Item = usize> + use<'a> {
        let (mut word, mut bits) = (0, self.word(0));
        std::iter::from_fn(move || {
            while bits == 0 {
                word += 1;
                if word >= self.words() {
                    return None;
                }
                bits = self.word(word);
            }
            let n = word * 64 + bits.trailing_zeros() as usize;
            bits &= bits - 1;
            Some(n)
        })
    }
}

/// The contexts whose announced operation can be performed now: the one that ran last first if it is among them, the
/// others in order of creation.
#[derive(Clone, Copy, Debug)]
pub struct Ready<'a> {
    first: Option<TaskId>,
    tasks: Union<'a>,
}

impl<'a> Ready<'a> {
    /// The members of two sets that have none in common; `last` ran last.
    #[inline]
    pub fn new(last: Option<TaskId>, on_cpu: &'a TaskSet, waiting: &'a TaskSet) -> Self {
        let tasks = Union(on_cpu, waiting);
        let first = last.filter(|last| on_cpu.contains(last.index()) || waiting.contains(last.index()));
        Ready { first, tasks }
    }
    /// Nobody.
    pub const NOBODY: Ready<'static> = Ready { first: None, tasks: Union(&EMPTY, &EMPTY) };

    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.tasks.len()
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The one that ran last, if it can go on.
    pub fn can_go_on(&self) -> Option<TaskId> {
        self.first
    }
    /// The n-th, from 0.
    #[inline]
    pub fn get(&self, n: usize) -> Option<TaskId> {
        match (self.first, n) {
            (Some(first), 0) => Some(first),
            (Some(first), _) => self.tasks.nth(n - 1, Some(first.index())).map(|n| TaskId(n as u32)),
            (None, _) => self.tasks.nth(n, None).map(|n| TaskId(n as u32)),
        }
    }
    /// Whether `task` is among them.
    pub fn contains(&self, task: TaskId) -> bool {
        self.tasks.0.contains(task.index()) || self.tasks.1.contains(task.index())
    }
    /// Its place among them.
    pub fn position(&self, task: TaskId) -> Option<usize> {
        if !self.contains(task) {
            return None;
        }
        let rank = self.tasks.rank(task.index());
        Some(match self.first {
            Some(first) if first == task => 0,
            Some(first) if task < first => rank + 1,
            _ => rank,
        })
    }
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = TaskId> + use<'a> {
        let first = self.first;
        let others = self.tasks.iter().map(|n| TaskId(n as u32)).filter(move |task| Some(*task) != first);
        first.into_iter().chain(others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members() {
        let mut set = TaskSet::default();
        for n in [70, 3, 9_999, 70] {
            set.set(n, true);
        }
        assert_eq!(set.iter().collect::<Vec<_>>(), [3, 70, 9_999]);
        assert!(set.contains(70) && !set.contains(4) && !set.contains(1_000_000));
        set.set(3, false);
        set.set(4, false);
        assert_eq!((set.len(), set.first()), (2, Some(70)));
    }

    #[test]
    fn order_and_place_agree() {
        let (mut a, mut b) = (TaskSet::default(), TaskSet::default());
        let mut n = 1;
        while n < 20_000 {
            (if n % 3 == 0 { &mut b } else { &mut a }).set(n, true);
            n += 1 + n / 7;
        }
        for last in [None, Some(TaskId(1)), Some(TaskId(5)), b.iter().last().map(|n| TaskId(n as u32))] {
            let ready = Ready::new(last, &a, &b);
            let tasks: Vec<TaskId> = ready.iter().collect();
            assert_eq!(tasks.len(), a.len() + b.len());
            for (n, task) in tasks.iter().enumerate() {
                assert_eq!((ready.get(n), ready.position(*task)), (Some(*task), Some(n)), "{last:?}");
            }
            let sorted = |tasks: &[TaskId]| tasks.is_sorted();
            let member = last.filter(|last| ready.contains(*last));
            assert_eq!(ready.can_go_on(), member);
            assert!(sorted(&tasks[usize::from(member.is_some())..]));
            assert_eq!(ready.get(tasks.len()), None);
        }
    }
}
