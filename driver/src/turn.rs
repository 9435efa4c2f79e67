//! The loop: what happened goes into the core, what it decides is started, and nothing else happens here.
use crate::{Runtime, mailbox::Mailbox, perform::Hands};
use detcd_core::{Effects, Input, Replica};

/// Most inputs of one turn. What has piled up beyond waits for the next one.
const TURN_MAX: usize = 1024;

pub async fn run<R: Runtime>(
    mut replica: Replica,
    mut effects: Effects,
    inbox: Mailbox<Input>,
    mut hands: Hands<R>,
) {
    let mut batch = Vec::new();
    let mut wake = replica.turn(hands.rt.now(), batch.drain(..), &mut effects);
    loop {
        for effect in effects.drain() {
            hands.perform(effect);
        }
        if !inbox.recv_until(&hands.rt, wake, &mut batch, TURN_MAX).await {
            return hands.put_down();
        }
        wake = replica.turn(hands.rt.now(), batch.drain(..), &mut effects);
    }
}
