// SPDX-License-Identifier: GPL-2.0-only
//! Makes a scenario whole: what is spoken of exists, and what does not go together is taken apart.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::names::Names;
use crate::dice::Dice;

pub(super) fn mend(scenario: &mut Map<String, Value>, names: &Names, dice: &mut Dice<'_>) {
    scenario.insert("version".to_owned(), json!(1));
    operations(scenario, names, dice);
    modules(scenario, names, dice);
    for fault in items(scenario.get_mut("faults")) {
        whole_fault(fault, names, dice);
    }
    clock(scenario);
    let text = Value::Object(scenario.clone()).to_string();
    for task in items(scenario.get_mut("tasks")) {
        interrupt(task, dice);
        // Copies have other names.
        let name = task["name"].as_str().unwrap_or_default();
        if text.matches(name).count() > 1 {
            task.remove("copies");
        }
    }
    for run in items(scenario.get_mut("runs")) {
        if run.contains_key("seeds") {
            run.retain(|key, _| !matches!(key.as_str(), "seed" | "schedule" | "sweep"));
        } else if run.get("findings").is_some_and(Value::is_object) {
            run.remove("findings");
        }
        if run.contains_key("seed") {
            run.remove("schedule");
        }
    }
    let has = Has {
        boots: scenario.get("boot") != Some(&json!(false)),
        clock: scenario.get("machine").is_some_and(|machine| machine["clock"] == "timed"),
        library: libraries(scenario),
    };
    for value in scenario.values_mut() {
        steps(value, &has);
    }
    declare(scenario, names);
}

/// What has no effect without a clock is refused without one.
fn clock(scenario: &mut Map<String, Value>) {
    let machine = scenario.get_mut("machine").and_then(Value::as_object_mut);
    let is_timed = machine.as_ref().is_some_and(|machine| machine.get("clock") == Some(&json!("timed")));
    if let Some(machine) = machine {
        if let Some(costs) = machine.get_mut("costs").and_then(Value::as_object_mut) {
            costs.remove("tick");
        }
        let is_per_cpu = machine.get("rcu") == Some(&json!("per_cpu"));
        machine.retain(|key, _| match key.as_str() {
            "costs"
            | "max_time"
            | "hung_task_timeout_secs"
            | "watchdog_thresh"
            | "rcu_cpu_stall_timeout"
            | "workqueue_watchdog_thresh" => is_timed,
            "hz" => is_timed || is_per_cpu,
            _ => true,
        });
    }
    for task in items(scenario.get_mut("tasks")).filter(|_| !is_timed) {
        task.remove("after");
    }
}

fn items(list: Option<&mut Value>) -> impl Iterator<Item = &mut Map<String, Value>> {
    list.and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

/// Operations are scripted, or from the library; there are as many as there are names.
fn operations(scenario: &mut Map<String, Value>, names: &Names, dice: &mut Dice<'_>) {
    let pernet = scenario.entry("pernet").or_insert_with(|| json!({}));
    for (index, name) in names.ops.iter().enumerate() {
        if pernet.get(name).is_none() {
            pernet[name] = json!({});
        }
        let Some(ops) = pernet[name].as_object_mut() else { continue };
        if ops.get("library").is_none_or(Value::is_null) {
            for key in ["library", "uses", "time"] {
                ops.remove(key);
            }
            if !ops.contains_key("init") {
                ops.remove("init_returns");
            }
            continue;
        }
        ops.retain(|key, _| matches!(key.as_str(), "library" | "init_returns"));
        match ops["library"].as_str() {
            Some("slow-batch") => drop(ops.insert("time".to_owned(), json!(dice.below(1000)))),
            Some("netfilter-hook") => {
                let used = names.ops.get((index + 1) % names.ops.len()).cloned();
                ops.insert("uses".to_owned(), json!(used));
            }
            Some("conntrack") if !names.modules.is_empty() => {
                ops.insert("uses".to_owned(), json!(names.modules[0]));
            }
            Some("conntrack") => ops.retain(|_, _| false),
            _ => {}
        }
    }
    if let Some(runs) = scenario.get_mut("runs").and_then(Value::as_array_mut)
        && runs.is_empty()
    {
        runs.push(json!({}));
    }
}

/// Operations are part of one module at most.
fn modules(scenario: &mut Map<String, Value>, names: &Names, dice: &mut Dice<'_>) {
    let modules = scenario.entry("modules").or_insert_with(|| json!({}));
    for name in &names.modules {
        if modules.get(name).is_none() {
            modules[name] = json!({});
        }
    }
    for ops in &names.ops {
        if dice.one_in(2) && !names.modules.is_empty() {
            let module = &names.modules[dice.below(names.modules.len())];
            let list = if dice.one_in(2) { "device" } else { "subsys" };
            match modules[module].get_mut(list).and_then(Value::as_array_mut) {
                Some(list) => list.push(json!(ops)),
                None => modules[module][list] = json!([ops]),
            }
        }
    }
    if let Some(user_namespaces) = scenario.get_mut("user_namespaces") {
        // No rings: a parent is one that was declared before.
        for (index, name) in names.user_namespaces.iter().enumerate() {
            let parent = user_namespaces[name]["parent"].as_str().map(str::to_owned);
            let is_before =
                parent.as_ref().is_some_and(|parent| names.user_namespaces[..index].contains(parent));
            if let Some(ns) = user_namespaces[name].as_object_mut().filter(|_| !is_before) {
                ns.remove("parent");
            }
        }
    } else {
        let all = names.user_namespaces.iter().map(|name| (name.clone(), json!({})));
        scenario.insert("user_namespaces".to_owned(), Value::Object(all.collect()));
    }
}

/// What interrupts a CPU has one, and belongs to nobody.
fn interrupt(task: &mut Map<String, Value>, dice: &mut Dice<'_>) {
    let is_process = task.get("context").is_none_or(|context| context == "process");
    if !is_process {
        task.remove("uid");
        task.remove("user_ns");
        task.entry("cpu").or_insert(json!(0));
        if task.get("steps").is_some_and(needs_process) {
            // It was made for a process.
            match dice.one_in(20) {
                true => {}
                false => drop(task.remove("context")),
            }
        }
    }
}

fn needs_process(steps: &Value) -> bool {
    let text = steps.to_string();
    ["\"unshare\"", "\"setns\"", "\"clone\"", "\"exit\"", "\"open\""].iter().any(|step| text.contains(step))
}

fn whole_fault(fault: &mut Map<String, Value>, names: &Names, dice: &mut Dice<'_>) {
    if dice.one_in(2) {
        for key in ["kill", "enter"] {
            fault.remove(key);
        }
        fault.entry("alloc").or_insert(json!("any"));
    } else {
        for key in ["alloc", "times", "in"] {
            fault.remove(key);
        }
        fault.entry("kill").or_insert(json!(names.tasks[0]));
        fault.entry("enter").or_insert(json!("copy_net_ns"));
    }
}

/// Operations with the subsystem of the library that they are; `id` for scripted ones with an id.
fn libraries(scenario: &Map<String, Value>) -> Vec<(String, String)> {
    let pernet = scenario.get("pernet").and_then(Value::as_object);
    let all = pernet.into_iter().flatten().map(|(name, ops)| {
        let what = ops["library"].as_str().unwrap_or(if ops["id"] == true { "id" } else { "" });
        (name.clone(), what.to_owned())
    });
    all.collect()
}

/// What steps depend on.
struct Has {
    boots: bool,
    clock: bool,
    /// See [`libraries`].
    library: Vec<(String, String)>,
}

/// Steps whose fields do not go together.
fn steps(value: &mut Value, has: &Has) {
    match value {
        Value::Array(list) => {
            list.retain(|step| is_possible(step, has));
            list.iter_mut().for_each(|step| steps(step, has));
        }
        Value::Object(object) => {
            if let Some(work) = object.get_mut("delay_work").and_then(Value::as_object_mut) {
                match work.contains_key("until") {
                    true => drop(work.remove("time")),
                    false => drop(work.entry("time").or_insert(json!("1ms"))),
                }
            }
            if let Some(takes) = object.get_mut("takes").and_then(Value::as_object_mut) {
                match takes.contains_key("at_least") {
                    true => drop(takes.remove("at_most")),
                    false => drop(takes.entry("at_most").or_insert(json!("1s"))),
                }
            }
            object.values_mut().for_each(|value| steps(value, has));
        }
        _ => {}
    }
}

fn is_possible(step: &Value, has: &Has) -> bool {
    let Some((name, fields)) = step.as_object().and_then(|step| step.iter().next()) else { return true };
    let of = fields["ops"].as_str().and_then(|ops| has.library.iter().find(|(name, _)| name == ops));
    let of = of.map_or("", |(_, what)| what.as_str());
    match name.as_str() {
        "net_ns_init" => !has.boots,
        "takes" => has.clock,
        "net_generic" => !matches!(of, "" | "slow-batch"),
        "dev_hold" | "dev_put" | "register_netdevice_notifier" => matches!(of, "loopback" | "stuck-device"),
        "netif_receive_skb" => of == "tunnel",
        "nf_conntrack_helper_unregister" => of == "conntrack",
        "reap" => fields["pid"] != 1,
        _ => true,
    }
}

/// What is spoken of and bound by no step is bound by one more, before the tasks begin.
fn declare(scenario: &mut Map<String, Value>, names: &Names) {
    let text = Value::Object(scenario.clone()).to_string();
    let mut setup = Vec::new();
    let used = |name: &str| text.contains(&format!("\"{name}\""));
    for n in 0..4 {
        let steps = [
            (format!("net{n}"), "as", json!({ "copy_net_ns": { "as": format!("net{n}") } })),
            (
                format!("id{n}"),
                "as",
                json!({ "peernet2id_alloc": { "net": "init_net", "peer": "init_net", "as": format!("id{n}") } }),
            ),
            (format!("fd{n}"), "as", json!({ "open": { "as": format!("fd{n}") } })),
            (format!("sock{n}"), "as", json!({ "listen": { "net": "init_net", "as": format!("sock{n}") } })),
            (format!("obj{n}"), "as", json!({ "allocate": { "as": format!("obj{n}") } })),
            (format!("pid{n}"), "name", json!({ "clone": { "name": format!("pid{n}") } })),
            (format!("done{n}"), "name", json!({ "complete": { "name": format!("done{n}") } })),
        ];
        for (name, _, step) in steps {
            let is_in_end = text.contains(&format!("sock{n}"));
            if used(&name) || name.starts_with("sock") && is_in_end {
                setup.push(step);
            }
        }
    }
    let known: BTreeSet<&str> = names.modules.iter().map(String::as_str).collect();
    let mine = scenario.entry("setup").or_insert_with(|| json!([]));
    setup.extend(mine.as_array().cloned().unwrap_or_default());
    // Where there is no module, no step can load it.
    let of_none = |step: &Value| {
        step.to_string().contains("\"mod0\"") && !known.contains("mod0")
            || step.to_string().contains("\"user9\"")
    };
    setup.retain(|step| !of_none(step));
    scenario.insert("setup".to_owned(), Value::Array(setup));
    for task in items(scenario.get_mut("tasks")) {
        if let Some(list) = task.get_mut("steps").and_then(Value::as_array_mut) {
            list.retain(|step| !of_none(step));
        }
    }
}
