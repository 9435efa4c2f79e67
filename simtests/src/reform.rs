//! An operator who changes the members while things go wrong: what is planned, and how it is carried out.
use crate::{client::Client, cluster::Cluster, judge::Listed};
use detcd_core::{MemberId, Refusal};
use detcd_driver::Node;
use detcd_proto::etcdserverpb as pb;
use detcd_runtime_sim::{Dice, Event, Happening, Sim, Slot};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// What the operator wants. Whom it concerns is found when its time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reform {
    /// A machine that is free joins.
    Add { learner: bool },
    /// A learner, if there is one, becomes a voter.
    Promote,
    /// A machine joins as a learner and is started too late for its promotion, which must be refused.
    PromoteUnstarted,
    /// A member is removed, the leader or any.
    Remove { leader: bool },
    /// A member dies, and is removed without having heard of it.
    RemoveDead,
    /// A member is reached at one more URL.
    Update,
    /// A free machine takes the place of a member.
    Replace { leader: bool },
    /// A member is removed, and its machine joins with an empty disk at the same address.
    Rejoin,
    /// Somebody joins at an address that is taken; it is refused when it is applied.
    AddTaken,
    /// The machine of a member that was removed is started again, with the disk it had.
    Zombie,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub at_ns: u64,
    pub reform: Reform,
    /// Chooses among those whom it could concern.
    pub lot: u64,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let leader = |leader: bool| if leader { "the leader" } else { "a member" };
        write!(f, "at {} ms: ", self.at_ns / 1_000_000)?;
        match self.reform {
            Reform::Add { learner } => write!(f, "add a {}", if learner { "learner" } else { "voter" }),
            Reform::Promote => f.write_str("promote a learner"),
            Reform::PromoteUnstarted => f.write_str("try to promote a learner that was never started"),
            Reform::Remove { leader: l } => write!(f, "remove {}", leader(l)),
            Reform::RemoveDead => f.write_str("remove a member that is down"),
            Reform::Update => f.write_str("give a member one more URL"),
            Reform::Replace { leader: l } => write!(f, "replace {}", leader(l)),
            Reform::Rejoin => f.write_str("remove a member, and let its machine join with an empty disk"),
            Reform::AddTaken => f.write_str("add somebody at an address that is taken"),
            Reform::Zombie => f.write_str("start somebody who was removed"),
        }
    }
}

pub fn draw(dice: &mut Dice, storm_ns: u64) -> Vec<Step> {
    let mut steps: Vec<Step> = (0..dice.between(2, 10))
        .map(|_| {
            let reform = match dice.weighted(&[3, 4, 3, 2, 3, 3, 2, 3, 3, 4, 3, 2, 3]) {
                0 => Reform::Add { learner: false },
                1 => Reform::Add { learner: true },
                2 => Reform::Promote,
                3 => Reform::PromoteUnstarted,
                4 => Reform::Remove { leader: true },
                5 => Reform::Remove { leader: false },
                6 => Reform::RemoveDead,
                7 => Reform::Update,
                8 => Reform::Replace { leader: false },
                9 => Reform::Replace { leader: true },
                10 => Reform::Rejoin,
                11 => Reform::AddTaken,
                _ => Reform::Zombie,
            };
            Step { at_ns: dice.below(storm_ns), reform, lot: dice.u64() }
        })
        .collect();
    steps.sort_by_key(|step| step.at_ns);
    steps
}

/// Carries the steps out, one after the other.
pub struct Operator {
    pub client: Client,
    /// A change is under way, or nobody knows what became of one.
    pub unsure: Arc<AtomicBool>,
}

/// How often one request is tried.
const TRIES: u64 = 12;

impl Operator {
    pub async fn work(mut self, steps: Vec<Step>, stopped: impl Fn() -> bool) {
        for step in steps {
            self.stage_nap_until(step.at_ns).await;
            if stopped() {
                return;
            }
            let line = format!("the operator: {step}");
            self.cluster().stage().enter(|world| world.record(&Event::Story { line: &line }));
            self.unsure.store(true, Ordering::Relaxed);
            if self.carry_out(step, &stopped).await.is_some() {
                self.unsure.store(false, Ordering::Relaxed);
                self.cluster().stage().enter(|world| world.count(counted(step.reform)));
            }
        }
    }

    fn cluster(&self) -> Cluster {
        self.client.cluster.clone()
    }

    async fn stage_nap_until(&self, at: u64) {
        self.client.cluster.stage().nap_until(at).await;
    }

    /// None: it did not work out, or nobody knows.
    async fn carry_out(&mut self, step: Step, stopped: &impl Fn() -> bool) -> Option<()> {
        let cluster = self.cluster();
        let lot = step.lot;
        match step.reform {
            Reform::Add { learner } => {
                let slot = pick(&cluster.free_slots(), lot)?;
                self.add(slot, learner, lot, stopped).await
            }
            Reform::Promote => {
                let learner = pick(&self.listed(|member| member.is_learner), lot)?;
                self.promote(learner.id, stopped).await
            }
            Reform::PromoteUnstarted => {
                let slot = pick(&cluster.free_slots(), lot)?;
                let id = self.join(slot, true, stopped).await?;
                if let Some(Ok(_)) = self.try_promote(id).await
                    && cluster.stage().enter(|world| world.id_of(slot) != id)
                {
                    cluster.stage().enter(|world| {
                        world.trouble("readiness", format!("{id} was promoted and never started"));
                    });
                }
                cluster.settle(slot, id);
                Some(())
            }
            Reform::Remove { leader } => {
                let victim = self.victim(leader, lot)?;
                self.remove(victim, stopped).await
            }
            Reform::RemoveDead => {
                let victim = self.victim(false, lot)?;
                let slot = cluster.slot_at(&victim)?;
                cluster.hold(slot, true);
                cluster.stage().enter(|world| world.crash(slot));
                let done = self.remove(victim, stopped).await;
                cluster.hold(slot, false);
                if done.is_none() {
                    cluster.stage().enter(|world| world.start(slot));
                }
                done
            }
            Reform::Update => {
                let member = pick(&self.listed(|_| true), lot)?;
                let base = member.peer_urls.first()?.clone();
                let other = format!("{base}-{}", lot % 1000);
                self.update(member.id, vec![base, other], stopped).await
            }
            Reform::Replace { leader } => {
                let victim = self.victim(leader, lot)?;
                let slot = pick(&cluster.free_slots(), lot)?;
                self.add(slot, true, lot, stopped).await?;
                let url = cluster.url(slot);
                let new = pick(&self.listed(|member| member.peer_urls.contains(&url)), 0)?;
                self.promote(new.id, stopped).await?;
                self.remove(victim, stopped).await
            }
            Reform::Rejoin => {
                let victim = self.victim(false, lot)?;
                let slot = cluster.slot_at(&victim)?;
                self.remove(victim, stopped).await?;
                cluster.hold(slot, true);
                cluster.stage().enter(|world| world.crash(slot));
                let done = self.add(slot, lot.is_multiple_of(2), lot, stopped).await;
                cluster.hold(slot, false);
                done
            }
            Reform::AddTaken => {
                let url = pick(&self.listed(|_| true), lot)?.peer_urls.first()?.clone();
                let request = pb::MemberAddRequest { peer_urls: vec![url], is_learner: false };
                let call = async move |node: Node<Sim>| node.member_add(request).await;
                self.elsewhere();
                self.client.ask(call).await?.err().map(|_| ())
            }
            Reform::Zombie => {
                let slot = pick(&cluster.removed_slots(), lot)?;
                cluster.stage().enter(|world| world.start(slot));
                Some(())
            }
        }
    }

    /// Lets a machine join and starts it, sooner or later.
    async fn add(&mut self, slot: Slot, learner: bool, lot: u64, stopped: &impl Fn() -> bool) -> Option<()> {
        let id = self.join(slot, learner, stopped).await?;
        let cluster = self.cluster();
        let patience = cluster.settings().election.as_nanos() * (lot / 7 % 4);
        cluster.stage().nap(patience).await;
        cluster.hold(slot, false);
        cluster.settle(slot, id);
        Some(())
    }

    async fn join(&mut self, slot: Slot, learner: bool, stopped: &impl Fn() -> bool) -> Option<MemberId> {
        let url = self.cluster().url(slot);
        for _ in 0..TRIES {
            // What an earlier try came to may show only now.
            if let Some(found) = pick(&self.listed(|member| member.peer_urls.contains(&url)), 0) {
                return Some(found.id);
            }
            if stopped() {
                return None;
            }
            self.elsewhere();
            let request = pb::MemberAddRequest { peer_urls: vec![url.clone()], is_learner: learner };
            let call = async move |node: Node<Sim>| node.member_add(request).await;
            match self.client.ask(call).await {
                Some(Ok(added)) => return added.member.map(|member| MemberId(member.id)),
                Some(Err(Refusal::TooManyLearners)) => return None,
                _ => self.pause().await,
            }
        }
        None
    }

    async fn try_promote(&mut self, id: MemberId) -> Option<Result<pb::MemberPromoteResponse, Refusal>> {
        self.elsewhere();
        let request = pb::MemberPromoteRequest { id: id.0 };
        self.client.ask(async move |node: Node<Sim>| node.member_promote(request).await).await
    }

    async fn promote(&mut self, id: MemberId, stopped: &impl Fn() -> bool) -> Option<()> {
        for _ in 0..2 * TRIES {
            match self.try_promote(id).await {
                Some(Ok(_) | Err(Refusal::MemberNotLearner)) => return Some(()),
                _ if stopped() => return None,
                _ => self.pause().await,
            }
        }
        None
    }

    async fn remove(&mut self, victim: Listed, stopped: &impl Fn() -> bool) -> Option<()> {
        for _ in 0..TRIES {
            self.elsewhere();
            let request = pb::MemberRemoveRequest { id: victim.id.0 };
            let call = async move |node: Node<Sim>| node.member_remove(request).await;
            match self.client.ask(call).await {
                Some(Ok(_) | Err(Refusal::MemberNotFound)) => return Some(()),
                _ if stopped() => return None,
                _ => self.pause().await,
            }
        }
        None
    }

    async fn update(
        &mut self,
        id: MemberId,
        peer_urls: Vec<String>,
        stopped: &impl Fn() -> bool,
    ) -> Option<()> {
        for _ in 0..TRIES {
            self.elsewhere();
            let request = pb::MemberUpdateRequest { id: id.0, peer_urls: peer_urls.clone() };
            let call = async move |node: Node<Sim>| node.member_update(request).await;
            match self.client.ask(call).await {
                Some(Ok(_) | Err(Refusal::MemberNotFound | Refusal::PeerURLExist)) => return Some(()),
                _ if stopped() => return None,
                _ => self.pause().await,
            }
        }
        None
    }

    /// Another member, or the same, is asked next.
    fn elsewhere(&mut self) {
        let living = self.client.cluster.living();
        self.client.member = if living.is_empty() { 0 } else { living[self.client.dice.index(living.len())] };
    }

    async fn pause(&mut self) {
        let election = self.client.cluster.settings().election.as_nanos();
        let nap = self.client.dice.between(election / 4, election);
        self.client.cluster.stage().nap(nap).await;
    }

    fn listed(&self, which: impl Fn(&Listed) -> bool) -> Vec<Listed> {
        self.client.cluster.roster().newest().iter().filter(|member| which(member)).cloned().collect()
    }

    /// Whom to remove. A majority of those who stay has been started.
    fn victim(&self, leader: bool, lot: u64) -> Option<Listed> {
        let cluster = &self.client.cluster;
        let leaders: Vec<Listed> = self.listed(|member| Some(member.id) == cluster.leader());
        let victim = match leader {
            true => pick(&leaders, lot)?,
            false => pick(&self.listed(|_| true), lot)?,
        };
        let others = self.listed(|member| !member.is_learner && member.id != victim.id);
        let settled = others.iter().filter(|member| cluster.is_settled(member)).count();
        (settled > others.len() / 2).then_some(victim)
    }
}

fn pick<T: Clone>(among: &[T], lot: u64) -> Option<T> {
    let at = lot.checked_rem(among.len() as u64)?;
    among.get(at as usize).cloned()
}

fn counted(reform: Reform) -> &'static str {
    match reform {
        Reform::Add { learner: false } => "reform: voter added",
        Reform::Add { learner: true } => "reform: learner added",
        Reform::Promote => "reform: learner promoted",
        Reform::PromoteUnstarted => "reform: unstarted learner not promoted",
        Reform::Remove { leader: true } => "reform: leader removed",
        Reform::Remove { leader: false } => "reform: member removed",
        Reform::RemoveDead => "reform: dead member removed",
        Reform::Update => "reform: URLs changed",
        Reform::Replace { leader: true } => "reform: leader replaced",
        Reform::Replace { leader: false } => "reform: member replaced",
        Reform::Rejoin => "reform: wiped machine joined again",
        Reform::AddTaken => "reform: taken address refused",
        Reform::Zombie => "reform: removed member started",
    }
}

/// Whether a change of the members comes through by the deadline: one that changes nothing.
pub async fn can_still_change(client: Client, deadline: u64) -> bool {
    let mut operator = Operator { client, unsure: Arc::default() };
    let stage = operator.cluster().stage().clone();
    loop {
        let first = pick(&operator.listed(|_| true), 0);
        let over = || stage.now() >= deadline || stage.enter(|world| !world.troubles().is_empty());
        let Some(Listed { id, peer_urls, .. }) = first else { return false };
        if operator.update(id, peer_urls, &over).await.is_some() {
            return true;
        }
        if over() {
            return false;
        }
    }
}

/// After the storm: whoever is in the list is started on its machine. One who was removed is started again while nobody
/// leads: whoever has not heard of the removal may need its vote to hear of it.
pub async fn steward(cluster: Cluster, stopped: impl Fn() -> bool) {
    let patience = 4 * cluster.settings().election.as_nanos();
    let mut led_at = cluster.stage().now();
    while !stopped() {
        // One who is alone tells nobody what it has committed.
        for slot in 0..cluster.len() {
            if let Some(edition) = cluster.edition(slot) {
                let applied = edition.standing.applied;
                cluster.stage().enter(|world| world.observe(&Happening::Looked { member: slot, applied }));
            }
        }
        for member in cluster.roster().newest().iter() {
            let Some(slot) = cluster.slot_at(member) else { continue };
            if !cluster.is_settled(member) {
                cluster.stage().enter(|world| world.crash(slot));
                cluster.settle(slot, member.id);
            } else {
                cluster.stage().enter(|world| {
                    if !world.is_up(slot) {
                        world.start(slot);
                    }
                });
            }
        }
        let now = cluster.stage().now();
        if cluster.leader().is_some() {
            led_at = now;
        } else if now - led_at > patience {
            led_at = now;
            for slot in cluster.removed_slots() {
                cluster.stage().enter(|world| world.start(slot));
            }
        }
        cluster.stage().nap(50_000_000).await;
    }
}
