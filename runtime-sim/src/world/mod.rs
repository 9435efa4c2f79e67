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
    engine::{Engine, Time},
    event::{Event, Happening, Observer},
    fuse::Fuse,
    links::{Links, Weather},
    net::Inbox,
    runtime::Sim,
    streams::Doorstep,
    task::{Guarded, Nap},
    transcript::{Digest, Keep, Recorded, Transcript},
};
use detcd_core::MemberId;
use detcd_driver::{Fault, PeerAnswer, PeerCall, pipe::PipeIn};
use std::{
    collections::BTreeMap,
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, TryLockError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
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

/// Asks a member to hand the lead over to another.
pub type HandOver = Arc<dyn Fn(MemberId) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// What a world begins with.
pub struct Setup {
    pub seed: u64,
    pub members: Vec<MemberId>,
    pub clocks: Vec<Clock>,
    pub weather: Weather,
    /// What of the transcript is kept.
    pub keep: Keep,
    /// Most things that may happen before the run counts as a storm.
    pub budget: u64,
}

/// One life of a member, from boot to death.
pub(crate) struct Life {
    pub member: Slot,
    pub number: u64,
    alive: AtomicBool,
}

pub(crate) struct Resident {
    pub(crate) fuse: Option<Fuse>,
    /// Dead for good: nobody starts it again.
    pub(crate) is_buried: bool,
    /// Nobody starts it for now.
    pub(crate) is_kept_down: bool,
    pub(crate) is_forsaken: bool,
    id: MemberId,
    /// Under which it is reached at its address too: who it was before, and who it is to become.
    other_ids: Vec<MemberId>,
    /// Where members name it.
    address: String,
    life: Option<Arc<Life>>,
    lives: u64,
    paused: bool,
    clock: Timepiece,
    pub(crate) disk: Platter,
    inbox: Inbox,
    doorstep: Doorstep,
    peers: Vec<Slot>,
    /// Of the peers, those it named; the others came by themselves.
    named: Vec<MemberId>,
    /// Named once, and not any more.
    gone: Vec<MemberId>,
    /// It knows that these were removed from the cluster.
    removed: Vec<MemberId>,
    serve: Option<Serve>,
    stop: Option<Stop>,
    hand_over: Option<HandOver>,
}

/// What has to be done outside the lock.
enum Chore {
    Kill(Arc<Life>),
    Pause(Arc<Life>),
    Resume(Arc<Life>),
    Boot(Slot),
    Stop(Arc<Life>, Stop),
    HandOver(Arc<Life>, HandOver, MemberId),
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
    /// How many events the transcript had when the judge spoke.
    pub event: u64,
}

pub struct World {
    time: Time,
    pub(crate) members: Vec<Resident>,
    pub(crate) agenda: Agenda,
    armed: Vec<u64>,
    clockwork: Option<Waker>,
    chores: Vec<Chore>,
    pub links: Links,
    pub(crate) link_dice: Dice,
    /// Set by an observer of a delivery: the message comes so much later.
    pub(crate) delay_ns: Option<u64>,
    /// The writing ends of streams whose reader hears nothing any more.
    pub(crate) hanging: Vec<PipeIn>,
    pub(crate) disk_dice: Dice,
    entropy: Dice,
    secrets: Dice,
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
pub struct Stage {
    world: Arc<Mutex<World>>,
    engine: Engine,
}

impl Stage {
    /// Sets the world up inside the running scenario.
    pub fn new(setup: Setup) -> Stage {
        let seed = setup.seed;
        let n = setup.members.len();
        let engine = Engine::current(n);
        let members = setup.members.iter().zip(setup.clocks).map(|(&id, clock)| Resident {
            fuse: None,
            is_buried: false,
            is_kept_down: false,
            is_forsaken: false,
            id,
            life: None,
            lives: 0,
            paused: false,
            clock: Timepiece::new(clock),
            disk: Platter::default(),
            inbox: Inbox::default(),
            doorstep: Doorstep::default(),
            other_ids: Vec::new(),
            address: String::new(),
            peers: Vec::new(),
            named: Vec::new(),
            gone: Vec::new(),
            removed: Vec::new(),
            serve: None,
            stop: None,
            hand_over: None,
        });
        let world = World {
            time: engine.time(),
            members: members.collect(),
            agenda: Agenda::default(),
            armed: Vec::new(),
            clockwork: None,
            chores: Vec::new(),
            links: Links::new(n, setup.weather),
            link_dice: Dice::new(seed, Concern::Links),
            delay_ns: None,
            hanging: Vec::new(),
            disk_dice: Dice::new(seed, Concern::Disk),
            entropy: Dice::new(seed, Concern::Entropy),
            secrets: Dice::split(seed, Concern::Entropy, 1),
            transcript: Transcript::new(setup.keep),
            observers: Vec::new(),
            boot: None,
            budget: setup.budget,
            clock_looks: 0,
            troubles: Vec::new(),
            counts: BTreeMap::new(),
            over: false,
            is_calm: false,
        };
        let stage = Stage { world: Arc::new(Mutex::new(world)), engine };
        match &stage.engine {
            Engine::Madsim(_) => stage.engine.spawn_backstage(stage.clone().clockwork()),
            Engine::Queue(queue) => queue.attend(&stage),
        }
        stage
    }

    /// Does something to the world. Never call it from within.
    pub fn enter<T>(&self, f: impl FnOnce(&mut World) -> T) -> T {
        match self.world.try_lock() {
            Ok(mut world) => f(&mut world),
            Err(TryLockError::Poisoned(poisoned)) => f(&mut poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => panic!("the world was entered from within"),
        }
    }

    pub fn now(&self) -> u64 {
        self.enter(|world| world.now())
    }

    pub(crate) fn is_queued(&self) -> bool {
        matches!(self.engine, Engine::Queue(_))
    }

    pub fn nap_until(&self, at: u64) -> Nap {
        Nap::new(self.clone(), at)
    }

    pub fn nap(&self, ns: u64) -> Nap {
        self.nap_until(self.now().saturating_add(ns))
    }

    /// Takes an entry of the agenda back. It is dropped after the lock: a waker may hold the last reference to a task.
    pub(crate) fn cancel(&self, key: Key) {
        let entry = self.enter(|world| world.agenda.remove(key));
        drop(entry);
    }

    /// Starts a task that belongs to no member: a client, a nemesis.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.engine.spawn_backstage(task);
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
        let (member, life) = (life.member, life.number);
        self.engine.spawn(Guarded { stage, member, life, name, future: Box::pin(task) });
    }

    /// Does what has been put aside, until nothing is left.
    pub(crate) fn do_chores(&self) {
        loop {
            let chores = self.enter(|world| std::mem::take(&mut world.chores));
            if chores.is_empty() {
                return;
            }
            for chore in chores {
                self.do_chore(chore);
            }
        }
    }

    /// Time jumps to what is due next, and everything that is due then is done. False: nothing is due, ever. For an
    /// engine whose time is the world's own.
    pub(crate) fn pass_time(&self) -> bool {
        let Some(head) = self.enter(|world| {
            let head = world.agenda.head()?;
            let now = world.now().max(head);
            world.time = Time::Own(now);
            Some(now)
        }) else {
            return false;
        };
        loop {
            let more = self.enter(|world| {
                world.agenda.take_due(head)?.come(world);
                Some(!world.chores.is_empty())
            });
            match more {
                Some(true) => self.do_chores(),
                Some(false) => {}
                None => return true,
            }
        }
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
                        due.come(world);
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
        let engine = &self.engine;
        match chore {
            // The engine kills whoever lives there now, and that may be the next life already.
            Chore::Kill(life) if self.enter(|world| world.is_latest(&life)) => engine.kill(life.member),
            Chore::Pause(life) if self.enter(|world| world.is_alive(&life)) => engine.pause(life.member),
            Chore::Resume(life) if self.enter(|world| world.is_alive(&life)) => engine.resume(life.member),
            Chore::Stop(life, stop) => {
                let (stage, stopping) = (self.clone(), life.clone());
                self.spawn_in(&life, "stop", async move {
                    stop().await;
                    stage.enter(|world| world.stopped(&stopping));
                });
            }
            Chore::HandOver(life, hand_over, to) => {
                self.spawn_in(&life, "hand-over", async move { hand_over(to).await });
            }
            Chore::Kill(_) | Chore::Pause(_) | Chore::Resume(_) => {}
            Chore::Forget(held) => drop(held),
            Chore::Boot(member) => {
                let Some(boot) =
                    self.enter(|world| world.may_boot(member).then(|| world.boot.clone()).flatten())
                else {
                    return;
                };
                engine.prepare(member);
                let life = self.enter(|world| world.begin_life(member));
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
        let left = self.enter(|world| {
            world.over = true;
            let mut left: Vec<Box<dyn std::any::Any + Send>> = Vec::new();
            for resident in &mut world.members {
                if let Some(life) = resident.life.take() {
                    life.alive.store(false, Ordering::Relaxed);
                }
                left.push(Box::new(std::mem::take(&mut resident.inbox)));
                left.push(Box::new(resident.serve.take()));
                left.push(Box::new(resident.stop.take()));
                left.push(Box::new(resident.hand_over.take()));
            }
            left.push(Box::new(std::mem::take(&mut world.chores)));
            left.push(Box::new(world.boot.take()));
            left.push(Box::new(std::mem::take(&mut world.observers)));
            left.push(Box::new(world.agenda.take_all()));
            left
        });
        self.engine.kill_all();
        drop(left);
        self.engine.settle().await;
    }
}

impl World {
    /// Nanoseconds since the run began.
    pub fn now(&self) -> u64 {
        self.time.now()
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

    /// Where a member is, or was, or will be, as far as anybody has named its address.
    pub fn slot_of(&self, id: MemberId) -> Option<Slot> {
        let now = self.members.iter().position(|resident| resident.id == id);
        now.or_else(|| self.members.iter().position(|resident| resident.other_ids.contains(&id)))
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

    pub fn record(&mut self, event: &Event<&str>) {
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

    pub fn take_events(&mut self) -> Option<Vec<Recorded>> {
        self.transcript.take_events()
    }

    pub fn count(&mut self, what: &'static str) {
        self.count_many(what, 1);
    }

    pub fn count_many(&mut self, what: &'static str, n: u64) {
        if n > 0 {
            *self.counts.entry(what).or_default() += n;
        }
    }

    /// How many timers are set, of members, clients and the world itself.
    pub fn timers(&self) -> usize {
        self.agenda.len()
    }

    pub fn counts(&self) -> &BTreeMap<&'static str, u64> {
        &self.counts
    }

    /// Reports what must not be. The run may go on; the first report is the verdict.
    pub fn trouble(&mut self, judge: &str, text: impl Into<String>) {
        let (at, event, text) = (self.now(), self.events(), text.into());
        if self.is_excused(judge) {
            return self.count("loss by a lying disk");
        }
        // What is seen again at every look is told once.
        let is_news = self.troubles.last().is_none_or(|last| last.text != text);
        if is_news && self.troubles.len() < 16 {
            let line = format!("{judge}: {text}");
            self.record(&Event::Story { line: &line });
            self.troubles.push(Trouble { judge: judge.to_owned(), text, at, event });
        }
    }

    /// A member whose disk lies can forget its vote and what it acknowledged, and no protocol that counts on disks
    /// survives that: what was committed may be gone from everybody. So once a disk has broken its promise only what
    /// a member must never do is held against it: panic, or storm.
    pub fn is_excused(&self, judge: &str) -> bool {
        !matches!(judge, "panic" | "event-budget" | "lost-tail" | "canary")
            && self.members.iter().any(|r| r.disk.broke_a_promise())
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
        if self.clockwork.is_some() && self.armed.iter().all(|&armed| at < armed) {
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
        let (Some(waker), Time::Madsim(time)) = (&self.clockwork, &self.time) else { return };
        let now = self.time.now();
        if at <= now {
            waker.wake_by_ref();
            return;
        }
        // A far future is as good as never, and madsim's arithmetic has an end.
        let wait = Duration::from_nanos((at - now).min(1 << 55));
        let deadline = time.now_instant() + wait;
        let mut sleep = pin!(time.sleep_until(deadline));
        // madsim rounds a sleep up to a millisecond when it is made, not when it is set anew.
        sleep.as_mut().reset(deadline);
        if sleep.as_mut().poll(&mut Context::from_waker(waker)).is_pending() {
            self.armed.push(at);
        }
    }
}
