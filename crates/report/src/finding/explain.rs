// SPDX-License-Identifier: GPL-2.0-only
//! What the kinds of findings mean, how they are found, what to look at, and what finds them in a kernel.

/// What `sim explain` says of a finding's code.
pub fn explain(code: &str) -> Option<&'static str> {
    EXPLANATIONS.iter().find(|(known, _)| *known == code).map(|(_, text)| *text)
}

/// The codes of all findings, with an explanation of each.
pub const EXPLANATIONS: &[(&str, &str)] = &[
    (
        "kasan-use-after-free",
        "KASAN: memory is read or written after it was freed.\n\
         Every access is compared with the life of its object. Freed memory is kept in quarantine, so that the access \
         meets the freed object and not its successor; the run goes on with what is still there, as in a kernel that \
         does not panic on a report.\n\
         Look at who freed the object: the report names it, and who allocated it. Whoever uses it should have held a \
         reference, a lock, or an RCU read-side critical section that a grace period waits for.\n\
         In a kernel: CONFIG_KASAN.",
    ),
    (
        "kasan-double-free",
        "KASAN: an object is freed that is free already. The second free changes nothing.\n\
         Every object knows who freed it first; the report names both.\n\
         Look for two owners that each believe to be the last: a count that is dropped twice, or an error path that \
         frees what its caller frees as well.\n\
         In a kernel: CONFIG_KASAN.",
    ),
    (
        "kasan-invalid-free",
        "KASAN: something is freed that no allocation returned: a pointer into the middle of an object, static data, \
         or a pointer to nowhere.\n\
         What is freed is compared with the beginnings of all objects.\n\
         Look at where the pointer comes from: often it is a member of the object that should be freed.\n\
         In a kernel: CONFIG_KASAN.",
    ),
    (
        "kasan-out-of-bounds",
        "KASAN: memory behind the end of an object is read or written.\n\
         Every access is compared with the size that was asked for. What lies in the slack of the object's size class \
         keeps a value that is written there; what lies behind that is lost, and reads as 0. With \
         `\"slab\": \"exact\"` there is no slack.\n\
         Look at the size that was allocated, and at the index: one of them was read at another time than the other.\n\
         In a kernel: CONFIG_KASAN.",
    ),
    (
        "kcsan-data-race",
        "KCSAN: two tasks access the same cell, at least one of them writes, at least one of them without a mark \
         (READ_ONCE(), WRITE_ONCE(), an atomic, an RCU pointer), and no lock, grace period or released value orders \
         the two.\n\
         Races are found by vector clocks: the accesses need not come one right after the other, as they must for \
         KCSAN's watchpoints.\n\
         Look at which lock the one holds and the other does not. If none is meant to be held, both want a mark, and \
         the reader must cope with either value, and read it once.\n\
         In a kernel: CONFIG_KCSAN, which v4.11 does not have yet.",
    ),
    (
        "kcsan-unordered-free",
        "KCSAN: an object is freed, and nothing orders an earlier access by another task before that.\n\
         In this run the access came first; vector clocks say that it had not to. In another run it is a use after \
         free.\n\
         Look at what should make the free wait: a reference that is dropped after the access, a lock, a grace \
         period.\n\
         In a kernel: CONFIG_KCSAN, or CONFIG_KASAN once the free comes first.",
    ),
    (
        "deadlock",
        "A task waits for something that nobody can give it any more: a lock whose holder waits too or is dead, a \
         completion that nobody will signal, a grace period whose reader never leaves, a CPU that somebody spins on.\n\
         It is found when nothing can go on, and not after a time. Who only waits for work is not stuck.\n\
         Look at the holders: the report names them, where they are known, and where they took what they hold. Two \
         locks taken in two orders, and a lock that an interrupt takes while its CPU holds it, are the usual cases. A \
         finding before this one may have left a task dead, with its locks.\n\
         In a kernel: CONFIG_DETECT_HUNG_TASK for who sleeps (after 120 seconds), CONFIG_LOCKUP_DETECTOR for who spins \
         (a soft lockup; a hard one with interrupts off), the stall warnings of RCU, and CONFIG_PROVE_LOCKING before \
         it happens.",
    ),
    (
        "bad-unlock",
        "A lock is released, or an RCU read-side critical section left, by a task that does not hold it or is not in \
         it.\n\
         Every lock knows its holder, and every task how often it has entered such a section.\n\
         Look for a path that unlocks twice, or that unlocks although locking has failed: mutex_lock_killable() may.\n\
         In a kernel: CONFIG_LOCKDEP (CONFIG_PROVE_LOCKING).",
    ),
    (
        "sleep-in-atomic",
        "A function that may sleep is called where sleeping is not allowed: with a spinlock held, with softirqs or \
         interrupts off, in a softirq or a hardware interrupt, or in an RCU read-side critical section.\n\
         Every function that may sleep says so when it is called, whether it sleeps then or not; what it is called \
         in is counted per task. GFP_KERNEL allocations, mutexes and waits for a grace period are such functions.\n\
         Look at the counts in the report, which say what forbids it: preempt_count has 1 for each spinlock, 0x200 for \
         softirqs off, 0x100 in a softirq, 0x10000 in a hardware interrupt. Then look up the call trace for where that \
         begins: GFP_ATOMIC, or another order of the two, is the usual mend.\n\
         In a kernel: CONFIG_DEBUG_ATOMIC_SLEEP.",
    ),
    (
        "warning",
        "A WARN_ON() in kernel code: its condition holds. The task goes on.\n\
         The port has the WARN_ON()s of the C file, and those of the functions it calls that are modelled.\n\
         Look at the condition, which the report names, and at what the caller has promised.\n\
         In a kernel: always there; panic_on_warn makes it fatal.",
    ),
    (
        "lockdep-circular",
        "Lockdep: a lock is taken while another is held, and elsewhere the two are taken in the other order, \
         directly or by way of others: two tasks that do so at once wait for each other for ever.\n\
         Lockdep speaks of classes, all locks in one field of one type of objects, and remembers every order that \
         it has seen in a run: nothing has to have deadlocked. A workqueue counts as a lock that its work items \
         hold, and that who flushes it takes.\n\
         Look for the link of the chain that is the exception: usually one function takes the locks in another \
         order than all others do.\n\
         In a kernel: CONFIG_PROVE_LOCKING.",
    ),
    (
        "lockdep-recursive",
        "Lockdep: a lock is taken while another of the same class, or the same one, is held. If it is the same \
         one, the task waits for itself; if it is another, two tasks may take them in different orders.\n\
         What a task holds is compared with the class of what it wants.\n\
         Look at who called the function with the lock held.\n\
         In a kernel: CONFIG_PROVE_LOCKING.",
    ),
    (
        "lockdep-inconsistent",
        "Lockdep: locks of a class are taken in an interrupt, and elsewhere held where such interrupts may arrive. \
         If one arrives there, on the same CPU, it waits for what it has interrupted.\n\
         Each class remembers in which contexts it was taken, and with what kept off; no interrupt has to come at \
         the wrong moment.\n\
         Look at the place that keeps nothing off: it lacks `_bh` (for a softirq) or `_irq` (for a hardware \
         interrupt).\n\
         In a kernel: CONFIG_PROVE_LOCKING.",
    ),
    (
        "lockdep-irq-unsafe",
        "Lockdep: a lock that is taken in interrupts is held while another is taken, directly or by way of more, \
         which elsewhere is held where interrupts may arrive. An interrupt there waits for the first lock, whose \
         holder waits for the second, whose holder is interrupted.\n\
         The order of classes is searched from each class that interrupts take.\n\
         Look at whether the inner lock can be taken after the outer one is released, or needs `_bh` or `_irq` \
         everywhere.\n\
         In a kernel: CONFIG_PROVE_LOCKING.",
    ),
    (
        "lock-held",
        "A task ends, returns to user mode or ends a work item, and still holds a lock or is in an RCU read-side \
         critical section.\n\
         What each task holds is known; it must be nothing there.\n\
         Look at the error paths of the function that took it.\n\
         In a kernel: CONFIG_LOCKDEP.",
    ),
    (
        "suspicious-rcu",
        "RCU is not used as it must be: rcu_dereference() by somebody who is no reader, or a wait for readers by \
         somebody who is one, and so waits for itself.\n\
         Each such call is checked against the read-side critical sections that its task is in.\n\
         Look for an rcu_read_lock() that is missing, or that ends before the pointer was last used.\n\
         In a kernel: CONFIG_PROVE_RCU.",
    ),
    (
        "list-corruption",
        "DEBUG_LIST: an entry is added or deleted, and the links around it do not fit.\n\
         The neighbours are compared before each change. The list is then changed all the same, as in a kernel \
         without CONFIG_DEBUG_LIST, so that what follows can be seen.\n\
         Look for an entry that was added or deleted twice, or whose neighbours were changed without the list's \
         lock.\n\
         In a kernel: CONFIG_DEBUG_LIST.",
    ),
    (
        "memory-leak",
        "kmemleak: nothing refers to an object any more, and nobody has freed it.\n\
         When nothing runs any more, every cell of static data and stacks is taken for a pointer, and so is every cell \
         of the objects that are reached. What is not reached is reported with who allocated it. The scenario's names \
         of objects count as pointers, those of namespaces do not.\n\
         Look for a path that drops the last pointer: an error path, a list whose entry was removed and not freed, a \
         reference count that never came to 0 or was raised again.\n\
         In a kernel: CONFIG_DEBUG_KMEMLEAK.",
    ),
    (
        "invariant",
        "At the end something does not hold that is true of network namespaces whenever nothing runs.\n\
         The rules: lists lead back to their heads; a namespace is on net_namespace_list as long as it is referred to, \
         and is cleaned up once it is not; an id stands for a namespace on that list; users are charged for what they \
         have; every namespace has private data of every operation that wants some; whoever is in a namespace is in \
         none that is freed; inits and exits of pernet operations come in pairs and in opposite order; ids are what \
         NEWNSID and DELNSID say of them.\n\
         Look for where the object last changed hands: the report names it, `-v` shows every access to it.\n\
         In a kernel: nothing looks at this. Such a state shows later, or never, as a leak.",
    ),
    (
        "hung-task",
        "A task sleeps for minutes where no signal wakes it (TASK_UNINTERRUPTIBLE): it waits for a mutex, a \
         completion, a grace period, or in msleep().\n\
         With a clock, khungtaskd looks once in `hung_task_timeout_secs`. It reports who sleeps and has not run since \
         the last look, and so has slept for one to two times as long; at every look again, ten times at most in a \
         run, and nobody after an oops. It passes over who waits in mutex_lock_killable(), as copy_net_ns() does for \
         net_mutex.\n\
         Look at who holds what it waits for, and what that one waits for: it may be slow and not stuck. What waits \
         for ever, and keeps everybody waiting, is a `deadlock`.\n\
         In a kernel: CONFIG_DETECT_HUNG_TASK.",
    ),
    (
        "soft-lockup",
        "A CPU does not schedule: a task computes or spins where it cannot be preempted, or a softirq goes on.\n\
         With a clock, each CPU has a watchdog thread that is woken five times in twice `watchdog_thresh`. A CPU that \
         it has not got for longer than that is reported once, with whom it has instead, in seconds of 2^30 ns, hence \
         the usual 22s.\n\
         Look at the loop that the call trace ends in: it wants a cond_resched(), which helps with \
         CONFIG_PREEMPT_VOLUNTARY here, or shorter sections under a spinlock. Who spins waits for who holds the lock.\n\
         In a kernel: CONFIG_LOCKUP_DETECTOR.",
    ),
    (
        "hard-lockup",
        "A CPU takes no interrupts: it computes or spins with interrupts off, or an interrupt handler goes on.\n\
         With a clock, an NMI comes once in `watchdog_thresh`. It reports a CPU, once, on which no timer interrupt of \
         the soft lockup detector has come since the last one.\n\
         Look at where interrupts are switched off: at a lock taken by spin_lock_irq() or spin_lock_irqsave(), or a \
         handler that does too much.\n\
         In a kernel: CONFIG_HARDLOCKUP_DETECTOR.",
    ),
    (
        "rcu-stall",
        "RCU: a grace period does not end. A reader stays inside, or a CPU does not come to a quiescent state.\n\
         With a clock, each grace period has `rcu_cpu_stall_timeout` seconds, 5 more with CONFIG_PROVE_RCU. Then a CPU \
         that holds it up and takes ticks reports itself; two ticks later another CPU reports those that do not, and \
         readers that were preempted or sleep. Each grace period is reported once.\n\
         Look at who holds it up: the report names the CPUs with whoever runs there, and the readers with where their \
         sections begin. A reader should not walk so much at once; a loop in kernel code should schedule.\n\
         In a kernel: always there (CONFIG_RCU_STALL_COMMON), with CONFIG_RCU_CPU_STALL_TIMEOUT.",
    ),
    (
        "workqueue-lockup",
        "A workqueue's pool has an item that no worker begins with: no CPU is free for one.\n\
         With a clock, a timer looks once in `workqueue_watchdog_thresh` seconds whether a worker has taken an item \
         since. Of an ordered workqueue only one item is in the pool, the others are delayed until it has run: a \
         cleanup pass that takes long is no lockup, however many wait behind it.\n\
         Look at who has the CPUs: usually there is a soft lockup as well.\n\
         In a kernel: CONFIG_WQ_WATCHDOG.",
    ),
    (
        "refcount",
        "A reference is taken where the count is 0, so that the object is about to be freed, or is; or one is \
         dropped where there is none.\n\
         Every change of a count of references is compared with what it was. The count changes all the same.\n\
         Look at how the object was found: a lookup without a reference of its own needs maybe_get_net(), which \
         takes none where there is none left.\n\
         In a kernel: refcount_t, which later kernels have; v4.11 does not watch its counts, which are atomic_t.",
    ),
    (
        "null-dereference",
        "A NULL pointer, or a small offset from one, is followed.\n\
         The task is dead; the locks that it holds stay held, and the others go on, as in the kernel.\n\
         Look at who set the pointer to NULL, or not yet to anything: a lookup that found nothing, an allocation that \
         failed, data that is freed and forgotten while somebody still asks for it.\n\
         In a kernel: always there, an oops.",
    ),
    (
        "list-poison",
        "A pointer is followed that list_del() has poisoned: somebody walks to, or deletes again, an entry that is on \
         no list any more.\n\
         Links are cells with the kernel's own values, LIST_POISON1 and LIST_POISON2. The task is dead.\n\
         Look for two who delete the same entry, or for a walk without the lock that deletion is under. RCU readers \
         need list_del_rcu(), which leaves `next` as it is.\n\
         In a kernel: always there, a general protection fault; CONFIG_DEBUG_LIST tells of it before.",
    ),
    (
        "wild-pointer",
        "A pointer is followed that leads to no object and is neither NULL nor poison.\n\
         Every pointer is looked up among all objects. The task is dead.\n\
         Look at where its value was written: often it is a number, an error or memory behind the end of an object \
         that was taken for a pointer.\n\
         In a kernel: always there, an oops, if the address happens to be mapped nowhere; else CONFIG_KASAN.",
    ),
    (
        "type-confusion",
        "container_of() is applied to a list entry that lies in an object of another type: two lists were mixed up, \
         or a head was taken for an entry.\n\
         Every object knows its type. C would go on with a pointer to the wrong place; here the task is dead.\n\
         Look for a list_entry() of an empty list, and for an entry that is on another list than its owner believes.\n\
         In a kernel: nothing finds it where it happens; CONFIG_KASAN may, later.",
    ),
    (
        "bug-on",
        "A BUG() or BUG_ON() in kernel code: its condition holds. The task is dead.\n\
         The port has those of the C file.\n\
         Look at the condition, which the report names, and at what the caller has promised.\n\
         In a kernel: CONFIG_BUG, which is nearly always set.",
    ),
    (
        "panic",
        "panic() was called: nothing runs any more.\n\
         The port calls it where the C file does: where the subsystem or its first namespace cannot be set up.\n\
         Look at the message, and at the allocation that failed before.\n\
         In a kernel: always there.",
    ),
    (
        "endless-loop",
        "A task goes round without end, and without anything that another CPU could change: a soft lockup.\n\
         It is found when one step, from an operation to the next, has no end, or functions call each other \
         without end, which overflows the stack in a kernel.\n\
         Look at the list that is walked: an entry that was added twice, or added again before a grace period has \
         ended, closes it to a ring without its head.\n\
         In a kernel: CONFIG_LOCKUP_DETECTOR, after some 20 seconds.",
    ),
    (
        "out-of-memory",
        "The limit of simulated memory is reached. It is a limit of the simulation, and says nothing of a kernel.\n\
         What objects take is counted against `max_memory_mib` of the machine.\n\
         Look for a loop that allocates and never frees, or raise the limit (`--max-memory`).\n\
         In a kernel: nothing corresponds. Failing allocations are injected by `faults` and `sweep`, as by \
         CONFIG_FAILSLAB.",
    ),
];
