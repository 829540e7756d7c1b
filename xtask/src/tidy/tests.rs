// SPDX-License-Identifier: GPL-2.0-only
//! Each rule fires on its bad example, alone, and is silent on its good one.

use super::*;

/// A rule with a path and two texts: one that breaks it and one that does not.
struct Example {
    rule: &'static str,
    path: &'static str,
    bad: &'static str,
    good: &'static str,
}

/// A good source file around some lines.
macro_rules! source {
    ($($text:expr),*) => { concat!("// SPDX-License-Identifier: GPL-2.0-only\n//! A file.\n", $($text),*) };
}

const EXAMPLES: &[Example] = &[
    Example {
        rule: "file-header",
        path: "crates/netns/src/a.rs",
        bad: "// SPDX-License-Identifier: GPL-2.0-only\nfn f() {}\n",
        good: source!("fn f() {}\n"),
    },
    Example {
        rule: "file-header",
        path: "crates/netns/src/a.rs",
        bad: "//! A file.\n// SPDX-License-Identifier: GPL-2.0-only\n",
        good: source!(""),
    },
    Example { rule: "file-header", path: "crates/netns/src/lib.rs", bad: "", good: source!("") },
    Example {
        rule: "line-length",
        path: "crates/netns/src/a.rs",
        bad: source!(
            "// ..................................................",
            "..................................................",
            "..................\n"
        ),
        good: source!(
            "// ..................................................",
            "..................................................",
            ".......\n"
        ),
    },
    Example {
        rule: "unfinished",
        path: "docs/MODEL.md",
        bad: concat!("# Model\nFIX", "ME: say more.\n"),
        good: concat!("# Model\nPREFIX", "MES and HA", "CKERS.\n"),
    },
    Example {
        rule: "unfinished",
        path: "crates/netns/src/a.rs",
        bad: source!("fn f() { to", "do!() }\n"),
        good: source!("fn f() { undo() }\n"),
    },
    Example {
        rule: "ignored-test",
        path: "crates/netns/tests/a.rs",
        bad: source!("#[test]\n#[", "ignore = \"slow\"]\nfn f() {}\n"),
        good: source!("#[test]\nfn ignore() {}\n"),
    },
    Example {
        rule: "printing",
        path: "crates/netns/src/a.rs",
        bad: source!("fn f() { println", "!(\"x\") }\n"),
        good: source!("/// println", "!(\"x\")\nfn f() { my_println", "!(\"x\") }\n"),
    },
    Example { rule: "trailing-space", path: "scenarios/a.json", bad: "{ \n}\n", good: "{\n}\n" },
    Example {
        rule: "machine-path",
        path: ".ci/run",
        bad: concat!("ls /t", "mp/x\n"),
        good: concat!("ls a/t", "mp/x target/t", "mp/x /t", "mpfs\n"),
    },
    Example {
        rule: "machine-path",
        path: "crates/netns/src/a.rs",
        bad: source!("// See ../sha", "red/a.md.\n"),
        good: source!("// See ../docs/MODEL.md; kworker/worker; net/work.\n"),
    },
    Example {
        rule: "doc-title",
        path: "docs/MODEL.md",
        bad: "# Model\n\n# More\n",
        good: "# Model\n\n```\n# a comment\n```\n## More\n",
    },
    Example { rule: "doc-title", path: "docs/MODEL.md", bad: "## Model\n", good: "# Model\n" },
    Example { rule: "doc-linked", path: "docs/OTHER.md", bad: "# Other\n", good: "" },
    Example {
        rule: "dependency-reason",
        path: "crates/netns/Cargo.toml",
        bad: "[dependencies]\nkernel.workspace = true\nserde = \"1\"\n",
        good: "[dependencies]\n# Reads scenarios.\nserde = \"1\"\nkernel = { path = \"../kernel\" }\n",
    },
    Example {
        rule: "dependency-reason",
        path: "Cargo.toml",
        bad: "[target.'cfg(unix)'.dev-dependencies.libc]\nversion = \"1\"\n",
        good: "[profile.dev]\nopt-level = 1\n[dev-dependencies]\nlibc = \"1\" # Sends signals.\n",
    },
];

/// Pages that the examples need around them.
fn tree(path: &str, text: &str) -> Tree {
    let mut files = vec![("README.md", "[model](docs/MODEL.md#fidelity)\n")];
    if !text.is_empty() || path.ends_with(".rs") {
        files.push((path, text));
    }
    Tree::of(&files)
}

fn broken(tree: &Tree) -> Vec<&'static str> {
    let mut rules: Vec<_> =
        RULES.iter().filter(|rule| !(rule.check)(tree).is_empty()).map(|rule| rule.name).collect();
    rules.dedup();
    rules
}

#[test]
fn each_rule_fires_alone_on_its_bad_example_and_not_on_the_good_one() {
    for Example { rule, path, bad, good } in EXAMPLES {
        assert_eq!(broken(&tree(path, bad)), [*rule], "{path}: {bad}");
        assert_eq!(broken(&tree(path, good)), [""; 0], "{path}: {good}");
    }
}

#[test]
fn every_rule_has_an_example() {
    // The length of a file has its own test below: its example is no three lines.
    for rule in RULES.iter().filter(|rule| rule.name != "file-length") {
        assert!(EXAMPLES.iter().any(|example| example.rule == rule.name), "{}", rule.name);
    }
}

#[test]
fn a_file_has_at_most_600_lines() {
    let with =
        |lines: usize| tree("crates/netns/src/a.rs", &(source!("").to_owned() + &"\n".repeat(lines - 2)));
    assert_eq!(broken(&with(600)), [""; 0]);
    assert_eq!(broken(&with(601)), ["file-length"]);
}

#[test]
fn the_command_line_and_tests_may_print() {
    let text = source!("fn f() { println", "!(\"x\") }\n");
    for path in ["crates/sim/src/main.rs", "xtask/src/out.rs", "crates/netns/tests/a.rs"] {
        assert_eq!(broken(&tree(path, text)), [""; 0], "{path}");
    }
}

#[test]
fn the_architecture_links_from_its_own_folder() {
    let files =
        [("docs/ARCHITECTURE.md", "# A\n[s](STYLE.md) [r](../README.md)\n"), ("docs/STYLE.md", "# S\n")];
    let tree = Tree::of(&[&files[..], &[("README.md", "[a](./docs/ARCHITECTURE.md)\n")]].concat());
    assert_eq!(broken(&tree), [""; 0]);
    assert_eq!(broken(&Tree::of(&files)), ["doc-linked"]);
}

#[test]
fn the_licence_and_recordings_are_as_they_are() {
    assert_eq!(
        broken(&Tree::of(&[("LICENSE", "a \n"), ("crates/lab/tests/data/a.jsonl", "{} \n")])),
        [""; 0]
    );
}

#[test]
fn a_complaint_says_where_what_why_and_what_to_do() {
    let complaints = check(&tree("scenarios/a.json", "{}\n} \n")).complaints;
    assert_eq!(
        complaints[0].to_string(),
        "scenarios/a.json:2: space at the end of the line \
         [trailing-space: it makes noise in every later diff; remove it]"
    );
}
