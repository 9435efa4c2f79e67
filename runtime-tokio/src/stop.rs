//! How everything here learns that it is to end: first what waits is finished, then connections are cut.
use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    Draining,
    Cut,
}

/// Gives the word.
pub struct Stop(watch::Sender<Phase>);

/// Hears it. If whoever gives it is gone, that is the word as well.
#[derive(Clone)]
pub struct Stopping(watch::Receiver<Phase>);

pub fn stop() -> (Stop, Stopping) {
    let (sender, receiver) = watch::channel(Phase::Serving);
    (Stop(sender), Stopping(receiver))
}

impl Stop {
    /// No new connections; calls that wait are finished, streams end.
    pub fn drain(&self) {
        self.0.send_if_modified(|phase| {
            std::mem::replace(phase, (*phase).max(Phase::Draining)) < Phase::Draining
        });
    }

    /// Every connection ends now.
    pub fn cut(&self) {
        self.0.send_replace(Phase::Cut);
    }
}

impl Stopping {
    pub async fn drained(&mut self) {
        self.0.wait_for(|phase| *phase >= Phase::Draining).await.ok();
    }

    pub async fn cut(&mut self) {
        self.0.wait_for(|phase| *phase >= Phase::Cut).await.ok();
    }
}
