//! The world with a member that does nothing but write, count and talk: what survives what, and is it repeatable?
use bytes::Bytes;
use detcd_core::{Member, MemberId, Moment, Span};
use detcd_driver::{Arrival, Disk, File, Level, Net, PeerAnswer, PeerCall, Runtime, Versions};
use detcd_proto::raftpb;
use detcd_runtime_sim::{
    Digest, Keep, Setup, Sim, Stage, clock::Clock, fuse::Effect, links::Weather, perform,
};
use std::sync::Arc;

fn ids() -> Vec<MemberId> {
    vec![MemberId(11), MemberId(22), MemberId(33)]
}

fn stage(seed: u64, weather: Weather, keep: Keep) -> Stage {
    let clocks =
        (0..3).map(|i| Clock { origin_ns: i * 1_000_000_000, drift_ppm: i as i64 * 100, wall_offset_ns: 0 });
    Stage::new(Setup { seed, members: ids(), clocks: clocks.collect(), weather, keep, budget: 1_000_000 })
}

fn peer(id: MemberId) -> Member {
    Member { id, name: String::new(), peer_urls: vec![], client_urls: vec![], is_learner: false }
}

/// Writes a numbered record every millisecond, syncs every other one, tells its peers, and logs what it hears.
async fn chatter(sim: Sim) -> Result<(), detcd_driver::Fault> {
    let me = ids()[sim.member()];
    let fault = |error: std::io::Error| detcd_driver::Fault(error.to_string());
    let peers: Vec<Member> = ids().into_iter().filter(|&id| id != me).map(peer).collect();
    sim.net().set_peers(&peers, &[]);
    let listener = sim.clone();
    sim.spawn("listen", async move {
        loop {
            match listener.net().recv().await {
                Arrival::Message(message) => {
                    listener.log(Level::Debug, format_args!("heard {} {}", message.from, message.index))
                }
                Arrival::Linked(peer) => listener.log(Level::Info, format_args!("linked {peer}")),
                Arrival::Lost(peer) => listener.log(Level::Info, format_args!("lost {peer}")),
                Arrival::Expelled(by) => listener.log(Level::Info, format_args!("expelled by {by}")),
            }
        }
    });
    let versions =
        Versions { server: sim.member().to_string(), cluster: String::new(), storage: String::new() };
    sim.serve_peers(Arc::new(move |call| {
        let versions = versions.clone();
        Box::pin(async move {
            assert_eq!(call, PeerCall::Version);
            Ok(PeerAnswer::Version(versions))
        })
    }));
    let mut file = sim.disk().open("data/log").await.map_err(fault)?;
    sim.disk().sync_dir("data").await.map_err(fault)?;
    let mut number = file.len().await.map_err(fault)? / 8;
    let mut wake = sim.now();
    loop {
        number += 1;
        file.append(Bytes::copy_from_slice(&number.to_le_bytes())).await.map_err(fault)?;
        if number.is_multiple_of(2) {
            file.sync().await.map_err(fault)?;
        }
        for peer in &peers {
            let message =
                raftpb::Message { from: me.0, to: peer.id.0, index: number, ..raftpb::Message::default() };
            sim.net().send(message);
        }
        wake = wake.max(sim.now()) + Span::millis(1);
        sim.sleep_until(wake).await;
        assert!(sim.now() >= wake);
    }
}

/// Half a second of chatter with a crash, a power loss, a pause and a cut in it.
fn run(seed: u64) -> (Digest, String) {
    let scenario = move || async move {
        let stage =
            stage(seed, Weather { loss_permille: 50, repeat_permille: 50, ..Weather::FINE }, Keep::Text);
        stage.enter(|world| {
            world.set_boot(Arc::new(|sim| Box::pin(chatter(sim))));
            (0..3).for_each(|member| world.start(member));
        });
        stage.nap(100_000_000).await;
        stage.enter(|world| {
            world.crash(0);
            world.lose_power(1);
            world.pause(2);
        });
        stage.nap(50_000_000).await;
        stage.enter(|world| {
            world.start(0);
            world.start(1);
            world.resume(2);
            world.cut(0, 1);
        });
        stage.nap(100_000_000).await;
        stage.enter(|world| world.mend(0, 1));
        stage.nap(100_000_000).await;
        let ended = stage.enter(|world| {
            assert_eq!(world.troubles(), []);
            assert!(world.counts()["net: message delivered"] > 100);
            assert!((0..3).all(|member| world.is_up(member)));
            (world.digest(), world.take_text().expect("it is traced"))
        });
        stage.end().await;
        ended
    };
    perform(seed, scenario).expect("the scenario does not panic")
}

#[test]
fn the_same_seed_gives_the_same_transcript() {
    let (digest, text) = run(5);
    let (again, same) = run(5);
    assert_eq!(text, same);
    assert_eq!(digest, again);
    let (other, different) = run(6);
    assert_ne!(text, different);
    assert_ne!(digest, other);
    for word in ["heard", "linked", "lost", "dies with its machine", "stands still", "goes on", "x m"] {
        assert!(text.contains(word), "no {word:?} in\n{text}");
    }
}

#[test]
fn a_dead_life_has_no_more_effects() {
    let grown = perform(1, || async {
        let stage = stage(1, Weather::FINE, Keep::Nothing);
        stage.enter(|world| {
            world.set_boot(Arc::new(|sim| Box::pin(chatter(sim))));
            world.start(0);
        });
        stage.nap(50_000_000).await;
        let read = |stage: &Stage| {
            stage.enter(|world| world.disk(0).cached("data").map(|(_, bytes)| bytes.len()).sum::<usize>())
        };
        stage.enter(|world| world.crash(0));
        let before = read(&stage);
        stage.nap(50_000_000).await;
        let after = read(&stage);
        stage.end().await;
        (before, after)
    })
    .expect("no panic");
    assert!(grown.0 > 100);
    assert_eq!(grown.0, grown.1);
}

#[test]
fn what_was_synced_is_there_after_power_loss() {
    for seed in 0..30 {
        perform(seed, move || async move {
            let stage = stage(seed, Weather::FINE, Keep::Nothing);
            stage.enter(|world| {
                world.set_boot(Arc::new(|sim| Box::pin(chatter(sim))));
                world.start(0);
            });
            stage.nap(40_000_000 + seed * 777_777).await;
            let durable = |stage: &Stage| {
                stage.enter(|world| world.disk(0).durable("data").map(|(_, b)| b.to_vec()).next())
            };
            let before = durable(&stage).expect("the name is durable");
            stage.enter(|world| world.lose_power(0));
            let after = durable(&stage).expect("the name is still durable");
            assert!(after.starts_with(&before), "seed {seed}");
            stage.end().await;
        })
        .expect("no panic");
    }
}

#[test]
fn a_failed_sync_reaches_the_member_and_a_panic_is_reported() {
    let troubles = perform(9, || async {
        let stage = stage(9, Weather::FINE, Keep::Nothing);
        stage.enter(|world| {
            world.set_boot(Arc::new(|sim| {
                Box::pin(async move {
                    if sim.member() == 1 {
                        sim.sleep_until(Moment(sim.now().0 + 20_000_000)).await;
                        panic!("on purpose");
                    }
                    chatter(sim).await
                })
            }));
            world.start(0);
            world.start(1);
        });
        stage.nap(30_000_000).await;
        stage.enter(|world| {
            assert!(world.is_up(0) && !world.is_up(1));
            world.disk_mut(0).knobs.sync_fails_permille = 1000;
        });
        stage.nap(30_000_000).await;
        let troubles = stage.enter(|world| {
            assert!(!world.is_up(0));
            assert_eq!(world.counts()["member: halted"], 1);
            world.troubles().to_vec()
        });
        stage.end().await;
        troubles
    })
    .expect("the panic stays within its member");
    assert_eq!(troubles.len(), 1);
    assert_eq!((troubles[0].judge.as_str(), troubles[0].text.as_str()), ("panic", "m2 in boot: on purpose"));
    assert!(troubles[0].event > 0, "an event stands before it");
}

#[test]
fn peers_answer_calls_unless_they_are_cut_off_or_dead() {
    perform(2, || async {
        let stage = stage(2, Weather::FINE, Keep::Nothing);
        let (done, mut asked) = detcd_runtime_sim::answer();
        let done = std::sync::Mutex::new(Some(done));
        stage.enter(|world| {
            world.set_boot(Arc::new(move |sim| {
                let done = done.lock().expect("one thread").take_if(|_| sim.member() == 0);
                Box::pin(async move {
                    let Some(done) = done else { return chatter(sim).await };
                    sim.net().set_peers(&[peer(ids()[1])], &[]);
                    sim.sleep_until(Moment(sim.now().0 + 20_000_000)).await;
                    let first = sim.net().call(ids()[1], PeerCall::Version).await;
                    sim.stage().enter(|world| world.cut(1, 0));
                    let second = sim.net().call(ids()[1], PeerCall::Version).await;
                    let third = sim.net().call(MemberId(99), PeerCall::Version).await;
                    done.give([first, second, third]);
                    Ok(())
                })
            }));
            world.start(0);
            world.start(1);
        });
        let answers = asked.until(&stage, 30_000_000_000).await.expect("all calls end");
        assert!(matches!(&answers[0], Ok(PeerAnswer::Version(v)) if v.server == "1"), "{answers:?}");
        assert_eq!(answers[1], Err(detcd_driver::CallFailed::Unreachable));
        assert_eq!(answers[2], Err(detcd_driver::CallFailed::Unreachable));
        stage.end().await;
    })
    .expect("no panic");
}

/// When a member that sleeps for 100 ms by its own clock wakes, in milliseconds of the world, if this is done to the
/// clock meanwhile.
fn slept(course: impl AsyncFnOnce(&Stage) + Send + 'static) -> u64 {
    perform(3, || async {
        let stage = stage(3, Weather::FINE, Keep::Nothing);
        let (done, mut asked) = detcd_runtime_sim::answer();
        let done = std::sync::Mutex::new(Some(done));
        stage.enter(|world| {
            world.set_boot(Arc::new(move |sim| {
                let done = done.lock().expect("one thread").take();
                Box::pin(async move {
                    let until = sim.now() + Span::millis(100);
                    sim.sleep_until(until).await;
                    assert!(sim.now() >= until);
                    if let Some(done) = done {
                        done.give(sim.stage().now());
                    }
                    Ok(())
                })
            }));
            world.start(0);
        });
        stage.nap(10_000_000).await;
        course(&stage).await;
        let woke = asked.until(&stage, 10_000_000_000).await.expect("it wakes");
        stage.end().await;
        woke / 1_000_000
    })
    .expect("no panic")
}

#[test]
fn whoever_sleeps_by_a_clock_that_is_set_wakes_when_it_says_so() {
    assert_eq!(slept(async |_| {}), 100);
    let step = async |stage: &Stage| {
        stage.enter(|world| world.set_clock(0, |clock, now| clock.step(now, 40_000_000)));
    };
    assert_eq!(slept(step), 60);
    let leap = async |stage: &Stage| {
        stage.enter(|world| world.set_clock(0, |clock, now| clock.step(now, 5_000_000_000)));
    };
    assert_eq!(slept(leap), 10);
    let freeze = async |stage: &Stage, catches_up: bool| {
        stage.enter(|world| world.set_clock(0, |clock, now| clock.freeze(now)));
        stage.nap(300_000_000).await;
        stage.enter(|world| world.set_clock(0, move |clock, now| clock.thaw(now, catches_up)));
    };
    assert_eq!(slept(async move |stage| freeze(stage, false).await), 400);
    assert_eq!(slept(async move |stage| freeze(stage, true).await), 310);
    let others = async |stage: &Stage| {
        stage.enter(|world| {
            world.set_clock(1, |clock, now| clock.step(now, 5_000_000_000));
            world.set_clock(0, |clock, _| clock.step_wall(-5_000_000_000));
        });
    };
    assert_eq!(slept(others), 100);
}

/// How many messages have arrived from m2 at m1 after each step of a course.
fn heard(course: impl AsyncFnOnce(&Stage, &mut Vec<u64>) + Send + 'static) -> Vec<u64> {
    perform(4, || async {
        let stage = stage(
            4,
            Weather { latency: detcd_runtime_sim::Latency::new(100, 0, 0, 0), ..Weather::FINE },
            Keep::Nothing,
        );
        stage.enter(|world| {
            world.set_boot(Arc::new(|sim| Box::pin(chatter(sim))));
            world.start(0);
            world.start(1);
        });
        stage.nap(100_000_000).await;
        let mut counts = Vec::new();
        course(&stage, &mut counts).await;
        stage.end().await;
        counts
    })
    .expect("no panic")
}

fn delivered(stage: &Stage) -> u64 {
    stage.enter(|world| world.counts()["net: message delivered"])
}

#[test]
fn what_a_clogged_link_holds_back_is_late_and_not_lost() {
    let counts = heard(async |stage, counts| {
        counts.push(delivered(stage));
        stage.enter(|world| {
            world.clog(0, 1);
            world.clog(1, 0);
            world.clog(1, 0);
        });
        stage.nap(50_000_000).await;
        counts.push(delivered(stage));
        stage.enter(|world| {
            world.unclog(0, 1);
            world.unclog(1, 0);
        });
        stage.nap(1_000_000).await;
        counts.push(delivered(stage));
        stage.enter(|world| world.unclog(1, 0));
        stage.nap(1_000_000).await;
        counts.push(delivered(stage));
    });
    // A member speaks about every other millisecond.
    assert_eq!(counts[0], counts[1], "{counts:?}");
    assert!((15..=60).contains(&(counts[2] - counts[1])), "{counts:?}");
    assert!((15..=60).contains(&(counts[3] - counts[2])), "{counts:?}");
}

#[test]
fn what_was_overheard_arrives_once_more_and_at_once() {
    let counts = heard(async |stage, counts| {
        stage.enter(|world| world.overhear(0, 1));
        stage.nap(30_000_000).await;
        counts.push(delivered(stage));
        stage.enter(|world| world.repeat_overheard(0, 1));
        stage.nap(100_000).await;
        counts.push(delivered(stage));
        stage.enter(|world| world.repeat_overheard(0, 1));
        stage.nap(100_000).await;
        counts.push(delivered(stage));
    });
    assert!(counts[1] - counts[0] >= 12, "{counts:?}");
    assert!(counts[2] - counts[1] <= 1, "{counts:?}");
}

#[test]
fn a_link_without_room_loses_and_a_half_open_one_tells_one_end() {
    heard(async |stage, _| {
        stage.enter(|world| {
            world.links.of_mut(0, 1).window = 1;
            world.links.of_mut(0, 1).slowness_ns = 5_000_000;
        });
        stage.nap(50_000_000).await;
        stage.enter(|world| {
            let lost = world.counts()["net: buffer full"];
            assert!(lost >= 12, "a few come through: {lost}");
            world.cut_half_open(0, 1);
            world.heal_links();
        });
        stage.nap(50_000_000).await;
        let full = stage.enter(|world| world.counts()["net: buffer full"]);
        stage.nap(20_000_000).await;
        assert_eq!(stage.enter(|world| world.counts()["net: buffer full"]), full, "healed");
    });
}

#[test]
fn a_fuse_kills_in_place_of_the_effect() {
    heard(async |stage, _| {
        let syncs = |stage: &Stage| {
            stage.enter(|world| world.disk(0).durable("data").map(|(_, b)| b.len()).sum::<usize>())
        };
        let before = syncs(stage);
        // Two records a sync. Of the next three syncs the third does not happen; one more may be under way.
        stage.enter(|world| world.light_fuse(0, Effect::Sync, 2, false));
        stage.nap(50_000_000).await;
        assert!(!stage.enter(|world| world.is_up(0)));
        assert!([2 * 16, 3 * 16].contains(&(syncs(stage) - before)));
        stage.enter(|world| {
            world.light_fuse(1, Effect::Send, 0, true);
            world.put_out_fuse(1);
        });
        stage.nap(10_000_000).await;
        stage.enter(|world| {
            assert!(world.is_up(1));
            assert_eq!(world.counts()["process: died at an effect"], 1);
            world.bury(1);
            world.start(1);
        });
        stage.nap(10_000_000).await;
        assert!(!stage.enter(|world| world.is_up(1)), "whoever is buried stays so");
    });
}
