// SPDX-License-Identifier: GPL-2.0-only
//! The format, version 1: what a scenario is in JSON.

use serde::{Deserialize, Deserializer};

use crate::{
    body::{Body, CallbackBody, SelfBody},
    bytes::{AllocKind, Time},
    members::{List, Members, ObjectsOnly},
    values::{Count, Expect, GivesAnything, Lines, Note, Number, Seed, TaskRef, Times, UInt},
};

macro_rules! object {
    ($(#[$doc:meta])* $name:ident {
        $($(#[$attribute:meta])* $field:ident: $ty:ty,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize)]
        #[serde(remote = "Self", deny_unknown_fields, expecting = "an object")]
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
    /// All of it.
    Text {
        version: Number<0, { i64::MAX }>,
        note: String,
        title: String,
        machine: Option<MachineText>,
        #[serde(default)]
        timeline: Shown,
        #[serde(default)]
        user_namespaces: Members<UserNsText>,
        #[serde(default)]
        pernet: Members<PernetText>,
        #[serde(default)]
        modules: Members<ModuleText>,
        #[serde(default = "yes")]
        boot: bool,
        #[serde(default)]
        faults: List<FaultText, 4096>,
        #[serde(default)]
        setup: Body,
        #[serde(default)]
        tasks: List<TaskText, 4096>,
        #[serde(default)]
        patches: Vec<String>,
        runs: Option<List<RunText, 4096>>,
    }
}

pub(crate) fn yes() -> bool {
    true
}

/// Which part of a run is the story.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
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
    /// The machine and the kernel's configuration.
    MachineText {
        cpus: Option<Number<1, 1024>>,
        #[serde(default)]
        preempt: Preempt,
        #[serde(default = "yes")]
        net_ns: bool,
        #[serde(default)]
        slab: SlabText,
        max_net_namespaces: Option<Number<0, { i64::MAX }>>,
        max_steps: Option<Number<1, 1_000_000_000>>,
        max_memory_mib: Option<Number<1, 4096>>,
        #[serde(default)]
        stop_at_first: bool,
        #[serde(default = "yes")]
        kasan: bool,
        #[serde(default = "yes")]
        kcsan: bool,
        #[serde(default, rename = "note")]
        _note: Note,
    }
}

/// When the scheduler may take a CPU from a task that could go on; kernel/Kconfig.preempt
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Preempt {
    /// `CONFIG_PREEMPT_NONE`
    None,
    /// `CONFIG_PREEMPT_VOLUNTARY`
    Voluntary,
    /// `CONFIG_PREEMPT`
    #[default]
    Full,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SlabText {
    #[default]
    SizeClasses,
    Exact,
}

object! {
    /// A user namespace.
    UserNsText {
        parent: Option<String>,
        uid: Option<UInt>,
        max_net_namespaces: Option<Number<0, { i64::MAX }>>,
        #[serde(default, rename = "note")]
        _note: Note,
    }
}

object! {
    /// Pernet operations: scripted ones, or a subsystem of the library.
    PernetText {
        library: Option<String>,
        uses: Option<String>,
        time: Option<Time>,
        #[serde(default)]
        id: bool,
        size: Option<Number<0, { 4 << 20 }>>,
        init: Option<SelfBody>,
        #[serde(default)]
        init_returns: Members<Expect<GivesAnything>>,
        exit: Option<SelfBody>,
        exit_batch: Option<CallbackBody>,
        #[serde(default, rename = "note")]
        _note: Note,
    }
}

object! {
    /// A module, and the operations that it registers.
    ModuleText {
        #[serde(default)]
        subsys: Vec<String>,
        #[serde(default)]
        device: Vec<String>,
        #[serde(default)]
        init: CallbackBody,
        #[serde(default)]
        exit: CallbackBody,
        #[serde(default = "yes")]
        unregister: bool,
        #[serde(default = "yes")]
        barrier: bool,
        #[serde(default, rename = "note")]
        _note: Note,
    }
}

object! {
    /// A failure, or a signal, armed at the start of a run.
    FaultText {
        alloc: Option<AllocKind>,
        kill: Option<TaskRef>,
        enter: Option<String>,
        nth: Option<Number<1, { i64::MAX }>>,
        times: Option<Times>,
        #[serde(default, rename = "note")]
        _note: Note,
    }
}

object! {
    /// Every allocation fails in turn.
    SweepText {
        alloc: AllocKind,
        #[serde(default)]
        from: SweepFrom,
        #[serde(default, rename = "note")]
        _note: Note,
    }
}

/// Where a sweep begins to count allocations.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SweepFrom {
    /// Where tasks begin.
    #[default]
    Tasks,
    /// Where `setup` begins.
    Setup,
}

object! {
    /// A task.
    TaskText {
        name: String,
        copies: Option<Number<1, 4096>>,
        cpu: Option<UInt>,
        #[serde(default)]
        context: ContextText,
        uid: Option<UInt>,
        user_ns: Option<String>,
        #[serde(default = "yes")]
        cap_sys_admin: bool,
        #[serde(default)]
        steps: Body,
        #[serde(default, rename = "note")]
        _note: Note,
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ContextText {
    #[default]
    Process,
    Softirq,
}

object! {
    /// One execution, and what must be true of it.
    RunText {
        name: Option<String>,
        seed: Option<Seed>,
        schedule: Option<Lines>,
        tasks: Option<Vec<String>>,
        sweep: Option<SweepText>,
        patches: Option<Vec<String>>,
        #[serde(default)]
        findings: Vec<String>,
        #[serde(default)]
        outcome: OutcomeText,
        end: Option<EndText>,
        #[serde(default)]
        functions: Vec<String>,
        #[serde(default)]
        events: Vec<String>,
        #[serde(default)]
        counts: Members<Count>,
        #[serde(default, rename = "note")]
        _note: Note,
    }
}

/// How a run is expected to end.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OutcomeText {
    #[default]
    Done,
    Deadlock,
    Panic,
    Stopped,
}

object! {
    /// The expected end state.
    EndText {
        namespaces: Option<UInt>,
        #[serde(default)]
        nsids: Members<Members<String>>,
        callbacks: Option<UInt>,
        cleanup_pending: Option<bool>,
        #[serde(default)]
        ucounts: Members<i64>,
        user_namespaces: Option<UInt>,
        pernet: Option<Vec<String>>,
        #[serde(default)]
        results: Members<Expect<GivesAnything>>,
        #[serde(default, rename = "note")]
        _note: Note,
    }
}
