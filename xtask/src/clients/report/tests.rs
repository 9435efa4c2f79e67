use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::ExitStatus;

use super::*;

const SAID: &str = "\
ok kv
a warning of some library
not built auth: unimplemented: Auth/AuthStatus
skip stream: the server is older than etcd 3.7
ok member change
";

fn outcome(said: &str, code: i32) -> Outcome {
    Outcome::parse(said, &Ended::With(ExitStatus::from_raw(code << 8)), Path::new("/no/such/log"))
}

#[test]
fn a_table_of_what_two_clients_said() {
    let mut report = Report::new(false);
    report.add("go", outcome(SAID, 0));
    report.add("python-etcd3", outcome("ok kv\nok lock\n", 0));
    assert_eq!(
        report.table(),
        "\
AREA           go         python-etcd3
kv             ok         ok
auth           not built
stream         skip
member change  ok
lock                      ok
"
    );
    assert!(report.print().is_ok());
}

#[test]
fn a_released_server_has_everything_built() {
    let mut report = Report::new(true);
    report.add("go", outcome(SAID, 0));
    assert_eq!(report.lines(Verdict::Fail).map(|line| line.area.as_str()).collect::<Vec<_>>(), ["auth"]);
    assert!(report.print().is_err());
}

#[test]
fn a_crash_and_silence_are_failures() {
    for (said, code) in [("ok kv\n", 1), ("", 0), ("panic: boom\n", 2), ("FAIL kv: not so\n", 1)] {
        let mut report = Report::new(false);
        report.add("go", outcome(said, code));
        assert_eq!(report.lines(Verdict::Fail).count(), 1, "{said:?}");
        assert!(report.print().is_err());
    }
}

#[test]
fn a_missing_toolchain_fails_unless_allowed() {
    for allowed in [true, false] {
        let mut report = Report::new(false);
        report.missing(Language::Go, "go", allowed);
        assert_eq!(report.print().is_ok(), allowed);
    }
}
