// SPDX-License-Identifier: GPL-2.0-only
//! Exploration: every execution that loom can tell apart, until one fails.

use std::{
    cell::RefCell,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use machine::{Bus, Finding};

use crate::{
    machine::{Asked, LockClass, Loom},
    report,
};

thread_local! {
    /// The execution that goes on, on this thread: who catches its panic asks it what happened.
    static CURRENT: RefCell<Option<Rc<Loom>>> = const { RefCell::new(None) };
}

/// How far to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How often a thread that could go on is preempted in one execution; none for as often as can be.
    pub preemptions: Option<usize>,
    /// The choices of one execution; more are a failure.
    pub max_branches: usize,
}

impl Default for Bounds {
    /// Two preemptions, ten thousand choices.
    fn default() -> Self {
        Bounds { preemptions: Some(2), max_branches: 10_000 }
    }
}

/// All executions within the bounds are clean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explored {
    /// How many there are.
    pub executions: u64,
    /// How often a `WARN_ON()` fired in all of them together.
    pub warnings: u64,
}

/// An execution that is not clean. Its `Display` is the whole report.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What is wrong: the line that kernel people search a log for, then who did it, and who waits for what.
    pub text: String,
    /// The last operations and effects of all tasks in the order in which they happened, one each.
    pub trace: Vec<String>,
    /// The bug; none if a limit was reached or the model itself panicked.
    pub finding: Option<Box<Finding>>,
    /// The number of the execution, from 1.
    pub execution: u64,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        writeln!(f, "in execution {}, of which the last is:", self.execution)?;
        self.trace.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

/// Runs `main`, and all that it spawns, in every way that loom can tell apart within `bounds`.
///
/// # Errors
///
/// The first execution that fails. Of an execution that fails, the tasks are leaked.
pub fn explore<F>(
    bounds: Bounds,
    main: impl Fn(Rc<Bus>) -> F + Send + Sync + 'static,
) -> Result<Explored, Failure>
where
    F: Future<Output = ()> + 'static,
{
    let main = Arc::new(main);
    let mut asked = Asked::new();
    loop {
        match explore_once(bounds, &main, &asked) {
            End::Clean(explored) => return Ok(explored),
            End::Failed(failure) => return Err(failure),
            End::Asked(lock) => asked.insert(lock),
        };
    }
}

/// How one exploration ended.
enum End {
    Clean(Explored),
    Failed(Failure),
    /// It must be told of this lock.
    Asked(LockClass),
}

fn explore_once<F, M>(bounds: Bounds, main: &Arc<M>, asked: &Asked) -> End
where
    F: Future<Output = ()> + 'static,
    M: Fn(Rc<Bus>) -> F + Send + Sync + 'static,
{
    let executions = Arc::new(AtomicU64::new(0));
    let warnings = Arc::new(AtomicU64::new(0));
    let counted = (executions.clone(), warnings.clone());
    let (main, asked) = (main.clone(), asked.clone());
    let check = move || {
        counted.0.fetch_add(1, Ordering::Relaxed);
        let machine = Loom::new(asked.clone());
        CURRENT.set(Some(machine.clone()));
        machine.run(&*main);
        counted.1.fetch_add(machine.warnings.get(), Ordering::Relaxed);
        CURRENT.take();
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| builder(bounds).check(check)));
    let executions = executions.load(Ordering::Relaxed);
    match (outcome, CURRENT.take()) {
        (Ok(()), _) => End::Clean(Explored { executions, warnings: warnings.load(Ordering::Relaxed) }),
        (Err(panic), Some(machine)) => match machine.asked_now.get() {
            Some(lock) => End::Asked(lock),
            None => End::Failed(report::failure(&machine, panic.as_ref(), executions)),
        },
        (Err(panic), None) => std::panic::resume_unwind(panic),
    }
}

/// Nothing of it comes from the environment.
fn builder(bounds: Bounds) -> loom::model::Builder {
    let mut builder = loom::model::Builder::new();
    builder.max_threads = loom::MAX_THREADS;
    builder.max_branches = bounds.max_branches;
    builder.preemption_bound = bounds.preemptions.map(|bound| bound.min(usize::from(u8::MAX)));
    builder.max_permutations = None;
    builder.max_duration = None;
    builder.checkpoint_file = None;
    builder.location = false;
    builder.log = false;
    builder
}
