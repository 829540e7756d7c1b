// SPDX-License-Identifier: GPL-2.0-only
//! The driver of a recording: one context runs at a time, and others only where a hook, a grace period or a wait
//! lets them.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    rc::Rc,
};

use kernel::{Addr, Op, workqueue::WORKQUEUE_EXECUTE_START};
use machine::{Bus, Choice, Driver, Effect, Event, Finding, Locking, TaskId, What};
use machine_sim::Outcome;
use netns::NetNs;
use serde_json::Value;

use super::{
    Observed,
    events::{Events, OP_END, RCU_RUN},
};

/// Operations that run in another context when the code comes to a point.
#[derive(Clone, Debug)]
pub(super) struct Hook {
    pub(super) point: String,
    /// How often the point is still to be passed.
    pub(super) nth: u64,
    pub(super) fired: bool,
    /// The context, which was made when the hook was armed.
    pub(super) task: TaskId,
}

/// The locks that recordings speak of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Locks {
    pub(super) net_mutex: Addr,
    pub(super) rtnl_mutex: Addr,
    pub(super) cleanup_list_lock: Addr,
    pub(super) barrier_mutex: Addr,
}

/// What the contexts and their driver share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Events that a context itself has to tell, by number.
    pub(super) notes: RefCell<Vec<Value>>,
    pub(super) hooks: RefCell<Vec<Hook>>,
    /// Contexts that another one waits for.
    pub(super) children: RefCell<Vec<TaskId>>,
    /// Contexts that are killed while they wait for `net_mutex`.
    pub(super) killed: RefCell<BTreeSet<TaskId>>,
    /// The context that holds `net_mutex` meanwhile, without anybody noticing.
    pub(super) holder: Cell<Option<TaskId>>,
    pub(super) locks: Cell<Option<Locks>>,
    /// The subsystem, for the bytes of its messages.
    pub(super) ns: RefCell<Option<Rc<NetNs>>>,
    pub(super) observed: Rc<RefCell<Observed>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The sequence itself, a hook, or a context that another one waits for.
    Operations,
    /// RCU callbacks: until they wait for more.
    Callbacks,
}

/// A walk over the hooks that are armed for the points that a context has come to.
#[derive(Debug)]
struct Pass {
    points: Vec<String>,
    point: usize,
    hook: usize,
}

#[derive(Debug)]
struct Context {
    task: TaskId,
    kind: Kind,
    /// It has announced something that was not looked at.
    is_new: bool,
    pass: Option<Pass>,
    /// What its last step did.
    unlocked: Option<Addr>,
    work_started: bool,
    /// Whether the callbacks that were queued when its grace period began have been taken.
    batch_taken: bool,
    /// Its next grace period passes by itself.
    rcu_run: bool,
    has_run: bool,
}

impl Context {
    fn new(task: TaskId, kind: Kind) -> Self {
        Context {
            task,
            kind,
            is_new: true,
            pass: None,
            unlocked: None,
            work_started: false,
            batch_taken: false,
            rcu_run: false,
            has_run: false,
        }
    }
}

/// The driver.
#[derive(Debug)]
pub(super) struct Contexts {
    bus: Rc<Bus>,
    shared: Rc<Shared>,
    events: Events,
    stack: Vec<Context>,
    /// How many operations of the holder are to follow.
    holder_steps: u32,
    net_mutex_held: bool,
}

impl Contexts {
    pub(super) fn new(bus: &Rc<Bus>, observed: Rc<RefCell<Observed>>) -> Self {
        let shared = Rc::new(Shared { observed, ..Shared::default() });
        Contexts {
            bus: bus.clone(),
            events: Events::new(bus.clone(), shared.clone()),
            shared,
            stack: vec![Context::new(TaskId(0), Kind::Operations)],
            holder_steps: 0,
            net_mutex_held: false,
        }
    }
    pub(super) fn shared(&self) -> Rc<Shared> {
        self.shared.clone()
    }
    /// The execution is over.
    pub(super) fn ended(&mut self, outcome: Outcome) {
        if let Outcome::Limit(_) = outcome {
            self.events.end("endless loop (the limit of operations is reached)");
        } else if !self.stack.is_empty() {
            self.events.end(&format!("blocked: {outcome:?}"));
        }
    }

    fn index_of(choice: &Choice<'_>, task: TaskId) -> Option<usize> {
        choice.ready.position(task)
    }

    /// The points that the top context has come to.
    fn points(&self, op: Op) -> Vec<String> {
        let (Some(top), Some(locks)) = (self.stack.last(), self.shared.locks.get()) else {
            return Vec::new();
        };
        let mut points = Vec::new();
        if top.work_started {
            points.push("work_started".to_owned());
        }
        let point = match op {
            Op::PreemptEnable => match top.unlocked {
                Some(lock) if lock == locks.net_mutex => "net_mutex_released",
                Some(lock) if lock == locks.rtnl_mutex => "rtnl_released",
                Some(lock) if lock == locks.cleanup_list_lock => "cleanup_list_unlocked",
                Some(lock) if lock == locks.barrier_mutex => "barrier_done",
                Some(lock) if self.is_nsid_lock(lock) => "nsid_unlocked",
                _ => return points,
            },
            Op::Lock(lock, _) if lock == locks.net_mutex => "net_mutex_wait",
            Op::Lock(lock, _) if lock == locks.rtnl_mutex => "rtnl_wait",
            Op::Lock(lock, _) if lock == locks.barrier_mutex => "barrier",
            Op::GraceEnd if top.kind == Kind::Operations && !top.rcu_run => "sync",
            Op::MightSleep(kind) => {
                points.push(format!("alloc:{kind}"));
                return points;
            }
            _ => return points,
        };
        points.push(point.to_owned());
        points
    }

    fn is_nsid_lock(&self, lock: Addr) -> bool {
        self.bus.inspect(|memory| {
            let field = memory.object(lock).and_then(|object| object.layout.field(lock.cell()));
            field.is_some_and(|field| field.name == "nsid_lock")
        })
    }

    /// The context of the next hook that fires in the pass of the top context.
    fn next_hook(&mut self) -> Option<TaskId> {
        let pass = self.stack.last_mut()?.pass.as_mut()?;
        let mut hooks = self.shared.hooks.borrow_mut();
        while let Some(point) = pass.points.get(pass.point) {
            while let Some(hook) = hooks.get_mut(pass.hook) {
                pass.hook += 1;
                if hook.fired || hook.point != *point {
                    continue;
                }
                hook.nth = hook.nth.saturating_sub(1);
                if hook.nth == 0 {
                    hook.fired = true;
                    return Some(hook.task);
                }
            }
            (pass.point, pass.hook) = (pass.point + 1, 0);
        }
        None
    }

    /// RCU callbacks that wait to be run, or are being run.
    fn callbacks(choice: &Choice<'_>, bus: &Bus) -> Option<TaskId> {
        let of_rcu = |task: &TaskId| bus.name(choice.names[task.index()]).starts_with("rcuc");
        choice.ready.iter().find(of_rcu)
    }

    /// Decides for the top context: an index, or none if the stack has changed.
    fn decide(&mut self, choice: &Choice<'_>) -> Decision {
        let Some(top) = self.stack.last_mut() else { return Decision::End };
        let Some(announced) = choice.announced[top.task.index()] else {
            self.stack.pop(); // it has ended, or is dead
            return Decision::Again;
        };
        let is_idle = top.kind == Kind::Callbacks && top.has_run && matches!(announced.op, Op::Wait(_));
        if is_idle {
            self.stack.pop();
            return Decision::Again;
        }
        if announced.op == Op::GraceEnd && top.kind == Kind::Operations && !top.batch_taken {
            // What is queued by now runs; what hooks queue stays for the next time.
            let callbacks = Self::callbacks(choice, &self.bus);
            let starts = callbacks.is_some_and(|task| choice.announced(task).op == Op::Start);
            top.batch_taken = !starts;
            if let Some(index) = callbacks.and_then(|task| Self::index_of(choice, task)) {
                return Decision::Choose(index);
            }
        }
        if std::mem::take(&mut top.is_new) {
            let points = self.points(announced.op);
            if let Some(top) = self.stack.last_mut() {
                top.pass = Some(Pass { points, point: 0, hook: 0 });
            }
        }
        if let Some(hook) = self.next_hook() {
            self.stack.push(Context::new(hook, Kind::Operations));
            return Decision::Again;
        }
        self.decide_after_hooks(choice, announced.op)
    }

    fn decide_after_hooks(&mut self, choice: &Choice<'_>, op: Op) -> Decision {
        let Some(top) = self.stack.last() else { return Decision::End };
        let (task, kind) = (top.task, top.kind);
        if op == Op::GraceEnd && kind == Kind::Operations {
            // Callbacks that were taken run before the grace period ends.
            let running = Self::callbacks(choice, &self.bus)
                .filter(|task| choice.announced[task.index()].is_some_and(|a| !matches!(a.op, Op::Wait(_))));
            if let Some(callbacks) = running {
                self.stack.push(Context { has_run: true, ..Context::new(callbacks, Kind::Callbacks) });
                return Decision::Again;
            }
        }
        if matches!(op, Op::Lock(_, Locking::MutexKillable)) && self.shared.killed.borrow().contains(&task) {
            if !self.net_mutex_held && self.holder_steps == 0 {
                self.holder_steps = 2;
            }
            if let Some(decision) = self.step_holder(choice) {
                return decision;
            }
        }
        match Self::index_of(choice, task) {
            Some(index) => Decision::Choose(index),
            None => {
                let child = self.shared.children.borrow_mut().pop();
                if let Some(child) = child {
                    self.stack.push(Context::new(child, Kind::Operations));
                    return Decision::Again;
                }
                match Self::callbacks(choice, &self.bus) {
                    Some(callbacks) if kind == Kind::Operations => {
                        self.stack.push(Context::new(callbacks, Kind::Callbacks));
                        Decision::Again
                    }
                    _ => Decision::End,
                }
            }
        }
    }

    fn step_holder(&mut self, choice: &Choice<'_>) -> Option<Decision> {
        if self.holder_steps == 0 {
            return None;
        }
        let index = Self::index_of(choice, self.shared.holder.get()?)?;
        self.holder_steps -= 1;
        Some(Decision::Choose(index))
    }
}

enum Decision {
    Choose(usize),
    Again,
    End,
}

impl Driver for Contexts {
    fn choose(&mut self, choice: &Choice<'_>) -> Option<usize> {
        if self.events.has_ended() {
            return None;
        }
        // The holder first gets to the place where it waits for its turn, and later back to it.
        if let Some(holder) = self.shared.holder.get() {
            let starts = choice.announced[holder.index()].is_some_and(|announced| announced.op == Op::Start);
            if starts {
                return Self::index_of(choice, holder);
            }
            if self.holder_steps > 0
                && let Some(Decision::Choose(index)) = self.step_holder(choice)
            {
                return Some(index);
            }
        }
        loop {
            match self.decide(choice) {
                Decision::Choose(index) => return Some(index),
                Decision::Again => {}
                Decision::End => return None,
            }
        }
    }

    fn happened(&mut self, event: &Event) {
        let task = event.current.task;
        let is_holder = self.shared.holder.get() == Some(task);
        let net_mutex = self.shared.locks.get().map(|locks| locks.net_mutex);
        match event.what {
            What::Op(Op::Lock(lock, _), answer) if Some(lock) == net_mutex => {
                if answer == 0 {
                    self.net_mutex_held = true;
                } else if self.net_mutex_held && !is_holder {
                    self.holder_steps = 2; // interrupted: the holder lets go
                }
            }
            What::Effect(Effect::Unlock(lock, _)) if Some(lock) == net_mutex => self.net_mutex_held = false,
            _ => {}
        }
        if is_holder {
            return;
        }
        if let Some(context) = self.stack.iter_mut().rev().find(|context| context.task == task) {
            match event.what {
                What::Op(..) => {
                    context.is_new = true;
                    context.has_run = true;
                    context.batch_taken = false;
                    context.unlocked = None;
                    context.work_started = false;
                }
                What::Effect(Effect::Unlock(lock, _)) => context.unlocked = Some(lock),
                What::Effect(Effect::Trace(point, _, _)) if point.name == RCU_RUN.name => {
                    context.rcu_run = true
                }
                What::Effect(Effect::Trace(point, _, _)) if point.name == OP_END.name => {
                    context.rcu_run = false
                }
                What::Effect(Effect::Trace(point, _, _)) if point.name == WORKQUEUE_EXECUTE_START.name => {
                    context.work_started = true;
                }
                _ => {}
            }
        }
        self.events.happened(event);
    }

    fn found(&mut self, finding: &Finding) {
        self.events.found(finding);
    }
}
