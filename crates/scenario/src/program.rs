// SPDX-License-Identifier: GPL-2.0-only
//! A run as a program: the first task, which boots, sets up, and lets the others go.

use std::{cell::Cell, pin::Pin, rc::Rc, sync::Arc};

use kernel::{Bus, Damage, Kernel, ListHead, NewTask, Op, Pointer, function};
use machine::ContextKind;
use netns::{Credentials, Methods, NetNs, NetPtr, PernetOpsPtr, TaskPtr, UserNsPtr};

use crate::{
    compile::level,
    events::{PERNET_EXIT, PERNET_EXIT_BATCH, PERNET_INIT},
    execute::Me,
    format::{Preempt, Rcu, SweepFrom},
    scenario::{Fault, Pernet, Run, Scenario, Variant},
    waiting::NamedBarrier,
    world::{NamedCompletion, World},
};

/// The pid of the first task of a scenario; the others follow.
pub(crate) const FIRST_PID: i32 = 100;
/// Methods of pernet operations that may call each other.
const MAX_DEPTH: usize = 4;

/// A run that is about to begin.
pub struct Started {
    /// What the run has. It must be kept until the run has ended: callbacks look for it.
    pub world: Rc<World>,
    /// The first task.
    pub main: Pin<Box<dyn Future<Output = ()>>>,
}

impl std::fmt::Debug for Started {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Started({:?})", self.world)
    }
}

/// Prepares a run on the bus of a machine, which has been reset.
///
/// # Panics
///
/// If the machine has no memory for static data: less than any [`MachineConfig`](crate::MachineConfig) asks for.
pub fn start(scenario: &Arc<Scenario>, run: &Run, variant: Variant, bus: &Rc<Bus>) -> Started {
    start_damaged(scenario, run, variant, bus, None)
}

/// The same in a kernel that is damaged, or whose statements are recorded.
///
/// # Panics
///
/// As [`start`].
pub fn start_damaged(
    scenario: &Arc<Scenario>,
    run: &Run,
    variant: Variant,
    bus: &Rc<Bus>,
    damage: Option<Rc<Damage>>,
) -> Started {
    let k = Kernel::new(bus);
    if let Some(damage) = damage {
        k.damage(damage);
    }
    let machine = scenario.machine;
    let config = netns::Config { net_ns: machine.net_ns, max_net_namespaces: machine.max_net_namespaces };
    let ns = NetNs::new(k, config, run.changes.iter().copied().collect()).expect("memory for static data");
    if scenario.watches_calls {
        ns.k.watch_calls();
    }
    let world = World::new(scenario, run, variant, ns);
    let of_main = world.clone();
    Started { world, main: Box::pin(async move { of_main.main().await }) }
}

impl World {
    async fn main(self: Rc<Self>) {
        let scenario = self.scenario.clone();
        for (index, fault) in scenario.faults.iter().enumerate() {
            if let Fault::Alloc { kind, function, nth, times } = fault {
                let what = (kind.kind(), function.as_deref());
                self.arm(None, index, what, *nth, *times);
            }
        }
        if self.make_objects(&scenario).await.is_none() {
            return self.no_memory().await;
        }
        if scenario.machine.rcu == Rcu::PerCpu {
            let flavour = if scenario.machine.preempt == Preempt::Full { "rcu_preempt" } else { "rcu_sched" };
            self.k().rcu_spawn_gp_kthread(flavour, scenario.machine.hz, scenario.machine.cpus);
        }
        if scenario.boot {
            self.ns.net_ns_init().await;
        }
        self.make_user_namespaces(&scenario).await;
        self.sweep(SweepFrom::Setup);
        if !self.leaves_out(SweepFrom::Setup) {
            self.run_body(&scenario.setup.0, Me::default()).await;
        }
        let mut made = Vec::new();
        for (index, task) in scenario.tasks.iter().enumerate() {
            let is_process = task.context == ContextKind::Process && self.has_task(index);
            made.push(if is_process { self.make_task(index).await } else { None });
        }
        self.sweep(SweepFrom::Tasks);
        if self.variant == Variant::Before {
            return;
        }
        // In one step, and the last: so they begin together.
        for (index, task_struct) in made.into_iter().enumerate() {
            let is_interrupt = scenario.tasks[index].context != ContextKind::Process;
            if task_struct.is_some() || is_interrupt && self.has_task(index) {
                self.start_task(index, task_struct);
            }
        }
    }

    /// Simulated memory ends: not a case that the kernel knows.
    pub(crate) async fn no_memory(&self) {
        self.k().bus.step(Op::Fault(kernel::Fault::OutOfMemory)).await;
    }

    /// What a module's static data would be.
    async fn make_objects(&self, scenario: &Scenario) -> Option<()> {
        for (index, pernet) in scenario.pernet.iter().enumerate() {
            if pernet.module.is_none() {
                self.make_operations(index, pernet).await?;
            }
        }
        for name in &scenario.completions {
            let bytes = NamedCompletion::layout().cells() * 8;
            let completion = self.k().bus.alloc(NamedCompletion::layout(), bytes)?;
            self.k().bus.name_object(completion, name);
            self.completions.borrow_mut().push(NamedCompletion::at(completion));
        }
        for name in &scenario.barriers {
            let bytes = NamedBarrier::layout().cells() * 8;
            let barrier = self.k().bus.alloc(NamedBarrier::layout(), bytes)?;
            self.k().bus.name_object(barrier, name);
            self.barriers.borrow_mut().push(NamedBarrier::at(barrier));
        }
        Some(())
    }

    async fn make_user_namespaces(&self, scenario: &Scenario) {
        let all = &scenario.user_namespaces;
        let mut order: Vec<usize> = (0..all.len()).collect();
        order.sort_by_key(|index| level(all, &all[*index], all.len())); // parents first
        for index in order {
            let ns = &all[index];
            let made = match self.user_ns(ns.parent) {
                Some(parent) => self.ns.create_user_ns(parent, ns.uid, ns.max).await,
                None => Err(kernel::EINVAL),
            };
            match made {
                Ok(made) => self.user_namespaces.borrow_mut()[index] = Some(made),
                Err(error) => self.fail(None, format!("user namespace {}: {error}", ns.name)),
            }
        }
    }
    /// A user namespace by its index; none: the first.
    pub(crate) fn user_ns(&self, index: Option<usize>) -> Option<UserNsPtr> {
        match index {
            None => Some(self.ns.init_user_ns),
            Some(index) => self.user_namespaces.borrow().get(index).copied().flatten(),
        }
    }

    async fn make_task(&self, index: usize) -> Option<TaskPtr> {
        let scenario = self.scenario.clone();
        let task = &scenario.tasks[index];
        let pid = FIRST_PID + i32::try_from(index).unwrap_or_default();
        let made = match self.user_ns(task.user_ns) {
            Some(user_ns) => {
                let cred = Credentials { user_ns, euid: task.uid, cap_sys_admin: task.cap_sys_admin };
                self.ns.clone_task(pid, 0, cred).await
            }
            None => Err(kernel::EINVAL),
        };
        match made {
            Ok(task_struct) => {
                // Tasks come first among processes.
                if let Some(process) = self.processes.borrow_mut().get_mut(index) {
                    *process = Some(pid);
                }
                Some(task_struct)
            }
            Err(error) => {
                self.fail(None, format!("task {}: {error}", task.name));
                None
            }
        }
    }
    /// A process, or an interrupt, which is none.
    fn start_task(self: &Rc<Self>, index: usize, task_struct: Option<TaskPtr>) {
        let (world, scenario) = (self.clone(), self.scenario.clone());
        let task = &self.scenario.tasks[index];
        let steps = Box::pin(async move {
            if let Some(time) = scenario.tasks[index].after {
                world.k().bus.step(Op::Sleep(time)).await;
            }
            if let Some(task_struct) = task_struct {
                world.ns.set_current(task_struct);
            }
            world.run_body(&scenario.tasks[index].steps.0, Me::default()).await;
        });
        let name = self.k().bus.intern(&task.name);
        let new = NewTask { name, idle: None, cpu: task.cpu, context: task.context, task: steps };
        let task = self.k().bus.spawn(new);
        self.tasks.borrow_mut()[index] = Some(task);
        self.first_task.set(self.first_task.get().or(Some(task)));
        self.arm_kills(index, task);
    }

    /// The methods of operations. They find the world only as long as somebody keeps it.
    pub(crate) fn methods(&self, index: usize, pernet: &Pernet) -> Methods {
        let mut methods = Methods::named(&pernet.name);
        let library = Rc::new(self.library_methods(index, pernet).unwrap_or_default());
        if pernet.init.is_some() || library.init.is_some() || !pernet.init_returns.is_empty() {
            let (world, library) = (self.this.clone(), library.clone());
            methods.init = Some(Rc::new(move |_, net| {
                let (world, library) = (world.upgrade(), library.clone());
                Box::pin(async move {
                    match world {
                        Some(world) => world.init(index, &library, net).await,
                        None => 0,
                    }
                })
            }));
        }
        if pernet.exit.is_some() || library.exit.is_some() {
            let (world, library) = (self.this.clone(), library.clone());
            methods.exit = Some(Rc::new(move |_, net| {
                let (world, library) = (world.upgrade(), library.clone());
                Box::pin(async move {
                    if let Some(world) = world {
                        world.exit(index, &library, net).await;
                    }
                })
            }));
        }
        if pernet.exit_batch.is_some() || library.exit_batch.is_some() {
            let world = self.this.clone();
            methods.exit_batch = Some(Rc::new(move |_, list| {
                let (world, library) = (world.upgrade(), library.clone());
                Box::pin(async move {
                    if let Some(world) = world {
                        world.exit_batch(index, &library, list).await;
                    }
                })
            }));
        }
        methods
    }
    fn operation(&self, index: usize) -> i64 {
        self.ops.borrow().get(index).map_or(0, |ops: &PernetOpsPtr| ops.addr().to_value())
    }
    async fn init(&self, index: usize, library: &Methods, net: NetPtr) -> i32 {
        let scenario = self.scenario.clone();
        let pernet = &scenario.pernet[index];
        let _f = self.k().enter(function!("pernet_init"), net.addr().to_value());
        self.k().trace(&PERNET_INIT, self.operation(index), net.addr().to_value());
        let call = {
            let mut calls = self.init_calls.borrow_mut();
            calls[index] += 1;
            calls[index]
        };
        let returns = pernet.init_returns.get(&call).copied();
        self.call_module(pernet.module).await;
        let Some(_nested) = self.nest().await else { return 0 };
        match (&library.init, returns) {
            (Some(_), Some(returns)) => return returns, // fails before it has done anything
            (Some(init), None) => return init(self.ns.clone(), net).await,
            _ => {}
        }
        if let Some(body) = &pernet.init {
            self.run_body(&body.0.0, Me { net: Some(net), module: pernet.module, ..Me::default() }).await;
        }
        returns.unwrap_or(0)
    }
    async fn exit(&self, index: usize, library: &Methods, net: NetPtr) {
        let scenario = self.scenario.clone();
        let pernet = &scenario.pernet[index];
        let _f = self.k().enter(function!("pernet_exit"), net.addr().to_value());
        self.k().trace(&PERNET_EXIT, self.operation(index), net.addr().to_value());
        self.call_module(pernet.module).await;
        let Some(_nested) = self.nest().await else { return };
        if let Some(exit) = &library.exit {
            exit(self.ns.clone(), net).await;
        }
        if let Some(body) = &pernet.exit {
            self.run_body(&body.0.0, Me { net: Some(net), module: pernet.module, ..Me::default() }).await;
        }
    }
    async fn exit_batch(&self, index: usize, library: &Methods, list: ListHead) {
        let scenario = self.scenario.clone();
        let pernet = &scenario.pernet[index];
        let _f = self.k().enter(function!("pernet_exit_batch"), 0);
        self.k().trace(&PERNET_EXIT_BATCH, self.operation(index), 0);
        self.call_module(pernet.module).await;
        let Some(_nested) = self.nest().await else { return };
        if let Some(exit_batch) = &library.exit_batch {
            exit_batch(self.ns.clone(), list).await;
        }
        if let Some(body) = &pernet.exit_batch {
            self.run_body(&body.0.0, Me { module: pernet.module, ..Me::default() }).await;
        }
    }
    /// A method begins. Only where `net_mutex` is released in one can it call another, and that without end: what
    /// overflows the stack in the kernel ends the task here.
    async fn nest(&self) -> Option<Nested<'_>> {
        if self.depth.get() >= MAX_DEPTH {
            self.k().bus.step(Op::Fault(kernel::Fault::EndlessLoop)).await;
            return None;
        }
        self.depth.set(self.depth.get() + 1);
        Some(Nested(&self.depth))
    }
}

/// A method that is running.
struct Nested<'w>(&'w Cell<usize>);

impl Drop for Nested<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}
