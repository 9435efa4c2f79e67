//! Who runs the tasks and moves time. Two engines, one world: madsim runs whole members as tasks on its nodes; the
//! queue is a plain list of what is due, with nothing between it and whoever is woken.
//!
//! Both are deterministic. An engine starts tasks, ends and pauses those of a member, and lets time pass when nobody has
//! anything to do; what is due and what it means is the world's.
mod madsim;
mod queue;

pub(crate) use self::madsim::Madsim;
pub(crate) use queue::Queue;
pub use queue::perform as perform_queued;

use crate::{
    task::{Guarded, panic_text},
    world::Slot,
};
use ::madsim::{
    runtime::Runtime,
    time::{Duration, TimeHandle},
};
use std::future::Future;

use crate::chance::{Concern, Dice};

/// Performs a scenario in a world of its own: a fresh OS thread, a fresh executor whose order of tasks comes from the
/// seed. Err is the text of a panic of the scenario itself.
pub fn perform<T, F, S>(seed: u64, scenario: S) -> Result<T, String>
where
    T: Send + 'static,
    F: Future<Output = T>,
    S: FnOnce() -> F + Send + 'static,
{
    let schedule = Dice::new(seed, Concern::Schedule).u64();
    on_thread(seed, move || {
        Runtime::with_seed_and_config(schedule, ::madsim::Config::default()).block_on(scenario())
    })
}

/// std's hash seeds are per thread, so a run that shares its thread with another one would inherit them.
fn on_thread<T: Send + 'static>(seed: u64, run: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    let run = std::thread::Builder::new().name(format!("seed {seed:#x}")).spawn(run);
    let run = run.map_err(|error| format!("no thread for the run: {error}"))?;
    run.join().map_err(|panic| panic_text(panic.as_ref()))
}

/// The world's clock.
pub(crate) enum Time {
    Madsim(TimeHandle),
    /// Nanoseconds since the run began.
    Own(u64),
}

impl Time {
    pub fn now(&self) -> u64 {
        match self {
            Time::Madsim(time) => time.elapsed().as_nanos() as u64,
            Time::Own(now) => *now,
        }
    }
}

#[derive(Clone)]
pub(crate) enum Engine {
    Madsim(Madsim),
    Queue(Queue),
}

impl Engine {
    /// The one that performs the calling scenario, with a place for so many members.
    pub fn current(members: usize) -> Engine {
        match Queue::current() {
            Some(queue) => Engine::Queue(queue),
            None => Engine::Madsim(Madsim::new(members)),
        }
    }

    pub fn time(&self) -> Time {
        match self {
            Engine::Madsim(_) => Time::Madsim(TimeHandle::current()),
            Engine::Queue(_) => Time::Own(0),
        }
    }

    /// A task that belongs to no member.
    pub fn spawn_backstage(&self, task: impl Future<Output = ()> + Send + 'static) {
        match self {
            Engine::Madsim(nodes) => nodes.spawn_backstage(task),
            Engine::Queue(queue) => queue.spawn(None, Box::pin(task)),
        }
    }

    pub fn spawn(&self, task: Guarded) {
        match self {
            Engine::Madsim(nodes) => nodes.spawn(task),
            Engine::Queue(queue) => queue.spawn(Some((task.member, task.life)), Box::pin(task)),
        }
    }

    /// Ends every task of a member. Whoever lives there now must be dead already.
    pub fn kill(&self, member: Slot) {
        match self {
            Engine::Madsim(nodes) => nodes.kill(member),
            Engine::Queue(queue) => queue.kill(member),
        }
    }

    /// Makes a member's place ready for its next life.
    pub fn prepare(&self, member: Slot) {
        match self {
            Engine::Madsim(nodes) => nodes.restart(member),
            Engine::Queue(queue) => queue.kill(member),
        }
    }

    pub fn pause(&self, member: Slot) {
        match self {
            Engine::Madsim(nodes) => nodes.pause(member),
            Engine::Queue(queue) => queue.pause(member),
        }
    }

    pub fn resume(&self, member: Slot) {
        match self {
            Engine::Madsim(nodes) => nodes.resume(member),
            Engine::Queue(queue) => queue.resume(member),
        }
    }

    /// Ends every task there is, save the scenario itself.
    pub fn kill_all(&self) {
        match self {
            Engine::Madsim(nodes) => nodes.kill_all(),
            Engine::Queue(queue) => queue.kill_all(),
        }
    }

    /// Waits until what was killed is dropped.
    pub async fn settle(&self) {
        match self {
            Engine::Madsim(_) => ::madsim::time::sleep(Duration::from_secs(1)).await,
            Engine::Queue(_) => {}
        }
    }
}
