//! The keyspace with its history.

/// An immutable state of the keyspace.
#[derive(Clone, Debug)]
pub struct Keyspace;
/// One change of one key.
#[derive(Clone, Debug)]
pub struct Change;
