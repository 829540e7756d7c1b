// SPDX-License-Identifier: GPL-2.0-only
//! The format, version 1: what a scenario is in JSON.

use machine::ContextKind;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::{
    body::{Body, CallbackBody, SelfBody},
    members::{List, Members, ObjectsOnly},
    observation::FindingsText,
    schema,
    time::Time,
    values::{Count, Expect, GivesAnything, Lines, Note, Number, Seed, TaskRef, Times, UInt},
    words::{AllocKind, InFunction},
};

macro_rules! object {
    ($(#[$doc:meta])* $key:literal => $name:ident {
        $($(#[$attribute:meta])* $field:ident: $ty:ty,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, JsonSchema)]
        #[serde(remote = "Self", deny_unknown_fields, expecting = "an object")]
        #[schemars(rename = $key)]
        pub(crate) struct $name {
            $($(#[$attribute])* pub(crate) $field: $ty,)*
            #[serde(default, rename = "$schema")]
            _schema: Note,
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                $name::deserialize(ObjectsOnly(from)) // the one that serde derives
            }
        }
    };
}

object! {
    /// A scenario: a machine, a kernel's configuration, steps, runs, and what each run expects.
    "scenario" => Text {
        /// The version of the format: 1.
        #[schemars(extend("const" = 1))]
        version: Number<0, { i64::MAX }>,
        /// The story, in prose.
        note: String,
        /// One line, for lists.
        title: String,
        /// If it shows a real bug: which one.
        bug: Option<BugText>,
        /// The machine.
        machine: Option<MachineText>,
        /// Which part of a run is the story; `all` if absent.
        #[serde(default)]
        timeline: Shown,
        /// User namespaces, by name.
        #[serde(default)]
        user_namespaces: Members<UserNsText>,
        /// Scripted pernet operations, by name. They exist from the start, and do nothing until they are registered.
        #[serde(default)]
        pernet: Members<PernetText>,
        /// Modules, by name. They are not loaded before a step loads them.
        #[serde(default)]
        modules: Members<ModuleText>,
        /// Whether the kernel has booted when `setup` begins; true if absent.
        #[serde(default = "yes")]
        boot: bool,
        /// Failures that are armed at the start, before boot.
        #[serde(default)]
        faults: List<FaultText, 4096>,
        /// What the first task, pid 1, does before others exist.
        #[serde(default)]
        setup: Body,
        /// The tasks: all begin at once, after `setup`.
        #[serde(default)]
        tasks: List<TaskText, 4096>,
        /// Fixes of later kernels, for all runs that do not say otherwise.
        #[serde(default)]
        #[schemars(schema_with = "schema::patches")]
        patches: Vec<String>,
        /// Fixes that v4.11 has, and that are taken back, for all runs that do not say otherwise.
        #[serde(default)]
        #[schemars(schema_with = "schema::reverts")]
        reverts: Vec<String>,
        /// Deliberate damage, for all runs that do not say otherwise.
        #[serde(default)]
        #[schemars(schema_with = "schema::mutations")]
        mutations: Vec<String>,
        /// What is run. If absent, one run in which nobody is preempted and nothing is found.
        runs: Option<List<RunText, 4096>>,
    }
}

pub(crate) fn yes() -> bool {
    true
}

object! {
    /// A real bug, and its fix.
    "bug" => BugText {
        /// Its number in the CVE list: `CVE-2017-15129`.
        cve: Option<String>,
        /// The commit of the upstream fix, or its title. Absent if none is known.
        fix: Option<String>,
        /// The year of the fix.
        year: Option<Number<2002, 2100>>,
    }
}

/// Which part of a run is the story.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "timeline")]
pub enum Shown {
    /// All of it.
    #[default]
    All,
    /// What happens from where the tasks begin.
    Tasks,
    /// Only how it ends.
    Nothing,
}

object! {
    /// The machine, and the kernel's configuration.
    "machine" => MachineText {
        /// How many CPUs there are; 4 if absent.
        #[schemars(extend("default" = 4))]
        cpus: Option<Number<1, 1024>>,
        /// The preemption model; `full` if absent.
        #[serde(default)]
        preempt: Preempt,
        /// When a grace period ends; `abstract` if absent.
        #[serde(default)]
        rcu: Rcu,
        /// Whether operations take virtual time; `untimed` if absent: whoever can go on may be next.
        #[serde(default)]
        clock: ClockText,
        /// With a clock: what takes how long.
        costs: Option<CostsText>,
        /// With a clock, or RCU per CPU: timer interrupts a second; 250 if absent. CONFIG_HZ
        hz: Option<Number<24, 1000>>,
        /// With a clock: virtual time in one run; an hour if absent.
        max_time: Option<Time>,
        /// CONFIG_NET_NS; true if absent.
        #[serde(default = "yes")]
        net_ns: bool,
        /// How much memory an allocation takes; `size_classes` if absent.
        #[serde(default)]
        slab: SlabText,
        /// `user.max_net_namespaces` of the first user namespace; 1000 if absent.
        #[schemars(extend("default" = 1000))]
        max_net_namespaces: Option<Number<0, { i64::MAX }>>,
        /// Operations in one run; 1,000,000 if absent.
        #[schemars(extend("default" = 1_000_000))]
        max_steps: Option<Number<1, 1_000_000_000>>,
        /// MiB of simulated memory; 256 if absent.
        #[schemars(extend("default" = 256))]
        max_memory_mib: Option<Number<1, 1024>>,
        /// Whether the first finding ends the run; false if absent, as a kernel goes on after a report.
        #[serde(default)]
        stop_at_first: bool,
        /// Whether uses of freed memory and the like are found; true if absent.
        #[serde(default = "yes")]
        kasan: bool,
        /// Whether data races are found; true if absent.
        #[serde(default = "yes")]
        kcsan: bool,
        /// Whether lock orders and contexts that can deadlock are found; true if absent. CONFIG_PROVE_LOCKING
        #[serde(default = "yes")]
        lockdep: bool,
        /// Whether misuse of RCU is found; true if absent. CONFIG_PROVE_RCU
        #[serde(default = "yes")]
        prove_rcu: bool,
        /// Whether corrupted lists are found where they are changed; true if absent. CONFIG_DEBUG_LIST
        #[serde(default = "yes")]
        debug_list: bool,
        /// Whether memory is found that nothing refers to at the end; true if absent. CONFIG_DEBUG_KMEMLEAK
        #[serde(default = "yes")]
        kmemleak: bool,
        /// Whether it is looked at the end whether what is true of the subsystem holds; true if absent.
        #[serde(default = "yes")]
        invariants: bool,
        /// Whether counts of references are watched, as by later kernels' refcount_t; true if absent.
        #[serde(default = "yes")]
        refcount: bool,
        /// With a clock: seconds that a task sleeps in TASK_UNINTERRUPTIBLE from one look to the next before it counts
        /// as hung; 120 if absent, 0 for never.
        #[schemars(extend("default" = 120))]
        hung_task_timeout_secs: Option<Number<0, 3600>>,
        /// With a clock: seconds that a CPU takes no interrupts before it counts as locked up, and half of those that
        /// it does not schedule; 10 if absent, 0 for never.
        #[schemars(extend("default" = 10))]
        watchdog_thresh: Option<Number<0, 60>>,
        /// With a clock: seconds before a grace period counts as stalled, 5 more with `prove_rcu`; 21 if absent, 0 for
        /// never.
        #[schemars(extend("default" = 21))]
        rcu_cpu_stall_timeout: Option<Number<0, 300>>,
        /// With a clock: seconds before a pool whose workers begin with nothing counts as locked up; 30 if absent, 0
        /// for never.
        #[schemars(extend("default" = 30))]
        workqueue_watchdog_thresh: Option<Number<0, 3600>>,
        #[serde(default, rename = "note")]
        _note: Note,
    }
}

/// When the scheduler may take a CPU from a task that could go on; kernel/Kconfig.preempt
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "preempt")]
pub enum Preempt {
    /// `CONFIG_PREEMPT_NONE`
    None,
    /// `CONFIG_PREEMPT_VOLUNTARY`
    Voluntary,
    /// `CONFIG_PREEMPT`
    #[default]
    Full,
}

/// When a grace period of RCU ends; kernel/rcu/tree.c
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "rcu")]
pub enum Rcu {
    /// When the readers have left that were inside when it began.
    #[default]
    Abstract,
    /// When besides every CPU has switched tasks or been idle since; one grace period at a time, by a kthread.
    PerCpu,
}

/// Whether operations take virtual time.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "clock")]
pub(crate) enum ClockText {
    /// No: whoever can go on may be next.
    #[default]
    Untimed,
    /// Yes: who is due first is next.
    Timed,
}

object! {
    /// What takes how long.
    "costs" => CostsText {
        /// A plain read or write, `READ_ONCE()`, a relaxed atomic read; 2 ns if absent.
        access: Option<Time>,
        /// An atomic read-modify-write operation; 20 ns if absent.
        atomic: Option<Time>,
        /// Taking a lock that is free; 25 ns if absent.
        lock: Option<Time>,
        /// Releasing one; 10 ns if absent.
        unlock: Option<Time>,
        /// Calling a function; 5 ns if absent.
        call: Option<Time>,
        /// An allocation from a warm cache; 100 ns if absent.
        alloc: Option<Time>,
        /// `kfree()`; 60 ns if absent.
        free: Option<Time>,
        /// Waking a task, for the one who wakes it; 1 us if absent.
        wakeup: Option<Time>,
        /// From the choice of another task to its first instruction; 2 us if absent.
        context_switch: Option<Time>,
        /// Handling the timer interrupt; 2 us if absent.
        tick: Option<Time>,
        #[serde(default, rename = "note")]
        _note: Note,
    }
}

/// How much memory an allocation takes.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "slab")]
pub(crate) enum SlabText {
    /// kmalloc's size classes, with slack behind an object.
    #[default]
    SizeClasses,
    /// As much as was asked for.
    Exact,
}

object! {
    /// A user namespace.
    "user_namespace" => UserNsText {
        /// The user namespace above it; `init_user_ns` if absent.
        parent: Option<String>,
        /// Who owns it; 0 if absent.
        uid: Option<UInt>,
        /// How many network namespaces a user may have in it.
        max_net_namespaces: Option<Number<0, { i64::MAX }>>,
        #[serde(default, rename = "note")]
        _note: Note,
    }
}

object! {
    /// Pernet operations: scripted ones, or a subsystem of the library. A method that is absent does not exist; an
    /// empty list is a method that does nothing.
    "pernet_operations" => PernetText {
        /// The subsystem of the library that it is; scripted if absent.
        #[serde(default)]
        #[schemars(schema_with = "schema::subsystem")]
        library: Option<String>,
        /// The operations or the module that the subsystem uses.
        uses: Option<String>,
        /// How long the subsystem takes.
        time: Option<Time>,
        /// Whether it wants an id; false if absent.
        #[serde(default)]
        id: bool,
        /// Bytes of private data in each namespace; 0 if absent.
        size: Option<Number<0, { 4 << 20 }>>,
        /// Steps of `init`; `self` is the namespace.
        init: Option<SelfBody>,
        /// What the n-th call of `init` returns: `{"2": "-ENOMEM"}`; 0 otherwise.
        #[serde(default)]
        init_returns: Members<Expect<GivesAnything>>,
        /// Steps of `exit`; `self` is the namespace.
        exit: Option<SelfBody>,
        /// Steps of `exit_batch`; there is no `self`.
        exit_batch: Option<CallbackBody>,
        #[serde(default, rename = "note")]
        _note: Note,
    }
}

object! {
    /// A module, and the operations that it registers.
    "module" => ModuleText {
        /// The operations that it registers as subsystems, in order.
        #[serde(default)]
        subsys: Vec<String>,
        /// Those that it registers as devices, after them.
        #[serde(default)]
        device: Vec<String>,
        /// Steps that it runs when it is loaded, after it has registered its operations.
        #[serde(default)]
        init: CallbackBody,
        /// Steps that it runs when it is unloaded, before it unregisters its operations.
        #[serde(default)]
        exit: CallbackBody,
        /// Whether it unregisters its operations, in reverse; true if absent.
        #[serde(default = "yes")]
        unregister: bool,
        /// Whether it then waits for callbacks with `rcu_barrier()`; true if absent.
        #[serde(default = "yes")]
        barrier: bool,
        #[serde(default, rename = "note")]
        _note: Note,
    }
}

object! {
    /// A failure, or a signal, armed at the start of a run. One that never fires is a failed expectation.
    "failure" => FaultText {
        /// What is allocated.
        alloc: Option<AllocKind>,
        /// The task that is sent SIGKILL.
        kill: Option<TaskRef>,
        /// The kernel function at whose beginning it is.
        #[serde(default)]
        #[schemars(schema_with = "schema::function")]
        enter: Option<String>,
        /// The kernel function in which it is allocated, or in what it calls; anywhere if absent.
        #[serde(rename = "in")]
        function: Option<InFunction>,
        /// Which allocation from now fails first, or which call kills; 1 if absent.
        #[schemars(extend("default" = 1))]
        nth: Option<Number<1, { i64::MAX }>>,
        /// How many allocations fail in a row; 1 if absent.
        times: Option<Times>,
        #[serde(default, rename = "note")]
        _note: Note,
    }
}

object! {
    /// Every allocation fails in turn.
    "sweep" => SweepText {
        /// What is allocated.
        alloc: AllocKind,
        /// The kernel function in which it is allocated, or in what it calls; anywhere if absent.
        #[serde(rename = "in")]
        function: Option<InFunction>,
        /// Where allocations begin to count; `tasks` if absent.
        #[serde(default)]
        from: SweepFrom,
        #[serde(default, rename = "note")]
        _note: Note,
    }
}

/// Where a sweep begins to count allocations.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "sweep_from")]
pub(crate) enum SweepFrom {
    /// Where tasks begin.
    #[default]
    Tasks,
    /// Where `setup` begins.
    Setup,
}

object! {
    /// A task. When it has run its steps it still exists, with its namespaces, until it exits.
    "task" => TaskText {
        /// A unique name. Those that begin like the kernel's own, `main`, `kworker` and `rcu`, are reserved.
        name: String,
        /// So many tasks alike, called `NAME-1`, `NAME-2` and so on; one, called `NAME`, if absent.
        copies: Option<Number<1, 4096>>,
        /// The CPU that it is bound to, from 0; any if absent.
        cpu: Option<UInt>,
        /// Where it runs: in process context.
        #[serde(default)]
        context: ContextText,
        /// Its effective user; 0 if absent.
        uid: Option<UInt>,
        /// Its user namespace; `init_user_ns` if absent.
        user_ns: Option<String>,
        /// Whether it has CAP_SYS_ADMIN in its user namespace; true if absent.
        #[serde(default = "yes")]
        cap_sys_admin: bool,
        /// With a clock: how much later than the others it begins, or the interrupt arrives; at once if absent. The
        /// third of its copies begins three times as late.
        after: Option<Time>,
        /// What it does, one step after the other.
        #[serde(default)]
        steps: Body,
        #[serde(default, rename = "note")]
        _note: Note,
    }
}

/// Where a task runs.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "context")]
pub(crate) enum ContextText {
    /// It may sleep.
    #[default]
    Process,
    /// A softirq. It interrupts its CPU where neither softirqs nor interrupts are off, and must not sleep.
    Softirq,
    /// The handler of a hardware interrupt. It interrupts its CPU, softirqs too, where interrupts are on; nothing
    /// interrupts it, and it must not sleep.
    Hardirq,
}

impl ContextText {
    pub(crate) fn kind(self) -> ContextKind {
        match self {
            ContextText::Process => ContextKind::Process,
            ContextText::Softirq => ContextKind::Softirq,
            ContextText::Hardirq => ContextKind::Hardirq,
        }
    }
}

/// What people call a context that is no process.
pub(crate) fn interrupt_name(kind: ContextKind) -> Option<&'static str> {
    match kind {
        ContextKind::Process => None,
        ContextKind::Softirq => Some("a softirq"),
        ContextKind::Hardirq => Some("a hardware interrupt"),
    }
}

/// Executions of one run.
const MAX_SEEDS: i64 = 10_000;

object! {
    /// One execution, or one for each of some seeds, and what must be true of it.
    "run" => RunText {
        /// A unique name; `default` or `run-N` if absent.
        name: Option<String>,
        /// Who runs is chosen at random, from this seed.
        seed: Option<Seed>,
        /// So many executions, each with a seed of its own, from 0. What is expected must be true of each of them.
        seeds: Option<Number<1, { MAX_SEEDS }>>,
        /// Who runs, and how far: `put until __put_net, lookup*3, put`. After its end nobody is preempted.
        schedule: Option<Lines>,
        /// The tasks that take part; all if absent. The name of a task that has copies stands for all of them.
        tasks: Option<Vec<String>>,
        /// Beside the run itself, one execution for every allocation, which fails.
        sweep: Option<SweepText>,
        /// Fixes of later kernels, instead of the scenario's.
        #[serde(default)]
        #[schemars(schema_with = "schema::patches_of_run")]
        patches: Option<Vec<String>>,
        /// Fixes that are taken back, instead of the scenario's.
        #[serde(default)]
        #[schemars(schema_with = "schema::reverts_of_run")]
        reverts: Option<Vec<String>>,
        /// Deliberate damage, instead of the scenario's.
        #[serde(default)]
        #[schemars(schema_with = "schema::mutations_of_run")]
        mutations: Option<Vec<String>>,
        /// The kinds of findings expected, and no others; none if absent. With `seeds`, what a list names is found in
        /// one execution at least; an object has a word on each kind.
        #[serde(default)]
        #[schemars(schema_with = "schema::findings")]
        findings: FindingsText,
        /// How it ends; if absent `done`, and with `seeds` as its findings make it.
        outcome: Option<OutcomeText>,
        /// What must be true at the end.
        end: Option<EndText>,
        /// Kernel functions that must be entered.
        #[serde(default)]
        #[schemars(schema_with = "schema::functions")]
        functions: Vec<String>,
        /// Events that must happen, in this order, others between them.
        #[serde(default)]
        #[schemars(schema_with = "schema::events")]
        events: Vec<String>,
        /// How often events must happen: `{"enter cleanup_net": 2, "free net": {"at_least": 1}}`. The first words of an
        /// event stand for all that begin with them.
        #[serde(default)]
        counts: Members<Count>,
        #[serde(default, rename = "note")]
        _note: Note,
    }
}

/// How a run is expected to end.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "outcome")]
pub(crate) enum OutcomeText {
    /// Every task has returned, or idles, or is dead.
    Done,
    /// Some tasks wait for ever.
    Deadlock,
    /// The kernel has panicked.
    Panic,
    /// The first finding has ended it.
    Stopped,
}

object! {
    /// What must be true at the end. What is not given may be anything.
    "end_state" => EndText {
        /// How many namespaces are not freed, `init_net` included.
        namespaces: Option<UInt>,
        /// The whole id table of a namespace: `{"init_net": {"0": "a"}}`.
        #[serde(default)]
        nsids: Members<Members<String>>,
        /// How many RCU callbacks have not run.
        callbacks: Option<UInt>,
        /// Whether a cleanup pass is due.
        cleanup_pending: Option<bool>,
        /// Network namespaces charged to a user: `{"init_user_ns/0": 1}`.
        #[serde(default)]
        ucounts: Members<i64>,
        /// How many user namespaces are not freed, `init_user_ns` included.
        user_namespaces: Option<UInt>,
        /// The names of pernet operations in order, `net_ns_ops` included.
        pernet: Option<Vec<String>>,
        /// What names are bound to: `{"id": 0, "net": null, "fd": "-ENOENT"}`.
        #[serde(default)]
        results: Members<Expect<GivesAnything>>,
        #[serde(default, rename = "note")]
        _note: Note,
    }
}
