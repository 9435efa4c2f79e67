use super::{
    frame::{self, Frame, Kind},
    reader::Why,
    *,
};
use crate::Plants;
use alloc::{format, string::ToString, vec, vec::Vec};
use detcd_proto::{etcdserverpb::Metadata, raftpb, walpb};
use proptest::prelude::*;

const META: Metadata = Metadata { node_id: 7, cluster_id: 9 };
const BIG: u64 = 64_000_000;

fn entry(index: u64, term: u64, size: usize) -> raftpb::Entry {
    let data = (size > 0).then(|| vec![index as u8 | 1; size].into());
    raftpb::Entry { index, term, data, ..Default::default() }
}

fn state(term: u64, commit: u64) -> raftpb::HardState {
    raftpb::HardState { term, vote: 1, commit }
}

/// The segments as files: name and content, as a log writer would leave them.
#[derive(Default)]
struct Files(Vec<(SegmentName, Vec<u8>)>);

impl Files {
    fn write(&mut self, writer: &mut Writer) {
        let Some((name, bytes)) = writer.take() else { return };
        match self.0.last_mut() {
            Some((open, content)) if *open == name => content.extend_from_slice(&bytes),
            _ => self.0.push((name, bytes.to_vec())),
        }
    }

    fn read(&self) -> Result<Replayed, Damage> {
        let mut reader = Reader::new(Plants::NONE);
        for (at, (name, content)) in self.0.iter().enumerate() {
            reader.segment(*name, content, at + 1 == self.0.len())?;
        }
        reader.finish()
    }
}

/// Twenty entries of 40 bytes, one write each, in one segment.
fn twenty() -> Files {
    let mut files = Files::default();
    let mut writer = Writer::create(&META, BIG);
    for index in 1..=20 {
        writer.save(&[entry(index, 1, 40)], Some(&state(1, index - 1)));
        files.write(&mut writer);
    }
    files
}

#[test]
fn the_head_of_a_segment_says_whose_it_is() {
    let bytes = &twenty().0[0].1;
    assert_eq!(owner(bytes), Some(META));
    assert_eq!(owner(&bytes[..100]), Some(META));
    assert_eq!(owner(&bytes[..20]), None);
    assert_eq!(owner(&[0; 4096]), None);
}

#[test]
fn names_are_etcds() {
    let name = SegmentName { seq: 0x1f, first_index: 0xabc };
    assert_eq!(format!("{name}"), "000000000000001f-0000000000000abc.wal");
    assert_eq!(SegmentName::parse(&name.file_name()), Some(name));
    for bad in ["1f-abc.wal", "0.tmp", "000000000000001F-0000000000000abc.wal", "x.wal", ""] {
        assert_eq!(SegmentName::parse(bad), None, "{bad}");
    }
}

#[test]
fn the_checksum_is_castagnolis_and_can_be_carried_on() {
    assert_eq!(frame::chain(0, b"123456789"), 0xe306_9283);
    assert_eq!(frame::chain(frame::chain(0, b"1234"), b"56789"), 0xe306_9283);
}

#[test]
fn logs_of_real_members_are_read_and_written_again_byte_for_byte() {
    let expected = include_str!("../../tests/data/wal/expected.txt");
    let files: [(&str, &[u8]); 4] = [
        ("3.4.23", include_bytes!("../../tests/data/wal/3.4.23.wal")),
        ("3.5.1", include_bytes!("../../tests/data/wal/3.5.1.wal")),
        ("3.7.1", include_bytes!("../../tests/data/wal/3.7.1.wal")),
        ("3.7.1-snapcount20", include_bytes!("../../tests/data/wal/3.7.1-snapcount20.wal")),
    ];
    for (line, (version, content)) in expected.lines().zip(files) {
        let fields: Vec<&str> = line.split(' ').collect();
        assert_eq!(fields[0], version);
        let number = |at: usize| fields[at].parse::<u64>().unwrap();
        let mut reader = Reader::new(Plants::NONE);
        reader.segment(SegmentName::default(), content, true).unwrap();
        let log = reader.finish().unwrap();
        assert_eq!((log.metadata.node_id, log.metadata.cluster_id), (number(1), number(2)), "{version}");
        // It was asked before its last entries, those of users and roles among them.
        assert!(log.entries.last().unwrap().index >= number(3), "{version}");
        assert_eq!(log.hard_state.term, number(4), "{version}");
        assert!(log.hard_state.commit <= log.entries.last().unwrap().index, "{version}");
        assert!(!log.tail.torn);

        let mut again = Vec::new();
        let mut at = 0;
        while let Frame::Record { record, next, .. } = frame::decode(content, at) {
            let kind = Kind::of(record.r#type).unwrap();
            frame::encode(kind, record.crc, record.data.as_deref(), &mut again);
            at = next;
        }
        assert!(again == content[..at], "{version}: our frames differ from etcd's");
        assert_eq!(at as u64, log.tail.good_bytes);
    }
}

#[test]
fn a_log_goes_on_behind_what_was_read() {
    let mut files = twenty();
    let log = files.read().unwrap();
    assert_eq!((log.metadata, log.entries.len()), (META, 20));
    assert_eq!(log.hard_state, state(1, 19));
    let mut writer = Writer::resume(&log, BIG);
    writer.save(&[entry(21, 2, 0)], Some(&state(2, 20)));
    files.write(&mut writer);
    let log = files.read().unwrap();
    assert_eq!(log.entries.last(), Some(&entry(21, 2, 0)));
    assert_eq!(log.hard_state, state(2, 20));
}

#[test]
fn a_later_entry_replaces_the_tail() {
    let mut files = twenty();
    let mut writer = Writer::resume(&files.read().unwrap(), BIG);
    writer.save(&[entry(15, 3, 8)], None);
    files.write(&mut writer);
    let log = files.read().unwrap();
    assert_eq!(log.entries.len(), 15);
    assert_eq!(log.entries[14], entry(15, 3, 8));
}

#[test]
fn a_gap_is_damage() {
    let mut files = twenty();
    let mut writer = Writer::resume(&files.read().unwrap(), BIG);
    writer.save(&[entry(22, 3, 8)], None);
    files.write(&mut writer);
    assert_eq!(files.read().unwrap_err().why, Why::Gap { have: 20, found: 22 });
}

#[test]
fn segments_follow_on_each_other_and_carry_the_checksum_over() {
    let mut files = Files::default();
    let mut writer = Writer::create(&META, 300);
    for index in 1..=20 {
        writer.save(&[entry(index, 1, 40)], Some(&state(1, index - 1)));
        files.write(&mut writer);
        // A restart in between changes nothing.
        let log = files.read().unwrap();
        assert_eq!(log.entries.len() as u64, index);
        if index % 3 == 0 {
            writer = Writer::resume(&log, 300);
        }
    }
    assert!(files.0.len() > 4);
    for (seq, (name, _)) in files.0.iter().enumerate() {
        assert_eq!(name.seq, seq as u64);
    }
    let (first_index, third) = (files.0[2].0.first_index, files.0.remove(2));
    assert!(first_index > 1);
    assert_eq!(files.read().unwrap_err().why, Why::SegmentMissing { expected_seq: 2 });
    files.0.insert(2, third);
    // A changed byte breaks the chain.
    let second = &mut files.0[1].1;
    let data = second.windows(8).position(|eight| eight.iter().all(|byte| *byte == eight[0] && *byte != 0));
    second[data.unwrap()] ^= 1;
    assert_eq!(files.read().unwrap_err().why, Why::Crc);
}

#[test]
fn a_log_cut_anywhere_keeps_every_whole_record() {
    let files = twenty();
    let content = &files.0[0].1;
    let mut ends = Vec::new();
    let mut at = 0;
    while let Frame::Record { next, .. } = frame::decode(content, at) {
        ends.push(next);
        at = next;
    }
    for cut in ends[2]..content.len() {
        let mut reader = Reader::new(Plants::NONE);
        reader.segment(SegmentName::default(), &content[..cut], true).unwrap();
        let log = reader.finish().unwrap();
        let whole = *ends.iter().filter(|end| **end <= cut).max().unwrap();
        assert_eq!(log.tail.good_bytes, whole as u64, "cut at {cut}");
        assert_eq!(log.tail.torn, whole != cut, "cut at {cut}");
        // The same cut in a segment that was closed is no torn tail.
        if whole != cut {
            assert!(
                Reader::new(Plants::NONE).segment(SegmentName::default(), &content[..cut], false).is_err()
            );
        }
    }
}

#[test]
fn a_sector_of_zeros_is_a_tear_and_a_flipped_bit_is_damage() {
    let mut files = Files::default();
    let mut writer = Writer::create(&META, BIG);
    writer.save(&[entry(1, 1, 40)], None);
    files.write(&mut writer);
    let good = files.0[0].1.len();
    writer.save(&[entry(2, 1, 3000)], None);
    files.write(&mut writer);

    files.0[0].1[1024..1536].fill(0);
    let log = files.read().unwrap();
    assert_eq!((log.entries.len(), log.tail.good_bytes, log.tail.torn), (1, good as u64, true));

    files.0[0].1[1024..1536].fill(5);
    let damage = files.read().unwrap_err();
    assert_eq!((damage.offset, &damage.why), (good as u64, &Why::Crc));
    assert_eq!(
        format!("{damage}"),
        format!("wal: crc mismatch (segment 0000000000000000-0000000000000000.wal, byte {good})")
    );
}

/// A record's last zeros may begin a sector. That others stand behind them in it shows that it was written.
#[test]
fn a_flipped_bit_is_damage_where_a_records_end_begins_a_sector() {
    let mut crossed = 0;
    for ones in 300..500 {
        let mut files = Files::default();
        let mut writer = Writer::create(&META, BIG);
        let data = [vec![7; ones], vec![0; 24]].concat();
        writer.save(&[raftpb::Entry { data: Some(data.into()), ..entry(1, 1, 0) }], None);
        files.write(&mut writer);
        let end = files.0[0].1.len();
        writer.save(&[entry(2, 1, 40)], None);
        files.write(&mut writer);
        crossed += u32::from((1..24).contains(&(end % 512)));
        let flipped = files.0[0].1.iter().rposition(|byte| *byte == 7).unwrap();
        files.0[0].1[flipped] ^= 1;
        assert_eq!(files.read().unwrap_err().why, Why::Crc, "{ones} ones");
    }
    assert!(crossed > 10);
}

#[test]
fn members_do_not_share_a_log() {
    let mut files = twenty();
    let mut reader = Reader::new(Plants::NONE);
    let (name, content) = files.0.remove(0);
    reader.segment(name, &content, false).unwrap();
    let mut other = Files::default();
    other.write(&mut Writer::create(&Metadata { node_id: 8, cluster_id: 9 }, BIG));
    let next = SegmentName { seq: 1, first_index: 21 };
    // Its chain begins at zero, which a reader in the middle of a chain does not take either.
    assert_eq!(reader.segment(next, &other.0[0].1, true).unwrap_err().why, Why::Crc);
    assert_eq!(Reader::new(Plants::NONE).finish().unwrap_err().why, Why::MetadataMissing);
}

proptest! {
    /// Hostile bytes are refused, never obeyed: no panic, no allocation by a length that is not there.
    #[test]
    fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut reader = Reader::new(Plants::NONE);
        if reader.segment(SegmentName::default(), &bytes, true).is_ok() {
            prop_assert!(reader.finish().is_err() || !bytes.is_empty());
        }
    }

    /// One changed byte in the synced part is never taken for data.
    #[test]
    fn one_changed_byte_changes_no_record_silently(at in 0usize..1800, bit in 0u8..8) {
        let mut files = twenty();
        let before = files.read().unwrap();
        let content = &mut files.0[0].1;
        let at = at % content.len();
        content[at] ^= 1 << bit;
        if let Ok(after) = files.read() {
            prop_assert!(after.entries.len() <= before.entries.len());
            prop_assert_eq!(&after.entries[..], &before.entries[..after.entries.len()]);
        }
    }
}

#[cfg(feature = "plants")]
#[test]
fn a_damaged_record_is_read_as_valid() {
    let (name, mut content) = twenty().0.remove(0);
    // The data of the entries are runs of one byte, so this is inside of the tenth.
    let at = content.windows(30).position(|run| run == [11; 30]).unwrap() + 8;
    content[at] ^= 4;
    let read = |plants| {
        let mut reader = Reader::new(plants);
        reader.segment(name, &content, true)?;
        reader.finish()
    };
    assert_eq!(read(Plants::NONE).unwrap_err().why, Why::Crc);
    let log = read(Plants::only(crate::Plant::CrcNotChained)).unwrap();
    assert_eq!(log.entries.len(), 20);
    assert_ne!(log.entries, twenty().read().unwrap().entries);
}

/// Forty entries, a few to a segment, with marks at 9 and 24 set behind entries 15 and 30.
fn marked() -> Files {
    let mut files = Files::default();
    let mut writer = Writer::create(&META, 300);
    for index in 1..=40 {
        writer.save(&[entry(index, 1 + index / 20, 24)], Some(&state(1 + index / 20, index - 1)));
        if let 15 | 30 = index {
            writer.mark(&mark(index - 6));
        }
        files.write(&mut writer);
    }
    files
}

fn mark(index: u64) -> walpb::Snapshot {
    walpb::Snapshot { index, term: 1 + index / 20, ..Default::default() }
}

fn start(index: u64, term: u64) -> Start {
    Start { index, term }
}

#[test]
fn a_log_says_where_one_can_start() {
    let log = marked().read().unwrap();
    let starts: Vec<_> = log.starts().collect();
    assert_eq!(starts, [start(0, 0), start(9, 1), start(24, 2)]);
    for start in starts {
        assert_eq!(log.check(start), Ok(()));
    }
    let why = |place| log.check(place).unwrap_err().why;
    assert_eq!(why(start(10, 1)), Why::SnapshotMissing);
    assert_eq!(why(start(9, 2)), Why::SnapshotMismatch);
    assert!(log.check(start(10, 1)).unwrap_err().to_string().starts_with("wal: snapshot not found ("));
    assert!(log.check(start(9, 2)).unwrap_err().to_string().starts_with("wal: snapshot mismatch ("));
}

#[test]
fn a_mark_ahead_of_the_commit_index_is_no_start() {
    let mut files = twenty();
    let mut writer = Writer::resume(&files.read().unwrap(), BIG);
    writer.mark(&mark(20));
    files.write(&mut writer);
    let log = files.read().unwrap();
    assert_eq!((log.hard_state.commit, log.starts().count()), (19, 1));
}

#[test]
fn a_log_begins_where_its_first_segments_are_forgotten() {
    let whole = marked();
    let names: Vec<SegmentName> = whole.0.iter().map(|(name, _)| *name).collect();
    assert!(names.len() > 4, "{names:?}");
    for index in 1..=40 {
        let gone = needless(&names, index).len();
        let log = Files(whole.0[gone..].to_vec()).read().unwrap();
        assert!(log.entries[0].index <= index, "the entry itself is kept");
        assert_eq!(log.last_index(), 40);
        if let 9 | 24 = index {
            assert!(gone > 0);
            assert_eq!(log.check(start(index, 1 + index / 20)), Ok(()));
            assert_eq!(log.starts().next(), Some(start(index, 1 + index / 20)));
        }
    }
    let log = Files(whole.0[needless(&names, 24).len()..].to_vec()).read().unwrap();
    let first = log.entries[0].index;
    assert!(first > 10);
    assert_eq!(log.check(start(9, 1)).unwrap_err().why, Why::SnapshotMissing);
    assert_eq!(log.check(start(0, 0)).unwrap_err().why, Why::SnapshotMissing);
    assert_eq!(needless(&[], 5), []);
}

#[test]
fn entries_that_a_checkpoint_does_not_hold_must_be_there() {
    let whole = marked();
    // The mark at 9 was set behind entry 15.
    let at = whole.0.iter().rposition(|(name, _)| name.first_index <= 15).unwrap();
    let log = Files(whole.0[at..].to_vec()).read().unwrap();
    let first = log.entries[0].index;
    assert!(first > 10, "{first}");
    let damage = log.check(start(9, 1)).unwrap_err();
    assert_eq!(damage.why, Why::Gap { have: 9, found: first });
    assert!(damage.to_string().starts_with("wal: slice bounds out of range"));
}

#[test]
fn what_lies_before_a_missing_segment_is_left_alone() {
    let name = |seq| SegmentName { seq, first_index: seq * 10 };
    assert_eq!(unbroken(&[]), []);
    assert_eq!(unbroken(&[name(3), name(4)]), [name(3), name(4)]);
    assert_eq!(unbroken(&[name(0), name(2), name(4), name(5)]), [name(4), name(5)]);
}

/// A member that lags gets a checkpoint from its leader and goes on behind it.
#[test]
fn entries_may_go_on_behind_a_mark() {
    let mut files = twenty();
    let mut writer = Writer::resume(&files.read().unwrap(), BIG);
    writer.save(&[], Some(&state(3, 100)));
    writer.mark(&walpb::Snapshot { index: 100, term: 3, ..Default::default() });
    files.write(&mut writer);
    let log = files.read().unwrap();
    assert_eq!((log.last_index(), log.check(start(100, 3))), (20, Ok(())));
    writer.save(&[entry(101, 3, 8), entry(102, 3, 8)], None);
    files.write(&mut writer);
    let log = files.read().unwrap();
    assert_eq!((log.entries.len(), log.gap), (2, Some(Gap { have: 20, found: 101 })));
    assert_eq!(log.check(start(100, 3)), Ok(()));
    assert_eq!(log.check(start(0, 0)).unwrap_err().why, Why::Gap { have: 20, found: 101 });
    let mut again = Writer::resume(&log, 1);
    again.save(&[entry(103, 3, 8)], None);
    files.write(&mut again);
    again.save(&[entry(104, 3, 8)], None);
    files.write(&mut again);
    assert_eq!(files.0.last().unwrap().0.first_index, 104);
}

/// A log of twenty entries, in whose place a checkpoint of another member steps: what was at 15 and behind was never
/// committed.
#[test]
fn a_restored_checkpoint_takes_what_conflicts_with_it() {
    let (mut files, mut writer) = (Files::default(), Writer::create(&META, BIG));
    for index in 1..=20 {
        writer.save(&[entry(index, 1, 40)], Some(&state(1, index.min(10) - 1)));
    }
    files.write(&mut writer);
    let torn = files.0[0].1.len();
    let restored = walpb::Snapshot { index: 15, term: 3, ..Default::default() };
    writer.restore(&restored);
    writer.save(&[], Some(&state(3, 15)));
    files.write(&mut writer);
    let log = files.read().unwrap();
    let start = Start { index: 15, term: 3 };
    assert_eq!((log.last_index(), log.starts().last(), log.check(start)), (14, Some(start), Ok(())));

    let mut more = Files(files.0.clone());
    writer.save(&[entry(16, 3, 40)], None);
    more.write(&mut writer);
    let log = more.read().unwrap();
    assert_eq!((log.entries[0].index, log.gap), (16, Some(Gap { have: 14, found: 16 })));
    assert_eq!((log.check(start), Writer::resume(&log, BIG).take()), (Ok(()), None));

    // The mark is there, and the state that makes it count is torn: the old log goes on, without what is known to be wrong.
    let mut half = Writer::create(&META, BIG);
    half.restore(&restored);
    let mark = half.take().unwrap().1.len() - Writer::create(&META, BIG).take().unwrap().1.len();
    files.0[0].1.truncate(torn + mark);
    let log = files.read().unwrap();
    assert_eq!((log.last_index(), log.starts().last()), (14, Some(Start::default())));
}

/// The entry at the index of the checkpoint lies in a segment that was forgotten.
#[test]
fn what_is_older_than_the_checkpoint_before_it_conflicts() {
    for (term, kept) in [(1, 0), (3, 2)] {
        let mut writer = Writer::create(&META, BIG);
        let mut files = Files::default();
        writer.save(&[entry(16, term, 4), entry(17, term, 4)], None);
        writer.mark(&walpb::Snapshot { index: 15, term: 3, ..Default::default() });
        files.write(&mut writer);
        assert_eq!(files.read().unwrap().entries.len(), kept);
    }
}
