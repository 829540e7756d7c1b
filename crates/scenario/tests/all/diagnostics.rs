// SPDX-License-Identifier: GPL-2.0-only
//! Every diagnostic, as it is shown: the inputs here, the texts in `diagnostics.snap`.

use std::collections::BTreeSet;

use crate::common::{source, with};
use scenario::{CODES, MAX_BYTES, Source, explain, read};

/// What is wrong with a text.
fn rendered(text: &str) -> String {
    let source = source(text);
    match read(&source) {
        Ok(_) => "it is good\n".to_owned(),
        Err(errors) => errors.iter().map(|error| error.render(&source, false) + "\n\n").collect(),
    }
}

fn steps(steps: &str) -> String {
    with(&format!("  \"setup\": [\n    {steps}\n  ]"))
}

/// Bad scenarios, with a word on each.
fn cases() -> Vec<(&'static str, String)> {
    let nested = |depth: usize| {
        let open = r#"{"loop": {"times": 1, "steps": ["#.repeat(depth);
        steps(&format!("{open}{}", "]}}".repeat(depth)))
    };
    vec![
        ("S003 empty", " \n".to_owned()),
        ("S004 trailing comma", with("  \"tasks\": [],")),
        ("S004 ends early", "{\n  \"version\": 1".to_owned()),
        ("S004 comment", "// hello\n{}".to_owned()),
        ("S004 two values", with("  \"tasks\": []") + "{}"),
        ("S004 binary junk", "\u{0}\u{1}\u{7f}\u{feff}".to_owned()),
        ("S004 control character in a string", with("  \"tasks\": [{\"name\": \"a\u{1}\"}]")),
        ("S008 deep lists", "[".repeat(300)),
        ("S005 deep values", steps(&"{\"loop\":{\"steps\":[".repeat(50).replace("{\"loop", "\n{\"loop"))),
        ("S005 deep steps", nested(17).replace("[{\"loop", "[\n{\"loop")),
        ("S006 unknown field", steps(r#"{"put_net": {"nett": "init_net"}}"#)),
        ("S006 unknown field of a step without fields", steps(r#"{"rcu_barrier": {"now": true}}"#)),
        ("S006 unknown field at the top", with("  \"taskz\": []")),
        (
            "S006 all errors at once",
            with(
                r#"  "taskz": [],
  "machine": {"cpus": 0, "preemt": "full"},
  "tasks": [
    {"name": "a", "steps": [
      {"copy_net_ns": {"as": "net", "expct": true}},
      {"put_net": {"nett": "net"}},
      {"putnet": {"net": "net"}},
      {"put_net": {"net": 7}},
      {"put_net": {}},
      {},
      {"copy_net_ns": {"as": 3}},
      {"put_net": {"net": "other"}},
      {"put_net": {"net": "net"}}
    ]},
    {"steps": [{"copy_net_ns": {"as": "lost"}}]},
    {"name": "b", "cpu": "one", "steps": [{"put_net": {"net": "lost"}}, {"unshare": {"expect": true}}]}
  ],
  "runs": [{"seed": -1, "findings": ["kasan"]}]"#,
            ),
        ),
        ("S007 nothing but an error", "{\n  \"titel\": \"t\"\n}".to_owned()),
        ("S007 no version", "{\n  \"title\": \"t\", \"note\": \"n\"\n}".to_owned()),
        ("S007 missing field", steps(r#"{"put_net": {}}"#)),
        ("S007 no step", steps("{}")),
        ("S008 wrong type", steps(r#"{"put_net": {"net": 7}}"#)),
        ("S008 no object", "[]".to_owned()),
        ("S008 a step that is no object", steps(r#""put_net""#)),
        ("S008 no word", with("  \"machine\": {\"clock\": true}")),
        ("S050 no time", with("  \"machine\": {\"clock\": \"timed\", \"max_time\": 0}")),
        (
            "S050 after the end",
            with(
                "  \"machine\": {\"clock\": \"timed\", \"max_time\": \"10ms\"},\n\
                   \x20 \"tasks\": [\n\
                   \x20   {\"name\": \"late\", \"after\": \"10ms\"},\n\
                   \x20   {\"name\": \"many\", \"after\": \"3ms\", \"copies\": 4},\n\
                   \x20   {\"name\": \"few\", \"after\": \"3ms\", \"copies\": 3}\n\
                   \x20 ]",
            ),
        ),
        ("S022 in an end state", with(r#"  "runs": [{"end": {"pernet": ["net_ns_ops", "lo"]}}]"#)),
        (
            "S039 a task of another machine",
            with(r#"  "machine": {"cpus": 2}, "runs": [{"schedule": "rcuc/7"}]"#),
        ),
        (
            "S041 a name of the scenario",
            with(r#"  "setup": [{"copy_net_ns": {"as": "a"}}], "runs": [{"counts": {"free a": 1}}]"#),
        ),
        (
            "S050 without a clock",
            with(
                "  \"machine\": {\"hz\": 100, \"costs\": {\"lock\": 1}, \"max_time\": \"1s\", \
                 \"watchdog_thresh\": 7},\n\
                   \x20 \"tasks\": [{\"name\": \"t\", \"after\": 1}]",
            ),
        ),
        (
            "S050 nothing but ticks",
            with("  \"machine\": {\"clock\": \"timed\", \"costs\": {\"tick\": \"4ms\"}}"),
        ),
        ("S008 unknown word", with("  \"machine\": {\"preempt\": \"ful\"}")),
        ("S008 not for ever", steps(r#"{"fail_alloc": {"kind": "net", "times": "always"}}"#)),
        ("S009 duplicate field", with("  \"boot\": true,\n  \"boot\": false")),
        ("S008 a list for an object", steps(r#"{"put_net": ["init_net"]}"#)),
        ("S009 duplicate name", with("  \"user_namespaces\": {\"u\": {}, \"u\": {}}")),
        ("S009 two steps", steps(r#"{"rcu_barrier": {}, "synchronize_rcu": {}}"#)),
        ("S010 unknown step", steps(r#"{"copynetns": {"as": "a"}}"#)),
        ("S011 version", "{\n  \"version\": 2, \"title\": \"t\", \"note\": \"n\"\n}".to_owned()),
        (
            "S011 version before unknown fields",
            "{\n  \"version\": 2,\n  \"name\": \"t\", \"steps\": 7\n}".to_owned(),
        ),
        ("S012 out of range", with("  \"machine\": {\"cpus\": 0}")),
        ("S012 negative", with("  \"runs\": [{\"seed\": -1}]")),
        ("S012 larger than any", steps(r#"{"newnsid": {"net": "init_net", "nsid": 99999999999999999999}}"#)),
        ("S012 a fraction", with("  \"machine\": {\"cpus\": 1.5}")),
        (
            "S013 keys",
            with(
                r#"  "pernet": {"p": {"init": [], "init_returns": {"0": 1}}},
  "runs": [{"end": {
    "nsids": {"init_net": {"-1": "init_net"}},
    "ucounts": {"init_user_ns": 1}}}]"#,
            ),
        ),
        ("S014 two tasks", with("  \"tasks\": [\n    {\"name\": \"a\"},\n    {\"name\": \"a\"}\n  ]")),
        ("S014 two runs", with("  \"runs\": [\n    {\"name\": \"a\"},\n    {\"name\": \"a\"}\n  ]")),
        ("S016 bad name", with("  \"tasks\": [{\"name\": \"a b\"}]")),
        (
            "S017 reserved",
            with(
                r#"  "tasks": [{"name": "kworker0", "steps": [
    {"copy_net_ns": {"as": "init_net"}}]}],
  "user_namespaces": {"init_user_ns": {}}"#,
            ),
        ),
        (
            "S018 two kinds",
            steps(
                r#"{"copy_net_ns": {"as": "a"}},
    {"listen": {"net": "init_net", "as": "a"}}"#,
            ),
        ),
        ("S019 self", steps(r#"{"put_net": {"net": "self"}}"#)),
        (
            "S020 undeclared",
            steps(
                r#"{"copy_net_ns": {"as": "first"}},
    {"put_net": {"net": "frist"}},
    {"put_net": {"net": "other"}}"#,
            ),
        ),
        (
            "S021 process",
            with(
                r#"  "tasks": [{"name": "put", "steps": [
    {"get_net_ns_by_pid": {"pid": "pu"}}, {"kill": {"task": "nobody"}}]}]"#,
            ),
        ),
        ("S022 operations", steps(r#"{"register_pernet_subsys": {"ops": "x"}}"#)),
        ("S023 user namespace", with("  \"tasks\": [{\"name\": \"t\", \"user_ns\": \"init_userns\"}]")),
        ("S024 completion", steps(r#"{"wait_for_completion": {"name": "x"}}"#)),
        (
            "S025 wrong kind",
            steps(
                r#"{"listen": {"net": "init_net", "as": "l"}},
    {"put_net": {"net": "l"}}"#,
            ),
        ),
        ("S026 errno", steps(r#"{"unshare": {"expect": "-ENOMEN"}}"#)),
        ("S027 impossible", steps(r#"{"unshare": {"expect": true}}"#)),
        ("S028 kind", steps(r#"{"fail_alloc": {"kind": "nets"}}"#)),
        ("S029 hex", steps(r#"{"newnsid_raw": {"net": "init_net", "hex": "0 1 2"}}"#)),
        ("S030 boots twice", steps(r#"{"net_ns_init": {}}"#)),
        (
            "S031 no id",
            with(
                r#"  "pernet": {
    "p": {"size": 8, "init_returns": {"1": 1}}
  },
  "setup": [{"net_generic": {"net": "init_net", "ops": "p"}}]"#,
            ),
        ),
        (
            "S032 cycle",
            with(
                r#"  "user_namespaces": {
    "a": {"parent": "b"},
    "b": {"parent": "a"}
  }"#,
            ),
        ),
        (
            "S032 deep",
            with(&format!(
                "  \"user_namespaces\": {{\n    \"u0\": {{}}{}}}",
                (1..34)
                    .map(|n| format!(",\n    \"u{n}\": {{\"parent\": \"u{}\"}}", n - 1))
                    .collect::<String>()
            )),
        ),
        ("S033 cpu", with("  \"machine\": {\"cpus\": 2},\n  \"tasks\": [{\"name\": \"t\", \"cpu\": 2}]")),
        (
            "S034 context",
            with(
                r#"  "tasks": [
    {"name": "t", "context": "softirq", "uid": 7},
    {"name": "u", "context": "softirq", "cpu": 0, "steps": [
      {"unshare": {}}, {"rcu_read": {"steps": [
        {"exit": {}}, {"exit": {"pid": 1}}]}}]},
    {"name": "v", "context": "hardirq", "cap_sys_admin": true, "steps": [{"setns": {"fd": 3}}]}]"#,
            ),
        ),
        ("S035 patch", with("  \"patches\": [\"get_live_net_by_di\"]")),
        ("S036 no runs", with("  \"runs\": []")),
        (
            "S037 both",
            with("  \"tasks\": [{\"name\": \"t\"}],\n  \"runs\": [{\"seed\": 1, \"schedule\": \"t\"}]"),
        ),
        (
            "S037 seeds and others",
            with(
                r#"  "runs": [
    {"name": "a", "seeds": 10, "seed": 1},
    {"name": "b", "seeds": 10, "schedule": "main"},
    {"name": "c", "seeds": 10, "sweep": {"alloc": "any"}}
  ]"#,
            ),
        ),
        ("S038 finding", with("  \"runs\": [{\"findings\": [\"kasan-use-after-fre\"]}]")),
        ("S038 finding with a word", with(r#"  "runs": [{"seeds": 2, "findings": {"dedlock": "never"}}]"#)),
        ("S008 word on a finding", with(r#"  "runs": [{"seeds": 2, "findings": {"deadlock": "often"}}]"#)),
        ("S008 no findings", with(r#"  "runs": [{"findings": "deadlock"}]"#)),
        ("S012 seeds", with("  \"runs\": [{\"seeds\": 0}]")),
        (
            "S052 words on one execution",
            with(r#"  "runs": [{"seed": 1, "findings": {"deadlock": "always"}}]"#),
        ),
        (
            "S052 sometimes in one execution",
            with(r#"  "runs": [{"seeds": 1, "findings": {"deadlock": "sometimes", "panic": "never"}}]"#),
        ),
        (
            "S039 schedule",
            with(
                r#"  "tasks": [{"name": "put"}],
  "runs": [{"schedule": ["pat until __put_net", "put*0"]}]"#,
            ),
        ),
        (
            "S041 events and counts",
            with(
                r#"  "runs": [{
    "events": ["works_start", "cleanup_net"],
    "counts": {
      "fre net": 1
    }
  }]"#,
            ),
        ),
        ("S043 count", with("  \"runs\": [{\"counts\": {\"free net\": {\"at_least\": 2, \"at_most\": 1}}}]")),
        (
            "S015 too many copies",
            with(
                r#"  "tasks": [
    {"name": "a", "copies": 4000, "steps": [{"put_net": {"net": "x"}}]},
    {"name": "b", "copies": 97}]"#,
            ),
        ),
        (
            "S015 too many steps in copies",
            with(&format!(
                "  \"tasks\": [{{\"name\": \"a\", \"copies\": 4096, \"steps\": [\n    {{\"rcu_read\": \
                 {{\"steps\": [{}]}}}}\n  ]}}]",
                ["{\"rcu_barrier\": {}}"; 250].join(",\n    ")
            )),
        ),
        (
            "S020 in a copy, once",
            with(r#"  "tasks": [{"name": "a", "copies": 3, "steps": [{"put_net": {"net": "x"}}]}]"#),
        ),
        ("S008 time", steps(r#"{"delay": {"time": "10 ms"}}"#)),
        ("S008 an hour", steps(r#"{"delay": {"time": "1h"}}"#)),
        ("S008 a long time", steps(r#"{"delay": {"time": "2000000s"}}"#)),
        (
            "S044 module",
            with(
                r#"  "modules": {"nf_ftp": {}},
  "setup": [{"load_module": {"module": "nf_ftpp"}}]"#,
            ),
        ),
        (
            "S045 not of this subsystem",
            with(
                r#"  "pernet": {"table": {"library": "sysctl"}, "own": {}},
  "setup": [
    {"dev_hold": {"net": "init_net", "ops": "table"}},
    {"dev_put": {"net": "init_net", "ops": "own"}},
    {"netif_receive_skb": {"net": "init_net", "ops": "table"}},
    {"nf_conntrack_helper_unregister": {"ops": "table"}}
  ]"#,
            ),
        ),
        (
            "S046 barrier",
            with(
                r#"  "tasks": [
    {"name": "a", "steps": [{"barrier": {"name": "go", "tasks": 2}}]},
    {"name": "b", "steps": [{"barrier": {"name": "go", "tasks": 3}}]}]"#,
            ),
        ),
        (
            "S047 library",
            with(
                r#"  "pernet": {
    "a": {"library": "loopbak"},
    "b": {"library": "loopback", "size": 8, "exit": []},
    "c": {"library": "netfilter-hook"},
    "d": {"library": "netfilter-hook", "uses": "nobody"},
    "e": {"library": "slow-batch"},
    "f": {"library": "sysctl", "time": "1ms", "uses": "a"},
    "g": {"uses": "a", "time": 1}
  }"#,
            ),
        ),
        (
            "S048 two modules",
            with(
                r#"  "pernet": {"a": {}},
  "modules": {
    "m": {"subsys": ["a"]},
    "n": {"device": ["a"]}
  }"#,
            ),
        ),
        (
            "S049 faults",
            with(
                r#"  "tasks": [{"name": "t"}],
  "faults": [
    {"nth": 2},
    {"alloc": "net", "kill": "t", "enter": "setup_net"},
    {"kill": "t", "enter": "setup_net", "times": 2},
    {"kill": "t"},
    {"kill": "u", "enter": "setup_net"}
  ]"#,
            ),
        ),
        (
            "S021 a run without its task",
            with(
                r#"  "tasks": [{"name": "put", "copies": 2}],
  "runs": [{"tasks": ["put", "put-2", "puts"]}]"#,
            ),
        ),
        ("S050 time without a clock", steps(r#"{"takes": {"at_most": "1ms", "steps": []}}"#)),
        (
            "S051 no time, and too much",
            with(
                r#"  "machine": {"clock": "timed"}, "tasks": [{"name": "t", "steps": [
    {"takes": {"steps": []}},
    {"takes": {"at_least": "2ms", "at_most": "1ms", "steps": []}}]}]"#,
            ),
        ),
        ("S049 work without an end", steps(r#"{"delay_work": {}}, {"delay_work": {"time": 1}}"#)),
        (
            "S040 a failure in no function",
            with(
                r#"  "tasks": [{"name": "t", "steps": [{"fail_alloc": {"kind": "net", "in": "net_aloc"}}]}],
  "faults": [{"alloc": "net", "in": "setup_nett"}, {"kill": "t", "enter": "setup_net", "in": "setup_net"}]"#,
            ),
        ),
        ("S028 a sweep", with("  \"runs\": [{\"sweep\": {\"alloc\": \"nett\"}}]")),
        (
            "S008 where a sweep begins",
            with("  \"runs\": [{\"sweep\": {\"alloc\": \"net\", \"from\": \"boot\"}}]"),
        ),
        ("S008 a count that is none", with("  \"runs\": [{\"counts\": {\"free net\": \"once\"}}]")),
        (
            "S006 a count with a strange field",
            with("  \"runs\": [{\"counts\": {\"free net\": {\"least\": 1}}}]"),
        ),
        (
            "S039 names in a schedule",
            with(
                r#"  "tasks": [{"name": "put"}],
  "runs": [{"schedule": "put until __putnet, kworker/netsn, put until vfs_read"}]"#,
            ),
        ),
        ("S040 function", with("  \"runs\": [\n    {\"functions\": [\"cleanup_nets\", \"vfs_read\"]}\n  ]")),
        (
            "S041 events",
            with(
                r#"  "pernet": {"ops": {"init": []}},
  "runs": [{"events": [
    "notfy init_net NEWNSID 0",
    "init opps net 1",
    "alloc nett 1",
    "enter put_nett",
    "queue_work",
    "work_start now"
  ]}]"#,
            ),
        ),
        ("S042 the first process", steps(r#"{"reap": {"pid": 1}}"#)),
    ]
}

#[test]
fn texts() {
    let all: String = cases().iter().map(|(name, text)| format!("== {name}\n\n{}", rendered(text))).collect();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(".");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("diagnostics", all));
}

#[test]
fn every_case_has_its_code() {
    for (name, text) in cases() {
        let code = &name[..4];
        assert!(rendered(&text).contains(&format!("error[{code}]")), "{name}: {}", rendered(&text));
    }
}

#[test]
fn bytes() {
    let errors: Vec<String> = [b"{\n  \"a\xff".to_vec(), vec![b' '; MAX_BYTES + 1]]
        .into_iter()
        .map(|bytes| Source::from_bytes("f.json", bytes).expect_err("bad").render(&source(""), false))
        .collect();
    assert_eq!(
        errors,
        [
            "error[S001]: the file is not UTF-8: byte 0xff at offset 6\n--> f.json:2:5\n = help: a scenario is \
             JSON text, encoded as UTF-8",
            "error[S002]: the file has 16777217 bytes; a scenario has at most 16777216\n--> f.json:1:1\n = help: \
             let `loop` repeat what repeats",
        ]
    );
    let large = Source { name: "f.json".to_owned(), text: " ".repeat(MAX_BYTES + 1) };
    assert_eq!(read(&large).expect_err("large")[0].code, "S002");
    assert!(Source::from_bytes("f", b"{}".to_vec()).is_ok());
}

#[test]
fn too_many() {
    let tasks: Vec<String> = (0..4097).map(|n| format!("{{\"name\": \"t{n}\"}}")).collect();
    let text = rendered(&with(&format!("  \"tasks\": [\n{}]", tasks.join(",\n"))));
    assert!(text.starts_with("error[S015]: more than 4096 elements"), "{text}");
    let steps = vec!["{\"dump\":{}}"; 1_000_001].join(",").replace("{}", "{\"net\":\"a\"}");
    assert!(steps.len() > MAX_BYTES, "a file of a million steps with fields is too large");
    let names: String = (0..65_537).map(|n| format!("\"u{n}\": {{}},\n")).collect();
    let text = rendered(&with(&format!("  \"user_namespaces\": {{{}}}", names.trim_end_matches(",\n"))));
    assert!(text.starts_with("error[S015]: more than 65536 names"), "{text}");
}

#[test]
fn every_code_is_explained_and_tried() {
    let explained: BTreeSet<&str> = CODES.iter().map(|(code, _)| *code).collect();
    assert_eq!(explained.len(), CODES.len());
    let tried: BTreeSet<String> = cases().iter().map(|(name, _)| name[..4].to_owned()).collect();
    for code in &explained {
        let elsewhere = ["S001", "S002", "S015"].contains(code);
        assert!(elsewhere || tried.contains(*code), "{code} is not tried");
    }
    assert!(tried.iter().all(|code| explained.contains(code.as_str())));
    assert!(explain("S006").is_some_and(|text| text.contains("note")) && explain("S999").is_none());
}

#[test]
fn notes_are_allowed_anywhere() {
    let text = with(
        r#"  "$schema": "s", "machine": {"note": "n", "$schema": "s"},
  "user_namespaces": {"note": "n", "u": {"note": "n"}},
  "pernet": {"note": "n", "p": {"note": "n", "init": [], "init_returns": {"note": "n", "1": -1}}},
  "faults": [{"note": "n", "alloc": "net"}],
  "tasks": [{"note": "n", "name": "t", "steps": [{"note": "n", "rcu_barrier": {"note": "n", "$schema": "s"}}]}],
  "runs": [{"note": "n", "end": {"note": "n", "nsids": {"note": "n", "init_net": {"note": "n"}},
    "ucounts": {"note": "n"},
    "results": {"note": "n"}}}]"#,
    );
    assert_eq!(rendered(&text), "it is good\n");
}

#[test]
fn colour_adds_only_colour() {
    let text = steps(r#"{"put_net": {"nett": "init_net"}}"#);
    let source = source(&text);
    let error = &read(&source).expect_err("bad")[0];
    let mut plain = String::new();
    let mut in_escape = false;
    for c in error.render(&source, true).chars() {
        match c {
            '\u{1b}' => in_escape = true,
            'm' if in_escape => in_escape = false,
            _ if in_escape => {}
            c => plain.push(c),
        }
    }
    assert_eq!(plain, error.render(&source, false));
    assert_eq!(error.line_and_column(&source), (6, 18));
}
