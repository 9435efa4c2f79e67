use super::*;
use crate::chance::{Concern, Dice};

/// What a folder holds for whoever starts now.
fn cached(disk: &Platter, folder: &str) -> Vec<(String, Vec<u8>)> {
    disk.cached(folder).map(|(name, bytes)| (name.to_owned(), bytes.to_vec())).collect()
}

fn pattern(from: u8, len: usize) -> Bytes {
    (0..len).map(|i| from.wrapping_add(i as u8) | 1).collect::<Vec<u8>>().into()
}

/// A file of 700 synced and 3,000 unsynced bytes in three appends, its name durable.
fn half_synced() -> (Platter, Inode, Vec<u8>) {
    let mut disk = Platter::default();
    let file = disk.open("wal/1");
    disk.sync_dir("wal");
    disk.append(file, pattern(1, 700));
    disk.appended(file);
    disk.sync(file);
    for i in 0..3 {
        disk.append(file, pattern(50 * i, 1000));
        disk.appended(file);
    }
    let whole = disk.read_at(file, 0, usize::MAX).to_vec();
    (disk, file, whole)
}

#[test]
fn what_was_synced_survives_and_the_rest_is_lost_kept_torn_or_holed() {
    let (mut lost, mut kept, mut torn, mut holed) = (0, 0, 0, 0);
    for seed in 0..400 {
        let (mut disk, file, whole) = half_synced();
        let loss = disk.lose_power(&mut Dice::new(seed, Concern::Disk));
        let after = disk.read_at(file, 0, usize::MAX).to_vec();
        assert_eq!(after[..700], whole[..700], "seed {seed}: synced bytes are gone");
        assert!(after.len() <= whole.len());
        for (i, byte) in after.iter().enumerate() {
            assert!(*byte == whole[i] || *byte == 0, "seed {seed}: byte {i} was never written");
        }
        assert!(!disk.is_dirty(file));
        let is_prefix = whole.starts_with(&after);
        lost += usize::from(after.len() == 700);
        kept += usize::from(after == whole);
        torn += usize::from(is_prefix && !(after.len() - 700).is_multiple_of(1000));
        holed += usize::from(!is_prefix);
        assert_eq!(loss.bytes == 0, after == whole, "seed {seed}: {loss:?}");
    }
    for (what, n) in [("lost", lost), ("kept", kept), ("torn", torn), ("holed", holed)] {
        assert!(n > 20, "{what}: only {n} of 400");
    }
}

#[test]
fn holes_have_the_size_of_sectors() {
    let mut seen = 0;
    for seed in 0..200 {
        let (mut disk, file, whole) = half_synced();
        disk.lose_power(&mut Dice::new(seed, Concern::Disk));
        let after = disk.read_at(file, 0, usize::MAX);
        for (number, sector) in after.chunks(SECTOR).enumerate() {
            let expected = &whole[number * SECTOR..][..sector.len()];
            let from = 700usize.saturating_sub(number * SECTOR).min(sector.len());
            if sector != expected {
                assert!(sector[from..].iter().all(|&byte| byte == 0), "seed {seed}: half a sector");
                seen += 1;
            }
        }
    }
    assert!(seen > 20);
}

#[test]
fn an_unsynced_truncate_may_be_forgotten_and_a_synced_one_is_not() {
    let mut outcomes = [0, 0];
    for seed in 0..100 {
        let (mut disk, file, _) = half_synced();
        disk.sync(file);
        disk.truncate(file, 900);
        assert_eq!(disk.len(file), 900);
        if seed % 2 == 0 {
            disk.sync(file);
        }
        disk.lose_power(&mut Dice::new(seed, Concern::Disk));
        match (disk.len(file), seed % 2) {
            (900, 0) => {}
            (900, _) => outcomes[0] += 1,
            (3700, 1) => outcomes[1] += 1,
            other => panic!("seed {seed}: {other:?}"),
        }
    }
    assert!(outcomes.iter().all(|&n| n > 5), "{outcomes:?}");
}

#[test]
fn a_name_needs_a_sync_of_its_folder() {
    let (mut lost, mut kept) = (0, 0);
    for seed in 0..100 {
        let mut disk = Platter::default();
        let file = disk.open("wal/new");
        disk.append(file, pattern(1, 10));
        disk.appended(file);
        disk.sync(file);
        disk.lose_power(&mut Dice::new(seed, Concern::Disk));
        match cached(&disk, "wal").len() {
            0 => lost += 1,
            _ => kept += 1,
        }
        let mut disk = Platter::default();
        disk.open("wal/new");
        disk.sync_dir("wal");
        disk.lose_power(&mut Dice::new(seed, Concern::Disk));
        assert_eq!(disk.list("wal"), ["new"]);
    }
    assert!(lost > 20 && kept > 20, "lost {lost}, kept {kept}");
}

#[test]
fn a_rename_is_lost_whole_or_done_whole() {
    let mut outcomes = [0, 0];
    for seed in 0..200 {
        let mut disk = Platter::default();
        for (name, content) in [("a", &b"old"[..]), ("a.tmp", &b"new"[..])] {
            let file = disk.open(name);
            disk.append(file, Bytes::from_static(content));
            disk.appended(file);
            disk.sync(file);
        }
        disk.sync_dir("");
        assert!(disk.rename("a.tmp", "a"));
        assert_eq!(cached(&disk, ""), [("a".to_owned(), b"new".to_vec())]);
        disk.lose_power(&mut Dice::new(seed, Concern::Disk));
        match cached(&disk, "").as_slice() {
            [(_, new)] if new == b"new" => outcomes[0] += 1,
            [(_, old), (tmp, new)] if old == b"old" && tmp == "a.tmp" && new == b"new" => outcomes[1] += 1,
            other => panic!("seed {seed}: {other:?}"),
        }
    }
    assert!(outcomes.iter().all(|&n| n > 20), "{outcomes:?}");
    let mut disk = Platter::default();
    assert!(!disk.rename("nothing", "x") && !disk.remove("nothing"));
}

#[test]
fn a_failed_sync_drops_its_pages_for_good() {
    let mut dropped = 0;
    for seed in 0..100 {
        let (mut disk, file, whole) = half_synced();
        let mut dice = Dice::new(seed, Concern::Disk);
        disk.fail_sync(file, &mut dice);
        let seen = disk.read_at(file, 0, usize::MAX).to_vec();
        assert_eq!(seen[..700], whole[..700]);
        // The next sync succeeds, and brings nothing back.
        disk.sync(file);
        disk.lose_power(&mut dice);
        assert_eq!(disk.read_at(file, 0, usize::MAX), seen);
        dropped += usize::from(seen != whole);
    }
    assert!(dropped > 50, "{dropped}");
}

#[test]
fn the_death_of_a_process_loses_no_more_than_the_append_under_way() {
    let mut cut = 0;
    for seed in 0..100 {
        let (mut disk, file, whole) = half_synced();
        disk.append(file, pattern(9, 500));
        disk.lose_process(&mut Dice::new(seed, Concern::Disk));
        let after = disk.read_at(file, 0, usize::MAX);
        assert_eq!(after[..whole.len()], whole);
        assert!(after.len() <= whole.len() + 500);
        cut += usize::from(after.len() < whole.len() + 500);
        disk.sync(file);
        let unhurt = disk.read_at(file, 0, usize::MAX);
        disk.lose_process(&mut Dice::new(seed, Concern::Disk));
        assert_eq!(disk.read_at(file, 0, usize::MAX), unhurt);
    }
    assert!(cut > 20, "{cut}");
}

#[test]
fn folders_are_listed_apart_and_in_order() {
    let mut disk = Platter::default();
    for name in ["member/wal/2", "member/wal/1", "member/x", "y"] {
        disk.open(name);
    }
    assert_eq!(disk.list("member/wal"), ["1", "2"]);
    assert_eq!(disk.list("member"), ["x"]);
    assert_eq!(disk.list(""), ["y"]);
    assert!(disk.remove("member/wal/1"));
    assert_eq!(disk.list("member/wal"), ["2"]);
    assert!(disk.list("nowhere").is_empty());
}

#[test]
fn a_lie_is_found_out_by_the_next_power_loss_unless_the_truth_comes_first() {
    let (mut found_out, mut true_after_all) = (0, 0);
    for seed in 0..100 {
        let (mut disk, file, whole) = half_synced();
        let mut dice = Dice::new(seed, Concern::Disk);
        disk.lie(file);
        assert_eq!(disk.read_at(file, 0, usize::MAX), whole, "readers see no difference");
        let honest = seed % 2 == 0;
        if honest {
            disk.sync(file);
        }
        disk.lose_power(&mut dice);
        let same = disk.read_at(file, 0, usize::MAX) == whole;
        assert_eq!(disk.broke_a_promise(), !same, "seed {seed}");
        assert!(same || !honest);
        found_out += usize::from(!same);
        true_after_all += usize::from(honest);
    }
    assert!(found_out > 20 && true_after_all > 20, "{found_out}");
}

#[test]
fn dropped_pages_may_be_read_until_the_process_dies() {
    let mut seen = 0;
    for seed in 0..100 {
        let (mut disk, file, whole) = half_synced();
        disk.knobs.dropped_stay_readable = true;
        let mut dice = Dice::new(seed, Concern::Disk);
        disk.fail_sync(file, &mut dice);
        assert_eq!(disk.read_at(file, 0, usize::MAX), whole);
        // What is written behind them is synced, and they are not.
        disk.append(file, pattern(7, 100));
        disk.appended(file);
        disk.sync(file);
        assert_eq!(disk.len(file), whole.len() as u64 + 100);
        let ghosts = disk.has_ghosts(file);
        disk.lose_process(&mut dice);
        let after = disk.read_at(file, 0, usize::MAX).to_vec();
        assert_eq!(after.len(), whole.len() + 100);
        assert_eq!(after[whole.len()..], pattern(7, 100));
        assert_eq!(after[..whole.len()] != whole[..], ghosts, "seed {seed}");
        for (i, byte) in after[..whole.len()].iter().enumerate() {
            assert!(*byte == whole[i] || *byte == 0, "seed {seed}: byte {i} was never written");
        }
        seen += usize::from(ghosts);
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn only_what_was_synced_can_be_damaged_and_it_is_told() {
    let (mut disk, file, whole) = half_synced();
    assert!(!disk.damage("wal/1", 700, b"x"), "not synced");
    assert!(!disk.damage("wal/1", 10, &whole[10..12]), "no change");
    assert!(!disk.damage("wal/2", 0, b"x"), "no such file");
    assert_eq!(disk.damaged().count(), 0);
    assert!(disk.damage("wal/1", 10, &[!whole[10]]));
    assert_eq!(disk.damaged().collect::<Vec<_>>(), ["wal/1"]);
    assert_eq!(disk.read_at(file, 10, 1)[0], !whole[10]);
    disk.lose_power(&mut Dice::new(1, Concern::Disk));
    assert_eq!(disk.read_at(file, 10, 1)[0], !whole[10], "it stays");
}
