//! Runs the watch hubs, each on its own task. A slow watcher costs its own outbox and nothing else.
use crate::{
    Runtime,
    mailbox::{Mailbox, Refused},
    meters::Meters,
    outbox::Outbox,
};
use detcd_core::{
    Edition, Moment, Refusal, Rng,
    watch::{Census, Hub, HubConfig, HubInput, Sink, StreamEnd, StreamId},
};
use detcd_proto::etcdserverpb::{WatchRequest, WatchResponse};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
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
    /// Most event replies that wait for one client.
    replies_max: usize,
    meters: Arc<Meters>,
}

impl Fanout {
    /// Makes `hubs` of them (about one per core), which begin at this edition, and the loops that have to run for them.
    pub fn new<R: Runtime>(
        rt: &R,
        first: &Edition,
        hubs: usize,
        config: HubConfig,
        replies_max: usize,
        meters: &Arc<Meters>,
        rng: &mut Rng,
    ) -> (Fanout, Vec<HubTurns<R>>) {
        let make = || {
            let hub = Hub::new(first.view.clone(), config, Rng::from_seed(rng.u64()), rt.now());
            HubTurns::new(rt.clone(), hub, Mailbox::bounded(POST_MAX), meters.clone())
        };
        let turns: Vec<HubTurns<R>> = std::iter::repeat_with(make).take(hubs.max(1)).collect();
        let hubs = turns.iter().map(|hub| hub.post.clone()).collect();
        (Fanout { hubs, streams: Arc::default(), replies_max, meters: meters.clone() }, turns)
    }

    pub fn publish(&self, edition: &Arc<Edition>) {
        for hub in self.hubs.iter() {
            hub.push_completion(Post::Hub(HubInput::Edition(edition.clone())));
        }
    }

    /// How much waits for the hub for which most waits.
    pub fn longest_post(&self) -> usize {
        self.hubs.iter().map(Mailbox::len).max().unwrap_or_default()
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
        let outbox = Outbox::new(self.replies_max, self.meters.clone());
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

    /// Instead of a request that may not be.
    pub fn refuse(&self, why: Refusal) -> Result<(), Refusal> {
        self.hub.push(Post::Hub(HubInput::Refused { stream: self.stream, refusal: why })).map_err(refusal)
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

/// The loop of one hub.
pub struct HubTurns<R: Runtime> {
    rt: R,
    hub: Hub,
    post: Mailbox<Post>,
    outboxes: Outboxes,
    batch: Vec<Post>,
    inputs: Vec<HubInput>,
    closed: Vec<StreamId>,
    meters: Arc<Meters>,
    /// As it was told last.
    census: Census,
    wake: Option<Moment>,
}

impl<R: Runtime> HubTurns<R> {
    fn new(rt: R, hub: Hub, post: Mailbox<Post>, meters: Arc<Meters>) -> HubTurns<R> {
        HubTurns {
            rt,
            hub,
            post,
            outboxes: Outboxes::default(),
            batch: Vec::new(),
            inputs: Vec::new(),
            closed: Vec::new(),
            meters,
            census: Census::default(),
            wake: None,
        }
    }

    fn take(&mut self) {
        let only_editions = self.batch.iter().all(|item| matches!(item, Post::Hub(HubInput::Edition(_))))
            && self.census.slow == 0;
        for item in self.batch.drain(..) {
            self.inputs.push(match item {
                Post::Open { stream, require_leader, outbox } => {
                    self.outboxes.0.insert(stream, outbox);
                    HubInput::Open { stream, require_leader }
                }
                Post::Hub(input) => {
                    if let HubInput::Close { stream } = input {
                        self.closed.push(stream);
                    }
                    input
                }
            });
        }
        self.wake = self.hub.turn(self.rt.now(), self.inputs.drain(..), &mut self.outboxes);
        for stream in self.closed.drain(..) {
            self.outboxes.0.remove(&stream);
        }
        if !only_editions || self.hub.is_lagging() {
            self.count();
        }
    }

    fn count(&mut self) {
        let census = self.hub.census();
        let told = std::mem::replace(&mut self.census, census);
        for (meter, before, now) in [
            (&self.meters.watch_streams, told.streams, census.streams),
            (&self.meters.watchers, told.watchers, census.watchers),
            (&self.meters.watchers_slow, told.slow, census.slow),
        ] {
            meter.add(now as u64);
            meter.sub(before as u64);
        }
    }

    /// As [`crate::turn::Turns::poll`], for this hub.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Moment>> {
        match self.post.poll_batch(cx, &mut self.batch, TURN_MAX) {
            Poll::Ready(false) => return Poll::Ready(None),
            Poll::Ready(true) => {}
            Poll::Pending => match self.wake {
                Some(wake) if wake <= self.rt.now() => {}
                wake => return Poll::Ready(Some(wake.unwrap_or(Moment(u64::MAX)))),
            },
        }
        self.take();
        Poll::Pending
    }

    /// Every stream ends.
    pub fn put_down(self) {
        for (_, outbox) in self.outboxes.0 {
            outbox.end(StreamEnd(Refusal::Stopped));
        }
    }
}

pub async fn run<R: Runtime>(mut hub: HubTurns<R>) {
    let post = hub.post.clone();
    while post.recv_until(&hub.rt, hub.wake, &mut hub.batch, TURN_MAX).await {
        hub.take();
    }
    hub.put_down();
}
