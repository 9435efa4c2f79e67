//! Keys, intervals, values and revisions, with a liking for edges. Few keys, so that calls meet.

use bytes::Bytes;

use super::Dice;
use crate::diff::symbol::{compacted, now};

const KEYS: &[&[u8]] = &[
    b"a",
    b"b",
    b"c",
    b"d",
    b"k/",
    b"k/1",
    b"k/2",
    b"k/3",
    b"k/4",
    b"\0",
    b"\0\0",
    b"a\0",
    b"\xff",
    b"\xff\xff",
    b"\xfe\xff",
    b"z",
    b" ",
    b"\xc3\x28",
];

const ENDS: &[&[u8]] = &[
    b"",
    b"\0",
    b"b",
    b"c",
    b"d",
    b"e",
    b"k/",
    b"k0",
    b"k/3",
    b"\xff",
    b"\xff\xff",
    b"\0\0",
    b"a\0",
    b"a",
    b"zz",
];

/// The longest value that is usual; a few are longer.
const USUAL_BYTES: u64 = 24;

impl Dice {
    pub fn key(&mut self) -> Bytes {
        match self.below(200) {
            0 => Bytes::new(),
            1 => vec![b'L'; 1 + self.below(3000) as usize].into(),
            _ => Bytes::from_static(self.pick(KEYS)),
        }
    }

    /// Where an interval that begins somewhere ends.
    pub fn end(&mut self) -> Bytes {
        Bytes::from_static(self.pick(ENDS))
    }

    /// One key in half of all cases, else an interval.
    pub fn interval(&mut self) -> (Bytes, Bytes) {
        match self.below(20) {
            0..=8 => (self.key(), Bytes::new()),
            9..=10 => (Bytes::from_static(b"\0"), Bytes::from_static(b"\0")),
            11..=12 => (Bytes::from_static(b"k/"), Bytes::from_static(b"k0")),
            _ => (self.key(), self.end()),
        }
    }

    pub fn value(&mut self) -> Bytes {
        let length = match self.below(500) {
            0 => 100_000,
            1..=9 => 4000,
            10..=60 => 0,
            _ => 1 + self.below(USUAL_BYTES),
        };
        let letter = b'a' + self.below(26) as u8;
        let mut value = vec![letter; length as usize];
        if let Some(first) = value.first_mut() {
            *first = self.below(256) as u8;
        }
        value.into()
    }

    /// A revision to read at: mostly the newest.
    pub fn revision(&mut self) -> i64 {
        match self.below(20) {
            0..=9 => 0,
            10..=14 => now(-self.within(0, 12)),
            15 => now(1),
            16 => compacted(self.within(-2, 2)),
            17 => self.within(1, 4),
            18 => self.pick(&[-1, -2, i64::MIN, i64::MAX]),
            _ => now(self.within(1, 1000)),
        }
    }

    /// A bound for a filter by revision; 0 turns it off.
    pub fn bound(&mut self) -> i64 {
        match self.below(10) {
            0..=5 => 0,
            6..=8 => now(-self.within(0, 20)),
            _ => self.pick(&[-1, 1, i64::MAX, i64::MIN]),
        }
    }

    /// A small number of an enum with `defined` values, or sometimes one beyond.
    pub fn number_of(&mut self, defined: i64) -> i32 {
        match self.below(40) {
            0 => self.pick(&[defined as i32, 99, -1]),
            _ => self.below(defined as u64) as i32,
        }
    }
}
