//! Tasks of a member, and the small things that let them wait.
use crate::{
    agenda::{Due, Key},
    world::{Slot, Stage},
};
use detcd_core::Moment;
use std::{
    cell::Cell as ThreadCell,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

/// A task of one life of a member. It is not polled any more once that life is over; its panic ends the life and is
/// reported, and does not take the simulator with it.
pub(crate) struct Guarded {
    pub stage: Stage,
    pub member: usize,
    pub life: u64,
    pub name: &'static str,
    pub future: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Future for Guarded {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let (member, life) = (self.member, self.life);
        if !self.stage.enter(|world| world.spend(member, life)) {
            return Poll::Pending;
        }
        let future = self.future.as_mut();
        match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(poll) => poll,
            Err(panic) => {
                let what = format!("in {}: {}", self.name, panic_text(panic.as_ref()));
                let place = PLACE.take().map_or(String::new(), |place| format!(" at {place}"));
                self.stage.enter(|world| world.panicked(member, life, &what, &place));
                Poll::Pending
            }
        }
    }
}

thread_local! {
    /// Where this thread panicked last. A run has a thread of its own.
    static PLACE: ThreadCell<Option<String>> = const { ThreadCell::new(None) };
}

/// From now on a panic prints nothing, and a member's panic is reported with its place. For whole processes only: the
/// hook is the process's own.
pub fn note_panics() {
    std::panic::set_hook(Box::new(|panic| {
        PLACE.set(panic.location().map(|at| format!("{}:{}", portable(at.file()), at.line())));
    }));
}

/// A path without what only this machine has in front of it.
fn portable(file: &str) -> &str {
    let crates = file.rsplit_once("/registry/src/").and_then(|(_, rest)| rest.split_once('/'));
    let std = file.rsplit_once("/library/");
    crates.or(std).map_or(file, |(_, rest)| rest)
}

pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "a panic without a text".to_owned(),
    }
}

/// Waits until a moment of the world, in nanoseconds. Leaves nothing behind when it is dropped.
pub struct Nap {
    stage: Stage,
    until: u64,
    key: Option<Key>,
}

impl Nap {
    pub(crate) fn new(stage: Stage, until: u64) -> Nap {
        Nap { stage, until, key: None }
    }
}

impl Future for Nap {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let (until, key) = (self.until, self.key);
        let (ready, key) = self.stage.enter(|world| {
            if world.now() >= until {
                return (true, key);
            }
            match key {
                Some(key) => {
                    world.agenda.set_waker(key, cx.waker());
                    (false, Some(key))
                }
                None => (false, Some(world.add(until, Due::Wake(cx.waker().clone())))),
            }
        });
        self.key = key;
        if ready { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Nap {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.stage.cancel(key);
        }
    }
}

/// Waits until a member's clock shows a moment. The clock may be set or stopped meanwhile: whoever sleeps by it is
/// woken then, looks at it again, and sleeps on until the time that is right now.
pub(crate) struct Sleep {
    stage: Stage,
    member: Slot,
    at: Moment,
    key: Option<Key>,
}

impl Sleep {
    pub fn new(stage: Stage, member: Slot, at: Moment) -> Sleep {
        Sleep { stage, member, at, key: None }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let (member, at, key) = (self.member, self.at, self.key);
        let (ready, key, stale) = self.stage.enter(|world| {
            let clock = world.clock_of(member);
            if clock.read(world.now()) >= at {
                return (true, key, None);
            }
            let until = clock.world_ns(at);
            match key {
                Some(key) if key.0 == until => {
                    world.agenda.set_waker(key, cx.waker());
                    (false, Some(key), None)
                }
                _ => {
                    let stale = key.and_then(|key| world.agenda.remove(key));
                    (false, Some(world.add(until, Due::Alarm(member, cx.waker().clone()))), stale)
                }
            }
        });
        // Outside the lock: a waker may hold the last reference to a task.
        drop(stale);
        self.key = key;
        if ready { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.stage.cancel(key);
        }
    }
}

/// A place for one answer: whoever holds the other half waits for it.
pub fn answer<T>() -> (Answer<T>, Asked<T>) {
    let cell = Arc::new(Mutex::new(Cell { value: None, waker: None }));
    (Answer(cell.clone()), Asked(cell))
}

struct Cell<T> {
    value: Option<T>,
    waker: Option<Waker>,
}

pub struct Answer<T>(Arc<Mutex<Cell<T>>>);

pub struct Asked<T>(Arc<Mutex<Cell<T>>>);

fn lock<T>(cell: &Mutex<Cell<T>>) -> MutexGuard<'_, Cell<T>> {
    cell.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T> Answer<T> {
    /// The first answer counts.
    pub fn give(self, value: T) {
        let waker = {
            let mut cell = lock(&self.0);
            cell.value.get_or_insert(value);
            cell.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Asked<T> {
    /// Waits for the answer until a moment of the world; None if it has not come by then.
    pub async fn until(&mut self, stage: &Stage, deadline: u64) -> Option<T> {
        let mut nap = stage.nap_until(deadline);
        std::future::poll_fn(|cx| {
            {
                let mut cell = lock(&self.0);
                if let Some(value) = cell.value.take() {
                    return Poll::Ready(Some(value));
                }
                cell.waker = Some(cx.waker().clone());
            }
            Pin::new(&mut nap).poll(cx).map(|()| None)
        })
        .await
    }
}
