//! The client inside the member: the Lock and Election services are recipes of calls that any client can make, and
//! this makes them. Source: contract-semantics 15.
//!
//! Whoever has a place in a queue and goes away must not keep the others waiting, so a recipe that queues runs on a task
//! of its own, which outlives the call and cleans up behind it.
use super::watch::WatchReplies;
use crate::{Node, Runtime, mailbox::Mailbox, shutdown::Latch};
use bytes::Bytes;
use detcd_core::{Plant, Refusal};
use detcd_proto::{
    etcdserverpb::{
        Compare, DeleteRangeRequest, DeleteRangeResponse, LeaseGrantRequest, PutRequest, RangeRequest,
        RangeResponse, RequestOp, ResponseHeader, ResponseOp, TxnRequest, TxnResponse, WatchCreateRequest,
        WatchRequest, compare, range_request, request_op, response_op, watch_create_request, watch_request,
    },
    mvccpb::{Event, KeyValue, event::EventType},
};
use std::future::Future;

/// In seconds; for a caller who brings no lease.
const LEASE_TTL: i64 = 60;

/// Makes calls for one caller: the one place that knows on whose behalf.
pub struct Inside<R: Runtime> {
    node: Node<R>,
}

/// A place in the queue under a prefix: a key of its own.
#[derive(Clone)]
pub struct Place {
    pub prefix: Bytes,
    pub key: Bytes,
    pub lease: i64,
    /// The key's create revision: queues go by it, and it tells this place from a later one under the same key.
    pub created: i64,
}

/// What became of queueing.
pub struct Queued {
    pub place: Place,
    /// Of the call that queued.
    pub header: Option<ResponseHeader>,
    pub is_first: bool,
    /// The value of the key if it was there before.
    pub found: Option<Bytes>,
}

/// What a recipe comes to, and the place to give up if nobody is there any more to hear of it.
pub type Ended<T> = (Result<T, Refusal>, Option<Place>);

/// The caller has gone when this is dropped.
struct Caller(Latch);

impl Drop for Caller {
    fn drop(&mut self) {
        self.0.open();
    }
}

impl<R: Runtime> Inside<R> {
    pub fn new(node: &Node<R>) -> Inside<R> {
        Inside { node: node.clone() }
    }

    pub async fn range(&self, request: RangeRequest) -> Result<RangeResponse, Refusal> {
        self.node.range(request).await.map_err(resent)
    }

    pub async fn txn(&self, request: TxnRequest) -> Result<TxnResponse, Refusal> {
        self.node.txn(request).await.map_err(resent)
    }

    pub async fn delete(&self, key: Bytes) -> Result<DeleteRangeResponse, Refusal> {
        let request = DeleteRangeRequest { key, ..Default::default() };
        self.node.delete_range(request).await.map_err(resent)
    }

    /// The caller's lease, or a new one, which nobody renews.
    pub async fn lease(&self, lease: i64) -> Result<i64, Refusal> {
        if lease != 0 {
            return Ok(lease);
        }
        let request = LeaseGrantRequest { id: 0, ttl: LEASE_TTL };
        self.node.lease_grant(request).await.map(|granted| granted.id).map_err(resent)
    }

    /// Watches each of these keys from a revision on, in one stream.
    pub async fn watch(
        &self,
        watched: impl IntoIterator<Item = WatchCreateRequest>,
    ) -> Result<WatchReplies, Refusal> {
        let (requests, replies) = self.node.watch(false).map_err(resent)?;
        for create in watched {
            let request_union = Some(watch_request::RequestUnion::CreateRequest(create));
            requests.send(WatchRequest { request_union }).await.map_err(resent)?;
        }
        Ok(replies)
    }

    /// Queues under `name`, unless the lease already has a place there.
    pub async fn queue(&self, name: &[u8], lease: i64, value: Bytes) -> Result<Queued, Refusal> {
        let prefix = prefix(name);
        let key = Bytes::from([&prefix[..], hex(lease).as_bytes()].concat());
        let put = PutRequest { key: key.clone(), value, lease, ..Default::default() };
        let get = RangeRequest { key: key.clone(), ..Default::default() };
        let owner = first_created(&prefix);
        let response = self
            .txn(TxnRequest {
                compare: vec![is_created(&key, 0)],
                success: vec![op(request_op::Request::RequestPut(put)), range_op(owner.clone())],
                failure: vec![range_op(get), range_op(owner)],
            })
            .await?;
        let revision = response.header.as_ref().map_or(0, |header| header.revision);
        let found = match response.succeeded {
            true => None,
            false => ranged(&response.responses, 0),
        };
        let created = found.as_ref().map_or(revision, |kv| kv.create_revision);
        let is_first = ranged(&response.responses, 1).is_none_or(|owner| owner.create_revision == created);
        let place = Place { prefix, key, lease, created };
        Ok(Queued { place, header: response.header, is_first, found: found.map(|kv| kv.value) })
    }

    /// Waits until nobody stands before it. Nothing comes back if the place itself is lost: its lease has ended, or
    /// somebody deleted the key.
    pub async fn wait(&self, place: &Place) -> Result<Option<ResponseHeader>, Refusal> {
        let own = RangeRequest { key: place.key.clone(), ..Default::default() };
        let before = RangeRequest {
            sort_order: range_request::SortOrder::Descend.into(),
            max_create_revision: place.created - 1,
            ..first_created(&place.prefix)
        };
        let look = TxnRequest { success: vec![range_op(own), range_op(before)], ..Default::default() };
        let plants = self.node.config().plants;
        loop {
            let response = self.txn(look.clone()).await?;
            let is_lost =
                ranged(&response.responses, 0).is_none_or(|own| own.create_revision != place.created);
            if is_lost && !plants.has(Plant::LockWithoutLeaseCheck) {
                return Ok(None);
            }
            let Some(before) = ranged(&response.responses, 1) else { return Ok(response.header) };
            let revision = response.header.map_or(0, |header| header.revision);
            self.until_deleted([place.key.clone(), before.key], revision).await?;
        }
    }

    /// Comes back when one of the keys may have been deleted after this revision.
    async fn until_deleted(&self, keys: [Bytes; 2], revision: i64) -> Result<(), Refusal> {
        let noput = watch_create_request::FilterType::Noput.into();
        let mut replies = self
            .watch(keys.map(|key| WatchCreateRequest {
                key,
                start_revision: revision + 1,
                filters: vec![noput],
                ..Default::default()
            }))
            .await?;
        while events(&mut replies).await?.is_some_and(|(_, events)| events.is_empty()) {}
        Ok(())
    }

    /// Deletes the key of a place, if it is still the one created at this revision.
    pub async fn leave(&self, key: &Bytes, created: i64) -> Result<TxnResponse, Refusal> {
        let delete = DeleteRangeRequest { key: key.clone(), ..Default::default() };
        self.txn(TxnRequest {
            compare: vec![is_created(key, created)],
            success: vec![op(request_op::Request::RequestDeleteRange(delete))],
            failure: Vec::new(),
        })
        .await
    }

    /// Waits as [`Inside::wait`] while the caller does; otherwise the place is given up, also if waiting fails.
    pub async fn wait_for(&self, place: &Place, gone: &Latch) -> Result<Option<ResponseHeader>, Refusal> {
        let waited = gone.or_open(self.wait(place)).await.unwrap_or(Ok(None));
        if !matches!(waited, Ok(Some(_))) {
            self.give_up(place).await;
        }
        waited
    }

    pub async fn give_up(&self, place: &Place) {
        // If it cannot be deleted now, the end of its lease does it.
        self.leave(&place.key, place.created).await.ok();
    }

    /// Runs a recipe on a task of its own. It is told by the latch when the caller goes away before the answer.
    pub async fn attended<T, F>(
        self,
        name: &'static str,
        recipe: impl FnOnce(Inside<R>, Latch) -> F,
    ) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: Future<Output = Ended<T>> + Send + 'static,
    {
        let (gone, served, answer) = (Latch::default(), Latch::default(), Mailbox::bounded(1));
        let caller = Caller(gone.clone());
        let node = self.node.clone();
        let cleaner = Inside::new(&node);
        let work = recipe(self, gone.clone());
        let (told, heard) = (answer.clone(), served.clone());
        node.0.rt.spawn(name, async move {
            let (outcome, place) = work.await;
            told.push_completion(outcome);
            if let Some(place) = place
                && gone.or_open(heard.wait()).await.is_none()
            {
                cleaner.give_up(&place).await;
            }
        });
        let mut answers = Vec::with_capacity(1);
        answer.recv_batch(&mut answers, 1).await;
        served.open();
        drop(caller);
        answers.pop().unwrap_or(Err(Refusal::Stopped))
    }
}

/// What happened to the keys of a watch stream; nothing if it has lost its thread and must begin again.
pub async fn events(replies: &mut WatchReplies) -> Result<Option<(ResponseHeader, Vec<Event>)>, Refusal> {
    let reply = replies.next().await.map_err(resent)?;
    match reply.canceled {
        true if reply.compact_revision == 0 => Err(resent(Refusal::WatchCanceled)),
        true => Ok(None),
        false => Ok(Some((reply.header.unwrap_or_default(), reply.events))),
    }
}

pub fn is_delete(event: &Event) -> bool {
    event.r#type == i32::from(EventType::Delete)
}

/// Where those who queue under a name have their keys.
pub fn prefix(name: &[u8]) -> Bytes {
    Bytes::from([name, b"/"].concat())
}

/// Who stands first under a prefix that ends with a slash.
pub fn first_created(prefix: &Bytes) -> RangeRequest {
    RangeRequest {
        key: prefix.clone(),
        range_end: prefix_end(prefix),
        limit: 1,
        sort_order: range_request::SortOrder::Ascend.into(),
        sort_target: range_request::SortTarget::Create.into(),
        ..Default::default()
    }
}

/// The first key behind all that begin with a prefix that ends with a slash.
pub fn prefix_end(prefix: &[u8]) -> Bytes {
    let bare = prefix.strip_suffix(b"/").expect("made by `prefix`");
    Bytes::from([bare, &[b'/' + 1]].concat())
}

pub fn is_created(key: &Bytes, revision: i64) -> Compare {
    Compare {
        result: compare::CompareResult::Equal.into(),
        target: compare::CompareTarget::Create.into(),
        key: key.clone(),
        target_union: Some(compare::TargetUnion::CreateRevision(revision)),
        ..Default::default()
    }
}

pub fn op(request: request_op::Request) -> RequestOp {
    RequestOp { request: Some(request) }
}

fn range_op(request: RangeRequest) -> RequestOp {
    op(request_op::Request::RequestRange(request))
}

/// The first pair that the range at this place of a transaction found.
fn ranged(responses: &[ResponseOp], at: usize) -> Option<KeyValue> {
    match responses.get(at)?.response.as_ref()? {
        response_op::Response::ResponseRange(range) => range.kvs.first().cloned(),
        _ => None,
    }
}

/// A signed number in lowercase hexadecimal digits.
fn hex(lease: i64) -> String {
    let sign = if lease < 0 { "-" } else { "" };
    format!("{sign}{:x}", lease.unsigned_abs())
}

/// An error of a call made inside, as it leaves the member. What only says that this member ends stays what it is.
fn resent(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Stopped | Refusal::TimeoutWaitAppliedIndex => refusal,
        refusal => Refusal::Resent(Box::new(refusal)),
    }
}
