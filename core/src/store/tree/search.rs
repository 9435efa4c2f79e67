//! Finding a place among the keys of a node while following few of them.
//!
//! A key may be a pointer to where its bytes are, and following it costs more than all the comparing. So each node
//! keeps a *head* per key: the few bytes behind those that all its keys share. The heads stand side by side, and most
//! searches follow one key, the one they were looking for.
use alloc::vec::Vec;
use bytes::Bytes;
use core::cmp::Ordering;

/// A key of a tree.
pub trait Key: Ord + Clone {
    /// What nodes keep beside each key: `u64` for a key that is far away, `()` for one that is cheap to compare.
    type Head: Head;

    /// The bytes by which keys are ordered before anything else about them is; empty if the head is `()`.
    fn bytes(&self) -> &[u8] {
        &[]
    }
}

/// Stands for a key among keys that share their first bytes.
pub trait Head: Copy + Ord {
    const IS_USED: bool;
    /// Of the bytes behind the first `skip`. Must never contradict their order.
    fn of(bytes: &[u8], skip: usize) -> Self;
}

impl Head for () {
    const IS_USED: bool = false;
    fn of(_bytes: &[u8], _skip: usize) {}
}

impl Head for u64 {
    const IS_USED: bool = true;
    fn of(bytes: &[u8], skip: usize) -> u64 {
        let rest = bytes.get(skip..).unwrap_or_default();
        let mut head = [0; 8];
        match rest.first_chunk() {
            Some(eight) => head = *eight,
            None => head[..rest.len()].copy_from_slice(rest),
        }
        u64::from_be_bytes(head)
    }
}

impl Key for i64 {
    type Head = ();
}

impl Key for Bytes {
    type Head = u64;
    fn bytes(&self) -> &[u8] {
        self
    }
}

/// A cut between the keys of a tree: it stands behind a prefix of them.
pub trait Probe<K> {
    fn is_behind(&self, key: &K) -> bool;

    /// The bytes at which the cut is: keys with lesser bytes are before it, keys with greater ones are not. `None`
    /// makes a search compare whole keys.
    fn bytes(&self) -> Option<&[u8]> {
        None
    }
}

impl<K, F: Fn(&K) -> bool> Probe<K> for F {
    fn is_behind(&self, key: &K) -> bool {
        self(key)
    }
}

/// The cut just before a key.
pub(super) struct Before<'a, K>(pub &'a K);

impl<K: Key> Probe<K> for Before<'_, K> {
    fn is_behind(&self, key: &K) -> bool {
        key < self.0
    }
    fn bytes(&self) -> Option<&[u8]> {
        Some(self.0.bytes())
    }
}

/// The cut just behind a key.
pub(super) struct Behind<'a, K>(pub &'a K);

impl<K: Key> Probe<K> for Behind<'_, K> {
    fn is_behind(&self, key: &K) -> bool {
        key <= self.0
    }
    fn bytes(&self) -> Option<&[u8]> {
        Some(self.0.bytes())
    }
}

/// How many of these ascending keys are before the cut. `heads` are theirs, behind the `skip` bytes they share.
pub(super) fn cut<K: Key>(keys: &[K], heads: &[K::Head], skip: usize, probe: &impl Probe<K>) -> usize {
    let is_behind = |key: &K| probe.is_behind(key);
    let bytes = match probe.bytes() {
        Some(bytes) if K::Head::IS_USED && !keys.is_empty() => bytes,
        _ => return keys.partition_point(is_behind),
    };
    let head = K::Head::of(bytes, skip);
    let low = heads.partition_point(|other| *other < head);
    if skip > 0 {
        // Any key will do; this one is likely to be looked at anyway.
        let shared = &keys[low.min(keys.len() - 1)].bytes()[..skip];
        match bytes[..skip.min(bytes.len())].cmp(shared) {
            Ordering::Less => return 0,
            Ordering::Greater => return keys.len(),
            Ordering::Equal => {}
        }
    }
    let alike = heads[low..].iter().take_while(|other| **other == head).count();
    low + keys[low..low + alike].partition_point(is_behind)
}

/// How many bytes two keys begin with in common.
pub(super) fn shared<K: Key>(a: &K, b: &K) -> usize {
    if !K::Head::IS_USED {
        return 0;
    }
    a.bytes().iter().zip(b.bytes()).take_while(|(a, b)| a == b).count()
}

/// How many bytes all these ascending keys begin with in common, and their heads behind those.
pub(super) fn heads<K: Key>(keys: &[K]) -> (usize, Vec<K::Head>) {
    let skip = match keys {
        [first, .., last] => shared(first, last),
        _ => 0,
    };
    (skip, heads_behind(keys, skip))
}

pub(super) fn heads_behind<K: Key>(keys: &[K], skip: usize) -> Vec<K::Head> {
    keys.iter().map(|key| K::Head::of(key.bytes(), skip)).collect()
}
