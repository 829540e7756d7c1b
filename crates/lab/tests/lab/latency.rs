// SPDX-License-Identifier: GPL-2.0-only
//! The step `takes`: virtual time as an expectation.

use crate::setup::run;

/// What fails if two steps of 3 ms each, and the one before them, are expected to take `limits`.
fn failures(limits: &str) -> Vec<String> {
    let report = run(&format!(
        r#""machine": {{"clock": "timed"}}, "tasks": [{{"name": "t", "steps": [{{"delay": {{"time": "9ms"}}}},
        {{"takes": {{{limits}, "steps": [{{"delay": {{"time": "3ms"}}}}, {{"delay": {{"time": "3ms"}}}}]}}}}]}}]"#
    ));
    report.failures.iter().map(ToString::to_string).collect()
}

#[test]
fn a_latency_within_its_limits_is_as_expected() {
    assert_eq!(failures(r#""at_least": "6ms", "at_most": "6100us""#), [""; 0]);
    assert_eq!(failures(r#""at_most": "1s""#), [""; 0]);
}

#[test]
fn a_latency_beyond_them_fails_the_run() {
    let short = failures(r#""at_least": "7ms""#);
    assert_eq!(short.len(), 1);
    assert!(
        short[0].contains("took 6.0") && short[0].contains("ms, expected at least 7.000 ms"),
        "{short:?}"
    );
    let long = failures(r#""at_least": "1ms", "at_most": "5ms""#);
    assert_eq!(long.len(), 1);
    assert!(long[0].contains("expected at least 1.000 ms and at most 5.000 ms"), "{long:?}");
}

/// To measure takes no time, and no operation.
#[test]
fn a_measurement_changes_nothing() {
    let parts = |steps: &str| {
        format!(r#""machine": {{"clock": "timed"}}, "tasks": [{{"name": "t", "steps": [{steps}]}}]"#)
    };
    let plain = run(&parts(r#"{"copy_net_ns": {"as": "a"}}"#));
    let measured = run(&parts(r#"{"takes": {"at_most": "1s", "steps": [{"copy_net_ns": {"as": "a"}}]}}"#));
    assert_eq!((plain.steps, plain.time), (measured.steps, measured.time));
}
