//! A stream of bytes between a task of the driver and one of the runtime: bounded, one writer, one reader, and the reader
//! can tell an end from a break. Beside it, one word back.
//!
//! No port: it is the driver's own for the reason that its mailboxes are.
use bytes::Bytes;
use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};

/// The other side is gone before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// The writing end. Dropped, it breaks the stream; [`PipeIn::end`] ends it.
pub struct PipeIn(Arc<Pipe>);

/// The reading end. Dropped, it makes every further write fail.
pub struct PipeOut(Arc<Pipe>);

struct Pipe {
    pieces_max: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    pieces: VecDeque<Bytes>,
    is_ended: bool,
    is_broken: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// At most so many pieces wait in it.
pub fn pipe(pieces_max: usize) -> (PipeIn, PipeOut) {
    let pipe = Arc::new(Pipe { pieces_max: pieces_max.max(1), inner: Mutex::default() });
    (PipeIn(pipe.clone()), PipeOut(pipe))
}

impl Pipe {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nothing panics while it holds this lock")
    }

    /// Changes it, and wakes who waits for the change, outside of the lock.
    fn change<T>(&self, change: impl FnOnce(&mut Inner) -> (T, Option<Waker>)) -> T {
        let (value, waker) = change(&mut self.lock());
        if let Some(waker) = waker {
            waker.wake();
        }
        value
    }
}

impl PipeIn {
    /// Waits until there is room.
    pub async fn push(&self, piece: Bytes) -> Result<(), Broken> {
        let mut piece = Some(piece);
        poll_fn(|cx| {
            self.0.change(|inner| {
                if inner.is_broken {
                    (Poll::Ready(Err(Broken)), None)
                } else if inner.pieces.len() >= self.0.pieces_max {
                    inner.writer = Some(cx.waker().clone());
                    (Poll::Pending, None)
                } else {
                    inner.pieces.extend(piece.take());
                    (Poll::Ready(Ok(())), inner.reader.take())
                }
            })
        })
        .await
    }

    /// Nothing follows.
    pub fn end(self) {
        self.0.change(|inner| {
            inner.is_ended = true;
            ((), inner.reader.take())
        });
    }
}

impl Drop for PipeIn {
    fn drop(&mut self) {
        self.0.change(|inner| {
            inner.is_broken |= !inner.is_ended;
            ((), inner.reader.take())
        });
    }
}

impl PipeOut {
    /// The next piece, in the order written; None after the last.
    pub async fn pull(&mut self) -> Result<Option<Bytes>, Broken> {
        poll_fn(|cx| self.poll_pull(cx)).await
    }

    /// As `pull`.
    pub fn poll_pull(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Broken>> {
        self.0.change(|inner| {
            if inner.is_broken {
                (Poll::Ready(Err(Broken)), None)
            } else if let Some(piece) = inner.pieces.pop_front() {
                (Poll::Ready(Ok(Some(piece))), inner.writer.take())
            } else if inner.is_ended {
                (Poll::Ready(Ok(None)), None)
            } else {
                inner.reader = Some(cx.waker().clone());
                (Poll::Pending, None)
            }
        })
    }
}

impl Drop for PipeOut {
    fn drop(&mut self) {
        self.0.change(|inner| {
            inner.is_broken = true;
            ((), inner.writer.take())
        });
    }
}

/// What became of a stream, told once by whoever read it. Dropped, it says that nothing came of it.
pub struct Verdict(PipeIn);

/// Where it is waited for.
pub struct Awaited(PipeOut);

pub fn verdict() -> (Verdict, Awaited) {
    let (tell, told) = pipe(1);
    (Verdict(tell), Awaited(told))
}

impl Verdict {
    /// Taken, or why not, in one line.
    pub async fn tell(self, verdict: Result<(), String>) {
        if let Err(why) = verdict {
            // Nobody waits any more: then nobody misses it.
            self.0.push(Bytes::from(why)).await.ok();
        }
        self.0.end();
    }
}

impl Awaited {
    pub async fn wait(mut self) -> Result<(), String> {
        match self.0.pull().await {
            Ok(None) => Ok(()),
            Ok(Some(why)) => Err(String::from_utf8_lossy(&why).into_owned()),
            Err(Broken) => Err("etcdserver: server stopped".to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{future::Future, pin::pin};

    fn now<T>(future: impl Future<Output = T>) -> Poll<T> {
        pin!(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    const ONE: Bytes = Bytes::from_static(b"one");
    const TWO: Bytes = Bytes::from_static(b"two");

    #[test]
    fn what_goes_in_comes_out_and_an_end_is_no_break() {
        let (tell, mut told) = pipe(1);
        assert_eq!(now(told.pull()), Poll::Pending);
        assert_eq!(now(tell.push(ONE)), Poll::Ready(Ok(())));
        assert_eq!(now(tell.push(TWO)), Poll::Pending, "it is full");
        assert_eq!(now(told.pull()), Poll::Ready(Ok(Some(ONE))));
        assert_eq!(now(tell.push(TWO)), Poll::Ready(Ok(())));
        tell.end();
        assert_eq!(now(told.pull()), Poll::Ready(Ok(Some(TWO))));
        assert_eq!(now(told.pull()), Poll::Ready(Ok(None)));
    }

    #[test]
    fn who_goes_away_breaks_it_for_the_other() {
        let (tell, mut told) = pipe(9);
        assert_eq!(now(tell.push(ONE)), Poll::Ready(Ok(())));
        drop(tell);
        assert_eq!(now(told.pull()), Poll::Ready(Err(Broken)), "what came before is worth nothing");
        let (tell, told) = pipe(9);
        drop(told);
        assert_eq!(now(tell.push(ONE)), Poll::Ready(Err(Broken)));
    }

    #[test]
    fn a_verdict_is_told_or_silence_is_one() {
        for (said, heard) in [(Ok(()), Ok(())), (Err("no".to_string()), Err("no".to_string()))] {
            let (verdict, awaited) = verdict();
            assert_eq!(now(verdict.tell(said)), Poll::Ready(()));
            assert_eq!(now(awaited.wait()), Poll::Ready(heard));
        }
        let (verdict, awaited) = verdict();
        drop(verdict);
        assert_eq!(now(awaited.wait()), Poll::Ready(Err("etcdserver: server stopped".to_string())));
    }
}
