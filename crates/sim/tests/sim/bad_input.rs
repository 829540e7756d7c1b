// SPDX-License-Identifier: GPL-2.0-only
//! Whatever a file holds, there is one clear diagnostic, exit code 2, and no panic.

use std::fs;

use crate::common::{Called, file, sim, temporary};

/// Runs a file with this content; it must be refused, with a place.
fn refused(name: &str, content: impl AsRef<[u8]>) -> Called {
    let path = file(name, content);
    let called = sim(&["run", &path]);
    assert_eq!(called.code, Some(2), "{called:?}");
    assert_eq!(called.stdout, "");
    assert!(called.stderr.starts_with("error"), "{}", called.stderr);
    assert!(called.stderr.contains(&format!("{path}:")), "{}", called.stderr);
    assert!(!called.stderr.contains("panicked"), "{}", called.stderr);
    assert!(called.stderr.len() < 10_000, "{} bytes on stderr", called.stderr.len());
    called
}

#[test]
fn no_json() {
    let called = refused("no-json.json", "{\n  \"version\": 1,\n  \"title\": }\n");
    assert!(called.stderr.contains("no-json.json:3:"), "{}", called.stderr);
}

#[test]
fn an_unknown_field() {
    let text = "{\n  \"version\": 1,\n  \"title\": \"t\",\n  \"note\": \"n\",\n  \"tsaks\": []\n}\n";
    let called = refused("unknown-field.json", text);
    assert!(called.stderr.contains("unknown-field.json:5:3"), "{}", called.stderr);
    assert!(called.stderr.contains("tasks"), "{}", called.stderr);
}

#[test]
fn a_wrong_type_and_a_number_out_of_range() {
    refused("wrong-type.json", r#"{"version": 1, "title": 7, "note": "n"}"#);
    refused("out-of-range.json", r#"{"version": 1, "title": "t", "note": "n", "machine": {"cpus": 0}}"#);
    refused("large.json", r#"{"version": 1, "title": "t", "note": "n", "machine": {"cpus": 1e300}}"#);
    refused("version.json", r#"{"version": 99999999999999999999, "title": "t", "note": "n"}"#);
}

#[test]
fn an_empty_file_and_blanks() {
    refused("empty.json", "");
    refused("blank.json", " \n\t\r\n");
}

#[test]
fn binary_junk() {
    let junk: Vec<u8> = (0..50_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    refused("junk.json", junk);
    refused("nul.json", [0_u8; 4096]);
    refused("bom.json", b"\xef\xbb\xbf{}");
    refused("not-utf8.json", b"{\"title\": \"\xff\"}");
}

#[test]
fn deep_nesting() {
    refused("deep-lists.json", "[".repeat(1_000_000));
    refused("deep-objects.json", "{\"setup\":".repeat(200_000));
    let nested = format!("{{\"version\": 1, \"title\": \"t\", \"note\": {}1", "[".repeat(100_000));
    refused("deep-value.json", nested);
}

#[test]
fn one_long_line() {
    refused("long-line.json", format!("{{\"title\": \"{}\", \"x\": 1}}", "a".repeat(5_000_000)));
}

#[test]
fn a_hundred_megabytes_are_not_read() {
    let path = temporary("hundred-megabytes.json");
    let file = fs::File::create(&path).expect("a temporary file can be made");
    file.set_len(100 << 20).expect("a sparse file");
    let called = sim(&["run", &path]);
    fs::remove_file(&path).expect("the file is there");
    assert_eq!(called.code, Some(2), "{called:?}");
    assert!(called.stderr.contains("104857600 bytes"), "{}", called.stderr);
}

#[test]
fn what_has_no_end_is_not_read_to_its_end() {
    #[cfg(unix)]
    {
        let called = sim(&["check", "/dev/zero"]);
        assert_eq!(called.code, Some(2), "{called:?}");
    }
}

#[test]
fn a_missing_file_and_a_file_for_a_directory() {
    for path in ["scenarios/there-is-none.json", "there/is/none", "Cargo.toml/x"] {
        let called = sim(&["run", path]);
        assert_eq!(called.code, Some(74), "{called:?}");
        assert!(called.stderr.starts_with(&format!("error: {path}: ")), "{}", called.stderr);
    }
}

#[test]
fn a_directory_without_scenarios() {
    let path = temporary("without-scenarios");
    fs::create_dir_all(&path).expect("a temporary directory can be made");
    for command in [&["run"][..], &["check"], &["list", "scenarios"], &["coverage"]] {
        let called = sim(&[command, &[path.as_str()]].concat());
        assert_eq!(called.code, Some(2), "{called:?}");
        assert!(called.stderr.contains("there are no scenarios"), "{}", called.stderr);
    }
}

#[test]
fn one_bad_file_does_not_hide_the_others() {
    let path = file("bad-among-good.json", "{");
    let called = sim(&["run", "scenarios/boot.json", &path]);
    assert_eq!(called.code, Some(2), "{called:?}");
    assert!(called.stdout.contains("boot"), "{}", called.stdout);
    assert!(called.stdout.contains("1 invalid"), "{}", called.stdout);
}

/// With JSON, errors are objects too: one a line, on stderr.
#[test]
fn errors_as_json() {
    let path = file(
        "errors.json",
        "{\n  \"version\": 1,\n  \"title\": \"t\",\n  \"note\": \"n\",\n  \"tsaks\": []\n}\n",
    );
    for command in ["run", "check"] {
        let called = sim(&[command, &path, "there/is/none.json", "--message-format", "json"]);
        assert_eq!((called.code, called.stdout.as_str()), (Some(74), ""), "{called:?}");
        let called = sim(&[command, &path, "--message-format", "json"]);
        assert_eq!((called.code, called.stdout.as_str()), (Some(2), ""), "{called:?}");
        let error: serde_json::Value = serde_json::from_str(&called.stderr).expect("one object");
        assert_eq!((&error["reason"], &error["code"]), (&"error".into(), &"S006".into()));
        assert_eq!(error["message"], "unknown field `tsaks`");
        assert_eq!(error["file"], path.as_str());
        assert_eq!((&error["line"], &error["column"]), (&5.into(), &3.into()));
        assert_eq!(error["help"], "did you mean `tasks`?");
        let rendered = error["rendered"].as_str().expect("text");
        assert_eq!(format!("{rendered}\n\n"), sim(&[command, &path]).stderr);
    }
}
