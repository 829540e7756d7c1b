// SPDX-License-Identifier: GPL-2.0-only
//! Reports of lockdep, made by hand. Those that a scenario shows stand in snapshots.

use machine::{Bug, Dependency, Leaving, LockProblem, LockReport, TakenLock, Usage, UsedClass};
use report::finding;

use crate::{
    common::Told,
    finding::{text, told},
};

fn taken(told: &Told, class: &str, usage: &str) -> TakenLock {
    let (class, usage) = (class.to_owned(), usage.to_owned());
    TakenLock { class, lock: Some(told.cell()), usage, at: told.access(1, "get_net") }
}

fn used(told: &Told, class: &str, usage: &str) -> UsedClass {
    UsedClass { class: class.to_owned(), usage: usage.to_owned(), at: told.access(0, "put_net") }
}

fn report(told: &Told, problem: LockProblem) -> Bug {
    let (lock, held) = (taken(told, "inner", "+.+."), vec![taken(told, "outer", "..-.")]);
    Bug::Lockdep(Box::new(LockReport { problem, lock, held, preempt_count: 0x201, irqs_disabled: false }))
}

#[test]
fn circular() {
    let told = told();
    let at = told.access(0, "put_net");
    let link = |class: &str| Dependency { class: class.to_owned(), usage: "....".to_owned(), at };
    let problem = LockProblem::Circular {
        held: taken(&told, "outer", "..-."),
        chain: vec![link("middle"), link("outer")],
    };
    assert_eq!(
        text(&told, report(&told, problem)),
        "\
======================================================
WARNING: possible circular locking dependency detected
------------------------------------------------------
lookup/101 is trying to acquire lock:
ffff888004000008 (inner){+.+.}, at: get_net  FILE:LINE

but task is already holding lock:
ffff888004000008 (outer){..-.}, at: get_net  FILE:LINE

which lock already depends on the new lock.

the existing dependency chain (in reverse order) is:

-> #2 (outer){....}:
  by task put/100, step 7:
   put_net  FILE:LINE

-> #1 (middle){....}:
  by task put/100, step 7:
   put_net  FILE:LINE

-> #0 (inner){+.+.}:
  by task lookup/101, step 7:
   get_net  FILE:LINE

other info that might help us debug this:

Chain exists of:
  inner --> middle --> outer

 Possible unsafe locking scenario:

       CPU0                    CPU1
       ----                    ----
  lock(outer);
                               lock(middle);
                               lock(outer);
  lock(inner);

 *** DEADLOCK ***

1 lock held by lookup/101:
 #0: ffff888004000008 (outer){..-.}, at: get_net  FILE:LINE

stack backtrace:
CPU: 1 PID: 101 Comm: lookup Step: 7
Call Trace:
 get_net(net 1)  FILE:LINE
 get_net_ns_by_id()  FILE:LINE
 tasks[1].steps[0].put_net  a.json:17
"
    );
}

#[test]
fn recursive() {
    let told = told();
    let problem = LockProblem::Recursive { held: taken(&told, "outer", "..-.") };
    assert_eq!(
        text(&told, report(&told, problem)),
        "\
============================================
WARNING: possible recursive locking detected
--------------------------------------------
lookup/101 is trying to acquire lock:
ffff888004000008 (inner){+.+.}, at: get_net  FILE:LINE

but task is already holding lock:
ffff888004000008 (outer){..-.}, at: get_net  FILE:LINE

other info that might help us debug this:

 Possible unsafe locking scenario:

       CPU0
       ----
  lock(outer);
  lock(inner);

 *** DEADLOCK ***

 May be due to missing lock nesting notation

1 lock held by lookup/101:
 #0: ffff888004000008 (outer){..-.}, at: get_net  FILE:LINE

stack backtrace:
CPU: 1 PID: 101 Comm: lookup Step: 7
Call Trace:
 get_net(net 1)  FILE:LINE
 get_net_ns_by_id()  FILE:LINE
 tasks[1].steps[0].put_net  a.json:17
"
    );
}

#[test]
fn irq_unsafe() {
    let told = told();
    let problem = |held| LockProblem::IrqUnsafe {
        irq: Usage::InSoftirq.irq(),
        safe: used(&told, "outer", "..-."),
        not_safe: used(&told, "inner", "+.+."),
        held,
    };
    assert_eq!(
        text(&told, report(&told, problem(Some(taken(&told, "outer", "..-."))))),
        "\
===========================================================
WARNING: SOFTIRQ-safe -> SOFTIRQ-unsafe lock order detected
-----------------------------------------------------------
lookup/101 [HC0[0]:SC0[2]:HE1:SE0] is trying to acquire:
ffff888004000008 (inner){+.+.}, at: get_net  FILE:LINE

and this task is already holding:
ffff888004000008 (outer){..-.}, at: get_net  FILE:LINE
which would create a new lock dependency:
 (outer){..-.} -> (inner){+.+.}

but this new dependency connects a SOFTIRQ-irq-safe lock:
 (outer){..-.}
... which became SOFTIRQ-irq-safe at:
  by task put/100, step 7:
   put_net  FILE:LINE

to a SOFTIRQ-irq-unsafe lock:
 (inner){+.+.}
... which became SOFTIRQ-irq-unsafe at:
  by task put/100, step 7:
   put_net  FILE:LINE

other info that might help us debug this:

 Possible interrupt unsafe locking scenario:

       CPU0                    CPU1
       ----                    ----
  lock(inner);
                               local_irq_disable();
                               lock(outer);
                               lock(inner);
  <Interrupt>
    lock(outer);

 *** DEADLOCK ***

1 lock held by lookup/101:
 #0: ffff888004000008 (outer){..-.}, at: get_net  FILE:LINE

stack backtrace:
CPU: 1 PID: 101 Comm: lookup Step: 7
Call Trace:
 get_net(net 1)  FILE:LINE
 get_net_ns_by_id()  FILE:LINE
 tasks[1].steps[0].put_net  a.json:17
"
    );
    let inversion = text(&told, report(&told, problem(None)));
    let told_of = "lookup/101 just changed the state of lock:\n\
                   ffff888004000008 (inner){+.+.}, at: get_net  FILE:LINE\n\n\
                   but this lock was taken by another, SOFTIRQ-safe lock in the past:\n (outer){..-.}\n";
    assert!(inversion.contains("WARNING: possible irq lock inversion dependency detected\n"), "{inversion}");
    assert!(inversion.contains(told_of), "{inversion}");
}

#[test]
fn held_too_long() {
    let told = told();
    let held = vec![taken(&told, "outer", "..-."), taken(&told, "inner", "+.+.")];
    assert_eq!(
        text(&told, Bug::LocksHeld { leaving: Leaving::ToUserMode, held }),
        "\
================================================
WARNING: lock held when returning to user space!
------------------------------------------------
lookup/101 is leaving the kernel with locks still held!
2 locks held by lookup/101:
 #0: ffff888004000008 (outer){..-.}, at: get_net  FILE:LINE
 #1: ffff888004000008 (inner){+.+.}, at: get_net  FILE:LINE

stack backtrace:
CPU: 1 PID: 101 Comm: lookup Step: 7
Call Trace:
 get_net(net 1)  FILE:LINE
 get_net_ns_by_id()  FILE:LINE
 tasks[1].steps[0].put_net  a.json:17
"
    );
}

#[test]
fn suspicious_rcu() {
    let told = told();
    let what = "suspicious rcu_dereference_check() usage";
    let loc = told.finding(Bug::SuspiciousRcu { what }).by.loc;
    let text = text(&told, Bug::SuspiciousRcu { what });
    assert_eq!(
        text.replace(&format!("{}:{}", loc.file(), loc.line()), "FILE:LINE"),
        "\
=============================
WARNING: suspicious RCU usage
-----------------------------
FILE:LINE suspicious rcu_dereference_check() usage!

stack backtrace:
CPU: 1 PID: 101 Comm: lookup Step: 7
Call Trace:
 get_net(net 1)  FILE:LINE
 get_net_ns_by_id()  FILE:LINE
 tasks[1].steps[0].put_net  a.json:17
"
    );
}

#[test]
fn every_problem_is_explained() {
    let told = told();
    let problems = [
        LockProblem::Circular { held: taken(&told, "a", "...."), chain: Vec::new() },
        LockProblem::Recursive { held: taken(&told, "a", "....") },
        LockProblem::Inconsistent {
            was: Usage::InSoftirq,
            registered: told.access(0, "put_net"),
            now: Usage::SoftirqOn,
        },
        LockProblem::IrqUnsafe {
            irq: "SOFTIRQ",
            safe: used(&told, "a", "...."),
            not_safe: used(&told, "b", "...."),
            held: None,
        },
    ];
    for problem in problems {
        let code = told.finding(report(&told, problem)).code();
        assert!(finding::explain(code).is_some(), "{code}");
    }
}
