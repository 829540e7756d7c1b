// SPDX-License-Identifier: GPL-2.0-only
//! What ends a command early: ctrl-C, and `--max-time`. Both are asked for, between choices, between runs and between
//! files, so that what is known by then is told.
#![expect(clippy::disallowed_types, reason = "only the command line reads the clock")]

use std::{
    sync::{
        Arc, LazyLock, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// Set by the signal.
static SIGNALLED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);
/// When the time is over.
static DEADLINE: OnceLock<Instant> = OnceLock::new();

/// Why a command ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// Ctrl-C.
    Signal,
    /// `--max-time`.
    Time,
}

/// From now on the first ctrl-C asks us to end, and the second one ends us.
pub(crate) fn listen() {
    #[cfg(unix)]
    {
        use signal_hook::{consts::SIGINT, flag};
        // In this order: the first signal must not see the flag that it sets. Where a handler cannot be set, ctrl-C
        // does what it does to other programs.
        let _ = flag::register_conditional_shutdown(SIGINT, 130, Arc::clone(&SIGNALLED));
        let _ = flag::register(SIGINT, Arc::clone(&SIGNALLED));
    }
}

/// The time is over in so many seconds.
pub(crate) fn end_after(seconds: u64) {
    if let Some(deadline) = Instant::now().checked_add(Duration::from_secs(seconds)) {
        // It is set once: there is one command in a process.
        let _ = DEADLINE.set(deadline);
    }
}

/// Whether it is time to end, and why.
pub(crate) fn why() -> Option<Why> {
    if SIGNALLED.load(Ordering::Relaxed) {
        return Some(Why::Signal);
    }
    DEADLINE.get().filter(|deadline| Instant::now() >= **deadline).map(|_| Why::Time)
}

/// Whether it is time to end.
pub(crate) fn is_due() -> bool {
    why().is_some()
}
