//! A door that opens once: everybody who waits at it goes on. The driver's tasks end by it.
use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

#[derive(Clone, Default)]
pub struct Latch(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    open: bool,
    waiting: Vec<Waker>,
}

impl Latch {
    pub fn open(&self) {
        let waiting = {
            let mut inner = self.0.lock().expect("nothing panics while it holds this lock");
            inner.open = true;
            std::mem::take(&mut inner.waiting)
        };
        for waker in waiting {
            waker.wake();
        }
    }

    pub async fn wait(&self) {
        poll_fn(|cx| self.poll(cx)).await
    }

    /// What the work comes to, or nothing if the latch opens before.
    pub async fn or_open<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => self.poll(cx).map(|()| None),
        })
        .await
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.0.lock().expect("nothing panics while it holds this lock");
        if inner.open {
            return Poll::Ready(());
        }
        if !inner.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            inner.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }
}
