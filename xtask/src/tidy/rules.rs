//! The rules themselves, and their tables of words, promises and exceptions.

use super::Tree;
use super::source::{Source, find_word, is_word, lines_with, std_modules};

/// Reports one fault: path, line (0 for the whole file), what is wrong.
type Report<'a> = &'a mut dyn FnMut(&str, usize, String);

pub struct Rule {
    pub name: &'static str,
    pub asks: &'static str,
    pub check: fn(&Tree, Report),
}

pub const ALL: &[Rule] = &[
    Rule {
        name: "promise",
        asks: "crates say in their first lines what they forbid themselves",
        check: promise,
    },
    Rule {
        name: "core-words",
        asks: "no std, clock, float, async or unordered map in core",
        check: core_words,
    },
    Rule {
        name: "core-arrows",
        asks: "inside core, lower rooms do not know higher ones",
        check: core_arrows,
    },
    Rule { name: "driver-words", asks: "no runtime and no operating system in driver", check: driver_words },
    Rule { name: "sim-words", asks: "the simulator reaches tokio and tonic nowhere", check: sim_words },
    Rule { name: "effect", asks: "runtime-tokio does not know what an effect is", check: effect },
    Rule { name: "unfinished", asks: "no todo!, unimplemented!, dbg! or ignored test", check: unfinished },
    Rule { name: "dropped", asks: "every `let _ =` has a comment that says why", check: dropped },
    Rule { name: "length", asks: "a source file has at most 600 lines", check: length },
    Rule { name: "first-line", asks: "a source file begins with `//!` and its reason", check: first_line },
    Rule { name: "lints", asks: "every crate takes the workspace's lints", check: lints },
    Rule { name: "calls", asks: "docs/api.md has a row for every call of every service", check: calls },
    Rule { name: "machine", asks: "no path of somebody's machine, no conflict marker", check: machine },
];

/// What a crate root must contain.
const PROMISES: &[(&str, &str)] = &[
    ("proto/src/lib.rs", "#![no_std]"),
    ("proto/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("core/src/lib.rs", "#![no_std]"),
    ("core/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("driver/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("runtime-sim/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("runtime-sim/src/lib.rs", "#[cfg(not(madsim))]\ncompile_error!"),
];

const CORE_WORDS: &[(&str, &str)] = &[
    ("std", "core has alloc only"),
    ("HashMap", "its order differs between runs; use BTreeMap"),
    ("HashSet", "its order differs between runs; use BTreeSet"),
    ("Instant", "core is told the moment"),
    ("SystemTime", "core is told the moment"),
    ("async", "core is called and returns"),
    ("await", "core is called and returns"),
    ("f32", "no floats in decisions"),
    ("f64", "no floats in decisions"),
    ("unsafe", "core forbids it"),
    ("println!", "core returns a Note"),
    ("eprintln!", "core returns a Note"),
    ("tracing", "core returns a Note"),
];

const DRIVER_WORDS: &[(&str, &str)] = &[
    ("tokio", "the driver runs on any Runtime"),
    ("tonic", "the driver speaks messages, not gRPC"),
    ("madsim", "the driver runs on any Runtime"),
    ("select!", "each task awaits one thing"),
    ("select_biased!", "each task awaits one thing"),
];

const DRIVER_STD: &[&str] = &["fs", "net", "thread", "time", "env", "self"];

const UNFINISHED: &[&str] = &["todo!", "unimplemented!", "dbg!", "#[ignore"];

/// Rooms of core, and the rooms above them that they must not name.
const ARROWS: &[(&str, &[&str])] = &[
    ("raft", &["replica", "state", "store", "command", "query", "watch", "lease", "auth"]),
    ("store", &["replica", "raft", "state", "command", "query", "watch"]),
    ("lease", &["replica", "raft", "command", "query", "watch"]),
    ("auth", &["replica", "raft", "command", "query", "watch"]),
    ("wal", &["replica", "state", "store", "command", "query", "watch", "lease", "auth"]),
    ("command", &["replica", "raft", "watch"]),
    ("query", &["replica", "raft", "command", "watch"]),
    ("watch", &["replica", "raft", "command"]),
];

const LINES_MAX: usize = 600;

/// Files that may be longer, how long, and why splitting would not help.
const LONG_FILES: &[(&str, usize, &str)] = &[];

/// Paths that only exist on one machine. Tidy itself names them, so it is not searched.
const MACHINE_PATHS: &[&str] = &["/work/", "/root/", "/home/"];

fn promise(tree: &Tree, report: Report) {
    for (path, line) in PROMISES {
        if !tree.file(path).is_some_and(|text| text.contains(line)) {
            report(path, 0, format!("does not say `{}`", line.replace('\n', " ")));
        }
    }
}

/// Where it is told how far each call has come.
const CALLS: &str = "docs/api.md";

fn calls(tree: &Tree, report: Report) {
    let Some(told) = tree.file(CALLS) else { return };
    for (path, text) in tree.other.iter().filter(|(path, _)| path.ends_with(".proto")) {
        let mut service = "";
        for (at, line) in text.lines().enumerate() {
            let word = |keyword: &str| line.trim().strip_prefix(keyword)?.split([' ', '(']).next();
            service = word("service ").unwrap_or(service);
            let Some(call) = word("rpc ") else { continue };
            if !told.contains(&format!("| `{service}/{call}` |")) {
                report(path, at + 1, format!("`{service}/{call}` has no row in {CALLS}"));
            }
        }
    }
}

fn core_words(tree: &Tree, report: Report) {
    for source in room(tree, "core/src/") {
        words(source, &source.shipped, CORE_WORDS, report);
        for (number, line) in source.shipped.lines().enumerate() {
            if has_float_literal(line) {
                report(&source.path, number + 1, "no floats in decisions".to_owned());
            }
        }
    }
}

fn driver_words(tree: &Tree, report: Report) {
    for source in room(tree, "driver/src/") {
        words(source, &source.shipped, DRIVER_WORDS, report);
        for (line, module) in std_modules(&source.shipped) {
            if DRIVER_STD.contains(&module.as_str()) {
                report(&source.path, line, format!("`std::{module}`: the world comes through Runtime"));
            }
        }
    }
}

fn sim_words(tree: &Tree, report: Report) {
    let why = "what is simulated must be what ships, under madsim";
    for source in room(tree, "runtime-sim/src/").chain(room(tree, "simtests/src/")) {
        words(source, &source.shipped, &[("tokio", why), ("tonic", why)], report);
    }
}

fn effect(tree: &Tree, report: Report) {
    for source in room(tree, "runtime-tokio/src/") {
        for word in ["Effect", "Effects"] {
            for line in lines_with(&source.text, word) {
                report(&source.path, line, format!("`{word}`: only the driver performs effects"));
            }
        }
    }
}

fn core_arrows(tree: &Tree, report: Report) {
    for (lower, uppers) in ARROWS {
        let dir = format!("core/src/{lower}/");
        let file = format!("core/src/{lower}.rs");
        for source in tree.rust.iter().filter(|s| s.path.starts_with(&dir) || s.path == file) {
            for upper in *uppers {
                for line in lines_with(&source.shipped, &format!("crate::{upper}")) {
                    report(&source.path, line, format!("{lower} must not know {upper}"));
                }
            }
        }
    }
}

fn unfinished(tree: &Tree, report: Report) {
    for source in &tree.rust {
        for word in UNFINISHED {
            for line in lines_with(&source.code, word) {
                report(&source.path, line, format!("`{word}`"));
            }
        }
    }
}

fn dropped(tree: &Tree, report: Report) {
    for source in tree.rust.iter().filter(|source| !source.is_generated()) {
        for line in lines_with(&source.code, "let _ =") {
            if !source.has_remark(line) && !source.has_remark(line - 1) {
                report(&source.path, line, "say on this or the previous line why nobody needs it".to_owned());
            }
        }
    }
}

fn length(tree: &Tree, report: Report) {
    for source in tree.rust.iter().filter(|source| !source.is_generated() && !source.is_test()) {
        let lines = source.text.lines().count();
        let exception = LONG_FILES.iter().find(|(path, ..)| *path == source.path);
        let max = exception.map_or(LINES_MAX, |(_, max, _)| *max);
        if lines > max {
            report(&source.path, 0, format!("{lines} lines, at most {max}: split it by who owns the state"));
        } else if exception.is_some() && lines <= LINES_MAX {
            report(&source.path, 0, "no longer needs its exception in LONG_FILES".to_owned());
        }
    }
}

fn first_line(tree: &Tree, report: Report) {
    for source in tree.rust.iter().filter(|source| !source.is_generated() && !source.is_test()) {
        if !source.text.starts_with("//!") {
            report(&source.path, 1, "begin with `//!` and why this file exists".to_owned());
        }
    }
}

fn lints(tree: &Tree, report: Report) {
    for (path, text) in &tree.other {
        if path.ends_with("Cargo.toml") && !text.contains("[lints]\nworkspace = true") {
            report(path, 0, "lacks `[lints] workspace = true`".to_owned());
        }
    }
}

fn machine(tree: &Tree, report: Report) {
    let rust =
        tree.rust.iter().filter(|s| !s.path.starts_with("xtask/src/tidy/")).map(|s| (&s.path, &s.text));
    for (path, text) in rust.chain(tree.other.iter().map(|(path, text)| (path, text))) {
        for (number, line) in text.lines().enumerate() {
            if let Some(found) = MACHINE_PATHS.iter().find(|found| line.contains(**found)) {
                report(path, number + 1, format!("`{found}` is a path of one machine"));
            }
            if line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ") {
                report(path, number + 1, "conflict marker".to_owned());
            }
        }
    }
}

fn room<'a>(tree: &'a Tree, prefix: &'a str) -> impl Iterator<Item = &'a Source> {
    tree.rust.iter().filter(move |source| source.path.starts_with(prefix) && !source.is_generated())
}

fn words(source: &Source, code: &str, words: &[(&str, &str)], report: Report) {
    for (word, why) in words {
        for line in lines_with(code, word) {
            report(&source.path, line, format!("`{word}`: {why}"));
        }
    }
}

/// `1.5` and `2e3`, but neither `pair.0.1` nor `0..5` nor `1.max(2)` nor `0x1e3`.
fn has_float_literal(line: &str) -> bool {
    let chars: Vec<char> = line.chars().collect();
    let mut at = 0;
    while at < chars.len() {
        let starts =
            chars[at].is_ascii_digit() && (at == 0 || !(is_word(chars[at - 1]) || chars[at - 1] == '.'));
        if !starts {
            at += 1;
            continue;
        }
        let from = at;
        while at < chars.len() && is_word(chars[at]) {
            at += 1;
        }
        let number: String = chars[from..at].iter().collect();
        let point = chars.get(at) == Some(&'.') && chars.get(at + 1).is_some_and(char::is_ascii_digit);
        let decimal = !(number.starts_with("0x") || number.starts_with("0b") || number.starts_with("0o"));
        if point || (decimal && find_word(&number.replace(['e', 'E'], " e "), "e").is_some()) {
            return true;
        }
    }
    false
}
