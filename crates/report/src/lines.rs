// SPDX-License-Identifier: GPL-2.0-only
//! From what happened to lines: what each of them says, and in whose column it stands.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use machine::{Addr, Effect, Op, TaskId, Update, What};

use crate::{
    entry::{Entry, Shown},
    paint::Kind,
    timeline::Detail,
    words::{Words, duration, lock_names, section_names},
};

/// A line of a timeline.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// Where; none for a line across all columns.
    pub(crate) cpu: Option<u32>,
    pub(crate) depth: u32,
    /// When, in virtual nanoseconds; none without a clock, and where the line above says it.
    pub(crate) time: Option<u64>,
    pub(crate) kind: Kind,
    pub(crate) text: String,
    /// What follows on the same line.
    pub(crate) change: Option<(Kind, String)>,
}

/// Functions that are only named.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Folded {
    pub(crate) functions: &'static [&'static str],
    /// Unless this one is called in them.
    pub(crate) unless: &'static str,
}

/// The lines of a timeline, as they grow.
pub(crate) struct Lines<'a> {
    words: Words<'a>,
    names: &'a [String],
    /// Whether what says little is left out, and what says one thing is said in one line.
    folds: bool,
    /// Whether lines say when they happen.
    is_timed: bool,
    /// Functions whose inside is left out.
    folded: Folded,
    pub(crate) lines: Vec<Line>,
    /// Who had each CPU last.
    on_cpu: BTreeMap<u32, TaskId>,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(
        words: Words<'a>,
        names: &'a [String],
        detail: Detail,
        folded: Folded,
        is_timed: bool,
    ) -> Self {
        Lines {
            words,
            names,
            folds: detail == Detail::Telling,
            is_timed,
            folded,
            lines: Vec::new(),
            on_cpu: BTreeMap::new(),
        }
    }

    fn time(&self, entry: &Entry) -> Option<u64> {
        self.is_timed.then_some(entry.time)
    }

    /// There was no room for so many things.
    pub(crate) fn gap(&mut self, left_out: u64) {
        let text = format!("... {left_out} more are left out here ...");
        self.lines.push(Line { cpu: None, depth: 0, time: None, kind: Kind::Frame, text, change: None });
        self.on_cpu.clear();
    }

    pub(crate) fn add_all<'e>(&mut self, entries: impl Iterator<Item = &'e Entry>) {
        let entries: Vec<&Entry> = entries.collect();
        let entries = self.worth_a_line(entries);
        let mut left = VecDeque::from(entries);
        while let Some(entry) = left.pop_front() {
            self.switch(entry);
            let (kind, text) = self.text(entry);
            let is_closed = self.folds && self.is_folded(entry) && !is_followed_inside(entry, &left);
            let change = match self.folds {
                _ if is_closed => Some((Kind::Frame, "...".to_owned())),
                true => self.fold(entry, &mut left),
                false => None,
            };
            self.lines.push(Line {
                cpu: Some(entry.cpu),
                depth: entry.depth,
                time: self.time(entry),
                kind,
                text,
                change,
            });
        }
    }

    /// What can stand behind an entry on its line, taken from what follows it directly: the change that a function is
    /// about, all that it does if that is one thing, the release of a lock under which nothing is shown.
    fn fold(&self, entry: &Entry, left: &mut VecDeque<&Entry>) -> Option<(Kind, String)> {
        let next = left.front().filter(|next| next.task == entry.task)?;
        match (&entry.what, &next.what) {
            (Shown::Event(lock), Shown::Event(unlock))
                if is_released(lock, unlock) && entry.depth == next.depth =>
            {
                left.pop_front();
                Some((Kind::Lock, ".. unlock".to_owned()))
            }
            (Shown::Event(What::Effect(Effect::Enter(_, arg))), what) => {
                let change =
                    self.change_of(what, Addr::from_value(*arg)).map(|change| (Kind::Update, change));
                let folded = change.or_else(|| {
                    let after = left.iter().skip(1).find(|after| after.task == entry.task);
                    let is_only =
                        next.depth == entry.depth + 1 && after.is_none_or(|after| after.depth <= entry.depth);
                    (is_leaf(what) && is_only).then(|| self.text(next))
                })?;
                left.pop_front();
                Some(folded)
            }
            _ => None,
        }
    }

    /// Without what is not worth a line where not everything gets one.
    fn worth_a_line<'e>(&self, entries: Vec<&'e Entry>) -> Vec<&'e Entry> {
        if !self.folds {
            return entries;
        }
        let idle = idle_counts(&entries);
        let mut functions: BTreeMap<(TaskId, u32), &'static str> = BTreeMap::new();
        let mut shown = Vec::new();
        for entry in entries {
            match &entry.what {
                Shown::Event(What::Effect(Effect::Enter(function, _))) => {
                    functions.insert((entry.task, entry.depth), function.name);
                }
                // A tracepoint that only says again which function this is.
                Shown::Event(What::Effect(Effect::Trace(point, ..)))
                    if point.args == ["", ""]
                        && entry.depth > 0
                        && functions.get(&(entry.task, entry.depth - 1)) == Some(&point.name) =>
                {
                    continue;
                }
                _ => {}
            }
            if !self.is_noise(entry, &idle) {
                shown.push(entry);
            }
        }
        let shown = self.without_inside(shown);
        let childless = childless(&shown, self.folded.functions);
        let kept = shown.iter().enumerate().filter(|(index, _)| !childless.contains(index));
        kept.map(|(_, entry)| *entry).collect()
    }

    /// Without what happens in functions that are only named.
    fn without_inside<'e>(&self, entries: Vec<&'e Entry>) -> Vec<&'e Entry> {
        let opened = self.opened(&entries);
        let mut inside: BTreeMap<TaskId, u32> = BTreeMap::new();
        let mut shown = Vec::new();
        for (index, entry) in entries.into_iter().enumerate() {
            let is_call = matches!(entry.what, Shown::Event(_) | Shown::InWords(_));
            if is_call && inside.get(&entry.task).is_some_and(|depth| entry.depth > *depth) {
                continue;
            }
            inside.remove(&entry.task);
            if self.is_folded(entry) && !opened.contains(&index) {
                inside.insert(entry.task, entry.depth);
            }
            shown.push(entry);
        }
        shown
    }

    fn is_folded(&self, entry: &Entry) -> bool {
        let Shown::Event(What::Effect(Effect::Enter(function, _))) = entry.what else { return false };
        self.folded.functions.contains(&function.name)
    }

    /// The places of calls whose inside is shown all the same, because something is called there that matters.
    fn opened(&self, entries: &[&Entry]) -> BTreeSet<usize> {
        let mut opened = BTreeSet::new();
        let mut within: BTreeMap<TaskId, usize> = BTreeMap::new();
        for (index, entry) in entries.iter().enumerate() {
            let Shown::Event(What::Effect(Effect::Enter(function, _))) = entry.what else { continue };
            if within.get(&entry.task).is_some_and(|outer| entries[*outer].depth >= entry.depth) {
                within.remove(&entry.task);
            }
            if self.folded.unless == function.name {
                opened.extend(within.get(&entry.task));
            } else if self.is_folded(entry) {
                within.entry(entry.task).or_insert(index);
            }
        }
        opened
    }

    fn is_noise(&self, entry: &Entry, idle: &BTreeSet<Addr>) -> bool {
        match entry.what {
            // The first task is always there.
            Shown::Event(What::Effect(Effect::Spawn(TaskId(0)))) => true,
            Shown::Event(What::Effect(Effect::Alloc(addr) | Effect::Free(addr))) => {
                !self.words.is_shown(addr)
            }
            Shown::Event(What::Op(Op::Wait(addr), _) | What::Effect(Effect::Complete(addr)))
            | Shown::Waits(Op::Wait(addr), _) => idle.contains(&addr),
            _ => false,
        }
    }

    /// A change of `object` or of a field of it, to stand behind the function that is about it.
    fn change_of(&self, what: &Shown, object: Addr) -> Option<String> {
        let Shown::Event(What::Op(Op::Marked(addr, update, _) | Op::Racy(addr, update), old)) = what else {
            return None;
        };
        if *update == Update::Read {
            return None;
        }
        let field = self.words.field_of(object, *addr)?;
        Some(self.update(&field, *update, *old).trim_start().to_owned())
    }

    /// Says who has the CPU if that is somebody else.
    fn switch(&mut self, entry: &Entry) {
        if self.on_cpu.insert(entry.cpu, entry.task) == Some(entry.task) {
            return;
        }
        let text = format!("-- {} --", self.name(entry.task));
        self.lines.push(Line {
            cpu: Some(entry.cpu),
            depth: 0,
            time: None,
            kind: Kind::Switch,
            text,
            change: None,
        });
    }

    fn name(&self, task: TaskId) -> &str {
        self.names.get(task.index()).map_or("?", String::as_str)
    }

    fn text(&self, entry: &Entry) -> (Kind, String) {
        match &entry.what {
            Shown::Event(What::Op(op, answer)) => self.op(*op, *answer),
            Shown::Event(What::Effect(effect)) => self.effect(*effect),
            Shown::InWords(text) => (Kind::Trace, text.to_string()),
            Shown::Waits(op, holder) => (Kind::Wait, format!("... waits for {}", self.awaited(*op, *holder))),
            Shown::Stuck(op, holder) => {
                (Kind::Wait, format!("... waits for ever for {}", self.awaited(*op, *holder)))
            }
            Shown::Found(text) => (Kind::Finding, format!("!! {text}")),
        }
    }

    fn awaited(&self, op: Op, holder: Option<TaskId>) -> String {
        let what = match op {
            Op::Lock(addr, _) | Op::Wait(addr) => self.words.cell(addr),
            Op::GraceEnd => "a grace period".to_owned(),
            _ => "a CPU".to_owned(),
        };
        match holder {
            Some(holder) => format!("{what}, held by {}", self.name(holder)),
            None => what,
        }
    }

    fn op(&self, op: Op, answer: i64) -> (Kind, String) {
        let cell = |addr| self.words.cell(addr);
        match op {
            Op::Marked(addr, Update::Read, _) | Op::Racy(addr, Update::Read) => {
                (Kind::Update, format!("{} is {}", cell(addr), self.words.value(answer, 0)))
            }
            Op::Marked(addr, update, _) | Op::Racy(addr, update) => {
                (Kind::Update, self.update(&cell(addr), update, answer))
            }
            Op::Lock(addr, how) => {
                let failed = if answer < 0 { " = -EINTR" } else { "" };
                (Kind::Lock, format!("{}({}){failed}", lock_names(how).0, cell(addr)))
            }
            Op::IsLocked(addr) => (Kind::Lock, format!("mutex_is_locked({}) = {answer}", cell(addr))),
            Op::Wait(addr) => (Kind::Lock, format!("wait_for_completion({})", cell(addr))),
            Op::RcuReadLock => (Kind::Lock, "rcu_read_lock()".to_owned()),
            Op::GraceBegin { expedited: false } => (Kind::Lock, "a grace period begins".to_owned()),
            Op::GraceBegin { expedited: true } => (Kind::Lock, "an expedited grace period begins".to_owned()),
            Op::GraceEnd => (Kind::Lock, "the grace period has ended".to_owned()),
            Op::MightSleep(what) => (Kind::Trace, format!("might_sleep() of {what}")),
            Op::Sleep(ns) => (Kind::Wait, format!("after {}", duration(ns))),
            Op::Stall(ns) => (Kind::Wait, format!("the CPU stood still for {}", duration(ns))),
            Op::Tick => (Kind::Wait, "timer interrupt".to_owned()),
            Op::Start | Op::PreemptEnable | Op::Interruptible | Op::Fault(_) => {
                (Kind::Trace, format!("{op:?}"))
            }
        }
    }

    fn effect(&self, effect: Effect) -> (Kind, String) {
        match effect {
            Effect::Enter(function, arg) => {
                (Kind::Function, format!("{}({})", function.name, self.words.argument(arg)))
            }
            Effect::Leave(n) => (Kind::Function, "}".repeat(n as usize)),
            Effect::Disable(section) => (Kind::Lock, format!("{}()", section_names(section).0)),
            Effect::Enable(section) => (Kind::Lock, format!("{}()", section_names(section).1)),
            Effect::UserMode => (Kind::Trace, "returns to user mode".to_owned()),
            Effect::Alloc(addr) => (Kind::Memory, format!("alloc {}", self.words.object(addr))),
            Effect::AllocFailed(kind) => (Kind::Memory, format!("alloc of {kind} fails, as injected")),
            Effect::Free(addr) => (Kind::Memory, format!("free {}", self.words.object(addr))),
            Effect::Read(addr) => (Kind::Update, format!("read {}", self.words.cell(addr))),
            Effect::Write(addr, value) => {
                (Kind::Update, format!("{} = {}", self.words.cell(addr), self.words.value(value, 0)))
            }
            Effect::Unlock(addr, how) => {
                (Kind::Lock, format!("{}({})", lock_names(how).1, self.words.cell(addr)))
            }
            Effect::Complete(addr) => (Kind::Lock, format!("complete({})", self.words.cell(addr))),
            Effect::Release(addr) => (Kind::Update, format!("release {}", self.words.cell(addr))),
            Effect::Acquire(addr) => (Kind::Update, format!("acquire {}", self.words.cell(addr))),
            Effect::RcuReadUnlock => (Kind::Lock, "rcu_read_unlock()".to_owned()),
            Effect::Spawn(task) => (Kind::Switch, format!("new task {}", self.name(task))),
            Effect::Kill(task) => (Kind::Wait, format!("SIGKILL to {}", self.name(task))),
            Effect::MightSleep(what) => (Kind::Trace, format!("might_sleep() of {what}")),
            Effect::Trace(point, first, second) => {
                let values = point.args.iter().zip([first, second]).filter(|(name, _)| !name.is_empty());
                let values: String =
                    values.map(|(name, value)| format!(" {name}={}", self.words.value(value, 0))).collect();
                let colon = if values.is_empty() { "" } else { ":" };
                (Kind::Trace, format!("{}{colon}{values}", point.name))
            }
            Effect::Warn(what) => (Kind::Finding, format!("WARN_ON({what})")),
        }
    }

    /// `count 1 -> 0`
    fn update(&self, cell: &str, update: Update, old: i64) -> String {
        match update.new_value(old) {
            Some(new) if self.words.is_pointer(new) || self.words.is_pointer(old) => {
                format!("{cell} = {}", self.words.value(new, old))
            }
            Some(new) if new != old => format!("{cell} {old} -> {new}"),
            Some(new) if matches!(update, Update::Write(_)) => format!("{cell} = {new}"),
            _ => format!("{cell} stays {}", self.words.value(old, 0)),
        }
    }
}

/// Whether the next thing that a task does, it does in the function that is entered here.
fn is_followed_inside(entry: &Entry, left: &VecDeque<&Entry>) -> bool {
    left.iter().find(|next| next.task == entry.task).is_some_and(|next| next.depth > entry.depth)
}

/// Whether the second releases what the first has taken.
fn is_released(lock: &What, unlock: &What) -> bool {
    match (lock, unlock) {
        (What::Op(Op::Lock(lock, _), 0), What::Effect(Effect::Unlock(unlocked, _))) => lock == unlocked,
        (What::Op(Op::RcuReadLock, _), What::Effect(Effect::RcuReadUnlock)) => true,
        _ => false,
    }
}

/// Whether something can stand behind a function on its line.
fn is_leaf(what: &Shown) -> bool {
    match what {
        Shown::Event(what) => !matches!(what, What::Effect(Effect::Enter(..) | Effect::Spawn(_))),
        Shown::InWords(_) => true,
        Shown::Waits(..) | Shown::Stuck(..) | Shown::Found(_) => false,
    }
}

/// What tasks wait for that have nothing to do: they are in no kernel function.
fn idle_counts(entries: &[&Entry]) -> BTreeSet<Addr> {
    let waits = entries.iter().filter(|entry| entry.depth == 0).filter_map(|entry| match entry.what {
        Shown::Event(What::Op(Op::Wait(addr), _)) | Shown::Waits(Op::Wait(addr), _) => Some(addr),
        _ => None,
    });
    waits.collect()
}

/// The places of functions that say nothing: they are about no object, or only compare, and nothing happens in them
/// that gets a line. Macros that walk a list are such functions.
fn childless(entries: &[&Entry], folded: &[&str]) -> BTreeSet<usize> {
    let mut childless = BTreeSet::new();
    let mut next_depth: BTreeMap<TaskId, u32> = BTreeMap::new();
    for (index, entry) in entries.iter().enumerate().rev() {
        let next = next_depth.get(&entry.task).copied().unwrap_or(0);
        if let Shown::Event(What::Effect(Effect::Enter(function, arg))) = entry.what
            && (arg == 0 && !folded.contains(&function.name) || PREDICATES.contains(&function.name))
            && next <= entry.depth
        {
            childless.insert(index);
            continue;
        }
        next_depth.insert(entry.task, entry.depth);
    }
    childless
}

/// Functions that only compare.
const PREDICATES: &[&str] = &["net_eq", "net_eq_idr"];
