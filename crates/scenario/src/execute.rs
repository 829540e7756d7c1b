// SPDX-License-Identifier: GPL-2.0-only
//! Steps, as they run.
//!
//! A step whose names are not bound to anything, or to NULL or an error, is skipped: C would say `if (p) put_net(p)`.

use std::{future::poll_fn, pin::Pin, pin::pin};

use kernel::{Effect, Entered, Field, Op, Pointer, function};
use machine::STEP;
use netns::{CLONE_NEWNET, CLONE_NEWUTS, Credentials, NetPtr, Open, PernetOpsPtr, TaskPtr, UserNsPtr};

use crate::{
    body::Step,
    check::SELF,
    step::{Action, CloneProcess, OpenFile},
    time::in_ms,
    values::{Expect, Expected, NetRef, Of, Or, Role, UserNsRef},
    words::{CloneFlags, FileKind, SetnsType},
    world::{Value, World},
};

/// On whose behalf steps run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Me {
    /// The namespace `self`.
    pub(crate) net: Option<NetPtr>,
    /// The module whose code it is.
    pub(crate) module: Option<usize>,
    /// How many functions of modules load or unload others around it.
    pub(crate) depth: u32,
}

/// So many steps may announce nothing; each one beyond is an operation: otherwise nothing would limit them.
const SILENT_STEPS: u64 = 1024;

/// Files that may be open at once: `RLIMIT_NOFILE`, without the first three.
const MAX_FILES: usize = 1024 - 3;

/// The value of an option, or the step is skipped.
macro_rules! need {
    ($world:ident, $value:expr) => {
        match $value {
            Some(value) => value,
            None => return $world.skip(),
        }
    };
}
pub(crate) use need;

impl World {
    /// Runs steps.
    pub(crate) fn run_body<'w>(
        &'w self,
        steps: &'w [Step],
        me: Me,
    ) -> Pin<Box<dyn Future<Output = ()> + 'w>> {
        Box::pin(async move {
            for step in steps {
                let mut suspended = false;
                self.k().trace(&STEP, i64::from(step.place) + 1, 0);
                let mut running = pin!(self.step(step, me));
                poll_fn(|cx| {
                    let poll = running.as_mut().poll(cx);
                    suspended |= poll.is_pending();
                    poll
                })
                .await;
                self.k().trace(&STEP, 0, 0);
                if !suspended {
                    self.was_silent().await;
                }
            }
        })
    }
    /// The function that a step stands for, where its work begins outside of the port's functions.
    fn enter(&self, action: &Action) -> Option<Entered<'_>> {
        let function = match action {
            Action::TouchNet(_) => function!("touch_net"),
            Action::PassiveGet(_) => function!("passive_get"),
            Action::Reap(_) => function!("wait_task_zombie"),
            Action::RcuRead(_) => function!("rcu_read"),
            Action::CallRcu(_) => function!("call_rcu"),
            Action::NetMutexLock(_) => function!("net_mutex_lock"),
            Action::NetMutexLockKillable(_) => function!("net_mutex_lock_killable"),
            Action::NetMutexUnlock(_) => function!("net_mutex_unlock"),
            Action::Kill(_) => function!("sys_kill"),
            Action::Complete(_) => function!("complete"),
            Action::WaitForCompletion(_) => function!("wait_for_completion"),
            Action::CondResched(_) => function!("cond_resched"),
            _ => return None,
        };
        Some(self.k().enter(function, 0))
    }
    async fn was_silent(&self) {
        self.silent.set(self.silent.get() + 1);
        if self.silent.get() > SILENT_STEPS {
            self.k().bus.step(Op::MightSleep("cond_resched")).await;
        }
    }

    pub(crate) fn net(&self, name: &NetRef, me: Me) -> Option<NetPtr> {
        match self.get(name.name.slot) {
            _ if name.name.slot == SELF => me.net,
            Value::Net(net) => Some(net),
            _ => None,
        }
    }
    fn user_ns_of(&self, name: &UserNsRef) -> Option<UserNsPtr> {
        let is_first = &*name.name.text == "init_user_ns";
        self.user_ns((!is_first).then(|| name.name.index()))
    }
    /// Operations, unless their module is not loaded.
    pub(crate) fn operations(&self, index: usize) -> Option<PernetOpsPtr> {
        self.ops.borrow().get(index).copied().filter(|ops| !ops.is_null())
    }
    /// A number: a descriptor, a pid, an id.
    pub(crate) fn number<R: Role>(&self, from: &Or<R>) -> Option<i32> {
        match from {
            Or::Number(n) => Some(*n),
            Or::Name(name) if R::KIND == crate::check::Kind::Pid => {
                self.processes.borrow().get(name.name.index()).copied().flatten()
            }
            Or::Name(name) => match self.get(name.name.slot) {
                Value::Number(n) => i32::try_from(n).ok(),
                Value::Error(n) if R::KIND == crate::check::Kind::Number => Some(n), // -1: no id
                _ => None,
            },
        }
    }
    /// The user namespace of the running task.
    fn current_user_ns(&self) -> UserNsPtr {
        let current = self.ns.current();
        UserNsPtr::at(kernel::Addr::from_value(self.k().bus.peek(current.user_ns().addr())))
    }
    /// The pid of the running task.
    fn current_pid(&self) -> i32 {
        let current = self.ns.current();
        self.ns.tasks().iter().find(|view| view.task == current).map_or(0, |view| view.pid)
    }

    /// Compares and binds what a step gave.
    pub(crate) fn gave<R: Role>(
        &self,
        step: &Step,
        name: Option<&Of<R>>,
        expected: &Expected,
        value: Value,
        me: Me,
    ) {
        if let Some(name) = name {
            self.set(name.name.slot, value);
        }
        self.compare(step, "", expected, value, me);
    }
    /// Compares what a step gave.
    pub(crate) fn gives<G>(&self, step: &Step, expected: &Expect<G>, value: Value) {
        self.compare(step, "", &expected.value, value, Me::default());
    }
    pub(crate) fn compare(&self, step: &Step, what: &str, expected: &Expected, value: Value, me: Me) {
        if !self.is_expected(expected, value, me.net) {
            let expected = self.describe_expected(expected);
            self.fail(Some(step.place), format!("{what}expected {expected}, got {}", self.describe(value)));
        }
    }

    async fn step(&self, step: &Step, me: Me) {
        let (ns, k) = (&self.ns, self.k());
        let _f = self.enter(&step.action);
        match &step.action {
            Action::CopyNetNs(s) => {
                let old = match &s.old {
                    Some(old) => need!(self, self.net(old, me)),
                    None => ns.init_net,
                };
                let user_ns = match &s.user_ns {
                    Some(user_ns) => need!(self, self.user_ns_of(user_ns)),
                    None => self.current_user_ns(),
                };
                let flags = if s.flags == CloneFlags::Newnet { CLONE_NEWNET } else { 0 };
                let got = ns.copy_net_ns(flags, user_ns, old).await.into();
                self.gave(step, s.r#as.as_ref(), &s.expect.value, got, me);
            }
            Action::GetNet(s) => drop(ns.get_net(need!(self, self.net(&s.net, me))).await),
            Action::PutNet(s) => ns.put_net(need!(self, self.net(&s.net, me))).await,
            Action::MaybeGetNet(s) => {
                let got = ns.maybe_get_net(need!(self, self.net(&s.net, me))).await.into();
                self.gave(step, s.r#as.as_ref(), &s.expect.value, got, me);
            }
            Action::Peernet2idAlloc(s) => {
                let (net, peer) = (need!(self, self.net(&s.net, me)), need!(self, self.net(&s.peer, me)));
                let got = Value::Number(i64::from(ns.peernet2id_alloc(net, peer, s.gfp.flags()).await));
                self.gave(step, s.r#as.as_ref(), &s.expect.value, got, me);
            }
            Action::Peernet2id(s) => {
                let (net, peer) = (need!(self, self.net(&s.net, me)), need!(self, self.net(&s.peer, me)));
                let got = Value::Number(i64::from(ns.peernet2id(net, peer).await));
                self.gave(step, s.r#as.as_ref(), &s.expect.value, got, me);
            }
            Action::PeernetHasId(s) => {
                let (net, peer) = (need!(self, self.net(&s.net, me)), need!(self, self.net(&s.peer, me)));
                self.gives(step, &s.expect, Value::Bool(ns.peernet_has_id(net, peer).await));
            }
            Action::GetNetNsById(s) => {
                let (net, id) = (need!(self, self.net(&s.net, me)), need!(self, self.number(&s.id)));
                let got = ns.get_net_ns_by_id(net, id).await.into();
                self.gave(step, s.r#as.as_ref(), &s.expect.value, got, me);
            }
            Action::GetNetNsByPid(s) => {
                let got = ns.get_net_ns_by_pid(need!(self, self.number(&s.pid))).await.into();
                self.gave(step, s.r#as.as_ref(), &s.expect.value, got, me);
            }
            Action::GetNetNsByFd(s) => {
                let got = ns.get_net_ns_by_fd(need!(self, self.number(&s.fd))).await.into();
                self.gave(step, s.r#as.as_ref(), &s.expect.value, got, me);
            }
            Action::RegisterPernetSubsys(s) => {
                let ops = need!(self, self.operations(s.ops.name.index()));
                self.gives(step, &s.expect, Value::of_int(ns.register_pernet_subsys(ops).await));
            }
            Action::RegisterPernetDevice(s) => {
                let ops = need!(self, self.operations(s.ops.name.index()));
                self.gives(step, &s.expect, Value::of_int(ns.register_pernet_device(ops).await));
            }
            Action::UnregisterPernetSubsys(s) => {
                ns.unregister_pernet_subsys(need!(self, self.operations(s.ops.name.index()))).await;
            }
            Action::UnregisterPernetDevice(s) => {
                ns.unregister_pernet_device(need!(self, self.operations(s.ops.name.index()))).await;
            }
            Action::NetGeneric(s) => self.look_up_data(step, s, me).await,
            Action::TouchNet(s) => {
                need!(self, self.net(&s.net, me)).dev_base_seq().read(k).await;
            }
            Action::PassiveGet(s) => need!(self, self.net(&s.net, me)).passive().inc(k).await,
            Action::NetDropNs(s) => ns.net_drop_ns(need!(self, self.net(&s.net, me))).await,
            Action::NetnsOwner(s) => {
                let owner = ns.netns_owner(need!(self, self.net(&s.net, me)).ns()).await;
                if let Some(expected) = &s.expect
                    && self.user_ns_of(expected) != Some(owner)
                {
                    let got = self.user_ns_name(owner.addr());
                    self.fail(Some(step.place), format!("expected {}, got {got}", expected.name.text));
                }
            }
            Action::NsGetOwner(s) => {
                let owner = ns.ns_get_owner(need!(self, self.net(&s.net, me)).ns()).await;
                if let Ok(owner) = owner {
                    ns.put_user_ns(owner).await;
                }
                self.gives(step, &s.expect, owner.map(|_| ()).into());
            }
            Action::Count(s) => {
                let net = need!(self, self.net(&s.net, me));
                let (count, passive) = (Value::Number(ns.count_of(net)), Value::Number(ns.passive_of(net)));
                self.compare(step, "count: ", &s.expect.value, count, me);
                self.compare(step, "passive: ", &s.passive.value, passive, me);
            }
            Action::CheckBinding(s) => {
                let value = if s.name.slot == SELF { me.net.into() } else { self.get(s.name.slot) };
                self.compare(step, "", &s.expect.value, value, me);
            }
            Action::UsernsGet(s) => {
                ns.get_user_ns(need!(self, self.user_ns_of(&s.user_ns))).await;
            }
            Action::UsernsPut(s) => ns.put_user_ns(need!(self, self.user_ns_of(&s.user_ns))).await,
            Action::Unshare(s) => self.gives(step, &s.expect, ns.unshare().await.into()),
            Action::Setns(s) => {
                let nstype = match s.r#type {
                    SetnsType::Net => CLONE_NEWNET,
                    SetnsType::Uts => CLONE_NEWUTS,
                    SetnsType::Any => 0,
                };
                let got = ns.setns(need!(self, self.number(&s.fd)), nstype).await.into();
                self.gives(step, &s.expect, got);
            }
            Action::CloneProcess(s) => self.clone_process(step, s).await,
            Action::ExitProcess(s) => {
                let task = match &s.pid {
                    Some(pid) => ns.task(need!(self, self.number(pid))),
                    None => Some(ns.current()),
                };
                let got = match task {
                    Some(task) => {
                        ns.exit_task_namespaces(task).await;
                        Value::Number(0)
                    }
                    None => Value::Error(kernel::ESRCH.negated()),
                };
                self.gives(step, &s.expect, got);
            }
            Action::Reap(s) => self.reap(step, need!(self, self.number(&s.pid))).await,
            Action::OpenFile(s) => self.open_file(step, s).await,
            Action::Close(s) => {
                let got = ns.close(need!(self, self.number(&s.fd))).await.into();
                self.gives(step, &s.expect, got);
            }
            Action::RcuRead(s) => {
                k.rcu_read_lock().await;
                self.run_body(&s.steps.0, me).await;
                k.rcu_read_unlock();
            }
            Action::ForEachNet(s) => {
                let mut pos = ns.for_each_net(None).await;
                while let Some(net) = pos {
                    self.run_body(&s.steps.0.0, Me { net: Some(net), ..me }).await;
                    pos = ns.for_each_net(pos).await;
                }
            }
            Action::ForEachNetRcu(s) => {
                let mut pos = ns.for_each_net_rcu(None).await;
                while let Some(net) = pos {
                    self.run_body(&s.steps.0.0, Me { net: Some(net), ..me }).await;
                    pos = ns.for_each_net_rcu(pos).await;
                }
            }
            Action::CallRcu(s) => self.post(s, me).await,
            Action::SynchronizeRcu(_) => k.synchronize_rcu().await,
            Action::RcuBarrier(_) => k.rcu_barrier().await,
            Action::FlushNetnsWq(_) => k.flush_workqueue(ns.netns_wq()).await,
            Action::NetMutexLock(_) => ns.net_mutex().lock(k).await,
            Action::NetMutexLockKillable(s) => {
                self.gives(step, &s.expect, ns.net_mutex().lock_killable(k).await.into());
            }
            Action::NetMutexUnlock(_) => ns.net_mutex().unlock(k).await,
            Action::RtnlLock(_) => ns.rtnl_lock().await,
            Action::RtnlUnlock(_) => ns.rtnl_unlock().await,
            Action::Kill(s) => {
                let task = self.tasks.borrow().get(s.task.name.index()).copied().flatten();
                k.bus.say(Effect::Kill(need!(self, task)));
            }
            Action::FailAlloc(s) => {
                let nth = s.nth.map_or(1, |n| n.u64());
                let function = s.function.as_ref().map(|function| &*function.0);
                self.arm(Some(step.place), 0, (s.kind.kind(), function), nth, s.times.0);
            }
            Action::FailClear(_) => self.disarm(),
            Action::Loop(s) => {
                for _ in 0..s.times.0 {
                    self.run_body(&s.steps.0, me).await;
                    if s.steps.0.is_empty() {
                        self.was_silent().await;
                    }
                }
            }
            Action::Takes(s) => {
                let begun = self.now.get();
                self.run_body(&s.steps.0, me).await;
                let took = self.now.get().saturating_sub(begun);
                if s.at_least.is_some_and(|time| took < time.0) || s.at_most.is_some_and(|time| took > time.0)
                {
                    self.fail(Some(step.place), format!("took {}, expected {}", in_ms(took), s.words()));
                }
            }
            Action::CondResched(_) => {
                k.bus.say(Effect::MightSleep("cond_resched"));
                k.bus.step(Op::MightSleep("cond_resched")).await;
            }
            Action::Complete(s) => {
                let completion = self.completions.borrow().get(s.name.name.index()).copied();
                need!(self, completion).done().complete(k);
            }
            Action::WaitForCompletion(s) => {
                let completion = self.completions.borrow().get(s.name.name.index()).copied();
                let completion = need!(self, completion);
                k.bus.say(Effect::MightSleep("wait_for_completion"));
                completion.done().wait(k).await;
            }
            Action::NetNsInit(_) => drop(ns.net_ns_init().await),
            Action::Newnsid(_)
            | Action::Getnsid(_)
            | Action::NewnsidRaw(_)
            | Action::GetnsidRaw(_)
            | Action::Dump(_)
            | Action::Listen(_)
            | Action::Unlisten(_)
            | Action::Received(_)
            | Action::UnicastError(_) => self.netlink_step(step, me).await,
            Action::Allocate(_)
            | Action::Free(_)
            | Action::KfreeRcu(_)
            | Action::Read(_)
            | Action::Write(_) => self.object_step(step).await,
            Action::DevHold(_)
            | Action::DevPut(_)
            | Action::NetifReceiveSkb(_)
            | Action::RegisterNotifier(_)
            | Action::UnregisterNotifier(_)
            | Action::HelperUnregister(_) => {
                self.library_step(step, me).await;
            }
            Action::LoadModule(s) => {
                let got = self.load_module(s.module.name.index(), me).await;
                self.gives(step, &s.expect, Value::of_int(got));
            }
            Action::UnloadModule(s) => {
                let got = self.unload_module(s.module.name.index(), me).await;
                self.gives(step, &s.expect, Value::of_int(got));
            }
            Action::Delay(s) => k.sleep(s.time.0).await,
            Action::Stall(s) => k.stall(s.time.0).await,
            Action::Barrier(s) => self.meet(s.name.name.index(), s.tasks.usize()).await,
            Action::DelayWork(s) => {
                let until = match &s.until {
                    Some(until) => {
                        Some(need!(self, self.completions.borrow().get(until.name.index()).copied()))
                    }
                    None => None,
                };
                self.delay_work(until, s.time.map_or(0, |time| time.0)).await;
            }
        }
    }

    /// wait(2) for a process that has exited.
    async fn reap(&self, step: &Step, pid: i32) {
        let tasks = self.ns.tasks();
        match tasks.iter().find(|view| view.pid == pid) {
            None => self.fail(Some(step.place), format!("there is no process {pid} to reap")),
            Some(view) if pid == 1 || !view.net.is_null() => {
                self.fail(Some(step.place), format!("process {pid} has not exited, and is not reaped"));
            }
            Some(_) => self.ns.release_task(pid).await,
        }
    }

    async fn clone_process(&self, step: &Step, s: &CloneProcess) {
        let (ns, k) = (&self.ns, self.k());
        let user_ns = match &s.user_ns {
            Some(user_ns) => need!(self, self.user_ns_of(user_ns)),
            None => self.current_user_ns(),
        };
        let current: TaskPtr = ns.current();
        let own_uid = u32::try_from(k.bus.peek(current.euid().addr())).unwrap_or_default();
        let own_cap = k.bus.peek(current.cap_sys_admin().addr()) != 0;
        let cred = Credentials {
            user_ns,
            euid: s.uid.map_or(own_uid, |uid| uid.u32()),
            cap_sys_admin: s.cap_sys_admin.unwrap_or(own_cap),
        };
        let pid = self.next_number();
        let flags = if s.newnet == Some(true) { CLONE_NEWNET } else { 0 };
        let made = ns.clone_task(pid, flags, cred).await.map(|_| ());
        let process = made.is_ok().then_some(pid);
        if let Some(slot) = self.processes.borrow_mut().get_mut(s.name.name.index()) {
            *slot = process;
        }
        self.gives(step, &s.expect, made.into());
    }

    async fn open_file(&self, step: &Step, s: &OpenFile) {
        let pid = match &s.pid {
            Some(pid) => need!(self, self.number(pid)),
            None => self.current_pid(),
        };
        let what = match s.kind {
            FileKind::Net => Open::Net(pid),
            FileKind::Uts => Open::Uts,
            FileKind::Plain => Open::Plain,
        };
        let got = match self.ns.files().len() {
            MAX_FILES.. => Value::Error(kernel::EMFILE.negated()),
            _ => self.ns.open(what).await.into(),
        };
        self.gave(step, s.r#as.as_ref(), &s.expect.value, got, Me::default());
    }
}
