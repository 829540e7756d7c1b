// SPDX-License-Identifier: GPL-2.0-only
//! What `sim` says of the format: lists, the schema, new scenarios, completions.

use std::fs;

use crate::common::{scenarios, sim, temporary};

fn good(arguments: &[&str]) -> String {
    let called = sim(arguments);
    assert_eq!((called.code, called.stderr.as_str()), (Some(0), ""), "{called:?}");
    called.stdout
}

#[test]
fn lists_have_a_line_for_each_word() {
    for (what, line) in [
        ("ops", "put_net net "),
        ("ops", "copy_net_ns [as] [expect] [flags] [old] [user_ns] "),
        ("events", "notify NET MESSAGE "),
        ("functions", "cleanup_net"),
        ("codes", "S006 "),
        ("codes", "kasan-use-after-free "),
        ("patches", "get_live_net_by_id "),
        ("subsystems", "net_ns_ops "),
        ("subsystems", "loopback "),
        ("scenarios", "create-destroy "),
    ] {
        let text = good(&["list", what]);
        assert!(text.lines().any(|listed| listed.starts_with(line)), "{what}: {text}");
        assert!(
            text.lines().all(|listed| listed == listed.trim_end() && !listed.is_empty()),
            "{what}: {text}"
        );
    }
    assert_eq!(good(&["list"]), good(&["list", "scenarios", "scenarios"]));
    assert_eq!(sim(&["list", "nonsense"]).code, Some(2));
}

/// No word is left out, and none is listed that does not exist.
#[test]
fn lists_are_whole() {
    let codes = scenario::CODES.iter().chain(report::finding::EXPLANATIONS);
    let scenarios = scenarios();
    let files = scenarios.iter().filter_map(|path| path.strip_prefix("scenarios/")?.strip_suffix(".json"));
    let expected: [(&str, Vec<String>); 8] = [
        ("ops", scenario::operations().iter().map(|operation| operation.name.to_owned()).collect()),
        ("events", scenario::EVENTS.iter().map(|(form, _)| first_word(form)).collect()),
        ("functions", scenario::FUNCTIONS.iter().map(|name| (*name).to_owned()).collect()),
        ("codes", codes.map(|(code, _)| (*code).to_owned()).collect()),
        ("patches", scenario::patches().map(|(name, _)| name.to_owned()).collect()),
        ("subsystems", scenario::subsystems().map(|(name, _)| name.to_owned()).collect()),
        ("scenarios", files.clone().map(str::to_owned).collect()),
        (
            "bugs",
            std::iter::once("scenario")
                .chain(files.filter(|file| file.starts_with("bugs/")))
                .map(str::to_owned)
                .collect(),
        ),
    ];
    for (what, words) in expected {
        let listed: Vec<String> = good(&["list", what]).lines().map(first_word).collect();
        assert_eq!(listed, words, "{what}");
        assert!(words.len() > 3, "{what}");
    }
}

fn first_word(line: &str) -> String {
    line.split(' ').next().unwrap_or_default().to_owned()
}

#[test]
fn every_template_makes_a_scenario_that_is_as_expected() {
    let schema: serde_json::Value = serde_json::from_str(&good(&["schema"])).expect("a schema");
    assert_eq!(schema["properties"]["version"]["const"], 1);
    for template in ["minimal", "race", "pernet", "netlink", "fault"] {
        let path = temporary(&format!("new-{template}_one.json"));
        let _ = fs::remove_file(&path); // of an earlier run
        let name = path.strip_suffix(".json").expect("a name");
        let told = good(&["new", name, "--template", template]);
        assert!(told.contains(&path), "{told}");
        let text = fs::read_to_string(&path).expect("a file");
        assert!(text.contains(&format!("\"title\": \"new {template} one\"")), "{text}");
        good(&["check", &path]);
        let run = good(&["run", &path]);
        assert!(run.lines().any(|line| line.starts_with("ok ")), "{run}");
        assert_eq!(sim(&["new", &path]).code, Some(2), "it exists");
        assert_eq!(fs::read_to_string(&path).expect("a file"), text, "it stays as it is");
    }
}

#[test]
fn a_name_may_be_anything_that_names_a_file() {
    let path = temporary("it's \"quoted\" é.json");
    let _ = fs::remove_file(&path);
    good(&["new", &path]);
    good(&["check", &path]);
    for bad in ["", "there/is/no/directory/", ".json"] {
        assert_eq!(sim(&["new", bad]).code, Some(2), "{bad}");
    }
    assert_eq!(sim(&["new", "there/is/no/directory/x"]).code, Some(74));
}

#[test]
fn shells_complete_the_commands() {
    for (shell, own) in [
        ("bash", "complete -F _sim "),
        ("zsh", "#compdef sim"),
        ("fish", "complete -c sim "),
        ("elvish", "edit:completion:arg-completer[sim]"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let script = good(&["completions", shell]);
        assert!(script.contains(own), "{shell}: {script}");
        for word in ["oracle", "coverage", "template", "schedule"] {
            assert!(script.contains(word), "{shell} knows nothing of {word}");
        }
    }
}
