//! Clients: they call members over links of their own, give up after a while, and go to another member.
pub mod convert;
pub mod guest;
pub mod locker;
pub mod watcher;

use crate::{
    cluster::Cluster,
    judge::{Answered, Asked, Chronicle, Leases, Permits, read_clocks, unheard_until},
    probes,
    workload::{Step, Workload},
};
use detcd_core::Refusal;
use detcd_driver::{Caller, Node};
use detcd_jepsen_like::history::{
    History, Outcome, PutRequest, RangeRequest, Refusal as Refused, Request, Response,
};
use detcd_proto::etcdserverpb as pb;
use detcd_runtime_sim::{Answer, Concern, Dice, Event, Happening, Latency, Sim, Slot, Stage, World, answer};
use serde::{Deserialize, Serialize};
use std::{
    fmt::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

/// How the links between clients and members behave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manners {
    pub link: Latency,
    /// So many thousandths of requests and as many of the answers are lost.
    pub loss_permille: u64,
    /// How long a client waits before it gives up.
    pub patience_ns: u64,
    /// From an answer to the next request.
    pub think: Latency,
    /// After a failure, so many thousandths go on with the same member.
    pub loyalty_permille: u64,
    /// A client's clock is up to so many thousandths too fast or too slow; its patience and its pauses go by it.
    #[serde(default)]
    pub speed_spread_permille: u64,
}

impl Manners {
    /// As one client has them, by a clock of its own.
    fn by_own_clock(mut self, dice: &mut Dice) -> Manners {
        let spread = self.speed_spread_permille.min(900);
        if spread > 0 {
            let speed = 1_000 - spread + dice.below(2 * spread + 1);
            let scale = |ns: u64| ns.saturating_mul(1_000) / speed;
            self.patience_ns = scale(self.patience_ns);
            self.think.floor_ns = scale(self.think.floor_ns);
            self.think.spread_ns = scale(self.think.spread_ns);
        }
        self
    }
}

impl fmt::Display for Manners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "links {}, {} in 1000 lost; give up after {} ms, pause for {}, {} in 1000 stay after a failure, clocks up \
             to {} in 1000 off",
            self.link,
            self.loss_permille,
            self.patience_ns / 1_000_000,
            self.think,
            self.loyalty_permille,
            self.speed_spread_permille
        )
    }
}

/// What all clients have seen. Its clock counts events, so no two of them are at the same time.
#[derive(Clone, Default)]
pub struct Recorder {
    recorded: Arc<Mutex<Recorded>>,
    /// Where it is read what time it is, if times are kept.
    stage: Option<Stage>,
}

#[derive(Default)]
struct Recorded {
    history: History,
    clock: u64,
    acked: u64,
    /// When each value of the clock was taken, from 1, in simulated nanoseconds.
    times: Vec<u64>,
}

impl Recorder {
    /// One that also keeps simulated times, for people.
    pub fn timed(stage: Stage) -> Recorder {
        Recorder { stage: Some(stage), ..Recorder::default() }
    }

    /// The simulated time at each of the history's times, which count from 1; empty if they were not kept.
    pub fn times(&self) -> Vec<u64> {
        self.with(|recorded| recorded.times.clone())
    }

    fn with<T>(&self, f: impl FnOnce(&mut Recorded) -> T) -> T {
        let now = self.stage.as_ref().map(Stage::now);
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        recorded.clock += 1;
        let result = f(&mut recorded);
        if let Some(now) = now {
            let clock = recorded.clock as usize;
            recorded.times.resize(clock, now);
        }
        result
    }

    /// Records what somebody read without asking for it.
    pub fn witness(&self, client: u32, request: Request, outcome: Outcome) {
        self.with(|recorded| {
            let id = recorded.history.call(client, recorded.clock, request);
            recorded.clock += 1;
            recorded.history.ret(id, recorded.clock, outcome);
        });
    }

    /// What has been recorded so far.
    pub fn snapshot(&self) -> History {
        self.with(|recorded| recorded.history.clone())
    }

    pub fn take(&self) -> History {
        self.with(|recorded| std::mem::take(&mut recorded.history))
    }

    /// Operations that were answered as wished.
    pub fn acked(&self) -> u64 {
        self.with(|recorded| recorded.acked)
    }
}

/// How a call ended.
pub enum Ended {
    /// Nobody was there to take it: it certainly did nothing.
    Unreachable,
    Answered(Outcome),
}

/// One client. It has one request under way at a time, and may leave one of unknown fate behind.
pub struct Client {
    pub number: u32,
    pub cluster: Cluster,
    pub recorder: Recorder,
    pub chronicle: Chronicle,
    pub leases: Leases,
    pub manners: Manners,
    pub dice: Dice,
    pub member: Slot,
    /// As whom it asks, if not as root.
    pub user: Option<User>,
}

/// Somebody who has logged in.
#[derive(Clone)]
pub struct User {
    pub name: String,
    pub caller: Caller,
    pub permits: Permits,
}

impl Client {
    /// Works until told to stop.
    pub async fn work(mut self, mut workload: Workload, stopped: impl Fn() -> bool) {
        self.manners = self.manners.by_own_clock(&mut self.dice);
        if self.manners.speed_spread_permille > 0 {
            self.cluster.stage().enter(|world| world.count("client: with a clock of its own"));
        }
        while !stopped() {
            let step = workload.next(&mut self.dice);
            let ended = match step.clone() {
                Step::Ask(request) => self.perform(request).await,
                Step::KeepAlive(lease) => self.keep_alive(lease).await,
                Step::Race { request, lease } => {
                    let mut racer = self.another();
                    self.cluster.stage().spawn(async move { drop(racer.keep_alive(lease).await) });
                    self.perform(request).await
                }
                Step::AtTheEnd { lease, after_ns, hand_over } => {
                    let racer = self.another();
                    self.cluster.stage().spawn(racer.come_at_the_end(lease, after_ns, hand_over));
                    continue;
                }
                Step::HandOver => {
                    self.hand_over().await;
                    continue;
                }
            };
            match &ended {
                Ended::Answered(Outcome::Ok(response)) => match step {
                    Step::Ask(_) | Step::Race { .. } => workload.saw(response),
                    Step::KeepAlive(_) | Step::AtTheEnd { .. } | Step::HandOver => {}
                },
                Ended::Answered(Outcome::Failed(_)) => match step {
                    Step::KeepAlive(lease) | Step::Ask(Request::Put(PutRequest { lease, .. })) => {
                        workload.lost(lease);
                    }
                    Step::Ask(_) | Step::Race { .. } | Step::AtTheEnd { .. } | Step::HandOver => {}
                },
                Ended::Unreachable | Ended::Answered(Outcome::Unknown(_)) => {
                    if !self.dice.permille(self.manners.loyalty_permille) {
                        self.member = self.dice.index(self.cluster.len());
                        self.cluster.stage().enter(|world| world.count("client: went to another member"));
                    }
                }
            }
            let mut think = self.manners.think.draw(&mut self.dice);
            if matches!(ended, Ended::Unreachable) {
                think = think.max(20_000_000);
            }
            self.cluster.stage().nap(think).await;
        }
    }

    /// The same client in a second thread, with luck of its own.
    fn another(&mut self) -> Client {
        Client {
            number: self.number,
            cluster: self.cluster.clone(),
            recorder: self.recorder.clone(),
            chronicle: self.chronicle.clone(),
            leases: self.leases.clone(),
            manners: self.manners.clone(),
            dice: Dice::new(self.dice.u64(), Concern::Workload),
            member: self.member,
            user: self.user.clone(),
        }
    }

    /// Waits until a lease is about to run out, then renews it, or has the leader hand over just then.
    async fn come_at_the_end(mut self, lease: i64, after_ns: u64, hand_over: bool) {
        let stage = self.cluster.stage().clone();
        stage.nap(after_ns).await;
        if stage.enter(|world| world.is_calm) {
            return;
        }
        if hand_over {
            self.hand_over().await;
        } else {
            drop(self.keep_alive(lease).await);
        }
    }

    /// Asks whoever this client's member believes to lead to hand over to somebody, who need not be there.
    async fn hand_over(&mut self) {
        let Some(leader) = self.cluster.edition(self.member).and_then(|edition| edition.standing.leader)
        else {
            return self.cluster.stage().nap(1_000_000).await;
        };
        let ids = self.cluster.member_ids();
        self.member = ids.iter().position(|&id| id == leader).unwrap_or(self.member);
        let heir = ids[self.dice.index(ids.len())];
        self.note(format_args!("> m{} move the lead to {heir}", self.member + 1));
        self.leases.hand_over();
        let stage = self.cluster.stage().clone();
        let Some((node, _)) = self.cluster.node(self.member) else {
            return stage.nap(1_000_000).await;
        };
        stage.spawn_on(self.member, "request", async move {
            let request = pb::MoveLeaderRequest { target_id: heir.0 };
            // Whether it worked shows in who leads.
            drop(node.move_leader(request).await);
        });
        stage.enter(|world| world.count("client: handover asked for"));
        let think = self.manners.think.draw(&mut self.dice);
        stage.nap(think).await;
    }

    /// Repeats a request until it is answered as wished; false if it was not by `deadline`, or never will be because
    /// the member is dead for good.
    pub async fn insist(&mut self, request: Request, deadline: u64) -> bool {
        let stage = self.cluster.stage().clone();
        let member = self.member;
        let goes_on = |world: &mut World| world.troubles().is_empty() && !world.is_buried(member);
        while stage.now() < deadline && stage.enter(goes_on) {
            if let Ended::Answered(Outcome::Ok(_)) = self.perform(request.clone()).await {
                return true;
            }
            stage.nap(20_000_000).await;
        }
        false
    }

    /// Sends a request to this client's member, and records what came of it.
    pub async fn perform(&mut self, request: Request) -> Ended {
        let stage = self.cluster.stage().clone();
        if !stage.enter(|world| world.is_up(self.member)) {
            return Ended::Unreachable;
        }
        let id = self
            .recorder
            .with(|recorded| recorded.history.call(self.number, recorded.clock, request.clone()));
        self.note(format_args!("#{id} > m{} {}", self.member + 1, Short(&request)));
        let (asked, deadline) =
            stage.enter(|world| (read_clocks(world), world.now() + self.manners.patience_ns));
        let granted = match request {
            Request::LeaseRevoke { id } => {
                self.leases.give_up(id);
                None
            }
            Request::LeaseGrant { id, .. } => Some(id),
            _ => None,
        };
        if let Some(lease) = granted {
            self.leases.ask(lease);
        }
        let outcome = self.call(Step::Ask(request.clone()), deadline).await;
        if let Outcome::Ok(Response::LeaseGrant { id, ttl, .. }) = outcome {
            self.leases.promise(id, asked, ttl);
        }
        if let Some(lease) = granted {
            self.leases.asked(lease, self.comes_through(&outcome));
        }
        self.note(format_args!("#{id} < {}", ShortOutcome(&outcome)));
        stage.enter(|world| probes::answered(&request, &outcome, world));
        self.recorder.with(|recorded| {
            recorded.acked += u64::from(matches!(outcome, Outcome::Ok(_)));
            recorded.history.ret(id, recorded.clock, outcome.clone());
        });
        Ended::Answered(outcome)
    }

    /// Renews a lease. A lease that is gone is a refusal.
    async fn keep_alive(&mut self, lease: i64) -> Ended {
        let stage = self.cluster.stage().clone();
        if !stage.enter(|world| world.is_up(self.member)) {
            return Ended::Unreachable;
        }
        self.note(format_args!("> m{} keep-alive {lease}", self.member + 1));
        let (asked, asked_ns) = stage.enter(|world| (read_clocks(world), world.now()));
        self.leases.ask(lease);
        let outcome = self.call(Step::KeepAlive(lease), asked_ns + self.manners.patience_ns).await;
        self.leases.asked(lease, self.comes_through(&outcome));
        self.note(format_args!("< {}", ShortOutcome(&outcome)));
        stage.enter(|world| probes::renewed(&outcome, world));
        if let Outcome::Ok(Response::LeaseGrant { ttl, .. }) = outcome {
            self.leases.promise(lease, asked, ttl);
            let lie = self.leases.renewed(lease, asked_ns);
            stage.enter(|world| {
                world.count("client: lease renewed");
                if let Some(text) = lie {
                    world.trouble("lease-truth", text);
                }
            });
        }
        Ended::Answered(outcome)
    }

    /// Until when what was asked for can come through, now that this came of it.
    fn comes_through(&self, outcome: &Outcome) -> u64 {
        let now = self.cluster.stage().now();
        match outcome {
            Outcome::Ok(_) | Outcome::Failed(_) => now,
            Outcome::Unknown(_) => unheard_until(now, self.cluster.settings().election),
        }
    }

    async fn call(&mut self, step: Step, deadline: u64) -> Outcome {
        let stage = self.cluster.stage().clone();
        let gave_up = || Outcome::Unknown("the client gave up".into());
        let there = self.manners.link.draw(&mut self.dice);
        let back = self.manners.link.draw(&mut self.dice);
        let lost = self.dice.permille(self.manners.loss_permille);
        let answer_lost = self.dice.permille(self.manners.loss_permille);
        let resets = self.dice.coin();
        if lost {
            stage.nap_until(deadline).await;
            return gave_up();
        }
        stage.nap(there).await;
        let Some((node, life)) = self.cluster.node(self.member) else {
            return Outcome::Unknown("the connection broke".into());
        };
        let (done, mut asked) = answer();
        let (member, home) = (self.member, stage.clone());
        let (chronicle, recorder, leases) =
            (self.chronicle.clone(), self.recorder.clone(), self.leases.clone());
        let election = self.cluster.settings().election;
        let roster = self.cluster.roster().clone();
        let user = self.user.clone();
        let started = stage.spawn_on(member, "request", async move {
            let arrived_ns = home.now();
            let led = leading(&node);
            let asked = match (&user, &step) {
                (Some(_), Step::Ask(request)) => Some((node.latest(), request.clone())),
                _ => None,
            };
            let node = match &user {
                Some(user) => node.asked_by(user.caller.clone()),
                None => node,
            };
            let write = matches!(&step, Step::Ask(request) if request.can_write());
            let compacts = matches!(step, Step::Ask(Request::Compact { .. }));
            let outcome = match step {
                Step::Ask(request) => serve(&node, request).await,
                Step::KeepAlive(lease) => renew(&node, lease).await,
                Step::Race { .. } | Step::AtTheEnd { .. } | Step::HandOver => {
                    unreachable!("it is made of several requests")
                }
            };
            let edition = node.latest();
            let leads = led.is_some() && led == leading(&node);
            drop(node);
            let applied = edition.standing.applied;
            let state_fault = chronicle.look(member, life, &edition, &recorder);
            let member_fault = roster.look(member, applied, &edition.view.members);
            let ok = matches!(outcome, Outcome::Ok(_));
            let (now_ns, led_write) = (home.now(), write && ok && leads);
            let answered = Answered { member, life, asked_ns: arrived_ns, now_ns, led_write, election };
            let auth_fault = user.zip(asked).and_then(|(user, (before, request))| {
                let (request, before) = (&request, &*before);
                let (after, outcome) = (&*edition, &outcome);
                let asked = Asked { user: &user.name, request, arrived_ns, before, after, outcome };
                let looked = user.permits.look(before).or_else(|| user.permits.look(after));
                looked.or_else(|| user.permits.judge(&asked))
            });
            let clocks = || home.enter(|world| read_clocks(world));
            let lease_fault = leases.look(&edition, answered, clocks);
            home.enter(|world| {
                if let Some(text) = auth_fault {
                    world.trouble("auth", text);
                }
                if let Some(text) = state_fault {
                    world.trouble("same-state", text);
                }
                if let Some(text) = member_fault {
                    world.trouble("membership", text);
                }
                if let Some((rule, text)) = lease_fault {
                    world.trouble(rule, text);
                }
                if ok && compacts {
                    world.observe(&Happening::Compacted { member });
                }
                if ok {
                    world.observe(&Happening::Answering { member, write, applied });
                }
                // Whoever dies now does not answer any more.
                if world.is_up(member) && world.life_of(member) == life && !answer_lost {
                    world.after(back, move |_| Answer::give(done, outcome));
                }
            });
        });
        if !started {
            return Outcome::Unknown("the connection broke".into());
        }
        // A broken connection is noticed soon, or not at all.
        loop {
            let now = stage.now();
            if let Some(outcome) = asked.until(&stage, deadline.min(now + 100_000_000)).await {
                return outcome;
            }
            let broke = resets && stage.enter(|world| world.life_of(member) != life || !world.is_up(member));
            if broke {
                return Outcome::Unknown("the connection broke".into());
            }
            if stage.now() >= deadline {
                return gave_up();
            }
        }
    }

    fn note(&self, line: std::fmt::Arguments<'_>) {
        let mut text = String::with_capacity(64);
        text.write_fmt(line).expect("a String takes everything");
        self.cluster
            .stage()
            .enter(|world| world.record(&Event::Client { client: self.number as usize, line: &text }));
    }
}

/// The term in which the member leads, if it does.
fn leading(node: &Node<Sim>) -> Option<u64> {
    let standing = node.latest().standing;
    (standing.leader == Some(node.config().me.id)).then_some(standing.term)
}

/// Asks a member what the client asked, in etcd's messages.
async fn serve(node: &Node<Sim>, request: Request) -> Outcome {
    let response: Result<Response, Refusal> = match request {
        Request::Range(request) if is_streamed(&request) => {
            stream(node, convert::range(&request)).await.map(convert::ranged)
        }
        Request::Range(request) => node.range(convert::range(&request)).await.map(convert::ranged),
        Request::Put(request) => node.put(convert::put(&request)).await.map(convert::was_put),
        Request::Delete(request) => node.delete_range(convert::delete(&request)).await.map(convert::deleted),
        Request::Txn(request) => node.txn(convert::txn(&request)).await.map(convert::was_txn),
        Request::Compact { revision } => {
            let request = pb::CompactionRequest { revision, physical: false };
            node.compact(request).await.map(|response| convert::compacted(&response))
        }
        Request::LeaseGrant { id, ttl } => {
            let granted = node.lease_grant(pb::LeaseGrantRequest { id, ttl }).await;
            granted.map(|response| convert::granted(&response))
        }
        Request::LeaseRevoke { id } => {
            let revoked = node.lease_revoke(pb::LeaseRevokeRequest { id }).await;
            revoked.map(|response| convert::revoked(&response))
        }
    };
    response.map_or_else(|refusal| convert::refused(&refusal), Outcome::Ok)
}

/// Half of the intervals are read in pieces: the same answer by another way.
fn is_streamed(request: &RangeRequest) -> bool {
    !request.range_end.is_empty() && request.key.iter().fold(0, |sum, byte| sum ^ byte) % 2 == 1
}

async fn stream(node: &Node<Sim>, request: pb::RangeRequest) -> Result<pb::RangeResponse, Refusal> {
    let mut pieces = node.range_stream(request).await?;
    let mut whole = pb::RangeResponse::default();
    while let Some(piece) = pieces.next_piece().and_then(|piece| piece.range_response) {
        let mut kvs = std::mem::take(&mut whole.kvs);
        kvs.extend(piece.kvs);
        whole = pb::RangeResponse { kvs, ..piece };
    }
    Ok(whole)
}

/// Renews a lease once. In the words of a grant: how long it has now.
async fn renew(node: &Node<Sim>, lease: i64) -> Outcome {
    match node.lease_keep_alive(pb::LeaseKeepAliveRequest { id: lease }).await {
        Ok(response) if response.ttl > 0 => {
            let revision = response.header.map_or(0, |header| header.revision);
            Outcome::Ok(Response::LeaseGrant { revision, id: lease, ttl: response.ttl })
        }
        Ok(_) => Outcome::Failed(Refused::LeaseNotFound),
        Err(refusal) => Outcome::Unknown(refusal.to_string()),
    }
}

/// The part of a key or value that tells it from others.
fn short(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(&bytes[..bytes.len().min(24)])
}

/// A request in a few words.
pub(crate) struct Short<'a>(pub &'a Request);

impl std::fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = short;
        match self.0 {
            Request::Range(range) => {
                let kind = if range.serializable { "sget" } else { "get" };
                write!(f, "{kind} {}", text(&range.key))?;
                if !range.range_end.is_empty() {
                    write!(f, "..{}", text(&range.range_end))?;
                }
                if range.revision > 0 { write!(f, " @{}", range.revision) } else { Ok(()) }
            }
            Request::Put(put) => write!(f, "put {}={}", text(&put.key), text(&put.value)),
            Request::Delete(delete) => write!(f, "del {}..{}", text(&delete.key), text(&delete.range_end)),
            Request::Txn(txn) => write!(
                f,
                "txn if {} then {} else {}",
                txn.compares.len(),
                txn.success.len(),
                txn.failure.len()
            ),
            Request::Compact { revision } => write!(f, "compact {revision}"),
            other => write!(f, "{other:?}"),
        }
    }
}

/// An outcome in a few words.
pub(crate) struct ShortOutcome<'a>(pub &'a Outcome);

impl std::fmt::Display for ShortOutcome<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Outcome::Ok(response) => {
                write!(f, "ok revision={}", response.revision())?;
                if let Response::Range(range) = response {
                    for kv in &range.kvs {
                        let (key, value) = (short(&kv.key), short(&kv.value));
                        write!(f, " {key}={value}@{}", kv.mod_revision)?;
                    }
                }
                Ok(())
            }
            Outcome::Failed(refusal) => write!(f, "refused: {refusal:?}"),
            Outcome::Unknown(why) => write!(f, "unknown: {why}"),
        }
    }
}
