//! The loop: what happened goes into the core, what it decides is started, and nothing else happens here.
use crate::{Runtime, mailbox::Mailbox, perform::Hands};
use detcd_core::{Effects, Input, Moment, Replica};
use std::task::{Context, Poll};

/// Most inputs of one turn. What has piled up beyond waits for the next one.
const TURN_MAX: usize = 1024;

pub struct Turns<R: Runtime> {
    replica: Replica,
    effects: Effects,
    batch: Vec<Input>,
    inbox: Mailbox<Input>,
    hands: Hands<R>,
    /// When the core wants to be called even if nothing happens.
    wake: Option<Moment>,
}

impl<R: Runtime> Turns<R> {
    pub fn new(replica: Replica, effects: Effects, inbox: Mailbox<Input>, hands: Hands<R>) -> Turns<R> {
        // The first turn is due at once.
        let wake = Some(Moment(0));
        Turns { replica, effects, batch: Vec::new(), inbox, hands, wake }
    }

    fn take(&mut self) {
        let (begun, before) = (self.hands.rt.now(), *self.replica.tally());
        self.hands.notice_delay(self.wake.filter(|wake| *wake > Moment(0)), begun);
        self.wake = self.replica.turn(begun, self.batch.drain(..), &mut self.effects);
        let after = self.replica.tally();
        if after.applied != before.applied {
            self.hands.meters.applied(&before, after, self.hands.rt.now() - begun);
        }
        for effect in self.effects.drain() {
            self.hands.perform(effect);
        }
    }

    /// Takes the turn that is due now, for whoever has a loop of its own. Ready: none is; the answer is when the next
    /// one will be if nothing happens before. None: the member has stopped.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Moment>> {
        match self.inbox.poll_batch(cx, &mut self.batch, TURN_MAX) {
            Poll::Ready(false) => return Poll::Ready(None),
            Poll::Ready(true) => {}
            Poll::Pending => match self.wake {
                Some(wake) if wake <= self.hands.rt.now() => {}
                wake => return Poll::Ready(Some(wake.unwrap_or(Moment(u64::MAX)))),
            },
        }
        self.take();
        Poll::Pending
    }

    pub fn put_down(self) {
        self.hands.put_down();
    }
}

pub async fn run<R: Runtime>(mut turns: Turns<R>) {
    turns.take();
    let inbox = turns.inbox.clone();
    while inbox.recv_until(&turns.hands.rt, turns.wake, &mut turns.batch, TURN_MAX).await {
        turns.take();
    }
    turns.put_down();
}
