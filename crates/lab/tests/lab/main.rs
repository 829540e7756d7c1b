// SPDX-License-Identifier: GPL-2.0-only
//! Recordings agree, differences are noticed, sweeps judge what failures leave, seeds are counted.

mod conformance;
mod latency;
mod leaves;
mod machine;
mod mutants;
mod real_kernel;
mod seeds;
mod setup;
mod sweep;
