//! Watch streams that stay open while other calls are made.
//!
//! Events come when they come, in as many replies as the server likes, so replies are not compared one by one. At
//! certain points the streams settle: a key is written that a watcher of our own on every stream waits for. A server
//! tells a stream's events in order, so whoever has seen this one has seen all that came before. Watchers that start in
//! the past are served apart, but together: one more of them, and all have caught up when it has. Then what each
//! watcher saw before the write must be the same. No time is waited for.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use detcd_proto::etcdserverpb as pb;
use detcd_proto::mvccpb::Event;
use pb::watch_request::RequestUnion;
use prost::Message as _;
use prost_reflect::DynamicMessage;

use super::answer::Answer;
use super::duel::{Duel, Outcome, Side};
use super::plan::{Caller, SETTLE_KEY, encoded, path};
use super::wire::{Received, Talk};

/// The watcher that sees what is written to settle, and the one that sees it from the past. Explicit IDs do not move a
/// stream's counter.
const SETTLER: i64 = 1 << 40;
const LATECOMER: i64 = SETTLER + 1;

/// The watch streams of one side.
#[derive(Default)]
pub struct Watching {
    streams: BTreeMap<u8, Stream>,
}

struct Stream {
    talk: Talk,
    /// Watchers, and where they begin.
    live: BTreeMap<i64, i64>,
    /// Watchers that began before the compacted revision: cancelled by the server, not yet by the client.
    late: BTreeSet<i64>,
    /// Whether our own watcher is there.
    has_settler: bool,
    /// Whether a watcher may still be catching up.
    behind: bool,
    /// What came and was not compared yet.
    pending: Vec<pb::WatchResponse>,
    /// How it ended, if it has.
    end: Option<(i32, String)>,
}

/// Which reply a request waits for.
#[derive(Clone, Copy)]
enum Awaited {
    Created,
    Canceled(i64),
    Progress,
    /// An event of this watcher, at least this new.
    Event(i64, i64),
}

impl Awaited {
    fn is(self, reply: &pb::WatchResponse) -> bool {
        match self {
            Awaited::Created => reply.created,
            Awaited::Canceled(id) => reply.canceled && reply.watch_id == id,
            Awaited::Progress => {
                reply.watch_id == -1 && !reply.created && !reply.canceled && reply.events.is_empty()
            }
            Awaited::Event(id, revision) => {
                reply.watch_id == id && reply.events.iter().any(|event| mod_revision(event) >= revision)
            }
        }
    }
}

impl Stream {
    /// Reads on until `awaited` comes; what comes before it is kept for later.
    async fn hear(&mut self, awaited: Awaited) -> Option<Bytes> {
        while self.end.is_none() {
            match self.talk.hear().await {
                Received::Message(bytes) => match pb::WatchResponse::decode(bytes.clone()) {
                    Ok(reply) if awaited.is(&reply) => return Some(bytes),
                    Ok(reply) => self.pending.push(reply),
                    Err(error) => {
                        self.end = Some((-1, format!("an answer that is no WatchResponse: {error}")))
                    }
                },
                Received::End(None) => self.end = Some((-1, "the stream ended".to_owned())),
                Received::End(Some(status)) => self.end = Some(Answer::failed(&status).status),
            }
        }
        None
    }

    /// Whether a request for progress is answered: everybody is up to date and nobody waits for the future.
    fn tells_progress(&self, revision: i64) -> bool {
        !self.live.is_empty() && self.late.is_empty() && self.live.values().all(|start| *start <= revision)
    }
}

impl Watching {
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Makes sure that every stream has our watcher.
    async fn prepare(&mut self) {
        for stream in self.streams.values_mut().filter(|stream| !stream.has_settler) {
            stream.talk.say(create(SETTLER, 0));
            stream.hear(Awaited::Created).await;
            stream.has_settler = true;
        }
    }

    /// Waits until every stream has told all before `revision`, which was written to settle.
    async fn settle(&mut self, revision: i64) {
        for stream in self.streams.values_mut() {
            stream.hear(Awaited::Event(SETTLER, revision)).await;
            if std::mem::take(&mut stream.behind) {
                stream.talk.say(create(LATECOMER, revision));
                stream.hear(Awaited::Event(LATECOMER, revision)).await;
                let cancel = pb::WatchCancelRequest { watch_id: LATECOMER };
                let cancel = pb::WatchRequest { request_union: Some(RequestUnion::CancelRequest(cancel)) };
                stream.talk.say(encoded(&cancel));
                stream.hear(Awaited::Canceled(LATECOMER)).await;
            }
            stream.pending.retain(|reply| ![SETTLER, LATECOMER].contains(&reply.watch_id));
        }
    }
}

fn create(watch_id: i64, start_revision: i64) -> Bytes {
    let key = Bytes::from_static(SETTLE_KEY);
    let create = pb::WatchCreateRequest { key, start_revision, watch_id, ..Default::default() };
    encoded(&pb::WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) })
}

fn key(event: &Event) -> &[u8] {
    event.kv.as_ref().map_or(&[], |kv| &kv.key)
}

fn mod_revision(event: &Event) -> i64 {
    event.kv.as_ref().map_or(0, |kv| kv.mod_revision)
}

impl Duel<'_> {
    /// Says something on a watch stream and compares the reply, if there is to be one.
    pub async fn watch(&mut self, caller: &Caller, stream: u8, request: &Bytes) -> Outcome {
        let (message, bytes) = self.resolved(path::WATCH, request);
        let Ok(pb::WatchRequest { request_union }) = pb::WatchRequest::decode(bytes.clone()) else {
            return Outcome::Same;
        };
        if !matches!(request_union, Some(RequestUnion::CreateRequest(_)) | None) {
            // Events on their way may be told or not when a watcher is cancelled.
            let outcome = self.settle().await;
            if !matches!(outcome, Outcome::Same) {
                return outcome;
            }
        }
        let awaited = match &request_union {
            Some(RequestUnion::CreateRequest(_)) => Some(Awaited::Created),
            Some(RequestUnion::CancelRequest(cancel)) => self.sides[0]
                .watching
                .streams
                .get(&stream)
                .filter(|stream| stream.live.contains_key(&cancel.watch_id))
                .map(|_| Awaited::Canceled(cancel.watch_id)),
            Some(RequestUnion::ProgressRequest(_)) => self.sides[0]
                .watching
                .streams
                .get(&stream)
                .filter(|stream| stream.tells_progress(self.moment.revision))
                .map(|_| Awaited::Progress),
            None => None,
        };
        if awaited.is_none() && matches!(request_union, Some(RequestUnion::ProgressRequest(_))) {
            // Progress that cannot be told: servers before 3.5.9 reply all the same.
            return Outcome::Same;
        }
        let (moment, schema) = (self.moment, self.schema);
        let [a, b] = &mut self.sides;
        let ask = async |side: &mut Side| {
            let metadata = side.metadata(caller, path::WATCH);
            let open = || Stream {
                talk: side.server.wire.stream(path::WATCH, metadata),
                live: BTreeMap::new(),
                late: BTreeSet::new(),
                has_settler: false,
                behind: false,
                pending: Vec::new(),
                end: None,
            };
            let stream = side.watching.streams.entry(stream).or_insert_with(open);
            stream.talk.say(bytes.clone());
            let reply = match awaited {
                Some(awaited) => stream.hear(awaited).await,
                None => None,
            };
            if let Some(reply) = reply.clone().and_then(|bytes| pb::WatchResponse::decode(bytes).ok()) {
                if reply.created && !reply.canceled {
                    let start = match &request_union {
                        Some(RequestUnion::CreateRequest(create)) => create.start_revision,
                        _ => 0,
                    };
                    stream.live.insert(reply.watch_id, start);
                    stream.behind |= start > 0;
                    if start > 0 && start < moment.compacted {
                        stream.late.insert(reply.watch_id);
                    }
                } else if reply.canceled {
                    stream.live.remove(&reply.watch_id);
                    stream.late.remove(&reply.watch_id);
                    // What was written to settle may be told to it or not.
                    stream.pending.retain(|told| told.watch_id != reply.watch_id || reply.watch_id == -1);
                }
            }
            let mut answer = Answer::empty();
            let kind = schema.method(path::WATCH).map(|method| method.output());
            if let (Some(bytes), Some(kind)) = (reply, kind) {
                answer.messages.extend(schema.decode(kind, bytes));
            } else if let Some(end) = &stream.end {
                answer.status = end.clone();
            }
            answer
        };
        let answers = tokio::join!(ask(a), ask(b)).into();
        self.judge(path::WATCH, caller, message, answers)
    }

    pub fn unwatch(&mut self, stream: u8) -> Outcome {
        for side in &mut self.sides {
            side.watching.streams.remove(&stream);
        }
        Outcome::Same
    }

    /// Lets all streams come to rest and compares what they brought.
    pub async fn settle(&mut self) -> Outcome {
        if self.sides[0].watching.is_empty() {
            return Outcome::Same;
        }
        let [a, b] = &mut self.sides;
        tokio::join!(a.watching.prepare(), b.watching.prepare());
        let caller = Caller::default();
        let put = pb::PutRequest { key: Bytes::from_static(SETTLE_KEY), ..Default::default() };
        let before = self.moment.revision;
        let outcome = self.unary(&caller, path::PUT, &encoded(&put)).await;
        if !matches!(outcome, Outcome::Same) || self.moment.revision == before {
            return outcome;
        }
        let revision = self.moment.revision;
        let [a, b] = &mut self.sides;
        tokio::join!(a.watching.settle(revision), b.watching.settle(revision));
        let streams: Vec<u8> = self.sides[0].watching.streams.keys().copied().collect();
        for stream in streams {
            let Some(kind) = self.schema.method(path::WATCH).map(|method| method.output()) else { continue };
            let answers = self.sides.each_mut().map(|side| match side.watching.streams.get_mut(&stream) {
                Some(stream) => seen(stream, revision, &kind),
                None => Answer::empty(),
            });
            let outcome = self.judge(path::WATCH, &caller, None, answers);
            if !matches!(outcome, Outcome::Same) {
                return outcome;
            }
        }
        Outcome::Same
    }
}

/// What the watchers of a stream saw before `revision` and since it was asked for last: per watcher one message with all events and one for
/// every other reply, watchers in order of their IDs.
fn seen(stream: &mut Stream, revision: i64, kind: &prost_reflect::MessageDescriptor) -> Answer {
    let mut answer = Answer::empty();
    let mut watchers: BTreeMap<i64, Vec<pb::WatchResponse>> = BTreeMap::new();
    let mut newest: BTreeMap<i64, i64> = BTreeMap::new();
    let mut in_pieces: BTreeSet<i64> = BTreeSet::new();
    let mut later = Vec::new();
    for mut reply in stream.pending.drain(..) {
        let id = reply.watch_id;
        if id == -1 && reply.events.is_empty() && !reply.canceled {
            continue;
        }
        if let Some(fault) = fault(&reply, newest.get(&id).copied(), in_pieces.contains(&id)) {
            answer.status = (-1, format!("watcher {id}: {fault}"));
        }
        newest.extend(reply.events.iter().map(mod_revision).max().map(|last| (id, last)));
        if reply.fragment {
            in_pieces.insert(id)
        } else {
            in_pieces.remove(&id)
        };
        // What was before is looked up when an event is sent, and the writes to settle are followed by compactions.
        for event in reply.events.iter_mut().filter(|event| key(event) == SETTLE_KEY) {
            event.prev_kv = None;
        }
        if !reply.events.is_empty() {
            let (before, after) = reply.events.drain(..).partition(|event| mod_revision(event) < revision);
            reply.events = after;
            if !reply.events.is_empty() {
                later.push(reply.clone());
            }
            reply.events = before;
            if reply.events.is_empty() {
                continue;
            }
        }
        // How events are spread over replies is up to the server.
        reply.header = reply.header.filter(|_| reply.canceled);
        reply.fragment = false;
        let replies = watchers.entry(id).or_default();
        match replies.last_mut() {
            Some(last) if !last.events.is_empty() && !reply.events.is_empty() => {
                last.events.extend(reply.events)
            }
            _ => replies.push(reply),
        }
    }
    stream.pending = later;
    for reply in watchers.into_values().flatten() {
        let mut message = DynamicMessage::new(kind.clone());
        if message.transcode_from(&reply).is_ok() {
            answer.messages.push(message);
        }
    }
    if let Some(end) = &stream.end {
        answer.status = end.clone();
    }
    answer
}

/// What no reply with events may do.
fn fault(reply: &pb::WatchResponse, newest: Option<i64>, goes_on: bool) -> Option<&'static str> {
    let revisions: Vec<i64> = reply.events.iter().map(mod_revision).collect();
    let header = reply.header.as_ref();
    if header.is_none() {
        return Some("a reply without header");
    }
    let (Some(first), Some(last)) = (revisions.first(), revisions.last()) else { return None };
    if !revisions.is_sorted() {
        return Some("events out of order");
    }
    if newest.is_some_and(|newest| newest > *first || (newest == *first && !goes_on)) {
        return Some("a revision is told twice, or in two replies");
    }
    if header.is_some_and(|header| header.revision < *last) {
        return Some("a header that is older than the events under it");
    }
    None
}
