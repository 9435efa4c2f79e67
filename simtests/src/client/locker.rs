//! Locks and elections as clients make them of leases, keys and transactions: who wants a turn puts a key of its own under
//! the common prefix, with a lease, and has its turn once no key there was created before its own. Whatever it does in its
//! turn it guards with its key's create revision, so that it does nothing once the turn is over, whether it knows or not.
use super::{Client, Ended};
use crate::workload::Workload;
use detcd_jepsen_like::history::{
    Compare, CompareResult, CompareTarget, DeleteRequest, Outcome, PutRequest, RangeRequest, RangeResponse,
    Request, Response, TxnRequest,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Under this the contenders' keys stand.
pub const PREFIX: &[u8] = b"turn/";
const PREFIX_END: &[u8] = b"turn0";
/// What only the one whose turn it is writes to.
pub const GUARDED: &[u8] = b"guarded";

/// What a contender does in its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contest {
    /// It writes to a key that all share.
    Lock,
    /// It proclaims something in its own key, for those who look who leads.
    Election,
}

impl fmt::Display for Contest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Contest::Lock => "a lock",
            Contest::Election => "an election",
        })
    }
}

/// One contender.
pub struct Locker {
    pub client: Client,
    pub contest: Contest,
    turns: u64,
    writes: u64,
}

/// A place in the queue.
struct Place {
    lease: i64,
    key: Vec<u8>,
    created: i64,
}

impl Locker {
    pub fn new(client: Client, contest: Contest) -> Locker {
        Locker { client, contest, turns: 0, writes: 0 }
    }

    /// Takes turn after turn until told to stop.
    pub async fn work(mut self, stopped: impl Fn() -> bool) {
        while !stopped() {
            self.client.member = self.client.dice.index(self.client.cluster.len());
            if let Some(place) = self.queue().await
                && self.wait(&place, &stopped).await
            {
                self.count("client: turn taken");
                self.hold(&place).await;
                self.leave(&place).await;
            }
            self.pause(20_000_000).await;
        }
    }

    fn count(&self, what: &'static str) {
        self.client.cluster.stage().enter(|world| world.count(what));
    }

    async fn pause(&mut self, most_ns: u64) {
        let nap = self.client.dice.between(1_000_000, most_ns);
        self.client.cluster.stage().nap(nap).await;
    }

    async fn ask(&mut self, request: Request) -> Option<Response> {
        match self.client.perform(request).await {
            Ended::Answered(Outcome::Ok(response)) => Some(response),
            Ended::Answered(_) => None,
            Ended::Unreachable => {
                self.client.member = self.client.dice.index(self.client.cluster.len());
                self.pause(20_000_000).await;
                None
            }
        }
    }

    /// Puts the own key, once, and learns when it was created.
    async fn queue(&mut self) -> Option<Place> {
        self.turns += 1;
        let id = Workload::lease_id(&mut self.client.dice, self.client.number, self.turns);
        let ttl = self.client.dice.between(1, 2) as i64;
        let Response::LeaseGrant { id: lease, .. } = self.ask(Request::LeaseGrant { id, ttl }).await? else {
            return None;
        };
        let key = [PREFIX, format!("{}-{}", self.client.number, self.turns).as_bytes()].concat();
        let value = format!("candidate-{}-{}", self.client.number, self.turns).into_bytes();
        let request = Request::Txn(TxnRequest {
            compares: vec![created(&key, 0)],
            success: vec![Request::Put(PutRequest {
                key: key.clone(),
                value,
                lease,
                ..PutRequest::default()
            })],
            failure: vec![Request::get(key.clone())],
        });
        // It may be asked again: whoever finds the key has put it before.
        for _ in 0..3 {
            let Some(Response::Txn(txn)) = self.ask(request.clone()).await else { continue };
            let created = match txn.responses.first() {
                Some(Response::Range(range)) => range.kvs.first()?.create_revision,
                _ => txn.revision,
            };
            return Some(Place { lease, key, created });
        }
        None
    }

    /// Until nobody stands before it. False: it has lost its place.
    async fn wait(&mut self, place: &Place, stopped: &impl Fn() -> bool) -> bool {
        let everybody =
            RangeRequest { key: PREFIX.to_vec(), range_end: PREFIX_END.to_vec(), ..RangeRequest::default() };
        while !stopped() {
            if let Some(Response::Range(range)) = self.ask(Request::Range(everybody.clone())).await {
                match first(&range) {
                    _ if range.kvs.iter().all(|kv| kv.create_revision != place.created) => return false,
                    Some(first) if first == place.created => return true,
                    _ => {}
                }
            }
            drop(self.client.keep_alive(place.lease).await);
            self.pause(100_000_000).await;
        }
        false
    }

    /// Works as if the turn lasted for ever, and may forget to renew.
    async fn hold(&mut self, place: &Place) {
        let renews = self.client.dice.permille(700);
        for _ in 0..self.client.dice.between(1, 12) {
            self.writes += 1;
            let value = format!("{}-{}-{}", place.created, self.client.number, self.writes).into_bytes();
            let put = match self.contest {
                Contest::Lock => PutRequest { key: GUARDED.to_vec(), value, ..PutRequest::default() },
                Contest::Election => {
                    PutRequest { key: place.key.clone(), value, lease: place.lease, ..PutRequest::default() }
                }
            };
            let request = Request::Txn(TxnRequest {
                compares: vec![created(&place.key, place.created)],
                success: vec![Request::Put(put)],
                failure: Vec::new(),
            });
            match self.ask(request).await {
                Some(Response::Txn(txn)) if !txn.succeeded => {
                    self.count("client: turn was over");
                    return;
                }
                Some(_) => self.count("client: guarded write"),
                None => {}
            }
            if renews {
                drop(self.client.keep_alive(place.lease).await);
            }
            self.pause(300_000_000).await;
        }
    }

    /// Gives the turn back, or leaves without a word.
    async fn leave(&mut self, place: &Place) {
        let request = match self.client.dice.weighted(&[4, 3, 3]) {
            0 => Request::Delete(DeleteRequest { key: place.key.clone(), ..DeleteRequest::default() }),
            1 => Request::LeaseRevoke { id: place.lease },
            _ => return,
        };
        self.ask(request).await;
    }
}

/// The oldest key's create revision.
fn first(range: &RangeResponse) -> Option<i64> {
    range.kvs.iter().map(|kv| kv.create_revision).min()
}

fn created(key: &[u8], revision: i64) -> Compare {
    Compare {
        key: key.to_vec(),
        range_end: Vec::new(),
        target: CompareTarget::CreateRevision(revision),
        result: CompareResult::Equal,
    }
}
