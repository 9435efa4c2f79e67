//! The hash of a whole backend, as etcd's members give it. Source: contract-semantics 13.5.
use super::{
    Stand, View,
    contents::{Bucket, Contents},
};
use crate::crc32c;
use alloc::vec::Vec;

/// A hash in the making; it goes as far at a time as its owner likes.
#[derive(Debug)]
pub struct Hashing {
    contents: Contents,
    /// The bucket that comes next and the place in it; its name is hashed when its first row is.
    bucket: usize,
    place: usize,
    named: bool,
    sum: u32,
    scratch: Vec<u8>,
}

impl Hashing {
    pub fn new(view: View, stand: &Stand) -> Hashing {
        let contents = Contents::new(view, stand);
        Hashing { contents, bucket: 0, place: 0, named: false, sum: 0, scratch: Vec::new() }
    }

    /// Looks at no more than about `budget` rows; the hash once there are no more.
    pub fn step(&mut self, mut budget: usize) -> Option<u32> {
        while let Some(bucket) = Bucket::ALL.get(self.bucket).copied() {
            if !self.named {
                self.sum = crc32c::chain(self.sum, bucket.name().as_bytes());
                self.named = true;
            }
            let mut is_through = true;
            for (place, row) in self.contents.rows(bucket, self.place) {
                if budget == 0 {
                    (self.place, is_through) = (place, false);
                    break;
                }
                budget -= 1;
                self.scratch.clear();
                row.write_key(&mut self.scratch);
                if bucket == Bucket::Meta && is_passed_over(&self.scratch) {
                    continue;
                }
                row.write_value(&mut self.scratch);
                self.sum = crc32c::chain(self.sum, &self.scratch);
            }
            if !is_through {
                return None;
            }
            (self.bucket, self.place, self.named) = (self.bucket + 1, 0, false);
        }
        Some(self.sum)
    }
}

/// Rows that tell of the log's end and of the file's shape are not the same on all members.
fn is_passed_over(meta_key: &[u8]) -> bool {
    matches!(meta_key, b"term" | b"consistent_index" | b"storageVersion")
}
