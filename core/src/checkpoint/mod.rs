//! Checkpoints: a [`View`] laid out as the backend file that etcd keeps, and read back. Bytes in and bytes out; no file
//! is opened here.
//!
//! [`Image`] writes one bbolt file from its first page to its last. [`Loader`] reads any such file, one that a real
//! etcd wrote too. [`Sums`] notices flipped bits in an image. [`snap`] is the small file that names an image's place in
//! the log. An image says what the log has made and nothing else: two members with the same applied index write the
//! same pairs, however far each is with removing what was compacted.
//! Source: contract-semantics 17.2, 17.3, 17.5.
mod adopt;
mod contents;
mod hash;
mod image;
mod inspect;
mod loaded;
mod loader;
mod page;
mod refound;
pub mod snap;
mod sums;

#[cfg(test)]
mod fixture_tests;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod round_trip_tests;
#[cfg(test)]
mod testing;

pub use adopt::adopt;
pub use hash::Hashing;
pub use image::{Image, Planning};
pub use inspect::{Inspected, Inspecting, Inspector};
pub use loaded::{Loaded, Loading};
pub use loader::{Damage, Loader, Sink, Walk};
pub use refound::{Founding, refound};
pub use sums::{Summing, Sums};

pub use crate::view::Stand;

use detcd_proto::raftpb::SnapshotMetadata;

use crate::View;

impl Stand {
    /// As a snapshot's message says it.
    pub fn metadata(&self) -> SnapshotMetadata {
        let Stand { index, term, conf_state } = self.clone();
        SnapshotMetadata { conf_state, index, term }
    }
}

/// No log comes near such an index or term, and whatever is counted on from one stays far from overflowing.
const INDEX_MAX: u64 = 1 << 62;
