//! Which thread does what.
//!
//! A few reactors (one thread each, with its own run queue: measured, that beats work stealing) carry connections
//! and small tasks. A task that may block on the disk, or that everybody waits for, has a thread of its own.
use std::{
    future::Future,
    io,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

/// The threads that carry connections. They end when this is dropped.
pub struct Reactors {
    handles: Vec<Handle>,
    next: AtomicUsize,
    // Dropping the sender tells the thread to end.
    _stop: Vec<oneshot::Sender<()>>,
}

impl Reactors {
    /// One reactor for two cores, at most four: the replica and the log have threads of their own.
    pub fn count_for_this_machine() -> usize {
        thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).clamp(1, 4))
    }

    pub fn start(count: usize) -> io::Result<Reactors> {
        let (mut handles, mut stops) = (Vec::new(), Vec::new());
        for number in 0..count.max(1) {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let (stop, stopped) = oneshot::channel::<()>();
            handles.push(runtime.handle().clone());
            stops.push(stop);
            thread::Builder::new().name(format!("reactor-{number}")).spawn(move || {
                // An error means that the sender is gone, which is the signal.
                runtime.block_on(stopped).ok();
                // A name lookup that hangs must not hold up the end.
                runtime.shutdown_background();
            })?;
        }
        Ok(Reactors { handles, next: AtomicUsize::new(0), _stop: stops })
    }

    /// The next reactor in turn.
    pub fn pick(&self) -> &Handle {
        let number = self.next.fetch_add(1, Ordering::Relaxed) % self.handles.len();
        self.handles.get(number).expect("a remainder is below the length, and there is at least one reactor")
    }

    /// Always the same reactor, for what belongs together.
    pub fn first(&self) -> &Handle {
        self.handles.first().expect("there is at least one reactor")
    }
}

/// Runs a task on a thread of its own.
pub fn pinned(name: &'static str, task: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_time().build()?;
    thread::Builder::new().name(name.to_string()).spawn(move || runtime.block_on(task))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn tasks_run_where_they_are_told() {
        let reactors = Reactors::start(2).unwrap();
        let (say, heard) = mpsc::channel();
        for handle in [reactors.pick(), reactors.pick(), reactors.first()] {
            let say = say.clone();
            handle.spawn(async move { say.send(thread::current().name().map(str::to_string)).unwrap() });
        }
        let say_pinned = say.clone();
        pinned("alone", async move {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            say_pinned.send(thread::current().name().map(str::to_string)).unwrap();
        })
        .unwrap();
        let mut names: Vec<_> = (0..4).map(|_| heard.recv().unwrap().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["alone", "reactor-0", "reactor-0", "reactor-1"]);
    }
}
