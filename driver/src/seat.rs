//! A member without loops of its own: its host calls it when something has happened or is due, and between two calls it
//! does nothing. For hosts that are a loop themselves, such as a simulator with a queue of everything that happens.
//!
//! The same turns, hubs and effects as in a member that runs by itself; only nobody waits here.
use crate::{Arrival, Runtime, fanout::HubTurns, mailbox::Mailbox, peers, turn::Turns};
use detcd_core::{Input, Moment};
use std::task::{Context, Poll};

pub struct Seat<R: Runtime> {
    inbox: Mailbox<Input>,
    /// None: it has stopped.
    turns: Option<Turns<R>>,
    hubs: Vec<HubTurns<R>>,
}

impl<R: Runtime> Seat<R> {
    pub(crate) fn new(inbox: Mailbox<Input>, turns: Turns<R>, hubs: Vec<HubTurns<R>>) -> Seat<R> {
        Seat { inbox, turns: Some(turns), hubs }
    }

    /// What came over the links.
    pub fn arrive(&self, arrival: Arrival) {
        peers::take(&self.inbox, arrival);
    }

    /// Takes every turn that is due, the core's and the hubs'. Answers when it must be called again at the latest; the
    /// waker tells when there is something to do before. None: the member has stopped and will do nothing more.
    pub fn take_turns(&mut self, cx: &mut Context<'_>) -> Option<Moment> {
        let mut wake = Moment(u64::MAX);
        while let Some(turns) = &mut self.turns {
            match turns.poll(cx) {
                Poll::Pending => {}
                Poll::Ready(Some(at)) => {
                    wake = wake.min(at);
                    break;
                }
                Poll::Ready(None) => self.turns.take().into_iter().for_each(Turns::put_down),
            }
        }
        let mut at = 0;
        while let Some(hub) = self.hubs.get_mut(at) {
            match hub.poll(cx) {
                Poll::Pending => {}
                Poll::Ready(Some(due)) => {
                    wake = wake.min(due);
                    at += 1;
                }
                Poll::Ready(None) => self.hubs.remove(at).put_down(),
            }
        }
        (self.turns.is_some() || !self.hubs.is_empty()).then_some(wake)
    }
}
