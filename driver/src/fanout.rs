//! Runs the watch hubs, each on its own task. A slow watcher costs its own outbox and nothing else.
use crate::{
    Runtime,
    mailbox::{Mailbox, Refused},
    outbox::Outbox,
};
use detcd_core::{
    Edition, Refusal, Rng,
    watch::{Hub, HubConfig, HubInput, Sink, StreamEnd, StreamId},
};
use detcd_proto::etcdserverpb::{WatchRequest, WatchResponse};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Requests and closings that wait for one hub.
const POST_MAX: usize = 1 << 16;
/// Posts taken in one turn.
const TURN_MAX: usize = 256;

pub(crate) enum Post {
    Hub(HubInput),
    /// A new stream and where its replies go.
    Open {
        stream: StreamId,
        require_leader: bool,
        outbox: Outbox,
    },
}

/// All hubs of a member; every stream belongs to one of them.
#[derive(Clone)]
pub struct Fanout {
    hubs: Arc<[Mailbox<Post>]>,
    streams: Arc<AtomicU64>,
}

impl Fanout {
    /// Starts `hubs` of them (about one per core), which begin at this edition.
    pub fn start<R: Runtime>(
        rt: &R,
        first: &Edition,
        hubs: usize,
        config: HubConfig,
        rng: &mut Rng,
    ) -> Fanout {
        let start = || {
            let post = Mailbox::bounded(POST_MAX);
            let hub = Hub::new(first.view.clone(), config, Rng::from_seed(rng.u64()), rt.now());
            rt.spawn("fanout", run(rt.clone(), hub, post.clone()));
            post
        };
        let hubs = std::iter::repeat_with(start).take(hubs.max(1)).collect();
        Fanout { hubs, streams: Arc::default() }
    }

    pub fn publish(&self, edition: &Arc<Edition>) {
        for hub in self.hubs.iter() {
            hub.push_completion(Post::Hub(HubInput::Edition(edition.clone())));
        }
    }

    /// Everything posted before is served, then the hubs end, and with them every stream.
    pub fn stop(&self) {
        for hub in self.hubs.iter() {
            hub.close();
        }
    }

    pub(crate) fn open(&self, require_leader: bool) -> Result<Line, Refusal> {
        let stream = StreamId(self.streams.fetch_add(1, Ordering::Relaxed));
        let hub = self.hubs[stream.0 as usize % self.hubs.len()].clone();
        let outbox = Outbox::default();
        hub.push(Post::Open { stream, require_leader, outbox: outbox.clone() }).map_err(refusal)?;
        Ok(Line { hub, stream, outbox })
    }
}

/// One stream's connection to its hub.
#[derive(Clone)]
pub(crate) struct Line {
    hub: Mailbox<Post>,
    stream: StreamId,
    pub outbox: Outbox,
}

impl Line {
    pub fn request(&self, request: WatchRequest) -> Result<(), Refusal> {
        self.hub.push(Post::Hub(HubInput::Request { stream: self.stream, request })).map_err(refusal)
    }

    pub fn room(&self) {
        self.hub.push_completion(Post::Hub(HubInput::Room { stream: self.stream }));
    }

    pub fn close(&self) {
        self.hub.push_completion(Post::Hub(HubInput::Close { stream: self.stream }));
    }
}

fn refusal(why: Refused) -> Refusal {
    match why {
        Refused::Full => Refusal::TooManyRequests,
        Refused::Closed => Refusal::Stopped,
    }
}

#[derive(Default)]
struct Outboxes(BTreeMap<StreamId, Outbox>);

impl Sink for Outboxes {
    fn offer(&mut self, stream: StreamId, response: &WatchResponse, fragment: bool) -> bool {
        self.0.get(&stream).is_none_or(|outbox| outbox.offer(response, fragment))
    }

    fn control(&mut self, stream: StreamId, response: WatchResponse) {
        if let Some(outbox) = self.0.get(&stream) {
            outbox.control(response);
        }
    }

    fn end(&mut self, stream: StreamId, end: StreamEnd) {
        if let Some(outbox) = self.0.remove(&stream) {
            outbox.end(end);
        }
    }
}

async fn run<R: Runtime>(rt: R, mut hub: Hub, post: Mailbox<Post>) {
    let mut outboxes = Outboxes::default();
    let (mut batch, mut inputs, mut closed) = (Vec::new(), Vec::new(), Vec::new());
    let mut wake = None;
    while post.recv_until(&rt, wake, &mut batch, TURN_MAX).await {
        for item in batch.drain(..) {
            inputs.push(match item {
                Post::Open { stream, require_leader, outbox } => {
                    outboxes.0.insert(stream, outbox);
                    HubInput::Open { stream, require_leader }
                }
                Post::Hub(input) => {
                    if let HubInput::Close { stream } = input {
                        closed.push(stream);
                    }
                    input
                }
            });
        }
        wake = hub.turn(rt.now(), inputs.drain(..), &mut outboxes);
        for stream in closed.drain(..) {
            outboxes.0.remove(&stream);
        }
    }
    for (_, outbox) in outboxes.0 {
        outbox.end(StreamEnd(Refusal::Stopped));
    }
}
