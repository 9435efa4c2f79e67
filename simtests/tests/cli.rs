//! The command line: what it prints, what it writes, and how it exits.
#![allow(clippy::unwrap_used)]

mod support;

use detcd_simtests::report::{Failure, Summary};
use std::{fs, process::Stdio};
use support::{Folder, etcdsim, text};

#[test]
fn a_clean_run_says_so_and_names_its_transcript() {
    let one = etcdsim(&["run", "--seeds", "4..8", "--jobs", "1", "--progress", "none"]);
    let two = etcdsim(&["run", "--seeds", "4..+4", "--jobs", "2", "--progress", "plain", "--verify", "100"]);
    let last = |output: &std::process::Output| text(&output.stdout).lines().last().map(str::to_owned);
    assert_eq!(one.status.code(), Some(0), "{}", text(&one.stdout));
    assert!(text(&one.stdout).contains("4 clean, 0 failed, 0 unknown, 0 broken"), "{}", text(&one.stdout));
    assert!(last(&one).is_some_and(|line| line.starts_with("transcript ")));
    assert_eq!(last(&one), last(&two), "the number of jobs changes what happens");
    assert!(one.stderr.is_empty() && !two.stderr.is_empty());
    assert!(text(&one.stdout).contains("seeds per CPU second"), "{}", text(&one.stdout));
    let twice = text(&two.stdout);
    let twice = twice.lines().find(|line| line.contains("seeds run twice")).expect("it is said");
    assert_eq!(twice.split_whitespace().collect::<Vec<_>>(), ["seeds", "run", "twice", "4", "0", "differed"]);
}

#[test]
fn help_teaches_and_wrong_usage_exits_2() {
    let help = text(&etcdsim(&["--help"]).stdout);
    for word in ["Examples:", "replay", "Exit codes", "cargo etcdsim run --seeds 1000"] {
        assert!(help.contains(word), "no {word:?} in {help}");
    }
    for command in ["run", "replay", "coverage", "merge", "corpus"] {
        let help = text(&etcdsim(&[command, "--help"]).stdout);
        assert!(help.contains("Examples:") && help.contains("cargo etcdsim"), "{command}: {help}");
    }
    for wrong in [
        &["run", "--seeds", "9..3"][..],
        &["run", "--seeds", "x"],
        &["run", "--time", "soon"],
        &["run", "--shard", "0/3"],
        &["run", "--verify", "101"],
        &["run", "--profile", "noise"],
        &["run", "--until-failure", "--keep-going"],
        &["replay"],
        &["replay", "0xzz"],
        &["replay", "no-such-token"],
        &["run", "--plant", "no_such_bug"],
        &["merge"],
        &["merge", "no-such-file"],
        &["coverage", "no-such-file"],
        &["corpus", "run", "--dir", "no-such-folder"],
        &["dance"],
    ] {
        let output = etcdsim(wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(!output.stderr.is_empty(), "{wrong:?}");
    }
}

#[test]
fn a_token_of_another_version_is_refused_and_says_why() {
    let output = etcdsim(&["replay", "9c1f-swarm-m99999"]);
    assert_eq!(output.status.code(), Some(3));
    let said = text(&output.stderr);
    assert!(said.contains("version m99999") && said.contains("another story"), "{said}");
}

/// The summary without what depends on the machine.
fn timeless(mut summary: Summary) -> Summary {
    (summary.wall_ns, summary.cpu_ns, summary.jobs) = (0, 0, 0);
    summary
}

#[test]
fn shards_come_to_what_one_machine_would_have_seen() {
    let folder = Folder::new("shards");
    let run = |name: &str, shard: &[&str]| {
        let out = folder.file(name);
        let mut args =
            vec!["run", "--seeds", "100..120", "--keep-going", "--progress", "none", "--jobs", "1"];
        // Some of the seeds fail, and their failures are merged too.
        args.extend(["--canary", "8000", "--summary", "json", "--out", &out]);
        args.extend(shard);
        let output = etcdsim(&args);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        let printed = Summary::from_json(&text(&output.stdout)).unwrap();
        let written =
            Summary::from_json(&fs::read_to_string(format!("{out}/summary.json")).unwrap()).unwrap();
        assert_eq!(printed, written);
        written
    };
    let whole = run("whole", &[]);
    let parts: Vec<Summary> =
        (1..=3).map(|i| run(&format!("parts/{i}"), &["--shard", &format!("{i}/3")])).collect();
    assert_eq!(parts.iter().map(|part| part.seeds).collect::<Vec<_>>(), [7, 7, 6]);
    assert!(whole.failed > 0 && whole.failed < 20, "{} of 20 failed", whole.failed);

    let merged = etcdsim(&["merge", "--summary", "json", &folder.file("parts")]);
    assert_eq!(merged.status.code(), Some(1), "as run would have ended");
    let merged = Summary::from_json(&text(&merged.stdout)).unwrap();
    assert_eq!(timeless(merged.clone()), timeless(whole.clone()));
    assert_eq!(merged.cpu_ns, parts.iter().map(|part| part.cpu_ns).sum::<u64>());
    assert_eq!(merged.failures.len(), 1, "a thousand seeds of one bug are one bug");
    assert_eq!(merged.failures.values().next().unwrap().seeds, whole.failed);
    let files = fs::read_dir(folder.file("whole/failures")).unwrap().count();
    assert_eq!(files as u64, whole.failed, "a file per failure");

    let junit = text(&etcdsim(&["merge", "--summary", "junit", &folder.file("parts")]).stdout);
    assert_eq!(junit.matches("<failure ").count(), 1, "{junit}");
    assert!(junit.starts_with("<?xml") && junit.trim_end().ends_with("</testsuites>"), "{junit}");
    let written = fs::read_to_string(folder.file("whole/junit.xml")).unwrap();
    assert!(written.contains("tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"0\""), "{written}");
}

#[test]
fn saved_failures_are_replayed_and_compared() {
    let folder = Folder::new("saved");
    let out = folder.file("out");
    let args = ["run", "--seed", "9", "--canary", "1000", "--progress", "none", "--out", &out];
    assert_eq!(etcdsim(&args).status.code(), Some(1));
    let file = fs::read_dir(folder.file("out/failures")).unwrap().next().unwrap().unwrap().path();
    let file = file.to_str().unwrap();
    assert_eq!(etcdsim(&["replay", file]).status.code(), Some(1), "it fails as it failed then");

    let saved: Failure = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    type Change = fn(&mut Failure);
    let changes: [(Change, &str); 3] = [
        (|saved| saved.event += 1, "at event"),
        (|saved| saved.digest = "0".repeat(32), "transcript"),
        (|saved| saved.how.canary = None, "transcript"),
    ];
    for (change, word) in changes {
        let mut other = saved.clone();
        change(&mut other);
        let path = folder.file("other.json");
        fs::write(&path, serde_json::to_string(&other).unwrap()).unwrap();
        let output = etcdsim(&["replay", &path]);
        assert_eq!(output.status.code(), Some(3), "{}", text(&output.stdout));
        let said = text(&output.stdout);
        assert!(said.lines().any(|line| line.starts_with("DIFFERS") && line.contains(word)), "{said}");
    }
}

#[test]
fn coverage_counts_and_names_what_never_happened() {
    let folder = Folder::new("coverage");
    let out = folder.file("out");
    assert_eq!(etcdsim(&["run", "--seeds", "3", "--progress", "none", "--out", &out]).status.code(), Some(0));
    let few = etcdsim(&["coverage", &out]);
    assert_eq!(few.status.code(), Some(0), "three seeds promise nothing");
    let said = text(&few.stdout);
    assert!(said.contains("per 1,000 seeds") && said.contains("never happened:"), "{said}");
    assert!(said.contains("too few"), "{said}");

    let mut summary =
        Summary::from_json(&fs::read_to_string(folder.file("out/summary.json")).unwrap()).unwrap();
    summary.seeds = 1_000;
    fs::write(folder.file("out/summary.json"), summary.to_json()).unwrap();
    let many = etcdsim(&["coverage", &out]);
    assert_eq!(many.status.code(), Some(1));
    assert!(text(&many.stdout).contains("weaker than it should be"), "{}", text(&many.stdout));

    for what in detcd_simtests::report::FAULTS.into_iter().chain(detcd_simtests::report::SEEN) {
        summary.counts.entry(what.to_string()).or_default().seeds = 10;
    }
    fs::write(folder.file("out/summary.json"), summary.to_json()).unwrap();
    let all = etcdsim(&["coverage", &folder.file("out/summary.json")]);
    assert_eq!(all.status.code(), Some(0));
    assert!(text(&all.stdout).contains("everything that is expected has happened"));
}

#[test]
fn runs_end_by_time_by_failure_or_by_a_signal() {
    let folder = Folder::new("ends");
    let begun = std::time::Instant::now();
    let timed = etcdsim(&["run", "--time", "1s", "--jobs", "1", "--progress", "none", "--summary", "json"]);
    assert_eq!(timed.status.code(), Some(0), "{}", text(&timed.stderr));
    assert!(begun.elapsed().as_secs() < 60, "a second of seeds took {:?}", begun.elapsed());
    assert!(Summary::from_json(&text(&timed.stdout)).unwrap().seeds > 0);

    let args = ["run", "--until-failure", "--canary", "20000", "--progress", "none", "--jobs", "1"];
    let failed = etcdsim(&args);
    assert_eq!(failed.status.code(), Some(1), "{}", text(&failed.stderr));
    assert!(text(&failed.stdout).starts_with("FAIL canary seed=0x"), "{}", text(&failed.stdout));

    let out = folder.file("out");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_etcdsim"));
    let args = ["run", "--time", "10m", "--jobs", "1", "--progress", "plain", "--out", &out];
    let mut child = command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The first line of progress comes when the first seed has ended.
    let mut first = [0];
    std::io::Read::read_exact(child.stderr.as_mut().unwrap(), &mut first).unwrap();
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    let summary = Summary::from_json(&fs::read_to_string(folder.file("out/summary.json")).unwrap()).unwrap();
    assert!(summary.interrupted && summary.seeds > 0);
    assert_eq!(etcdsim(&["merge", &out]).status.code(), Some(130));
}

#[test]
fn a_corpus_grows_with_stories_and_is_run_and_pruned() {
    let folder = Folder::new("corpus");
    let dir = folder.file("corpus");
    let corpus = |args: &[&str]| etcdsim(&[&["corpus", "--dir", &dir], args].concat());
    assert_eq!(corpus(&["add", "7"]).status.code(), Some(2), "a story is missing");
    assert_eq!(corpus(&["add", "7", "--story", "  "]).status.code(), Some(2), "a story is missing");
    assert_eq!(corpus(&["add", "7", "--story", "x", "--to", "../y"]).status.code(), Some(2));
    assert_eq!(corpus(&["add", "7-swarm-m99999", "--story", "x"]).status.code(), Some(3));

    let added =
        corpus(&["add", "7", "2-quick-m3", "--story", "Once upon a time\nthere was a bug.", "--to", "tale"]);
    assert_eq!(added.status.code(), Some(0), "{}", text(&added.stderr));
    // A failure whose way of running no token says is kept as a file.
    let out = folder.file("out");
    let args = ["run", "--seed", "9", "--canary", "1000", "--progress", "none", "--out", &out];
    assert_eq!(etcdsim(&args).status.code(), Some(1));
    let file = fs::read_dir(folder.file("out/failures")).unwrap().next().unwrap().unwrap();
    let (path, name) = (file.path(), file.file_name().into_string().unwrap());
    assert_eq!(
        corpus(&["add", path.to_str().unwrap(), "--story", "A bird.", "--to", "tale"]).status.code(),
        Some(0)
    );
    let tale = fs::read_to_string(folder.file("corpus/tale.txt")).unwrap();
    let wanted =
        format!("# Once upon a time\n# there was a bug.\n7-swarm-m3\n2-quick-m3\n# A bird.\n{name}\n");
    assert_eq!(tale, wanted);

    let run = corpus(&["run", "--jobs", "1"]);
    assert_eq!(run.status.code(), Some(1), "the bird sings");
    let said = text(&run.stdout);
    assert!(said.starts_with("FAIL canary seed=0x9") && said.contains("2 of 3 runs"), "{said}");
    assert!(text(&run.stderr).contains("tale.txt:6: "), "{}", text(&run.stderr));

    fs::write(folder.file("corpus/tale.txt"), "# Old and new.\n7-swarm-m3\n8-swarm-m0\n").unwrap();
    fs::write(folder.file("corpus/old.txt"), "# Only old.\n9-swarm-m0\n").unwrap();
    let run = corpus(&["run", "--jobs", "1"]);
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stdout));
    assert_eq!(text(&run.stderr).matches("outdated").count(), 2, "{}", text(&run.stderr));
    let dry = text(&corpus(&["prune", "--dry-run"]).stdout);
    assert!(dry.contains("2 of 3 runs would be dropped"), "{dry}");
    let prune = text(&corpus(&["prune"]).stdout);
    assert!(prune.contains("8-swarm-m0") && prune.contains("9-swarm-m0"), "{prune}");
    assert!(prune.contains("2 of 3 runs dropped"), "{prune}");
    assert_eq!(fs::read_to_string(folder.file("corpus/tale.txt")).unwrap(), "# Old and new.\n7-swarm-m3\n");
    assert!(!fs::exists(folder.file("corpus/old.txt")).unwrap());
    assert_eq!(corpus(&["run", "7", "8"]).status.code(), Some(0));
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
    assert!(page.contains("cargo etcdsim replay b-swarm-m") && page.ends_with("</html>\n"));
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
