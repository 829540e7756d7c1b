// SPDX-License-Identifier: GPL-2.0-only
//! Operations on tasks, files and user namespaces.

use kernel::{Addr, Field, Pointer};
use netns::{CLONE_NEWNET, CLONE_NEWUTS, Credentials, Open, TaskPtr, UserNsPtr};
use serde_json::{Value, json};

use super::{
    execute::{Call, error},
    names::number,
};

/// None means that the operation makes no sense.
impl Call<'_> {
    pub(super) async fn user_namespaces(&self) -> Option<Value> {
        let ns = self.ns();
        Some(match self.text("op")? {
            "userns_create" => {
                let parent = self.user_ns("parent")?;
                let uid = self.int_or("uid", 0) as u32;
                let max = self.int_or("max", i64::from(i32::MAX));
                match ns.create_user_ns(parent, uid, max).await {
                    Ok(user_ns) => {
                        let number = number(&self.k().bus, user_ns.addr());
                        self.actor.created.borrow_mut().insert(number);
                        json!({ "userns": number })
                    }
                    Err(err) => json!({ "err": err.negated() }),
                }
            }
            "userns_set_max" => {
                let max = self.user_ns("ns")?.max_net_namespaces();
                max.write(self.k(), self.int("max")?).await;
                Value::Null
            }
            "userns_put" => {
                let user_ns = self.user_ns("ns")?;
                if !self.actor.created.borrow_mut().remove(&self.int_or("ns", 0)) {
                    return None;
                }
                ns.put_user_ns(user_ns).await;
                Value::Null
            }
            _ => {
                let owner = ns.netns_owner(self.net("net")?.ns()).await;
                json!(number(&self.k().bus, owner.addr()))
            }
        })
    }

    /// With another `current`.
    async fn as_task<T>(&self, task: TaskPtr, future: impl Future<Output = T>) -> T {
        let before = self.ns().current();
        self.ns().set_current(task);
        let result = future.await;
        self.ns().set_current(before);
        result
    }

    pub(super) async fn tasks(&self) -> Option<Value> {
        let ns = self.ns();
        Some(match self.text("op")? {
            "task_create" => self.task_create().await?,
            "task_exit" => {
                let (_, task) = self.living_task("pid")?;
                ns.exit_task_namespaces(task).await;
                Value::Null
            }
            "task_reap" => {
                let (pid, task) = self.task("pid")?;
                if self.k().bus.peek(task.nsproxy().addr()) != 0 {
                    return None;
                }
                ns.release_task(pid).await;
                Value::Null
            }
            "unshare" => {
                let (_, task) = self.living_task("pid")?;
                error(self.as_task(task, ns.unshare()).await)
            }
            "setns" => {
                let (_, task) = self.living_task("pid")?;
                let nstype = match self.text("type") {
                    Some("net") => CLONE_NEWNET,
                    Some("uts") => CLONE_NEWUTS,
                    _ => 0,
                };
                error(self.as_task(task, ns.setns(self.i32_or("fd", -1), nstype)).await)
            }
            "open_fd" => {
                let what = match self.text("kind") {
                    Some("uts") => Open::Uts,
                    Some("plain") => Open::Plain,
                    _ => Open::Net(self.i32_or("pid", 1)),
                };
                match ns.open(what).await {
                    Ok(fd) => json!({ "fd": fd }),
                    Err(err) => json!({ "err": err.negated() }),
                }
            }
            _ => ns.close(self.i32_or("fd", -1)).await.map(|()| Value::Null).ok()?,
        })
    }

    async fn task_create(&self) -> Option<Value> {
        let pid = self.i32_or("pid", 0);
        let (_, from) = self.living_task("from")?;
        if self.ns().task(pid).is_some() {
            return None;
        }
        let peek = |addr: Addr| self.k().bus.peek(addr);
        let parents = UserNsPtr::at(Addr::from_value(peek(from.user_ns().addr())));
        let cred = Credentials {
            user_ns: if self.op["user_ns"].is_null() { parents } else { self.user_ns("user_ns")? },
            euid: self.int_or("uid", peek(from.euid().addr())) as u32,
            cap_sys_admin: self.flag("cap", peek(from.cap_sys_admin().addr()) != 0),
        };
        let flags = if self.flag("new", false) { CLONE_NEWNET } else { 0 };
        let ns = self.actor.ns.clone();
        let created = self
            .in_context(async move {
                let before = ns.current();
                ns.set_current(from);
                let created = ns.clone_task(pid, flags, cred).await;
                ns.set_current(before);
                created
            })
            .await?;
        Some(error(created.map(|_| ())))
    }
}
