//! Each kind of fault is found, and its absence is silent.

use super::*;

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn rule_of(package: &str) -> &'static Rule {
    RULES.iter().find(|rule| rule.package == package).expect("the table has this package")
}

#[track_caller]
fn check(package: &str, required: &[&str], linked: &[&str], tested: &[&str], expected: &[&str]) {
    let declared = Declared { required: set(required), other: set(&[]) };
    let found = faults(rule_of(package), Some(&declared), &set(linked), &set(tested));
    assert_eq!(found, expected);
}

#[test]
fn a_pure_core_passes() {
    check("detcd-core", &["detcd-proto", "bytes"], &["bytes", "prost"], &["proptest", "rand"], &[]);
}

#[test]
fn core_may_declare_only_what_is_listed() {
    check("detcd-core", &["bytes", "indexmap"], &[], &[], &["may not declare indexmap"]);
}

#[test]
fn tokio_is_found_however_deep_it_hides() {
    check("detcd-driver", &["bytes"], &["bytes", "tokio"], &["bytes", "tokio"], &["links tokio"]);
    check("detcd-driver", &["bytes"], &["bytes"], &["bytes", "tokio"], &["links tokio in its tests"]);
    check("detcd-proto", &["prost"], &["tonic"], &["tonic"], &["links tonic"]);
}

#[test]
fn the_simulator_may_have_tokio_only_through_madsim() {
    check("detcd-runtime-sim", &["madsim"], &["madsim", "tokio"], &["madsim", "tokio"], &[]);
    check("detcd-runtime-sim", &["madsim", "tokio"], &[], &[], &["may not declare tokio"]);
    check("detcd-simtests", &["madsim"], &["detcd-runtime-tokio"], &[], &["links detcd-runtime-tokio"]);
}

#[test]
fn what_ships_has_no_simulator() {
    check("detcd", &["clap"], &["madsim"], &["madsim"], &["links madsim"]);
}

#[test]
fn a_missing_package_is_a_fault() {
    let found = faults(rule_of("detcd-core"), None, &set(&[]), &set(&[]));
    assert_eq!(found, ["there is no such package"]);
}

#[test]
fn every_outside_dependency_needs_a_line() {
    let core = Declared { required: set(&["detcd-proto", "bytes"]), other: set(&["proptest"]) };
    let proto = Declared { required: set(&["prost"]), other: set(&[]) };
    let declared = BTreeMap::from([("detcd-core".to_owned(), core), ("detcd-proto".to_owned(), proto)]);
    let record = "# Dependencies\n| crate | why |\n|---|---|\n| `bytes` | x |\n| prost | y |\n";
    assert_eq!(unrecorded(&declared, record), ["no line for proptest"]);
}

#[test]
fn a_report_with_a_fault_fails() {
    assert!(report(&[("a".to_owned(), vec![])]).is_ok());
    assert!(report(&[("a".to_owned(), vec![]), ("b".to_owned(), vec!["links tokio".to_owned()])]).is_err());
}
