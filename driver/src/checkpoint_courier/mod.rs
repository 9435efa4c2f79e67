//! Carries checkpoints between members, beside the loop: `send` to a peer that lacks what the log no longer has, `receive`
//! into a draft, `stage` to make a draft that is wanted a checkpoint of this member's.
//!
//! A checkpoint goes whole or not at all: what broke is begun again from its first byte, by the leader, when the member
//! is heard. No trouble here ends the member.
mod receive;
mod send;
mod stage;

pub use receive::{Newest, Receiver};
pub use send::{Parcel, Sender};
pub use stage::{Call, Stager};

use crate::{Runtime, checkpoint_files as files, pipe::Verdict};
use detcd_core::{Span, checkpoint::Sums};
use std::{
    collections::BTreeMap,
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Mutex},
    task::Poll,
};

/// How long a peer may take over one piece.
const PIECE_PATIENCE: Span = Span::secs(30);
/// What is written is synced after so many bytes: a sync of the log never waits for all of an image.
const SYNC_BYTES: u64 = 8 << 20;

/// So long an image may always be.
const IMAGE_BYTES_MIN: u64 = 16 << 30;

/// An image that has arrived, and whom to tell what becomes of it.
struct Draft {
    bytes: u64,
    sums: Sums,
    verdict: Verdict,
}

/// Images that have arrived and were not judged yet, by number.
#[derive(Clone, Default)]
pub struct Drafts(Arc<Mutex<BTreeMap<u64, Draft>>>);

impl Drafts {
    fn put(&self, number: u64, draft: Draft) {
        self.0.lock().expect("nothing panics while it holds this lock").insert(number, draft);
    }

    fn take(&self, number: u64) -> Option<Draft> {
        self.0.lock().expect("nothing panics while it holds this lock").remove(&number)
    }
}

/// No image of a member is longer: several times what its backend may grow to, for peers may have another limit.
/// `quota`: as configured, 0 for etcd's default, below it for none.
pub fn bytes_max(quota: i64) -> u64 {
    u64::try_from(quota).map_or(u64::MAX, |quota| quota.saturating_mul(4).max(IMAGE_BYTES_MIN))
}

/// A start removes what has such a name.
fn draft_path(number: u64) -> String {
    files::draft(&format!("received.{number}"))
}

/// What the work comes to, or nothing if it takes too long.
async fn within<R: Runtime, T>(rt: &R, patience: Span, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut sleep = pin!(rt.sleep_until(rt.now() + patience));
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => sleep.as_mut().poll(cx).map(|()| None),
    })
    .await
}
