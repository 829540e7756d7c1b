// SPDX-License-Identifier: GPL-2.0-only
//! A scenario that was read and found good.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use machine::{Clock, ContextKind, Slab};
use netns::{Change, Subsystem};

use crate::{
    body::{Body, CallbackBody, SelfBody},
    check::{Path, StepPlace, path_of},
    format::{Preempt, Rcu, Shown, SweepFrom},
    observation::ExpectedFinding,
    schedule,
    source::Source,
    tally::ExpectedCount,
    values::Expected,
    words::AllocKind,
};

/// The machine, and how its kernel is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MachineConfig {
    /// How many CPUs there are, from 1.
    pub cpus: u32,
    /// The preemption model.
    pub preempt: Preempt,
    /// When a grace period ends.
    pub rcu: Rcu,
    /// Whether operations take time.
    pub clock: Clock,
    /// CONFIG_HZ
    pub hz: u32,
    /// Nanoseconds of virtual time in one execution.
    pub max_time: u64,
    /// CONFIG_NET_NS
    pub net_ns: bool,
    /// How much memory an allocation takes.
    pub slab: Slab,
    /// `user.max_net_namespaces` of the first user namespace.
    pub max_net_namespaces: i64,
    /// Operations in one execution.
    pub max_steps: u64,
    /// Mebibytes of simulated memory.
    pub max_memory_mib: u32,
    /// Whether the first finding ends the execution.
    pub stop_at_first: bool,
    /// KASAN
    pub kasan: bool,
    /// KCSAN
    pub kcsan: bool,
    /// Lockdep
    pub lockdep: bool,
    /// RCU usage
    pub prove_rcu: bool,
    /// DEBUG_LIST
    pub debug_list: bool,
    /// CONFIG_DEBUG_KMEMLEAK
    pub kmemleak: bool,
    /// What is true of the subsystem whenever nothing runs
    pub invariants: bool,
    /// Counts of references
    pub refcount: bool,
    /// With a clock, as all of these: seconds until a task counts as hung; 0 for never.
    pub hung_task_timeout_secs: u64,
    /// Seconds until a hard lockup; twice as many until a soft one.
    pub watchdog_thresh: u64,
    /// Seconds until a grace period is reported as stalled.
    pub rcu_cpu_stall_timeout: u64,
    /// Seconds until a pool of workers counts as locked up.
    pub workqueue_watchdog_thresh: u64,
}

impl MachineConfig {
    /// `rcu_jiffies_till_stall_check()`: with CONFIG_PROVE_RCU it is 5 seconds later. 0 for never.
    pub fn rcu_stall_timeout(&self) -> u64 {
        match self.rcu_cpu_stall_timeout {
            0 => 0,
            seconds => seconds + if self.prove_rcu { 5 } else { 0 },
        }
    }
    /// Cells of 8 bytes of simulated memory.
    pub fn max_cells(&self) -> usize {
        cells_of(self.max_memory_mib)
    }
}

/// How many cells of 8 bytes this many MiB of simulated memory have.
pub fn cells_of(mib: u32) -> usize {
    (mib as usize).saturating_mul((1 << 20) / 8)
}

/// A real bug that a scenario shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bug {
    /// Its number in the CVE list.
    pub cve: Option<String>,
    /// The commit of the upstream fix, or its title; none if none is known.
    pub fix: Option<String>,
    /// The year of the fix.
    pub year: Option<u32>,
}

/// Who decides in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Driver {
    /// Nobody is preempted.
    First,
    /// A seed.
    Seed(u64),
    /// A schedule, by names of tasks and kernel functions. It begins when the tasks do; see
    /// [`AfterSetup`](crate::AfterSetup). If it speaks of `main`, it begins at once.
    Schedule(String),
}

impl Driver {
    /// Whether it is a schedule that begins when the tasks do.
    pub fn is_after_setup(&self) -> bool {
        match self {
            Driver::Schedule(text) => {
                !schedule::items(text).any(|text| schedule::item(text).is_ok_and(|item| item.task == "main"))
            }
            _ => false,
        }
    }
}

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every task has returned, or idles, or is dead.
    Done,
    /// Some tasks wait for ever.
    Deadlock,
    /// The kernel has panicked.
    Panic,
    /// The first finding ended it.
    Stopped,
}

impl Outcome {
    /// What scenarios call it: `done`, `deadlock`, `panic`, `stopped`.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Deadlock => "deadlock",
            Outcome::Panic => "panic",
            Outcome::Stopped => "stopped",
        }
    }
}

/// One execution, or one for each of some seeds, and what must be true of it.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its name.
    pub name: String,
    /// Who decides; the first seed if there are several.
    pub driver: Driver,
    /// How many executions it has, with the seeds from 0; none if it has one, as `driver` decides.
    pub seeds: Option<u64>,
    /// The tasks that there are, by their places; none for all.
    pub(crate) tasks: Option<BTreeSet<usize>>,
    /// Which allocations fail in turn.
    pub sweep: Option<Sweep>,
    /// What is changed of v4.11.
    pub changes: Vec<Change>,
    /// The kinds of findings expected; no others are.
    pub findings: Vec<ExpectedFinding>,
    /// How it is expected to end; none if only findings tell, which some executions have and others have not.
    pub outcome: Option<Outcome>,
    /// Kernel functions that must be entered.
    pub functions: Vec<String>,
    /// Events that must happen, in this order.
    pub events: Vec<String>,
    pub(crate) counts: Vec<ExpectedCount>,
    pub(crate) end: ExpectedEnd,
}

impl Run {
    /// Whether it lacks a fix that v4.11 has, or is damaged on purpose.
    pub fn is_damaged(&self) -> bool {
        self.changes.iter().any(|change| !matches!(change, Change::Patch(_)))
    }
}

/// The slots and the names of peers, by id.
pub(crate) type Ids = BTreeMap<i32, (u32, String)>;

/// What must be true at the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExpectedEnd {
    pub(crate) namespaces: Option<usize>,
    /// The namespace, and its table of ids and the names of peers.
    pub(crate) nsids: Vec<(u32, String, Ids)>,
    pub(crate) callbacks: Option<usize>,
    pub(crate) cleanup_pending: Option<bool>,
    /// The index of a user namespace (none: the first), its name, a user, and a number.
    pub(crate) ucounts: Vec<(Option<usize>, String, u32, i64)>,
    pub(crate) user_namespaces: Option<usize>,
    pub(crate) pernet: Option<Vec<String>>,
    pub(crate) results: Vec<(String, u32, Expected)>,
}

/// A user namespace to create.
#[derive(Clone, Debug)]
pub(crate) struct UserNs {
    pub(crate) name: String,
    /// The index of its parent; none for the first.
    pub(crate) parent: Option<usize>,
    pub(crate) uid: u32,
    pub(crate) max: i64,
}

/// What a subsystem of the library uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Used {
    Operations(usize),
    Module(usize),
}

/// Pernet operations.
#[derive(Clone, Debug)]
pub(crate) struct Pernet {
    pub(crate) name: String,
    /// The subsystem of the library that they are; none if they are scripted.
    pub(crate) library: Option<&'static Subsystem>,
    pub(crate) uses: Option<Used>,
    pub(crate) time: u64,
    /// The module that they are part of; none if they are built in.
    pub(crate) module: Option<usize>,
    pub(crate) id: bool,
    pub(crate) size: usize,
    pub(crate) init: Option<SelfBody>,
    /// What the n-th call of init returns, counted from 1.
    pub(crate) init_returns: BTreeMap<u64, i32>,
    pub(crate) exit: Option<SelfBody>,
    pub(crate) exit_batch: Option<CallbackBody>,
}

/// A module.
#[derive(Clone, Debug)]
pub(crate) struct Module {
    pub(crate) name: String,
    /// The operations that it registers, in order, and whether as a device.
    pub(crate) ops: Vec<(usize, bool)>,
    pub(crate) init: CallbackBody,
    pub(crate) exit: CallbackBody,
    pub(crate) unregister: bool,
    pub(crate) barrier: bool,
}

/// A task.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) name: String,
    pub(crate) context: ContextKind,
    pub(crate) cpu: Option<u32>,
    pub(crate) uid: u32,
    /// The index of its user namespace; none for the first.
    pub(crate) user_ns: Option<usize>,
    pub(crate) cap_sys_admin: bool,
    /// Virtual nanoseconds.
    pub(crate) after: Option<u64>,
    pub(crate) steps: Body,
}

/// What is armed at the start.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// An allocation fails.
    Alloc { kind: AllocKind, function: Option<Box<str>>, nth: u64, times: Option<u64> },
    /// A task is killed when it enters a function.
    Kill { task: usize, function: String, nth: u64 },
}

/// Allocations that fail one after the other, each in an execution of its own.
#[derive(Clone, Debug)]
pub struct Sweep {
    pub(crate) kind: AllocKind,
    pub(crate) function: Option<Box<str>>,
    pub(crate) from: SweepFrom,
}

impl Sweep {
    /// All allocations that tasks make.
    pub fn of_tasks() -> Self {
        Sweep { kind: AllocKind("any".into()), function: None, from: SweepFrom::Tasks }
    }
}

/// What an execution does beside what its run says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Variant {
    /// Nothing.
    #[default]
    Whole,
    /// What a sweep begins with does not happen: how it was before.
    Before,
    /// This allocation of the sweep fails, counted from 1.
    Fails(u64),
}

/// A scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// One line on it.
    pub title: String,
    /// Its story.
    pub note: String,
    /// The real bug that it shows, if it shows one.
    pub bug: Option<Bug>,
    /// The machine it runs on.
    pub machine: MachineConfig,
    /// Which part of a run is the story.
    pub timeline: Shown,
    /// What is run, and what is expected; at least one.
    pub runs: Vec<Run>,
    pub(crate) boot: bool,
    /// Whether failures ask for the functions that tasks are in.
    pub(crate) watches_calls: bool,
    pub(crate) user_namespaces: Vec<UserNs>,
    pub(crate) pernet: Vec<Pernet>,
    pub(crate) modules: Vec<Module>,
    pub(crate) setup: Body,
    pub(crate) tasks: Vec<Task>,
    pub(crate) faults: Vec<Fault>,
    /// Names of bindings, processes and completions, by slot.
    pub(crate) bindings: Vec<String>,
    pub(crate) processes: Vec<String>,
    pub(crate) completions: Vec<String>,
    pub(crate) barriers: Vec<String>,
    pub(crate) places: Vec<StepPlace>,
    pub(crate) source: Arc<Source>,
}

impl Scenario {
    /// Whether a task of it runs in this context.
    pub fn has(&self, context: ContextKind) -> bool {
        self.tasks.iter().any(|task| task.context == context)
    }
    /// The text that it was read from.
    pub fn source(&self) -> &Source {
        &self.source
    }
    /// The names of its tasks, in order.
    pub fn task_names(&self) -> impl Iterator<Item = &str> {
        self.tasks.iter().map(|task| task.name.as_str())
    }
    /// What is wrong with a schedule for this scenario: the first thing, in words.
    pub fn wrong_in_schedule(&self, text: &str) -> Option<String> {
        if schedule::items(text).count() > schedule::MAX_ITEMS {
            return Some(format!("a schedule has at most {} items", schedule::MAX_ITEMS));
        }
        let tasks: Vec<&str> = self.task_names().collect();
        let mut complaints =
            schedule::items(text).filter_map(|item| schedule::complaint(item, &tasks, &self.machine));
        complaints.next().map(|(message, help)| match help {
            Some(help) => format!("{message}; {help}"),
            None => message,
        })
    }
    /// The run of this name.
    pub fn run(&self, name: &str) -> Option<&Run> {
        self.runs.iter().find(|run| run.name == name)
    }
    /// How many steps it has, loops counted once.
    pub fn steps(&self) -> usize {
        self.places.len()
    }
    /// Where a step is: its path and its line.
    pub fn place(&self, step: u32) -> (String, usize) {
        let path = path_of(&self.places, step);
        let line = self
            .source
            .locate(&path)
            .map_or(1, |place| self.source.line_and_column(place.key.unwrap_or(place.value).start).0);
        (Path(&path).to_string(), line)
    }
}
