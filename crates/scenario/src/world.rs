// SPDX-License-Identifier: GPL-2.0-only
//! What a run of a scenario has: the kernel, what names are bound to, what was not as expected.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    fmt,
    rc::{Rc, Weak},
    sync::Arc,
};

use kernel::{Addr, Completion, Errno, Kernel, Pointer, TaskId, object};
use machine::{Effect, What};
use netns::{Links, NetNs, NetPtr, PernetOpsPtr, UserNsPtr};

use crate::{
    check::{INIT_NET, SELF},
    faults::Armed,
    format::Shown,
    modules::Loaded,
    scenario::{Run, Scenario, Sweep, Variant},
    values::Expected,
    waiting::{NamedBarrier, WaiterPtr},
};

/// More failed expectations are counted, not kept.
const MAX_FAILED: usize = 100;

object! {
    /// A completion that tasks of the scenario share.
    pub(crate) struct NamedCompletion("struct completion", "completion", "module") {
        pub(crate) done: Completion,
    }
}

/// What a name is bound to, or what a step gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Value {
    /// Nothing, yet.
    #[default]
    Unbound,
    Null,
    /// Negative, as in C.
    Error(i32),
    Number(i64),
    Bool(bool),
    Net(NetPtr),
    Socket(i64),
    /// An object of the scenario, or private data.
    Object(Addr),
}

impl From<Result<NetPtr, Errno>> for Value {
    fn from(result: Result<NetPtr, Errno>) -> Self {
        result.map_or_else(|error| Value::Error(error.negated()), Value::Net)
    }
}

impl From<Option<NetPtr>> for Value {
    fn from(net: Option<NetPtr>) -> Self {
        net.map_or(Value::Null, Value::Net)
    }
}

impl From<Result<(), Errno>> for Value {
    fn from(result: Result<(), Errno>) -> Self {
        Value::of_int(result.map_or_else(Errno::negated, |()| 0))
    }
}

impl From<Result<i32, Errno>> for Value {
    fn from(result: Result<i32, Errno>) -> Self {
        Value::of_int(result.unwrap_or_else(Errno::negated))
    }
}

impl Value {
    /// What a function of C returns: an error if it is negative.
    pub(crate) fn of_int(value: i32) -> Self {
        if value < 0 { Value::Error(value) } else { Value::Number(i64::from(value)) }
    }
}

/// A run of a scenario. Callbacks hold it weakly: whoever started the run keeps it until the end.
pub struct World {
    pub(crate) scenario: Arc<Scenario>,
    pub(crate) ns: Rc<NetNs>,
    pub(crate) this: Weak<World>,
    bindings: RefCell<Vec<Value>>,
    pub(crate) processes: RefCell<Vec<Option<i32>>>,
    pub(crate) tasks: RefCell<Vec<Option<TaskId>>>,
    pub(crate) user_namespaces: RefCell<Vec<Option<UserNsPtr>>>,
    /// NULL while their module is not loaded.
    pub(crate) ops: RefCell<Vec<PernetOpsPtr>>,
    pub(crate) links: RefCell<Vec<Rc<Links>>>,
    pub(crate) modules: RefCell<Vec<Loaded>>,
    pub(crate) init_calls: RefCell<Vec<u64>>,
    pub(crate) completions: RefCell<Vec<NamedCompletion>>,
    pub(crate) barriers: RefCell<Vec<NamedBarrier>>,
    /// Who waits at each barrier.
    pub(crate) waiters: RefCell<BTreeMap<usize, Vec<WaiterPtr>>>,
    /// Methods of pernet operations that are running.
    pub(crate) depth: Cell<usize>,
    /// The first of the tasks to begin.
    pub(crate) first_task: Cell<Option<TaskId>>,
    /// Steps that announced nothing.
    pub(crate) silent: Cell<u64>,
    /// Virtual time, as it was last told; 0 without a clock.
    pub(crate) now: Cell<u64>,
    /// For new processes, sockets and requests.
    next: Cell<i32>,
    failed: RefCell<Vec<(Option<u32>, String)>>,
    more_failed: Cell<usize>,
    skipped: Cell<usize>,
    pub(crate) armed: RefCell<Vec<Armed>>,
    /// Faults that kill, by their place, in the order in which the kernel was told.
    pub(crate) kills: RefCell<Vec<usize>>,
    pub(crate) sweep: Option<Sweep>,
    /// The tasks that there are; none for all.
    chosen: Option<BTreeSet<usize>>,
    pub(crate) variant: Variant,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "World({:?})", self.scenario.title)
    }
}

impl World {
    pub(crate) fn new(scenario: &Arc<Scenario>, run: &Run, variant: Variant, ns: Rc<NetNs>) -> Rc<Self> {
        let scenario = scenario.clone();
        Rc::new_cyclic(|this| World {
            bindings: RefCell::new(vec![Value::Unbound; scenario.bindings.len()]),
            processes: RefCell::new(vec![None; scenario.processes.len()]),
            tasks: RefCell::new(vec![None; scenario.tasks.len()]),
            user_namespaces: RefCell::new(vec![None; scenario.user_namespaces.len()]),
            ops: RefCell::new(vec![PernetOpsPtr::null(); scenario.pernet.len()]),
            links: RefCell::new(scenario.pernet.iter().map(|_| Rc::default()).collect()),
            modules: RefCell::new(vec![Loaded::default(); scenario.modules.len()]),
            init_calls: RefCell::new(vec![0; scenario.pernet.len()]),
            completions: RefCell::default(),
            barriers: RefCell::default(),
            waiters: RefCell::default(),
            depth: Cell::new(0),
            first_task: Cell::new(None),
            silent: Cell::new(0),
            now: Cell::new(0),
            next: Cell::new(1000),
            failed: RefCell::default(),
            more_failed: Cell::new(0),
            skipped: Cell::new(0),
            armed: RefCell::default(),
            kills: RefCell::default(),
            sweep: run.sweep.clone(),
            chosen: run.tasks.clone(),
            variant,
            scenario,
            ns,
            this: this.clone(),
        })
    }
    /// To be told of every event's time, before the next step of a task: measuring takes no operation, and so no time.
    pub fn tell_time(&self, now: u64) {
        self.now.set(now);
    }
    /// The scenario.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }
    /// Whether there is this task.
    pub(crate) fn has_task(&self, index: usize) -> bool {
        self.chosen.as_ref().is_none_or(|chosen| chosen.contains(&index))
    }
    /// Whether the story begins with this, if it has not begun before.
    pub fn shows_from(&self, what: &What) -> bool {
        match self.scenario.timeline {
            Shown::All => true,
            Shown::Tasks => match what {
                What::Effect(Effect::Spawn(task)) => self.first_task.get() == Some(*task),
                _ => false,
            },
            Shown::Nothing => false,
        }
    }
    /// The network-namespace subsystem of the run.
    pub fn ns(&self) -> &Rc<NetNs> {
        &self.ns
    }
    pub(crate) fn k(&self) -> &Kernel {
        &self.ns.k
    }
    /// What all names are bound to.
    pub(crate) fn values(&self) -> Vec<Value> {
        self.bindings.borrow().clone()
    }
    /// What every name is bound to, in words.
    pub fn bindings(&self) -> Vec<(String, String)> {
        let values = self.bindings.borrow();
        let names = self.scenario.bindings.iter();
        let text = |value: Value| match value {
            // The name is said already.
            Value::Net(net) => self.describe_net(net, self.ns.describe(net.addr())),
            value => self.describe(value),
        };
        names.zip(values.iter()).map(|(name, value)| (name.clone(), text(*value))).collect()
    }
    /// How many steps were skipped because a name was not bound to anything.
    pub fn skipped(&self) -> usize {
        self.skipped.get()
    }
    /// The namespace that a name is bound to: `init_net`, or a binding.
    pub fn net_named(&self, name: &str) -> Option<NetPtr> {
        if name == "init_net" {
            return Some(self.ns.init_net);
        }
        let slot = self.scenario.bindings.iter().position(|known| known == name)?;
        match self.bindings.borrow().get(slot) {
            Some(Value::Net(net)) => Some(*net),
            _ => None,
        }
    }
    /// The first name that is bound to a namespace.
    pub fn name_of(&self, net: NetPtr) -> Option<&str> {
        if net == self.ns.init_net {
            return Some("init_net");
        }
        let slot = self.bindings.borrow().iter().position(|value| *value == Value::Net(net))?;
        self.scenario.bindings.get(slot).map(String::as_str)
    }
    /// The first name of every namespace that has one.
    pub(crate) fn names(&self) -> BTreeMap<NetPtr, &str> {
        let mut names = BTreeMap::from([(self.ns.init_net, "init_net")]);
        for (name, value) in self.scenario.bindings.iter().zip(self.bindings.borrow().iter()) {
            if let Value::Net(net) = value {
                names.entry(*net).or_insert(name);
            }
        }
        names
    }
    /// A namespace in words: `net 1`, and the name bound to it.
    pub(crate) fn net_text(&self, net: NetPtr) -> String {
        self.net_text_with(net, self.name_of(net))
    }
    pub(crate) fn net_text_with(&self, net: NetPtr, name: Option<&str>) -> String {
        let text = self.ns.describe(kernel::Pointer::addr(net));
        match name {
            Some(name) if name != text => format!("{text} ({name})"),
            _ => text,
        }
    }

    pub(crate) fn get(&self, slot: u32) -> Value {
        match slot {
            INIT_NET => Value::Net(self.ns.init_net),
            SELF => Value::Unbound,
            _ => self.bindings.borrow().get(slot as usize).copied().unwrap_or_default(),
        }
    }
    pub(crate) fn set(&self, slot: u32, value: Value) {
        if let Some(binding) = self.bindings.borrow_mut().get_mut(slot as usize) {
            *binding = value;
        }
    }
    /// A number that was not given out before.
    pub(crate) fn next_number(&self) -> i32 {
        self.next.replace(self.next.get().wrapping_add(1).max(1000))
    }
    pub(crate) fn skip(&self) {
        self.skipped.set(self.skipped.get() + 1);
    }

    /// Something was not as expected.
    pub(crate) fn fail(&self, step: Option<u32>, text: String) {
        let mut failed = self.failed.borrow_mut();
        if failed.len() < MAX_FAILED {
            failed.push((step, text));
        } else {
            self.more_failed.set(self.more_failed.get() + 1);
        }
    }
    /// What was not as expected while it ran, and how much more.
    pub(crate) fn failed(&self) -> (Vec<(Option<u32>, String)>, usize) {
        (self.failed.borrow().clone(), self.more_failed.get())
    }

    /// Whether a value is what was expected. `me` is `self`.
    pub(crate) fn is_expected(&self, expected: &Expected, value: Value, me: Option<NetPtr>) -> bool {
        match (expected, value) {
            (Expected::Any, _) | (Expected::Null, Value::Null) => true,
            (Expected::Bool(expected), Value::Bool(value)) => *expected == value,
            (Expected::Bool(true), value) => matches!(value, Value::Net(_) | Value::Object(_)),
            (Expected::Bool(false), value) => matches!(value, Value::Null | Value::Error(_)),
            (Expected::Number(expected), Value::Number(value)) => *expected == value,
            (Expected::Number(expected), Value::Error(error)) => *expected == i64::from(error),
            (Expected::Error(expected), Value::Error(error)) => *expected == error,
            (Expected::Net(name), Value::Net(net)) => match name.slot {
                SELF => me == Some(net),
                slot => self.get(slot) == value,
            },
            _ => false,
        }
    }
    pub(crate) fn describe_expected(&self, expected: &Expected) -> String {
        match expected {
            Expected::Any => "anything".to_owned(),
            Expected::Null => "NULL".to_owned(),
            Expected::Bool(true) => "true".to_owned(),
            Expected::Bool(false) => "false".to_owned(),
            Expected::Number(n) => n.to_string(),
            Expected::Error(error) => Errno(-error).to_string(),
            Expected::Net(name) | Expected::Text(name) => name.text.to_string(),
        }
    }
    pub(crate) fn describe(&self, value: Value) -> String {
        match value {
            Value::Unbound => "nothing".to_owned(),
            Value::Null => "NULL".to_owned(),
            Value::Error(error) => Errno(error.wrapping_neg()).to_string(),
            Value::Number(n) => n.to_string(),
            Value::Socket(n) => format!("socket {n}"),
            Value::Bool(value) => value.to_string(),
            Value::Net(net) => self.describe_net(net, self.net_text(net)),
            Value::Object(addr) => self.ns.describe(addr),
        }
    }
    fn describe_net(&self, net: NetPtr, text: String) -> String {
        if self.ns.is_freed(net.addr()) { format!("{text}, freed") } else { text }
    }
}
