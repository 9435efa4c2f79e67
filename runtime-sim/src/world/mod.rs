//! The world that members live in: who lives, what is due, and the hands that a nemesis works with.
//!
//! One lock guards it and one thread enters it. Nothing that could run a member's code (killing its tasks, dropping
//! what it waits for) happens inside the lock: such chores are put aside and done by the clockwork.
mod lives;

use crate::{
    agenda::{Agenda, Due, Key},
    chance::{Concern, Dice},
    clock::{Clock, Timepiece},
    disk::Platter,
    event::{Event, Happening, Observer},
    fuse::Fuse,
    links::{Links, Weather},
    net::Inbox,
    runtime::Sim,
    task::{Guarded, Nap, panic_text},
    transcript::{Digest, Transcript},
};
use detcd_core::MemberId;
use detcd_driver::{Fault, PeerAnswer, PeerCall};
use madsim::{
    runtime::{Handle, NodeHandle, Runtime},
    time::{Duration, TimeHandle},
};
use std::{
    collections::BTreeMap,
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, TryLockError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

/// A member's place in the world, from 0.
pub type Slot = usize;

pub type Boot = Arc<dyn Fn(Sim) -> Pin<Box<dyn Future<Output = Result<(), Fault>> + Send>> + Send + Sync>;

pub type Serve = Arc<
    dyn Fn(PeerCall) -> Pin<Box<dyn Future<Output = Result<PeerAnswer, detcd_driver::CallFailed>> + Send>>
        + Send
        + Sync,
>;

/// Asks a member to end in good order; done when it has.
pub type Stop = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// What a world begins with.
pub struct Setup {
    pub seed: u64,
    pub members: Vec<MemberId>,
    pub clocks: Vec<Clock>,
    pub weather: Weather,
    /// Keep the transcript's text.
    pub trace: bool,
    /// Most things that may happen before the run counts as a storm.
    pub budget: u64,
}

/// One life of a member, from boot to death.
pub(crate) struct Life {
    pub member: Slot,
    pub number: u64,
    pub node: NodeHandle,
    alive: AtomicBool,
}

pub(crate) struct Resident {
    pub(crate) fuse: Option<Fuse>,
    /// Dead for good: nobody starts it again.
    pub(crate) is_buried: bool,
    id: MemberId,
    node: NodeHandle,
    life: Option<Arc<Life>>,
    lives: u64,
    paused: bool,
    clock: Timepiece,
    pub(crate) disk: Platter,
    inbox: Inbox,
    peers: Vec<Slot>,
    serve: Option<Serve>,
    stop: Option<Stop>,
}

/// What has to be done outside the lock.
enum Chore {
    Kill(Arc<Life>),
    Pause(Arc<Life>),
    Resume(Arc<Life>),
    Boot(Slot),
    Stop(Arc<Life>, Stop),
    /// Only to be dropped.
    Forget(Box<dyn std::any::Any + Send>),
}

/// Something that must not happen in any run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Which rule, in one word.
    pub judge: String,
    pub text: String,
    /// When, in simulated nanoseconds.
    pub at: u64,
}

pub struct World {
    time: TimeHandle,
    pub(crate) members: Vec<Resident>,
    /// Where clients, the nemesis and the clockwork run. It ends with the world: a task that still waits then would
    /// keep all it holds for ever.
    backstage: NodeHandle,
    pub(crate) agenda: Agenda,
    armed: Vec<u64>,
    clockwork: Option<Waker>,
    chores: Vec<Chore>,
    pub links: Links,
    pub(crate) link_dice: Dice,
    /// Set by an observer of a delivery: the message comes so much later.
    pub(crate) delay_ns: Option<u64>,
    pub(crate) disk_dice: Dice,
    entropy: Dice,
    transcript: Transcript,
    observers: Vec<Box<dyn Observer>>,
    boot: Option<Boot>,
    budget: u64,
    clock_looks: u64,
    troubles: Vec<Trouble>,
    counts: BTreeMap<&'static str, u64>,
    over: bool,
    /// The storm has passed: nothing new may go wrong.
    pub is_calm: bool,
}

/// The handle to a world; every port, client and nemesis holds one.
#[derive(Clone)]
pub struct Stage(Arc<Mutex<World>>);

/// Performs a scenario in a world of its own: a fresh OS thread, a fresh executor whose order of tasks comes from the
/// seed. Err is the text of a panic of the scenario itself.
pub fn perform<T, F, S>(seed: u64, scenario: S) -> Result<T, String>
where
    T: Send + 'static,
    F: Future<Output = T>,
    S: FnOnce() -> F + Send + 'static,
{
    let schedule = Dice::new(seed, Concern::Schedule).u64();
    // std's hash seeds are per thread, so a run that shares its thread with another one would inherit them.
    let run = std::thread::Builder::new().name(format!("seed {seed:#x}")).spawn(move || {
        Runtime::with_seed_and_config(schedule, madsim::Config::default()).block_on(scenario())
    });
    let run = run.map_err(|error| format!("no thread for the run: {error}"))?;
    run.join().map_err(|panic| panic_text(panic.as_ref()))
}

impl Stage {
    /// Sets the world up inside the running scenario.
    pub fn new(setup: Setup) -> Stage {
        let handle = Handle::current();
        let seed = setup.seed;
        let n = setup.members.len();
        let backstage = handle.create_node().name("backstage").build();
        let members =
            setup.members.iter().zip(setup.clocks).enumerate().map(|(slot, (&id, clock))| Resident {
                fuse: None,
                is_buried: false,
                id,
                node: handle.create_node().name(format!("m{}", slot + 1)).build(),
                life: None,
                lives: 0,
                paused: false,
                clock: Timepiece::new(clock),
                disk: Platter::default(),
                inbox: Inbox::default(),
                peers: Vec::new(),
                serve: None,
                stop: None,
            });
        let world = World {
            time: TimeHandle::current(),
            members: members.collect(),
            backstage: backstage.clone(),
            agenda: Agenda::default(),
            armed: Vec::new(),
            clockwork: None,
            chores: Vec::new(),
            links: Links::new(n, setup.weather),
            link_dice: Dice::new(seed, Concern::Links),
            delay_ns: None,
            disk_dice: Dice::new(seed, Concern::Disk),
            entropy: Dice::new(seed, Concern::Entropy),
            transcript: Transcript::new(setup.trace),
            observers: Vec::new(),
            boot: None,
            budget: setup.budget,
            clock_looks: 0,
            troubles: Vec::new(),
            counts: BTreeMap::new(),
            over: false,
            is_calm: false,
        };
        let stage = Stage(Arc::new(Mutex::new(world)));
        backstage.spawn(stage.clone().clockwork());
        stage
    }

    /// Does something to the world. Never call it from within.
    pub fn enter<T>(&self, f: impl FnOnce(&mut World) -> T) -> T {
        match self.0.try_lock() {
            Ok(mut world) => f(&mut world),
            Err(TryLockError::Poisoned(poisoned)) => f(&mut poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => panic!("the world was entered from within"),
        }
    }

    pub fn now(&self) -> u64 {
        self.enter(|world| world.now())
    }

    pub fn nap_until(&self, at: u64) -> Nap {
        Nap::new(self.clone(), at)
    }

    pub fn nap(&self, ns: u64) -> Nap {
        self.nap_until(self.now().saturating_add(ns))
    }

    /// Starts a task that belongs to no member: a client, a nemesis.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let backstage = self.enter(|world| world.backstage.clone());
        backstage.spawn(task);
    }

    /// Starts a task in the current life of a member, as a request that arrives there would. False: nobody is there.
    pub fn spawn_on(
        &self,
        member: Slot,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> bool {
        let Some(life) = self.enter(|world| world.members[member].life.clone()) else { return false };
        self.spawn_in(&life, name, task);
        true
    }

    pub(crate) fn spawn_in(
        &self,
        life: &Life,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let stage = self.clone();
        life.node.spawn(Guarded {
            stage,
            member: life.member,
            life: life.number,
            name,
            future: Box::pin(task),
        });
    }

    /// Does what is due, when it is due, for as long as the run lasts.
    async fn clockwork(self) {
        std::future::poll_fn(|cx| {
            loop {
                let (chores, more) = self.enter(|world| {
                    let mut more = false;
                    let now = world.now();
                    if let Some(due) = world.agenda.take_due(now) {
                        more = true;
                        match due {
                            Due::Wake(waker) | Due::Alarm(_, waker) => waker.wake(),
                            Due::Do(deed) => deed(world),
                        }
                    }
                    (std::mem::take(&mut world.chores), more)
                });
                let idle = chores.is_empty() && !more;
                for chore in chores {
                    self.do_chore(chore);
                }
                if idle {
                    self.enter(|world| world.wait(cx));
                    return Poll::<()>::Pending;
                }
            }
        })
        .await;
    }

    fn do_chore(&self, chore: Chore) {
        let handle = Handle::current();
        match chore {
            // Madsim kills whoever lives in the node now, and that may be the next life already.
            Chore::Kill(life) if self.enter(|world| world.is_latest(&life)) => handle.kill(life.node.id()),
            Chore::Pause(life) if self.enter(|world| world.is_alive(&life)) => handle.pause(life.node.id()),
            Chore::Resume(life) if self.enter(|world| world.is_alive(&life)) => handle.resume(life.node.id()),
            Chore::Stop(life, stop) => {
                let (stage, stopping) = (self.clone(), life.clone());
                self.spawn_in(&life, "stop", async move {
                    stop().await;
                    stage.enter(|world| world.stopped(&stopping));
                });
            }
            Chore::Kill(_) | Chore::Pause(_) | Chore::Resume(_) => {}
            Chore::Forget(held) => drop(held),
            Chore::Boot(member) => {
                let Some(boot) =
                    self.enter(|world| world.may_boot(member).then(|| world.boot.clone()).flatten())
                else {
                    return;
                };
                let id = self.enter(|world| world.members[member].node.id());
                // A restart alone would leave the tasks of the old life to die later.
                handle.kill(id);
                handle.restart(id);
                let node = handle.get_node(id).expect("the node was created with the world");
                let life = self.enter(|world| world.begin_life(member, node));
                let sim = Sim::new(self.clone(), life.clone());
                let stage = self.clone();
                self.spawn_in(&life, "boot", async move {
                    let life = sim.life();
                    if let Err(Fault(why)) = boot(sim).await {
                        stage.enter(|world| world.halt(&life, &why));
                    }
                });
            }
        }
    }

    /// Ends the run: everybody dies, and what they held is dropped. Without it every run would leak its members.
    pub async fn end(&self) {
        let (nodes, left) = self.enter(|world| {
            world.over = true;
            let mut left: Vec<Box<dyn std::any::Any + Send>> = Vec::new();
            for resident in &mut world.members {
                if let Some(life) = resident.life.take() {
                    life.alive.store(false, Ordering::Relaxed);
                }
                left.push(Box::new(std::mem::take(&mut resident.inbox)));
                left.push(Box::new(resident.serve.take()));
                left.push(Box::new(resident.stop.take()));
            }
            left.push(Box::new(std::mem::take(&mut world.chores)));
            left.push(Box::new(world.boot.take()));
            left.push(Box::new(std::mem::take(&mut world.observers)));
            left.push(Box::new(world.agenda.take_all()));
            let mut nodes: Vec<_> = world.members.iter().map(|resident| resident.node.id()).collect();
            nodes.push(world.backstage.id());
            (nodes, left)
        });
        for node in nodes {
            Handle::current().kill(node);
        }
        drop(left);
        madsim::time::sleep(Duration::from_secs(1)).await;
    }
}

impl World {
    /// Nanoseconds since the run began.
    pub fn now(&self) -> u64 {
        self.time.elapsed().as_nanos() as u64
    }

    pub fn len(&self) -> usize {
        self.members.len()
    }

    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub fn id_of(&self, member: Slot) -> MemberId {
        self.members[member].id
    }

    pub fn slot_of(&self, id: MemberId) -> Option<Slot> {
        self.members.iter().position(|resident| resident.id == id)
    }

    pub fn is_up(&self, member: Slot) -> bool {
        self.members[member].life.is_some()
    }

    pub fn is_paused(&self, member: Slot) -> bool {
        self.members[member].paused
    }

    /// Which life a member is in, from 1; 0 if it never booted. Counts on through death.
    pub fn life_of(&self, member: Slot) -> u64 {
        self.members[member].lives
    }

    pub fn disk(&self, member: Slot) -> &Platter {
        &self.members[member].disk
    }

    pub fn disk_mut(&mut self, member: Slot) -> &mut Platter {
        &mut self.members[member].disk
    }

    pub fn set_boot(&mut self, boot: Boot) {
        self.boot = Some(boot);
    }

    pub fn add_observer(&mut self, observer: impl Observer + 'static) {
        self.observers.push(Box::new(observer));
    }

    pub fn record(&mut self, event: &Event<'_>) {
        let at = self.now();
        self.transcript.record(at, event);
    }

    pub fn digest(&self) -> Digest {
        self.transcript.digest()
    }

    pub fn events(&self) -> u64 {
        self.transcript.events()
    }

    pub fn take_text(&mut self) -> Option<String> {
        self.transcript.take_text()
    }

    pub fn count(&mut self, what: &'static str) {
        self.count_many(what, 1);
    }

    pub fn count_many(&mut self, what: &'static str, n: u64) {
        if n > 0 {
            *self.counts.entry(what).or_default() += n;
        }
    }

    pub fn counts(&self) -> &BTreeMap<&'static str, u64> {
        &self.counts
    }

    /// Reports what must not be. The run may go on; the first report is the verdict.
    pub fn trouble(&mut self, judge: &str, text: impl Into<String>) {
        let (at, text) = (self.now(), text.into());
        if self.is_excused(judge) {
            return self.count("loss by a lying disk");
        }
        if self.troubles.len() < 16 {
            let line = format!("{judge}: {text}");
            self.record(&Event::Story { line: &line });
            self.troubles.push(Trouble { judge: judge.to_owned(), text, at });
        }
    }

    /// A member whose disk lies can forget its vote and what it acknowledged, and no protocol that counts on disks
    /// survives that: what was committed may be gone from everybody. So once a disk has broken its promise only what
    /// a member must never do is held against it: panic, or storm.
    pub fn is_excused(&self, judge: &str) -> bool {
        !matches!(judge, "panic" | "event-budget") && self.members.iter().any(|r| r.disk.broke_a_promise())
    }

    pub fn troubles(&self) -> &[Trouble] {
        &self.troubles
    }

    /// Does something later.
    pub fn after(&mut self, ns: u64, deed: impl FnOnce(&mut World) + Send + 'static) {
        let at = self.now().saturating_add(ns);
        self.add(at, Due::Do(Box::new(deed)));
    }

    pub(crate) fn add(&mut self, at: u64, due: Due) -> Key {
        let key = self.agenda.add(at, due);
        if self.armed.iter().all(|&armed| at < armed) {
            self.arm(at);
        }
        key
    }

    /// Shows the observers what is about to happen. They may let members die meanwhile.
    pub fn observe(&mut self, what: &Happening<'_>) {
        if self.over {
            return;
        }
        let mut observers = std::mem::take(&mut self.observers);
        for observer in &mut observers {
            observer.happened(what, self);
        }
        observers.append(&mut self.observers);
        self.observers = observers;
        self.burn_fuse(what);
    }

    // ---- the clockwork

    fn chore(&mut self, chore: Chore) {
        self.chores.push(chore);
        if let Some(waker) = &self.clockwork {
            waker.wake_by_ref();
        }
    }

    fn wait(&mut self, cx: &mut Context<'_>) {
        if !self.clockwork.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            self.clockwork = Some(cx.waker().clone());
        }
        let now = self.now();
        self.armed.retain(|&at| at > now);
        if let Some(head) = self.agenda.head()
            && self.armed.iter().all(|&armed| head < armed)
        {
            self.arm(head);
        }
    }

    /// Lets madsim wake the clockwork at this moment. The alarm cannot be taken back; a needless one does no harm.
    fn arm(&mut self, at: u64) {
        let Some(waker) = &self.clockwork else { return };
        let now = self.now();
        if at <= now {
            waker.wake_by_ref();
            return;
        }
        // A far future is as good as never, and madsim's arithmetic has an end.
        let wait = Duration::from_nanos((at - now).min(1 << 55));
        let deadline = self.time.now_instant() + wait;
        let mut sleep = pin!(self.time.sleep_until(deadline));
        // madsim rounds a sleep up to a millisecond when it is made, not when it is set anew.
        sleep.as_mut().reset(deadline);
        if sleep.as_mut().poll(&mut Context::from_waker(waker)).is_pending() {
            self.armed.push(at);
        }
    }
}
