//! The keyspace with its history.

/// An immutable state of the keyspace.
#[derive(Clone, Debug, Default)]
pub struct Keyspace;
/// One change of one key.
#[derive(Clone, Debug)]
pub struct Change;

impl Keyspace {
    /// The newest revision; a fresh store is at 1.
    pub fn revision(&self) -> i64 {
        1
    }
    /// Bytes the keyspace takes.
    pub fn bytes_total(&self) -> u64 {
        0
    }
}
