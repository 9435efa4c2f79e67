//! A door that opens once: everybody who waits at it goes on. The driver's tasks end by it.
use std::{
    collections::BTreeMap,
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};

#[derive(Clone, Default)]
pub struct Latch(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    open: bool,
    waiting: BTreeMap<u64, Waker>,
    /// How many places have been given out.
    places: u64,
}

/// Where one waits; given back when nobody waits there any more.
struct Place<'a> {
    latch: &'a Latch,
    number: u64,
}

impl Latch {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("nothing panics while it holds this lock")
    }

    pub fn open(&self) {
        let waiting = {
            let mut inner = self.lock();
            inner.open = true;
            std::mem::take(&mut inner.waiting)
        };
        for waker in waiting.into_values() {
            waker.wake();
        }
    }

    pub fn is_open(&self) -> bool {
        self.lock().open
    }

    pub async fn wait(&self) {
        let place = self.place();
        poll_fn(|cx| place.poll(cx)).await
    }

    /// What the work comes to, or nothing if the latch opens before.
    pub async fn or_open<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        let place = self.place();
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => place.poll(cx).map(|()| None),
        })
        .await
    }

    fn place(&self) -> Place<'_> {
        let mut inner = self.lock();
        inner.places += 1;
        Place { latch: self, number: inner.places }
    }
}

impl Place<'_> {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.latch.lock();
        if inner.open {
            return Poll::Ready(());
        }
        let before = inner.waiting.insert(self.number, cx.waker().clone());
        drop(inner);
        // Outside the lock: it may be the last that held its task.
        drop(before);
        Poll::Pending
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let waker = self.latch.lock().waiting.remove(&self.number);
        drop(waker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        future::{pending, ready},
        task::Wake,
    };

    struct Nobody;

    impl Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn who_waits_no_longer_is_forgotten() {
        let latch = Latch::default();
        for _ in 0..100 {
            let waker = Waker::from(Arc::new(Nobody));
            let mut waits = Box::pin(latch.or_open(pending::<()>()));
            assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            assert_eq!(latch.lock().waiting.len(), 1, "one place for one who waits");
        }
        assert!(latch.lock().waiting.is_empty());
    }

    #[test]
    fn everybody_goes_on_when_it_opens() {
        let latch = Latch::default();
        let mut context = Context::from_waker(Waker::noop());
        let (mut waits, mut works) = (Box::pin(latch.wait()), Box::pin(latch.or_open(pending::<()>())));
        assert!(
            waits.as_mut().poll(&mut context).is_pending() && works.as_mut().poll(&mut context).is_pending()
        );
        latch.open();
        assert!(waits.as_mut().poll(&mut context).is_ready());
        assert_eq!(works.as_mut().poll(&mut context), Poll::Ready(None));
        assert_eq!(Box::pin(latch.or_open(ready(7))).as_mut().poll(&mut context), Poll::Ready(Some(7)));
    }
}
