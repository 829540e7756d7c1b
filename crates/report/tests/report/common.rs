// SPDX-License-Identifier: GPL-2.0-only
//! A run made by hand: a bus with two objects, and a timeline that is told what happened.

use std::{panic::Location, rc::Rc};

use machine::{
    Access, Addr, Announced, Bug, Bus, Cell, CellKind, Choice, Current, Driver, Effect, Event, Field,
    Finding, Function, Kind, Layout, Op, Points, Slab, Symbol, TaskId, What, function,
};
use report::{Detail, Paint, Timeline};

static NET: Layout = Layout {
    name: "struct net",
    short: "net",
    cache: "net_namespace",
    fields: &[
        Field { name: "count", cell: 0, cells: 1, kind: CellKind::Marked, parts: &[] },
        Field { name: "lock", cell: 1, cells: 1, kind: CellKind::Lock, parts: &[] },
        Field { name: "r#gen", cell: 2, cells: 1, kind: CellKind::Marked, parts: &[] },
    ],
};
static STATICS: Layout = Layout {
    name: "static data",
    short: "static data",
    cache: "static",
    fields: &[Field { name: "net_mutex", cell: 0, cells: 1, kind: CellKind::Lock, parts: &[] }],
};

/// What a watcher is told.
pub(crate) struct Told {
    pub(crate) bus: Rc<Bus>,
    pub(crate) net: Addr,
    pub(crate) net_mutex: Addr,
    pub(crate) timeline: Timeline,
    names: Vec<Symbol>,
    cpus: Vec<u32>,
}

impl Told {
    pub(crate) fn new(detail: Detail, room: usize, tasks: &[(&str, u32)]) -> Self {
        let bus = Bus::new();
        bus.reset(Slab::Exact, 1024, Points::default());
        let net_mutex = bus.alloc_static(&STATICS, "static data").expect("room");
        let net = bus.alloc(&NET, 24).expect("room");
        let names = tasks.iter().map(|(name, _)| bus.intern(name)).collect();
        let cpus = tasks.iter().map(|(_, cpu)| *cpu).collect();
        let mut told = Told { bus, net, net_mutex, timeline: Timeline::new(detail, room), names, cpus };
        told.choice(None, &[]);
        for task in 0..tasks.len() {
            told.op(task as u32, Op::Start, 0);
        }
        told
    }
    /// The machine looks for who can go on.
    pub(crate) fn choice(&mut self, running: Option<u32>, announced: &[Option<Op>]) {
        self.choice_of(running, announced, &[]);
    }
    /// The same, where these could go on later.
    pub(crate) fn choice_of(&mut self, running: Option<u32>, announced: &[Option<Op>], possible: &[usize]) {
        let (mut set, nobody) = (machine::TaskSet::default(), machine::TaskSet::default());
        possible.iter().for_each(|task| set.set(*task, true));
        let announce = |op: Op| Announced { op, loc: Location::caller() };
        let announced: Vec<_> = announced.iter().map(|op| op.map(announce)).collect();
        let stacks = vec![Vec::new(); self.names.len()];
        let choice = Choice {
            ready: machine::Ready::NOBODY,
            possible: machine::Ready::new(None, &set, &nobody),
            running: running.map(TaskId),
            announced: &announced,
            stacks: &stacks,
            names: &self.names,
        };
        self.timeline.choose(&choice);
    }
    pub(crate) fn event(&mut self, task: u32, what: What) {
        let current = Current { task: TaskId(task), cpu: self.cpus[task as usize] };
        self.timeline.happened(&Event { current, what, loc: Location::caller(), time: 0 });
    }
    pub(crate) fn effect(&mut self, task: u32, effect: Effect) {
        self.event(task, What::Effect(effect));
    }
    pub(crate) fn op(&mut self, task: u32, op: Op, answer: i64) {
        self.event(task, What::Op(op, answer));
    }
    pub(crate) fn enter(&mut self, task: u32, function: &'static Function, arg: Addr) {
        self.effect(task, Effect::Enter(function, arg.to_value()));
    }
    pub(crate) fn leave(&mut self, task: u32) {
        self.effect(task, Effect::Leave(1));
    }
    pub(crate) fn text(&self) -> String {
        self.timeline.render(&self.bus, 60, Paint::Never)
    }
    pub(crate) fn access(&self, task: u32, function: &'static str) -> Access {
        let (task, id) = (self.names[task as usize], TaskId(task));
        Access { task, id, function, loc: Location::caller(), step: 7 }
    }
    pub(crate) fn cell(&self) -> Cell {
        Cell {
            object: "net 1".to_owned(),
            class: "struct net",
            cache: "net_namespace",
            size: 24,
            capacity: 24,
            offset: 0,
            field: Some("count"),
        }
    }
    /// A use after free by the second task.
    pub(crate) fn use_after_free(&self) -> Finding {
        let bug = Bug::UseAfterFree {
            cell: self.cell(),
            kind: Kind::Write,
            allocated: self.access(0, "net_alloc"),
            freed: self.access(0, "net_free"),
        };
        self.finding(bug)
    }
    pub(crate) fn finding(&self, bug: Bug) -> Finding {
        let frame = |function, arg| machine::Frame { function, arg, loc: Location::caller() };
        let stack =
            vec![frame(function!("get_net_ns_by_id"), 0), frame(function!("get_net"), self.net.to_value())];
        Finding { bug, by: self.access(1, "get_net"), stack }
    }
}
