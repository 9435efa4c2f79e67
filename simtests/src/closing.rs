//! The end of a run: everything heals, and then every member must answer, all must be equal, and whoever waits must hear
//! what there is to hear.
use crate::{
    client::{Client, Manners, Recorder},
    cluster::Cluster,
    judge::{self, Chronicle, Leases, Reach},
    nemesis::{self, Doom, LastBlow},
    reform,
    story::Verdict,
    workload::Workload,
};
use detcd_jepsen_like::history::Request;
use detcd_runtime_sim::{Concern, Dice, Event, Latency};

/// Everything heals, but for those who are doomed.
pub fn last_blow(cluster: &Cluster, doom: &Doom, unsure: bool) {
    let mut leaders: Vec<_> =
        (0..cluster.len()).filter_map(|slot| Some((slot, cluster.edition(slot)?.standing))).collect();
    leaders.retain(|(slot, standing)| {
        standing.leader == Some(cluster.stage().enter(|world| world.id_of(*slot)))
    });
    // Who leads in the newest term; others may believe it of themselves.
    let leader = leaders.into_iter().max_by_key(|(_, standing)| standing.term).map(|(slot, _)| slot);
    let mut leaving = doom.leaving.clone();
    let mut deaf = None;
    // Where members change, nobody dies of whom a quorum may still need: the others are enough, and all of them are there.
    let voters = cluster.roster().newest().iter().filter(|member| !member.is_learner).count();
    let spares_nobody = cluster.settings().spares > 0 && (unsure || voters < 3);
    match doom.last_blow {
        LastBlow::Beheads | LastBlow::Deafens if spares_nobody => {}
        LastBlow::None => {}
        LastBlow::Beheads => leaving.extend(leader),
        LastBlow::Deafens => deaf = leader,
    }
    cluster.stage().enter(|world| {
        if doom.last_blow != LastBlow::None && leader.is_some() {
            world.count(if deaf.is_some() { "last blow: deaf leader" } else { "last blow: dead leader" });
        }
        nemesis::heal(world, &leaving, deaf);
    });
}

/// So long a member is asked before somebody looks whether it still is one.
const LOOK_NS: u64 = 500_000_000;

/// Of whoever looks whether all is well.
fn patient(patience_ns: u64) -> Manners {
    Manners {
        link: Latency::new(50, 300, 0, 0),
        loss_permille: 0,
        patience_ns,
        think: Latency::new(1_000, 1_000, 0, 0),
        loyalty_permille: 1000,
        speed_spread_permille: 0,
    }
}

pub struct Closing {
    pub seed: u64,
    pub first_number: u32,
    pub deadline: u64,
    pub patience_ns: u64,
}

/// Everything is healed: every member must answer a write and a read, then all must be equal.
pub async fn close(
    cluster: &Cluster,
    recorder: &Recorder,
    chronicle: &Chronicle,
    leases: &Leases,
    closing: Closing,
) -> Verdict {
    let stage = cluster.stage();
    let fail = |judge: &str, text: String| Verdict::Fail { judge: judge.into(), text };
    if cluster.settings().spares > 0
        && let Reach::Not(obstacle) = judge::converge(cluster, closing.deadline).await
    {
        return fail("convergence", obstacle);
    }
    for member in cluster.living() {
        if !cluster.votes(member) {
            continue;
        }
        let number = closing.first_number + member as u32;
        let dice = Dice::split(closing.seed, Concern::Workload, 1000 + member as u64);
        let manners = patient(closing.patience_ns);
        let (cluster, recorder, chronicle) = (cluster.clone(), recorder.clone(), chronicle.clone());
        let leases = Leases::default();
        let user = None;
        let mut client = Client { number, cluster, recorder, chronicle, leases, manners, dice, member, user };
        let key = Workload::key(0);
        for request in [Request::put(key, format!("closing-{member}")), Request::Range(Workload::all_keys())]
        {
            let mut answered = false;
            while !answered {
                // A change of the members may still be on its way.
                let deadline = closing.deadline.min(stage.now() + LOOK_NS);
                answered = client.insist(request.clone(), deadline).await;
                let is_over = stage.now() >= closing.deadline
                    || stage.enter(|world| !world.troubles().is_empty() || world.is_buried(member));
                if is_over || !client.cluster.votes(member) {
                    break;
                }
            }
            if !answered {
                if stage.enter(|world| world.is_buried(member)) || !client.cluster.votes(member) {
                    break;
                }
                if let Some(trouble) = stage.enter(|world| world.troubles().first().cloned()) {
                    return fail(&trouble.judge, trouble.text);
                }
                return fail(
                    "liveness",
                    format!("m{} did not answer in time after everything healed", member + 1),
                );
            }
        }
    }
    if cluster.settings().spares > 0 {
        let (number, leases) = (closing.first_number + cluster.len() as u32, Leases::default());
        let (cluster, recorder, chronicle) = (cluster.clone(), recorder.clone(), chronicle.clone());
        let manners = patient(closing.patience_ns);
        let dice = Dice::split(closing.seed, Concern::Workload, 1000 + u64::from(number));
        let (member, user) = (0, None);
        let client = Client { number, cluster, recorder, chronicle, leases, manners, dice, member, user };
        if !reform::can_still_change(client, closing.deadline).await {
            return fail("liveness", "the members cannot be changed any more".to_string());
        }
    }
    // Whoever still waits may wait for as long as a request can take.
    let deadline = closing.deadline.max(stage.now() + 2_000_000_000);
    if let Reach::Not(obstacle) = judge::converge(cluster, deadline).await {
        return fail("convergence", obstacle);
    }
    if let Some(text) = judge::run_out(cluster, leases).await {
        return fail("lease-late", text);
    }
    let deadline = deadline.max(stage.now() + 2_000_000_000);
    loop {
        if let Reach::Not(obstacle) = judge::converge(cluster, deadline).await {
            return fail("convergence", obstacle);
        }
        match judge::equal_state(cluster).await {
            None => break,
            Some(text) if judge::is_settled(cluster) => return fail("equal-state", text),
            // A lease ran out meanwhile.
            Some(_) => {}
        }
    }
    stage.enter(|world| world.record(&Event::Story { line: "all members are equal" }));
    for member in cluster.living() {
        let Some((node, life)) = cluster.node(member) else { continue };
        let edition = node.latest();
        if let Some(text) = chronicle.look(member, life, &edition, recorder) {
            return fail("same-state", text);
        }
        let (applied, members) = (edition.standing.applied, &edition.view.members);
        if let Some(text) = cluster.roster().look(member, applied, members) {
            return fail("membership", text);
        }
    }
    if let Some(text) = judge::fenced(&chronicle.records()) {
        return fail("fencing", text);
    }
    if let Some(text) = judge::acknowledged(cluster, &recorder.snapshot()).await {
        return fail("acknowledged", text);
    }
    Verdict::Clean
}
