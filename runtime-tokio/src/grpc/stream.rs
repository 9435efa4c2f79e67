//! What the streaming calls share: an outgoing stream fed by a task, and what ends it from outside.
use super::{Api, admission, status};
use crate::Tokio;
use detcd_core::Refusal;
use detcd_driver::Node;
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{sync::mpsc, time::sleep};
use tonic::{Request, Status, codegen::tokio_stream::Stream};

/// Small answers that wait to be sent on one stream.
pub const WAITING_MAX: usize = 16;
/// So many checks in a row without a leader end a stream that wants one.
const LEADERLESS_MAX: u32 = 3;

/// What a task puts into the other end, until it drops it.
pub struct Fed<T>(mpsc::Receiver<Result<T, Status>>);

pub type Feeder<T> = mpsc::Sender<Result<T, Status>>;

/// At most `waiting_max` answers wait in between.
pub fn fed<T>(waiting_max: usize) -> (Feeder<T>, Fed<T>) {
    let (feeder, receiver) = mpsc::channel(waiting_max);
    (feeder, Fed(receiver))
}

/// What `next` makes, until it has no more or `cut` says why it ends; at most `waiting_max` pieces are made ahead of
/// the caller.
pub fn in_pieces<T: Send + 'static>(
    waiting_max: usize,
    mut next: impl FnMut() -> Option<T> + Send + 'static,
    cut: impl Future<Output = Status> + Send + 'static,
) -> Fed<T> {
    let (feeder, answers) = fed(waiting_max);
    tokio::spawn(async move {
        let feed = async {
            while let Some(piece) = next() {
                // A caller who has left wants nothing more.
                if feeder.send(Ok(piece)).await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            () = feed => {}
            why = cut => { feeder.send(Err(why)).await.ok(); }
        }
    });
    answers
}

impl<T> Stream for Fed<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}

impl Api {
    /// Comes back with the reason when a long-lived stream must end: the member stops, or a caller who wants a
    /// leader has had none for three election timeouts.
    pub fn cut<T>(&self, request: &Request<T>) -> impl Future<Output = Status> + Send + 'static {
        let headers = request.metadata().clone().into_headers();
        let leader = admission::wants_leader(&headers).then(|| self.node.clone());
        let mut stopping = self.stopping.clone();
        async move {
            tokio::select! {
                () = stopping.drained() => status(Refusal::Stopped),
                () = no_leader(leader) => status(Refusal::NoLeader),
            }
        }
    }
}

async fn no_leader(node: Option<Node<Tokio>>) {
    let Some(node) = node else { return std::future::pending().await };
    let between = Duration::from_nanos(node.config().election_timeout.as_nanos());
    let mut missed = 0;
    while missed < LEADERLESS_MAX {
        sleep(between).await;
        missed = if node.require_leader().is_ok() { 0 } else { missed + 1 };
    }
}
