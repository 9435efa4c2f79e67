//! Where the latest edition hangs for all to read. Readers never enter the loop of turns.
use detcd_core::Edition;
use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Mutex, RwLock},
    task::{Poll, Waker},
};

#[derive(Clone)]
pub struct Board(Arc<Inner>);

struct Inner {
    latest: RwLock<Arc<Edition>>,
    /// The few who wait for a certain state, say at the start and the stop of the member.
    waiting: Mutex<Vec<Waker>>,
}

impl Board {
    pub fn new(first: Arc<Edition>) -> Board {
        Board(Arc::new(Inner { latest: RwLock::new(first), waiting: Mutex::default() }))
    }

    pub fn publish(&self, edition: Arc<Edition>) {
        let before = {
            let mut latest = self.0.latest.write().expect("nothing panics while it holds this lock");
            std::mem::replace(&mut *latest, edition)
        };
        drop(before);
        let waiting =
            std::mem::take(&mut *self.0.waiting.lock().expect("nothing panics while it holds this lock"));
        for waker in waiting {
            waker.wake();
        }
    }

    pub fn latest(&self) -> Arc<Edition> {
        self.0.latest.read().expect("nothing panics while it holds this lock").clone()
    }

    /// Waits for an edition that is as wished, or for the end of `patience`: then false.
    pub async fn until_or(
        &self,
        wish: impl Fn(&Edition) -> bool,
        patience: impl Future<Output = ()>,
    ) -> bool {
        let (mut wished, mut patience) = (pin!(self.until(wish)), pin!(patience));
        poll_fn(|cx| match wished.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(true),
            Poll::Pending => patience.as_mut().poll(cx).map(|()| false),
        })
        .await
    }

    /// Waits for an edition that is as wished.
    pub async fn until(&self, wish: impl Fn(&Edition) -> bool) {
        poll_fn(|cx| {
            if wish(&self.latest()) {
                return Poll::Ready(());
            }
            self.0.waiting.lock().expect("nothing panics while it holds this lock").push(cx.waker().clone());
            // Published between the look and the note: look again.
            if wish(&self.latest()) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await
    }
}
