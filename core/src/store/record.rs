//! One change of one key, in one allocation.
use super::tree::{Key, Probe};
use alloc::{sync::Arc, vec::Vec};
use bytes::{Buf, Bytes};
use core::{cmp::Ordering, fmt};
use detcd_proto::mvccpb::KeyValue;
use prost::encoding::{encode_varint, encoded_len_varint};

/// A version of a key, or the tombstone that ended it. Cloning shares it.
///
/// A million keys are a million of these, so everything stands in one block.
///
/// | bytes | what, integers little-endian |
/// |---|---|
/// | 4 | length of the key |
/// | | the key: near the front because it is what searches look at |
/// | 4 | sub-revision |
/// | 8 | main revision |
/// | 8 | revision of the put that created the key; 0 in a tombstone |
/// | 8 | version, counted from 1; 0 in a tombstone, and that is how one that has a key is known |
/// | 8 | lease or 0 |
/// | | the value |
#[derive(Clone)]
pub struct Record(Arc<[u8]>);

const KEY: usize = 4;
/// Of the numbers between key and value.
const NUMBERS: usize = 4 + 4 * 8;

/// What is known of a version besides its bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Meta {
    pub main: i64,
    pub sub: i64,
    pub create_revision: i64,
    pub version: i64,
    pub lease: i64,
}

impl Record {
    /// `scratch` is only there to be reused.
    pub(super) fn new(meta: Meta, key: &[u8], value: &[u8], scratch: &mut Vec<u8>) -> Record {
        let key_len = u32::try_from(key.len()).expect("a request is far smaller than 4 GiB");
        let sub =
            u32::try_from(meta.sub).expect("a request changes fewer keys than its bytes, or than memory has");
        scratch.clear();
        scratch.extend_from_slice(&key_len.to_le_bytes());
        scratch.extend_from_slice(key);
        scratch.extend_from_slice(&sub.to_le_bytes());
        for number in [meta.main, meta.create_revision, meta.version, meta.lease] {
            scratch.extend_from_slice(&number.to_le_bytes());
        }
        scratch.extend_from_slice(value);
        Record(Arc::from(&scratch[..]))
    }

    fn small(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.0[at..at + 4].try_into().expect("four bytes are four bytes"))
    }

    /// One of the numbers behind the key and the sub-revision.
    fn number(&self, which: usize) -> i64 {
        let at = self.key_end() + 4 + 8 * which;
        i64::from_le_bytes(self.0[at..at + 8].try_into().expect("eight bytes are eight bytes"))
    }

    fn key_end(&self) -> usize {
        KEY + self.small(0) as usize
    }

    fn value_start(&self) -> usize {
        self.key_end() + NUMBERS
    }

    /// The revision this change belongs to.
    pub fn mod_revision(&self) -> i64 {
        self.number(0)
    }

    /// The place of this change among those of its revision, from 0.
    pub fn sub(&self) -> i64 {
        i64::from(self.small(self.key_end()))
    }

    pub fn create_revision(&self) -> i64 {
        self.number(1)
    }

    pub fn version(&self) -> i64 {
        self.number(2)
    }

    pub fn lease(&self) -> i64 {
        self.number(3)
    }

    /// A record without a key is none: it only takes its revision, as a restore leaves it that skips revisions.
    pub fn is_tombstone(&self) -> bool {
        self.version() == 0 && !self.is_blank()
    }

    fn is_blank(&self) -> bool {
        self.small(0) == 0
    }

    pub fn key(&self) -> &[u8] {
        &self.0[KEY..self.key_end()]
    }

    pub fn value(&self) -> &[u8] {
        &self.0[self.value_start()..]
    }

    /// (main, sub): the order of changes.
    pub fn revision(&self) -> (i64, i64) {
        (self.mod_revision(), self.sub())
    }

    /// The pair as clients see it, its bytes shared with this record. Of a tombstone only key and revision of the
    /// deletion, as in events.
    pub fn to_kv(&self) -> KeyValue {
        let mut key = Bytes::from_owner(self.clone());
        let value = key.split_off(self.value_start());
        self.pair(key, value)
    }

    /// [`Record::to_kv`] with an empty value.
    pub fn to_kv_without_value(&self) -> KeyValue {
        self.pair(Bytes::from_owner(self.clone()), Bytes::new())
    }

    /// `key`: the record's bytes up to any point behind its key.
    fn pair(&self, mut key: Bytes, value: Bytes) -> KeyValue {
        key.truncate(self.key_end());
        key.advance(KEY);
        KeyValue {
            key,
            create_revision: self.create_revision(),
            mod_revision: self.mod_revision(),
            version: self.version(),
            value,
            lease: self.lease(),
        }
    }

    /// The key under which etcd's backend keeps this change: main revision, `_`, sub-revision, and `t` behind a
    /// tombstone; integers big-endian. Source: contract-semantics 17.2.
    pub fn stored_key(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.mod_revision().to_be_bytes());
        into.push(b'_');
        into.extend_from_slice(&self.sub().to_be_bytes());
        if self.is_tombstone() {
            into.push(b't');
        }
    }

    /// The value etcd's backend keeps: the marshalled pair; of a tombstone only the key.
    pub fn stored_value(&self, into: &mut Vec<u8>) {
        let mut bytes_field = |tag: u8, bytes: &[u8]| {
            if !bytes.is_empty() {
                into.push(tag << 3 | 2);
                encode_varint(bytes.len() as u64, into);
                into.extend_from_slice(bytes);
            }
        };
        bytes_field(1, self.key());
        if self.is_tombstone() || self.is_blank() {
            return;
        }
        let number = |tag: u8, number: i64, into: &mut Vec<u8>| {
            if number != 0 {
                into.push(tag << 3);
                encode_varint(number as u64, into);
            }
        };
        number(2, self.create_revision(), into);
        number(3, self.mod_revision(), into);
        number(4, self.version(), into);
        let value = self.value();
        if !value.is_empty() {
            into.push(5 << 3 | 2);
            encode_varint(value.len() as u64, into);
            into.extend_from_slice(value);
        }
        number(6, self.lease(), into);
    }

    /// What this change takes in a page of etcd's backend file, in bytes: stored key and value, and the element that
    /// points at them.
    pub fn stored_len(&self) -> u64 {
        const KEY_AND_ELEMENT: usize = 17 + 16;
        let key = self.key().len();
        if self.is_blank() {
            return KEY_AND_ELEMENT as u64;
        }
        let mut len = KEY_AND_ELEMENT + 1 + encoded_len_varint(key as u64) + key;
        if self.is_tombstone() {
            len += 1;
        } else {
            for number in [self.create_revision(), self.mod_revision(), self.version()] {
                len += 1 + encoded_len_varint(number as u64);
            }
            let value = self.value().len();
            if value > 0 {
                len += 1 + encoded_len_varint(value as u64) + value;
            }
            if self.lease() != 0 {
                len += 1 + encoded_len_varint(self.lease() as u64);
            }
        }
        len as u64
    }
}

impl AsRef<[u8]> for Record {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq for Record {
    fn eq(&self, other: &Record) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}
impl Eq for Record {}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (main, sub) = self.revision();
        let key = self.key().escape_ascii();
        if self.is_tombstone() {
            return write!(f, "{main}.{sub} delete {key}");
        }
        let (value, created, version, lease) =
            (self.value().escape_ascii(), self.create_revision(), self.version(), self.lease());
        write!(f, "{main}.{sub} put {key}={value} created={created} version={version} lease={lease:x}")
    }
}

/// A record in the history: ordered by key, then by revision.
#[derive(Clone, Debug)]
pub(super) struct ByKey(pub Record);

impl Key for ByKey {
    type Head = u64;
    fn bytes(&self) -> &[u8] {
        self.0.key()
    }
}

/// A place in the history: the cut behind this version of this key, whether there is such a version or not.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub key: &'a [u8],
    pub revision: (i64, i64),
}

impl ByKey {
    pub fn cmp_to(&self, at: At<'_>) -> Ordering {
        self.0.key().cmp(at.key).then_with(|| self.0.revision().cmp(&at.revision))
    }
    fn place(&self) -> At<'_> {
        At { key: self.0.key(), revision: self.0.revision() }
    }
}

impl Probe<ByKey> for At<'_> {
    fn is_behind(&self, version: &ByKey) -> bool {
        version.cmp_to(*self).is_le()
    }
    fn bytes(&self) -> Option<&[u8]> {
        Some(self.key)
    }
}

impl Ord for ByKey {
    fn cmp(&self, other: &ByKey) -> Ordering {
        self.cmp_to(other.place())
    }
}
impl PartialOrd for ByKey {
    fn partial_cmp(&self, other: &ByKey) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for ByKey {
    fn eq(&self, other: &ByKey) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for ByKey {}

/// A record in the log of changes: ordered by revision alone.
#[derive(Clone, Debug)]
pub(super) struct ByRevision(pub Record);

impl Key for ByRevision {
    type Head = ();
}

impl Ord for ByRevision {
    fn cmp(&self, other: &ByRevision) -> Ordering {
        self.0.revision().cmp(&other.0.revision())
    }
}
impl PartialOrd for ByRevision {
    fn partial_cmp(&self, other: &ByRevision) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for ByRevision {
    fn eq(&self, other: &ByRevision) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for ByRevision {}
