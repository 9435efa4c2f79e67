//! The hub: streams, their watchers, and who hears what.
use super::{
    catch_up::{self, Slice},
    index::Index,
    watcher::{Place, Watcher},
};
use crate::{Edition, KeyRange, Moment, Plant, Plants, Refusal, Rng, Span, View, store::Record};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use bytes::Bytes;
use detcd_proto::{
    etcdserverpb::{
        ResponseHeader, WatchCreateRequest, WatchRequest, WatchResponse, watch_request::RequestUnion,
    },
    mvccpb::{self, Event},
};

/// One client stream; made by the driver, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamId(pub u64);

pub(super) type WatcherId = (StreamId, i64);

#[derive(Debug)]
pub enum HubInput {
    Edition(Arc<Edition>),
    /// A new stream; with `require_leader` it ends once no leader was known for a while.
    Open {
        stream: StreamId,
        require_leader: bool,
    },
    Request {
        stream: StreamId,
        request: WatchRequest,
    },
    /// A request for a watcher that may not be: the client hears why.
    Refused {
        stream: StreamId,
        refusal: Refusal,
    },
    /// The stream takes replies again after it had refused one.
    Room {
        stream: StreamId,
    },
    /// The client is gone.
    Close {
        stream: StreamId,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamEnd(pub Refusal);

/// Where replies go. Cluster, member and term are filled in there.
pub trait Sink {
    /// Takes an event reply unless the stream is full; then nothing was taken, and `Room` follows when it has space.
    fn offer(&mut self, stream: StreamId, response: &WatchResponse, fragment: bool) -> bool;
    /// Takes a reply to a request of the client, which sends no more than the stream has space for.
    fn control(&mut self, stream: StreamId, response: WatchResponse);
    /// No more replies on this stream.
    fn end(&mut self, stream: StreamId, end: StreamEnd);
}

#[derive(Clone, Copy, Debug)]
pub struct HubConfig {
    /// How often an idle watcher that asked for it is told how far the store is.
    pub progress_interval: Span,
    pub election_timeout: Span,
    /// Most changes looked at in one turn for watchers that lag, whether they concern them or not; the last revision is
    /// finished.
    pub slice_changes_max: usize,
    pub plants: Plants,
}

impl HubConfig {
    /// The shortest progress interval that is taken as given.
    const PROGRESS_INTERVAL_MIN: Span = Span::millis(100);
}

/// How many a hub serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    pub streams: usize,
    pub watchers: usize,
    /// Those behind, whatever holds them up.
    pub slow: usize,
}

#[derive(Debug)]
struct Stream {
    watchers: BTreeMap<i64, Watcher>,
    next_id: i64,
    /// It refused a reply and has not asked for more since.
    full: bool,
    require_leader: bool,
}

/// How many lagging watchers are served in one turn, unless they have much to look through.
const SLICES_PER_TURN: usize = 32;
/// Streams that need a leader end after this many election timeouts without one.
const LEADERLESS_TIMEOUTS: u64 = 3;

#[derive(Debug)]
pub struct Hub {
    view: View,
    streams: BTreeMap<StreamId, Stream>,
    index: Index,
    /// Lagging watchers of streams that are not full.
    lagging: BTreeSet<WatcherId>,
    /// The last lagging watcher that was served: the next turn goes on behind it.
    served: Option<WatcherId>,
    config: HubConfig,
    progress_at: Moment,
    leaderless_since: Option<Moment>,
}

impl Hub {
    pub fn new(view: View, config: HubConfig, mut rng: Rng, now: Moment) -> Hub {
        let interval = config.progress_interval.max(HubConfig::PROGRESS_INTERVAL_MIN);
        // Up to a tenth longer, so that members that started together do not tick together.
        let progress_interval = rng.span(interval, Span(interval.0 / 10));
        Hub {
            view,
            streams: BTreeMap::new(),
            index: Index::default(),
            lagging: BTreeSet::new(),
            served: None,
            config: HubConfig { progress_interval, ..config },
            progress_at: now + progress_interval,
            leaderless_since: Some(now),
        }
    }

    pub fn watchers(&self) -> usize {
        self.streams.values().map(|stream| stream.watchers.len()).sum()
    }

    /// Whether there are watchers behind that can be served.
    pub fn is_lagging(&self) -> bool {
        !self.lagging.is_empty()
    }

    /// Counts everybody: costs a look at each watcher.
    pub fn census(&self) -> Census {
        let watchers = self.streams.values().flat_map(|stream| stream.watchers.values());
        let slow = watchers.filter(|watcher| matches!(watcher.place, Place::Lagging { .. })).count();
        Census { streams: self.streams.len(), watchers: self.watchers(), slow }
    }

    /// Takes what happened, serves a few of those who lag, and says when to come back.
    pub fn turn(
        &mut self,
        now: Moment,
        inputs: impl Iterator<Item = HubInput>,
        sink: &mut impl Sink,
    ) -> Option<Moment> {
        for input in inputs {
            self.step(now, input, sink);
        }
        self.serve_lagging(sink);
        self.tick(now, sink);
        if self.lagging.is_empty() { self.deadline() } else { Some(now) }
    }

    fn deadline(&self) -> Option<Moment> {
        let leader =
            self.leaderless_end().filter(|_| self.streams.values().any(|stream| stream.require_leader));
        let progress = (!self.streams.is_empty()).then_some(self.progress_at);
        leader.into_iter().chain(progress).min()
    }

    fn leaderless_end(&self) -> Option<Moment> {
        let limit = self.config.election_timeout.times(LEADERLESS_TIMEOUTS);
        self.leaderless_since.map(|since| since + limit)
    }

    fn step(&mut self, now: Moment, input: HubInput, sink: &mut impl Sink) {
        match input {
            HubInput::Edition(edition) => self.edition(now, &edition, sink),
            HubInput::Open { stream, require_leader } => {
                let fresh = Stream { watchers: BTreeMap::new(), next_id: 0, full: false, require_leader };
                self.streams.insert(stream, fresh);
            }
            HubInput::Request { stream, request } => match request.request_union {
                Some(RequestUnion::CreateRequest(request)) => self.create(stream, &request, sink),
                Some(RequestUnion::CancelRequest(request)) => self.cancel(stream, request.watch_id, sink),
                Some(RequestUnion::ProgressRequest(_)) => self.progress(stream, sink),
                None => {}
            },
            HubInput::Refused { stream, refusal } => {
                let text = format!("rpc error: code = {:?} desc = {refusal}", refusal.code());
                sink.control(stream, refused(self.view.keyspace.revision(), text));
            }
            HubInput::Room { stream } => {
                let Some(known) = self.streams.get_mut(&stream) else { return };
                known.full = false;
                let lagging = known.watchers.iter().filter(|(_, w)| matches!(w.place, Place::Lagging { .. }));
                self.lagging.extend(lagging.map(|(id, _)| (stream, *id)));
            }
            HubInput::Close { stream } => self.close(stream),
        }
    }

    fn edition(&mut self, now: Moment, edition: &Edition, sink: &mut impl Sink) {
        self.leaderless_since = match edition.standing.leader {
            Some(_) => None,
            None => self.leaderless_since.or(Some(now)),
        };
        let before = self.view.keyspace.revision();
        self.view = edition.view.clone();
        if edition.is_jump {
            return self.jump(before);
        }
        let early = self.config.plants.has(Plant::FutureRevWatch);
        let mut concerned = Vec::new();
        for changes in edition.changes.chunk_by(|a, b| a.record.mod_revision() == b.record.mod_revision()) {
            // Everything of one revision that concerns a watcher goes out in one reply.
            let mut replies: BTreeMap<WatcherId, Vec<Event>> = BTreeMap::new();
            let mut revision = 0;
            for change in changes {
                revision = change.record.mod_revision();
                concerned.clear();
                self.index.concerned(change.record.key(), &mut concerned);
                for id in &concerned {
                    let Some(watcher) = self.watcher(*id) else { continue };
                    let due = matches!(watcher.place, Place::Synced { from } if from <= revision || early);
                    if due && watcher.wants(change.record.is_tombstone()) {
                        let prev = change.prev.as_ref().filter(|_| watcher.prev_kv);
                        replies.entry(*id).or_default().push(event(&change.record, prev));
                    }
                }
            }
            for (id, events) in replies {
                self.deliver(id, revision, events, sink);
            }
        }
    }

    /// What happened between the revision `before` and now was not heard one by one: whoever heard everything so far catches
    /// up from the view. Who waits for what is still to come goes on waiting.
    fn jump(&mut self, before: i64) {
        let revision = self.view.keyspace.revision();
        let before = if self.config.plants.has(Plant::RestoreWatchMinRev) { 0 } else { before };
        for (stream_id, stream) in &mut self.streams {
            for (id, watcher) in &mut stream.watchers {
                let Place::Synced { from } = watcher.place else { continue };
                let next = from.max(before + 1);
                if next > revision {
                    continue;
                }
                watcher.place = Place::Lagging { next };
                self.index.remove(&watcher.range, (*stream_id, *id));
                if !stream.full {
                    self.lagging.insert((*stream_id, *id));
                }
            }
        }
    }

    /// Offers one revision's events to a synced watcher; one that cannot take them lags from there on.
    fn deliver(&mut self, id: WatcherId, revision: i64, events: Vec<Event>, sink: &mut impl Sink) {
        let Some(stream) = self.streams.get_mut(&id.0) else { return };
        let Some(watcher) = stream.watchers.get_mut(&id.1) else { return };
        if !stream.full && sink.offer(id.0, &response(id.1, revision, events), watcher.fragment) {
            watcher.busy = true;
            return;
        }
        watcher.place = Place::Lagging { next: revision };
        self.index.remove(&watcher.range, id);
        self.hold(id.0);
    }

    /// The stream takes no more for now: none of its watchers is among those who are served until it has room.
    fn hold(&mut self, stream_id: StreamId) {
        let Some(stream) = self.streams.get_mut(&stream_id) else { return };
        if core::mem::replace(&mut stream.full, true) {
            return;
        }
        for id in stream.watchers.keys() {
            self.lagging.remove(&(stream_id, *id));
        }
    }

    fn serve_lagging(&mut self, sink: &mut impl Sink) {
        use core::ops::Bound::{Excluded, Unbounded};
        let mut cost = 0;
        for _ in 0..SLICES_PER_TURN.min(self.lagging.len()) {
            // Whoever shares the thread waits for the turn to end.
            if cost >= self.config.slice_changes_max {
                return;
            }
            let behind = self.served.map_or(Unbounded, Excluded);
            let next = self.lagging.range((behind, Unbounded)).next().or_else(|| self.lagging.first());
            let Some(id) = next.copied() else { return };
            self.served = Some(id);
            cost += self.serve(id, sink);
        }
    }

    /// How many changes were looked at.
    fn serve(&mut self, id: WatcherId, sink: &mut impl Sink) -> usize {
        let stream = self.streams.get_mut(&id.0).expect("a lagging watcher's stream is open");
        let watcher = stream.watchers.get_mut(&id.1).expect("a lagging watcher is known");
        let Place::Lagging { next } = watcher.place else {
            unreachable!("only lagging watchers are in the list of those who lag");
        };
        match catch_up::slice(&self.view, watcher, next, &self.config) {
            Slice::Compacted => {
                watcher.place = Place::Compacted;
                self.lagging.remove(&id);
                // Revision 0 and no reason: the client reads the compaction revision.
                let gone = WatchResponse {
                    watch_id: id.1,
                    canceled: true,
                    compact_revision: self.view.keyspace.compact_revision(),
                    ..response(id.1, 0, Vec::new())
                };
                sink.control(id.0, gone);
                0
            }
            Slice::Events { events, then, cost } => {
                if let Some(reply) = catch_up::reply(&self.view, id.1, events) {
                    if !sink.offer(id.0, &reply, watcher.fragment) {
                        self.hold(id.0);
                        return cost;
                    }
                    watcher.busy = true;
                }
                watcher.place = then;
                if let Place::Synced { .. } = then {
                    self.lagging.remove(&id);
                    self.index.insert(&watcher.range, id);
                }
                cost
            }
        }
    }

    fn create(&mut self, stream_id: StreamId, request: &WatchCreateRequest, sink: &mut impl Sink) {
        let revision = self.view.keyspace.revision();
        let Some(stream) = self.streams.get_mut(&stream_id) else { return };
        let refuse = |reason: String| refused(revision, reason);
        let range = KeyRange::new(key_of(request), request.range_end.clone());
        if request.start_revision < 0 {
            return sink.control(stream_id, refuse(Refusal::Compacted.message().into_owned()));
        }
        if range.is_empty() {
            return sink.control(stream_id, refuse("mvcc: watcher range is empty".to_string()));
        }
        let id = match request.watch_id {
            0 => {
                while stream.watchers.contains_key(&stream.next_id) {
                    stream.next_id += 1;
                }
                stream.next_id += 1;
                stream.next_id - 1
            }
            id if stream.watchers.contains_key(&id) => {
                let reason = "mvcc: duplicate watch ID provided on the WatchStream";
                return sink.control(stream_id, refuse(reason.to_string()));
            }
            id => id,
        };
        let place = match request.start_revision {
            0 => Place::Synced { from: revision + 1 },
            start if start > revision => Place::Synced { from: start },
            start => Place::Lagging { next: start },
        };
        match place {
            Place::Synced { .. } => self.index.insert(&range, (stream_id, id)),
            // A full stream's watchers wait for room.
            _ if stream.full => {}
            _ => {
                self.lagging.insert((stream_id, id));
            }
        }
        stream.watchers.insert(id, Watcher::new(request, range, place));
        sink.control(stream_id, WatchResponse { created: true, ..response(id, revision, Vec::new()) });
    }

    fn cancel(&mut self, stream_id: StreamId, id: i64, sink: &mut impl Sink) {
        let revision = self.view.keyspace.revision();
        let Some(stream) = self.streams.get_mut(&stream_id) else { return };
        // An unknown id gets no answer.
        let Some(watcher) = stream.watchers.remove(&id) else { return };
        self.forget((stream_id, id), &watcher);
        sink.control(stream_id, WatchResponse { canceled: true, ..response(id, revision, Vec::new()) });
    }

    fn close(&mut self, stream_id: StreamId) {
        let Some(stream) = self.streams.remove(&stream_id) else { return };
        for (id, watcher) in &stream.watchers {
            self.forget((stream_id, *id), watcher);
        }
    }

    fn forget(&mut self, id: WatcherId, watcher: &Watcher) {
        match watcher.place {
            Place::Synced { .. } => self.index.remove(&watcher.range, id),
            Place::Lagging { .. } => {
                self.lagging.remove(&id);
            }
            Place::Compacted => {}
        }
    }

    /// Asked for progress: told only if it is true for every watcher of the stream at once.
    fn progress(&mut self, stream_id: StreamId, sink: &mut impl Sink) {
        let revision = self.view.keyspace.revision();
        let Some(stream) = self.streams.get(&stream_id) else { return };
        let overtakes = self.config.plants.has(Plant::ProgressOvertakesEvents);
        if !stream.watchers.is_empty()
            && stream.watchers.values().all(|w| overtakes || w.is_current(revision))
        {
            sink.control(stream_id, response(-1, revision, Vec::new()));
        }
    }

    fn tick(&mut self, now: Moment, sink: &mut impl Sink) {
        if self.leaderless_end().is_some_and(|end| end <= now) {
            let ended: Vec<StreamId> =
                self.streams.iter().filter(|(_, stream)| stream.require_leader).map(|(id, _)| *id).collect();
            for stream in ended {
                self.close(stream);
                sink.end(stream, StreamEnd(Refusal::NoLeader));
            }
        }
        if now < self.progress_at {
            return;
        }
        self.progress_at = now + self.config.progress_interval;
        let revision = self.view.keyspace.revision();
        let overtakes = self.config.plants.has(Plant::ProgressOvertakesEvents);
        let mut refused = Vec::new();
        for (stream_id, stream) in &mut self.streams {
            let mut takes = !stream.full;
            for (id, watcher) in &mut stream.watchers {
                let idle = !core::mem::take(&mut watcher.busy);
                let current = overtakes || watcher.is_current(revision);
                if watcher.progress_notify && idle && current && takes {
                    // One that is full has more urgent things to read; the next tick tries again.
                    takes = sink.offer(*stream_id, &response(*id, revision, Vec::new()), false);
                    if !takes {
                        refused.push(*stream_id);
                    }
                }
            }
        }
        for stream in refused {
            self.hold(stream);
        }
    }

    fn watcher(&self, id: WatcherId) -> Option<&Watcher> {
        self.streams.get(&id.0)?.watchers.get(&id.1)
    }
}

/// Where a watcher's interval begins: an empty key stands for the smallest one.
pub fn key_of(request: &WatchCreateRequest) -> Bytes {
    if request.key.is_empty() { Bytes::from_static(&[0]) } else { request.key.clone() }
}

/// The answer to a request that comes to no watcher.
fn refused(revision: i64, cancel_reason: String) -> WatchResponse {
    let none = response(-1, revision, Vec::new());
    WatchResponse { created: true, canceled: true, cancel_reason, ..none }
}

pub(super) fn response(watch_id: i64, revision: i64, events: Vec<Event>) -> WatchResponse {
    let header = ResponseHeader { revision, ..ResponseHeader::default() };
    WatchResponse { header: Some(header), watch_id, events, ..WatchResponse::default() }
}

/// A put carries the whole pair, a delete only key and revision.
pub(super) fn event(record: &Record, prev: Option<&Record>) -> Event {
    let kind =
        if record.is_tombstone() { mvccpb::event::EventType::Delete } else { mvccpb::event::EventType::Put };
    Event { r#type: kind as i32, kv: Some(record.to_kv()), prev_kv: prev.map(Record::to_kv) }
}
