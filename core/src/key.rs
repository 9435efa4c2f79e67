//! Key intervals: where a rule hides in raw bytes, this type carries it.
use bytes::Bytes;

/// An interval of keys, bytewise ordered. Source: contract-semantics 4.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    pub start: Bytes,
    pub end: End,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Just the start key.
    Single,
    /// Every key at or after the start.
    Open,
    /// Up to and without this key; nothing if it is not after the start.
    Before(Bytes),
}

impl KeyRange {
    /// Reads the wire's pair: no `range_end` is a single key, one zero byte is open-ended.
    pub fn new(key: Bytes, range_end: Bytes) -> KeyRange {
        let end = match &range_end[..] {
            [] => End::Single,
            [0] => End::Open,
            _ => End::Before(range_end),
        };
        KeyRange { start: key, end }
    }

    pub fn single(key: Bytes) -> KeyRange {
        KeyRange { start: key, end: End::Single }
    }

    /// Every key there is.
    pub fn all() -> KeyRange {
        KeyRange { start: Bytes::new(), end: End::Open }
    }

    pub fn is_single(&self) -> bool {
        self.end == End::Single
    }

    pub fn contains(&self, key: &[u8]) -> bool {
        match &self.end {
            End::Single => key == self.start,
            End::Open => key >= &self.start[..],
            End::Before(end) => key >= &self.start[..] && key < &end[..],
        }
    }

    /// No key can be inside: the end is at or before the start.
    pub fn is_empty(&self) -> bool {
        matches!(&self.end, End::Before(end) if *end <= self.start)
    }
}
