//! A copy of everything as one file, in pieces. Source: contract-semantics 13.7.
use super::breathe;
use crate::{Level, Node, Runtime};
use bytes::{Buf, Bytes};
use detcd_core::{
    Moment, Refusal,
    checkpoint::{Image, Planning},
};
use detcd_proto::etcdserverpb::SnapshotResponse;
use sha2::{Digest, Sha256};

/// Of one piece, in bytes.
const BLOB_MAX: usize = 32 * 1024;
/// So much is written of the file at a time.
const WRITE_BYTES: usize = 8 * BLOB_MAX;
/// So many rows are looked at before others on the same thread have their turn.
const PLAN_SLICE: usize = 10_000;

/// The pieces that are still to come. The state is that of the moment it was asked for, however slowly it is taken.
pub struct SnapshotPieces<R: Runtime> {
    node: Node<R>,
    begun: Moment,
    image: Image,
    /// Of the file, and what of it is not given out yet.
    total: u64,
    remaining: u64,
    written: Bytes,
    digest: Option<Sha256>,
    version: String,
}

impl<R: Runtime> Node<R> {
    /// Needs no leader and is served by learners too.
    pub async fn snapshot(&self) -> Result<SnapshotPieces<R>, Refusal> {
        self.require_admin().await?;
        let begun = self.0.rt.now();
        let edition = self.latest();
        let version = edition.view.storage_version().unwrap_or_default().to_string();
        let mut planning = Planning::new(edition.view.clone(), &edition.stand);
        while planning.step(PLAN_SLICE) {
            breathe().await;
        }
        let image = planning.finish();
        let total = image.len();
        self.0.rt.log(
            Level::Info,
            format_args!(
                "sending database snapshot to client total-bytes={total} storage-version={version:?}"
            ),
        );
        Ok(SnapshotPieces {
            node: self.clone(),
            begun,
            image,
            total,
            remaining: total,
            written: Bytes::new(),
            digest: Some(Sha256::new()),
            version,
        })
    }
}

impl<R: Runtime> SnapshotPieces<R> {
    /// The next piece of the file; behind the last one comes the digest of all, and then nothing.
    pub fn next_piece(&mut self) -> Option<SnapshotResponse> {
        let digest = self.digest.as_mut()?;
        if self.written.is_empty() {
            let mut pages = Vec::new();
            self.image.next(WRITE_BYTES, &mut pages);
            self.written = pages.into();
        }
        let piece = |blob, remaining_bytes, version: &str| {
            let version = version.to_string();
            Some(SnapshotResponse { header: None, remaining_bytes, blob, version })
        };
        if !self.written.is_empty() {
            let blob = self.written.copy_to_bytes(BLOB_MAX.min(self.written.len()));
            digest.update(&blob);
            self.remaining -= blob.len() as u64;
            return piece(blob, self.remaining, &self.version);
        }
        let rt = &self.node.0.rt;
        rt.log(
            Level::Info,
            format_args!("sending database sha256 checksum to client total-bytes={}", self.total),
        );
        let took = rt.now() - self.begun;
        self.node.0.meters.snapshot.observe(took);
        rt.log(
            Level::Info,
            format_args!(
                "successfully sent database snapshot to client total-bytes={} took-ms={}",
                self.total,
                took.as_nanos() / 1_000_000
            ),
        );
        let sum = self.digest.take()?.finalize();
        piece(Bytes::copy_from_slice(&sum), 0, &self.version)
    }
}
