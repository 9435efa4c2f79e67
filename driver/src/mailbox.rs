//! A bounded queue with one reader, drained in batches. There is no runtime inside, so it behaves alike under any.
use crate::Runtime;
use detcd_core::Moment;
use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};

pub struct Mailbox<T>(Arc<Mutex<Inner<T>>>);

struct Inner<T> {
    queue: VecDeque<T>,
    limit: usize,
    reader: Option<Waker>,
    closed: bool,
    /// Batches the reader has taken without a pause.
    unbroken: u32,
}

/// A reader that always finds something lets others on its thread go first after so many batches.
const UNBROKEN_MAX: u32 = 16;

/// Why an item was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    Full,
    Closed,
}

impl<T> Clone for Mailbox<T> {
    fn clone(&self) -> Self {
        Mailbox(self.0.clone())
    }
}

impl<T: Send> Mailbox<T> {
    pub fn bounded(limit: usize) -> Mailbox<T> {
        let inner = Inner { queue: VecDeque::new(), limit, reader: None, closed: false, unbroken: 0 };
        Mailbox(Arc::new(Mutex::new(inner)))
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.0.lock().expect("nothing panics while it holds this lock")
    }

    /// Takes the item unless the box already holds its limit.
    pub fn push(&self, item: T) -> Result<(), Refused> {
        let inner = self.lock();
        let limit = inner.limit;
        insert(inner, item, limit)
    }

    /// As `push` with room for as much again, so that those who fill the box cannot shut out those who empty it.
    pub fn push_urgent(&self, item: T) -> Result<(), Refused> {
        let inner = self.lock();
        let limit = inner.limit.saturating_mul(2);
        insert(inner, item, limit)
    }

    /// For answers to what the reader itself started: their number is bounded by what it started. Dropped if closed.
    pub fn push_completion(&self, item: T) {
        // Only a closed box refuses here, and nobody waits for the answer any more.
        insert(self.lock(), item, usize::MAX).ok();
    }

    /// How many items wait.
    pub fn len(&self) -> usize {
        self.lock().queue.len()
    }

    /// The reader takes what is there and then hears that it was the last; new items are refused.
    pub fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        let reader = inner.reader.take();
        drop(inner);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Waits for items and appends up to `max` of them. False when the box is closed and empty.
    pub async fn recv_batch(&self, into: &mut Vec<T>, max: usize) -> bool {
        poll_fn(|cx| self.poll_batch(cx, into, max)).await
    }

    /// As `recv_batch`, but comes back with nothing at `deadline`. The queue is always looked at first, so that the
    /// order is fixed.
    pub async fn recv_until<R: Runtime>(
        &self,
        rt: &R,
        deadline: Option<Moment>,
        into: &mut Vec<T>,
        max: usize,
    ) -> bool {
        let Some(at) = deadline else { return self.recv_batch(into, max).await };
        let mut sleep = pin!(rt.sleep_until(at));
        poll_fn(|cx| match self.poll_batch(cx, into, max) {
            Poll::Ready(open) => Poll::Ready(open),
            Poll::Pending => sleep.as_mut().poll(cx).map(|()| true),
        })
        .await
    }

    /// One look, for whoever awaits nothing here.
    pub fn poll_batch(&self, cx: &mut Context<'_>, into: &mut Vec<T>, max: usize) -> Poll<bool> {
        let mut inner = self.lock();
        if inner.queue.is_empty() {
            if inner.closed {
                return Poll::Ready(false);
            }
            match &mut inner.reader {
                Some(waker) => waker.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
            inner.unbroken = 0;
            return Poll::Pending;
        }
        if inner.unbroken == UNBROKEN_MAX {
            inner.unbroken = 0;
            drop(inner);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        inner.unbroken += 1;
        let count = inner.queue.len().min(max);
        into.extend(inner.queue.drain(..count));
        Poll::Ready(true)
    }
}

fn insert<T>(mut inner: MutexGuard<'_, Inner<T>>, item: T, limit: usize) -> Result<(), Refused> {
    if inner.closed {
        return Err(Refused::Closed);
    }
    if inner.queue.len() >= limit {
        return Err(Refused::Full);
    }
    inner.queue.push_back(item);
    let reader = inner.reader.take();
    drop(inner);
    if let Some(reader) = reader {
        reader.wake();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_always_finds_something_pauses() {
        let mailbox = Mailbox::bounded(1000);
        for item in 0..1000 {
            mailbox.push(item).unwrap();
        }
        let mut taken = Vec::new();
        let mut pauses = 0;
        {
            let mut reader = Box::pin(async {
                while taken.len() < 1000 {
                    assert!(mailbox.recv_batch(&mut taken, 1).await);
                }
            });
            let mut context = Context::from_waker(Waker::noop());
            while reader.as_mut().poll(&mut context).is_pending() {
                pauses += 1;
            }
        }
        assert_eq!(taken, (0..1000).collect::<Vec<_>>());
        assert!((1000 / 20..1000 / 10).contains(&pauses), "{pauses}");
    }
}
