//! One peer: its queues, the tasks that keep its links, and whether a link stands.
//!
//! Nobody ever waits to send: what finds its queue full is dropped, and the core hears `Lost` so that it asks again
//! instead of waiting for an answer that cannot come.
use super::{
    Net, dial,
    frame::Stream,
    post,
    probe::{self, LinkMeters},
};
use detcd_core::MemberId;
use detcd_driver::Arrival;
use detcd_proto::raftpb::{Message, MessageType};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::{Notify, mpsc, mpsc::error::TrySendError},
    task::AbortHandle,
};

/// Messages that wait for a stream; etcd's size.
const STREAM_QUEUE: usize = 4096;
/// Messages that wait to be posted; etcd's size.
const POST_QUEUE: usize = 64;
/// Drops are told no more often than this.
const TELL_DROPS: Duration = Duration::from_millis(100);
/// A stream whose queue has been full for so long is cut; the peer dials again.
const STUCK: Duration = Duration::from_secs(5);

pub struct Peer {
    pub id: MemberId,
    pub meters: Arc<LinkMeters>,
    /// Where it listens; the one to try next is first.
    urls: Mutex<Vec<String>>,
    append: Outgoing,
    message: Outgoing,
    post: mpsc::Sender<Message>,
    /// Streams we dialled that stand.
    standing: AtomicUsize,
    drops_told: Mutex<Option<Instant>>,
    tasks: Mutex<Vec<AbortHandle>>,
}

/// The stream that the peer dialled and that carries our messages, if there is one.
#[derive(Default)]
struct Outgoing(Mutex<Option<Attached>>);

struct Attached {
    queue: mpsc::Sender<Message>,
    cut: Arc<Notify>,
    full_since: Option<Instant>,
}

enum Sent {
    Queued,
    /// The stream stands and cannot take it.
    Full,
    NoStream(Box<Message>),
}

impl Outgoing {
    fn send(&self, message: Message) -> Sent {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(attached) = slot.as_mut() else { return Sent::NoStream(Box::new(message)) };
        match attached.queue.try_send(message) {
            Ok(()) => {
                attached.full_since = None;
                Sent::Queued
            }
            Err(TrySendError::Full(_)) => {
                if attached.full_since.get_or_insert_with(Instant::now).elapsed() > STUCK {
                    attached.cut.notify_one();
                    *slot = None;
                }
                Sent::Full
            }
            Err(TrySendError::Closed(message)) => {
                *slot = None;
                Sent::NoStream(Box::new(message))
            }
        }
    }
}

impl Peer {
    /// A peer with its links being made. They end with `close`.
    pub fn open(net: &Net, id: MemberId, urls: Vec<String>) -> Arc<Peer> {
        let (post, posts) = mpsc::channel(POST_QUEUE);
        let peer = Arc::new(Peer {
            id,
            meters: Arc::default(),
            urls: Mutex::new(urls),
            append: Outgoing::default(),
            message: Outgoing::default(),
            post,
            standing: AtomicUsize::new(0),
            drops_told: Mutex::default(),
            tasks: Mutex::default(),
        });
        let mut tasks = Vec::new();
        for stream in [Stream::Append, Stream::Message] {
            tasks.push(net.spawn(dial::keep_stream(net.clone(), peer.clone(), stream)));
        }
        tasks.push(net.spawn(probe::probe(net.clone(), peer.clone())));
        tasks.extend(post::workers(net, &peer, posts));
        *peer.tasks.lock().unwrap_or_else(PoisonError::into_inner) = tasks;
        peer
    }

    pub fn close(&self, net: &Net) {
        for task in self.tasks.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            task.abort();
        }
        for outgoing in [&self.append, &self.message] {
            *outgoing.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        if self.standing.swap(0, Ordering::AcqRel) > 0 {
            net.arrive(Arrival::Lost(self.id));
        }
    }

    pub fn set_urls(&self, urls: &[String]) {
        let mut ours = self.urls.lock().unwrap_or_else(PoisonError::into_inner);
        // The order tells which one works, so it is kept as long as the set is the same.
        if ours.len() != urls.len() || !urls.iter().all(|url| ours.contains(url)) {
            *ours = urls.to_vec();
        }
    }

    pub fn url(&self) -> Option<String> {
        self.urls.lock().unwrap_or_else(PoisonError::into_inner).first().cloned()
    }

    /// The one that was tried does not answer.
    pub fn try_another_url(&self, failed: &str) {
        let mut urls = self.urls.lock().unwrap_or_else(PoisonError::into_inner);
        if urls.first().is_some_and(|first| first == failed) {
            urls.rotate_left(1);
        }
    }

    /// Never waits.
    pub fn send(&self, net: &Net, message: Message) {
        let rest = match message.r#type() {
            MessageType::MsgApp => match self.append.send(message) {
                Sent::NoStream(message) => self.message.send(*message),
                done => done,
            },
            _ => self.message.send(message),
        };
        let dropped = match rest {
            Sent::Queued => false,
            Sent::Full => true,
            Sent::NoStream(message) => self.post.try_send(*message).is_err(),
        };
        if dropped {
            self.dropped(net);
        }
    }

    /// Something for this peer was lost, though a link may stand.
    pub fn dropped(&self, net: &Net) {
        self.meters.sent_failures.add(1);
        let mut told = self.drops_told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_some_and(|at| at.elapsed() < TELL_DROPS) {
            return;
        }
        *told = Some(Instant::now());
        net.arrive(Arrival::Lost(self.id));
        if self.is_linked() {
            net.arrive(Arrival::Linked(self.id));
        }
    }

    /// Whether a stream we dialled stands.
    pub fn is_linked(&self) -> bool {
        self.standing.load(Ordering::Acquire) > 0
    }

    /// A stream we dialled stands.
    pub fn stands(&self, net: &Net) {
        if self.standing.fetch_add(1, Ordering::AcqRel) == 0 {
            net.arrive(Arrival::Linked(self.id));
        }
    }

    /// A stream that stood does no more.
    pub fn fell(&self, net: &Net) {
        let before = self.standing.fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| n.checked_sub(1));
        if before == Ok(1) {
            self.meters.disconnected.add(1);
            net.arrive(Arrival::Lost(self.id));
        }
    }

    /// The peer has dialled us: what comes out of the receiver goes to it, until `cut` says that the connection is
    /// to end. An older stream is cut.
    pub fn attach(&self, stream: Stream, cut: Arc<Notify>) -> mpsc::Receiver<Message> {
        let (queue, messages) = mpsc::channel(STREAM_QUEUE);
        let outgoing = match stream {
            Stream::Append => &self.append,
            Stream::Message => &self.message,
        };
        let attached = Attached { queue, cut, full_since: None };
        let old = outgoing.0.lock().unwrap_or_else(PoisonError::into_inner).replace(attached);
        if let Some(old) = old {
            old.cut.notify_one();
        }
        messages
    }
}
