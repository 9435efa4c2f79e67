//! Watch streams that stay open while other calls are made.
//!
//! Events come when they come, in as many replies as the server likes, so replies are not compared one by one. At
//! certain points the streams settle: a key is written and every stream is given one more watcher that must see this
//! write from the past. A server serves those who are behind together and a stream in order, so whoever has seen it
//! has seen all that came before; then what each watcher saw must be the same. No time is waited for.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use detcd_proto::etcdserverpb as pb;
use pb::watch_request::RequestUnion;
use prost::Message as _;
use prost_reflect::DynamicMessage;

use super::answer::Answer;
use super::duel::{Duel, Outcome, Side};
use super::plan::{Caller, SETTLE_KEY, encoded, path};
use super::wire::{Received, Talk};

/// The watcher that sees what was written to settle. Explicit IDs do not move a stream's counter.
const SETTLER: i64 = 1 << 40;

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
    Event(i64),
}

impl Awaited {
    fn is(self, reply: &pb::WatchResponse) -> bool {
        match self {
            Awaited::Created => reply.created,
            Awaited::Canceled(id) => reply.canceled && reply.watch_id == id,
            Awaited::Progress => {
                reply.watch_id == -1 && !reply.created && !reply.canceled && reply.events.is_empty()
            }
            Awaited::Event(id) => reply.watch_id == id && !reply.events.is_empty(),
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

    /// Makes one more watcher see the revision that was written to settle.
    async fn settle(&mut self, revision: i64) {
        let create = pb::WatchCreateRequest {
            key: Bytes::from_static(SETTLE_KEY),
            start_revision: revision,
            watch_id: SETTLER,
            ..Default::default()
        };
        let create = encoded(&pb::WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) });
        let cancel = pb::WatchCancelRequest { watch_id: SETTLER };
        let cancel = encoded(&pb::WatchRequest { request_union: Some(RequestUnion::CancelRequest(cancel)) });
        for stream in self.streams.values_mut() {
            stream.talk.say(create.clone());
            stream.hear(Awaited::Event(SETTLER)).await;
            stream.talk.say(cancel.clone());
            stream.hear(Awaited::Canceled(SETTLER)).await;
            stream.pending.retain(|reply| reply.watch_id != SETTLER);
        }
    }
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
            let metadata = side.metadata(caller);
            let open = || Stream {
                talk: side.server.wire.stream(path::WATCH, metadata),
                live: BTreeMap::new(),
                late: BTreeSet::new(),
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
                    if start > 0 && start < moment.compacted {
                        stream.late.insert(reply.watch_id);
                    }
                } else if reply.canceled {
                    stream.live.remove(&reply.watch_id);
                    stream.late.remove(&reply.watch_id);
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
                Some(stream) => seen(stream, &kind),
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

/// What the watchers of a stream saw since it was asked for last: per watcher one message with all events and one for
/// every other reply, watchers in order of their IDs.
fn seen(stream: &mut Stream, kind: &prost_reflect::MessageDescriptor) -> Answer {
    let mut answer = Answer::empty();
    let mut watchers: BTreeMap<i64, Vec<pb::WatchResponse>> = BTreeMap::new();
    let mut newest: BTreeMap<i64, i64> = BTreeMap::new();
    let mut in_pieces: BTreeSet<i64> = BTreeSet::new();
    for mut reply in stream.pending.drain(..) {
        let id = reply.watch_id;
        if id == -1 && reply.events.is_empty() && !reply.canceled {
            continue;
        }
        if let Some(fault) = fault(&reply, newest.get(&id).copied(), in_pieces.contains(&id)) {
            answer.status = (-1, format!("watcher {id}: {fault}"));
        }
        let last = reply.events.iter().filter_map(|event| Some(event.kv.as_ref()?.mod_revision)).max();
        newest.extend(last.map(|last| (id, last)));
        if reply.fragment {
            in_pieces.insert(id)
        } else {
            in_pieces.remove(&id)
        };
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
    let revisions: Vec<i64> =
        reply.events.iter().filter_map(|event| Some(event.kv.as_ref()?.mod_revision)).collect();
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
