// SPDX-License-Identifier: GPL-2.0-only
//! Words that a scenario may use, and what each means: for those who check, and for editors.

/// A word, and what it means.
pub(crate) type Words = &'static [(&'static str, &'static str)];

/// The words alone.
pub(crate) fn words_of(table: Words) -> impl Iterator<Item = &'static str> {
    table.iter().map(|(word, _)| *word)
}

/// What allocations are called where failures are injected into them.
pub(crate) const ALLOC_KINDS: Words = &[
    ("gen", "`struct net_generic`: the array of private data."),
    ("data", "Private data of pernet operations."),
    ("net", "`struct net`"),
    ("ucounts", "`struct ucounts`: what a user has in a user namespace."),
    ("skb", "A message."),
    ("skb_clone", "The clone of a notification, for one listener."),
    ("nsproxy", "`struct nsproxy`"),
    ("userns", "`struct user_namespace`"),
    ("nsfs", "The inode of a namespace's file."),
    ("ida_bitmap", "A bitmap of ids."),
    ("kmem_cache", "The slab cache of namespaces, at boot."),
    ("workqueue", "`netns_wq`, at boot."),
    ("object", "An object of the scenario's own."),
    ("module", "A module that is loaded."),
    ("net_device", "The device of a subsystem of the library."),
    ("notifier", "A notifier of network devices."),
    ("ctl_table", "The settings of the library's `sysctl`."),
    ("dst_entry", "The route of the library's `xfrm`."),
    ("worker", "A kworker; without it the rescuer runs the work."),
    ("any", "Any of them."),
];

/// The kinds of findings that a run can expect.
pub(crate) const FINDINGS: Words = &[
    ("kasan-use-after-free", "KASAN: freed memory is read or written."),
    ("kasan-double-free", "KASAN: what is free is freed."),
    ("kasan-invalid-free", "KASAN: something is freed that no allocation returned."),
    ("kasan-out-of-bounds", "KASAN: memory behind an object is read or written."),
    ("kcsan-data-race", "KCSAN: two tasks access a cell, and nothing orders them."),
    ("kcsan-unordered-free", "KCSAN: nothing orders an access before the object is freed."),
    ("deadlock", "Somebody waits for ever."),
    ("bad-unlock", "A lock is released by somebody who does not hold it."),
    ("sleep-in-atomic", "What may sleep is called where one must not."),
    ("warning", "A WARN_ON()."),
    ("lockdep-circular", "Lockdep: locks are taken in orders that form a circle."),
    ("lockdep-recursive", "Lockdep: two locks of one class are held at once."),
    ("lockdep-inconsistent", "Lockdep: a lock is used in interrupts, and held where they may arrive."),
    ("lockdep-irq-unsafe", "Lockdep: a lock used in interrupts leads to one held where they may arrive."),
    ("lock-held", "A lock is held at the end of a task or a work item, or in user mode."),
    ("suspicious-rcu", "RCU is not used as it must be."),
    ("list-corruption", "DEBUG_LIST: an entry is added or deleted whose neighbours do not fit."),
    ("memory-leak", "kmemleak: nothing refers to an object that nobody has freed."),
    ("invariant", "At the end something does not hold that is true of namespaces whenever nothing runs."),
    ("hung-task", "A task sleeps for minutes where no signal wakes it."),
    ("soft-lockup", "A CPU does not schedule."),
    ("hard-lockup", "A CPU takes no interrupts."),
    ("rcu-stall", "A grace period does not end."),
    ("workqueue-lockup", "No worker begins with what is queued."),
    ("refcount", "A reference is taken or dropped where there is none."),
    ("null-dereference", "NULL is followed."),
    ("list-poison", "A link is followed that list_del() has poisoned."),
    ("wild-pointer", "A pointer is followed that leads nowhere."),
    ("type-confusion", "container_of() is applied to a link in something else."),
    ("bug-on", "A BUG_ON()."),
    ("panic", "panic() is called."),
    ("endless-loop", "A task goes round without end."),
    ("out-of-memory", "The limit of simulated memory is reached."),
];
