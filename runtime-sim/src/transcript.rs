//! What happened, in order, as one number: two runs are the same exactly if their digests are.
//!
//! Every event is hashed as it is, without being printed, so that a transcript costs almost nothing; its text is
//! made, or the event itself kept, only when somebody asked for it.
use crate::event::Event;
use serde::{Deserialize, Serialize};
use std::{
    fmt::{self, Write},
    hash::{Hash, Hasher},
};

/// The name of a transcript: 128 bits, equal on every machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest(pub u128);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Digest {
    /// Two joins of different seeds, made one.
    pub fn merge(self, other: Digest) -> Digest {
        Digest(self.0.wrapping_add(other.0))
    }

    /// Joins digests so that the order of joining does not matter.
    pub fn join(self, seed: u64, other: Digest) -> Digest {
        let mut hash = Stir::default();
        hash.write_u64(seed);
        hash.write_u64(other.0 as u64);
        hash.write_u64((other.0 >> 64) as u64);
        Digest(self.0.wrapping_add(hash.digest().0))
    }
}

/// What of a transcript is kept besides its digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    #[default]
    Nothing,
    /// Its text, one line per event.
    Text,
    /// The events themselves; [`line()`] makes the same text of them.
    Events,
}

/// An event and when it was, in simulated nanoseconds since the beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    pub at: u64,
    pub event: Event<String>,
}

#[derive(Debug, Default)]
pub struct Transcript {
    hash: Stir,
    count: u64,
    text: Option<String>,
    events: Option<Vec<Recorded>>,
}

/// An event as a line of the transcript's text.
pub fn line(at: u64, event: &Event<impl AsRef<str>>) -> String {
    format!("{:>5}.{:09} {event}", at / 1_000_000_000, at % 1_000_000_000)
}

impl Transcript {
    pub fn new(keep: Keep) -> Transcript {
        Transcript {
            hash: Stir::default(),
            count: 0,
            text: (keep == Keep::Text).then(String::new),
            events: (keep == Keep::Events).then(Vec::new),
        }
    }

    /// `at` is simulated nanoseconds since the beginning.
    pub fn record(&mut self, at: u64, event: &Event<&str>) {
        self.count += 1;
        self.hash.write_u64(at);
        event.hash(&mut self.hash);
        if let Some(text) = &mut self.text {
            writeln!(text, "{}", line(at, event)).expect("a String takes everything");
        }
        if let Some(events) = &mut self.events {
            events.push(Recorded { at, event: event.owned() });
        }
    }

    pub fn digest(&self) -> Digest {
        self.hash.digest()
    }

    pub fn events(&self) -> u64 {
        self.count
    }

    /// The whole text, if it was kept.
    pub fn take_text(&mut self) -> Option<String> {
        self.text.take()
    }

    /// All events, if they were kept.
    pub fn take_events(&mut self) -> Option<Vec<Recorded>> {
        self.events.take()
    }
}

/// A fast hash that is the same everywhere: two lanes of multiply and fold. It guards against accidents, not against
/// an adversary.
#[derive(Clone, Debug)]
pub struct Stir {
    a: u64,
    b: u64,
}

impl Default for Stir {
    fn default() -> Stir {
        Stir { a: 0x243f_6a88_85a3_08d3, b: 0x1319_8a2e_0370_7344 }
    }
}

impl Stir {
    fn lane(state: u64, x: u64, key: u64) -> u64 {
        let wide = u128::from(state ^ x) * u128::from(key);
        (wide as u64) ^ ((wide >> 64) as u64) ^ state.rotate_left(29)
    }

    pub fn digest(&self) -> Digest {
        let mut end = self.clone();
        end.write_u64(0x5bd1_e995);
        end.write_u64(0xa409_3822_299f_31d0);
        Digest(u128::from(end.a) << 64 | u128::from(end.b))
    }

    /// The short form, for fields of events.
    pub fn of(bytes: &[u8]) -> u64 {
        let mut hash = Stir::default();
        hash.write(bytes);
        hash.finish()
    }
}

impl Hasher for Stir {
    fn write_u64(&mut self, x: u64) {
        self.a = Stir::lane(self.a, x, 0x9e37_79b9_7f4a_7c15);
        self.b = Stir::lane(self.b, x.rotate_left(32), 0xc2b2_ae3d_27d4_eb4f);
    }
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.write_u64(u64::from_le_bytes(last));
        self.write_u64(bytes.len() as u64);
    }
    fn write_u8(&mut self, x: u8) {
        self.write_u64(u64::from(x));
    }
    fn write_u16(&mut self, x: u16) {
        self.write_u64(u64::from(x));
    }
    fn write_u32(&mut self, x: u32) {
        self.write_u64(u64::from(x));
    }
    fn write_usize(&mut self, x: usize) {
        self.write_u64(x as u64);
    }
    fn write_i64(&mut self, x: i64) {
        self.write_u64(x as u64);
    }
    fn write_isize(&mut self, x: isize) {
        self.write_u64(x as u64);
    }
    fn finish(&self) -> u64 {
        self.digest().0 as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_the_same_on_every_machine_and_sees_order_and_content() {
        let of = |lines: &[&str]| {
            let mut transcript = Transcript::new(Keep::Text);
            for (at, line) in lines.iter().enumerate() {
                transcript.record(at as u64, &Event::Note { member: 0, line });
            }
            (transcript.digest(), transcript.take_text().expect("it was asked for"))
        };
        let (digest, text) = of(&["one", "two"]);
        assert_eq!(text, "    0.000000000 m1 note one\n    0.000000001 m1 note two\n");
        assert_eq!(digest, of(&["one", "two"]).0);
        assert_ne!(digest, of(&["two", "one"]).0);
        assert_ne!(digest, of(&["one"]).0);
        let pinned = Stir::of(b"etcdserver");
        assert_eq!(pinned, Stir::of(b"etcdserver"));
        assert_ne!(pinned, Stir::of(b"etcdserves"));
    }

    #[test]
    fn what_is_kept_changes_nothing_and_says_the_same() {
        let play = |keep| {
            let mut transcript = Transcript::new(keep);
            transcript
                .record(3, &Event::Send { from: 0, to: 2, kind: 3, term: 4, index: 5, bytes: 6, sum: 7 });
            transcript.record(1_500_000_000, &Event::Halted { member: 1, why: "</script>" });
            transcript
        };
        let [mut text, mut events, nothing] = [Keep::Text, Keep::Events, Keep::Nothing].map(play);
        assert_eq!(events.digest(), nothing.digest());
        assert_eq!(events.digest(), text.digest());
        assert_eq!(text.take_events(), None);
        let kept = events.take_events().expect("they were asked for");
        let lines: String = kept.iter().map(|kept| line(kept.at, &kept.event) + "\n").collect();
        assert_eq!(Some(lines), text.take_text());
    }

    #[test]
    fn joining_does_not_depend_on_the_order() {
        let (one, two) = (Digest(1), Digest(2));
        let ab = Digest::default().join(1, one).join(2, two);
        let ba = Digest::default().join(2, two).join(1, one);
        assert_eq!(ab, ba);
        assert_eq!(ab, Digest::default().join(2, two).merge(Digest::default().join(1, one)));
        assert_ne!(ab, Digest::default().join(1, two).join(2, one));
    }
}
