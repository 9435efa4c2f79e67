//! Listens to the peers and puts what they say into the inbox.
use crate::{Arrival, Net, Runtime, mailbox::Mailbox, shutdown::Latch};
use detcd_core::{Input, MemberId};

pub async fn listen<R: Runtime>(rt: R, inbox: Mailbox<Input>, stopping: Latch) {
    while let Some(arrival) = stopping.or_open(rt.net().recv()).await {
        take(&inbox, arrival);
    }
}

pub fn take(inbox: &Mailbox<Input>, arrival: Arrival) {
    match arrival {
        Arrival::Message(message) => {
            let from = MemberId(message.from);
            // A full inbox: as if the message were lost on its way.
            inbox.push_urgent(Input::Receive { from, message: Box::new(message) }).ok();
        }
        // These change little and must not be missed.
        Arrival::Linked(peer) => inbox.push_completion(Input::Linked { peer }),
        Arrival::Expelled(by) => inbox.push_completion(Input::Expelled { by }),
        Arrival::Lost(peer) => inbox.push_completion(Input::Lost { peer }),
    }
}
