//! The same seed tells the same story: twice in one process, at the same time on several threads, and in two processes.
use detcd_core::Plants;
use detcd_runtime_sim::transcript::Stir;
use detcd_simtests::{
    profile::Profile,
    story::{self, Options, Verdict},
    token::Engine,
};
use std::process::Command;

fn traced() -> Options {
    Options { trace: true, ..Options::default() }
}

#[test]
fn twice_in_one_process() {
    for seed in [3, 7, 0x9c1f] {
        let (one, two) = (story::run(seed, traced()), story::run(seed, traced()));
        assert_ne!(one.verdict, Verdict::Broken(String::new()));
        assert_eq!(one.text, two.text, "seed {seed:#x}");
        assert_eq!(one.digest, two.digest);
        assert_eq!((one.events, one.acked, one.counts), (two.events, two.acked, two.counts));
        // The text is only a view of what is hashed.
        assert_eq!(story::run(seed, Options::default()).digest, one.digest);
    }
}

#[test]
fn on_many_threads_as_on_one() {
    let alone: Vec<_> = (20..26).map(|seed| story::run(seed, Options::default()).digest).collect();
    let threads: Vec<_> = (20..26)
        .map(|seed| std::thread::spawn(move || story::run(seed, Options::default()).digest))
        .collect();
    let together: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(alone, together);
    let mut different = alone.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), alone.len(), "different seeds, different stories");
}

#[test]
fn in_two_processes() {
    let replay = |seed: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_etcdsim")).args(["replay", seed, "--trace"]).output();
        let output = output.expect("etcdsim runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stdout).expect("text")
    };
    let (one, two) = (replay("5"), replay("0x5"));
    assert!(one == two, "the transcripts of two processes differ");
    let digest = story::run(5, Options::default()).digest;
    assert!(
        one.ends_with(&format!("transcript {digest}\n")),
        "another process, another digest than {digest}"
    );
}

/// A token of this version must tell the story that it told when it was printed.
#[test]
fn seeds_mean_what_their_version_says() {
    let plans: String = Profile::ALL
        .into_iter()
        .flat_map(|profile| (0..64).map(move |seed| profile.plan(seed, Plants::NONE).to_string()))
        .collect();
    let meaning = format!("m{} {:016x}", Engine::Member.version(), Stir::of(plans.as_bytes()));
    assert_eq!(
        meaning, "m3 d0a2ffe095e76235",
        "plans are drawn in another way, or printed in another way. If drawn: raise Engine::version in \
         simtests/src/token.rs, so that old tokens are refused. Then write down here what seeds mean now"
    );
}
