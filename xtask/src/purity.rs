//! Who may import what. The table below is the architecture's list of nevers, checked on cargo's own graph: a
//! forbidden crate is found however deep it hides, and a direct dependency that nobody allowed is named.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::Failure;
use crate::steps::cargo_command;

/// Where every dependency says what it is for.
const DEPENDENCY_RECORD: &str = "docs/adr/0001-dependencies.md";

struct Rule {
    package: &'static str,
    all_features: bool,
    /// The only normal dependencies it may declare; `None`: any.
    may_declare: Option<&'static [&'static str]>,
    /// Not declared directly, though it may come with something else.
    never_declares: &'static [&'static str],
    /// Nowhere in what it links.
    never: &'static [&'static str],
    /// Nowhere in what its tests link either.
    never_in_tests: &'static [&'static str],
}

const OUR_RUNTIMES: &[&str] = &["tokio", "tonic", "madsim"];

const RULES: &[Rule] = &[
    Rule {
        package: "detcd-proto",
        all_features: true,
        may_declare: Some(&["bytes", "prost"]),
        never_declares: &[],
        never: &["hyper", "getrandom"],
        never_in_tests: OUR_RUNTIMES,
    },
    Rule {
        package: "detcd-core",
        all_features: true,
        may_declare: Some(&["detcd-proto", "bytes", "prost", "rand_chacha", "crc", "sha1"]),
        never_declares: &[],
        never: &["hyper", "rand", "getrandom", "log", "tracing"],
        never_in_tests: OUR_RUNTIMES,
    },
    Rule {
        package: "detcd-driver",
        all_features: true,
        may_declare: Some(&["detcd-core", "detcd-proto", "bytes", "prost", "sha2"]),
        never_declares: &[],
        never: &["hyper", "rand", "getrandom", "log", "tracing"],
        never_in_tests: OUR_RUNTIMES,
    },
    Rule {
        package: "detcd-runtime-tokio",
        all_features: true,
        may_declare: None,
        never_declares: &[],
        never: &["madsim", "detcd-runtime-sim", "detcd-simtests"],
        never_in_tests: &[],
    },
    Rule {
        package: "detcd-runtime-sim",
        all_features: true,
        may_declare: None,
        // madsim itself brings tokio's channels along, without its runtime.
        never_declares: &["tokio"],
        never: &["tonic", "hyper", "mio", "detcd-runtime-tokio"],
        never_in_tests: &["tonic"],
    },
    Rule {
        package: "detcd-simtests",
        all_features: true,
        may_declare: None,
        never_declares: &["tokio"],
        never: &["tonic", "hyper", "mio", "detcd-runtime-tokio"],
        never_in_tests: &["tonic"],
    },
    Rule {
        package: "detcd-jepsen-like",
        all_features: false,
        may_declare: Some(&["detcd-proto", "bytes", "prost", "serde", "serde_json"]),
        never_declares: &[],
        never: OUR_RUNTIMES,
        never_in_tests: &["detcd-core", "detcd-driver"],
    },
    Rule {
        package: "detcd-jepsen-like",
        all_features: true,
        may_declare: None,
        never_declares: &[],
        never: &["madsim"],
        never_in_tests: &["detcd-core", "detcd-driver", "detcd-runtime-tokio"],
    },
    Rule {
        package: "detcd",
        all_features: true,
        may_declare: None,
        never_declares: &[],
        never: &["detcd-runtime-sim", "detcd-simtests"],
        never_in_tests: &["madsim"],
    },
];

/// Prints the table; fails if a row does.
pub fn run(root: &Path) -> Result<(), Failure> {
    let declared = declared(root)?;
    let mut rows = Vec::new();
    for rule in RULES {
        let linked_alone = linked(root, rule, "normal,build")?;
        let linked_in_tests = linked(root, rule, "normal,build,dev")?;
        let mut faults = faults(rule, declared.get(rule.package), &linked_alone, &linked_in_tests);
        if let Some(culprit) = faults.iter().find_map(|fault| fault.strip_prefix("links ")?.split(' ').next())
        {
            faults.push(format!("see: cargo tree -p {} -e normal,build,dev -i {culprit}", rule.package));
        }
        let features = if rule.all_features { "" } else { " (default features)" };
        rows.push((format!("{}{features}", rule.package), faults));
    }
    let record = fs::read_to_string(root.join(DEPENDENCY_RECORD)).unwrap_or_default();
    rows.push((format!("every dependency in {DEPENDENCY_RECORD}"), unrecorded(&declared, &record)));
    report(&rows)
}

fn report(rows: &[(String, Vec<String>)]) -> Result<(), Failure> {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let failed: Vec<&str> =
        rows.iter().filter(|(_, faults)| !faults.is_empty()).map(|(n, _)| n.as_str()).collect();
    if !failed.is_empty() {
        println!("purity: FAIL: {}", failed.join(", "));
    }
    for (name, faults) in rows {
        let verdict = if faults.is_empty() { "ok".to_owned() } else { format!("FAIL {}", faults.join("; ")) };
        println!("  {name:width$}  {verdict}");
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(format!("purity: {} rows failed", failed.len())))
    }
}

/// What breaks `rule`, given the normal dependencies declared and the packages linked without and with tests.
fn faults(
    rule: &Rule,
    declared: Option<&Declared>,
    linked: &BTreeSet<String>,
    tested: &BTreeSet<String>,
) -> Vec<String> {
    let Some(declared) = declared else {
        return vec!["there is no such package".to_owned()];
    };
    let mut faults = Vec::new();
    if let Some(allowed) = rule.may_declare {
        let stranger = |dep: &&String| !allowed.contains(&dep.as_str());
        faults.extend(declared.required.iter().filter(stranger).map(|dep| format!("may not declare {dep}")));
    }
    let everything = || declared.required.iter().chain(&declared.other);
    for never in rule.never_declares {
        if everything().any(|dep| dep == never) {
            faults.push(format!("may not declare {never}"));
        }
    }
    for never in rule.never {
        if linked.contains(*never) {
            faults.push(format!("links {never}"));
        }
    }
    for never in rule.never_in_tests {
        if linked.contains(*never) {
            faults.push(format!("links {never}"));
        } else if tested.contains(*never) {
            faults.push(format!("links {never} in its tests"));
        }
    }
    faults
}

/// Dependencies that have no line of their own in the record.
fn unrecorded(declared: &BTreeMap<String, Declared>, record: &str) -> Vec<String> {
    let recorded: BTreeSet<&str> = record
        .lines()
        .filter_map(|line| line.strip_prefix('|')?.split('|').next())
        .map(|cell| cell.trim().trim_matches('`'))
        .collect();
    let all: BTreeSet<&String> = declared.values().flat_map(|d| d.required.iter().chain(&d.other)).collect();
    all.into_iter()
        .filter(|dep| !declared.contains_key(*dep) && !recorded.contains(dep.as_str()))
        .map(|dep| format!("no line for {dep}"))
        .collect()
}

/// What one Cargo.toml names.
#[derive(Default)]
struct Declared {
    /// Normal and not optional.
    required: BTreeSet<String>,
    /// Optional, build and dev dependencies.
    other: BTreeSet<String>,
}

fn declared(root: &Path) -> Result<BTreeMap<String, Declared>, Failure> {
    let text = output(root, &["metadata", "--locked", "--no-deps", "--format-version", "1"])?;
    let metadata: Value =
        serde_json::from_str(&text).map_err(|e| Failure::new(format!("cargo metadata: {e}")))?;
    let mut packages = BTreeMap::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let mut declared = Declared::default();
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let name = dependency["name"].as_str().unwrap_or_default().to_owned();
            let required = dependency["kind"].is_null() && dependency["optional"] != Value::Bool(true);
            if required { &mut declared.required } else { &mut declared.other }.insert(name);
        }
        packages.insert(package["name"].as_str().unwrap_or_default().to_owned(), declared);
    }
    Ok(packages)
}

/// Names of every package below `rule.package` along `edges`.
fn linked(root: &Path, rule: &Rule, edges: &str) -> Result<BTreeSet<String>, Failure> {
    let mut args = vec!["tree", "--locked", "--package", rule.package, "--edges", edges, "--prefix", "none"];
    args.extend(["--format", "{p}"]);
    if rule.all_features {
        args.push("--all-features");
    }
    let text = output(root, &args)?;
    Ok(text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}

fn output(root: &Path, args: &[&str]) -> Result<String, Failure> {
    let output = cargo_command(root).args(args).output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Failure::new(format!("`cargo {}` failed:\n{why}", args.join(" "))))
}

#[cfg(test)]
mod tests;
