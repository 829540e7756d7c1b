// SPDX-License-Identifier: GPL-2.0-only
//! Error numbers; include/uapi/asm-generic/errno-base.h, errno.h

use std::fmt;

/// A positive error number; C returns it negated.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Errno(pub i32);

macro_rules! errnos {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        $(#[doc = $text] pub const $name: Errno = Errno($number);)*
        impl Errno {
            /// Its name in C.
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

errnos! {
    EPERM = 1, "Operation not permitted.";
    ENOENT = 2, "No such file or directory.";
    ESRCH = 3, "No such process.";
    EINTR = 4, "Interrupted system call.";
    EIO = 5, "I/O error.";
    EBADF = 9, "Bad file number.";
    EAGAIN = 11, "Try again.";
    ENOMEM = 12, "Out of memory.";
    EACCES = 13, "Permission denied.";
    EBUSY = 16, "Device or resource busy.";
    EEXIST = 17, "File exists.";
    EINVAL = 22, "Invalid argument.";
    EMFILE = 24, "Too many open files.";
    ENOSPC = 28, "No space left on device.";
    ERANGE = 34, "Math result not representable.";
    EMSGSIZE = 90, "Message too long.";
    EOPNOTSUPP = 95, "Operation not supported on transport endpoint.";
    ENOBUFS = 105, "No buffer space available.";
    ECONNREFUSED = 111, "Connection refused.";
}

impl Errno {
    /// What C returns.
    pub fn negated(self) -> i32 {
        self.0.wrapping_neg()
    }
    /// From what C returns.
    pub fn from_negated(value: i32) -> Self {
        Errno(value.wrapping_neg())
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "-{name}"),
            None => write!(f, "{}", self.negated()),
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
