// SPDX-License-Identifier: GPL-2.0-only
//! What the codes of diagnostics mean, for those who want to know more.

/// What a code means, and what to do; none if there is no such code. Small letters will do.
pub fn explain(code: &str) -> Option<&'static str> {
    CODES.iter().find(|(known, _)| known.eq_ignore_ascii_case(code)).map(|(_, text)| *text)
}

/// All codes, with what they mean.
pub const CODES: &[(&str, &str)] = &[
    (
        "S001",
        "The file is not UTF-8 text. A scenario is JSON, which is always UTF-8. The position is that of the \
              first byte that fits in no character.",
    ),
    ("S002", "The file is larger than 16 MiB. It is not read at all. Steps that repeat belong in a `loop`."),
    ("S003", "The file is empty, or holds nothing but space."),
    (
        "S004",
        "The text is not JSON. Frequent causes: a comma after the last element, a missing comma or bracket, a \
              comment, single quotes, or a second value after the scenario.",
    ),
    (
        "S005",
        "Values are nested too deeply: more than 127 levels of objects and lists, or more than 16 levels of \
              steps within steps.",
    ),
    (
        "S006",
        "An object has a field that the format does not know. Nothing is ignored, so that a misspelt field \
              cannot go unnoticed. Prose belongs in `note`, which is allowed in every object.",
    ),
    (
        "S007",
        "A field that must be there is missing, or a step has no key. A scenario has at least `version`, \
              `title` and `note`.",
    ),
    ("S008", "A value has the wrong type, or is none of the words that are possible there."),
    (
        "S009",
        "A field or a name appears twice in one object, or an object holds two steps. A step is an object with \
              one key: {\"put_net\": {\"net\": \"a\"}}.",
    ),
    ("S010", "There is no step of this name. Steps are named after functions of the kernel."),
    ("S011", "The scenario is written in a version of the format that this program does not know."),
    ("S012", "A number is out of its range, or no whole number."),
    (
        "S013",
        "A key must have a form that it does not have: ids are numbers from 0, calls of `init` are numbers from \
              1, users are written `USER_NAMESPACE/UID`.",
    ),
    ("S014", "Two things have the same name: two tasks, or two runs."),
    (
        "S015",
        "There are too many tasks, runs or failures (at most 4096 of each), names in one object (at most 65536), \
              items in a schedule (at most 1000000), or steps (at most 1000000, those in loops counted once).",
    ),
    ("S016", "A name has 1 to 64 letters, digits, `_` and `-`."),
    (
        "S017",
        "The name means something already: `init_net` and `self` among bindings, `main`, `kworker...` and \
              `rcu...` among tasks, `init_user_ns` among user namespaces, `net_ns_ops` among pernet operations.",
    ),
    (
        "S018",
        "One name is bound to things of different kinds. Several steps may bind the same name, but then to \
              namespaces only, or to ids only, and so on.",
    ),
    (
        "S019",
        "`self` is the namespace that `init` and `exit` are called for, or that a walk has come to, also in the \
              callbacks posted there. Here there is none: `exit_batch` is for many namespaces or none.",
    ),
    (
        "S020",
        "A step refers to a namespace, id, descriptor or socket that no step binds. Names are bound by the \
              field `as` of a step, in `setup`, in any task or in any method; `init_net` always exists. Whether it is \
              bound early enough is decided when it runs: a step that comes too early is skipped.",
    ),
    (
        "S021",
        "There is no such process: processes are the tasks of the scenario, and what `clone` steps name.",
    ),
    ("S022", "There are no such pernet operations under `pernet`."),
    (
        "S023",
        "There is no such user namespace under `user_namespaces`. The first one is called `init_user_ns`.",
    ),
    ("S024", "A task waits for a completion that nobody completes: it would wait for ever."),
    (
        "S025",
        "A name of one kind is used as one of another: a socket where a namespace belongs, for example.",
    ),
    ("S026", "There is no error of this name. Errors are written as in C, with a minus sign: \"-ENOMEM\"."),
    ("S027", "The step can never give what is expected of it, so that the expectation could only fail."),
    ("S028", "There is no such kind of allocations to let fail."),
    ("S029", "The bytes of a request are pairs of hexadecimal digits."),
    ("S030", "`net_ns_init` boots the subsystem, which has happened already unless `boot` is false."),
    (
        "S031",
        "Pernet operations lack something that is asked of them: an id to look up data by, or a method `init` \
              whose result is given.",
    ),
    (
        "S032",
        "The parents of a user namespace lead round in a circle, or there are more than 33 of them, which the \
              kernel refuses.",
    ),
    ("S033", "A task is bound to a CPU that the machine does not have."),
    (
        "S034",
        "An interrupt runs on one CPU, on behalf of nobody: it has no user, no namespaces and no files of its own. \
              Whether it sleeps is seen when it runs: that is a bug of the kernel, not of the scenario.",
    ),
    ("S035", "There is no such patch of v4.11."),
    ("S036", "The list of runs is empty, so that nothing would be run. Without the field there is one run."),
    (
        "S037",
        "A run is one execution, decided by a seed or by a schedule (with neither, nobody is preempted), or one for \
              each of its `seeds`. A sweep is about the allocations of one execution.",
    ),
    ("S038", "There is no such kind of findings."),
    (
        "S039",
        "A schedule is a list of `TASK`, `TASK*STEPS` and `TASK until FUNCTION#NTH`, separated by commas, of \
              tasks of the scenario or of the kernel: `main`, `kworker/netns`, `kworker/R-netns` (its rescuer), \
              `rcuc/CPU` for each CPU of the machine, and with `\"rcu\": \"per_cpu\"` `rcu_preempt`, without \
              CONFIG_PREEMPT `rcu_sched`.",
    ),
    (
        "S040",
        "A run expects that a kernel function is called that never says so, or a task is to be killed in one. \
              `sim list functions` shows those that do.",
    ),
    (
        "S041",
        "A run expects or counts an event that can never happen: its name is none, or a word behind the name is not \
              what belongs there. `sim list events` shows how events are written. Objects are called by type and \
              number, in order of allocation: `net 1`. In `counts`, the last words may be left out.",
    ),
    ("S042", "A process is reaped that cannot be: the first one never exits."),
    ("S043", "A count is expected to be at least more than it may be at most."),
    ("S044", "There is no such module under `modules`."),
    (
        "S045",
        "A step needs something that only some subsystems of the library have: a device to take references to, a \
              function that receives packets, connections with helpers.",
    ),
    ("S046", "All steps of one barrier must agree on how many tasks meet there."),
    (
        "S047",
        "A subsystem of the library does not exist, or its fields do not go together: it has its own methods, id and \
              size, and what it uses must be given where it uses something.",
    ),
    ("S048", "Pernet operations are part of one module at most."),
    (
        "S049",
        "A fault is an allocation that fails, a task that is killed when it enters a function, or work that is \
              held up, until a completion or for a time.",
    ),
    (
        "S050",
        "A setting has no effect, or leaves no time for anything else: `costs`, `max_time`, `after` and `takes` need a \
              clock (`\"clock\": \"timed\"`), `hz` a clock or `\"rcu\": \"per_cpu\"`; a timer interrupt must take less \
              time than there is between two of them; `max_time` is more than 0, and tasks begin before it, the \
              last copy of a task too, which begins after as many times `after` as there are copies.",
    ),
    (
        "S051",
        "`takes` says how long its steps are expected to take: `at_least`, `at_most`, or both, in this order.",
    ),
    (
        "S052",
        "The words `never`, `sometimes` and `always` say in how many executions of a run something is found: in none, \
              in one at least but not in all, in all. They need `seeds`, and `sometimes` needs two of them. The \
              findings of a run with one execution are a list.",
    ),
];
