//! The driver's suite for runtimes, in simulated worlds: one where nothing is wrong, and some where links lose, repeat
//! and delay and clocks disagree, as they may under the same contract.
use detcd_core::{Member, MemberId};
use detcd_driver::conformance::{self, Stand};
use detcd_runtime_sim::{
    Keep, Latency, Setup, Sim, Stage, clock::Clock, links::Weather, perform, perform_queued,
};
use std::sync::{Arc, Mutex};

const STORM: Weather = Weather {
    latency: Latency::new(200, 5_000, 50, 200_000),
    loss_permille: 150,
    repeat_permille: 150,
    in_order: false,
};

fn member(id: MemberId) -> Member {
    Member { id, name: String::new(), peer_urls: vec![], client_urls: vec![], is_learner: false }
}

/// Members that have booted and know nobody yet.
async fn group(seed: u64, weather: Weather) -> (Stage, Vec<Stand<Sim>>) {
    let members = vec![MemberId(11), MemberId(22), MemberId(33)];
    let clocks = (0..3).map(|slot: i64| Clock {
        origin_ns: slot as u64 * 1_000_000_007,
        drift_ppm: (slot - 1) * 40_000,
        wall_offset_ns: slot as u64,
    });
    let setup =
        Setup { seed, members, clocks: clocks.collect(), weather, keep: Keep::Nothing, budget: 10_000_000 };
    let stage = Stage::new(setup);
    let booted = Arc::new(Mutex::new(Vec::new()));
    let boots = booted.clone();
    stage.enter(|world| {
        world.set_boot(Arc::new(move |sim| {
            sim.serve_peers(Arc::new(|call| Box::pin(async move { conformance::answer(call) })));
            boots.lock().expect("one thread").push(sim);
            Box::pin(async { Ok(()) })
        }));
        (0..3).for_each(|slot| world.start(slot));
    });
    stage.nap(1_000_000).await;
    let mut sims = std::mem::take(&mut *booted.lock().expect("one thread"));
    sims.sort_by_key(Sim::member);
    let stand = |rt: Sim| Stand { member: member(stage.enter(|world| world.id_of(rt.member()))), rt };
    let stands: Vec<_> = sims.into_iter().map(stand).collect();
    assert_eq!(stands.len(), 3);
    (stage, stands)
}

/// In fine weather and in storms, each with a seed of its own, by both engines.
fn everywhere(suite: impl AsyncFn(Stage, Vec<Stand<Sim>>) + Copy + Send + 'static) {
    for seed in 0..8 {
        let weather = if seed < 2 { Weather::FINE } else { STORM };
        let scenario = move || async move {
            let (stage, stands) = group(seed, weather).await;
            suite(stage.clone(), stands).await;
            let troubles = stage.enter(|world| world.troubles().to_vec());
            stage.end().await;
            troubles
        };
        for performed in [perform(seed, scenario), perform_queued(seed, scenario)] {
            match performed {
                Ok(troubles) => assert_eq!(troubles, [], "seed {seed}"),
                Err(panic) => panic!("seed {seed}: {panic}"),
            }
        }
    }
}

#[test]
fn files() {
    everywhere(async |_, stands| conformance::files(&stands[0].rt).await);
}

#[test]
fn names() {
    everywhere(async |_, stands| conformance::names(&stands[1].rt).await);
}

#[test]
fn clock() {
    everywhere(async |_, stands| {
        for stand in &stands {
            conformance::clock(&stand.rt).await;
        }
    });
}

#[test]
fn secrets() {
    everywhere(async |_, stands| conformance::secrets(&stands[2].rt).await);
}

#[test]
fn tasks() {
    everywhere(async |_, stands| conformance::tasks(&stands[2].rt).await);
}

#[test]
fn links_and_calls() {
    everywhere(async |stage, stands| {
        conformance::links(&stands).await;
        conformance::calls(&stands).await;
        stage.enter(|world| world.crash(1));
        conformance::unreachable(&stands).await;
    });
}

#[test]
fn messages() {
    everywhere(async |_, stands| conformance::messages(&stands).await);
}

#[test]
fn streams() {
    everywhere(async |_, stands| conformance::streams(&stands).await);
}
