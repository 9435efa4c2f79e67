//! The model: a keyspace with all its revisions, which can be taken back.

use super::keys::Keys;
use crate::history::KeyValue;

/// One key after one change. `version` 0 is a tombstone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version<'h> {
    pub revision: i64,
    pub create: i64,
    pub version: i64,
    pub lease: i64,
    pub value: &'h [u8],
}

/// Where to go back to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    revision: i64,
    journal: usize,
    fingerprint: u128,
}

pub(super) struct Store<'h> {
    /// By key number, oldest first.
    versions: Vec<Vec<Version<'h>>>,
    /// The newest complete revision; writes go to the next one until [`Store::commit`].
    revision: i64,
    /// The first revision whose contents are known.
    origin: i64,
    /// The keys of `versions` in the order in which they grew.
    journal: Vec<usize>,
    /// The sum of a hash of every live pair: equal contents have equal sums, whatever happened before.
    fingerprint: u128,
}

impl<'h> Store<'h> {
    pub fn new(keys: &Keys<'h>, revision: i64, contents: &'h [KeyValue]) -> Self {
        let mut store = Self {
            versions: vec![Vec::new(); keys.len()],
            revision,
            origin: revision,
            journal: Vec::new(),
            fingerprint: 0,
        };
        for kv in contents {
            let version = Version {
                revision: kv.mod_revision,
                create: kv.create_revision,
                version: kv.version,
                lease: kv.lease,
                value: &kv.value,
            };
            store.push(keys.id(&kv.key), version);
        }
        store
    }

    pub fn revision(&self) -> i64 {
        self.revision
    }

    pub fn origin(&self) -> i64 {
        self.origin
    }

    pub fn fingerprint(&self) -> u128 {
        self.fingerprint
    }

    /// The pair as it is now, uncommitted writes included.
    pub fn live(&self, key: usize) -> Option<&Version<'h>> {
        self.versions[key].last().filter(|version| version.version > 0)
    }

    /// The pair as it was at `revision`, which must not be before [`Store::origin`].
    pub fn live_at(&self, key: usize, revision: i64) -> Option<&Version<'h>> {
        let versions = &self.versions[key];
        let upto = versions.partition_point(|version| version.revision <= revision);
        versions[..upto].last().filter(|version| version.version > 0)
    }

    pub fn keys(&self) -> usize {
        self.versions.len()
    }

    /// All that is known of a key, oldest first.
    pub fn history_of(&self, key: usize) -> &[Version<'h>] {
        &self.versions[key]
    }

    /// `None` keeps what the key has; the caller has made sure that the key is there then.
    pub fn put(&mut self, key: usize, value: Option<&'h [u8]>, lease: Option<i64>) {
        let before = self.live(key).copied();
        let revision = self.revision + 1;
        self.push(
            key,
            Version {
                revision,
                create: before.map_or(revision, |b| b.create),
                version: before.map_or(1, |b| b.version + 1),
                lease: lease.or(before.map(|b| b.lease)).unwrap_or(0),
                value: value.or(before.map(|b| b.value)).unwrap_or(&[]),
            },
        );
    }

    pub fn delete(&mut self, key: usize) {
        self.push(key, Version { revision: self.revision + 1, create: 0, version: 0, lease: 0, value: &[] });
    }

    /// Whether anything was written since the last commit.
    pub fn is_dirty(&self, since: Mark) -> bool {
        self.journal.len() > since.journal
    }

    /// Ends a revision that has written something.
    pub fn commit(&mut self) {
        self.revision += 1;
    }

    pub fn mark(&self) -> Mark {
        Mark { revision: self.revision, journal: self.journal.len(), fingerprint: self.fingerprint }
    }

    /// The keys written since `mark`, in order, a key written twice twice.
    pub fn written_since(&self, mark: Mark) -> &[usize] {
        &self.journal[mark.journal..]
    }

    pub fn rollback(&mut self, mark: Mark) {
        for key in self.journal.drain(mark.journal..).rev() {
            self.versions[key].pop();
        }
        self.revision = mark.revision;
        self.fingerprint = mark.fingerprint;
    }

    fn push(&mut self, key: usize, version: Version<'h>) {
        if let Some(before) = self.live(key) {
            self.fingerprint = self.fingerprint.wrapping_sub(hash(key, before));
        }
        if version.version > 0 {
            self.fingerprint = self.fingerprint.wrapping_add(hash(key, &version));
        }
        self.versions[key].push(version);
        self.journal.push(key);
    }
}

fn hash(key: usize, version: &Version<'_>) -> u128 {
    let numbers = [
        key as u64,
        version.revision as u64,
        version.create as u64,
        version.version as u64,
        version.lease as u64,
    ];
    let words = version.value.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    });
    hash_words(numbers.into_iter().chain([version.value.len() as u64]).chain(words))
}

/// 128 well-mixed bits: two 64-bit lanes that are multiplied by different odd constants and folded.
pub(super) fn hash_words(words: impl Iterator<Item = u64>) -> u128 {
    let (mut low, mut high) = (0x243f_6a88_85a3_08d3_u64, 0x1319_8a2e_0370_7344_u64);
    for word in words {
        low = fold(low ^ word, 0x9e37_79b9_7f4a_7c15);
        high = fold(high ^ word.rotate_left(32), 0xd6e8_feb8_6659_fd93);
    }
    u128::from(fold(low, 0xff51_afd7_ed55_8ccd)) << 64 | u128::from(fold(high, 0xc4ce_b9fe_1a85_ec53))
}

fn fold(word: u64, by: u64) -> u64 {
    // The constant added keeps a zero word from staying zero.
    let product = u128::from(word.wrapping_add(0xa409_3822_299f_31d0)) * u128::from(by);
    (product as u64) ^ (product >> 64) as u64
}
