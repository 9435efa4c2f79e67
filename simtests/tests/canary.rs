//! The canary: a run that must fail does, and what it prints is all one needs to see it fail again, to the event.
#![allow(clippy::unwrap_used)]

mod support;

use detcd_simtests::report::Failure;
use std::fs;
use support::{Folder, etcdsim, text};

#[test]
fn a_run_that_must_fail_fails_and_its_line_shows_it_again() {
    for jobs in ["1", "2"] {
        let folder = Folder::new(&format!("canary-{jobs}"));
        let out = folder.file("out");
        let run = ["run", "--seeds", "20..24", "--jobs", jobs, "--keep-going", "--progress", "none"];
        let output = etcdsim(&[&run[..], &["--canary", "100", "--out", &out]].concat());
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
        let printed = text(&output.stdout);
        let lines: Vec<&str> = printed.lines().filter(|line| line.starts_with("FAIL canary")).collect();
        assert_eq!(lines.len(), 4, "the canary sings in every seed: {printed}");
        for line in lines {
            let event = line.split(" event=").nth(1).unwrap().split(' ').next().unwrap();
            assert!(event.parse::<u64>().unwrap() >= 100, "{line}");
            let command = line.split("replay: cargo etcdsim ").nth(1).expect("a command to be pasted");
            let replay = etcdsim(&command.split(' ').collect::<Vec<_>>());
            assert_eq!(replay.status.code(), Some(1), "{command}");
            let said = text(&replay.stdout);
            assert!(said.lines().any(|again| again == line), "another failure than\n{line}\n{said}");

            let token = command.split(' ').nth(1).unwrap();
            let mut files =
                fs::read_dir(folder.file("out/failures")).unwrap().map(|file| file.unwrap().path());
            let file =
                files.find(|file| file.file_name().unwrap().to_str().unwrap().starts_with(token)).unwrap();
            let saved: Failure = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
            assert_eq!(saved.event.to_string(), event);
            assert_eq!(said.lines().last(), Some(format!("transcript {}", saved.digest).as_str()));
        }
    }
}

#[test]
fn without_the_canary_the_same_seeds_are_clean() {
    let output = etcdsim(&["run", "--seeds", "20..24", "--progress", "none"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
}
