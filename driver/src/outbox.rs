//! The replies of one watch stream on their way to its client: bounded, and never waited for.
//!
//! Event replies are offered and may be refused; then the hub serves the stream from a View once there is room again.
//! Replies to requests are always taken: the client is made to wait before it sends more than there is room for.
use crate::meters::Meters;
use detcd_core::{Refusal, watch::StreamEnd};
use detcd_proto::etcdserverpb::WatchResponse;
use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard},
    task::{Poll, Waker},
};

/// Requests taken from a client that does not read the answers.
const CONTROL_MAX: usize = 16;

#[derive(Clone)]
pub struct Outbox(Arc<Mutex<Inner>>);

struct Inner {
    meters: Arc<Meters>,
    queue: VecDeque<Reply>,
    /// Event replies held for a client that does not read.
    events_max: usize,
    /// How many of them answer a request.
    control: usize,
    /// An event reply was refused and the hub waits to hear of room.
    refused: bool,
    end: Option<StreamEnd>,
    reader: Option<Waker>,
    /// A client that waits to send another request.
    writer: Option<Waker>,
}

pub struct Reply {
    pub response: WatchResponse,
    /// May be split if it is too large for one message.
    pub fragment: bool,
    control: bool,
}

/// What the reader of an outbox gets.
pub enum Next {
    Reply {
        reply: Reply,
        /// The hub had been refused and now has room again.
        room: bool,
    },
    End(Refusal),
}

impl Outbox {
    pub fn new(events_max: usize, meters: Arc<Meters>) -> Outbox {
        Outbox(Arc::new(Mutex::new(Inner {
            meters,
            queue: VecDeque::new(),
            events_max,
            control: 0,
            refused: false,
            end: None,
            reader: None,
            writer: None,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("nothing panics while it holds this lock")
    }

    /// How many replies wait to be read.
    pub fn len(&self) -> usize {
        self.lock().queue.len()
    }

    /// Takes an event reply, unless as many wait as may.
    pub fn offer(&self, response: &WatchResponse, fragment: bool) -> bool {
        let mut inner = self.lock();
        if inner.queue.len() >= inner.events_max + inner.control {
            inner.refused = true;
            return false;
        }
        inner.meters.events_pending.add(response.events.len() as u64);
        inner.queue.push_back(Reply { response: response.clone(), fragment, control: false });
        wake(inner);
        true
    }

    /// Takes the reply to a request.
    pub fn control(&self, response: WatchResponse) {
        let mut inner = self.lock();
        inner.control += 1;
        inner.queue.push_back(Reply { response, fragment: false, control: true });
        wake(inner);
    }

    /// The reader gets what is there, then the end.
    pub fn end(&self, end: StreamEnd) {
        let mut inner = self.lock();
        inner.end = Some(end);
        let writer = inner.writer.take();
        wake(inner);
        if let Some(writer) = writer {
            writer.wake();
        }
    }

    /// Waits until one more request may be made.
    pub async fn admit(&self) {
        poll_fn(|cx| {
            let mut inner = self.lock();
            if inner.control < CONTROL_MAX || inner.end.is_some() {
                return Poll::Ready(());
            }
            inner.writer = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    pub async fn next(&self) -> Next {
        poll_fn(|cx| {
            let mut inner = self.lock();
            let Some(reply) = inner.queue.pop_front() else {
                if let Some(StreamEnd(why)) = inner.end.clone() {
                    return Poll::Ready(Next::End(why));
                }
                inner.reader = Some(cx.waker().clone());
                return Poll::Pending;
            };
            let events = reply.response.events.len() as u64;
            inner.meters.events_pending.sub(events);
            inner.meters.events.add(events);
            inner.control -= usize::from(reply.control);
            let room = inner.refused && inner.queue.len() <= inner.events_max / 2;
            inner.refused &= !room;
            let writer = inner.writer.take_if(|_| reply.control);
            drop(inner);
            if let Some(writer) = writer {
                writer.wake();
            }
            Poll::Ready(Next::Reply { reply, room })
        })
        .await
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let events: usize = self.queue.iter().map(|reply| reply.response.events.len()).sum();
        self.meters.events_pending.sub(events as u64);
    }
}

fn wake(mut inner: MutexGuard<'_, Inner>) {
    let reader = inner.reader.take();
    drop(inner);
    if let Some(reader) = reader {
        reader.wake();
    }
}
