// SPDX-License-Identifier: GPL-2.0-only
//! Lock classes, how they were used, and which was taken while which was held.

use machine::{Access, Addr, Layout, Scene, Usage};

/// Classes that there may be; what would be one more is not looked at. `MAX_LOCKDEP_KEYS`
const MAX_CLASSES: usize = u128::BITS as usize;

/// A class, by its place in the table.
pub(super) type ClassId = usize;

/// A set of classes.
type Set = u128;

/// All locks in one field of one type of objects. Static variables are fields of the static data of their file.
#[derive(Debug)]
struct Class {
    layout: &'static Layout,
    cell: usize,
    /// Bits of [`Usage`], and where each came from.
    usage: u8,
    used: [Option<Access>; 4],
    /// What was taken while one of these was held, and the other way round.
    after: Set,
    before: Set,
    /// What was not added to `after`, since it would have closed a circle that was reported.
    refused: Set,
    /// A report says that two of them are held at once.
    is_recursive: bool,
}

/// One class was taken while another was held.
#[derive(Debug)]
struct Edge {
    from: ClassId,
    to: ClassId,
    at: Access,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Graph {
    classes: Vec<Class>,
    edges: Vec<Edge>,
    /// How any of them was used.
    usage: u8,
}

impl Graph {
    pub(super) fn clear(&mut self) {
        self.classes.clear();
        self.edges.clear();
        self.usage = 0;
    }

    /// The class of what lies at `addr`; none if that is no field of any object.
    #[inline]
    pub(super) fn class_at(&mut self, addr: Addr, scene: &Scene<'_>) -> Option<ClassId> {
        let layout = scene.bus.inspect(|memory| memory.object(addr).map(|object| object.layout))?;
        let cell = addr.cell();
        let is_it = |class: &Class| class.cell == cell && std::ptr::eq(class.layout, layout);
        match self.classes.iter().position(is_it) {
            None => self.add_class(layout, cell),
            known => known,
        }
    }
    #[cold]
    fn add_class(&mut self, layout: &'static Layout, cell: usize) -> Option<ClassId> {
        if layout.field(cell).is_none() || self.classes.len() >= MAX_CLASSES {
            return None;
        }
        self.classes.push(Class {
            layout,
            cell,
            usage: 0,
            used: [None; 4],
            after: 0,
            before: 0,
            refused: 0,
            is_recursive: false,
        });
        Some(self.classes.len() - 1)
    }

    /// As lockdep calls it: `net_mutex`, `rcu_state.barrier_mutex`, `&net->nsid_lock`.
    pub(super) fn name(&self, id: ClassId) -> String {
        let Class { layout, cell, .. } = self.classes[id];
        let field = layout.field(cell).map_or("", |field| field.name);
        let field = field.strip_prefix("r#").unwrap_or(field);
        match (layout.name, layout.cache) {
            ("static data", _) => field.to_owned(),
            (_, "static") => format!("{}.{field}", layout.short),
            // A workqueue is no lock; lockdep treats it as one.
            ("struct workqueue_struct", _) => "(wq_completion)".to_owned(),
            _ => format!("&{}->{field}", layout.short),
        }
    }
    /// `{+.-.}` without the braces: hardirq, hardirq-read, softirq, softirq-read. `get_usage_chars()`
    pub(super) fn usage(&self, id: ClassId) -> String {
        let has = |usage| self.has(id, usage);
        let letter = |inside, on| match (has(inside), has(on)) {
            (false, false) => '.',
            (true, false) => '-',
            (false, true) => '+',
            (true, true) => '?',
        };
        let hardirq = letter(Usage::InHardirq, Usage::HardirqOn);
        let softirq = letter(Usage::InSoftirq, Usage::SoftirqOn);
        format!("{hardirq}.{softirq}.")
    }

    /// Whether it was ever used so.
    #[inline]
    pub(super) fn has(&self, id: ClassId, usage: Usage) -> bool {
        self.classes[id].usage & bit_of(usage) != 0
    }
    pub(super) fn set(&mut self, id: ClassId, usage: Usage, at: Access) {
        let class = &mut self.classes[id];
        class.usage |= bit_of(usage);
        class.used[usage as usize] = Some(at);
        self.usage |= bit_of(usage);
    }
    /// Where it was first used so.
    pub(super) fn used(&self, id: ClassId, usage: Usage) -> Option<Access> {
        self.classes[id].used[usage as usize]
    }

    /// Whether it is known, or was reported, that `to` is taken while `from` is held.
    #[inline]
    pub(super) fn is_known(&self, from: ClassId, to: ClassId) -> bool {
        (self.classes[from].after | self.classes[from].refused) >> to & 1 == 1
    }
    pub(super) fn add_edge(&mut self, from: ClassId, to: ClassId, at: Access) {
        self.classes[from].after |= 1 << to;
        self.classes[to].before |= 1 << from;
        self.edges.push(Edge { from, to, at });
    }
    pub(super) fn refuse_edge(&mut self, from: ClassId, to: ClassId) {
        self.classes[from].refused |= 1 << to;
    }
    /// Whether two of this class were not reported to be held at once; from now on they were.
    pub(super) fn note_recursion(&mut self, id: ClassId) -> bool {
        !std::mem::replace(&mut self.classes[id].is_recursive, true)
    }
    /// Where `to` was first taken while `from` was held.
    pub(super) fn edge(&self, from: ClassId, to: ClassId) -> Option<Access> {
        self.edges.iter().find(|edge| edge.from == from && edge.to == to).map(|edge| edge.at)
    }

    /// Whether `to` was taken while `from` was held, directly or by way of others.
    pub(super) fn leads_to(&self, from: ClassId, to: ClassId) -> bool {
        let (mut seen, mut todo): (Set, Set) = (1 << from, 1 << from);
        while let Some(class) = members(todo).next() {
            todo = (todo & !(1 << class)) | (self.classes[class].after & !seen);
            seen |= todo;
        }
        seen >> to & 1 == 1
    }
    /// A shortest way along edges, both ends included.
    pub(super) fn path(&self, from: ClassId, to: ClassId) -> Option<Vec<ClassId>> {
        let mut came_from = vec![None; self.classes.len()];
        let (mut seen, mut todo, mut next): (Set, Vec<ClassId>, usize) = (1 << from, vec![from], 0);
        while let Some(&class) = todo.get(next) {
            if class == to {
                let mut path = vec![to];
                while let Some(before) = came_from[path[path.len() - 1]] {
                    path.push(before);
                }
                path.reverse();
                return Some(path);
            }
            next += 1;
            for other in members(self.classes[class].after & !seen) {
                came_from[other] = Some(class);
                todo.push(other);
            }
            seen |= self.classes[class].after;
        }
        None
    }
    /// The first class that was used so, among `from` and what was taken while it was held, directly or not.
    pub(super) fn forwards(&self, from: ClassId, usage: Usage) -> Option<ClassId> {
        self.find(from, usage, |class| class.after)
    }
    /// The same among `from` and what was held while it was taken.
    pub(super) fn backwards(&self, from: ClassId, usage: Usage) -> Option<ClassId> {
        self.find(from, usage, |class| class.before)
    }
    fn find(&self, from: ClassId, usage: Usage, next: impl Fn(&Class) -> Set) -> Option<ClassId> {
        if self.usage & bit_of(usage) == 0 {
            return None; // as most often: few locks are used in interrupts
        }
        let (mut seen, mut todo): (Set, Set) = (1 << from, 1 << from);
        while let Some(class) = members(todo).next() {
            if self.has(class, usage) {
                return Some(class);
            }
            todo = (todo & !(1 << class)) | (next(&self.classes[class]) & !seen);
            seen |= todo;
        }
        None
    }
}

fn bit_of(usage: Usage) -> u8 {
    1 << usage as u8
}

/// The classes of a set, ascending.
fn members(mut set: Set) -> impl Iterator<Item = ClassId> {
    std::iter::from_fn(move || {
        let first = (set != 0).then(|| set.trailing_zeros() as ClassId)?;
        set &= set - 1;
        Some(first)
    })
}
