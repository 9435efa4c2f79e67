//! The only door for clients: hands out tickets and turns replies back into answers.
//!
//! A ticket names a slot and the slot's generation, so a reply that comes after its caller has gone finds nobody and
//! is dropped.
use crate::mailbox::{Mailbox, Refused};
use detcd_core::{Input, Outcome, Refusal, Ticket};
use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};

#[derive(Clone)]
pub struct Gate {
    inbox: Mailbox<Input>,
    slots: Arc<Mutex<Slots>>,
}

#[derive(Default)]
struct Slots {
    slots: Vec<Slot>,
    free: Vec<u32>,
    stopped: bool,
}

struct Slot {
    generation: u32,
    state: State,
}

enum State {
    Free,
    Waiting(Option<Waker>),
    Done(Outcome),
}

impl Gate {
    pub fn new(inbox: Mailbox<Input>) -> Gate {
        Gate { inbox, slots: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().expect("nothing panics while it holds this lock")
    }

    /// Asks the core and waits for its answer. A full inbox refuses at once.
    pub async fn ask(&self, input: impl FnOnce(Ticket) -> Input) -> Outcome {
        let answer = self.ticket()?;
        match self.inbox.push(input(answer.ticket)) {
            Ok(()) => answer.await,
            Err(Refused::Full) => Err(Refusal::TooManyRequests),
            Err(Refused::Closed) => Err(Refusal::Stopped),
        }
    }

    /// The core's reply. Whoever waits is woken; if nobody does, it is forgotten.
    pub fn resolve(&self, ticket: Ticket, outcome: Outcome) {
        let waker = {
            let mut slots = self.lock();
            let Some(slot) = slots.find(ticket) else { return };
            match std::mem::replace(&mut slot.state, State::Done(outcome)) {
                State::Waiting(waker) => waker,
                State::Free | State::Done(_) => unreachable!("one reply for one ticket"),
            }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Refuses everybody from now on, those who wait included.
    pub fn stop(&self) {
        let wakers: Vec<Waker> = {
            let mut slots = self.lock();
            slots.stopped = true;
            slots.slots.iter_mut().filter_map(Slot::stop).collect()
        };
        for waker in wakers {
            waker.wake();
        }
    }

    /// How many slots there are for those who wait; there are never fewer again.
    pub fn slots(&self) -> usize {
        self.lock().slots.len()
    }

    fn ticket(&self) -> Result<Answer, Refusal> {
        let mut slots = self.lock();
        if slots.stopped {
            return Err(Refusal::Stopped);
        }
        let index = slots.free.pop().unwrap_or_else(|| {
            slots.slots.push(Slot { generation: 0, state: State::Free });
            u32::try_from(slots.slots.len() - 1).expect("the inbox is bounded far below four billion")
        });
        let slot = &mut slots.slots[index as usize];
        slot.state = State::Waiting(None);
        let ticket = Ticket(u64::from(slot.generation) << 32 | u64::from(index));
        Ok(Answer { gate: self.clone(), ticket })
    }
}

impl Slots {
    /// The slot, if its caller still waits in it.
    fn find(&mut self, ticket: Ticket) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(ticket.0 as u32 as usize)?;
        (slot.generation == (ticket.0 >> 32) as u32 && matches!(slot.state, State::Waiting(_)))
            .then_some(slot)
    }
}

impl Slot {
    fn stop(&mut self) -> Option<Waker> {
        match &mut self.state {
            State::Waiting(waker) => {
                let waker = waker.take();
                self.state = State::Done(Err(Refusal::Stopped));
                waker
            }
            State::Free | State::Done(_) => None,
        }
    }
}

/// Waits for the reply to one ticket; dropping it gives the slot back.
struct Answer {
    gate: Gate,
    ticket: Ticket,
}

impl Future for Answer {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let mut slots = self.gate.lock();
        let slot = &mut slots.slots[self.ticket.0 as u32 as usize];
        match &mut slot.state {
            State::Waiting(Some(waker)) => waker.clone_from(cx.waker()),
            State::Waiting(none) => *none = Some(cx.waker().clone()),
            State::Done(_) | State::Free => {
                let State::Done(outcome) = std::mem::replace(&mut slot.state, State::Free) else {
                    unreachable!("not polled again after its answer");
                };
                return Poll::Ready(outcome);
            }
        }
        Poll::Pending
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let mut slots = self.gate.lock();
        let index = self.ticket.0 as u32;
        let slot = &mut slots.slots[index as usize];
        slot.generation = slot.generation.wrapping_add(1);
        slot.state = State::Free;
        slots.free.push(index);
    }
}
