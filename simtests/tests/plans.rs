//! A plan is data: it can be written down, read back and played again, and what comes of it is the same to the byte.
use detcd_simtests::{
    plan::Plan,
    story::{self, Options, Verdict},
};

fn through_json(plan: &Plan) -> Plan {
    let text = serde_json::to_string_pretty(plan).expect("a plan is plain data");
    serde_json::from_str(&text).expect("what was written can be read")
}

#[test]
fn what_is_written_is_what_is_read() {
    for seed in 0..500 {
        let plan = story::plan(seed, Options::default());
        plan.check().unwrap_or_else(|hole| panic!("seed {seed:#x}: {hole}"));
        assert_eq!(through_json(&plan), plan, "seed {seed:#x}");
        let bytes = bincode::serde::encode_to_vec(&plan, bincode::config::standard()).expect("plain data");
        let (read, _): (Plan, _) =
            bincode::serde::decode_from_slice(&bytes, bincode::config::standard()).expect("readable");
        assert_eq!(read, plan, "seed {seed:#x}");
    }
}

#[test]
fn a_plan_from_a_file_plays_the_same_transcript() {
    for seed in [2, 11, 0x9c1f] {
        let drawn = story::run(seed, Options::default());
        let read = story::play(through_json(&story::plan(seed, Options::default())), Options::default());
        assert_eq!((drawn.digest, drawn.events, drawn.acked), (read.digest, read.events, read.acked));
        assert_eq!(drawn.verdict, read.verdict);
    }
}

#[test]
fn a_smaller_plan_plays_another_one() {
    let seed =
        (0..).find(|&seed| story::plan(seed, Options::default()).strikes.len() > 3).expect("there are many");
    let mut plan = story::plan(seed, Options::default());
    plan.strikes.clear();
    plan.traps.clear();
    plan.clients = 1;
    plan.storm_ns /= 2;
    let (whole, part) = (story::run(seed, Options::default()), story::play(plan, Options::default()));
    assert_eq!(part.verdict, Verdict::Clean);
    assert!(part.simulated_ns < whole.simulated_ns && part.digest != whole.digest);
}

#[test]
fn a_plan_with_a_hole_is_refused() {
    let seed = (0..)
        .find(|&seed| {
            let strikes = story::plan(seed, Options::default()).strikes;
            strikes.iter().any(|strike| strike.trouble.members().contains(&2))
        })
        .expect("there are many");
    let mut plan = story::plan(seed, Options::default());
    plan.settings.members = 1;
    assert!(plan.check().is_err());
    plan.clocks.truncate(1);
    let verdict = story::play(plan, Options::default()).verdict;
    assert!(matches!(&verdict, Verdict::Broken(text) if text.contains("a strike is")), "{verdict:?}");
}
