// SPDX-License-Identifier: GPL-2.0-only
//! The operations of an experiment, without what they came to.

use serde_json::Value;

use crate::oracle::execute::unhex;

/// Whom a request names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// A namespace, by the descriptor of its file.
    Fd(String),
    /// A process.
    Pid(String),
    /// The number in the request means the same everywhere.
    Raw,
}

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) sock: String,
    pub(super) request: Vec<u8>,
    pub(super) peer: Peer,
    /// The process that it names has exited, and nobody has waited for it.
    pub(super) is_zombie: bool,
}

/// How a socket is opened.
#[derive(Clone, Debug)]
pub(super) struct Socket {
    pub(super) sock: String,
    pub(super) ns: String,
    pub(super) port: u32,
    pub(super) subscribed: bool,
    pub(super) all_nsid: bool,
    pub(super) ext_ack: bool,
    pub(super) cap_ack: bool,
    pub(super) strict: bool,
    pub(super) rcvbuf: Option<usize>,
}

/// One operation.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    NetnsCreate(String),
    NetnsClose(String),
    SockOpen(Socket),
    SockClose(String),
    ProcSpawn {
        proc: String,
        ns: String,
    },
    ProcExit(String),
    /// A request, and all that comes back to its socket.
    Request(Sent),
    /// The same, datagram by datagram.
    Dump(Sent),
    /// A dump to a new socket that has read into a buffer of this size before.
    DumpAfter(usize),
    /// What a listener has received.
    Notified(String),
    /// So many new namespaces get the ids from 0 on.
    Bulk(usize),
    /// A listener with a small buffer is read empty.
    Overrun,
    /// Two processes name the same peers at the same time.
    Race(usize),
    /// Requests of somebody without capabilities.
    Unprivileged(Vec<Vec<u8>>),
    /// Requests of the root of a user namespace: `NEWNSID peer pid 1`.
    Userns(Vec<String>),
}

/// Why an experiment is not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is about something that the model does not have.
    Unmodelled(String),
    /// It makes no sense.
    Invalid(String),
}

/// `RTNLGRP_NSID`
const RTNLGRP_NSID: u64 = netns::RTNLGRP_NSID as u64;

/// Namespaces that one operation may create.
const MAX_PEERS: usize = 10_000;

/// The operations of an experiment.
pub(super) fn parse(experiment: &Value) -> Result<Vec<Operation>, Refusal> {
    let Some(steps) = experiment["steps"].as_array() else {
        return Err(Refusal::Invalid("an experiment has `steps`".to_owned()));
    };
    let title = experiment["title"].as_str().unwrap_or_default();
    let parsed = steps.iter().enumerate().map(|(index, step)| {
        operation(step, title).map_err(|refusal| match refusal {
            Refusal::Invalid(why) => Refusal::Invalid(format!("step {}: {why}", index + 1)),
            unmodelled => unmodelled,
        })
    });
    parsed.collect()
}

fn operation(step: &Value, title: &str) -> Result<Operation, Refusal> {
    let invalid = |why: String| Refusal::Invalid(why);
    let text = |key: &str| {
        let text = step[key].as_str().map(str::to_owned);
        text.ok_or_else(|| invalid(format!("`{key}` is missing, or no text")))
    };
    let op = text("op")?;
    Ok(match op.as_str() {
        "netns_create" => Operation::NetnsCreate(text("ns")?),
        "netns_close" => Operation::NetnsClose(text("ns")?),
        "sock_open" => Operation::SockOpen(socket(step, text("sock")?, text("ns")?)?),
        "sock_close" => Operation::SockClose(text("sock")?),
        "proc_spawn" => Operation::ProcSpawn { proc: text("proc")?, ns: text("ns")? },
        "proc_exit" => Operation::ProcExit(text("proc")?),
        "newnsid" | "getnsid" | "raw" => Operation::Request(sent(step, text("sock")?)?),
        "getnsid_dump" if step["earlier_recv_size"].is_null() => Operation::Dump(sent(step, text("sock")?)?),
        "getnsid_dump" => {
            let size = step["earlier_recv_size"].as_u64().and_then(|size| usize::try_from(size).ok());
            Operation::DumpAfter(size.ok_or_else(|| invalid("`earlier_recv_size` is no size".to_owned()))?)
        }
        "expect_notify" => Operation::Notified(text("sock")?),
        "bulk" => {
            let note = text("note")?;
            let count = peers(&note).filter(|n| *n > 0 && note == format!("{n} peers with ids 0..{}", n - 1));
            Operation::Bulk(count.ok_or_else(|| {
                invalid(format!("`bulk` is understood as `N peers with ids 0..N-1`, not as `{note}`"))
            })?)
        }
        "overrun" => Operation::Overrun,
        "race" => Operation::Race(
            peers(title).ok_or_else(|| invalid("the title does not say how many peers race".to_owned()))?,
        ),
        "unprivileged" => Operation::Unprivileged(
            step["results"]
                .as_array()
                .and_then(|results| results.iter().map(|of| unhex(of["request_hex"].as_str()?)).collect())
                .ok_or_else(|| invalid("`results` has no list of `request_hex`".to_owned()))?,
        ),
        "userns" => {
            let Some(results) = step["results"].as_object() else {
                return Err(invalid("`results` is missing".to_owned()));
            };
            // An id is asked for after it was set, whatever order the names are read in.
            let (set, get): (Vec<&String>, Vec<&String>) =
                results.keys().partition(|name| name.starts_with("NEWNSID"));
            Operation::Userns(set.into_iter().chain(get).cloned().collect())
        }
        "veth_add" | "observe" | "getlink_dump" | "link_set_netns" => {
            return Err(Refusal::Unmodelled(format!(
                "network devices are not modelled (`{op}`; docs/MODEL.md)"
            )));
        }
        _ => return Err(invalid(format!("there is no operation `{op}`"))),
    })
}

/// `N peers` in a text.
fn peers(text: &str) -> Option<usize> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let pair = words.windows(2).find(|pair| pair[1] == "peers")?;
    pair[0].parse().ok().filter(|n| *n <= MAX_PEERS)
}

fn socket(step: &Value, sock: String, ns: String) -> Result<Socket, Refusal> {
    let flag = |key: &str| step[key].as_bool().unwrap_or(false);
    let port = step["port"].as_u64().and_then(|port| u32::try_from(port).ok()).filter(|port| *port > 0);
    let port = port.ok_or_else(|| Refusal::Invalid("`port` is missing, or no port".to_owned()))?;
    let groups: Vec<u64> = match &step["groups"] {
        Value::Null => Vec::new(),
        groups => {
            let list = groups.as_array().and_then(|list| list.iter().map(Value::as_u64).collect());
            list.ok_or_else(|| Refusal::Invalid("`groups` is no list of groups".to_owned()))?
        }
    };
    if let Some(other) = groups.iter().find(|group| **group != RTNLGRP_NSID) {
        return Err(Refusal::Unmodelled(format!(
            "network devices are not modelled (multicast group {other}; docs/MODEL.md)"
        )));
    }
    Ok(Socket {
        sock,
        ns,
        port,
        subscribed: !groups.is_empty(),
        all_nsid: flag("all_nsid"),
        ext_ack: flag("ext_ack"),
        cap_ack: flag("cap_ack"),
        strict: flag("strict"),
        rcvbuf: step["rcvbuf"].as_u64().and_then(|size| usize::try_from(size).ok()),
    })
}

fn sent(step: &Value, sock: String) -> Result<Sent, Refusal> {
    let request = step["request_hex"].as_str().and_then(unhex);
    let request =
        request.ok_or_else(|| Refusal::Invalid("`request_hex` is missing, or not hexadecimal".to_owned()))?;
    let named = || step["peer"][1].as_str().map(str::to_owned);
    let peer = match (step["peer"][0].as_str(), named()) {
        (Some("fd"), Some(ns)) => Peer::Fd(ns),
        (Some("pid"), Some(proc)) => Peer::Pid(proc),
        (Some("rawfd" | "rawpid"), _) => Peer::Raw,
        (None, _) if step["peer"].is_null() => Peer::Raw,
        _ => return Err(Refusal::Invalid(format!("`peer` is {}", step["peer"]))),
    };
    Ok(Sent { sock, request, peer, is_zombie: step["note"] == "unreaped child" })
}
