// SPDX-License-Identifier: GPL-2.0-only
//! Names: who declares them, who refers to them, and what is wrong with that.

mod steps;

use std::{collections::BTreeMap, fmt};

use machine::ContextKind;
use netns::Subsystem;
use serde::Deserialize;

use crate::{
    diagnostic::{Diagnostic, similar},
    source::{Seg, Source},
    values::Check,
};

/// More diagnostics help nobody.
pub(crate) const MAX_DIAGNOSTICS: usize = 32;
/// The steps that a scenario may have.
pub(crate) const MAX_STEPS: usize = 1_000_000;

/// How deep steps may lie in steps.
const MAX_NESTING: usize = 16;

/// Stands for `init_net` among bindings.
pub(crate) const INIT_NET: u32 = u32::MAX;
/// Stands for `self` among bindings.
pub(crate) const SELF: u32 = u32::MAX - 1;

/// What a name is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Net,
    Number,
    Fd,
    Socket,
    Pid,
    Task,
    Ops,
    UserNs,
    Completion,
    Object,
    Module,
    Barrier,
}

impl Kind {
    /// Names of one scope must differ from each other.
    fn scope(self) -> Scope {
        match self {
            Kind::Net | Kind::Number | Kind::Fd | Kind::Socket | Kind::Object => Scope::Bindings,
            Kind::Pid | Kind::Task => Scope::Processes,
            Kind::Ops => Scope::Ops,
            Kind::UserNs => Scope::UserNs,
            Kind::Completion => Scope::Completions,
            Kind::Module => Scope::Modules,
            Kind::Barrier => Scope::Barriers,
        }
    }
    pub(crate) fn words(self) -> &'static str {
        match self {
            Kind::Net => "namespace",
            Kind::Number => "id",
            Kind::Fd => "file descriptor",
            Kind::Socket => "socket",
            Kind::Pid => "process",
            Kind::Task => "task",
            Kind::Ops => "pernet operations",
            Kind::UserNs => "user namespace",
            Kind::Completion => "completion",
            Kind::Object => "object",
            Kind::Module => "module",
            Kind::Barrier => "barrier",
        }
    }
    /// The same with an article.
    fn a_word(self) -> String {
        let words = self.words();
        let article = if words.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
        format!("{article} {words}")
    }
    fn undeclared(self) -> &'static str {
        match self {
            Kind::Net | Kind::Number | Kind::Fd | Kind::Socket | Kind::Object => "S020",
            Kind::Pid | Kind::Task => "S021",
            Kind::Ops => "S022",
            Kind::UserNs => "S023",
            Kind::Completion | Kind::Barrier => "S024",
            Kind::Module => "S044",
        }
    }
    pub(crate) fn how_to_declare(self) -> &'static str {
        match self {
            Kind::Net | Kind::Number | Kind::Fd | Kind::Socket | Kind::Object => {
                "a step binds a name by its field `as`"
            }
            Kind::Pid => "processes are the tasks, and what `clone` names",
            Kind::Task => "tasks are listed under `tasks`",
            Kind::Ops => "pernet operations are declared under `pernet`",
            Kind::UserNs => {
                "user namespaces are declared under `user_namespaces`; the first is `init_user_ns`"
            }
            Kind::Completion => "somebody must `complete` it",
            Kind::Module => "modules are declared under `modules`",
            Kind::Barrier => "tasks meet at a `barrier`",
        }
    }
}

/// Where names are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    Bindings,
    Processes,
    Ops,
    UserNs,
    Completions,
    Modules,
    Barriers,
}

/// Names by slot, of every scope.
pub(crate) type Names = BTreeMap<Scope, Vec<String>>;

/// A name, as it was declared first.
#[derive(Clone, Debug)]
struct Declared {
    kind: Kind,
    slot: u32,
    path: Vec<Seg>,
}

/// Where a step is: its own part of the path, and the step around it.
#[derive(Clone, Debug)]
pub(crate) struct StepPlace {
    parent: Option<u32>,
    /// How many steps it is in, itself included.
    depth: usize,
    path: Box<[Seg]>,
}

/// The way through a scenario that finds what is wrong with it.
#[derive(Debug)]
pub(crate) struct Checker<'s> {
    source: &'s Source,
    path: Vec<Seg>,
    diagnostics: Vec<Diagnostic>,
    scopes: BTreeMap<Scope, BTreeMap<String, Declared>>,
    /// Names by slot, of every scope.
    names: Names,
    /// Whether `self` is a namespace here.
    has_self: bool,
    boots: bool,
    /// Whether there is a clock.
    is_timed: bool,
    /// Whether failures ask for the functions that tasks are in.
    pub(crate) watches_calls: bool,
    /// Whether operations have an id, and which subsystem of the library they are, by slot.
    operations: Vec<(bool, Option<&'static Subsystem>)>,
    /// How many tasks meet at a barrier, by slot.
    meetings: Vec<i64>,
    /// Which copy of a task is being read: names that it binds are its own.
    copy: Option<u32>,
    /// In which context what is being read runs.
    context: ContextKind,
    places: Vec<StepPlace>,
    /// The step that we are in, and the length of its path.
    parent: (Option<u32>, usize),
}

impl<'s> Checker<'s> {
    pub(crate) fn new(source: &'s Source, boots: bool, is_timed: bool) -> Self {
        Checker {
            source,
            path: Vec::new(),
            diagnostics: Vec::new(),
            scopes: BTreeMap::new(),
            names: BTreeMap::new(),
            has_self: false,
            boots,
            is_timed,
            watches_calls: false,
            operations: Vec::new(),
            meetings: Vec::new(),
            copy: None,
            context: ContextKind::Process,
            places: Vec::new(),
            parent: (None, 0),
        }
    }
    /// What was found, and what else is known.
    pub(crate) fn finish(self) -> Result<(Vec<StepPlace>, Names), Vec<Diagnostic>> {
        if self.diagnostics.is_empty() { Ok((self.places, self.names)) } else { Err(self.diagnostics) }
    }
    /// Whether more diagnostics would not be kept.
    pub(crate) fn is_full(&self) -> bool {
        self.diagnostics.len() >= MAX_DIAGNOSTICS
    }
    pub(crate) fn within<const N: usize>(&mut self, segs: [Seg; N], f: impl FnOnce(&mut Self)) {
        let len = self.path.len();
        self.path.extend(segs);
        f(self);
        self.path.truncate(len);
    }
    pub(crate) fn with_self(&mut self, has_self: bool, f: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.has_self, has_self);
        f(self);
        self.has_self = before;
    }
    /// A step begins here: `f` is told its place.
    pub(crate) fn step(&mut self, f: impl FnOnce(&mut Self, u32)) {
        let place = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        if self.places.len() == MAX_STEPS {
            self.report(
                Diagnostic::new("S015", format!("there are more than {MAX_STEPS} steps")),
                "too many",
            );
        }
        let (parent, len) = self.parent;
        let depth = parent.map_or(1, |parent| self.places[parent as usize].depth + 1);
        if depth == MAX_NESTING + 1 {
            let message = format!("steps are nested more than {MAX_NESTING} deep");
            self.report_key(Diagnostic::new("S005", message), "too deep");
        }
        self.places.push(StepPlace { parent, depth, path: self.path[len..].into() });
        self.parent = (Some(place), self.path.len());
        f(self, place);
        self.parent = (parent, len);
    }

    /// Adds a diagnostic about the value here.
    pub(crate) fn report(&mut self, diagnostic: Diagnostic, label: &str) {
        if !self.is_silent() {
            let here = self.source.label(&self.path, label);
            self.push(diagnostic, here);
        }
    }
    /// Adds a diagnostic about a part of the string here, or all of it if the part is written differently.
    pub(crate) fn report_part(&mut self, diagnostic: Diagnostic, part: &str, label: &str) {
        if !self.is_silent() {
            let here = self.source.label(&self.path, label).map(|mut here| {
                if let Some(at) = self.source.text[here.span.clone()].find(part).filter(|_| !part.is_empty())
                {
                    here.span = here.span.start + at..here.span.start + at + part.len();
                }
                here
            });
            self.push(diagnostic, here);
        }
    }
    /// Adds a diagnostic about the key here.
    pub(crate) fn report_key(&mut self, diagnostic: Diagnostic, label: &str) {
        if !self.is_silent() {
            let here = self.source.label_key(&self.path, label);
            self.push(diagnostic, here);
        }
    }
    fn push(&mut self, mut diagnostic: Diagnostic, here: Option<crate::Label>) {
        diagnostic.labels.splice(0..0, here);
        self.diagnostics.push(diagnostic);
    }
    /// Adds a diagnostic about the name that is declared here: a key, or a string.
    pub(crate) fn report_name(&mut self, diagnostic: Diagnostic, label: &str) {
        match self.path.last() {
            Some(Seg::Name(_)) => self.report_key(diagnostic, label),
            _ => self.report(diagnostic, label),
        }
    }
    /// A label on the name that was declared at `path`.
    pub(crate) fn label_of(&self, path: &[Seg], text: impl Into<String>) -> Option<crate::Label> {
        match path.last() {
            Some(Seg::Name(_)) => self.source.label_key(path, text),
            _ => self.source.label(path, text),
        }
    }
    /// What is declared in a scope, as suggestions.
    pub(crate) fn names_of(&self, kind: Kind) -> Vec<String> {
        let names = self.scopes.get(&kind.scope()).into_iter().flatten();
        names.filter(|(_, declared)| declared.kind == kind).map(|(name, _)| name.clone()).collect()
    }
    /// A name that must not be declared yet.
    pub(crate) fn declare_once(&mut self, kind: Kind, name: &str) {
        if let Some(path) = self.declared(kind, name) {
            let first = self.label_of(path, "first here");
            let message = format!("there are two {}s `{name}`", kind.words());
            return self.report_name(Diagnostic::new("S014", message).label(first), "once more");
        }
        self.declare(kind, name);
    }

    /// Declares a name here.
    pub(crate) fn declare(&mut self, kind: Kind, name: &str) {
        self.check_form(kind, name);
        let own = self.own_name(kind, name);
        let name = own.as_deref().unwrap_or(name);
        let scope = kind.scope();
        if let Some(known) = self.scopes.entry(scope).or_default().get(name) {
            let known = known.clone();
            if known.kind != kind {
                let message =
                    format!("`{name}` is bound to {} and to {}", known.kind.a_word(), kind.a_word());
                let first = self.label_of(&known.path, format!("{} here", known.kind.a_word()));
                let label = format!("{} here", kind.a_word());
                self.report_name(Diagnostic::new("S018", message).label(first), &label);
            }
            return;
        }
        let names = self.names.entry(scope).or_default();
        let slot = u32::try_from(names.len()).unwrap_or(0);
        names.push(name.to_owned());
        let declared = Declared { kind, slot, path: self.path.clone() };
        self.scopes.entry(scope).or_default().insert(name.to_owned(), declared);
    }
    /// Whether a name is declared, and where.
    pub(crate) fn declared(&self, kind: Kind, name: &str) -> Option<&[Seg]> {
        self.scopes.get(&kind.scope())?.get(name).map(|declared| declared.path.as_slice())
    }
    pub(crate) fn slot(&self, kind: Kind, name: &str) -> Option<u32> {
        self.known(kind, name).map(|declared| declared.slot)
    }
    /// A name, as the present copy of a task sees it.
    fn known(&self, kind: Kind, name: &str) -> Option<&Declared> {
        let names = self.scopes.get(&kind.scope())?;
        let own = self.own_name(kind, name).and_then(|own| names.get(&own));
        own.or_else(|| names.get(name))
    }
    pub(crate) fn operations_are(&mut self, with_id: bool, library: Option<&'static Subsystem>) {
        self.operations.push((with_id, library));
    }
    /// Reads a copy of a task: all are alike, so that only the first can say what is wrong.
    pub(crate) fn within_copy(&mut self, copy: Option<u32>, f: impl FnOnce(&mut Self)) {
        self.copy = copy;
        f(self);
        self.copy = None;
    }
    /// Reads what runs in a context.
    pub(crate) fn within_context(&mut self, context: ContextKind, f: impl FnOnce(&mut Self)) {
        self.context = context;
        f(self);
        self.context = ContextKind::Process;
    }
    fn is_silent(&self) -> bool {
        self.is_full() || self.copy.is_some_and(|copy| copy > 1)
    }
    /// What a copy of a task calls what it binds.
    fn own_name(&self, kind: Kind, name: &str) -> Option<String> {
        let is_own = kind.scope() == Scope::Bindings || kind == Kind::Pid;
        self.copy.filter(|_| is_own).map(|copy| format!("{name}[{copy}]"))
    }

    fn check_form(&mut self, kind: Kind, name: &str) {
        let is_good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || name.len() > 64 || !name.chars().all(is_good) {
            let message = format!("`{}` is no name of a {}", name.escape_debug(), kind.words());
            let help = "a name has 1 to 64 letters, digits, `_` and `-`";
            return self.report_name(Diagnostic::new("S016", message).help(help), "not a name");
        }
        let reserved = match kind.scope() {
            Scope::Bindings => matches!(name, "init_net" | "self"),
            Scope::Processes => name == "main" || name.starts_with("kworker") || name.starts_with("rcu"),
            Scope::UserNs => name == "init_user_ns",
            Scope::Ops => name == "net_ns_ops",
            Scope::Completions | Scope::Modules | Scope::Barriers => false,
        };
        if reserved {
            let message = format!("the name `{name}` is reserved");
            self.report_name(Diagnostic::new("S017", message), "choose another");
        }
    }

    /// The number that stands for a name that is used here.
    pub(crate) fn resolve(&mut self, kind: Kind, name: &str) -> u32 {
        match (kind, name) {
            (Kind::Net, "init_net") => return INIT_NET,
            (Kind::Net, "self") if self.has_self => return SELF,
            (Kind::UserNs, "init_user_ns") => return 0, // steps know it by its name
            (Kind::Net, "self") => {
                let help = "`self` is the namespace in `init`, `exit`, `for_each_net` and `for_each_net_rcu`";
                let diagnostic = Diagnostic::new("S019", "there is no namespace `self` here").help(help);
                self.report(diagnostic, "no `self` here");
                return 0;
            }
            _ => {}
        }
        match self.known(kind, name).cloned() {
            Some(declared) if kind == declared.kind || kind == Kind::Pid => declared.slot,
            Some(declared) => {
                let message = format!("`{name}` is {}, not {}", declared.kind.a_word(), kind.a_word());
                let first = self.label_of(&declared.path, format!("{} since here", declared.kind.a_word()));
                let label = format!("{} is expected", kind.a_word());
                self.report(Diagnostic::new("S025", message).label(first), &label);
                0
            }
            None => {
                self.undeclared(kind, name);
                0
            }
        }
    }

    fn undeclared(&mut self, kind: Kind, name: &str) {
        if self.is_full() {
            return;
        }
        let known = self.scopes.get(&kind.scope());
        let of_kind = known.into_iter().flatten().filter(|(_, declared)| {
            declared.kind == kind || (kind == Kind::Pid && declared.kind == Kind::Task)
        });
        let mut names: Vec<&str> = of_kind.map(|(name, _)| name.as_str()).collect();
        match kind {
            Kind::Net => names.push("init_net"),
            Kind::UserNs => names.push("init_user_ns"),
            _ => {}
        }
        let help = match similar(name, names.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => kind.how_to_declare().to_owned(),
        };
        let verb = if kind == Kind::Ops { "are" } else { "is" };
        let message = format!("there {verb} no {} `{}`", kind.words(), name.escape_debug());
        self.report(Diagnostic::new(kind.undeclared(), message).help(help), "not declared");
    }
}

/// A binding of any kind.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct AnyRef {
    text: Box<str>,
    #[serde(skip)]
    pub(crate) slot: u32,
}

impl Check for AnyRef {
    fn resolve(&mut self, cx: &mut Checker<'_>) {
        self.slot = cx.resolve_any(&self.text);
    }
}

impl Checker<'_> {
    /// The number that stands for a binding of any kind.
    pub(crate) fn resolve_any(&mut self, name: &str) -> u32 {
        let kind = self.known(Kind::Net, name).map(|known| known.kind);
        self.resolve(kind.unwrap_or(Kind::Net), name)
    }
}

/// Where the step `place` is, as a path.
pub(crate) fn path_of(places: &[StepPlace], place: u32) -> Vec<Seg> {
    let mut parts = Vec::new();
    let mut at = Some(place);
    while let Some(step) = at.and_then(|place| places.get(place as usize)) {
        parts.push(&step.path);
        at = step.parent;
    }
    parts.iter().rev().flat_map(|part| part.iter().cloned()).collect()
}

/// A path as people write it: `tasks[0].steps[3].put_net`.
#[derive(Debug)]
pub(crate) struct Path<'p>(pub(crate) &'p [Seg]);

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, seg) in self.0.iter().enumerate() {
            let dot = if index == 0 { "" } else { "." };
            match seg {
                Seg::Key(key) => write!(f, "{dot}{key}")?,
                Seg::Name(name) => write!(f, "{dot}{name}")?,
                Seg::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
