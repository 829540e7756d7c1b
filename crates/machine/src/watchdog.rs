// SPDX-License-Identifier: GPL-2.0-only
//! What the kernel's watchdogs find, as values: something takes too long; kernel/hung_task.c, kernel/watchdog.c,
//! kernel/rcu/tree.c, kernel/workqueue.c

use std::fmt;

use crate::{Access, Op};

/// What a watchdog complains of.
#[derive(Clone, Debug)]
pub enum Alarm {
    /// `check_hung_task()`: a task sleeps in `TASK_UNINTERRUPTIBLE`, and did at the last look.
    HungTask {
        /// `hung_task_timeout_secs`
        timeout: u64,
        /// What it waits for.
        what: String,
        /// The operation.
        op: Op,
        /// Who has it.
        holders: Vec<Access>,
    },
    /// `watchdog_timer_fn()`: a CPU takes interrupts, and does not get to its watchdog thread.
    SoftLockup {
        /// Which CPU.
        cpu: u32,
        /// For how long, in the watchdog's seconds of 2^30 nanoseconds.
        seconds: u64,
    },
    /// `watchdog_overflow_callback()`: a CPU takes no interrupts.
    HardLockup {
        /// Which CPU.
        cpu: u32,
    },
    /// `check_cpu_stall()`: a grace period does not end.
    RcuStall(RcuStall),
    /// `wq_watchdog_timer_fn()`: a pool has work that no worker begins with.
    WorkqueueLockup {
        /// How many CPUs the pool has.
        cpus: u32,
        /// For how long.
        seconds: u64,
        /// The work items, oldest first, and who queued each.
        pending: Vec<(String, Access)>,
    },
}

/// A grace period that does not end.
#[derive(Clone, Debug)]
pub struct RcuStall {
    /// `rcu_preempt` or `rcu_sched`.
    pub flavor: &'static str,
    /// Who noticed.
    pub detected: Detected,
    /// How many CPUs there are.
    pub nr_cpus: u32,
    /// How old it is, in ticks.
    pub jiffies: u64,
    /// The CPUs that it waits for, and who runs there.
    pub cpus: Vec<(u32, Access)>,
    /// The readers that it waits for and that do not run, and where their sections begin.
    pub tasks: Vec<Access>,
}

/// Who notices that a grace period does not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detected {
    /// A CPU that it waits for: `print_cpu_stall()`
    BySelf,
    /// Another one: `print_other_cpu_stall()`
    ByOther(u32),
    /// Who waits for an expedited one: `synchronize_sched_expedited_wait()`
    Expedited,
}

impl Alarm {
    /// A stable name for alarms of this kind.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Alarm::HungTask { .. } => "hung-task",
            Alarm::SoftLockup { .. } => "soft-lockup",
            Alarm::HardLockup { .. } => "hard-lockup",
            Alarm::RcuStall(_) => "rcu-stall",
            Alarm::WorkqueueLockup { .. } => "workqueue-lockup",
        }
    }
    /// The line that people search a log for; `comm` is the name and the number of the task.
    pub fn title(&self, comm: &str) -> String {
        match self {
            Alarm::HungTask { timeout, .. } => {
                format!("INFO: task {comm} blocked for more than {timeout} seconds.")
            }
            Alarm::SoftLockup { cpu, seconds } => {
                format!("NMI watchdog: BUG: soft lockup - CPU#{cpu} stuck for {seconds}s! [{comm}]")
            }
            Alarm::HardLockup { cpu } => format!("NMI watchdog: Watchdog detected hard LOCKUP on cpu {cpu}"),
            Alarm::RcuStall(stall) => stall.title(),
            Alarm::WorkqueueLockup { cpus, seconds, .. } => {
                let last = cpus.saturating_sub(1);
                let cpus = if last == 0 { "0".to_owned() } else { format!("0-{last}") };
                // POOL_DISASSOCIATED, as every pool that belongs to no CPU.
                format!("BUG: workqueue lockup - pool cpus={cpus} flags=0x4 nice=0 stuck for {seconds}s!")
            }
        }
    }
}

impl RcuStall {
    fn title(&self) -> String {
        match self.detected {
            Detected::BySelf => format!("INFO: {} self-detected stall on CPU", self.flavor),
            Detected::ByOther(_) => format!("INFO: {} detected stalls on CPUs/tasks:", self.flavor),
            Detected::Expedited => format!("INFO: {} detected expedited stalls on CPUs/tasks:", self.flavor),
        }
    }
}

impl fmt::Display for Alarm {
    /// For where the names of tasks are not known, or stand beside it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Alarm::HungTask { timeout, what, .. } => {
                write!(f, "INFO: task blocked for more than {timeout} seconds: {what}")
            }
            Alarm::SoftLockup { cpu, seconds } => {
                write!(f, "NMI watchdog: BUG: soft lockup - CPU#{cpu} stuck for {seconds}s!")
            }
            _ => f.write_str(&self.title("")),
        }
    }
}
