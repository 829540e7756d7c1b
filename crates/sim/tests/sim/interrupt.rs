// SPDX-License-Identifier: GPL-2.0-only
//! Ctrl-C: what is known by then is told, and the exit code is 130.
#![cfg(unix)]

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
};

use crate::{
    common::{command, file, temporary},
    limits::endless,
};

/// Waits for something that cannot be seen from outside.
fn wait() {
    Command::new("sleep").arg("0.5").status().expect("time passes");
}

fn interrupt(child: &Child) {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(status.expect("kill can be started").success());
}

/// Starts `sim`, interrupts it when it is at work, and tells how it ended.
fn interrupted(arguments: &[&str]) -> (Option<i32>, String, String) {
    // What is said of this file is said before the work begins, and after ctrl-C is listened to.
    let bad = file("interrupt-bad.json", "{");
    let mut child = command(&[&arguments[..1], &[bad.as_str()], &arguments[1..]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sim can be started");
    let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut told = String::new();
    stderr.read_line(&mut told).expect("a line");
    wait();
    interrupt(&child);
    let mut stdout = String::new();
    child.stdout.take().expect("a pipe").read_to_string(&mut stdout).expect("UTF-8");
    stderr.read_to_string(&mut told).expect("UTF-8");
    (child.wait().expect("sim ends").code(), stdout, told)
}

#[test]
fn a_run_tells_how_far_it_has_come() {
    let endless = endless("interrupt-endless.json");
    let (code, stdout, stderr) =
        interrupted(&["run", "-v", "--max-output", "1", "scenarios/boot.json", &endless]);
    assert_eq!(code, Some(130), "{stderr}");
    assert!(stdout.contains("\nok     done after "), "the scenario before it: {stdout:.2000}");
    assert!(stdout.contains("\n?????? interrupted after "), "{stdout:.2000}");
    assert!(!stdout.contains("interrupted after 0 steps"), "{stdout:.2000}");
    assert!(stdout.contains("interrupted: this is what was known by then"), "{stdout:.2000}");
    assert!(stderr.contains("error: interrupted after 1 of 3 scenarios (2 runs)"), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn programs_are_told_as_well() {
    let endless = endless("interrupt-json.json");
    let (code, stdout, _) = interrupted(&["run", "--message-format", "json", &endless]);
    assert_eq!(code, Some(130));
    let result: serde_json::Value = serde_json::from_str(stdout.trim()).expect("a JSON line");
    assert_eq!(result["outcome"], "interrupted");
    assert_ne!(result["steps"], 0);
}

#[test]
fn a_sweep_is_cut_off() {
    let text = r#"{"version": 1, "title": "t", "note": "n", "machine": {"max_steps": 1000000000},
        "tasks": [{"name": "a", "steps": [{"unshare": {}}, {"loop": {"times": 1000000, "steps": [
            {"loop": {"times": 1000000, "steps": [{"touch_net": {"net": "init_net"}}]}}]}}]}],
        "runs": [{"sweep": {"alloc": "any"}}]}"#;
    let path = file("interrupt-sweep.json", text);
    let (code, stdout, stderr) = interrupted(&["run", &path]);
    assert_eq!(code, Some(130), "{stdout}{stderr}");
    assert!(stdout.contains("interrupted"), "{stdout}");
}

#[test]
fn executions_with_seeds_are_cut_off() {
    let text = r#"{"version": 1, "title": "t", "note": "n", "machine": {"max_steps": 1000000000},
        "tasks": [{"name": "a", "steps": [{"loop": {"times": 20000, "steps": [{"cond_resched": {}}]}}]}],
        "runs": [{"seeds": 10000}]}"#;
    let path = file("interrupt-seeds.json", text);
    let (code, stdout, stderr) = interrupted(&["run", "-v", &path, "scenarios/boot.json"]);
    assert_eq!(code, Some(130), "{stdout}{stderr}");
    assert!(stdout.contains(" of 10000 executions in "), "{stdout}");
    assert!(stdout.contains("interrupted: this is what was known by then"), "{stdout}");
    assert!(stderr.contains("error: interrupted after "), "{stderr}");
}

/// Whatever it hangs on.
#[test]
fn the_second_one_ends_it() {
    let path = temporary("interrupt-fifo.json");
    let _ = std::fs::remove_file(&path); // of an earlier test
    assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo can be started").success());
    let mut child = command(&["check", &path]).stderr(Stdio::piped()).spawn().expect("sim can be started");
    wait();
    interrupt(&child);
    wait();
    assert_eq!(child.try_wait().expect("it is ours"), None, "it waits for somebody to write");
    interrupt(&child);
    assert_eq!(child.wait().expect("sim ends").code(), Some(130));
}
