//! Threads that run seeds, until there are no more or somebody says stop.
use crate::{
    story::{self, Options, Outcome, Verdict},
    token::Engine,
};
use detcd_runtime_sim::transcript::Stir;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

/// A seed to be run, by whom and how.
#[derive(Clone, Copy)]
pub struct Task {
    pub engine: Engine,
    pub seed: u64,
    pub options: Options,
}

impl Task {
    pub fn play(self) -> Outcome {
        match self.engine {
            Engine::Member => story::run(self.seed, self.options),
            // No command makes such a task as long as it is so.
            Engine::Replica => unreachable!("the replica simulation is not built"),
        }
    }
}

/// What came of a task.
pub struct Done {
    /// The how many-th task it was, from 0.
    pub number: usize,
    pub task: Task,
    pub outcome: Outcome,
    /// The same again, if this seed was one to be verified.
    pub again: Option<Outcome>,
}

pub struct Pool {
    pub jobs: usize,
    pub keep_going: bool,
    pub deadline: Option<Instant>,
    /// This share of the seeds, in millionths, is run twice.
    pub verify: u32,
    interrupted: Arc<AtomicBool>,
}

impl Pool {
    /// A pool that ends in good order when the process is asked to end, and at once when it is asked again.
    pub fn new(jobs: usize) -> Result<Pool, String> {
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // The second one does not wait for the seeds that are under way.
            flag::register_conditional_shutdown(signal, i32::from(super::INTERRUPTED), interrupted.clone())
                .and_then(|_| flag::register(signal, interrupted.clone()))
                .map_err(|error| format!("no handler for signal {signal}: {error}"))?;
        }
        Ok(Pool { jobs: jobs.clamp(1, 1024), keep_going: false, deadline: None, verify: 0, interrupted })
    }

    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Runs task after task and shows what came of each, in the order in which they end.
    pub fn run(
        &self,
        task: impl Fn(usize) -> Option<Task> + Sync,
        mut each: impl FnMut(Done) -> Result<(), String>,
    ) -> Result<(), String> {
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        let work = |done: mpsc::Sender<Done>| {
            while !stop.load(Ordering::Relaxed) && !self.is_interrupted() {
                if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                    return;
                }
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(task) = task(number) else { return };
                let outcome = task.play();
                let again = is_chosen(task.seed, self.verify).then(|| task.play());
                let bad = matches!(outcome.verdict, Verdict::Fail { .. } | Verdict::Broken(_))
                    || again
                        .as_ref()
                        .is_some_and(|again| crate::report::difference(&outcome, again).is_some());
                if bad && !self.keep_going {
                    stop.store(true, Ordering::Relaxed);
                }
                if done.send(Done { number, task, outcome, again }).is_err() {
                    return;
                }
            }
        };
        std::thread::scope(|scope| {
            let (done, ended) = mpsc::channel();
            for _ in 0..self.jobs {
                let done = done.clone();
                scope.spawn(|| work(done));
            }
            drop(done);
            let mut result = Ok(());
            for done in ended {
                if result.is_ok() {
                    result = each(done);
                    // Nobody is told of what comes now.
                    stop.fetch_or(result.is_err(), Ordering::Relaxed);
                }
            }
            result
        })
    }
}

/// Whether a seed belongs to a share of all seeds; the same ones in every process.
fn is_chosen(seed: u64, millionths: u32) -> bool {
    Stir::of(&seed.to_le_bytes()) % 1_000_000 < u64::from(millionths)
}

/// The CPU time that this process has used.
pub fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_seeds_is_about_as_large_as_asked_for() {
        let chosen = |millionths| (0..10_000).filter(|&seed| is_chosen(seed, millionths)).count();
        assert_eq!((chosen(0), chosen(1_000_000)), (0, 10_000));
        assert!((350..650).contains(&chosen(50_000)), "{}", chosen(50_000));
    }
}
