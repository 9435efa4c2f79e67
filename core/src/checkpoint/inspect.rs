//! What a tool says of a file: its hash, row by row as it stands there, and the state in it. Source: contract-cli 12.
use super::{Damage, Loaded, Loading, Sink, Walk};
use crate::{Plants, crc32c, store::parse_revision};

/// A file looked through.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// CRC-32C over all buckets and rows, none left out.
    pub hash: u32,
    /// Of the last change, 0 if there is none.
    pub revision: i64,
    /// What its pages take, free ones too, in bytes.
    pub size: u64,
    /// There are buckets or rows of metadata in it that mean nothing here.
    pub has_strangers: bool,
    pub loaded: Loaded,
}

/// The rows of a file so far.
#[derive(Debug)]
pub struct Inspecting {
    hash: u32,
    revision: i64,
    in_keys: bool,
    has_strangers: bool,
    loading: Loading,
}

impl Sink for Inspecting {
    fn enter(&mut self, bucket: &[u8]) -> bool {
        self.hash = crc32c::chain(self.hash, bucket);
        self.in_keys = bucket == b"key";
        self.has_strangers |= !self.loading.enter(bucket);
        true
    }

    fn row(&mut self, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
        self.hash = crc32c::chain(crc32c::chain(self.hash, key), value);
        if self.in_keys
            && let Some(((main, _), _)) = parse_revision(key)
        {
            self.revision = main;
        }
        self.loading.row(key, value)
    }
}

/// As a loader, but it tells more.
pub type Inspector = Walk<Inspecting>;

impl Inspector {
    pub fn new(file_len: u64) -> Inspector {
        let loading = Loading::new(Plants::NONE);
        let inspecting = Inspecting { hash: 0, revision: 0, in_keys: false, has_strangers: false, loading };
        Walk::through(file_len, inspecting)
    }

    pub fn finish(self) -> Result<Inspected, Damage> {
        let size = self.size();
        let Inspecting { hash, revision, has_strangers, loading, .. } = self.into_sink()?;
        let has_strangers = has_strangers || loading.has_strangers();
        let loaded = loading.finish().map_err(|why| Damage { page: 0, why })?;
        Ok(Inspected { hash, revision, size, has_strangers, loaded })
    }
}
