//! The plain queue: whoever was woken is polled, in an order drawn from the seed; when nobody is left, the world's time
//! jumps to what is due next. No nodes, no timers of its own, no least sleep.
use super::on_thread;
use crate::{
    chance::{Concern, Dice},
    world::{Slot, Stage},
};
use std::{
    cell::RefCell,
    collections::BTreeSet,
    future::Future,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The scenario's own place among those who were woken.
const SCENARIO: usize = usize::MAX;

/// Whose a task is: a member in one of its lives; none: backstage.
type Home = Option<(Slot, u64)>;

#[derive(Clone)]
pub(crate) struct Queue(Arc<Shared>);

struct Shared {
    tasks: Mutex<Tasks>,
    /// Who was woken and not polled since. A lock of its own: wakers are called from anywhere.
    ready: Mutex<Vec<usize>>,
    stage: Mutex<Option<Stage>>,
}

#[derive(Default)]
struct Tasks {
    places: Vec<Place>,
    free: Vec<usize>,
    paused: BTreeSet<Slot>,
}

struct Place {
    home: Home,
    waker: Waker,
    called: Arc<Call>,
    /// None: it is being polled, or nobody lives here.
    task: Option<Task>,
}

/// Wakes one place.
struct Call {
    place: usize,
    shared: Mutex<Option<Arc<Shared>>>,
    /// It stands in the list already.
    waits: std::sync::atomic::AtomicBool,
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        use std::sync::atomic::Ordering;
        if !self.waits.swap(true, Ordering::Relaxed)
            && let Some(shared) = &*lock(&self.shared)
        {
            lock(&shared.ready).push(self.place);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    /// The queue that performs on this thread. A run has its thread to itself.
    static CURRENT: RefCell<Option<Queue>> = const { RefCell::new(None) };
}

/// As [`super::perform`], on the queue.
pub fn perform<T, F, S>(seed: u64, scenario: S) -> Result<T, String>
where
    T: Send + 'static,
    F: Future<Output = T>,
    S: FnOnce() -> F + Send + 'static,
{
    on_thread(seed, move || {
        let queue = Queue(Arc::new(Shared {
            tasks: Mutex::default(),
            ready: Mutex::default(),
            stage: Mutex::default(),
        }));
        CURRENT.set(Some(queue.clone()));
        let result = queue.run(seed, scenario());
        queue.kill_all();
        lock(&queue.0.stage).take();
        CURRENT.set(None);
        result
    })
}

impl Queue {
    pub fn current() -> Option<Queue> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// The world whose time passes when nobody has anything to do.
    pub fn attend(&self, stage: &Stage) {
        *lock(&self.0.stage) = Some(stage.clone());
    }

    fn call(&self, place: usize) -> Arc<Call> {
        Arc::new(Call { place, shared: Mutex::new(Some(self.0.clone())), waits: Default::default() })
    }

    fn run<T>(&self, seed: u64, scenario: impl Future<Output = T>) -> T {
        use std::sync::atomic::Ordering;
        let mut dice = Dice::new(seed, Concern::Schedule);
        let mut scenario = pin!(scenario);
        let call = self.call(SCENARIO);
        let waker = Waker::from(call.clone());
        waker.wake_by_ref();
        loop {
            let next = {
                let mut ready = lock(&self.0.ready);
                let n = ready.len();
                match n {
                    0 => None,
                    1 => ready.pop(),
                    _ => Some(ready.swap_remove(dice.index(n))),
                }
            };
            match next {
                Some(SCENARIO) => {
                    call.waits.store(false, Ordering::Relaxed);
                    if let Poll::Ready(result) = scenario.as_mut().poll(&mut Context::from_waker(&waker)) {
                        return result;
                    }
                }
                Some(place) => self.poll(place),
                None => {
                    let stage = lock(&self.0.stage).clone();
                    let stage = stage.expect("a scenario that waits has a world to wait in");
                    assert!(stage.pass_time(), "everybody waits and nothing is due");
                    continue;
                }
            }
            let stage = lock(&self.0.stage).clone();
            if let Some(stage) = stage {
                stage.do_chores();
            }
        }
    }

    fn poll(&self, number: usize) {
        use std::sync::atomic::Ordering;
        let (mut task, waker) = {
            let mut tasks = lock(&self.0.tasks);
            let Tasks { places, paused, .. } = &mut *tasks;
            let place = &mut places[number];
            if place.home.is_some_and(|(member, _)| paused.contains(&member)) {
                // It stays woken; `resume` calls it again.
                return;
            }
            place.called.waits.store(false, Ordering::Relaxed);
            let Some(task) = place.task.take() else { return };
            (task, place.waker.clone())
        };
        let done = task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        if done {
            drop(task);
            self.vacate(number);
        } else {
            lock(&self.0.tasks).places[number].task = Some(task);
        }
    }

    fn vacate(&self, number: usize) {
        let mut tasks = lock(&self.0.tasks);
        let place = &mut tasks.places[number];
        // Old wakers of this place must not wake its next tenant.
        lock(&place.called.shared).take();
        place.home = None;
        tasks.free.push(number);
    }

    pub fn spawn(&self, home: Home, task: Task) {
        let mut tasks = lock(&self.0.tasks);
        let number = tasks.free.pop().unwrap_or(tasks.places.len());
        let called = self.call(number);
        let waker = Waker::from(called.clone());
        let place = Place { home, waker: waker.clone(), called, task: Some(task) };
        if number == tasks.places.len() {
            tasks.places.push(place);
        } else {
            tasks.places[number] = place;
        }
        drop(tasks);
        waker.wake();
    }

    pub fn kill(&self, member: Slot) {
        self.kill_those(|home| home.is_some_and(|(slot, _)| slot == member));
        self.resume(member);
    }

    pub fn kill_all(&self) {
        self.kill_those(|_| true);
    }

    fn kill_those(&self, condemned: impl Fn(Home) -> bool) {
        let mut dropped = Vec::new();
        {
            let mut tasks = lock(&self.0.tasks);
            let Tasks { places, free, .. } = &mut *tasks;
            for (number, place) in places.iter_mut().enumerate() {
                if condemned(place.home)
                    && let Some(task) = place.task.take()
                {
                    lock(&place.called.shared).take();
                    place.home = None;
                    free.push(number);
                    dropped.push(task);
                }
            }
        }
        // Outside the lock: what a task holds may wake others when it is dropped.
        drop(dropped);
    }

    pub fn pause(&self, member: Slot) {
        lock(&self.0.tasks).paused.insert(member);
    }

    pub fn resume(&self, member: Slot) {
        let mut tasks = lock(&self.0.tasks);
        if !tasks.paused.remove(&member) {
            return;
        }
        let mut woken = lock(&self.0.ready);
        for (number, place) in tasks.places.iter().enumerate() {
            let is_his = place.home.is_some_and(|(slot, _)| slot == member) && place.task.is_some();
            if is_his
                && place.called.waits.load(std::sync::atomic::Ordering::Relaxed)
                && !woken.contains(&number)
            {
                woken.push(number);
            }
        }
    }
}
