//! What a nemesis does to links beyond cutting them: it holds messages back, repeats them, breaks a connection so that
//! one end does not notice.
use crate::{
    event::Event,
    links::Frame,
    world::{Slot, World},
};

impl World {
    /// Holds back what arrives over this link from now on.
    pub fn clog(&mut self, from: Slot, to: Slot) {
        self.links.of_mut(from, to).clog();
    }

    /// Takes one reason for a clog away. What was held back arrives at once and in order.
    pub fn unclog(&mut self, from: Slot, to: Slot) {
        let held = self.links.of_mut(from, to).unclog();
        self.release(from, to, held);
    }

    pub(crate) fn unclog_all(&mut self) {
        for from in 0..self.len() {
            for to in 0..self.len() {
                self.unclog(from, to);
            }
        }
    }

    /// Keeps a copy of what arrives over this link from now on.
    pub fn overhear(&mut self, from: Slot, to: Slot) {
        self.links.of_mut(from, to).listen();
    }

    /// What was overheard arrives once more, all at once.
    pub fn repeat_overheard(&mut self, from: Slot, to: Slot) {
        let echo = self.links.of_mut(from, to).take_echo();
        self.count_many("net: message repeated late", echo.len() as u64);
        self.release(from, to, echo);
    }

    fn release(&mut self, from: Slot, to: Slot, frames: Vec<Frame>) {
        for (i, frame) in frames.into_iter().enumerate() {
            self.after(1 + i as u64, move |world| world.deliver(from, to, frame));
        }
    }

    /// Cuts both directions; of the two only `noticing` learns that the connection is gone.
    pub fn cut_half_open(&mut self, noticing: Slot, other: Slot) {
        self.record(&Event::Link { from: noticing, to: other, up: false });
        for (from, to) in [(noticing, other), (other, noticing)] {
            self.links.cut(from, to);
        }
        if self.is_up(noticing) && self.peers_of(noticing).contains(&other) {
            self.tell_link(noticing, other, false);
        }
    }

    /// The message that is being delivered comes so much later. For observers of a delivery only.
    pub fn delay_delivery(&mut self, ns: u64) {
        self.delay_ns = Some(ns);
    }
}
