// SPDX-License-Identifier: GPL-2.0-only
//! Scenarios: the JSON format, from text to a program on a bus and a verdict on its run.
//!
//! [`read()`] makes a [`Scenario`] of a [`Source`], or says what is wrong with it. [`start`] makes of one of its runs
//! the first task for any machine. When the machine has stopped, [`Scenario::judge`] compares what happened with
//! what the run expects. No text can make any of this panic.

mod after_setup;
mod body;
mod catalogue;
mod check;
mod codes;
mod compile;
mod diagnostic;
mod end;
mod essence;
mod event_forms;
mod events;
mod execute;
mod faults;
mod format;
mod functions;
mod judge;
mod members;
mod modules;
mod objects;
mod observation;
mod place;
mod program;
mod read;
mod references;
mod repair;
mod requests;
mod scenario;
mod schedule;
mod schema;
mod source;
mod step;
mod tally;
mod time;
mod values;
mod vocabulary;
mod waiting;
mod words;
mod world;

pub use after_setup::AfterSetup;
pub use catalogue::{Operation, mutations, operations, patches, reverts, subsystems};
pub use codes::{CODES, explain};
pub use diagnostic::{Diagnostic, Label};
pub use end::{EndState, NamespaceState, SocketState, TaskState, UcountState};
pub use essence::Essence;
pub use event_forms::EVENTS;
pub use events::{PERNET_EXIT, PERNET_EXIT_BATCH, PERNET_INIT, event_text};
pub use format::{Preempt, Rcu, Shown};
pub use functions::FUNCTIONS;
pub use judge::Failure;
pub use netns::SUBSYSTEMS;
pub use observation::{ExpectedFinding, Observation, Observed, Share};
pub use place::{InStep, StepWatch, is_of_simulator};
pub use program::{Started, start, start_damaged};
pub use read::read;
pub use scenario::{Bug, Driver, MachineConfig, Outcome, Run, Scenario, Sweep, Variant, cells_of};
pub use schema::schema;
pub use source::{MAX_BYTES, Source};
pub use step::STEPS;
pub use tally::Tally;
pub use world::World;
