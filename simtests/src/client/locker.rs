//! Locks and elections as clients make them of leases, keys and transactions: who wants a turn puts a key of its own under
//! the common prefix, with a lease, and has its turn once no key there was created before its own. Whatever it does in its
//! turn it guards with its key's create revision, so that it does nothing once the turn is over, whether it knows or not.
//!
//! Or they ask a member's Lock or Election service for a turn, and leave the recipe to it.
use super::{Client, Ended};
use crate::{
    judge::{Granted, Turns},
    workload::Workload,
};
use detcd_core::Refusal;
use detcd_driver::Node;
use detcd_jepsen_like::history::{
    Compare, CompareResult, CompareTarget, DeleteRequest, Outcome, PutRequest, RangeRequest, RangeResponse,
    Request, Response, TxnRequest,
};
use detcd_proto::{v3electionpb as election, v3lockpb as lock};
use detcd_runtime_sim::{Answer, Sim, answer};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

/// Under this the contenders' keys stand.
pub const PREFIX: &[u8] = b"turn/";
const PREFIX_END: &[u8] = b"turn0";
/// The same as the services are told it.
const NAME: &[u8] = b"turn";
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
    /// Where the turns are noted that services grant, if they are asked.
    services: Option<Turns>,
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
    pub fn new(client: Client, contest: Contest, services: Option<Turns>) -> Locker {
        Locker { client, contest, services, turns: 0, writes: 0 }
    }

    /// Takes turn after turn until told to stop.
    pub async fn work(mut self, stopped: impl Fn() -> bool) {
        while !stopped() {
            self.client.member = self.client.dice.index(self.client.cluster.len());
            let place = match self.services.clone() {
                Some(turns) => self.ask_for_turn(&turns).await,
                None => match self.queue().await {
                    Some(place) if self.wait(&place, &stopped).await => Some(place),
                    _ => None,
                },
            };
            if let Some(place) = place {
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

    /// One for the next turn.
    async fn lease(&mut self) -> Option<i64> {
        self.turns += 1;
        let id = Workload::lease_id(&mut self.client.dice, self.client.number, self.turns);
        let ttl = self.client.dice.between(1, 2) as i64;
        match self.ask(Request::LeaseGrant { id, ttl }).await? {
            Response::LeaseGrant { id, .. } => Some(id),
            _ => None,
        }
    }

    /// What a service is going to do, or not: the history knows of calls by keys alone.
    fn expect(&self, request: Request) {
        let fate = Outcome::Unknown("a service was asked for it".into());
        self.client.recorder.witness(self.client.number, request, fate);
    }

    /// Has the member's service queue and wait, for as long as patience lasts. Somebody may renew the lease meanwhile.
    async fn ask_for_turn(&mut self, turns: &Turns) -> Option<Place> {
        let lease = self.lease().await?;
        let sign = if lease < 0 { "-" } else { "" };
        let key = [PREFIX, format!("{sign}{:x}", lease.unsigned_abs()).as_bytes()].concat();
        let value = match self.contest {
            Contest::Lock => Vec::new(),
            Contest::Election => format!("candidate-{}-{}", self.client.number, self.turns).into_bytes(),
        };
        self.expect(Request::Txn(TxnRequest {
            compares: vec![created(&key, 0)],
            success: vec![Request::Put(PutRequest {
                key: key.clone(),
                value: value.clone(),
                lease,
                ..PutRequest::default()
            })],
            failure: Vec::new(),
        }));
        // It cleans up behind one who goes away.
        self.expect(Request::Delete(DeleteRequest { key: key.clone(), ..DeleteRequest::default() }));
        let renewals = if self.client.dice.coin() { self.client.dice.between(2, 10) } else { 0 };
        let mut racer = self.client.another();
        let stage = self.client.cluster.stage().clone();
        stage.clone().spawn(async move {
            for _ in 0..renewals {
                stage.nap(400_000_000).await;
                drop(racer.keep_alive(lease).await);
            }
        });
        let patience_ns = self.client.dice.between(300_000_000, 4_000_000_000);
        let granted = match self.contest {
            Contest::Lock => self.ask_service(patience_ns, move |node| locked(node, lease)).await,
            Contest::Election => self.ask_service(patience_ns, move |node| elected(node, lease, value)).await,
        };
        let Some(Ok(granted)) = granted else {
            self.count("client: no turn from a service");
            return None;
        };
        turns.grant(granted);
        let Some(Response::Range(range)) = self.ask(Request::get(key.clone())).await else { return None };
        let created = range.kvs.first()?.create_revision;
        Some(Place { lease, key, created })
    }

    /// One call of a service. A member does not work for one who has given up.
    async fn ask_service<T: Send + 'static, F>(
        &mut self,
        patience_ns: u64,
        call: impl FnOnce(Node<Sim>) -> F + Send + 'static,
    ) -> Option<Result<T, Refusal>>
    where
        F: Future<Output = Result<T, Refusal>> + Send + 'static,
    {
        let stage = self.client.cluster.stage().clone();
        let deadline = stage.now() + patience_ns;
        let manners = self.client.manners.clone();
        let (there, back) =
            (manners.link.draw(&mut self.client.dice), manners.link.draw(&mut self.client.dice));
        let lost = self.client.dice.permille(manners.loss_permille);
        stage.nap(there).await;
        let member = self.client.member;
        let (node, life) = self.client.cluster.node(member).filter(|_| !lost)?;
        let (done, mut asked) = answer();
        let home = stage.clone();
        stage.spawn_on(member, "request", async move {
            let Some(outcome) = unless(call(node), home.nap_until(deadline)).await else { return };
            home.enter(|world| {
                if world.is_up(member) && world.life_of(member) == life {
                    world.after(back, move |_| Answer::give(done, outcome));
                }
            });
        });
        asked.until(&stage, deadline).await
    }

    /// Puts the own key, once, and learns when it was created.
    async fn queue(&mut self) -> Option<Place> {
        let lease = self.lease().await?;
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
        let delete = Request::Delete(DeleteRequest { key: place.key.clone(), ..DeleteRequest::default() });
        let request = match self.client.dice.weighted(&[4, 3, 3]) {
            0 if self.services.is_some() => {
                self.expect(delete);
                let (key, rev, contest) = (place.key.clone(), place.created, self.contest);
                drop(self.ask_service(1_000_000_000, move |node| gave_back(node, contest, key, rev)).await);
                return;
            }
            0 => delete,
            1 => Request::LeaseRevoke { id: place.lease },
            _ => return,
        };
        self.ask(request).await;
    }
}

async fn locked(node: Node<Sim>, lease: i64) -> Result<Granted, Refusal> {
    let answer = node.lock(lock::LockRequest { name: NAME.into(), lease }).await?;
    let revision = answer.header.map_or(0, |header| header.revision);
    Ok(Granted { key: answer.key.to_vec(), from: revision, to: revision })
}

async fn elected(node: Node<Sim>, lease: i64, value: Vec<u8>) -> Result<Granted, Refusal> {
    let request = election::CampaignRequest { name: NAME.into(), lease, value: value.into() };
    let answer = node.campaign(request).await?;
    // The header is that of the beginning.
    let leader = answer.leader.unwrap_or_default();
    Ok(Granted { key: leader.key.to_vec(), from: leader.rev, to: node.latest().view.keyspace.revision() })
}

async fn gave_back(node: Node<Sim>, contest: Contest, key: Vec<u8>, rev: i64) -> Result<(), Refusal> {
    let key = key.into();
    match contest {
        Contest::Lock => node.unlock(lock::UnlockRequest { key }).await.map(drop),
        Contest::Election => {
            let leader = Some(election::LeaderKey { key, rev, ..Default::default() });
            node.resign(election::ResignRequest { leader }).await.map(drop)
        }
    }
}

/// What the work comes to, or nothing if the end comes before.
async fn unless<T>(work: impl Future<Output = T>, end: impl Future<Output = ()>) -> Option<T> {
    let (mut work, mut end) = (pin!(work), pin!(end));
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => end.as_mut().poll(cx).map(|()| None),
    })
    .await
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
