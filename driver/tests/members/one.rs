//! One member from the first write to the last restart.
use super::{get, put, ready};
use crate::world::{World, cluster};
use detcd_core::{Config, Refusal, Span};

#[test]
fn a_new_member_leads_alone_publishes_itself_and_serves() {
    let (world, config) = (World::default(), cluster(1).remove(0));
    let node = ready(&world, &config);
    assert_eq!(put(&world, &node, "foo", "bar"), Ok(2));
    assert_eq!(put(&world, &node, "foo", "baz"), Ok(3));
    assert_eq!(get(&world, &node, "foo"), Ok(Some("baz".into())));
    assert_eq!(get(&world, &node, "nothing"), Ok(None));
    world.sleep(Span::millis(100));
    let edition = node.latest();
    assert_eq!(edition.standing.leader, Some(config.me.id));
    assert_eq!(edition.view.members[0], config.me);
    assert_eq!(edition.view.cluster_version.as_deref().map(String::as_str), Some("3.7.0"));
    assert_eq!(world.files(config.me.id), ["member/wal/0000000000000000-0000000000000000.wal"]);
}

#[test]
fn what_was_answered_survives_a_crash_and_a_power_cut() {
    let (world, config) = (World::default(), cluster(1).remove(0));
    let mut node = ready(&world, &config);
    for round in 0..6 {
        assert_eq!(put(&world, &node, "round", &round.to_string()), Ok(round + 2));
        if round % 2 == 0 {
            world.cut_power(config.me.id)
        } else {
            world.kill(config.me.id)
        }
        node = ready(&world, &config);
        assert_eq!(get(&world, &node, "round"), Ok(Some(round.to_string())));
    }
}

#[test]
fn small_segments_follow_on_each_other_and_are_all_read_back() {
    let world = World::default();
    let config = Config { segment_bytes: 600, ..cluster(1).remove(0) };
    let node = ready(&world, &config);
    for number in 0..30 {
        put(&world, &node, &format!("k{number}"), "v").unwrap();
    }
    assert!(world.files(config.me.id).len() > 3, "{:?}", world.files(config.me.id));
    world.cut_power(config.me.id);
    let node = ready(&world, &config);
    for number in 0..30 {
        assert_eq!(get(&world, &node, &format!("k{number}")), Ok(Some("v".into())));
    }
}

#[test]
fn a_torn_tail_is_cut_and_written_over() {
    let (world, config) = (World::default(), cluster(1).remove(0));
    let node = ready(&world, &config);
    put(&world, &node, "a", "1").unwrap();
    world.kill(config.me.id);
    let name = "member/wal/0000000000000000-0000000000000000.wal";
    world.edit(config.me.id, name, |bytes| bytes.extend_from_slice(&[77, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3]));
    let node = ready(&world, &config);
    put(&world, &node, "b", "2").unwrap();
    world.cut_power(config.me.id);
    let node = ready(&world, &config);
    assert_eq!(get(&world, &node, "a"), Ok(Some("1".into())));
    assert_eq!(get(&world, &node, "b"), Ok(Some("2".into())));
    assert!(world.lines().iter().any(|line| line.contains("repaired")));
}

#[test]
fn damage_in_the_middle_is_told_and_nothing_is_started() {
    let (world, config) = (World::default(), cluster(1).remove(0));
    let node = ready(&world, &config);
    put(&world, &node, "a", &"1".repeat(2000)).unwrap();
    put(&world, &node, "b", "2").unwrap();
    world.kill(config.me.id);
    let name = "member/wal/0000000000000000-0000000000000000.wal";
    world.edit(config.me.id, name, |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    });
    assert!(world.start(&config).err().unwrap().contains("crc mismatch"));
}

#[test]
fn a_log_of_another_member_is_refused() {
    let (world, config) = (World::default(), cluster(1).remove(0));
    ready(&world, &config);
    world.kill(config.me.id);
    let other = Config { cluster_id: detcd_core::ClusterId(7), ..config };
    assert!(world.start(&other).err().unwrap().contains("belongs to member"));
}

#[test]
fn a_failed_sync_halts_the_member_and_answers_nobody() {
    let (world, config) = (World::default(), cluster(1).remove(0));
    let node = ready(&world, &config);
    world.fail_syncs(config.me.id);
    assert_eq!(put(&world, &node, "a", "1"), Err(Refusal::Timeout));
    assert_eq!(world.halted().len(), 1);
}

#[test]
fn a_stopped_member_refuses() {
    let (world, config) = (World::default(), cluster(1).remove(0));
    let node = ready(&world, &config);
    let handle = node.clone();
    world.run(async move { handle.stop().await });
    assert_eq!(put(&world, &node, "a", "1"), Err(Refusal::Stopped));
}

#[test]
fn requests_are_refused_with_etcds_reasons() {
    let world = World::default();
    let config = Config { max_request_bytes: 1000, quota_backend_bytes: 3000, ..cluster(1).remove(0) };
    let node = ready(&world, &config);
    assert_eq!(put(&world, &node, "", "x"), Err(Refusal::EmptyKey));
    assert_eq!(put(&world, &node, "a", &"x".repeat(1000)), Err(Refusal::RequestTooLarge));
    let full = (0..20).map(|_| put(&world, &node, "a", &"x".repeat(300))).find(Result::is_err);
    assert_eq!(full, Some(Err(Refusal::NoSpace)));
    world.sleep(Span::millis(100));
    assert_eq!(node.latest().view.alarms.len(), 1);
    assert_eq!(put(&world, &node, "a", ""), Err(Refusal::NoSpace), "the alarm stays");
}

#[cfg(feature = "plants")]
mod planted {
    use super::*;
    use detcd_core::{Plant, Plants};

    fn with(plants: Plants) -> Config {
        Config { plants, segment_bytes: 600, ..cluster(1).remove(0) }
    }

    #[test]
    fn a_renamed_segment_is_gone_with_the_power() {
        let found = |plants| {
            let (world, config) = (World::default(), with(plants));
            let node = ready(&world, &config);
            for value in 0..20 {
                put(&world, &node, "a", &value.to_string()).unwrap();
            }
            world.cut_power(config.me.id);
            get(&world, &ready(&world, &config), "a").map(|value| value.as_deref() == Some("19"))
        };
        assert_eq!(found(Plants::NONE), Ok(true));
        assert_eq!(found(Plants::only(Plant::RenameNoDirsync)), Ok(false));
    }

    #[test]
    fn a_second_sync_is_taken_at_its_word() {
        let told = |plants| {
            let (world, config) = (World::default(), with(plants));
            let node = ready(&world, &config);
            // Nothing else is to be written now.
            world.sleep(Span::millis(100));
            world.fail_next_sync(config.me.id);
            let told = put(&world, &node, "a", "1");
            world.cut_power(config.me.id);
            (told, get(&world, &ready(&world, &config), "a"))
        };
        assert_eq!(told(Plants::NONE), (Err(Refusal::Timeout), Ok(None)));
        assert_eq!(told(Plants::only(Plant::FsyncErrorRetry)), (Ok(2), Ok(None)));
    }
}
