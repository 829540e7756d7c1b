// SPDX-License-Identifier: GPL-2.0-only
//! Files that cannot be read, and output that cannot be written: exit code 74 and a message, never a panic.
#![cfg(unix)]

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::ffi::OsStrExt,
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
};

use crate::common::{Called, command, file, sim, temporary};

/// Every command, with arguments that make it print.
const COMMANDS: &[&[&str]] = &[
    &["run", "scenarios/boot.json"],
    &["run", "scenarios"],
    &["run", "-v", "scenarios/boot.json"],
    &["run", "scenarios", "--message-format", "json"],
    &["check", "scenarios"],
    &["list"],
    &["list", "functions"],
    &["schema"],
    &["explain", "S006"],
    &["coverage"],
    &["completions", "bash"],
    &["--help"],
    &["run", "--help"],
    &["--version"],
];

fn with_stdout(arguments: &[&str], stdout: impl Into<Stdio>) -> Called {
    let output = command(arguments).stdout(stdout).output().expect("sim can be started");
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    Called { code: output.status.code(), stdout: String::new(), stderr }
}

#[test]
fn a_full_disk_is_an_error() {
    let Ok(full) = OpenOptions::new().write(true).open("/dev/full") else { return };
    for arguments in COMMANDS {
        let called = with_stdout(arguments, full.try_clone().expect("another handle"));
        assert_eq!(called.code, Some(74), "{arguments:?}: {}", called.stderr);
        assert!(called.stderr.contains("error: cannot write: No space left on device"), "{arguments:?}");
        assert_eq!(called.stderr.lines().count(), 1, "{arguments:?}");
    }
    // Whatever else was wrong is told as well.
    let bad = file("files-bad.json", "{");
    let called = with_stdout(&["run", "scenarios/boot.json", &bad], full);
    assert_eq!(called.code, Some(74), "{}", called.stderr);
}

#[test]
fn a_closed_pipe_is_no_error() {
    for arguments in COMMANDS {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let called = with_stdout(arguments, writer);
        assert_eq!((called.code, called.stderr.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn a_closed_stdout_or_stderr_is_no_panic() {
    let bad = file("files-bad-too.json", "{");
    for (arguments, code) in [(["run", "scenarios/boot.json"], 0), (["run", bad.as_str()], 2)] {
        let script = format!("exec {} {} >&- 2>&-", env!("CARGO_BIN_EXE_sim"), arguments.join(" "));
        let status = std::process::Command::new("sh")
            .args(["-c", &script])
            .current_dir(crate::common::root())
            .status()
            .expect("a shell");
        assert_eq!(status.code(), Some(code), "{arguments:?}");
    }
    if let Ok(full) = File::options().write(true).open("/dev/full") {
        let status = command(&["run", &bad]).stderr(full).status().expect("sim can be started");
        assert_eq!(status.code(), Some(2), "a message that cannot be told changes nothing");
    }
}

#[test]
fn a_directory_where_a_file_belongs() {
    let directory = temporary("files-directory.json");
    fs::create_dir_all(format!("{directory}/inner.json")).expect("a directory");
    fs::write(format!("{directory}/boot.json"), fs::read("../../scenarios/boot.json").expect("a scenario"))
        .expect("a file");
    let called = sim(&["run", &directory]);
    assert_eq!(called.code, Some(0), "a directory may be called like a file: {called:?}");
    let called = sim(&["oracle", &directory]);
    assert_eq!(called.code, Some(74), "{called:?}");
    assert!(called.stderr.contains("Is a directory"), "{}", called.stderr);
}

#[test]
fn a_file_that_may_not_be_read() {
    // Whoever may read everything may not read this, either: it is a link to itself.
    let path = temporary("files-loop.json");
    let _ = fs::remove_file(&path); // of an earlier test
    std::os::unix::fs::symlink(&path, &path).expect("a link");
    for command in ["run", "check", "oracle"] {
        let called = sim(&[command, &path]);
        assert_eq!(called.code, Some(74), "{called:?}");
        assert!(called.stderr.starts_with(&format!("error: {path}: ")), "{}", called.stderr);
    }
}

#[test]
fn a_new_scenario_where_nothing_can_be_written() {
    for path in ["/proc/new-scenario", "Cargo.toml/new-scenario", "no/such/directory/new-scenario"] {
        let called = sim(&["new", path]);
        assert_eq!(called.code, Some(74), "{called:?}");
        assert!(called.stderr.starts_with(&format!("error: {path}.json: ")), "{}", called.stderr);
    }
}

#[test]
fn a_name_that_is_not_utf8() {
    let directory = temporary("files-not-utf8");
    fs::create_dir_all(&directory).expect("a directory");
    let name = [directory.as_bytes(), b"/\xff.json"].concat();
    let name = OsStr::from_bytes(&name);
    fs::write(name, "{}").expect("a file");
    // In a directory it must not be passed over in silence.
    let called = sim(&["run", &directory]);
    assert_eq!(called.code, Some(74), "{called:?}");
    assert!(called.stderr.contains("the name is not UTF-8"), "{}", called.stderr);
    let output = command(&["run"]).arg(name).output().expect("sim can be started");
    assert_eq!(output.status.code(), Some(74), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("invalid UTF-8"), "{output:?}");
}

/// Somebody writes while we read: a whole file, a part of one or none is read, and nothing else happens.
#[test]
fn a_file_that_changes() {
    let path = temporary("files-changes.json");
    let good = fs::read("../../scenarios/boot.json").expect("a scenario");
    let good = [good.as_slice(), &b" ".repeat(1 << 20)].concat();
    fs::write(&path, &good).expect("a file");
    let is_over = AtomicBool::new(false);
    let all: Vec<Called> = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let mut file = File::create(&path).expect("a file");
                for part in good.chunks(5000) {
                    file.write_all(part).expect("room");
                }
            }
        });
        let all = (0..60).map(|_| sim(&["check", &path])).collect();
        is_over.store(true, Ordering::Relaxed);
        all
    });
    for called in all {
        let Called { code, stderr, .. } = &called;
        assert!(matches!(code, Some(0 | 2)) && !stderr.contains("panicked"), "{called:?}");
    }
}
