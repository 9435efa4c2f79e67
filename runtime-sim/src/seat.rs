//! A member that is called straight from the queue of what is due: its turns, its hubs and its arrivals in one call.
use crate::{
    agenda::{Due, Key},
    runtime::Sim,
    world::Stage,
};
use detcd_core::Moment;
use detcd_driver::{Arrival, Runtime, Seat};
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

/// Stands for the member among the queue's tasks; it is called when something arrived, was asked, or is due.
struct Sitting {
    sim: Sim,
    seat: Seat<Sim>,
    arrivals: Vec<Arrival>,
    /// The alarm that is set, and for when.
    alarm: Option<(Key, u64)>,
}

impl Sim {
    /// Lets this member take its turns from now on.
    pub fn sit(&self, seat: Seat<Sim>) {
        let sitting = Sitting { sim: self.clone(), seat, arrivals: Vec::new(), alarm: None };
        self.spawn("seat", sitting);
    }
}

impl Sitting {
    fn stage(&self) -> &Stage {
        self.sim.stage()
    }

    /// An alarm that rings too early costs a call; one that is moved at every turn costs more.
    fn set_alarm(&mut self, at: Moment, cx: &Context<'_>) {
        let member = self.sim.member();
        let alarm = self.alarm;
        self.alarm = self.stage().enter(|world| {
            let at = world.clock_of(member).world_ns(at);
            match alarm {
                Some((_, set)) if world.now() < set && set <= at => alarm,
                _ => {
                    if let Some((key, _)) = alarm {
                        world.agenda.remove(key);
                    }
                    (at < u64::MAX).then(|| (world.add(at, Due::Alarm(member, cx.waker().clone())), at))
                }
            }
        });
    }
}

impl Future for Sitting {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let life = this.sim.life();
        let arrivals = &mut this.arrivals;
        this.sim.stage().enter(|world| {
            if world.is_alive(&life) {
                world.inbox_mut(life.member).take_all(cx.waker(), arrivals);
            }
        });
        for arrival in this.arrivals.drain(..) {
            this.seat.arrive(arrival);
        }
        match this.seat.take_turns(cx) {
            Some(wake) => {
                this.set_alarm(wake, cx);
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }
}

impl Drop for Sitting {
    fn drop(&mut self) {
        if let Some((key, _)) = self.alarm.take() {
            self.stage().cancel(key);
        }
    }
}
