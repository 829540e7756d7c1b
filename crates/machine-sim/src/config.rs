// SPDX-License-Identifier: GPL-2.0-only
//! What a simulated machine is like.

use machine::{Clock, Points, Slab};

/// When the scheduler may take a CPU from a task that could go on; kernel/Kconfig.preempt
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preempt {
    /// `CONFIG_PREEMPT_NONE`: never in kernel code; a task runs until it sleeps.
    None,
    /// `CONFIG_PREEMPT_VOLUNTARY`: where it says that it might sleep.
    Voluntary,
    /// `CONFIG_PREEMPT`: wherever it holds no spinlock.
    #[default]
    Full,
}

/// When a grace period of RCU ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RcuModel {
    /// When the readers have left that were inside when it began: the fewest steps.
    #[default]
    Abstract,
    /// When besides every CPU has passed through a quiescent state since: a context switch, idleness, user mode. What
    /// can happen here can happen in the abstract model. kernel/rcu/tree.c
    PerCpu,
}

/// Which checks are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checks {
    /// KASAN: freed objects and what lies behind objects is not used.
    pub kasan: bool,
    /// KCSAN: happens-before races, by vector clocks.
    pub kcsan: bool,
}

impl Checks {
    /// Every check.
    pub const ALL: Self = Checks { kasan: true, kcsan: true };
    /// None; for measurements.
    pub const NONE: Self = Checks { kasan: false, kcsan: false };
}

/// With a clock: after how many seconds the kernel's watchdogs complain; 0 switches one off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watchdogs {
    /// `hung_task_timeout_secs`
    pub hung_task_timeout: u64,
    /// `watchdog_thresh`: that of the hard lockup detector, and half of the soft one's.
    pub lockup_thresh: u64,
    /// `rcu_cpu_stall_timeout`
    pub rcu_stall_timeout: u64,
}

impl Default for Watchdogs {
    /// v4.11's.
    fn default() -> Self {
        Watchdogs { hung_task_timeout: 120, lockup_thresh: 10, rcu_stall_timeout: 21 }
    }
}

/// A simulated machine: its hardware, its kernel's configuration, its limits.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// How many CPUs there are, from 1.
    pub cpus: u32,
    /// The preemption model.
    pub preempt: Preempt,
    /// When grace periods end.
    pub rcu: RcuModel,
    /// Whether operations take time.
    pub clock: Clock,
    /// With a clock: timer interrupts a second. `CONFIG_HZ`
    pub hz: u32,
    /// With a clock: when watchdogs complain.
    pub watchdogs: Watchdogs,
    /// How much memory an allocation takes.
    pub slab: Slab,
    /// The checks that are made.
    pub checks: Checks,
    /// Places that are operations of their own; the voluntary model needs [`Points::might_sleep`].
    pub points: Points,
    /// Whether the first finding ends the execution.
    pub stop_at_first: bool,
    /// Operations in one execution; with a clock, timer interrupts count as well.
    pub max_steps: u64,
    /// With a clock: nanoseconds of virtual time in one execution.
    pub max_time: u64,
    /// Tasks in one execution.
    pub max_tasks: u32,
    /// Cells of 8 bytes of simulated memory in one execution; each object counts 16 more than it has, and of
    /// four cells one may have been accessed.
    pub max_cells: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            cpus: 4,
            preempt: Preempt::Full,
            rcu: RcuModel::default(),
            clock: Clock::Untimed,
            hz: 250,
            watchdogs: Watchdogs::default(),
            slab: Slab::SizeClasses,
            checks: Checks::ALL,
            points: Points::default(),
            stop_at_first: false,
            max_steps: 1_000_000,
            max_time: 3_600_000_000_000,
            max_tasks: 4096,
            max_cells: 1 << 25,
        }
    }
}

/// Which limit ended an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// [`Config::max_steps`]
    Steps,
    /// [`Config::max_time`]
    Time,
    /// [`Config::max_tasks`]
    Tasks,
    /// [`Config::max_cells`]
    Memory,
}

/// How an execution ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every task has returned, or idles, or is dead.
    Done,
    /// Some tasks wait for ever; each is a finding.
    Deadlock,
    /// The kernel has panicked.
    Panic,
    /// The first finding ended it.
    Stopped,
    /// A limit ended it: nothing can be said of what would have followed.
    Limit(Limit),
    /// The driver ended it.
    Abandoned,
}
