//! One run: from a seed to a plan, through a storm and its end, to a verdict and a transcript.
use crate::{
    client::{Client, Manners, Recorder, locker::Locker, watcher::Watcher},
    cluster::Cluster,
    invariants::{Durability, HaltsWithReason, OneLeaderPerTerm},
    judge::{self, Chronicle, Leases, Linear, Reach, Watched},
    nemesis::{self, Supervisor, Traps},
    plan::Plan,
    probes::Probes,
    report::recording::{Draft, Recording},
    workload::Workload,
};
use detcd_core::Plants;
use detcd_jepsen_like::{
    check::Stats,
    history::{History, Request},
};
use detcd_runtime_sim::{
    Concern, Dice, Digest, Event, Keep, Latency, Stage, Tape, perform, perform_queued, tape,
};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Which of the two simulations a seed is played in. Plans, faults, clients, judges and transcripts are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// Whole members as tasks on madsim's nodes: the code that ships, from the front to the log writer.
    #[default]
    Member,
    /// Members that take their turns straight from a queue of what is due; several times as fast.
    Replica,
}

/// How a seed is to be run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub engine: Engine,
    pub plants: Plants,
    /// Keep the transcript's text.
    pub trace: bool,
    /// Keep everything, for [`Outcome::recording`].
    pub record: bool,
    /// Set traps, which wait for the worst moment; without, as much goes wrong at random times.
    pub aims: bool,
    /// Also judge causes: what a member must have on disk before it speaks.
    pub causes: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            engine: Engine::Member,
            plants: Plants::NONE,
            trace: false,
            record: false,
            aims: true,
            causes: true,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Clean,
    /// A rule was broken: which, and how.
    Fail {
        judge: String,
        text: String,
    },
    /// No judge could tell.
    Unknown(String),
    /// The simulator itself is wrong.
    Broken(String),
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub seed: u64,
    pub verdict: Verdict,
    /// Names everything that happened; the same seed gives the same digest in every process.
    pub digest: Digest,
    pub events: u64,
    /// Simulated nanoseconds.
    pub simulated_ns: u64,
    /// What happened how often: faults, messages, elections.
    pub counts: BTreeMap<&'static str, u64>,
    pub stats: Stats,
    /// Requests that were answered as wished.
    pub acked: u64,
    /// What playing and judging took, in nanoseconds of one processor; the one figure that differs from play to play.
    pub cpu_ns: u64,
    /// When the judge spoke, if one did while it ran; in simulated nanoseconds.
    pub failed_ns: Option<u64>,
    /// The transcript's text, if it was kept.
    pub text: Option<String>,
    /// Everything that happened, if it was recorded. It lacks the command that plays it again.
    pub recording: Option<Box<Recording>>,
}

impl Outcome {
    /// Clean, but only because nothing was done that could have gone wrong.
    pub fn is_vacuous(&self) -> bool {
        self.verdict == Verdict::Clean && self.stats.writes < 10
    }
}

/// The number of the first who contends for turns.
const CONTENDERS: u32 = 500;

/// Most polls of member tasks in a run; a run needs a few hundred thousand.
const BUDGET: u64 = 5_000_000;

/// Plays a seed. Deterministic: everything comes from the seed and the options.
pub fn run(seed: u64, options: Options) -> Outcome {
    play(Plan::draw(seed, options.plants), options)
}

/// Plays a plan, wherever it comes from.
pub fn play(plan: Plan, options: Options) -> Outcome {
    play_with(plan, options, Choices::Draw).outcome
}

/// Where the choices of a run come from.
#[derive(Clone, Debug)]
pub enum Choices {
    /// From the seed.
    Draw,
    /// From the seed, and kept.
    Record,
    /// From a tape, and from the seed where the tape has no answer.
    Play(Tape),
}

/// A run with its choices.
#[derive(Debug)]
pub struct Played {
    pub outcome: Outcome,
    /// What was chosen, if it was recorded.
    pub tape: Option<Tape>,
    /// Where the run first asked for something else than the tape holds.
    pub strayed: Option<String>,
}

/// Plays a plan with choices from the seed or from a tape.
pub fn play_with(mut plan: Plan, options: Options, choices: Choices) -> Played {
    let seed = plan.seed;
    plan.settings.plants = options.plants;
    if let Err(hole) = plan.check() {
        let outcome = broken(seed, format!("the plan cannot be played: {hole}"));
        return Played { outcome, tape: None, strayed: None };
    }
    let records = matches!(choices, Choices::Record);
    let scenario = move || {
        match choices {
            Choices::Draw => {}
            Choices::Record => tape::record(),
            Choices::Play(tape) => tape::play(tape),
        }
        async move {
            let (mut outcome, history) = act(plan, options).await;
            // The run has its thread to itself.
            outcome.cpu_ns = thread_cpu_ns();
            (outcome, history, tape::take())
        }
    };
    let played = match options.engine {
        Engine::Member => perform(seed, scenario),
        Engine::Replica => perform_queued(seed, scenario),
    };
    let (mut outcome, history, taken) = match played {
        Ok(played) => played,
        Err(panic) => return Played { outcome: broken(seed, panic), tape: None, strayed: None },
    };
    let before = thread_cpu_ns();
    judge_history(&mut outcome, &history, options.trace);
    outcome.cpu_ns += thread_cpu_ns() - before;
    let (tape, strayed) = taken.unzip();
    Played { outcome, tape: tape.filter(|_| records), strayed: strayed.flatten() }
}

/// What this thread has taken of a processor since it began, in nanoseconds.
fn thread_cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
    seconds.unwrap_or(0) * 1_000_000_000 + nanos.unwrap_or(0)
}

fn broken(seed: u64, why: String) -> Outcome {
    Outcome {
        seed,
        verdict: Verdict::Broken(why),
        digest: Digest::default(),
        events: 0,
        simulated_ns: 0,
        counts: BTreeMap::new(),
        stats: Stats::default(),
        acked: 0,
        cpu_ns: 0,
        failed_ns: None,
        text: None,
        recording: None,
    }
}

fn judge_history(outcome: &mut Outcome, history: &History, trace: bool) {
    if outcome.verdict == Verdict::Clean {
        match judge::linearizable(history) {
            Linear::Legal(stats) => outcome.stats = stats,
            Linear::Illegal(text) => {
                outcome.verdict = Verdict::Fail { judge: "linearizability".into(), text }
            }
            Linear::Unknown(why) => outcome.verdict = Verdict::Unknown(why),
        }
    }
    if let Some(mut recording) = outcome.recording.take() {
        recording.rule(outcome);
        outcome.text = trace.then(|| recording.text());
        outcome.recording = Some(recording);
    }
}

async fn act(plan: Plan, options: Options) -> (Outcome, History) {
    let seed = plan.seed;
    let members = plan.settings.members;
    let election_ns = plan.settings.election.as_nanos();
    let keep = match (options.record, options.trace) {
        (true, _) => Keep::Events,
        (false, true) => Keep::Text,
        (false, false) => Keep::Nothing,
    };
    let plan_text = options.record.then(|| plan.to_string());
    let cluster = Cluster::new(seed, plan.settings, plan.clocks, plan.weather, keep, BUDGET);
    let stage = cluster.stage().clone();
    let draft = plan_text.map(|plan| Draft::begin(&stage, plan));
    stage.enter(|world| {
        world.add_observer(OneLeaderPerTerm::default());
        world.add_observer(HaltsWithReason);
        world.add_observer(Durability::new(members, options.causes));
        world.add_observer(Probes::new(members));
        world.add_observer(Traps::new(plan.traps, members));
        world.add_observer(Supervisor::new(seed, election_ns));
        for member in 0..members {
            world.disk_mut(member).knobs = plan.disk.clone();
            world.start(member);
        }
    });

    let recorder = if draft.is_some() { Recorder::timed(stage.clone()) } else { Recorder::default() };
    let (chronicle, leases) = (Chronicle::default(), Leases::default());
    let stopped = Arc::new(AtomicBool::new(false));
    for number in 0..plan.clients {
        let mut dice = Dice::split(seed, Concern::Workload, u64::from(number));
        let member = dice.index(members);
        let (cluster, recorder, manners) = (cluster.clone(), recorder.clone(), plan.manners.clone());
        let (chronicle, leases) = (chronicle.clone(), leases.clone());
        let client = Client { number, cluster, recorder, chronicle, leases, manners, dice, member };
        let workload = Workload::new(number, plan.keys, plan.large_permille, plan.mix.clone());
        let stopped = stopped.clone();
        stage.spawn(client.work(workload, move || stopped.load(Ordering::Relaxed)));
    }
    for (i, contest) in plan.contenders.into_iter().enumerate() {
        let number = CONTENDERS + i as u32;
        let mut dice = Dice::split(seed, Concern::Workload, u64::from(number));
        let member = dice.index(members);
        let (cluster, recorder, manners) = (cluster.clone(), recorder.clone(), plan.manners.clone());
        let (chronicle, leases) = (chronicle.clone(), leases.clone());
        let client = Client { number, cluster, recorder, chronicle, leases, manners, dice, member };
        let stopped = stopped.clone();
        stage.spawn(Locker::new(client, contest).work(move || stopped.load(Ordering::Relaxed)));
    }
    let watched: Vec<Watched> = plan.watchers.into_iter().map(Watched::new).collect();
    let silenced = Arc::new(AtomicBool::new(false));
    for (i, watched) in watched.iter().enumerate() {
        let dice = Dice::split(seed, Concern::Workload, 2_000 + i as u64);
        if draft.is_some() {
            watched.keep_streams();
        }
        let watcher = Watcher { number: 100 + i, cluster: cluster.clone(), dice, watched: watched.clone() };
        let silenced = silenced.clone();
        stage.spawn(watcher.work(move || silenced.load(Ordering::Relaxed)));
    }
    stage.spawn(nemesis::strike(cluster.clone(), plan.strikes));

    storm(&stage, plan.storm_ns).await;
    let mut verdict = Verdict::Clean;
    if stage.enter(|world| world.troubles().is_empty()) {
        stage.enter(nemesis::heal);
        // Without load, or a member with a narrow window and a slow disk might run behind it for ever.
        stopped.store(true, Ordering::Relaxed);
        let deadline = stage.now() + 12 * election_ns + 3_000_000_000;
        let closing = Closing {
            seed,
            first_number: plan.clients,
            deadline,
            patience_ns: 3 * election_ns + 200_000_000,
        };
        verdict = close(&cluster, &recorder, &chronicle, &leases, closing).await;
        if verdict == Verdict::Clean {
            verdict = hear_out(&cluster, &chronicle, &watched).await;
        }
    }
    stopped.store(true, Ordering::Relaxed);
    silenced.store(true, Ordering::Relaxed);

    let (acked, times) = (recorder.acked(), recorder.times());
    let history = recorder.take();
    let outcome = stage.enter(|world| {
        if let Some(trouble) = world.troubles().first() {
            verdict = Verdict::Fail { judge: trouble.judge.clone(), text: trouble.text.clone() };
        }
        Outcome {
            seed,
            verdict,
            digest: world.digest(),
            events: world.events(),
            simulated_ns: world.now(),
            counts: world.counts().clone(),
            stats: Stats::default(),
            acked,
            cpu_ns: 0,
            failed_ns: world.troubles().first().map(|trouble| trouble.at),
            text: world.take_text(),
            recording: draft.map(|draft| Box::new(draft.finish(seed, world, &history, &times, &watched))),
        }
    });
    cluster.end().await;
    (outcome, history)
}

/// Waits for the storm to pass, or for the first trouble.
async fn storm(stage: &Stage, until: u64) {
    while stage.now() < until && stage.enter(|world| world.troubles().is_empty()) {
        stage.nap_until(until.min(stage.now() + 50_000_000)).await;
    }
}

struct Closing {
    seed: u64,
    first_number: u32,
    deadline: u64,
    patience_ns: u64,
}

/// Everything is healed: every member must answer a write and a read, then all must be equal.
async fn close(
    cluster: &Cluster,
    recorder: &Recorder,
    chronicle: &Chronicle,
    leases: &Leases,
    closing: Closing,
) -> Verdict {
    let stage = cluster.stage();
    let fail = |judge: &str, text: String| Verdict::Fail { judge: judge.into(), text };
    for member in 0..cluster.len() {
        let number = closing.first_number + member as u32;
        let dice = Dice::split(closing.seed, Concern::Workload, 1000 + member as u64);
        let manners = Manners {
            link: Latency::new(50, 300, 0, 0),
            loss_permille: 0,
            patience_ns: closing.patience_ns,
            think: Latency::new(1_000, 1_000, 0, 0),
            loyalty_permille: 1000,
        };
        let (cluster, recorder, chronicle) = (cluster.clone(), recorder.clone(), chronicle.clone());
        let leases = Leases::default();
        let mut client = Client { number, cluster, recorder, chronicle, leases, manners, dice, member };
        let key = Workload::key(0);
        for request in [Request::put(key, format!("closing-{member}")), Request::Range(Workload::all_keys())]
        {
            if !client.insist(request, closing.deadline).await {
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
    for member in 0..cluster.len() {
        let Some((node, life)) = cluster.node(member) else { continue };
        if let Some(text) = chronicle.look(member, life, &node.latest(), recorder) {
            return fail("same-state", text);
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

/// Every watcher hears the rest soon, and what it heard is what was made.
async fn hear_out(cluster: &Cluster, chronicle: &Chronicle, watched: &[Watched]) -> Verdict {
    let fail = |text: String| Verdict::Fail { judge: "watch".into(), text };
    let stage = cluster.stage();
    let Some(edition) = cluster.edition(0) else { return Verdict::Clean };
    let (revision, compacted) = {
        let keyspace = &edition.view.keyspace;
        (keyspace.revision(), keyspace.compact_revision() > 0)
    };
    let records = chronicle.records();
    let deadline = stage.now() + 3_000_000_000;
    for (i, watched) in watched.iter().enumerate() {
        while !watched.has_reached(revision, &records) {
            if stage.now() >= deadline || stage.enter(|world| !world.troubles().is_empty()) {
                let next = watched.next_revision();
                return fail(format!(
                    "watcher {} waits for revision {next}, and {revision} was made",
                    100 + i
                ));
            }
            stage.nap(20_000_000).await;
        }
        stage.enter(|world| world.count_many("client: event heard", watched.events()));
        if let Err(text) = watched.judge(&records, compacted) {
            return fail(format!("watcher {}: {text}", 100 + i));
        }
    }
    Verdict::Clean
}
