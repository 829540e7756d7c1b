// SPDX-License-Identifier: GPL-2.0-only
//! What a timeline remembers of a run: what may get a line, as plain data.

use machine::{Effect, Op, STEP, TaskId, Update, What};

/// Something that may get a line.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Who.
    pub(crate) task: TaskId,
    /// Where.
    pub(crate) cpu: u32,
    /// When, in virtual nanoseconds.
    pub(crate) time: u64,
    /// How many kernel functions the task was in.
    pub(crate) depth: u32,
    /// What.
    pub(crate) what: Shown,
}

/// What happened.
#[derive(Clone, Debug)]
pub(crate) enum Shown {
    /// An operation, with its answer, or an effect.
    Event(What),
    /// The same, in the words of whoever knows more.
    InWords(Box<str>),
    /// The task waits before it can perform this, for whoever holds it.
    Waits(Op, Option<TaskId>),
    /// It waits for ever.
    Stuck(Op, Option<TaskId>),
    /// The first line of a finding.
    Found(Box<str>),
}

/// Whether an event gets a line where not everything does: what has an effect on others, and the functions that
/// lead there.
pub(crate) fn is_telling(what: &What) -> bool {
    match what {
        _ if is_step(what) => false,
        What::Op(op, _) => match op {
            Op::Marked(_, update, _) | Op::Racy(_, update) => *update != Update::Read,
            Op::Lock(..) | Op::Wait(_) | Op::RcuReadLock | Op::GraceEnd => true,
            // A fault is told by its finding.
            Op::Start | Op::IsLocked(_) | Op::GraceBegin { .. } | Op::MightSleep(_) => false,
            Op::Sleep(_) | Op::Stall(_) | Op::Tick => true,
            Op::PreemptEnable | Op::Interruptible | Op::Fault(_) => false,
        },
        What::Effect(effect) => match effect {
            Effect::Alloc(_) | Effect::AllocFailed(_) | Effect::Free(_) => true,
            Effect::Unlock(..) | Effect::Complete(_) | Effect::RcuReadUnlock => true,
            Effect::Spawn(_) | Effect::Kill(_) | Effect::Enter(..) => true,
            // A warning is told by its finding, and so is a corrupted list.
            Effect::Trace(point, ..) => !point.is_list_corruption(),
            Effect::Read(_) | Effect::Write(..) | Effect::MightSleep(_) => false,
            Effect::Release(_) | Effect::Acquire(_) => false,
            Effect::Disable(_) | Effect::Enable(_) | Effect::UserMode => false,
            Effect::Leave(_) | Effect::Warn(_) => false,
        },
    }
}

/// Whether an event gets a line where everything does.
pub(crate) fn is_anything(what: &What) -> bool {
    let nothing = matches!(
        what,
        What::Op(Op::Start | Op::Fault(_) | Op::PreemptEnable | Op::Interruptible, _)
            | What::Effect(Effect::Leave(_) | Effect::Warn(_) | Effect::UserMode)
    );
    !nothing && !is_step(what)
}

/// Whether it only says where the scenario is.
fn is_step(what: &What) -> bool {
    matches!(what, What::Effect(Effect::Trace(point, ..)) if std::ptr::eq(*point, &STEP))
}
