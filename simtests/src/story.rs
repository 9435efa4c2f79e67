//! One run: from a seed to a plan, through a storm and its end, to a verdict and a transcript.
use crate::{
    client::{
        Client, Recorder,
        guest::{Administrator, Guest},
        locker::Locker,
        watcher::Watcher,
    },
    closing::{Closing, close, last_blow},
    cluster::Cluster,
    invariants::{Canary, Checkpoints, Durability, HaltsWithReason, OneLeaderPerTerm, SilentWithoutTail},
    judge::{
        self, Chronicle, Expected, Leases, Linear, Made, Permits, Queues, Rebuilt, Turns, Watched, Work,
    },
    nemesis::{self, Supervisor, Traps},
    plan::Plan,
    probes::Probes,
    profile::Profile,
    reform::{self, Operator},
    report::recording::{Draft, Recording},
    token::Engine,
    workload::Workload,
};
use detcd_core::Plants;
use detcd_jepsen_like::{check::Stats, history::History};
use detcd_runtime_sim::{Concern, Dice, Digest, Keep, Stage, Tape, World, perform, perform_queued, tape};
use rustix::time::{ClockId, clock_gettime};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// How a seed is to be run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub engine: Engine,
    pub profile: Profile,
    pub plants: Plants,
    /// Keep the transcript's text.
    pub trace: bool,
    /// Keep everything, for [`Outcome::recording`].
    pub record: bool,
    /// Set traps, which wait for the worst moment; without, as much goes wrong at random times.
    pub aims: bool,
    /// Also judge causes: what a member must have on disk before it speaks.
    pub causes: bool,
    /// A judge that must be heard says no as soon as the transcript has so many events.
    pub canary: Option<u64>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            engine: Engine::Member,
            profile: Profile::Swarm,
            plants: Plants::NONE,
            trace: false,
            record: false,
            aims: true,
            causes: true,
            canary: None,
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
    /// How many events there were when the judge spoke; all of them if none did.
    pub event: u64,
    /// Simulated nanoseconds.
    pub simulated_ns: u64,
    /// What happened how often: faults, messages, elections.
    pub counts: BTreeMap<&'static str, u64>,
    pub stats: Stats,
    /// What the judges had to judge, and which of them the plan gave work to.
    pub work: Work,
    pub expected: Expected,
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
    /// Clean, but only because some judge saw next to nothing of what the plan meant it to judge.
    pub fn is_vacuous(&self) -> bool {
        !self.idle().is_empty()
    }

    /// The judges that a clean run left without work.
    pub fn idle(&self) -> Vec<&'static str> {
        if self.verdict == Verdict::Clean { self.work.idle(&self.expected) } else { Vec::new() }
    }
}

/// The number of whoever changes the members.
const OPERATOR: u32 = 598;

/// The number of the first who contends for turns.
const CONTENDERS: u32 = 500;

/// The number of the first user with permissions of its own, and of whoever gives them.
const GUESTS: u32 = 600;
const ADMINISTRATOR: u32 = 599;

/// Most polls of member tasks in a run; a run needs a few hundred thousand.
const BUDGET: u64 = 5_000_000;

/// Plays a seed. Deterministic: everything comes from the seed and the options.
pub fn run(seed: u64, options: Options) -> Outcome {
    play(plan(seed, options), options)
}

/// What a seed stands for under these options.
pub fn plan(seed: u64, options: Options) -> Plan {
    let plan = options.profile.plan(seed, options.plants);
    if options.aims { plan } else { plan.without_aim() }
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
            let (mut outcome, history, made) = act(plan, options).await;
            // The run has its thread to itself.
            outcome.cpu_ns = thread_cpu_ns();
            (outcome, history, made, tape::take())
        }
    };
    let played = match options.engine {
        Engine::Member => perform(seed, scenario),
        Engine::Replica => perform_queued(seed, scenario),
    };
    let (mut outcome, history, made, taken) = match played {
        Ok(played) => played,
        Err(panic) => return Played { outcome: broken(seed, panic), tape: None, strayed: None },
    };
    let before = thread_cpu_ns();
    judge_history(&mut outcome, &history, &made, options.trace);
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
        event: 0,
        simulated_ns: 0,
        counts: BTreeMap::new(),
        stats: Stats::default(),
        work: Work::default(),
        expected: Expected::default(),
        acked: 0,
        cpu_ns: 0,
        failed_ns: None,
        text: None,
        recording: None,
    }
}

fn judge_history(outcome: &mut Outcome, history: &History, made: &Made, trace: bool) {
    if outcome.verdict == Verdict::Clean {
        match judge::linearizable(history, made) {
            Linear::Legal(stats) => outcome.stats = stats,
            Linear::Illegal(_) if outcome.counts.contains_key(BROKEN_PROMISE) => {
                *outcome.counts.entry(LOSS).or_default() += 1;
            }
            Linear::Illegal(text) => {
                outcome.verdict = Verdict::Fail { judge: "linearizability".into(), text }
            }
            Linear::Unknown(why) => outcome.verdict = Verdict::Unknown(why),
        }
    }
    (outcome.work.answers, outcome.work.writes) = (outcome.stats.checked, outcome.stats.writes);
    let idle = outcome.idle().into_iter().map(|judge| (judge, 1));
    for (what, n) in outcome.work.lines().into_iter().filter(|(_, n)| *n > 0).chain(idle) {
        *outcome.counts.entry(what).or_default() += n;
    }
    if let Some(mut recording) = outcome.recording.take() {
        recording.rule(outcome);
        outcome.text = trace.then(|| recording.text());
        outcome.recording = Some(recording);
    }
}

async fn act(plan: Plan, options: Options) -> (Outcome, History, Arc<Made>) {
    let seed = plan.seed;
    let (founders, members) = (plan.settings.members, plan.settings.slots());
    let has_reforms = plan.settings.spares > 0;
    let election_ns = plan.settings.election.as_nanos();
    let keep = match (options.record, options.trace) {
        (true, _) => Keep::Events,
        (false, true) => Keep::Text,
        (false, false) => Keep::Nothing,
    };
    let plan_text = options.record.then(|| plan.to_string());
    let expected = Expected {
        several_members: founders > 1,
        watches: !plan.watchers.is_empty(),
        leases: plan.mix.lease > 0 || !plan.contenders.is_empty(),
        turns: !plan.contenders.is_empty(),
        users: plan.users > 0,
        reforms: has_reforms,
    };
    let leases = Leases::default();
    leases.expect(
        plan.has_handovers() || !plan.reforms.is_empty(),
        plan.stops_clocks(),
        plan.fills_leaders(),
    );
    let max_inflight_messages = plan.settings.max_inflight_messages;
    let cluster = Cluster::new(seed, plan.settings, plan.clocks, plan.weather, keep, BUDGET);
    let stage = cluster.stage().clone();
    let draft = plan_text.map(|plan| Draft::begin(&stage, plan));
    let rebuilt = Rebuilt::default();
    stage.enter(|world| {
        world.add_observer(OneLeaderPerTerm::default());
        world.add_observer(HaltsWithReason::new(members));
        world.add_observer(if has_reforms {
            Durability::of_changing(cluster.roster().clone(), founders, members, options.causes)
        } else {
            Durability::new(members, options.causes)
        });
        world.add_observer(SilentWithoutTail::new(members));
        world.add_observer(Checkpoints::new(options.causes));
        world.add_observer(rebuilt.clone());
        world.add_observer(Probes::new(members, max_inflight_messages));
        world.add_observer(Traps::new(plan.traps, members));
        world.add_observer(Supervisor::new(seed, election_ns));
        if let Some(at) = options.canary {
            world.add_observer(Canary { at });
        }
        for member in 0..members {
            world.disk_mut(member).knobs = plan.disk.clone();
            world.start(member);
        }
    });

    let recorder = if draft.is_some() { Recorder::timed(stage.clone()) } else { Recorder::default() };
    let chronicle = Chronicle::default();
    let stopped = Arc::new(AtomicBool::new(false));
    let client = |number: u32| {
        let mut dice = Dice::split(seed, Concern::Workload, u64::from(number));
        let member = dice.index(members);
        let (cluster, recorder, manners) = (cluster.clone(), recorder.clone(), plan.manners.clone());
        let (chronicle, leases) = (chronicle.clone(), leases.clone());
        Client { number, cluster, recorder, chronicle, leases, manners, dice, member, user: None }
    };
    let at_the_end = || {
        let stopped = stopped.clone();
        move || stopped.load(Ordering::Relaxed)
    };
    for number in 0..plan.clients {
        let workload = Workload::new(number, plan.keys, plan.large_permille, plan.mix.clone());
        stage.spawn(client(number).work(workload, at_the_end()));
    }
    let turns = Turns::default();
    for (number, contest) in (CONTENDERS..).zip(plan.contenders) {
        let turns = plan.services.then(|| turns.clone());
        stage.spawn(Locker::new(client(number), contest, turns).work(at_the_end()));
    }
    let permits = Permits::default();
    let users: Vec<String> = (0..plan.users).map(|number| format!("user{number}")).collect();
    for (number, name) in (GUESTS..).zip(&users) {
        let guest = Guest::new(client(number), name.clone(), permits.clone());
        stage.spawn(guest.work(at_the_end()));
    }
    if !users.is_empty() {
        let administrator = Administrator { client: client(ADMINISTRATOR), users, permits: permits.clone() };
        stage.spawn(administrator.work(at_the_end()));
    }
    let watched: Vec<Watched> = plan.watchers.into_iter().map(Watched::new).collect();
    let silenced = Arc::new(AtomicBool::new(false));
    if draft.is_some() {
        watched.iter().for_each(Watched::keep_streams);
    }
    let mut number = 100;
    for watched in watched.chunk_by(|_, next| next.wish().joins) {
        let dice = Dice::split(seed, Concern::Workload, 1_900 + number as u64);
        let watcher = Watcher { number, cluster: cluster.clone(), dice, watched: watched.to_vec() };
        number += watched.len();
        let silenced = silenced.clone();
        stage.spawn(watcher.work(move || silenced.load(Ordering::Relaxed)));
    }
    let queues = Queues::default();
    let ended = silenced.clone();
    stage.spawn(queues.clone().watch(cluster.clone(), move || ended.load(Ordering::Relaxed)));
    stage.spawn(nemesis::strike(cluster.clone(), plan.strikes));
    let unsure = Arc::new(AtomicBool::new(false));
    if has_reforms {
        let operator = Operator { client: client(OPERATOR), unsure: unsure.clone() };
        stage.spawn(operator.work(plan.reforms, at_the_end()));
    }

    storm(&stage, plan.storm_ns).await;
    let mut verdict = Verdict::Clean;
    if stage.enter(|world| world.troubles().is_empty()) {
        stopped.store(has_reforms, Ordering::Relaxed);
        last_blow(&cluster, &plan.doom, unsure.load(Ordering::Relaxed));
        if has_reforms {
            let ended = silenced.clone();
            stage.spawn(reform::steward(cluster.clone(), move || ended.load(Ordering::Relaxed)));
        }
        // Without load, or a member with a narrow window and a slow disk might run behind it for ever.
        stopped.store(true, Ordering::Relaxed);
        let patience =
            if has_reforms { 24 * election_ns + 9_000_000_000 } else { 12 * election_ns + 3_000_000_000 };
        let deadline = stage.now() + patience;
        let closing = Closing {
            seed,
            first_number: plan.clients,
            deadline,
            patience_ns: 3 * election_ns + 200_000_000,
        };
        verdict = close(&cluster, &recorder, &chronicle, &leases, closing).await;
        if verdict == Verdict::Clean
            && let Some(text) = rebuilt.differs(&cluster)
        {
            verdict = Verdict::Fail { judge: "state-of-log".into(), text };
        }
        if verdict == Verdict::Clean
            && let Some(text) = turns.granted(&chronicle.records())
        {
            verdict = Verdict::Fail { judge: "turns".into(), text };
        }
        if verdict == Verdict::Clean {
            let wrong = judge::hear_out(&cluster, &chronicle, &recorder, &watched).await;
            if let Some(text) = wrong {
                verdict = Verdict::Fail { judge: "watch".into(), text };
            }
        }
    }
    stopped.store(true, Ordering::Relaxed);
    silenced.store(true, Ordering::Relaxed);

    let (acked, times) = (recorder.acked(), recorder.times());
    let history = recorder.take();
    let made = chronicle.records();
    let (lease_promises, lease_ends) = leases.judged();
    let work = Work {
        revisions_compared: chronicle.compared(),
        watches: watched.iter().map(Watched::times_opened).sum(),
        watch_events: watched.iter().map(Watched::events).sum(),
        lease_promises,
        lease_ends,
        guarded_writes: judge::guarded_writes(&made),
        lists: cluster.roster().compared(),
        turns_granted: turns.count(),
        permits: permits.judged(),
        queue_looks: queues.looks(),
        ..Work::default()
    };
    let outcome = stage.enter(|world| {
        let mut event = world.events();
        if let Some(trouble) = world.troubles().first() {
            event = trouble.event;
            verdict = Verdict::Fail { judge: trouble.judge.clone(), text: trouble.text.clone() };
        }
        excuse(&mut verdict, world);
        let dead = (0..members).filter(|&slot| world.is_buried(slot)).count();
        world.count_many("process: dead for good", dead as u64);
        Outcome {
            seed,
            verdict,
            digest: world.digest(),
            events: world.events(),
            event,
            simulated_ns: world.now(),
            counts: world.counts().clone(),
            stats: Stats::default(),
            work,
            expected,
            acked,
            cpu_ns: 0,
            failed_ns: world.troubles().first().map(|trouble| trouble.at),
            text: world.take_text(),
            recording: draft
                .map(|draft| Box::new(draft.finish(seed, world, (&history, &made), &times, &watched))),
        }
    });
    cluster.end().await;
    (outcome, history, made)
}

/// What no member can be blamed for; see [`World::is_excused`].
const LOSS: &str = "loss by a lying disk";

fn excuse(verdict: &mut Verdict, world: &mut World) {
    if matches!(verdict, Verdict::Fail { judge, .. } if world.is_excused(judge)) {
        world.count(LOSS);
        *verdict = Verdict::Clean;
    }
    if world.is_excused("linearizability") {
        world.count(BROKEN_PROMISE);
    }
}

/// A disk lost what it had called safe.
const BROKEN_PROMISE: &str = "disk: promise broken";

/// Waits for the storm to pass, or for the first trouble.
async fn storm(stage: &Stage, until: u64) {
    while stage.now() < until && stage.enter(|world| world.troubles().is_empty()) {
        stage.nap_until(until.min(stage.now() + 50_000_000)).await;
    }
}
