//! Watches over one gRPC stream that survives its connection.
//!
//! A task owns the stream. When the stream breaks it opens another, maybe to another member, and creates every
//! watcher again from the revision after the last one it passed on, so that no event is lost or told twice. Creates
//! go out one at a time: the server answers them in order, and that is how an answer finds its watcher.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use detcd_proto::etcdserverpb as pb;
use detcd_proto::mvccpb::Event;
use pb::watch_request::RequestUnion;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tonic::Streaming;
use tonic::metadata::MetadataValue;

use super::fault::{COMPACTED, Fault};
use super::link::Outgoing;
use super::{Client, within};

/// The watch ID of replies meant for all watchers, and of creates that were refused.
const NO_WATCH_ID: i64 = -1;

/// How long to wait after a broken stream, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// What a watcher tells.
#[derive(Clone, Debug)]
pub enum Update {
    Reply(WatchReply),
    /// The watcher is over; no more comes.
    Closed,
}

/// One reply for one watcher, as etcd's Go client hands it to its caller.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WatchReply {
    pub header: pb::ResponseHeader,
    /// `None` when the reply was made up here because the stream failed.
    pub events: Option<Vec<Event>>,
    /// Not zero when the wanted revision was compacted: the oldest that is left.
    pub compact_revision: i64,
    pub canceled: bool,
    /// Why it was cancelled.
    pub error: Option<String>,
}

impl WatchReply {
    /// Whether this only says how far the server got.
    pub fn is_progress(&self) -> bool {
        let empty = self.events.as_ref().is_none_or(Vec::is_empty);
        empty && !self.canceled && self.compact_revision == 0 && self.header.revision != 0
    }
}

enum Order {
    Watch(pb::WatchCreateRequest),
    Progress,
}

/// The caller's end of the watches. Dropping it ends them.
pub struct Watches {
    orders: UnboundedSender<Order>,
    updates: UnboundedReceiver<(usize, Update)>,
}

impl Watches {
    /// Starts the task. Nothing is sent before the first order.
    pub fn open(client: Client) -> Watches {
        let (orders, orders_taken) = unbounded_channel();
        let (updates_given, updates) = unbounded_channel();
        let session = Session {
            client,
            orders: orders_taken,
            updates: updates_given,
            watchers: Vec::new(),
            creating: VecDeque::new(),
            by_id: BTreeMap::new(),
            partial: None,
            progress_wanted: false,
        };
        tokio::spawn(session.run());
        Watches { orders, updates }
    }

    /// Opens a watcher. Watchers are numbered from 0 in the order of these calls.
    pub fn watch(&self, request: pb::WatchCreateRequest) {
        // A session that is over has told every watcher so.
        self.orders.send(Order::Watch(request)).ok();
    }

    /// Asks how far the server got; all watchers hear the answer.
    pub fn progress(&self) {
        self.orders.send(Order::Progress).ok();
    }

    /// The next update with its watcher's number; `None` when the stream is over for all. Safe to drop while waiting.
    pub async fn next(&mut self) -> Option<(usize, Update)> {
        self.updates.recv().await
    }
}

struct Watcher {
    /// `start_revision` moves on with what was passed on.
    request: pb::WatchCreateRequest,
    /// Whether the server ever accepted it.
    was_created: bool,
    closed: bool,
}

struct Session {
    client: Client,
    orders: UnboundedReceiver<Order>,
    updates: UnboundedSender<(usize, Update)>,
    watchers: Vec<Watcher>,
    /// Watchers the server does not know yet; a create for the first one is on its way.
    creating: VecDeque<usize>,
    by_id: BTreeMap<i64, usize>,
    /// A reply whose fragments are still coming.
    partial: Option<pb::WatchResponse>,
    progress_wanted: bool,
}

type Requests = UnboundedSender<pb::WatchRequest>;

impl Session {
    async fn run(mut self) {
        let Some(order) = self.orders.recv().await else { return };
        self.note(order);
        let Err(fault) = self.serve().await else { return };
        for number in 0..self.watchers.len() {
            self.fail(number, fault.to_string());
        }
    }

    /// Serves orders and replies until the caller is gone, or a fault that a new stream would not cure.
    async fn serve(&mut self) -> Result<(), Fault> {
        let mut pause = FIRST_PAUSE;
        loop {
            let (requests, outgoing) = unbounded_channel();
            self.by_id.clear();
            self.partial = None;
            let alive = |number: &usize| !self.watchers[*number].closed;
            self.creating = (0..self.watchers.len()).filter(alive).collect();
            self.send_create(&requests);
            if std::mem::take(&mut self.progress_wanted) {
                send(&requests, RequestUnion::ProgressRequest(pb::WatchProgressRequest {}));
            }
            let fault = match self.open_stream(outgoing).await {
                Ok(mut stream) => {
                    pause = FIRST_PAUSE;
                    match self.follow(&requests, &mut stream).await {
                        Some(fault) => fault,
                        None => return Ok(()),
                    }
                }
                Err(fault) => fault,
            };
            if fault.ends_stream() {
                return Err(fault);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn open_stream(
        &mut self,
        outgoing: UnboundedReceiver<pb::WatchRequest>,
    ) -> Result<Streaming<pb::WatchResponse>, Fault> {
        let (place, link) = self.client.link(None).await?;
        let mut request = self.client.request(Outgoing::new(outgoing));
        // A member without a leader should say so rather than be silent.
        request.metadata_mut().insert("hasleader", MetadataValue::from_static("true"));
        let opened = within(self.client.deadline, async { link.watch().watch(request).await }).await?;
        opened.map(|response| response.into_inner()).map_err(|status| self.client.judge(place, &status))
    }

    /// Serves one stream. `None` when the caller is gone, else what ended the stream.
    async fn follow(
        &mut self,
        requests: &Requests,
        stream: &mut Streaming<pb::WatchResponse>,
    ) -> Option<Fault> {
        loop {
            tokio::select! {
                order = self.orders.recv() => {
                    match order? {
                        Order::Progress => send(requests, RequestUnion::ProgressRequest(pb::WatchProgressRequest {})),
                        order => {
                            self.note(order);
                            if self.creating.len() == 1 {
                                self.send_create(requests);
                            }
                        }
                    }
                }
                message = stream.message() => match message {
                    Ok(Some(response)) => self.receive(response, requests),
                    Ok(None) => return Some(Fault::stream_over()),
                    Err(status) => return Some(Fault::from_status(&status)),
                },
            }
        }
    }

    /// Remembers an order; sending is the caller's business.
    fn note(&mut self, order: Order) {
        match order {
            Order::Watch(request) => {
                self.creating.push_back(self.watchers.len());
                self.watchers.push(Watcher { request, was_created: false, closed: false });
            }
            Order::Progress => self.progress_wanted = true,
        }
    }

    fn send_create(&self, requests: &Requests) {
        if let Some(number) = self.creating.front() {
            send(requests, RequestUnion::CreateRequest(self.watchers[*number].request.clone()));
        }
    }

    fn receive(&mut self, response: pb::WatchResponse, requests: &Requests) {
        if response.created {
            self.partial = None;
            if let Some(number) = self.creating.pop_front() {
                self.created(number, &response);
            }
            self.send_create(requests);
            return;
        }
        if response.canceled && response.compact_revision == 0 {
            self.partial = None;
            if let Some(number) = self.by_id.remove(&response.watch_id) {
                self.close(number);
            }
            return;
        }
        let whole = match self.partial.take() {
            Some(mut begun) if begun.watch_id == response.watch_id && !response.canceled => {
                begun.events.extend(response.events);
                begun.fragment = response.fragment;
                begun
            }
            _ => response,
        };
        if whole.fragment {
            self.partial = Some(whole);
            return;
        }
        self.dispatch(whole);
    }

    fn created(&mut self, number: usize, response: &pb::WatchResponse) {
        if response.watch_id == NO_WATCH_ID || response.canceled {
            self.fail(number, response.cancel_reason.clone());
            return;
        }
        self.by_id.insert(response.watch_id, number);
        let watcher = &mut self.watchers[number];
        // From now on means from this revision on, even on another stream.
        if !watcher.was_created && watcher.request.start_revision == 0 {
            watcher.request.start_revision = response.header.as_ref().map_or(0, |header| header.revision);
        }
        watcher.was_created = true;
    }

    fn dispatch(&mut self, response: pb::WatchResponse) {
        let compacted = response.compact_revision != 0;
        let reply = WatchReply {
            header: response.header.unwrap_or_default(),
            events: Some(response.events),
            compact_revision: response.compact_revision,
            canceled: response.canceled,
            error: compacted.then(|| COMPACTED.to_owned()),
        };
        if response.watch_id == NO_WATCH_ID && reply.is_progress() {
            let everyone: Vec<usize> = self.by_id.values().copied().collect();
            for number in everyone {
                self.pass_on(number, reply.clone());
            }
        } else if let Some(number) = self.by_id.get(&response.watch_id).copied() {
            self.pass_on(number, reply);
            if compacted {
                self.by_id.remove(&response.watch_id);
                self.close(number);
            }
        }
    }

    fn pass_on(&mut self, number: usize, reply: WatchReply) {
        let last_event =
            reply.events.as_ref().and_then(|events| events.last()).and_then(|event| event.kv.as_ref());
        let seen = last_event.map_or(reply.header.revision, |kv| kv.mod_revision);
        self.watchers[number].request.start_revision = seen + 1;
        self.tell(number, Update::Reply(reply));
    }

    /// Ends a watcher with a reason.
    fn fail(&mut self, number: usize, reason: String) {
        if !self.watchers[number].closed {
            let reply = WatchReply { canceled: true, error: Some(reason), ..WatchReply::default() };
            self.tell(number, Update::Reply(reply));
            self.close(number);
        }
    }

    fn close(&mut self, number: usize) {
        self.watchers[number].closed = true;
        self.tell(number, Update::Closed);
    }

    fn tell(&self, number: usize, update: Update) {
        // Nobody listens any more when the caller is leaving.
        self.updates.send((number, update)).ok();
    }
}

fn send(requests: &Requests, request: RequestUnion) {
    // On a stream that just broke the request is lost; it is sent again on the next one.
    requests.send(pb::WatchRequest { request_union: Some(request) }).ok();
}
