//! The command line: what it prints, and how it exits.
use std::process::{Command, Output};

fn etcdsim(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_etcdsim")).args(args).output().expect("etcdsim runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_clean_run_says_so_and_names_its_transcript() {
    let one = etcdsim(&["run", "--seeds", "4..8", "--jobs", "1", "--progress", "none"]);
    let two = etcdsim(&["run", "--seeds", "4..8", "--jobs", "2", "--progress", "plain"]);
    let last = |output: &Output| text(&output.stdout).lines().last().map(str::to_owned);
    assert_eq!(one.status.code(), Some(0), "{}", text(&one.stdout));
    assert!(text(&one.stdout).contains("4 clean, 0 failed, 0 unknown, 0 broken"), "{}", text(&one.stdout));
    assert!(last(&one).is_some_and(|line| line.starts_with("transcript ")));
    assert_eq!(last(&one), last(&two), "the number of jobs changes what happens");
    assert!(one.stderr.is_empty() && !two.stderr.is_empty());
}

#[test]
fn help_teaches_and_wrong_usage_exits_2() {
    let help = text(&etcdsim(&["--help"]).stdout);
    for word in ["Examples:", "replay", "Exit codes", "cargo etcdsim run --seeds 1000"] {
        assert!(help.contains(word), "no {word:?} in {help}");
    }
    for wrong in [
        &["run", "--seeds", "9..3"][..],
        &["run", "--seeds", "x"],
        &["replay"],
        &["replay", "0xzz"],
        &["run", "--plant", "no_such_bug"],
        &["dance"],
    ] {
        let output = etcdsim(wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(!output.stderr.is_empty(), "{wrong:?}");
    }
}

#[test]
fn a_replay_can_be_had_as_a_page_as_exports_and_compared() {
    let folder = std::env::temp_dir().join(format!("etcdsim-cli-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder of one's own");
    let path = |name: &str| folder.join(name).display().to_string();
    let (html, json, report) = (path("run.html"), path("run.json"), path("report"));
    let made = etcdsim(&["replay", "11", "--html", &html, "--export", "recording", "--out", &json]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    let page = std::fs::read_to_string(&html).expect("the page is there");
    assert!(page.contains("cargo etcdsim replay 0xb") && page.ends_with("</html>\n"));
    for other in ["11", &html, &json] {
        let same = etcdsim(&["replay", "11", "--diff", other]);
        assert!(text(&same.stdout).ends_with(" events, all the same\n"), "{other}: {}", text(&same.stdout));
    }
    let parted = etcdsim(&["replay", "12", "--diff", &json]);
    assert!(text(&parted.stdout).contains("events are the same; then"), "{}", text(&parted.stdout));
    let exported = etcdsim(&["replay", "11", "--export", "robustness", "--out", &report]);
    assert_eq!(exported.status.code(), Some(0));
    assert!(folder.join("report/client-0/operations.json").is_file());
    for wrong in [&["replay", "11", "--export", "edn"][..], &["replay", "11", "--diff", &path("nothing")]] {
        assert_eq!(etcdsim(wrong).status.code(), Some(2), "{wrong:?}");
    }
    std::fs::remove_dir_all(&folder).expect("it was made here");
}

#[cfg(not(feature = "plants"))]
#[test]
fn without_the_feature_a_plant_is_refused_with_the_command_that_has_it() {
    let output = etcdsim(&["run", "--plant", "vote_no_sync"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--features plants"), "{}", text(&output.stderr));
}

#[cfg(feature = "plants")]
#[test]
fn every_planted_bug_is_found() {
    for plant in detcd_core::Plant::ALL {
        let args = ["run", "--seeds", "1000", "--progress", "none", "--plant", plant.name()];
        let output = etcdsim(&args);
        let found = text(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{}: {found}", plant.name());
        let line = found.lines().next().unwrap_or_default();
        assert!(
            line.starts_with("FAIL ") && line.contains(" replay: cargo etcdsim-plants replay "),
            "{line}"
        );
    }
}
