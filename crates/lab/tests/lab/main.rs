// SPDX-License-Identifier: GPL-2.0-only
//! Recordings agree, differences are noticed, sweeps judge what failures leave.

mod conformance;
mod latency;
mod leaves;
mod machine;
mod real_kernel;
mod setup;
mod sweep;
